"""The memory that a runtime may use: devices, and the host beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Beside:
    """Bytes of what is loaded beside the model in one place: each part with all that it takes.

    `draft` is a draft model, `projector` what turns images and sound into tokens, `adapters` are LoRA adapters, `mtp`
    is what drafting with the model's own multi-token-prediction layers keeps and computes with (their weights are
    weights).
    """

    draft: int = 0
    projector: int = 0
    adapters: int = 0
    mtp: int = 0

    @property
    def total(self) -> int:
        return self.draft + self.projector + self.adapters + self.mtp


NOTHING_BESIDE = Beside()


@dataclass(frozen=True, slots=True)
class BufferLimit:
    """The most bytes that one allocation may take through a programming interface of GPUs."""

    api: Literal["Metal", "Vulkan", "SYCL"]
    bytes: int

    @property
    def can_be_lifted(self) -> bool:
        """Whether a setting lifts it."""
        return self.api == "SYCL"

    def excess(self, size: int) -> int:
        """By how much a buffer is larger than may be; 0 where a setting lifts the limit."""
        return 0 if self.can_be_lifted else max(0, size - self.bytes)


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU, or the one device of unified memory: what its driver offers, and what is gone before. Bytes.

    `beside` is the part of `overhead_bytes` that other parts of the stack take, loaded after the model, `used_bytes`
    that which other programs hold already. `buffer_limit` is the most that one allocation may take, None where nothing
    less than the whole is known.
    """

    name: str
    capacity_bytes: int
    overhead_bytes: int
    beside: Beside = NOTHING_BESIDE
    buffer_limit: BufferLimit | None = None
    used_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory a runtime can use: devices in the order they are filled (none: a plain CPU), and the host beside them.

    `pooled` says that device and host share one memory of `host_capacity_bytes`, of which the device may
    use its own capacity. `host_capacity_bytes` None means that it is not known. `host_beside` is the part of
    `host_overhead_bytes` that other parts of the stack take, `host_used_bytes` that which other programs hold already.
    """

    devices: tuple[Device, ...]
    host_capacity_bytes: int | None
    host_overhead_bytes: int = 0
    pooled: bool = False
    host_beside: Beside = NOTHING_BESIDE
    host_used_bytes: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """One name per device, numbered where there are several."""
        if len(self.devices) == 1:
            return (self.devices[0].name,)
        return tuple(f"{device.name} #{number}" for number, device in enumerate(self.devices, start=1))
