"""How good a plan is, in one word: what a decision is ranked by and what a manager reads first.

The borders are of quality kept (percent of the 16-bit score, all tasks together), nominal bits and tokens/s for each
user. People read about 5 tokens/s (`recommend.READING_TOKENS_PER_S`); a third of that is no conversation.
"""

from __future__ import annotations

from typing import Literal, get_args

from advisor.answer.candidate import Candidate
from advisor.answer.ladders import NATIVE_LEVELS
from advisor.answer.recommend import READING_TOKENS_PER_S
from advisor.question.requirements import Requirements

Status = Literal["good", "limited", "slow", "last resort", "does not fit", "not as asked"]
STATUSES: tuple[Status, ...] = get_args(Status)

GOOD_PERCENT = 97.0
GOOD_BITS, LEAST_BITS = 4.0, 3.0
GOOD_TOKENS_PER_S, LEAST_TOKENS_PER_S = 8.0, 1.5
_OVERALL = "chat"


def status_of(candidate: Candidate, asked: Requirements, licence: str, writes: bool = True) -> Status:
    """The status of a candidate under what is asked for; `writes` False for an encoder, which has neither speed of
    writing nor quality at chat. A figure that is not known lowers nothing but what asks for it.
    """
    if candidate.verdict == "does not fit":
        return "does not fit"
    if candidate.unmet(asked, licence):
        return "not as asked"
    whole = candidate.verdict != "tight"  # a tight plan lives off the margin
    if not writes:
        return "good" if whole else "limited"
    kept = candidate.find_quality(_OVERALL).kept
    percent = 100.0 if kept is None else kept.typical
    speed = GOOD_TOKENS_PER_S if candidate.tokens_per_s is None else candidate.tokens_per_s.typical
    bits = GOOD_BITS if candidate.level in NATIVE_LEVELS else candidate.plan.sized.level.nominal_bits
    if percent < GOOD_PERCENT or bits < LEAST_BITS or speed < LEAST_TOKENS_PER_S:
        return "last resort"
    if speed < READING_TOKENS_PER_S:
        return "slow"
    return "good" if whole and bits >= GOOD_BITS and speed >= GOOD_TOKENS_PER_S else "limited"
