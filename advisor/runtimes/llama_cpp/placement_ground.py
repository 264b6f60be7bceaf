"""What the placements of a model on a machine have in common, whatever the level: the ground they are judged on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from advisor.models.model import Model
from advisor.runtimes.llama_cpp.growth import Grown, Growth, layer_caches, lends_gpu
from advisor.runtimes.llama_cpp.needs import default_shares
from advisor.runtimes.llama_cpp.placement_cuts import default_ends
from advisor.runtimes.llama_cpp.reading_time import Reading
from advisor.sizing.memory import Memory
from advisor.sizing.placement import Placement, place
from advisor.sizing.rates import Rates
from advisor.sizing.settings import Settings

_Number = TypeVar("_Number", np.int64, np.float64)


@dataclass(frozen=True, slots=True)
class Choice:
    """So many first layers on the host, experts of so many first layers, and the rest split over the devices."""

    host_layers: int
    moe_layers: int
    kv_on_host: bool
    shares: tuple[float, ...] | None = None  # None: as llama.cpp does by itself
    alone: bool = False  # no device computes for the host

    @property
    def full(self) -> bool:
        return not (self.host_layers or self.moe_layers or self.kv_on_host)


class Ground:
    """A model on a machine under a workload: what all levels and choices share."""

    def __init__(self, model: Model, memory: Memory, settings: Settings, margin: float, rates: Rates):
        self.model, self.memory, self.settings, self.margin, self.rates = model, memory, settings, margin, rates
        self.caches = layer_caches(model, settings.without_placement)
        self.reading = Reading(model, settings, self.caches)
        self.cache_sums = prefix(np.array(self.caches, dtype=np.int64), 0)
        self.read_cache_sums = prefix(self.reading.caches, 0)
        self.shares = default_shares(memory)
        self.count = len(model.layers)
        self.lends = lends_gpu(settings, self._place(Choice(1, 0, False)))
        self._ends: dict[int, list[int]] = {}
        self._growths: dict[Placement, Growth] = {}
        self._placements: dict[Choice, Placement] = {}
        self._typical: dict[tuple[bool, bool], Grown] = {}
        speeds = {rates.of(number) for number in range(len(memory.devices))}
        self.uneven_speed = len(speeds) > 1
        self.fastest = max(speeds, default=rates.host)

    def growth(self, placement: Placement) -> Growth:
        if placement not in self._growths:
            self._growths[placement] = Growth(self.model, self.settings, placement)
        return self._growths[placement]

    def ends(self, host_layers: int) -> list[int]:
        """Where the runs of the devices end as llama.cpp splits all but so many first layers."""
        if (found := self._ends.get(host_layers)) is None:
            found = self._ends[host_layers] = default_ends(self.place(Choice(host_layers, 0, False)), host_layers)
        return found

    def typical(self, choice: Choice) -> Grown:
        """Compute buffers to search with: those of some placement of this kind."""
        key = (choice.kv_on_host, choice.full)
        if key not in self._typical:
            typical = Choice(0 if choice.full else max(1, self.count // 2), 0, choice.kv_on_host)
            self._typical[key] = self.growth(self.place(typical)).now
        return self._typical[key]

    def place(self, choice: Choice) -> Placement:
        """The placement that a choice means; levels try much the same ones."""
        if (found := self._placements.get(choice)) is None:
            found = self._placements[choice] = self._place(choice)
        return found

    def _place(self, choice: Choice) -> Placement:
        on_devices = self.count + 1 - choice.host_layers
        moe = choice.moe_layers if choice.moe_layers > choice.host_layers else 0
        return place(
            self.count,
            choice.shares or self.shares,
            on_devices,
            moe,
            choice.kv_on_host,
            self.settings.op_offload and not choice.alone,
        )


def prefix(sizes: NDArray[_Number], last: int) -> NDArray[_Number]:
    """Sums of the first 0, 1, 2 ... entries, and of all with one more, the `last`."""
    sums = np.zeros(len(sizes) + 2, dtype=sizes.dtype)
    np.cumsum(sizes, out=sums[1:-1])
    sums[-1] = sums[-2] + last
    return sums
