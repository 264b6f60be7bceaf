"""1,000 random links through the page's own form, run by hand: `python -m tests.benchmarks.links [COUNT [SEED]]`.

The suite does the same with a few; here every link that comes back changed is shown.
"""

from __future__ import annotations

import resource
import sys

from hypothesis import Phase, given, seed, settings

from advisor.foundation.errors import AdvisorError
from advisor.question.question import MAX_QUERY_LENGTH, Scenario
from tests.support.random_scenarios import page_scenarios, through_the_page


def main(count: int = 1000, start: int = 0) -> None:
    seen: dict[str, Scenario] = {}

    @settings(max_examples=100, deadline=None, database=None, phases=[Phase.generate])
    @given(page_scenarios())
    def collect(scenario: Scenario) -> None:
        query = scenario.to_query()
        if len(query) <= MAX_QUERY_LENGTH:
            seen.setdefault(query, scenario)

    while len(seen) < count:
        start += 1
        seed(start)(collect)()
    changed = 0
    for query, scenario in list(seen.items())[:count]:
        try:
            found, problems = through_the_page(query)
        except (AdvisorError, AssertionError) as error:
            found, problems = None, (str(error),)
        if found != scenario or found.to_query() != query or problems:
            changed += 1
            print(f"{query}\n  {_differences(scenario, found)} {problems}", flush=True)
    keys = {key for scenario in seen.values() for key in scenario.model_dump(exclude_defaults=True)}
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(f"{count} links with {len(keys)} of {len(Scenario.model_fields)} keys: {changed} changed")
    print(f"{used.ru_utime + used.ru_stime:.0f} s of CPU time")


def _differences(before: Scenario, after: Scenario | None) -> str:
    pairs = ((key, getattr(before, key), getattr(after, key, None)) for key in Scenario.model_fields)
    return ", ".join(f"{key} {old!r} -> {new!r}" for key, old, new in pairs if old != new)


if __name__ == "__main__":
    main(*(int(number) for number in sys.argv[1:]))
