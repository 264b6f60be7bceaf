"""How fast memory is read: the measure that makes one placement faster than another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from advisor.sizing.placement import HOST

# All in bytes a second, and assumed: they rank placements where nothing better is known.
USUAL_HOST_BANDWIDTH = 89.6e9  # rated, of two channels of DDR5-5600, the usual desktop
# Of the rated bandwidth that a CPU reads weights at: between the 81 % fitted for weights alone (group "cpu" of
# data/speed_constants.csv) and the 51 % that whole steps reach in the median of its 12 measurements.
HOST_READ_SHARE = 2 / 3
LINK_BANDWIDTH = 25e9  # between host and device: about four fifths of the nominal 31.5 GB/s of PCIe 4.0 x16
DEVICE_BANDWIDTH = 500e9  # a device whose bandwidth is not known


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast memory is read, in bytes a second; None where a device's bandwidth is not known."""

    devices: tuple[float | None, ...] = ()
    host: float = USUAL_HOST_BANDWIDTH * HOST_READ_SHARE
    link: float = LINK_BANDWIDTH

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
