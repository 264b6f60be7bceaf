"""Cases about which level is the right advice: a board of everyday questions, asked without any level."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from advisor.answer.answer import answer
from advisor.answer.case import Asked, Case, Outcome, Worked, ask, does
from advisor.answer.reasons import reasons
from advisor.foundation.caches import remembered
from advisor.foundation.message import Message, fact
from advisor.foundation.units import KIB, MIB
from advisor.quality.claims import claims
from advisor.question.question import Question

# One model of each usual size and one card of each usual memory: from the school's PC to the enthusiast's.
BOARD_MODELS = (
    "llama-3.2-3b-instruct",
    "llama-3.1-8b-instruct",
    "mistral-nemo-instruct-2407",
    "qwen3-14b",
    "gemma-3-27b-it",
    "qwen3-32b",
    "llama-3.1-70b-instruct",
)
BOARD_CARDS = ("rtx-4060", "rtx-3060-12gb", "rtx-4060-ti-16gb", "rtx-3090", "rtx-5090")
_SMALL_CARDS = BOARD_CARDS[:2]
_DEFAULT_BYTES = 2 * MIB
_BOARD_BYTES = 64 * KIB
_FULL = {"best_that_fits", "best_that_fits_beside_host", "best_with_margin"}  # reasons: what is better lacks memory


@dataclass(frozen=True, slots=True)
class _Circumstances:
    """Under which wish and on which cards a level is advised, and the words for it."""

    goal: str
    cards: tuple[str, ...]
    words: Message


_ADVISED = {
    "Q4_K_M": _Circumstances("balanced", BOARD_CARDS, fact("case_by_default")),
    "Q5_K_M": _Circumstances("quality", BOARD_CARDS, fact("case_for_quality")),
    "Q8_0": _Circumstances("quality", BOARD_CARDS, fact("case_for_quality")),
    "Q3_K_M": _Circumstances("balanced", _SMALL_CARDS, fact("case_on_small_cards")),
}


def board(goal: str, cards: tuple[str, ...] = BOARD_CARDS) -> tuple[str, ...]:
    """Every model of the board on every card, with a goal and nothing else."""
    return tuple(
        Question.of(model=model, machine=card, goal=goal).to_query() for card in cards for model in BOARD_MODELS
    )


@remembered(_DEFAULT_BYTES, lambda _: _BOARD_BYTES)
def _asked(goal: str, today: date) -> tuple[Asked, ...]:
    return tuple(ask(query, today, reach=False) for query in board(goal))


def advised(case: Case, today: date) -> Worked:
    """How often the decision takes a level where the article advises it: it holds if no other is taken more often, with
    a condition if it is taken at all. One question where it is taken, and one of the same model where it is not.
    """
    level = case.level or ""
    where = _ADVISED[level]
    wanted = set(board(where.goal, where.cards))
    asked = [one for one in _asked(where.goal, today) if one.query in wanted]
    running = [one for one in asked if one.runs]
    counts = Counter(one.level for one in running)
    most, times = counts.most_common(1)[0]
    yes, no = examples(level, running)
    facts = [
        fact(
            "case_board",
            where=where.words,
            questions=len(running),
            level=level,
            times=counts[level],
            most=most,
            most_times=times,
        ),
        *_example(yes, no, level, today),
        *_beside(level),
    ]
    outcome: Outcome = "holds with a condition" if counts[level] else "does not hold"
    condition = _when(level, running, today) if counts[level] else None
    if counts[level] == times:
        outcome, condition = "holds", None
    return Worked(case, outcome, tuple(facts), tuple(one for one in (yes, no) if one is not None), condition)


def _when(level: str, running: Sequence[Asked], today: date) -> Message:
    """When a level is taken: where none better fits or shows, if that is the decision's own reason each time."""
    taken = [one for one in running if one.level == level]
    reason = {_why(one, today).kind for one in taken}
    if reason <= _FULL:
        return fact("case_if_full", times=len(taken), questions=len(running))
    if reason <= {*_FULL, "better_trade_alike"}:
        return fact("case_if_no_better", times=len(taken), questions=len(running))
    return fact("case_if_share", times=len(taken), questions=len(running))


def _why(one: Asked, today: date) -> Message:
    """The decision's first reason: why this level and no better one."""
    return reasons(answer(Question.from_query(one.query), today=today))[0]


def examples(level: str, running: Sequence[Asked]) -> tuple[Asked | None, Asked | None]:
    """The best question where a level is taken, and one where it is not: of the same model where there is one."""
    taken = [one for one in running if one.level == level and one.serves]
    yes = next((one for one in taken if one.status == "good"), next(iter(taken), None))
    others = [one for one in running if one.level != level and one.serves]
    same = [one for one in others if yes is not None and one.model == yes.model]
    return yes, next(iter(same or others), None)


def _example(yes: Asked | None, no: Asked | None, level: str, today: date) -> Iterator[Message]:
    if yes is not None:
        why = _why(yes, today)
        yield fact("case_chosen_for", level=level, model=yes.model, machine=yes.machine, does=does(yes), why=why)
    if no is not None:
        yield fact("case_not_chosen_for", level=no.level, model=no.model, machine=no.machine, does=does(no))


def _beside(level: str) -> Iterator[Message]:
    """What the measurements say of "the best quality a bit"."""
    if level == "Q4_K_M":
        steps = next(claim for claim in claims() if claim.id == "q4-k-m").numbers
        yield fact("case_steps", down=steps["Q3_K_M / Q4_K_M"], up=steps["Q4_K_M / Q5_K_M"])
