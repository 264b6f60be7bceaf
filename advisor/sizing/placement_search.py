"""The fastest placement that fits: what llama.cpp is told to put where, searched for.

Tried are, in the order in which they cost speed: everything on the devices (as llama.cpp splits it by free memory, else
split so that it fits), the experts of the first N layers on the host, whole first layers on the host, and each of these
with the KV cache on the host; at the end everything on the host.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from advisor.formats.gguf_levels import Level
from advisor.models.feed_forward import MixtureOfExperts
from advisor.models.model import Model
from advisor.sizing.growth import Grown, Growth, layer_caches, lends_gpu
from advisor.sizing.placement import HOST, Placement, place
from advisor.sizing.plan import Memory
from advisor.sizing.settings import Settings
from advisor.sizing.weights import Weights, level_weights

HOST_BANDWIDTH = 60e9  # bytes a second: two channels of DDR5-5600 read at two thirds of their 90 GB/s
LINK_BANDWIDTH = 20e9  # between host and device: what PCIe 4.0 x16 moves of its nominal 32 GB/s
DEVICE_BANDWIDTH = 500e9  # a device whose bandwidth is not known
_ROUNDS = 6  # of searching with estimated and checking with modelled compute buffers


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast memory is read, in bytes a second; None where a device's bandwidth is not known."""

    devices: tuple[float | None, ...] = ()
    host: float = HOST_BANDWIDTH
    link: float = LINK_BANDWIDTH

    def of(self, device: int) -> float:
        if device == HOST:
            return self.host
        return (self.devices[device] if device < len(self.devices) else None) or DEVICE_BANDWIDTH


@dataclass(frozen=True, slots=True)
class Found:
    """A placement, the settings that bring it about, and a measure of its speed.

    `seconds_per_token` is the time to read once what one token of each user needs, device after device: good for
    comparing placements, not a forecast of speed.
    """

    settings: Settings
    placement: Placement
    seconds_per_token: float


def default_shares(memory: Memory) -> tuple[float, ...]:
    """How llama.cpp splits by default: by the free bytes of each device."""
    return tuple(float(max(device.capacity_bytes - device.overhead_bytes, 1)) for device in memory.devices)


def place_as_told(model: Model, memory: Memory, settings: Settings) -> Placement:
    """The placement that these settings mean on this machine."""
    shares = settings.tensor_split or default_shares(memory)
    shares = (*shares, *[0.0] * len(memory.devices))[: len(memory.devices)]
    kv_on_host = settings.kv_on_host and bool(memory.devices)
    moe = min(settings.cpu_moe_layers, len(model.layers)) if memory.devices else 0
    return place(len(model.layers), shares, settings.gpu_layers, moe, kv_on_host)


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


def shortage(memory: Memory, needed: Mapping[int, float], margin: float) -> float:
    """Bytes the tightest memory lacks to keep `margin` free, given all that it has to hold.

    Zero or less when everything fits.
    """
    short = [needed[number] - device.capacity_bytes * (1 - margin) for number, device in enumerate(memory.devices)]
    if memory.host_capacity_bytes is not None:
        on_host = needed[HOST]
        if memory.pooled:
            on_host += sum(needed[number] for number in range(len(memory.devices)))
        short.append(on_host - memory.host_capacity_bytes * (1 - margin))
    return max(short, default=0)


class Reading:
    """Bytes read for one token of each user, by layer: weights, experts and what is kept of the past."""

    def __init__(self, model: Model, settings: Settings, caches: Sequence[int]):
        shares = []
        for layer in model.layers:
            block = layer.feed_forward
            routed = isinstance(block, MixtureOfExperts)
            # Each user's token picks its own experts; some are picked twice.
            missed = (1 - block.used / block.experts) ** settings.users if isinstance(block, MixtureOfExperts) else 0
            shares.append(1 - missed if routed else 1.0)
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


@dataclass(frozen=True, slots=True)
class _Choice:
    """So many first layers on the host, experts of so many first layers, and the rest split over the devices."""

    host_layers: int
    moe_layers: int
    kv_on_host: bool
    shares: tuple[float, ...] | None = None  # None: as llama.cpp does by itself

    @property
    def full(self) -> bool:
        return not (self.host_layers or self.moe_layers or self.kv_on_host)


