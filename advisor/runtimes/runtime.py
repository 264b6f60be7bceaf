"""A runtime is one thing: what it loads and where, what it is told, how it is planned, and the commands that start it.

Its folder holds a subclass of `Runtime` and its one instance, named as in `RuntimeId`; `registry` has a line for each.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from advisor.formats.level_id import LevelId
from advisor.foundation.message import Message, fact
from advisor.models.model import Model
from advisor.runtimes.defaults import Frontend, Taken
from advisor.runtimes.launch import Command, Launch, command_line
from advisor.runtimes.server import ServerOptions
from advisor.sizing.memory import Memory
from advisor.sizing.memory_line import MemoryLine
from advisor.sizing.plan import LevelOnMachine, Plan, WayKind, WayOut
from advisor.sizing.rates import PaceOf
from advisor.sizing.request import PlanRequest, RuntimeOptions
from advisor.sizing.runtime_id import RuntimeId
from advisor.sizing.settings import Settings

if TYPE_CHECKING:
    from advisor.sources.quantization import Quantization


@dataclass(frozen=True, slots=True)
class Ladder:
    """The levels that are looked at for a recommendation, best first.

    `usual` is what publishers offer of models that write, `whole` comes before for models so small that keeping them
    whole costs little; `reads` is what models are offered in that write nothing. `common` are those among them that
    most publishers offer. `smallest_last`: whether the last one's file is the smallest, whatever the model.
    """

    usual: tuple[LevelId, ...]
    whole: tuple[LevelId, ...]
    reads: tuple[LevelId, ...]
    common: frozenset[LevelId]
    smallest_last: bool = True


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one process serves; None: no limit of its own."""

    users: int | None = None
    devices: int | None = None


