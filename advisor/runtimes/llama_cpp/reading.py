"""What has to be read from memory for one token, and how long that takes: the measure that compares placements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from advisor.models.model import Model
from advisor.runtimes.llama_cpp.weights import Weights
from advisor.sizing.placement import HOST, Placement
from advisor.sizing.settings import Settings

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


class Reading:
    """Bytes read for one token of each user, by layer: weights, experts and what is kept of the past."""

    def __init__(self, model: Model, settings: Settings, caches: Sequence[int]):
        shares = [1.0 if layer.routed is None else layer.routed.share_read(settings.users) for layer in model.layers]
        self.expert_share: NDArray[np.float64] = np.array(shares)
        self.caches: NDArray[np.float64] = np.array(caches, dtype=np.float64)

    def seconds(self, weights: Weights, placement: Placement, rates: Rates) -> float:
        """Time to read it all, device after device."""
        homes = np.array(placement.layers)
        experts = homes.copy()
        experts[: placement.cpu_moe_layers] = HOST
        pace = 1 / np.array([*(rates.of(number) for number in range(placement.devices)), rates.host])  # HOST is -1
        total = weights.layers @ pace[homes] + (weights.experts * self.expert_share) @ pace[experts]
        if placement.kv_on_host:  # devices compute attention all the same and fetch the cache for each token
            total += self.caches.sum() / min(rates.link, rates.host)
        else:
            total += self.caches @ pace[homes]
        return float(total + (weights.output + weights.tied) * pace[placement.output])
