"""Cases about machines: one level on one machine, or a question asked of a whole set of machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import assert_never

from advisor.answer.case import STATUS_WORDS, Asked, Case, Outcome, Set, Worked, ask, does, is_laptop
from advisor.answer.status import STATUSES
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, Span, fact
from advisor.foundation.units import GB, GIB
from advisor.machines.catalogue import machines
from advisor.machines.machine import Machine
from advisor.question.question import Question

_RIGHT = 0.1  # a size that is off by more than a tenth misleads whoever buys memory by it
_HIGH_END = 16 * GIB
_MOST_NAMED = 3
LAPTOP_RAM_GIB = 64  # what is assumed beside a laptop's GPU: the most that many are sold with
# The chips of Mac Studios (apple.com/mac-studio/specs of 2022, 2023 and 2025; of 2026 data/machines.csv).
_STUDIO_CHIPS = ("M1 Max", "M2 Max", "M4 Max", "M5 Max", "Ultra")


def on_machine(case: Case, today: date) -> Worked:
    """A level on a machine: whether its size is as said, whether it fits, and what the decision takes there instead."""
    asked = [ask(query, today) for query in (case.query, *case.also)]
    free = ask(_without_level(case.query), today)
    first = asked[0]
    facts = [*_size(case, first), _fits(first)]
    for one in asked:
        if one.runs:
            facts.append(_does(one))
    facts += _decision(first, free)
    best = min(asked, key=lambda one: STATUSES.index(one.status))
    outcome, condition = _judged(case, first, best)
    return Worked(case, outcome, tuple(facts), (*asked, free), condition)


def _judged(case: Case, first: Asked, best: Asked) -> tuple[Outcome, Message | None]:
    """It holds where the first is good and its size as said; a better way to run it is a condition."""
    if not first.runs:
        return "does not hold", None
    if first.status == "good":
        return ("holds", None) if _is_right(case, first) else ("holds with a condition", fact("case_if_size"))
    if best is not first:
        return "holds with a condition", fact("case_if_runtime", runtime=best.runtime, instead=first.runtime)
    return "holds with a condition", fact("case_if_content", status=STATUS_WORDS[first.status])


def _does(one: Asked) -> Message:
    speed = one.tokens_per_s
    if speed is None:
        return fact("case_is", runtime=one.runtime, level=one.level, does=does(one), status=STATUS_WORDS[one.status])
    return fact(
        "case_does",
        runtime=one.runtime,
        level=one.level,
        does=does(one),
        range=Span(speed.low, speed.high),
        status=STATUS_WORDS[one.status],
    )


def _size(case: Case, one: Asked) -> Iterator[Message]:
    if case.said_gb is not None:
        yield fact(
            "case_size", file=one.file_bytes, said=case.said_gb * GB, off=100 * (one.file_bytes / GB / case.said_gb - 1)
        )


def _is_right(case: Case, one: Asked) -> bool:
    return case.said_gb is None or abs(one.file_bytes / GB / case.said_gb - 1) <= _RIGHT


def _fits(one: Asked) -> Message:
    if one.runs:
        return fact("case_fits", machine=one.machine, reach=one.max_context or 0)
    return fact("case_does_not_fit", machine=one.machine, missing=one.missing_bytes)


def _decision(first: Asked, free: Asked) -> Iterator[Message]:
    """What the same question without its level is answered with."""
    if not free.runs:
        yield fact("case_nothing_fits", machine=free.machine)
    elif free.level == first.level:
        yield fact("case_decision_same", level=free.level)
    else:
        yield fact("case_decision_other", level=free.level, runtime=free.runtime, does=does(free))


def _without_level(query: str) -> str:
    question = Question.from_query(query)
    return question.with_values(level=None, runtime="auto").to_query() if question.model.level else query


# ------------------------------------------------------------------------------------------------ many machines


def surveyed(case: Case, today: date) -> Worked:
    """A question asked of every machine of a set: on how many it is good, and where a level is given, on how many the
    decision takes that level by itself.
    """
    assert case.over is not None  # noqa: S101
    asked = [found for query in queries_of(case) if (found := _ask(query, today)) is not None]
    running = [one for one in asked if one.runs]
    counts = Counter(one.status for one in asked)
    facts = [
        *_size(case, asked[0]),
        fact(
            "case_survey",
            machines=_set_words(case.over, len(asked)),
            runs=len(running),
            good=counts["good"],
            limited=counts["limited"],
            slow=counts["slow"],
            last=counts["last resort"],
        ),
    ]
    if running:
        facts.append(_best(running))
    free: list[Asked] = []
    if case.level is not None:
        free = [ask(_without_level(one.query), today, reach=False) for one in running]
        facts += _instead(case.level, free)
    outcome, condition = _judged_by_counts(case, asked, counts["good"])
    return Worked(case, outcome, tuple(facts), (*asked, *free), condition)


def _judged_by_counts(case: Case, asked: Sequence[Asked], good: int) -> tuple[Outcome, Message | None]:
    """It holds where it is good on every machine, not at all where it is of use on none."""
    serving = sum(one.serves for one in asked)
    if not serving:
        return "does not hold", None
    if good == len(asked):
        return ("holds", None) if _is_right(case, asked[0]) else ("holds with a condition", fact("case_if_size"))
    return "holds with a condition", fact("case_if_machine", serving=serving, asked=len(asked))


def _best(running: Sequence[Asked]) -> Message:
    """The machines it runs best on: the best status, then the fastest."""
    rank = min(STATUSES.index(one.status) for one in running)
    best = [one for one in running if STATUSES.index(one.status) == rank]
    best.sort(key=lambda one: -(one.tokens_per_s.typical if one.tokens_per_s else 0.0))
    named = tuple(fact("case_on", machine=one.machine, level=one.level, does=does(one)) for one in best[:_MOST_NAMED])
    return fact("case_best_on", machines=named, status=STATUS_WORDS[best[0].status])


def _instead(level: str, free: Sequence[Asked]) -> Iterator[Message]:
    """What the decision takes where the level runs."""
    same = sum(one.level == level for one in free)
    yield fact("case_taken", level=level, same=same, runs=len(free))
    other = Counter(one.level for one in free if one.level != level)
    if other:
        most, times = other.most_common(1)[0]
        better = next(one for one in free if one.level == most)
        yield fact("case_rather", level=most, times=times, machine=better.machine, does=does(better))


def _ask(query: str, today: date) -> Asked | None:
    """None where nothing can be planned, such as a machine that no runtime supports."""
    try:
        return ask(query, today, reach=False)
    except InputError:
        return None


def queries_of(case: Case) -> tuple[str, ...]:
    """The case's own question, and the same of every machine of its set."""
    if case.over is None:
        return (case.query, *case.also)
    question = Question.from_query(case.query)
    changes: Mapping[str, float | int] = {"gpus": 2} if case.over == "24 GB cards" else {}
    found = []
    for one in machines_of(case.over):
        more = {"host_memory_gib": float(LAPTOP_RAM_GIB)} if one.kind == "laptop-gpu" else {}
        found.append(question.with_values(machine=one.id, **changes, **more).to_query())
    return tuple(found)