@dataclass(frozen=True, slots=True)
class SpeedTraits:
    """How its speed is estimated: by constants of its own (None: those of the machine's backend), and whether it
    splits every tensor over all devices whatever it is told. Where the constants are another runtime's, its range
    begins at `begins` times the low end of theirs, from measurements of its own.
    """

    backend: Literal["vllm", "mlx"] | None = None
    splits_tensors: bool = False
    begins: float = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Runtime(ABC):
    """A runtime. `name` is as its makers write it.

    `engine` is whose files it loads and whose rules it follows: itself, or for a front end the runtime inside it.
    `backends` are those of the question that it can be told, None: any. `custom_vendor` is what a custom device counts
    as where no backend is named, None: as itself. `own_keys` are keys of the question that only it reads: who sets one
    means it. `drafts` says whether a second model may draft tokens, `sees` whether it loads a model's vision part when
    told to, or by itself (as `sees_source` says), `adapts` whether it loads LoRA adapters, `frontend` what it chooses
    by itself. `searched` says whether it is looked at where nobody asks for it.
    """

    id: RuntimeId
    name: str
    engine: RuntimeId
    ladder: Ladder
    limits: Limits
    speed: SpeedTraits
    drafts: bool
    backends: tuple[str, ...] | None
    custom_vendor: str | None
    own_keys: frozenset[str]
    start: Callable[[Launch], tuple[Command, ...]]
    sees: Literal["no", "when told", "by itself"] = "no"
    sees_source: str = ""
    adapts: bool = False
    searched: bool = True
    frontend: Frontend | None = None

    def __reduce__(self) -> str:
        return self.id.name  # pickled by reference

    def commands(self, launch: Launch) -> tuple[Command, ...]:
        """How to get the files and run a plan, in order; raises InputError for an unknown level or name."""
        if launch.wired_limit_mb is None:
            return self.start(launch)
        raised = command_line("sudo", "sysctl", f"iogpu.wired_limit_mb={launch.wired_limit_mb}")
        return (Command(fact("command_raise_limit"), raised, (fact("command_until_restart"),)), *self.start(launch))

    def defaults(self, gpu_bytes: int, model: Model) -> tuple[Taken, ...]:
        """What it chooses for what the user does not."""
        chosen = () if self.frontend is None else self.frontend.choose(gpu_bytes, model.context_length)
        sees = model.tower is not None and self.sees == "by itself"
        return (*chosen, Taken("vision", "on", fact("loads_vision"), self.sees_source)) if sees else chosen

    @abstractmethod
    def check(self, request: PlanRequest) -> None:
        """Raise InputError where it refuses to start on this hardware or with these settings."""

    @abstractmethod
    def checkpoint_refusal(self, quantization: Quantization | None) -> Message | None:
        """Why it loads no safetensors of this kind, wherever it runs, without a full stop; None: it may."""

    @abstractmethod
    def plan(self, request: PlanRequest) -> tuple[Plan, ...]:
        """One plan per level that it loads on this hardware, or the one of the files that are given.

        Raises InputError, in one sentence, where there can be none.
        """

    @abstractmethod
    def plan_level(self, request: PlanRequest, level: LevelId, exactly: bool = True) -> Plan | None:
        """The plan of one level among those of a request for `Levels`; None: it is not loaded here.

        What the levels of a request have in common is worked out once. Not `exactly`: of what fits for certain, bounds
        will do for what each place holds.
        """

    @abstractmethod
    def least_seconds(self, request: PlanRequest, level: LevelId, pace_of: PaceOf | None = None) -> float | None:
        """No placement of this level that fits reads what a token needs in less time, at its pace or rated bandwidths.

        Infinite where none fits; None where that is not known before it is planned.
        """

    def least_on_host(self, request: PlanRequest, level: LevelId) -> float | None:
        """The share of this level's weights that every placement which fits leaves to the host.

        None where all may lie on the devices, or where that is not known before it is planned.
        """
        return None

    @abstractmethod
    def caches(self, request: PlanRequest) -> tuple[Mapping[str, Any], ...]:
        """How its KV cache may be stored on this hardware, as keys of the question; whole first."""

    @abstractmethod
    def card_counts(self, memory: Memory, model: Model) -> tuple[int, ...]:
        """How many of the devices, the first ones, it may be worth to use for a model: the best first.

        Empty where there are none, or where it cannot use them for this model.
        """

    @abstractmethod
    def why_none(self, request: PlanRequest) -> Message:
        """Why `plan` finds no level at all."""

    @abstractmethod
    def longest_context(self, plan: Plan) -> int:
        """See `Plan.max_context`."""

    @abstractmethod
    def requests_held(self, plan: Plan, tokens: int) -> float | None:
        """See `Plan.requests_held`."""

    @abstractmethod
    def offload_bytes(self, plan: Plan) -> int | None:
        """See `Plan.offload_needs_host_bytes`."""

    @abstractmethod
    def way_out(self, plan: Plan, kind: WayKind) -> WayOut | None:
        """See `Plan.way_out`."""

    @abstractmethod
    def glance(self, request: PlanRequest) -> tuple[LevelOnMachine, ...] | None:
        """All levels without a plan for each, placed where they run fastest; None: only plans can tell."""

    @abstractmethod
    def memory_lines(self, plan: Plan, overhead_basis: Message, host_basis: Message) -> tuple[MemoryLine, ...]:
        """Every line of the memory bill; empty where only `Plan.rules` are known."""

    @abstractmethod
    def options(self, told: ServerOptions) -> RuntimeOptions | None:
        """What it is told beyond `Settings`; raises InputError for what it does not start with."""

    @abstractmethod
    def told(self, plan: Plan) -> Mapping[str, Any]:
        """Keys of the question, beside model, runtime and level, that bring about exactly this plan."""

    @abstractmethod
    def cache_types(self, request: PlanRequest) -> tuple[str | None, str | None]:
        """How it stores keys and values; None: as the model computes with them."""

    @abstractmethod
    def encoder_batch(self, settings: Settings) -> int | None:
        """The most tokens of an input that an encoder reads; None: its context."""


class WholeOnDevices(Runtime):
    """A runtime that leaves nothing to the host: its few plans are cheap, and not searched further."""

    def least_seconds(self, request: PlanRequest, level: LevelId, pace_of: PaceOf | None = None) -> float | None:
        return None

    def offload_bytes(self, plan: Plan) -> int | None:
        return None

    def way_out(self, plan: Plan, kind: WayKind) -> WayOut | None:
        return None

    def glance(self, request: PlanRequest) -> tuple[LevelOnMachine, ...] | None:
        return None

    def memory_lines(self, plan: Plan, overhead_basis: Message, host_basis: Message) -> tuple[MemoryLine, ...]:
        return ()

    def encoder_batch(self, settings: Settings) -> int | None:
        return None
