"""What is said of an option: what it keeps, and how fast it writes."""

from __future__ import annotations

from advisor.answer.option import Option
from advisor.answer.policy import ALL_KEPT, NEARLY_ALL_KEPT
from advisor.foundation.message import NOTHING, Message, fact


def keeping(option: Option) -> Message:
    kept = option.candidate.kept
    if kept is None:
        return NOTHING
    if kept.typical >= ALL_KEPT:
        return fact("keeping_all")
    return fact("keeping_nearly_all") if kept.typical >= NEARLY_ALL_KEPT else fact("keeping", kept=kept.typical)


def at_speed(option: Option) -> Message:
    speed = option.candidate.tokens_per_s
    return NOTHING if speed is None else fact("at_tokens_per_s", speed=speed.typical)


def runs_at_another_level(decided: Option) -> Message:
    """What the model does where its level is left open."""
    return fact(
        "runs_at_another_level",
        level=decided.plan.level,
        runtime=decided.setup.runtime.name,
        kept=keeping(decided),
        speed=at_speed(decided),
    )
