"""What has to be read from memory for one token, and how long that takes: the measure that compares placements."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from advisor.models.model import Model
from advisor.runtimes.llama_cpp.weights import Weights
from advisor.sizing.placement import HOST, Placement
from advisor.sizing.rates import Rates
from advisor.sizing.settings import Settings


class Reading:
    """Bytes read for one token of each user, by layer: weights, experts and what is kept of the past."""

    def __init__(self, model: Model, settings: Settings, caches: Sequence[int]):
        shares = [1.0 if layer.routed is None else layer.routed.share_read(settings.users) for layer in model.layers]
        self.expert_share: NDArray[np.float64] = np.array(shares)
        self.caches: NDArray[np.float64] = np.array(caches, dtype=np.float64)

    def seconds(self, weights: Weights, placement: Placement, rates: Rates, *, full: bool = True) -> float:
        """Time to read it all, device after device. `full`: whether the whole cache is read."""
        homes = np.array(placement.layers)
        experts = homes.copy()
        experts[: placement.cpu_moe_layers] = HOST
        pace = 1 / np.array([*(rates.of(number) for number in range(placement.devices)), rates.host])  # HOST is -1
        pace_of_experts = pace * np.array([1.0] * placement.devices + [rates.host_experts])
        total = weights.layers @ pace[homes] + (weights.experts * self.expert_share) @ pace_of_experts[experts]
        total += rates.host_layer * np.count_nonzero(experts == HOST)
        if full and placement.kv_on_host:  # devices compute attention all the same and fetch the cache for each token
            total += self.caches.sum() / min(rates.link, rates.host)
        elif full:
            total += self.caches @ pace[homes]
        return float(total + (weights.output + weights.tied) * pace[placement.output])
