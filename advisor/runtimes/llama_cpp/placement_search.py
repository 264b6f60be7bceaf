"""The fastest placement that fits: what llama.cpp is told to put where, searched for.

Tried are, in the order in which they cost speed: everything on the devices (as llama.cpp splits it by free memory, else
split so that it fits), the experts of the first N layers on the host, whole first layers on the host, and each of these
with the KV cache on the host; at the end everything on the host.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from advisor.formats.gguf_levels import Level
from advisor.foundation.caches import kept_beside
from advisor.models.model import Model
from advisor.runtimes.llama_cpp.growth import Grown
from advisor.runtimes.llama_cpp.lending import settled
from advisor.runtimes.llama_cpp.needs import needed_bytes, shortage
from advisor.runtimes.llama_cpp.placement_choices import LevelChoices
from advisor.runtimes.llama_cpp.placement_ground import Choice, Ground
from advisor.runtimes.llama_cpp.weights import Weights, level_weights
from advisor.sizing.memory import Memory
from advisor.sizing.placement import Placement
from advisor.sizing.rates import Pace, Rates
from advisor.sizing.request import PlanRequest
from advisor.sizing.settings import Settings

_ENDLESS = 1 << 62
_ROUNDS = 6  # of searching with estimated and checking with modelled compute buffers


@dataclass(frozen=True, slots=True)
class Found:
    """A placement, the settings that bring it about, and a measure of its speed.

    `seconds_per_token` is the time to read once what one token of each user needs, device after device: good for
    comparing placements, not a forecast of speed.
    """

    settings: Settings
    placement: Placement
    seconds_per_token: float


def best_placement(
    model: Model,
    level: Level | Weights,
    memory: Memory,
    settings: Settings,
    margin: float,
    rates: Rates | None = None,
    *,
    imatrix: bool = False,
    any_host: bool = False,
) -> Found | None:
    """The fastest placement that keeps the fraction `margin` of each memory free; None: nothing fits.

    Nothing but the input embeddings is put on a host whose memory is not known, unless `any_host`: then the host is
    taken to be as large as need be.
    """
    weights = level if isinstance(level, Weights) else level_weights(model, level, imatrix)
    return Search(model, memory, settings, margin, rates or Rates()).best(weights, any_host=any_host)


@kept_beside
def search_of(request: PlanRequest) -> Search:
    """The search for a request, which all its levels share."""
    return Search(request.model, request.memory, request.settings, request.margin, request.rates)


class Search(Ground):
    """The search for one model on one machine; levels share what does not depend on them."""

    def needed(
        self, weights: Weights, placement: Placement, held: Mapping[int, int] | None = None, exactly: bool = False
    ) -> dict[int, int]:
        """Bytes on each device and the host, all included. `held` is that of the weights, where it is known."""
        return needed_bytes(weights, self.memory, placement, self._grown(weights, placement, exactly), held)

    def _grown(self, weights: Weights, placement: Placement, exactly: bool) -> Grown:
        growth = self.growth(placement)
        return settled(growth, weights) if exactly else growth.now

    def fits(self, weights: Weights, placement: Placement, memory: Memory, exactly: bool = False) -> bool:
        held = weights.on_devices(placement)
        cached = self.growth(placement).held
        least = {number: size + cached[number] for number, size in held.items()}
        if shortage(memory, least, self.margin) > 0:  # spares laying out compute buffers
            return False
        return shortage(memory, self.needed(weights, placement, held, exactly), self.margin) <= 0

    def best(self, weights: Weights, *, any_host: bool = False, exactly: bool = False) -> Found | None:
        """See `best_placement`. `exactly`: by buffers as they are laid out around these weights, which takes longer."""
        memory = (
            replace(self.memory, host_capacity_bytes=1 << 62) if any_host and not self.memory.pooled else self.memory
        )
        default = self.place(Choice(0, 0, False))
        kept_off = self.settings.kv_on_host and bool(memory.devices) and any(self.caches)
        if not kept_off and not (memory.devices and self.uneven_speed):
            if self.fits(weights, default, memory):
                return self._found(weights, Choice(0, 0, False))
            if not memory.devices:
                return None
        best: tuple[float, Choice] | None = None
        level = LevelChoices(self, weights, memory)
        tried: set[Placement] = set()
        for _ in range(_ROUNDS):
            choice = level.choose(best[0] if best else float("inf"))
            if choice is None:
                break
            placement = self.place(choice)
            seconds = self.reading.seconds(weights, placement, self.rates)
            fits = self.fits(weights, placement, memory, exactly)
            if fits and (best is None or seconds < best[0]):
                best = (seconds, choice)
            if placement in tried or not level.learn(
                choice, self._grown(weights, placement, exactly).with_passing, raising=not fits
            ):
                break
            tried.add(placement)
        return self._found(weights, best[1]) if best else self._without_gpu(weights, memory)

    def least_seconds(self, weights: Weights, pace: Pace | None = None) -> float:
        """No placement that fits takes less for a token, at this pace or rated bandwidths; infinite where none fits.

        Buffers are taken to be nothing, and the cache to be empty: how far a context is used is not known here.
        """
        if not self.memory.devices and not self._may_fit(weights, self.place(Choice(0, 0, False))):
            return float("inf")
        pace = pace or Pace(self.fastest, self.rates.host, self.rates.host)
        return pace.step + LevelChoices(self, weights, self.memory).least_seconds(pace)

    def _may_fit(self, weights: Weights, placement: Placement) -> bool:
        held = weights.on_devices(placement)
        for size, home in zip(self.caches, placement.caches, strict=True):
            held[home] += size
        return shortage(self.memory, held, self.margin) <= 0

    def has_room(self, weights: Weights) -> bool:
        """Whether all memory together could hold weights and caches, each part once and no buffers."""
        memory, left = self.memory, 1 - self.margin
        if memory.host_capacity_bytes is None:
            return True
        devices = [device.capacity_bytes * left - device.overhead_bytes for device in memory.devices]
        room = memory.host_capacity_bytes * left - memory.host_overhead_bytes
        if memory.pooled:
            room -= sum(device.overhead_bytes for device in memory.devices)
        else:
            room += sum(size for size in devices if size > 0)
        held = weights.input + weights.output + int(weights.layers.sum()) + int(weights.experts.sum())
        return held + sum(self.caches) <= room

    def least_on_host(self, weights: Weights) -> float | None:
        """The share of the weights that is on the host wherever it fits; None where all may lie on the devices."""
        memory, left = self.memory, 1 - self.margin
        room = sum(max(0.0, device.capacity_bytes * left - device.overhead_bytes) for device in memory.devices)
        needed = int(weights.layers.sum()) + int(weights.experts.sum()) + weights.output
        if not memory.devices or needed + weights.tied + sum(self.caches) <= room:
            return None
        held = needed + weights.input + weights.tied + weights.everywhere * len(memory.devices)
        return max(0, needed - room) / max(1, held)

    def _without_gpu(self, weights: Weights, memory: Memory) -> Found | None:
        """Everything on the host, prompts too: for devices that are too small to be of any use."""
        alone = Choice(self.count + 1, 0, False, alone=True)
        if memory.host_capacity_bytes is None or not self.fits(weights, self.place(alone), memory):
            return None
        return self._found(weights, alone)

    def _found(self, weights: Weights, choice: Choice) -> Found:
        placement = self.place(choice)
        settings = replace(
            self.settings,
            gpu_layers=self.count + 1 - choice.host_layers if choice.host_layers else None,
            cpu_moe_layers=choice.moe_layers if choice.moe_layers > choice.host_layers else 0,
            kv_on_host=choice.kv_on_host,
            tensor_split=choice.shares,
            op_offload=self.settings.op_offload and not choice.alone,
        )
        return Found(settings, placement, self.reading.seconds(weights, placement, self.rates))
