"""The memory that a runtime may use: devices, and the host beside them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU, or the one device of unified memory: what its driver offers, and what is gone before. Bytes.

    `draft_bytes` is the part of `overhead_bytes` that a draft model takes.
    """

    name: str
    capacity_bytes: int
    overhead_bytes: int
    draft_bytes: int = 0


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
    host_draft_bytes: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """One name per device, numbered where there are several."""
        if len(self.devices) == 1:
            return (self.devices[0].name,)
        return tuple(f"{device.name} #{number}" for number, device in enumerate(self.devices, start=1))
