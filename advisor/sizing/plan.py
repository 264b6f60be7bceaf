"""A plan: one level on one machine under one workload, whatever runtime computes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from advisor.estimate import Range
from advisor.formats.gguf_sizes import SizedLevel
from advisor.formats.safetensors_sizes import SizedSafetensors
from advisor.sizing.placement import Placement
from advisor.sizing.settings import Settings

Verdict = Literal["fits", "fits with offload", "tight", "does not fit"]
Sized = SizedLevel | SizedSafetensors


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """What one device, or the host, has to hold. Bytes; `capacity_bytes` None where it is not known."""

    name: str
    capacity_bytes: int | None
    weights_bytes: int
    kv_cache_bytes: int
    compute_bytes: int
    overhead_bytes: int

    @property
    def needed_bytes(self) -> int:
        return self.weights_bytes + self.kv_cache_bytes + self.compute_bytes + self.overhead_bytes

    @property
    def free_bytes(self) -> int | None:
        """What is left; negative when it does not fit; None where the capacity is not known."""
        return None if self.capacity_bytes is None else self.capacity_bytes - self.needed_bytes


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU, or the one device of unified memory: what its driver offers, and what is gone before. Bytes."""

    name: str
    capacity_bytes: int
    overhead_bytes: int


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory a runtime can use: devices in the order they are filled (none: a plain CPU), and the host beside them.

    `pooled` says that device and host share one memory of `host_capacity_bytes`, of which the device may
    use its own capacity. `host_capacity_bytes` None means that it is not known.
    """

    devices: tuple[Device, ...]
    host_capacity_bytes: int | None
    host_overhead_bytes: int = 0
    pooled: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """One name per device, numbered where there are several."""
        if len(self.devices) == 1:
            return (self.devices[0].name,)
        return tuple(f"{device.name} #{number}" for number, device in enumerate(self.devices, start=1))


@dataclass(frozen=True)
class Plan:
    """One level on one machine under one workload.

    `settings` are those it runs with and `placement` where its layers lie, both as searched for or as asked.

    What only some runtimes know: `rules` names the version whose rules were applied; `compute_range` is the range of
    `compute_bytes` of one device where it is an estimate; `kv_tokens` and `max_concurrency` are how many tokens, and
    how many requests of the asked context, the cache of a runtime that takes all memory it may take would hold.
    """

    sized: Sized
    runtime: str
    settings: Settings
    placement: Placement
    verdict: Verdict
    devices: tuple[DeviceMemory, ...]
    host: DeviceMemory
    missing_bytes: int  # how much more memory the tightest device would need to fit with margin
    rule_of_thumb_bytes: int
    find_longest_context: Callable[[], int] = field(repr=False, compare=False)
    rules: str = ""
    compute_range: Range | None = None
    kv_tokens: int | None = None
    max_concurrency: float | None = None
    notes: tuple[str, ...] = ()

    @cached_property
    def max_context(self) -> int:
        """The longest context that fits with margin, in tokens per user; 0: none. Searched for when asked."""
        return self.find_longest_context()

    @property
    def level(self) -> str:
        return self.sized.level.name

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


def rule_of_thumb_bytes(parameters: int, bits: float) -> int:
    """What everybody uses: parameters x bits / 8."""
    return int(parameters * bits / 8)
