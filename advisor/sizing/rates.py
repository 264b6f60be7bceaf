"""How fast memory is read: the measure that makes one placement faster than another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from advisor.sizing.placement import HOST

# All in bytes a second, and assumed: they rank placements where nothing better is known.
USUAL_HOST_BANDWIDTH = 89.6e9  # rated, of two channels of DDR5-5600, the usual desktop
LINK_BANDWIDTH = 25e9  # between host and device: about four fifths of the nominal 31.5 GB/s of PCIe 4.0 x16
DEVICE_BANDWIDTH = 500e9  # a device whose bandwidth is not known


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast memory is read, in bytes a second; None where a device's bandwidth is not known.

    The CPU beside devices reads experts at `host / host_experts` and takes `host_layer` seconds more for each layer.
    """

    devices: tuple[float | None, ...] = ()
    host: float = USUAL_HOST_BANDWIDTH
    link: float = LINK_BANDWIDTH
    host_experts: float = 1.0
    host_layer: float = 0.0

    def of(self, device: int) -> float:
        if device == HOST:
            return self.host
        return (self.devices[device] if device < len(self.devices) else None) or DEVICE_BANDWIDTH


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a step reads at best, in bytes a second: on the fastest device, and on the host outside experts and of
    experts. `step` are the seconds that it takes whatever it reads."""

    device: float
    host: float
    host_experts: float
    step: float = 0.0


PaceOf = Callable[[float, float], Pace]
"""The pace of a model with so many bytes of weights read for each token: outside experts, and of all experts."""
