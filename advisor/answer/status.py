"""How good a plan is, in one word: what a decision is ranked by and what a manager reads first."""

from __future__ import annotations

from typing import Literal, get_args

from advisor.answer.policy import (
    GOOD_BITS,
    GOOD_PERCENT,
    GOOD_TOKENS_PER_S,
    LEAST_BITS,
    LEAST_TOKENS_PER_S,
    READING_TOKENS_PER_S,
)

Status = Literal["good", "limited", "slow", "last resort", "does not fit", "not as asked"]
STATUSES: tuple[Status, ...] = get_args(Status)
BAD: tuple[Status, ...] = ("does not fit", "not as asked", "last resort", "slow")  # whoever asks needs something else


def status_by(overall: float, bits: float, tokens_per_s: float | None) -> Status:
    """The status of a plan that fits and breaks no rule.

    `overall` is percent kept of all tasks together, `bits` nominal ones of a weight (of files published in fewer, as
    many as are good), `tokens_per_s` of each user; a speed that is not known lowers nothing.
    """
    speed = GOOD_TOKENS_PER_S if tokens_per_s is None else tokens_per_s
    if overall < GOOD_PERCENT or bits < LEAST_BITS or speed < LEAST_TOKENS_PER_S:
        return "last resort"
    if speed < READING_TOKENS_PER_S:
        return "slow"
    return "good" if bits >= GOOD_BITS and speed >= GOOD_TOKENS_PER_S else "limited"
