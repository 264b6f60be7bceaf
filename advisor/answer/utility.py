"""What a plan is worth, in points of quality: a visible loss in full, slowness by how much people notice it.

The same function judges a plan and, before there is one, the best that it could be.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from advisor.answer.policy import (
    ALL_ON_HOST,
    CODEBOOK_ELSEWHERE,
    COMPUTED_AS_STORED,
    DOUBLINGS_FOR_MANY,
    FEW_AT_MOST,
    GOOD_PERCENT,
    IDLE_CARDS,
    LINEAR_FROM,
    MANY_USERS,
    OTHERS_WAIT,
    PARTLY_ON_HOST,
    RARE_LEVEL,
    SHORT_OF_WISH,
    THREE_BITS,
    UNDER_THE_FLOOR,
    USUAL_FOR_FEW,
    USUAL_FOR_MANY,
    VISIBLE_POINTS,
    VLLM_FROM_USERS,
    Weights,
)
from advisor.sizing.runtime_id import RuntimeId

SERVERS = frozenset({RuntimeId.VLLM, RuntimeId.SGLANG})  # the engines that are made for many users
_AS_GOOD_AS_FREE, _AS_GOOD_AS_NEVER = 1e-6, 1e-3  # money for a million tokens; tokens/s


@dataclass(frozen=True, slots=True)
class Kept:
    """Percent of the 16-bit score that is kept: at the task asked for, at the hardest one, and of all together."""

    task: float
    hardest: float
    overall: float

    @property
    def mean(self) -> float:
        """Three bits look harmless of all tasks together and lose three points at math: both count."""
        return (self.task + self.hardest) / 2


@dataclass(frozen=True, slots=True)
class Traits:
    """What speaks for or against a way to run a level beside its figures, known before it is planned."""

    engine: RuntimeId
    common: bool
    bits: float
    codebook: bool = False  # an i-quant
    codebook_slow: bool = False  # where those decode slowly wherever they lie
    idle_cards: bool = False
    unpacked: bool = False  # few bits, made from an original of more, that a server turns into 16 bits to compute
    one_desk: bool = False  # a GPU that shares the host's memory: of a machine for few, whatever the engine


@dataclass(frozen=True, slots=True)
class Figures:
    """What a plan is judged by; `tokens_per_s` is of each user, None where it is not known.

    `host_share` is the share of the weights on the host, None where everything is on the devices; `served` the share
    of full contexts that a paged cache holds at once; `cost` of a million tokens, None where no goal asks for it.
    """

    tokens_per_s: float | None
    host_share: float | None = None
    served: float = 1.0
    users_that_fit: float = 1.0
    cost: float | None = None


def utility(kept: Kept, traits: Traits, figures: Figures, weights: Weights, users: int, wish: float | None) -> float:
    """Points; more is better. `wish` is the speed asked for in tokens/s."""
    loss = 100 - kept.mean
    points = -loss * loss / (loss + VISIBLE_POINTS) if loss > 0 else 0.0
    if figures.tokens_per_s is not None:
        points += speed_points(figures.tokens_per_s, weights, users, wish)
    if figures.host_share is not None:
        points -= PARTLY_ON_HOST + ALL_ON_HOST * figures.host_share
    points -= CODEBOOK_ELSEWHERE * decodes_slowly(traits, figures)
    points -= UNDER_THE_FLOOR * (kept.overall < GOOD_PERCENT)
    points -= RARE_LEVEL * (not traits.common) + THREE_BITS * (traits.bits < 4) + IDLE_CARDS * traits.idle_cards
    stored = traits.engine in SERVERS and not traits.unpacked
    points += COMPUTED_AS_STORED * (stored and users >= _in_full_from(traits))
    points -= OTHERS_WAIT * (1 - figures.served)
    points += weights.users * math.log2(max(figures.users_that_fit, 1.0))
    if figures.cost is not None:
        points -= weights.money * math.log2(max(figures.cost, _AS_GOOD_AS_FREE))
    return points + usual_engine_points(traits, users)


def decodes_slowly(traits: Traits, figures: Figures) -> bool:
    """Whether an i-quant is unpacked by something else than CUDA or ROCm, be it in part; no estimate of speed tells."""
    return traits.codebook and (traits.codebook_slow or figures.host_share is not None)


def usual_engine_points(traits: Traits, users: int) -> float:
    """llama.cpp and MLX are what people run for themselves, vLLM and SGLang what they run for many."""
    if traits.engine in SERVERS:
        return USUAL_FOR_MANY * min(1.0, (users - 1) / (_in_full_from(traits) - 1))
    return USUAL_FOR_FEW


def _in_full_from(traits: Traits) -> int:
    """From how many users on what speaks for an engine made for many does so in full."""
    return FEW_AT_MOST if traits.one_desk else VLLM_FROM_USERS


def is_offered(engine: RuntimeId, beside: RuntimeId, users: int) -> bool:
    """Whether anybody would run an engine for so many users where the decision is for another."""
    return users <= FEW_AT_MOST or beside not in SERVERS or engine in SERVERS


def speed_points(speed: float, weights: Weights, users: int, wish: float | None) -> float:
    """What a speed is worth, in points."""
    speed = max(speed, _AS_GOOD_AS_NEVER)
    # Who says how fast is enough needs no more, but for the goal of being fast; what is less counts as it always does.
    enough = weights.target if wish is None or weights.always_faster else min(weights.target, wish)
    many = users >= MANY_USERS
    faster = max(weights.faster, weights.faster_for_many) if many else weights.faster
    doublings = max(weights.doublings, DOUBLINGS_FOR_MANY) if many else weights.doublings
    if speed >= enough:
        points = faster * min(math.log2(speed / enough), doublings)
    else:
        points = _slowness(enough, weights) - _slowness(speed, weights)
    if wish is not None and speed < wish:
        points -= SHORT_OF_WISH * math.log2(wish / speed)
    return points


def _slowness(speed: float, weights: Weights) -> float:
    """What a speed below the target costs, in points."""
    halvings = max(0.0, math.log2(weights.target / speed))
    squared = min(halvings, LINEAR_FROM)
    return weights.slower * (squared**2 + LINEAR_FROM * (halvings - squared))
