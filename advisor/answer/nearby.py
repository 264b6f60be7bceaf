"""The levels around the one decided on: what people compare it with, without planning all of them."""

from __future__ import annotations

from advisor.answer.answer import Answer
from advisor.answer.plans import plans_of
from advisor.formats.gguf_sizes import SizedLevel, size_levels
from advisor.foundation.caches import kept_beside
from advisor.sizing.plan import Plan

# The levels that publishers offer most, from near-lossless down.
COMMON_LEVELS = frozenset(
    {
        *("Q8_0", "Q6_K", "Q5_K_M", "Q5_K_S", "Q4_K_M", "Q4_K_S", "IQ4_XS", "MXFP4", "Q3_K_L", "Q3_K_M", "Q3_K_S"),
        *("IQ3_M", "IQ3_XXS", "Q2_K", "IQ2_M", "IQ2_XXS", "IQ1_M"),
    }
)
_SHOWN = 8


@kept_beside
def plans_nearby(found: Answer) -> tuple[Plan, ...]:
    """Eight plans at most, largest file first: the decided one among the usual levels around it."""
    decided = found.decided.plan
    if not isinstance(decided.sized, SizedLevel) or found.question.model.level is not None:
        return found.plans[: 2 * _SHOWN]
    setup = found.decided.setup
    sizes = {one.level.name: one.file_bytes for one in size_levels(found.model, found.runs.model.imatrix)}
    usual = sorted((COMMON_LEVELS & sizes.keys()) | {decided.level}, key=lambda name: -sizes.get(name, 0))
    first = max(0, min(usual.index(decided.level) - _SHOWN // 2, len(usual) - _SHOWN))
    among = usual[first : first + _SHOWN]
    plans = plans_of(found.runs, found.entry, found.model, setup.hardware, setup.runtime.id, among)
    shown = {one.level: one for one in plans} | {decided.level: decided}
    return tuple(shown[name] for name in among if name in shown)
