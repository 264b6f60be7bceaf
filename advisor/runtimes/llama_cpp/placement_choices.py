"""The placements worth looking at for one level, judged by prefix sums over its layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from advisor.runtimes.llama_cpp.growth import Grown
from advisor.runtimes.llama_cpp.needs import passing_beside
from advisor.runtimes.llama_cpp.placement_cuts import Held
from advisor.runtimes.llama_cpp.placement_ground import Choice, Ground, prefix
from advisor.runtimes.llama_cpp.weights import Weights
from advisor.sizing.memory import Memory
from advisor.sizing.placement import HOST
from advisor.sizing.rates import Pace


class LevelChoices:
    """One level's choices, judged by prefix sums over the layers and by compute buffers known so far."""

    def __init__(self, ground: Ground, weights: Weights, memory: Memory):
        self.ground, self.weights, self.memory = ground, weights, memory
        self.known: dict[tuple[bool, bool], Grown] = {}
        self._budgets: dict[tuple[bool, bool], list[int]] = {}

    @property
    def _output(self) -> int:
        return self.weights.output + self.weights.tied

    @cached_property
    def plain(self) -> NDArray[np.int64]:
        """Bytes of all but experts in the first 0, 1, 2 ... layers, and with the output; the others likewise."""
        return prefix(self.weights.layers, self._output)

    @cached_property
    def experts(self) -> NDArray[np.int64]:
        return prefix(self.weights.experts, 0)

    @property
    def cache(self) -> NDArray[np.int64]:
        return self.ground.cache_sums

    @cached_property
    def read_plain(self) -> NDArray[np.float64]:
        """Bytes read for one token; the others likewise."""
        return self.plain.astype(np.float64)

    @cached_property
    def read_experts(self) -> NDArray[np.float64]:
        return prefix(self.weights.experts * self.ground.reading.expert_share, 0)

    @property
    def read_cache(self) -> NDArray[np.float64]:
        return self.ground.read_cache_sums

    @cached_property
    def has_experts(self) -> bool:
        return bool(self.weights.experts.any())

    @cached_property
    def _sums(self) -> dict[bool, tuple[list[int], list[int]]]:
        """Bytes up to each layer without and with experts; by whether the cache is on the host."""
        whole = self.plain + self.experts
        return {
            True: (self.plain.tolist(), whole.tolist()),
            False: ((self.plain + self.cache).tolist(), (whole + self.cache).tolist()),
        }

    @cached_property
    def _experts(self) -> list[int]:
        found: list[int] = self.experts.tolist()
        return found

    def _estimate(self, choice: Choice) -> Grown:
        return self.known.get((choice.kv_on_host, choice.full)) or self.ground.typical(choice)

    def learn(self, choice: Choice, grown: Grown, raising: bool) -> bool:
        """Take over modelled buffers; whether that may change the choice."""
        known = self._estimate(choice)
        compute = {n: max(size, known.compute[n]) if raising else size for n, size in grown.compute.items()}
        lent = max(grown.lent, known.lent) if raising else grown.lent or known.lent
        self.known[choice.kv_on_host, choice.full] = Grown(known.cache, compute, lent)
        self._budgets.pop((choice.kv_on_host, choice.full), None)
        return compute != known.compute or lent != known.lent

    def choose(self, limit: float) -> Choice | None:
        """The fastest choice that fits and takes less than `limit` seconds a token."""
        best: Choice | None = None
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

    def least_seconds(self, pace: Pace) -> float:
        """No choice that fits reads the weights for a token in less time; infinite where none fits.

        Buffers are taken to be nothing, and the cache to be empty: how far a context is used is not known here.
        """
        weights, ground = self.weights, self.ground
        plain = int(weights.layers.sum()) + self._output
        experts = float(weights.experts @ ground.reading.expert_share)
        alone = plain / pace.host + experts / pace.host_experts  # nothing on devices, as where they are of no use
        if not self.memory.devices:
            return alone
        if plain + int(weights.experts.sum()) + sum(ground.caches) <= self._room({}):
            return (plain + experts) / pace.device
        if self.memory.host_capacity_bytes is None:
            return float("inf")
        found = [alone]
        for kv_on_host in (False, True):
            possible, layers, moe = self._possible(kv_on_host, {})
            read, of_experts = self.read_plain[layers], self.read_experts[moe]
            elsewhere = plain + experts - read - of_experts
            seconds = read / pace.host + of_experts / pace.host_experts + elsewhere / pace.device
            found.append(float(np.where(possible, seconds, np.inf).min()))
        return min(found)

    def _candidates(self) -> Iterator[tuple[float, Choice]]:
        """Whole layers on the host and at least as many layers' experts as memory demands, with the least seconds.

        Everything on the devices comes first, then what reads fastest. Where the cache is asked for on the host, it is.
        """
        whole = self.plain[-1] + self.experts[-1] + self.cache[-1]
        asked_on_host = self.ground.settings.kv_on_host
        if whole <= self._room({}) and not asked_on_host:
            yield 0.0, Choice(0, 0, False)
        if self.memory.host_capacity_bytes is None:
            return
        kinds = ((True,) if asked_on_host else (False, True)) if self.cache[-1] else (False,)
        compute = self._estimate(Choice(1, 0, False)).compute
        found = [self._offloads(kv_on_host, compute) for kv_on_host in kinds]
        least = np.concatenate([seconds for seconds, _ in found])
        size = len(self.plain)
        for index in np.argsort(least, kind="stable").tolist():
            if not np.isfinite(least[index]):
                return
            which, host_layers = divmod(index, size)
            choice = Choice(host_layers, int(found[which][1][host_layers]), kinds[which])
            if not choice.full:
                yield float(least[index]), choice

    def _room(self, compute: Mapping[int, int]) -> float:
        """What all devices together have left for weights and cache."""
        left = 0.0
        for number, device in enumerate(self.memory.devices):
            left += device.capacity_bytes * (1 - self.ground.margin) - device.overhead_bytes - compute.get(number, 0)
        return left

    def _possible(
        self, kv_on_host: bool, compute: Mapping[int, int]
    ) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
        """For each number of whole layers on the host: whether it may fit, that number, and of how many layers the
        experts must at least be there."""
        ground = self.ground
        held = self.plain if kv_on_host else self.plain + self.cache
        layers = np.arange(len(held))
        over = self.experts[-1] + held[-1] - held - self._room(compute)
        moe = np.searchsorted(self.experts, over, side="left")
        if compute and ground.lends and not kv_on_host:
            for _ in range(2):  # the more lies on the host, the more passes through the first device
                moe = np.searchsorted(self.experts, over + self._least_passing(layers, moe), side="left")
        possible = (moe < len(held)) & self._host_may_hold(layers, moe, kv_on_host)
        return possible, layers, np.maximum(np.minimum(np.maximum(moe, layers), ground.count), layers)

    def _offloads(self, kv_on_host: bool, compute: Mapping[int, int]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The same with the least seconds a token, infinite where it cannot fit."""
        ground, rates = self.ground, self.ground.rates
        possible, layers, moe = self._possible(kv_on_host, compute)
        read, experts = self.read_plain, self.read_experts[moe]
        elsewhere = self.read_plain[-1] + self.read_experts[-1] - read - experts
        on_host = (read + rates.host_experts * experts) / rates.host + rates.host_layer * np.maximum(layers, moe)
        cache: NDArray[np.float64] | float
        if kv_on_host:
            cache = np.full(len(layers), self.read_cache[-1] / min(rates.link, rates.host))
        else:
            cache = self.read_cache / rates.host + (self.read_cache[-1] - self.read_cache) / ground.fastest
        seconds = on_host + elsewhere / ground.fastest + cache
        return np.where(possible, seconds, np.inf), np.minimum(moe, ground.count)

    def _host_may_hold(
        self, layers: NDArray[np.int64], moe: NDArray[np.int64], kv_on_host: bool
    ) -> NDArray[np.bool_] | bool:
        """Whether the host has room for so many layers and at least so many layers' experts; see `_host_fits`."""
        memory, count = self.memory, self.ground.count
        if memory.host_capacity_bytes is None:
            return True
        experts = self.experts[np.minimum(np.maximum(moe, layers), count + 1)]
        cache = self.cache[-1] if kv_on_host else self.cache
        needed = (
            self.weights.input + memory.host_overhead_bytes + self.plain[np.minimum(layers, count)] + experts + cache
        )
        fits: NDArray[np.bool_] = needed <= memory.host_capacity_bytes * (1 - self.ground.margin)
        return fits

    def _least_passing(self, layers: NDArray[np.int64], moe: NDArray[np.int64]) -> NDArray[np.int64]:
        """What at least passes through the first device with so many layers and layers' experts on the host."""
        estimate, weights, count = self._estimate(Choice(1, 0, False)), self.weights, self.ground.count
        if not estimate.lent:
            return np.zeros_like(layers)
        moe = np.minimum(np.maximum(moe, layers), count)
        layers = np.minimum(layers, count)
        widest = np.maximum(np.array(weights.widest_layers)[layers], np.array(weights.widest_experts)[moe])
        copies = 1 + (weights.hybrid | (weights.alternating & (moe > layers)))
        laid_out = estimate.compute[0] - estimate.drafting.get(0, 0)
        beside = np.maximum(0, estimate.lent + copies * widest - laid_out)
        return np.where(moe > 0, beside, 0)

    def _fewest_experts(self, choice: Choice) -> Choice | None:
        """The choice with as many more layers' experts on the host as it takes to split the rest; None: never."""
        if self._splits(choice):
            return choice
        low, high = choice.moe_layers, self.ground.count
        if choice == Choice(0, 0, False) or low >= high or not self.has_experts:
            return None
        beyond = Choice(choice.host_layers, high, choice.kv_on_host)
        first, estimate, budgets = choice.host_layers, self._estimate(beyond), self._budgets_of(beyond)

        def splits(moe: int) -> bool:
            held, rooms = self._held(first, moe, choice.kv_on_host, estimate, budgets)
            return held.splits(rooms, first)

        if not splits(high):
            return None
        while high - low > 1:
            middle = (low + high) // 2
            if splits(middle):
                high = middle
            else:
                low = middle
        return replace(choice, moe_layers=high)

    def _seconds(self, choice: Choice) -> float:
        return self.ground.reading.seconds(self.weights, self.ground.place(choice), self.ground.rates)

    def _runs(self, choice: Choice) -> tuple[Held, list[int]]:
        """What the devices hold up to each layer, and what each has room for."""
        first, moe, kv_on_host = choice.host_layers, choice.moe_layers, choice.kv_on_host
        return self._held(first, moe, kv_on_host, self._estimate(choice), self._budgets_of(choice))

    def _held(
        self, first: int, moe: int, kv_on_host: bool, estimate: Grown, budgets: list[int]
    ) -> tuple[Held, list[int]]:
        """The same of so many first layers and layers' experts on the host."""
        ground, most = self.ground, max(first, moe)
        if ground.lends and most:
            layers = min(first, ground.count)
            widest = self.weights.passing_through(layers, max(layers, moe), kv_on_host, first > ground.count)
            budgets = [budgets[0] - passing_beside(estimate, widest), *budgets[1:]]
        return Held(*self._sums[kv_on_host], most, self._experts[most]), budgets

    def _budgets_of(self, choice: Choice) -> list[int]:
        """What each device has room for, but for weights that pass through the first."""
        key = (choice.kv_on_host, choice.full)
        if (found := self._budgets.get(key)) is None:
            estimate, margin = self._estimate(choice), self.ground.margin
            found = self._budgets[key] = [
                int(device.capacity_bytes * (1 - margin))
                - device.overhead_bytes
                - estimate.compute[number]
                - self.weights.everywhere
                for number, device in enumerate(self.memory.devices)
            ]
        return found

    def _splits(self, choice: Choice) -> bool:
        """Whether the devices can hold what is not on the host, split one way or another."""
        held, budgets = self._runs(choice)
        return held.splits(budgets, choice.host_layers)

    def _with_shares(self, choice: Choice) -> Choice:
        """The choice with the fastest shares that fit; llama.cpp's own where they are as good."""
        held, budgets = self._runs(choice)
        default = held.within(self.ground.ends(choice.host_layers), budgets)
        if default and (choice.host_layers > self.ground.count or not self.ground.uneven_speed):
            return choice
        fast = self._fast_cuts(budgets, choice) if self.ground.uneven_speed else None
        cuts = fast or held.greedy_cuts(budgets, choice.host_layers)
        if cuts is None:
            return choice
        counts = tuple(float(b - a) for a, b in zip([choice.host_layers, *cuts], cuts, strict=False))
        split = replace(choice, shares=counts)
        return choice if default and self._seconds(choice) <= self._seconds(split) else split

    def _host_fits(self, choice: Choice) -> bool:
        memory, weights = self.memory, self.weights
        if memory.host_capacity_bytes is None:
            return True
        first, moe = choice.host_layers, max(choice.host_layers, choice.moe_layers)
        needed = int(weights.input + self.plain[min(first, self.ground.count)] + self.experts[moe])
        needed += int(self.cache[-1] if choice.kv_on_host else self.cache[first])
        if first > self.ground.count:
            needed += weights.output + (weights.tied if weights.tied_on_host else 0)
        needed += memory.host_overhead_bytes + self._estimate(choice).compute[HOST]
        return needed <= memory.host_capacity_bytes * (1 - self.ground.margin)

    def _fast_cuts(self, budgets: Sequence[int], choice: Choice) -> list[int] | None:
        """The fastest split in contiguous runs, by dynamic programming: fast devices get what they can hold."""
        moe = max(choice.host_layers, choice.moe_layers)
        held = self.plain + np.maximum(self.experts - self.experts[moe], 0)
        read = self.read_plain + np.maximum(self.read_experts - self.read_experts[moe], 0)
        if not choice.kv_on_host:
            held, read = held + self.cache, read + self.read_cache
        first, size = choice.host_layers, len(held)
        cost = np.full(size, np.inf)
        cost[first] = 0.0
        back: list[NDArray[np.int64]] = []
        spans, reads = held[None, :] - held[:, None], read[None, :] - read[:, None]
        ordered = np.tri(size, dtype=bool).T  # runs do not go backwards
        for number, room in enumerate(budgets):
            allowed = ordered & ((spans <= room) | (np.eye(size, dtype=bool)))
            through = np.where(allowed, cost[:, None] + reads / self.ground.rates.of(number), np.inf)
            back.append(through.argmin(axis=0))
            cost = through.min(axis=0)
        if not np.isfinite(cost[-1]):
            return None
        cuts = [size - 1]
        for step in reversed(back):
            cuts.append(int(step[cuts[-1]]))
        return cuts[-2::-1]
