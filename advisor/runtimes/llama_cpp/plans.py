"""Plans for llama.cpp: what lies where, whether it fits, and how much context is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, assert_never

from advisor.formats.gguf_levels import LEVELS, PUBLISHERS_LEVELS, Level
from advisor.formats.gguf_sizes import SizedLevel
from advisor.formats.level_id import GGUF, LevelId
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, fact
from advisor.foundation.ranges import Range
from advisor.runtimes.llama_cpp.adapters import adapters_on_devices
from advisor.runtimes.llama_cpp.compute.assumed import assumed_compute
from advisor.runtimes.llama_cpp.growth import GRAIN, Grown, Growth
from advisor.runtimes.llama_cpp.lending import at_most, settled
from advisor.runtimes.llama_cpp.level_files import LevelFiles
from advisor.runtimes.llama_cpp.needs import (
    compute_of,
    needed_bytes,
    passing_bytes,
    place_as_one,
    place_as_told,
    shortage,
)
from advisor.runtimes.llama_cpp.placement_search import search_of
from advisor.runtimes.llama_cpp.split_growth import SplitGrowth
from advisor.runtimes.llama_cpp.weights import Weights
from advisor.sizing.memory import Beside
from advisor.sizing.placement import HOST, Placement
from advisor.sizing.plan import DeviceMemory, Plan, Planner, Verdict, rule_of_thumb_bytes
from advisor.sizing.rates import PaceOf
from advisor.sizing.request import Checkpoint, GgufFile, Levels, PlanRequest

__all__ = ["GRAIN", "LevelPlanner", "levels_of", "plan_gguf"]


def plan_gguf(by: Planner, request: PlanRequest, draft: Plan | None = None) -> tuple[Plan, ...]:
    """A plan for every level asked for, or for the one file. Raises InputError for what is no GGUF.

    `draft` is the plan of a draft model whose memory that of the request counts.
    """
    planner, stored = LevelPlanner(by, request, draft), request.stored
    match stored:
        case Levels():
            return tuple(planner.plan_level(level) for level in levels_of(request))
        case GgufFile():
            return (planner.plan(stored.sized),)
        case Checkpoint():
            raise InputError("llama.cpp loads GGUF files only.")
        case _:
            assert_never(stored)


def levels_of(request: PlanRequest) -> tuple[Level, ...]:
    """The GGUF levels that a request asks for."""
    if not isinstance(stored := request.stored, Levels):
        return ()
    if stored.only is not None:
        return (gguf_level(stored.only),)
    published = stored.published
    offered = [level for level in LEVELS.values() if level.offered_for(request.model)]
    if published is not None:
        # Of some models a publisher's own mixes are all that is known of it.
        offered = [*filter(published.has, offered)] or [gguf_level(level) for level in published.levels()]
    return tuple(level for level in offered if stored.among is None or level.name in stored.among)


def gguf_level(level: LevelId) -> Level:
    """The level of stock tools, or a publisher's own, with this identity; raises InputError for another format's."""
    found = (LEVELS.get(level.name) or PUBLISHERS_LEVELS.get(level.name)) if level.format == GGUF else None
    if found is None:
        raise InputError("llama.cpp does not load {only}: choose a GGUF level.", only=level.name)
    return found


class LevelPlanner:
    """Everything about a request but the level."""

    def __init__(self, by: Planner, request: PlanRequest, draft: Plan | None = None):
        self.by, self.request, self.draft = by, request, draft
        self.model, self.memory, self.settings = request.model, request.memory, request.settings
        self.margin = request.margin
        self.split = self.settings.split == "tensor" and len(self.memory.devices) > 1
        self.files = LevelFiles(request, self.split)
        self.searcher = search_of(request)
        if self.split:
            self.told = place_as_one(self.model, self.settings)
        else:
            self.told = place_as_told(self.model, self.memory, self.settings)

    @classmethod
    def of(cls, plan: Plan) -> LevelPlanner:
        """The planner that made a plan."""
        return cls(plan.by, plan.request, plan.draft)

    def asked(self, **changes: Any) -> LevelPlanner:
        """The same question with another memory or other settings."""
        return LevelPlanner(self.by, replace(self.request, **changes), self.draft)

    def judged_of(self, plan: Plan) -> Weights:
        """What must fit, of a plan of llama.cpp."""
        if not isinstance(plan.sized, SizedLevel):
            raise TypeError(f"{plan.level} is no GGUF level")
        return self.files.judged(plan.sized, self.files.weights(plan.sized))

    def plan_level(self, level: Level, exactly: bool = True) -> Plan:
        return self.plan(self.files.sized(level), exactly)

    def least_seconds(self, level: Level, pace_of: PaceOf | None = None) -> float | None:
        """See `Runtime.least_seconds`: where the placement is searched for."""
        if self.split or not self.request.search:
            return None
        sized = self.files.sized(level)
        weights = self.files.weights(sized)
        room = self.searcher.has_room
        # Without a margin it is asked whether a plan may be tight, which its own file decides.
        if not room(weights) or (self.margin and not room(self.files.judged(sized, weights))):
            return float("inf")
        if pace_of is None:
            return self.searcher.least_seconds(weights)
        dense = int(weights.layers.sum()) + weights.output + weights.tied
        return self.searcher.least_seconds(weights, pace_of(dense, int(weights.experts.sum())))

    def least_on_host(self, level: Level) -> float | None:
        """See `Runtime.least_on_host`."""
        if self.split or not self.request.search:
            return None
        return self.searcher.least_on_host(self.files.weights(self.files.sized(level)))

    def plan(self, sized: SizedLevel, exactly: bool = True) -> Plan:
        """Not `exactly`: of what the search has found to fit, as the bounds tell by which it was found."""
        weights = self.files.weights(sized)
        judged = self.files.judged(sized, weights)
        if self.split:
            return self._split_plan(sized, weights, judged)
        return self._placed_plan(sized, weights, judged, exactly)

    def _split_plan(self, sized: SizedLevel, weights: Weights, judged: Weights) -> Plan:
        """Every tensor split over all devices, which llama.cpp takes for one."""
        growth = self.split_growth(weights)
        now, parts = growth.now, growth.parts
        needed = growth.needed(self.memory, now)
        counted = needed
        if judged is not weights:
            larger = self.split_growth(judged)
            counted = larger.needed(self.memory, larger.now)
        short = shortage(self.memory, counted, self.margin)
        return Plan(
            request=self.request,
            by=self.by,
            sized=sized,
            settings=self.settings,
            placement=self.told,
            verdict=self._verdict(short, needed, self.told.offloads),
            devices=self._devices(parts.weights, now, mirrored=parts.mirrored),
            host=self._host(weights.on_devices(self.told)[HOST], now),
            missing_bytes=max(0, round(short)),
            rule_of_thumb_bytes=rule_of_thumb_bytes(self.model.parameters, sized.level.nominal_bits),
            notes=self._notes(sized, short, needed),
            limit=self._limit(now),
            draft=self.draft,
        )

    def _limit(self, now: Grown) -> Message | None:
        """That a compute buffer, which is one allocation, is larger than may be."""
        for number, device in enumerate(self.memory.devices):
            limit, buffer = device.buffer_limit, compute_of(now, number)
            if limit is not None and limit.excess(buffer):
                return fact("buffer_too_large", api=limit.api, buffer=buffer, most=limit.bytes, device=device.name)
        return None

    def _large_buffers(self, held: Mapping[int, int], now: Grown) -> tuple[Message, ...]:
        """That a limit has to be lifted for the weights, a cache or a compute buffer of one device."""
        for number, device in enumerate(self.memory.devices):
            limit, largest = device.buffer_limit, max(held[number], now.cache[number], compute_of(now, number))
            if limit is not None and limit.can_be_lifted and largest > limit.bytes:
                return (fact("buffer_limit_lifted", buffer=largest, most=limit.bytes),)
        return ()

    def split_growth(self, weights: Weights) -> SplitGrowth:
        return SplitGrowth(self.model, self.settings, self.told, weights, len(self.memory.devices))

    def _placed_plan(self, sized: SizedLevel, weights: Weights, judged: Weights, exactly: bool) -> Plan:
        """Whole layers on devices and host, as told or as searched for."""
        found = self.searcher.best(judged) if self.request.search and self.searcher.has_room(judged) else None
        if found and exactly and not self.searcher.fits(judged, found.placement, self.memory, exactly=True):
            # The bounds of the search are some 30 MiB too low where results wait while the GPU computes for the host.
            found = self.searcher.best(judged, exactly=True) or found
        fits_as_judged = found is not None
        if found is None and judged is not weights and self._may_be_placed(weights):
            found = self.searcher.best(weights)
        placement = found.placement if found else self.told
        growth, held = self.searcher.growth(placement), weights.on_devices(placement)
        now = settled(growth, weights) if exactly or not fits_as_judged else growth.now
        adapters = adapters_on_devices(self.model, self.request.adapters, placement)
        needed = needed_bytes(weights, self.memory, placement, now, held)
        if judged is weights:
            counted = needed
        elif fits_as_judged and not exactly:
            counted = self.searcher.needed(judged, placement)
        else:
            counted = self._settled_needs(growth, judged)
        short = shortage(self.memory, counted, self.margin)
        return Plan(
            request=self.request,
            by=self.by,
            sized=sized,
            settings=found.settings if found else self.settings,
            placement=placement,
            verdict=self._verdict(short, needed, placement.offloads),
            devices=self._devices(held, now, passing_bytes(weights, placement, now), adapters=adapters),
            host=self._host(held[HOST], now, adapters[HOST]),
            missing_bytes=max(0, round(short)),
            rule_of_thumb_bytes=rule_of_thumb_bytes(self.model.parameters, sized.level.nominal_bits),
            compute_range=self._range(placement),
            notes=(*self._notes(sized, short, needed), *self._large_buffers(held, now), *at_most(growth, now)),
            limit=self._limit(now),
            draft=self.draft,
            seconds_per_token=self.searcher.reading.seconds(weights, placement, self.request.rates),
        )

    def _range(self, placement: Placement) -> Range | None:
        """Of the compute buffer of the device that has the largest, where the graph is not known."""
        if not self.model.wiring.assumed:
            return None
        found = assumed_compute(self.model, self.settings.without_placement, placement)
        return max(found.values(), key=lambda one: one.high)

    def _settled_needs(self, growth: Growth, weights: Weights) -> dict[int, int]:
        return needed_bytes(weights, self.memory, growth.placement, settled(growth, weights))

    def may_fit(self, sized: SizedLevel) -> bool:
        """Whether a plan may fit, without working out by how much one does not."""
        if self.split or not self.request.search:
            return True
        return self.searcher.best(self.files.judged(sized, self.files.weights(sized))) is not None

    def _may_be_placed(self, weights: Weights) -> bool:
        """Whether a search may find more than one device alone, told what to hold."""
        alone = len(self.memory.devices) == 1 and self.memory.host_capacity_bytes is None
        return self.request.search and not alone and self.searcher.has_room(weights)

    def _notes(self, sized: SizedLevel, short: float, needed: Mapping[int, int]) -> tuple[Message, ...]:
        """That it would fit as stock tools make it, where that is why a plan does not."""
        published = self.files.published
        if short <= 0 or published is None or shortage(self.memory, needed, self.margin) > 0:
            return ()
        most = published.most_bytes(self.model, sized.level, self.files.imatrix)
        return (fact("published_may_be_larger", level=sized.level.name, stock=sized.file_bytes, most=most),)

    def longest_context(self, plan: Plan) -> int:
        """See `Plan.max_context`."""
        weights = self.judged_of(plan)

        def fits(needs: Mapping[int, float]) -> bool:
            return shortage(self.memory, needs, self.margin) <= 0

        if self.split:
            split = self.split_growth(weights)
            return split.longest(lambda grown: split.needed(self.memory, grown), fits)
        held, growth = weights.on_devices(plan.placement), self.searcher.growth(plan.placement)

        def needed(grown: Grown) -> dict[int, int]:
            return needed_bytes(weights, self.memory, plan.placement, grown, held)

        if not growth.now.lent:
            return growth.longest(needed, fits)
        # The bound of what passes through, less what it is too high by at the context asked for.
        bound, exact = needed(growth.now), self._settled_needs(growth, weights)
        off = {place: exact[place] - size for place, size in bound.items()}
        return growth.longest(lambda grown: {place: size + off[place] for place, size in needed(grown).items()}, fits)

    def offload_bytes(self, plan: Plan) -> int | None:
        """See `Plan.offload_needs_host_bytes`: that of the fastest placement which offloads, margin included."""
        if self.split or not self.memory.devices or self.memory.pooled:
            return None
        weights = self.judged_of(plan)
        found = self.searcher.best(weights, any_host=True)
        if found is None or not found.placement.offloads:
            return None
        return int(self.searcher.needed(weights, found.placement)[HOST] / (1 - self.margin)) + 1

    def _devices(
        self,
        weights: Mapping[int, int] | Sequence[int],
        now: Grown,
        passing: int = 0,
        mirrored: int = 0,
        adapters: Mapping[int, int] | None = None,
    ) -> tuple[DeviceMemory, ...]:
        """`weights` hold the `adapters`, which are told apart here."""
        beside_layers = adapters or {}
        return tuple(
            DeviceMemory(
                name=name,
                capacity_bytes=device.capacity_bytes,
                weights_bytes=weights[number] - beside_layers.get(number, 0),
                kv_cache_bytes=now.cache[number],
                compute_bytes=now.compute[number] - now.drafting.get(number, 0) + (0 if number else passing),
                overhead_bytes=device.overhead_bytes - device.beside.total,
                passing_bytes=0 if number else passing,
                mirrored_bytes=mirrored,
                beside=_with(device.beside, beside_layers.get(number, 0), now.drafting.get(number, 0)),
                used_bytes=device.used_bytes,
            )
            for number, (name, device) in enumerate(zip(self.memory.names, self.memory.devices, strict=True))
        )

    def _host(self, weights: int, now: Grown, adapters: int = 0) -> DeviceMemory:
        drafting = now.drafting.get(HOST, 0)
        return DeviceMemory(
            name="Host",
            capacity_bytes=self.memory.host_capacity_bytes,
            weights_bytes=weights - adapters,
            kv_cache_bytes=now.cache[HOST],
            compute_bytes=now.compute[HOST] - drafting,
            overhead_bytes=self.memory.host_overhead_bytes - self.memory.host_beside.total,
            beside=_with(self.memory.host_beside, adapters, drafting),
            used_bytes=self.memory.host_used_bytes,
        )

    def _verdict(self, short: float, needed: Mapping[int, int], offloads: bool) -> Verdict:
        if short > 0:
            return "tight" if shortage(self.memory, needed, 0) <= 0 else "does not fit"
        if not offloads:
            return "fits"
        # The user's own offload to a host that nobody knows anything about is no promise.
        return "tight" if self.memory.host_capacity_bytes is None else "fits with offload"


def _with(beside: Beside, adapters: int, drafting: int) -> Beside:
    return replace(beside, adapters=beside.adapters + adapters, mtp=drafting) if adapters or drafting else beside
