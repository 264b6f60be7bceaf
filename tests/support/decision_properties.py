"""What must hold of every decision. Each property yields one text a check: empty, or what is wrong.

`python -m tests.support.decision_properties SEED FIRST LAST` counts checks and violations over drawn questions.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from tests.support.decision_figures import figures_agree, status_follows_from_the_figures
from tests.support.decision_promises import (
    choices_are_what_they_say,
    felt,
    flips_are_true,
    links_give_their_plan,
    no_other_engine_beats_it,
    nothing_beats_the_decision,
)
from tests.support.decisions import (
    FLOOR_PERCENT,
    HOST_GIB,
    NOTICEABLE,
    RANKS,
    VISIBLE_POINTS,
    Document,
    Values,
    ask,
    changed,
    drawn,
    is_unified,
    number_of,
    offered,
    overall,
    problem_unless,
    quality,
    query_of,
    rank,
    said,
    speed,
)

_LEAST_CONTEXT = 256
_USUAL_SPEED = 15.0  # tokens/s that are aimed at where nothing is asked for
_LEAST_QUALITIES, _SPEED_WISHES = ("96", "98.5", "99.4"), ("6", "20", "80")
_MOST_POINTS_FOR_SPEED = 3.0
_ROUNDED = 0.01  # points: figures have four digits


def more_room_is_never_worse(values: Values, found: Document) -> Iterator[str]:
    """More memory, one more card, half the users, half the context: never noticeably worse."""
    for what, query in _easier(values):
        there = ask(query)
        yield problem_unless(rank(there) <= _rank_at_most(found), f"{what}: {said(there)}, was {said(found)}")
        yield problem_unless(
            not _worse_in_both(there, found), f"{what}: worse in both: {said(there)}, was {said(found)}"
        )


def _rank_at_most(found: Document) -> int:
    """Of a plan that lives off its margin, which is refused: as low as what is not as asked.

    Whatever keeps its margin is to be chosen before it, so more room may lead to a plan of a lower status that does.
    """
    plan = found["decision"]["plan"]
    return max(rank(found), RANKS.index("not as asked")) if plan and plan["verdict"] == "tight" else rank(found)


def _easier(values: Values) -> Iterator[tuple[str, str]]:
    if "memory_gib" in values:
        yield "memory x 1.25", changed(values, memory_gib=f"{number_of(values, 'memory_gib') * 1.25:.12g}")
    if not is_unified(values):
        yield "one more card", changed(values, gpus=f"{number_of(values, 'gpus') + 1:.12g}")
        more = next((size for size in HOST_GIB if size > number_of(values, "host_memory_gib")), None)
        if more is not None:
            yield f"{more} GiB of RAM", changed(values, host_memory_gib=str(more))
    for key, least in (("users", 1), ("context", _LEAST_CONTEXT)):
        if (half := number_of(values, key) // 2) >= least:
            yield f"half the {key}", changed(values, **{key: f"{half:.12g}"})


def _worse_in_both(there: Document | None, found: Document) -> bool:
    """Noticeably; what does not fit has no figures to compare, and what was not as asked may cost something to mend, as
    may a plan that lived off its margin because nothing kept it."""
    if offered(there) is None or offered(found) is None or there is None:
        return False
    if found["decision"]["status"] == "not as asked" != there["decision"]["status"]:
        return False
    plan, before = there["decision"]["plan"], found["decision"]["plan"]
    if before["verdict"] == "tight" != plan["verdict"]:
        return False
    kept, usual, written, usually = quality(plan), quality(before), speed(plan), speed(before)
    if kept is None or usual is None or written is None or usually is None:
        return False
    return kept <= usual - VISIBLE_POINTS and written <= usually / NOTICEABLE


def a_least_quality_costs_nothing(values: Values, found: Document) -> Iterator[str]:
    """Where it was met without being asked for, asking gives no less; it never makes both quality and speed worse."""
    for (lower, before), (wish, there) in _raised(values, "min_quality", _LEAST_QUALITIES):
        what = f"min_quality {lower} -> {wish}: {said(there)}, was {said(before)}"
        yield problem_unless(not _worse_in_both(there, before), f"{what}: worse in both")
        kept = _quality_offered(before)
        if kept is not None and kept >= float(wish):
            given = _quality_offered(there)
            yield problem_unless(given is not None and given >= kept - _ROUNDED, f"{what}: less, though it was met")


def a_speed_wish_is_soft(values: Values, found: Document) -> Iterator[str]:
    """A higher one never gives a plan that is felt to be slower, costs more than 3 points or goes under the floor."""
    for (lower, before), (wish, there) in _raised(values, "min_tokens_per_s", _SPEED_WISHES):
        what = f"min_tokens_per_s {lower} -> {wish}: {said(there)}, was {said(before)}"
        if offered(before) is None or before["decision"]["status"] == "not as asked":
            continue
        if offered(there) is None or there is None:
            yield f"{what}: nothing"
            continue
        plan, usual = there["decision"]["plan"], before["decision"]["plan"]
        # Who asks for less than is usual is content with less.
        content = lower is None and float(wish) < _USUAL_SPEED
        wishing = {**values, "min_tokens_per_s": wish}
        if not content and (written := felt(wishing, usual)) is not None:
            yield problem_unless((felt(wishing, plan) or 0) >= written / NOTICEABLE, f"{what}: slower")
        if (kept := quality(usual)) is not None:
            given = quality(plan) or 0
            yield problem_unless(given >= kept - _MOST_POINTS_FOR_SPEED - _ROUNDED, f"{what}: too dear in quality")
        if (kept := overall(usual)) is not None and kept >= FLOOR_PERCENT:
            yield problem_unless((overall(plan) or 0) >= FLOOR_PERCENT, f"{what}: under the floor")


def _raised(
    values: Values, key: str, wishes: Iterable[str]
) -> Iterator[tuple[tuple[str | None, Document], tuple[str, Document | None]]]:
    """The answer without a wish, with the least, with the next and so on: each beside the one after it."""
    rising: list[str | None] = [None, *sorted({*wishes, *filter(None, [values.get(key)])}, key=float)]
    answers = [(wish, ask(changed(values, **{key: wish}))) for wish in rising]
    for (lower, before), (wish, there) in pairwise(answers):
        if before is not None and wish is not None:
            yield (lower, before), (wish, there)


def _quality_offered(found: Document | None) -> float | None:
    """What a decision keeps where it fits and is as asked."""
    if found is None or found["decision"]["status"] in ("not as asked", "does not fit"):
        return None
    return quality(found["decision"]["plan"])


PROPERTIES: Mapping[str, Callable[[Values, Document], Iterator[str]]] = {
    each.__name__.replace("_", " "): each
    for each in (
        flips_are_true,
        links_give_their_plan,
        choices_are_what_they_say,
        nothing_beats_the_decision,
        no_other_engine_beats_it,
        more_room_is_never_worse,
        a_least_quality_costs_nothing,
        a_speed_wish_is_soft,
        status_follows_from_the_figures,
        figures_agree,
    )
}


@dataclass
class Tally:
    """How often each property was checked and violated, and each violation in words."""

    asked: int = 0
    refused: int = 0
    checks: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        rows = [f"{name:34}{self.checks[name]:7} checks{self.violations[name]:6} violations" for name in PROPERTIES]
        return "\n".join((f"{self.asked} questions, {self.refused} of them refused", *rows))


def examined(seed: str, numbers: Iterable[int]) -> Tally:
    """Every property of the questions with these numbers."""
    tally = Tally()
    for number in numbers:
        examine(drawn(seed, number), tally, f"{number}: ")
    return tally


def examine(values: Values, tally: Tally, name: str = "") -> None:
    """Every property of a question; an error of our own violates the property it came up in."""
    found = ask(query_of(values), flips=True, plans=True)
    tally.asked += 1
    if found is None:
        tally.refused += 1
        return
    for what, holds in PROPERTIES.items():
        for problem in _looked_at(holds, values, found):
            tally.checks[what] += 1
            if problem:
                tally.violations[what] += 1
                tally.problems.append(f"{name}{what}: {query_of(values)}\n    {problem}")


def _looked_at(holds: Callable[[Values, Document], Iterator[str]], values: Values, found: Document) -> Iterator[str]:
    try:
        yield from holds(values, found)
    except Exception as error:
        yield f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    counted = examined(sys.argv[1], range(int(sys.argv[2]), int(sys.argv[3])))
    sys.stdout.write("\n".join((*counted.problems, str(counted), "")))
