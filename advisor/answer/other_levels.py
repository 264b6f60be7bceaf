"""The model that was asked for at another level, where the level that was asked for with it runs badly."""

from __future__ import annotations

from advisor.answer.answer import Answer, answered
from advisor.answer.decide import decided_by, search_for
from advisor.answer.option_words import at_speed, keeping
from advisor.answer.status import BAD
from advisor.foundation.caches import kept_beside
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, fact


@kept_beside
def at_another_level(found: Answer) -> Answer | None:
    """The same question without its level, where only that keeps it from being answered well."""
    if found.status not in BAD or "level" not in found.question.given or not found.shown.writes:
        return None
    question = found.as_asked.with_values(level=None, imatrix=None)
    try:
        ways, search = search_for(question, found.entry, found.today, found.measured_here)
        there = answered(decided_by(question, ways, search))
    except InputError:
        return None
    return there if there.status == "good" else None  # for a limited plan another model may be better


def runs_at_another_level(there: Answer) -> Message:
    """What the model does where its level is left open."""
    decided = there.decided
    return fact(
        "runs_at_another_level",
        level=decided.plan.level,
        runtime=decided.setup.runtime.name,
        kept=keeping(decided),
        speed=at_speed(decided),
    )
