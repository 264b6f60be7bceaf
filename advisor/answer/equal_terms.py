"""What stands beside a price so that prices can be compared: the quality and the speed that each way of them buys."""

from __future__ import annotations

from advisor.answer.candidate import Candidate
from advisor.costs.options import Option
from advisor.foundation.message import Message, fact


def quality_words(shown: Candidate, option: Option) -> Message | None:
    """What a way keeps of the original's quality; None where that is not known."""
    if option.name == "api":
        if option.precision is not None:
            return fact("way_states", precision=option.precision)
        return fact("way_original")
    kept = shown.kept
    if kept is None:
        return None
    return fact("way_keeps", kept=kept.typical, low=kept.low, high=min(kept.high, 100.0))


def speed_words(shown: Candidate, option: Option) -> Message | None:
    """How fast it writes for each; None where the plan writes nothing or its speed is not known."""
    if option.name == "api":
        return fact("way_speed_not_listed")
    speed = shown.tokens_per_s
    return None if speed is None else fact("way_writes", speed=speed.typical, low=speed.low, high=speed.high)
