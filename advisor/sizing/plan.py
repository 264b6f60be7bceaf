"""A plan: one level on one machine under one workload, whatever runtime computes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, Protocol, get_args

from advisor.formats.gguf_sizes import SizedLevel
from advisor.formats.level_id import LevelId
from advisor.formats.safetensors_sizes import SizedSafetensors
from advisor.foundation.message import Message
from advisor.foundation.ranges import Range
from advisor.sizing.memory import NOTHING_BESIDE, Beside
from advisor.sizing.placement import Placement
from advisor.sizing.request import PlanRequest
from advisor.sizing.runtime_id import RuntimeId
from advisor.sizing.settings import Settings

Verdict = Literal["fits", "fits with offload", "tight", "does not fit"]
Sized = SizedLevel | SizedSafetensors

# How far a modelled compute buffer may be off llama.cpp's own figure (README: 3.9 % too low to 14.7 % too high).
_COMPUTE_LOW, _COMPUTE_HIGH = 1 / 1.147, 1 / 0.961
# Overheads are drawn to cover every card in public logs; the leanest show about half.
_OVERHEAD_LOW = 0.5


@dataclass(frozen=True, slots=True)
class Serving:
    """How a server that shares its memory out itself is started.

    Each of `replicas` serves at most `requests` at once, on devices of which `together` work on one token at the same
    time; of each device's memory it is told to take `share`.
    """

    requests: int
    together: int
    replicas: int
    share: float


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """What one device, or the host, has to hold. Bytes; `capacity_bytes` None where it is not known.

    `passing_bytes` is the part of `compute_bytes` set aside for weights that only pass through: a GPU that computes
    prompts for layers on the host copies them over one tensor at a time. `mirrored_bytes` is the part of
    `weights_bytes` that lies on every device where the rest is split over all of them. `beside` is what the other parts
    of the stack take, all included.
    """

    name: str
    capacity_bytes: int | None
    weights_bytes: int
    kv_cache_bytes: int
    compute_bytes: int
    overhead_bytes: int
    passing_bytes: int = 0
    mirrored_bytes: int = 0
    beside: Beside = NOTHING_BESIDE
    used_bytes: int = 0

    @property
    def own_overhead_bytes(self) -> int:
        """What driver, runtime and system take, without other programs."""
        return self.overhead_bytes - self.used_bytes

    @property
    def other_bytes(self) -> int:
        """What the other parts of the stack take together."""
        return self.beside.total

    @property
    def needed_bytes(self) -> int:
        held = self.weights_bytes + self.kv_cache_bytes + self.compute_bytes
        return held + self.overhead_bytes + self.beside.total

    @property
    def needed_range(self) -> Range:
        """`needed_bytes` with what may be wrong about its estimated parts; weights and KV cache are exact."""
        exact = self.weights_bytes + self.kv_cache_bytes + self.beside.total
        laid_out = self.compute_bytes - self.passing_bytes
        return Range(
            exact + laid_out * _COMPUTE_LOW + self.own_overhead_bytes * _OVERHEAD_LOW + self.used_bytes,
            self.needed_bytes,
            exact + laid_out * _COMPUTE_HIGH + self.passing_bytes + self.overhead_bytes,
        )

    @property
    def free_bytes(self) -> int | None:
        """What is left; negative when it does not fit; None where the capacity is not known."""
        return None if self.capacity_bytes is None else self.capacity_bytes - self.needed_bytes


WayKind = Literal[
    "lower level", "shorter context", "fewer users", "smaller KV cache", "smaller batch", "more devices", "host memory"
]


@dataclass(frozen=True, slots=True)
class WayOut:
    """One change that makes a plan fit.

    `value` is what the change is made to: a level's name, tokens per user, users, a KV cache type, tokens of a
    micro-batch, a number of devices, or bytes of host memory.
    """

    kind: WayKind
    value: str | int
    message: Message


class Planner(Protocol):
    """Whoever made a plan and knows what follows from it: the part of a runtime that a plan asks."""

    @property
    def id(self) -> RuntimeId: ...
    def longest_context(self, plan: Plan) -> int: ...
    def requests_held(self, plan: Plan, tokens: int) -> float | None: ...
    def offload_bytes(self, plan: Plan) -> int | None: ...
    def way_out(self, plan: Plan, kind: WayKind) -> WayOut | None: ...


@dataclass(frozen=True)
class Plan:
    """One level on one machine under one workload. Plans are equal where all their figures are.

    `request` is what was asked, of which this is one plan, and `by` the runtime that planned it: what is searched for
    only when asked follows from both. `settings` are those it runs with and `placement` where its layers lie, both as
    searched for or as asked.

    What only some runtimes know: `rules` names the version whose rules were applied; `compute_range` is the range of
    `compute_bytes` of one device where it is an estimate; `kv_tokens` and `max_concurrency` are how many tokens, and
    how many requests of the asked context, the cache of a runtime that takes all memory it may take would hold, as that
    logs them; `at_once` is how many such requests it does hold, None where each user has a place of its own;
    `serving` is what such a runtime is started with; `limit` is what keeps it from running where that is no total, such
    as a single buffer that is larger than may be; `seconds_per_token` compares placements by what has to be read for a
    token and is no forecast of speed. `draft` is the plan of a draft model on the same devices.
    """

    request: PlanRequest = field(repr=False, compare=False)
    by: Planner = field(repr=False, compare=False)
    sized: Sized
    settings: Settings
    placement: Placement
    verdict: Verdict
    devices: tuple[DeviceMemory, ...]
    host: DeviceMemory
    missing_bytes: int  # how much more memory the tightest device would need to fit with margin
    rule_of_thumb_bytes: int
    rules: str = ""
    compute_range: Range | None = None
    kv_tokens: int | None = None
    max_concurrency: float | None = None
    at_once: float | None = None
    serving: Serving | None = None
    notes: tuple[Message, ...] = ()
    seconds_per_token: float | None = None
    draft: Plan | None = None
    limit: Message | None = None

    @property
    def runtime(self) -> RuntimeId:
        return self.by.id

    @cached_property
    def max_context(self) -> int:
        """The longest context that fits with margin, in tokens per user; 0: none. Searched for when asked.

        With one cache for whoever needs it, all users need not have filled theirs at once.
        """
        return self.by.longest_context(self)

    def requests_held(self, tokens: int) -> float | None:
        """How many requests of so many tokens each have room at once in what its caches have and could have, whatever
        context it was planned for; None: that is not known."""
        return self.by.requests_held(self, tokens)

    @cached_property
    def offload_needs_host_bytes(self) -> int | None:
        """Host memory with which it fits by leaving part of the model to the host; None: it fits as it is, or never.

        Searched for when asked.
        """
        return self.by.offload_bytes(self)

    @cached_property
    def ways_out(self) -> tuple[WayOut, ...]:
        """The nearest changes that make it fit, nothing for a plan that fits. Searched for when asked."""
        return tuple(way for kind in get_args(WayKind) if (way := self.way_out(kind)) is not None)

    def way_out(self, kind: WayKind) -> WayOut | None:
        """The nearest change of one kind that makes it fit; None: it fits, or no such change does."""
        return self.by.way_out(self, kind)

    @property
    def served_share(self) -> float | None:
        """The part of the users, 0 to 1, whose contexts are held at once; None where each has a place of its own."""
        return None if self.at_once is None else min(1.0, self.at_once / self.settings.users)

    @property
    def fits(self) -> bool:
        """Whether it fits with margin, be it with part of the model on the host."""
        return self.verdict in ("fits", "fits with offload")

    @property
    def level(self) -> str:
        """The level's name, for people; what it is known by is `level_id`."""
        return self.sized.level.name

    @property
    def level_id(self) -> LevelId:
        return self.sized.level.id

    @property
    def needs_imatrix(self) -> bool:
        """Whether the level cannot be made without an importance matrix."""
        return isinstance(self.sized, SizedLevel) and self.sized.level.needs_imatrix

    @property
    def needed_bytes(self) -> int:
        """On the devices, or on the host when there is none."""
        return sum(device.needed_bytes for device in self.devices) or self.host.needed_bytes

    @property
    def free_bytes(self) -> int | None:
        """Left on the fullest device."""
        holders = self.devices or (self.host,)
        known = [free for holder in holders if (free := holder.free_bytes) is not None]
        return min(known, default=None)

    @property
    def rule_of_thumb_error(self) -> float:
        """How far the rule of thumb is off the real file, as a fraction of the real file (negative: too low)."""
        return self.rule_of_thumb_bytes / self.sized.file_bytes - 1


@dataclass(frozen=True, slots=True)
class LevelOnMachine:
    """One level: whether it runs, what it needs on the devices (or the host where there are none), what is missing."""

    level: LevelId
    file_bytes: int
    bits_per_weight: float
    verdict: Verdict
    needed_bytes: int
    missing_bytes: int


def rule_of_thumb_bytes(parameters: int, bits: float) -> int:
    """What everybody uses: parameters x bits / 8."""
    return int(parameters * bits / 8)
