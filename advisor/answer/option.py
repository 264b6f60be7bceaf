"""An option: a plan with everything it is judged by, and what options are ordered by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from advisor.answer.candidate import Candidate
from advisor.answer.policy import Weights
from advisor.answer.pricing import cost_of_a_million
from advisor.answer.setups import Setup
from advisor.answer.status import Status, status_by
from advisor.answer.utility import Figures, Kept, Traits
from advisor.foundation.ranges import Range
from advisor.question.requirements import Unmet
from advisor.runtimes.architectures import loading_of
from advisor.runtimes.registry import runtime_by
from advisor.sizing.plan import Plan

DOES_NOT_FIT, NOT_AS_ASKED, TIGHT = 0, 1, 2
BROKEN = 1e3  # points that a broken rule costs: more than whatever else is said of a plan
RANKS: dict[Status, int] = {
    "does not fit": DOES_NOT_FIT,
    "not as asked": NOT_AS_ASKED,
    "last resort": 3,
    "slow": 4,
    "limited": 5,
    "good": 6,
}


class Key(NamedTuple):
    """What options are ordered by; more is better. `rank` first: a better status always wins."""

    rank: int
    points: float
    kept: float = 0.0
    tokens_per_s: float = 0.0
    free: float = 0.0


@dataclass(frozen=True, eq=False)
class Option:
    """A plan with what it is judged by; `unmet` are the rules it breaks."""

    setup: Setup
    candidate: Candidate
    status: Status
    kept: Kept
    traits: Traits
    figures: Figures
    unmet: tuple[Unmet, ...]

    @property
    def plan(self) -> Plan:
        return self.candidate.plan

    @property
    def runs(self) -> bool:
        """Whether it fits with margin and breaks no rule."""
        return self.plan.fits and not self.unmet

    @property
    def missed(self) -> float:
        """How many rules it breaks, each counted by how far up to twice."""
        return sum(1 + min(1.0, 1.0 if one.gap is None else one.gap) for one in self.unmet)


def _speed_of(candidate: Candidate) -> Range | None:
    """A card that is nearly full counts as fast as it is at best."""
    return candidate.tokens_per_s if candidate.unspilled is None else candidate.unspilled.decode_tokens_per_s


def figures_of(candidate: Candidate, weights: Weights) -> Figures:
    """What a plan is judged by; what a token costs only where that has a weight.

    Without a speed of a card that is nearly full, whether a speed is wished for would decide for it.
    """
    plan, speed, cost = candidate.plan, _speed_of(candidate), None
    if weights.money:
        cost = cost_of_a_million(candidate.costs)
    return Figures(
        None if speed is None or not candidate.writes else speed.typical,
        host_share_of(plan),
        1.0 if plan.served_share is None else plan.served_share,
        users_that_fit(plan),
        cost,
    )


def status_of(
    candidate: Candidate,
    kept: Kept,
    traits: Traits,
    unmet: tuple[Unmet, ...],
    shared_memory: bool = False,
    refuses_input: bool = False,
) -> Status:
    """Of a plan that breaks the rules `unmet`; an encoder is judged by neither speed of writing nor quality.

    Where GPU and host share one memory, what lies on the host has no place of its own: the GPU's part is spent.
    An encoder that `refuses_input` of the length that is asked for reads shorter ones only.
    """
    plan, speed = candidate.plan, _speed_of(candidate)
    if plan.verdict == "does not fit":
        return "does not fit"
    if unmet:
        return "not as asked"
    found: Status = "good"
    if candidate.writes:
        found = status_by(kept.overall, traits.bits, None if speed is None else speed.typical)
    is_squeezed = plan.verdict == "tight" or (shared_memory and plan.placement.offloads)
    is_sure = loading_of(runtime_by(plan.runtime).engine, plan.request.model).loads == "yes"
    return "limited" if found == "good" and (is_squeezed or refuses_input or not is_sure) else found


def host_share_of(plan: Plan) -> float | None:
    """The share of the weights on the host; None where nothing but input embeddings is."""
    if not plan.placement.offloads:
        return None
    held = sum(device.weights_bytes for device in plan.devices)
    return plan.host.weights_bytes / max(1, held + plan.host.weights_bytes)


def users_that_fit(plan: Plan) -> float:
    """How many users the plan has room for, each with a full context: as the runtime says, else by what is left.

    What is left beside weights on the host is what no layer more would fill, and says nothing of users.
    """
    users = plan.settings.users
    if plan.at_once is not None:
        return max(1.0, plan.at_once)
    if plan.placement.offloads:
        return float(users)
    each = max((device.kv_cache_bytes / users for device in plan.devices), default=plan.host.kv_cache_bytes / users)
    free = plan.free_bytes
    return float(users) if not each or free is None else max(1.0, users + free / each)