class Search:
    """The search for one model on one machine; levels share what does not depend on them."""

    def __init__(self, model: Model, memory: Memory, settings: Settings, margin: float, rates: Rates):
        self.model, self.memory, self.settings, self.margin, self.rates = model, memory, settings, margin, rates
        self.caches = layer_caches(model, settings.without_placement)
        self.reading = Reading(model, settings, self.caches)
        self.shares = default_shares(memory)
        self.count = len(model.layers)
        self._growths: dict[Placement, Growth] = {}
        self._typical: dict[tuple[bool, bool], Grown] = {}
        speeds = {rates.of(number) for number in range(len(memory.devices))}
        self.uneven_speed = len(speeds) > 1
        self.fastest = max(speeds, default=rates.host)

    def growth(self, placement: Placement) -> Growth:
        if placement not in self._growths:
            self._growths[placement] = Growth(self.model, self.settings, placement)
        return self._growths[placement]

    def needed(self, weights: Weights, placement: Placement) -> dict[int, int]:
        """Bytes on each device and the host, all included."""
        return needed_bytes(weights, self.memory, placement, self.growth(placement).now)

    def fits(self, weights: Weights, placement: Placement, memory: Memory) -> bool:
        held = weights.on_devices(placement)
        for size, home in zip(self.caches, placement.caches, strict=True):
            held[home] += size
        if shortage(memory, held, self.margin) > 0:  # spares laying out compute buffers
            return False
        return shortage(memory, self.needed(weights, placement), self.margin) <= 0

    def best(self, weights: Weights, *, any_host: bool = False) -> Found | None:
        """See `best_placement`."""
        memory = (
            replace(self.memory, host_capacity_bytes=1 << 62) if any_host and not self.memory.pooled else self.memory
        )
        default = self.place(_Choice(0, 0, False))
        if not memory.devices or (not self.uneven_speed and self.fits(weights, default, memory)):
            return self._found(weights, _Choice(0, 0, False)) if self.fits(weights, default, memory) else None
        best: tuple[float, _Choice] | None = None
        level = _Level(self, weights, memory)
        tried: set[Placement] = set()
        for _ in range(_ROUNDS):
            choice = level.choose(best[0] if best else float("inf"))
            if choice is None:
                break
            placement = self.place(choice)
            seconds = self.reading.seconds(weights, placement, self.rates)
            fits = self.fits(weights, placement, memory)
            if fits and (best is None or seconds < best[0]):
                best = (seconds, choice)
            if placement in tried or not level.learn(choice, self.growth(placement).now, raising=not fits):
                break
            tried.add(placement)
        return self._found(weights, best[1]) if best else None

    def typical(self, choice: _Choice) -> Grown:
        """Compute buffers to search with: those of some placement of this kind."""
        key = (choice.kv_on_host, choice.full)
        if key not in self._typical:
            typical = _Choice(0 if choice.full else max(1, self.count // 2), 0, choice.kv_on_host)
            self._typical[key] = self.growth(self.place(typical)).now
        return self._typical[key]

    def place(self, choice: _Choice) -> Placement:
        """The placement that a choice means."""
        on_devices = self.count + 1 - choice.host_layers
        moe = choice.moe_layers if choice.moe_layers > choice.host_layers else 0
        return place(self.count, choice.shares or self.shares, on_devices, moe, choice.kv_on_host)

    def _found(self, weights: Weights, choice: _Choice) -> Found:
        placement = self.place(choice)
        settings = replace(
            self.settings,
            gpu_layers=self.count + 1 - choice.host_layers if choice.host_layers else None,
            cpu_moe_layers=choice.moe_layers if choice.moe_layers > choice.host_layers else 0,
            kv_on_host=choice.kv_on_host,
            tensor_split=choice.shares,
        )
        return Found(settings, placement, self.reading.seconds(weights, placement, self.rates))


def needed_bytes(weights: Weights, memory: Memory, placement: Placement, grown: Grown) -> dict[int, int]:
    """Bytes on each device and the host, overheads and passing copies of weights included."""
    needed = weights.on_devices(placement)
    for number in needed:
        needed[number] += grown.cache[number] + grown.compute[number]
    for number, device in enumerate(memory.devices):
        needed[number] += device.overhead_bytes
    needed[HOST] += memory.host_overhead_bytes
    if memory.devices:
        needed[0] += passing_bytes(weights, placement, grown)
    return needed


def passing_bytes(weights: Weights, placement: Placement, grown: Grown) -> int:
    """How much more the first GPU sets aside because weights of the host pass through it, one tensor at a time."""
    if not grown.lent:
        return 0
    return max(0, grown.lent + weights.passing_through(placement) - grown.compute[0])


class _Level:
    """One level's choices, judged by prefix sums over the layers and by compute buffers known so far."""

    def __init__(self, search: Search, weights: Weights, memory: Memory):
        self.search, self.weights, self.memory = search, weights, memory
        output = weights.output + weights.tied
        self.plain = _prefix(np.append(weights.layers, output))
        self.experts = _prefix(np.append(weights.experts, 0))
        self.cache = _prefix(np.append(np.array(search.caches, dtype=np.int64), 0))
        read = np.append(weights.layers, output).astype(np.float64)
        used = np.append(weights.experts * search.reading.expert_share, 0)
        self.read_plain, self.read_experts = _prefix(read), _prefix(used)
        self.read_cache = _prefix(np.append(search.reading.caches, 0))
        self.has_experts = bool(weights.experts.any())
        self.known: dict[tuple[bool, bool], Grown] = {}

    def _estimate(self, choice: _Choice) -> Grown:
        return self.known.get((choice.kv_on_host, choice.full)) or self.search.typical(choice)

    def learn(self, choice: _Choice, grown: Grown, raising: bool) -> bool:
        """Take over modelled buffers; whether that may change the choice."""
        known = self._estimate(choice)
        compute = {n: max(size, known.compute[n]) if raising else size for n, size in grown.compute.items()}
        lent = max(grown.lent, known.lent) if raising else grown.lent or known.lent
        self.known[choice.kv_on_host, choice.full] = Grown(known.cache, compute, lent)
        return compute != known.compute or lent != known.lent

    def choose(self, limit: float) -> _Choice | None:
        """The fastest choice that fits and takes less than `limit` seconds a token."""
        best: _Choice | None = None
        for least, choice in self._candidates():
            if least >= limit:
                break
            fitting = self._fewest_experts(choice)
            if fitting is None or not self._host_fits(fitting):
                continue
            fitting = self._with_shares(fitting)
            if (seconds := self._seconds(fitting)) < limit:
                best, limit = fitting, seconds
        return best

    def _candidates(self) -> Iterator[tuple[float, _Choice]]:
        """Whole layers on the host and at least as many layers' experts as memory demands, with the least seconds.

        Everything on the devices comes first, then what reads fastest.
        """
        yield 0.0, _Choice(0, 0, False)
        if self.memory.host_capacity_bytes is None:
            return
        kinds = (False, True) if self.cache[-1] else (False,)
        found = [self._offloads(kv_on_host) for kv_on_host in kinds]
        least = np.concatenate([seconds for seconds, _ in found])
        size = len(self.plain)
        for index in np.argsort(least, kind="stable").tolist():
            if not np.isfinite(least[index]):
                return
            which, host_layers = divmod(index, size)
            choice = _Choice(host_layers, int(found[which][1][host_layers]), kinds[which])
            if not choice.full:
                yield float(least[index]), choice

    def _offloads(self, kv_on_host: bool) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """For each number of whole layers on the host: the least seconds a token, infinite where it cannot fit, and
        of how many layers the experts must at least be there."""
        search, rates = self.search, self.search.rates
        held = self.plain if kv_on_host else self.plain + self.cache
        compute = self._estimate(_Choice(1, 0, kv_on_host)).compute
        room = sum(
            device.capacity_bytes * (1 - search.margin) - device.overhead_bytes - compute[number]
            for number, device in enumerate(self.memory.devices)
        )
        layers = np.arange(len(held))
        moe = np.searchsorted(self.experts, self.experts[-1] + held[-1] - held - room, side="left")
        possible = moe < len(held)
        moe = np.minimum(np.maximum(moe, layers), search.count)
        on_host = self.read_plain + self.read_experts[np.maximum(moe, layers)]
        elsewhere = self.read_plain[-1] + self.read_experts[-1] - on_host
        if kv_on_host:
            cache = np.full(len(held), self.read_cache[-1] / min(rates.link, rates.host))
        else:
            cache = self.read_cache / rates.host + (self.read_cache[-1] - self.read_cache) / search.fastest
        seconds = on_host / rates.host + elsewhere / search.fastest + cache
        return np.where(possible, seconds, np.inf), moe

    def _fewest_experts(self, choice: _Choice) -> _Choice | None:
        """The choice with as many more layers' experts on the host as it takes to split the rest; None: never."""
        if self._splits(choice):
            return choice
        low, high = choice.moe_layers, self.search.count
        if choice == _Choice(0, 0, False) or low >= high or not self.has_experts:
            return None
        if not self._splits(replace(choice, moe_layers=high)):
            return None
        while high - low > 1:
            middle = (low + high) // 2
            if self._splits(replace(choice, moe_layers=middle)):
                high = middle
            else:
                low = middle
        return replace(choice, moe_layers=high)

    def _seconds(self, choice: _Choice) -> float:
        return self.search.reading.seconds(self.weights, self.search.place(choice), self.search.rates)

    def _runs(self, choice: _Choice) -> tuple[NDArray[np.int64], list[int], bool]:
        """What the devices hold up to each layer, what each has room for, and whether the default split does it."""
        search = self.search
        first, moe = choice.host_layers, max(choice.host_layers, choice.moe_layers)
        placement = search.place(choice)
        estimate = self._estimate(choice)
        passing = passing_bytes(self.weights, placement, estimate) if lends_gpu(search.settings, placement) else 0
        budgets = [
            int(device.capacity_bytes * (1 - search.margin))
            - device.overhead_bytes
            - estimate.compute[number]
            - self.weights.everywhere
            - (passing if number == 0 else 0)
            for number, device in enumerate(self.memory.devices)
        ]
        held = self.plain + np.maximum(self.experts - self.experts[moe], 0)
        if not choice.kv_on_host:
            held = held + self.cache
        ends = [first, *_default_ends(placement, first)]
        default = all(held[b] - held[a] <= room for a, b, room in zip(ends, ends[1:], budgets, strict=False))
        return held, budgets, default

    def _splits(self, choice: _Choice) -> bool:
        """Whether the devices can hold what is not on the host, split one way or another."""
        held, budgets, default = self._runs(choice)
        return default or _greedy_cuts(held, budgets, choice.host_layers) is not None

    def _with_shares(self, choice: _Choice) -> _Choice:
        """The choice with the fastest shares that fit; llama.cpp's own where they are as good."""
        held, budgets, default = self._runs(choice)
        if default and (choice.host_layers > self.search.count or not self.search.uneven_speed):
            return choice
        fast = self._fast_cuts(held, budgets, choice) if self.search.uneven_speed else None
        cuts = fast or _greedy_cuts(held, budgets, choice.host_layers)
        if cuts is None:
            return choice
        counts = tuple(float(b - a) for a, b in zip([choice.host_layers, *cuts], cuts, strict=False))
        split = replace(choice, shares=counts)
        return choice if default and self._seconds(choice) <= self._seconds(split) else split

    def _host_fits(self, choice: _Choice) -> bool:
        memory, weights = self.memory, self.weights
        if memory.host_capacity_bytes is None:
            return True
        first, moe = choice.host_layers, max(choice.host_layers, choice.moe_layers)
        needed = int(weights.input + self.plain[min(first, self.search.count)] + self.experts[moe])
        needed += int(self.cache[-1] if choice.kv_on_host else self.cache[first])
        if first > self.search.count:
            needed += weights.output + (weights.tied if weights.tied_on_host else 0)
        needed += memory.host_overhead_bytes + self._estimate(choice).compute[HOST]
        return needed <= memory.host_capacity_bytes * (1 - self.search.margin)

    def _fast_cuts(self, held: NDArray[np.int64], budgets: Sequence[int], choice: _Choice) -> list[int] | None:
        """The fastest split in contiguous runs, by dynamic programming: fast devices get what they can hold."""
        read = self.read_plain + np.maximum(
            self.read_experts - self.read_experts[max(choice.host_layers, choice.moe_layers)], 0
        )
        if not choice.kv_on_host:
            read = read + self.read_cache
        first, size = choice.host_layers, len(held)
        cost = np.full(size, np.inf)
        cost[first] = 0.0
        back: list[NDArray[np.int64]] = []
        spans, reads = held[None, :] - held[:, None], read[None, :] - read[:, None]
        ordered = np.tri(size, dtype=bool).T  # runs do not go backwards
        for number, room in enumerate(budgets):
            allowed = ordered & ((spans <= room) | (np.eye(size, dtype=bool)))
            through = np.where(allowed, cost[:, None] + reads / self.search.rates.of(number), np.inf)
            back.append(through.argmin(axis=0))
            cost = through.min(axis=0)
        if not np.isfinite(cost[-1]):
            return None
        cuts = [size - 1]
        for step in reversed(back):
            cuts.append(int(step[cuts[-1]]))
        return cuts[-2::-1]


def _prefix(sizes: NDArray[np.generic]) -> NDArray[np.generic]:
    """Sums of the first 0, 1, 2 ... entries."""
    return np.concatenate(([0], np.cumsum(sizes)))


def _greedy_cuts(held: NDArray[np.int64], budgets: Sequence[int], first: int) -> list[int] | None:
    """Where each device's run ends when each takes as many layers as it can hold; None if some are left over."""
    cuts, at = [], first
    for room in budgets:
        at = max(at, int(np.searchsorted(held, held[at] + room, side="right")) - 1)
        cuts.append(at)
    return cuts if at == len(held) - 1 else None


def _default_ends(placement: Placement, first: int) -> list[int]:
    """Where each device's run ends; the output head counts as the layer after the last."""
    homes = np.array([*placement.layers, placement.output])[first:]
    return [first + int(np.searchsorted(homes, number, side="right")) for number in range(placement.devices)]