def machines_of(over: Set) -> tuple[Machine, ...]:
    """The machines of the catalogue that a case speaks of."""
    match over:
        case "consumer cards":
            chosen: Callable[[Machine], bool] = _is_high_end
        case "24 GB cards":
            chosen = _has_24
        case "Mac Studios":
            chosen = _is_studio
        case "laptops":
            return _best_of_each_kind([one for one in machines().values() if is_laptop(one)])
        case _:
            assert_never(over)
    return tuple(one for one in machines().values() if chosen(one))


def _is_high_end(one: Machine) -> bool:
    return one.kind == "consumer-gpu" and one.memory_bytes >= _HIGH_END


def _has_24(one: Machine) -> bool:
    return one.kind == "consumer-gpu" and one.memory_bytes == 24 * GIB


def _is_studio(one: Machine) -> bool:
    return one.kind == "apple-silicon" and any(chip in one.name for chip in _STUDIO_CHIPS)


def _best_of_each_kind(found: Sequence[Machine]) -> tuple[Machine, ...]:
    """Of a chip that is sold with several sizes of memory the largest, of GPUs with as much memory the fastest: whether
    it can be done at all.
    """
    best: dict[str | int, Machine] = {}
    for one in sorted(found, key=lambda one: (one.memory_bytes, one.bandwidth_bytes_per_s or 0.0)):
        best[one.name.rpartition(" ")[0] if one.unified else one.memory_bytes] = one
    return tuple(best.values())


def _set_words(over: Set, n: int) -> Message:
    match over:
        case "consumer cards":
            return fact("case_consumer_cards", count=n, least=_HIGH_END)
        case "24 GB cards":
            return fact("case_24_gb_cards", count=n)
        case "Mac Studios":
            return fact("case_mac_studios", count=n)
        case "laptops":
            return fact("case_laptops", count=n, ram=LAPTOP_RAM_GIB)
        case _:
            assert_never(over)
