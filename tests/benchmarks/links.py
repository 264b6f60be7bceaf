"""1,000 random links through the page's own form, run by hand: `python -m tests.benchmarks.links [COUNT [SEED]]`.

The suite does the same with a few; here every link that comes back changed is shown.
"""

from __future__ import annotations

import resource
import sys

from hypothesis import Phase, given, seed, settings

from advisor.foundation.errors import AdvisorError
from advisor.question.question import FIELDS, MAX_QUERY_LENGTH, Question
from tests.support.random_questions import page_questions, through_the_page


def main(count: int = 1000, start: int = 0) -> None:
    seen: dict[str, Question] = {}

    @settings(max_examples=100, deadline=None, database=None, phases=[Phase.generate])
    @given(page_questions())
    def collect(question: Question) -> None:
        query = question.to_query()
        if len(query) <= MAX_QUERY_LENGTH:
            seen.setdefault(query, question)

    while len(seen) < count:
        start += 1
        seed(start)(collect)()
    changed = 0
    for query, question in list(seen.items())[:count]:
        try:
            found, problems = through_the_page(query)
        except (AdvisorError, AssertionError) as error:
            found, problems = None, (str(error),)
        if found != question or found.to_query() != query or problems:
            changed += 1
            print(f"{query}\n  {_differences(question, found)} {problems}", flush=True)
    keys = {key for question in seen.values() for key in question.changed()}
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(f"{count} links with {len(keys)} of {len(FIELDS)} keys: {changed} changed")
    print(f"{used.ru_utime + used.ru_stime:.0f} s of CPU time")


def _differences(before: Question, after: Question | None) -> str:
    pairs = ((key, before.value(key), None if after is None else after.value(key)) for key in FIELDS)
    return ", ".join(f"{key} {old!r} -> {new!r}" for key, old, new in pairs if old != new)


if __name__ == "__main__":
    main(*(int(number) for number in sys.argv[1:]))
