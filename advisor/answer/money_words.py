"""What a decision says of money: which way is cheapest, and whether all of them give the same quality."""

from __future__ import annotations

from advisor.answer.candidate import Candidate
from advisor.answer.policy import VISIBLE_POINTS
from advisor.foundation.message import Message, fact


def money_words(shown: Candidate) -> tuple[Message, ...]:
    """The verdict, and where tokens are sold as well, how the plan's quality stands to what is sold; () without prices.

    Hosts say little of how they store a model: they are taken to serve the original.
    """
    if shown.costs is None:
        return ()
    kept = shown.kept
    if shown.costs.api is None or kept is None:
        return (shown.costs.verdict,)
    if kept.typical >= 100 - VISIBLE_POINTS:
        return shown.costs.verdict, fact("at_equal_quality")
    return shown.costs.verdict, fact("not_at_equal_quality", kept=kept.typical)
