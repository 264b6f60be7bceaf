"""What of an answer many tests look at."""

from __future__ import annotations

from advisor.answer.answer import Answer
from advisor.answer.reasons import reasons
from advisor.question.question import Question
from advisor.words import say_all


def chosen_level(found: Answer) -> str | None:
    """The level that is to be run; None where none is."""
    return None if found.chosen is None else found.chosen.level


def why(found: Answer) -> str:
    """All reasons, as they are read."""
    return " ".join(say_all(reasons(found)))


def identity(found: Answer) -> tuple[object, ...]:
    """What two answers that decide alike have in common."""
    plan = found.decided.plan
    return (found.status, plan.level_id, plan.runtime, plan.settings, plan.placement)


def setting(found: Answer, key: str) -> object:
    """What a key of the question was searched to, or given as."""
    return Question.value(found.runs, key)
