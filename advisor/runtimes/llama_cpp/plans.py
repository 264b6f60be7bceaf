"""Plans for llama.cpp: what lies where, whether it fits, and how much context is left."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from advisor.formats.gguf_levels import LEVELS, Level
from advisor.formats.gguf_sizes import SizedLevel, size_level
from advisor.formats.stored_tensor import Stored
from advisor.foundation.message import NOTHING, fact
from advisor.models.model import Model
from advisor.runtimes.llama_cpp.checks import MAX_DEVICES, cache_type_refusal
from advisor.runtimes.llama_cpp.growth import GRAIN, Grown
from advisor.runtimes.llama_cpp.needs import needed_bytes, passing_bytes, place_as_one, place_as_told, shortage
from advisor.runtimes.llama_cpp.placement_search import Search
from advisor.runtimes.llama_cpp.reading import Rates
from advisor.runtimes.llama_cpp.split_growth import SplitGrowth
from advisor.runtimes.llama_cpp.weights import Weights, file_weights, level_weights
from advisor.sizing.placement import HOST
from advisor.sizing.plan import DeviceMemory, Memory, Plan, Verdict, WayOut, rule_of_thumb_bytes
from advisor.sizing.settings import Settings

__all__ = ["GRAIN", "plan_file", "plan_levels"]

_SMALLER_CACHE = "q8_0"
_MORE_TRIES = 6  # numbers of devices looked at beyond the fewest whose memory could be enough


def plan_levels(
    model: Model,
    memory: Memory,
    settings: Settings,
    *,
    runtime: str,
    margin: float,
    imatrix: bool = False,
    only: str | None = None,
    among: Collection[str] | None = None,
    search: bool = False,
    rates: Rates | None = None,
    draft: Plan | None = None,
) -> list[Plan]:
    """A plan for every level (`only` one, or those `among` some), keeping the fraction `margin` of each memory free.

    With `search` the fastest placement that fits replaces what `settings` say about it; `rates` are the bandwidths
    that make one placement faster than another. `draft` is the plan of a draft model whose memory `memory` counts.
    """
    planner = _Planner(model, memory, settings, runtime, margin, imatrix, search, rates or Rates(), draft)
    offered = [level for level in LEVELS.values() if level.offered_for(model)]
    levels = [LEVELS[only]] if only else [level for level in offered if among is None or level.name in among]
    return [planner.plan_level(level) for level in levels]


def plan_file(
    model: Model,
    sized: SizedLevel,
    tensors: Iterable[Stored],
    memory: Memory,
    settings: Settings,
    *,
    runtime: str,
    margin: float,
    search: bool = False,
    rates: Rates | None = None,
    draft: Plan | None = None,
) -> Plan:
    """A plan for one GGUF file as it is, given its tensors."""
    planner = _Planner(model, memory, settings, runtime, margin, False, search, rates or Rates(), draft)
    return planner.plan(sized, file_weights(model, tensors))


class _Planner:
    """Everything about a question but the level."""

    def __init__(
        self,
        model: Model,
        memory: Memory,
        settings: Settings,
        runtime: str,
        margin: float,
        imatrix: bool,
        search: bool,
        rates: Rates,
        draft: Plan | None,
    ):
        self.model, self.memory, self.settings, self.runtime = model, memory, settings, runtime
        self.margin, self.imatrix, self.search, self.rates, self.draft = margin, imatrix, search, rates, draft
        self.split = settings.split == "tensor" and len(memory.devices) > 1
        self.searcher = Search(model, memory, settings, margin, rates)
        self.told = place_as_one(model, settings) if self.split else place_as_told(model, memory, settings)

    def changed(self, memory: Memory | None = None, settings: Settings | None = None) -> _Planner:
        """The same question on another machine or with other settings."""
        return _Planner(
            self.model,
            memory or self.memory,
            settings or self.settings,
            self.runtime,
            self.margin,
            self.imatrix,
            self.search,
            self.rates,
            self.draft,
        )

    def plan_level(self, level: Level) -> Plan:
        return self.plan(size_level(self.model, level, self.imatrix), level_weights(self.model, level, self.imatrix))

    def plan(self, sized: SizedLevel, weights: Weights) -> Plan:
        return self._split_plan(sized, weights) if self.split else self._placed_plan(sized, weights)

    def _split_plan(self, sized: SizedLevel, weights: Weights) -> Plan:
        """Every tensor split over all devices, which llama.cpp takes for one."""
        growth = SplitGrowth(self.model, self.settings, self.told, weights, len(self.memory.devices))
        now, parts = growth.now, growth.parts
        devices = self._devices(parts.weights, now, mirrored=parts.mirrored)
        host = self._host(weights.on_devices(self.told)[HOST], now)

        def needed(grown: Grown) -> dict[int, int]:
            return growth.needed(self.memory, grown)

        short = shortage(self.memory, needed(now), self.margin)
        plan = Plan(
            sized=sized,
            runtime=self.runtime,
            settings=self.settings,
            placement=self.told,
            verdict=self._verdict(short, needed(now), self.told.offloads),
            devices=devices,
            host=host,
            missing_bytes=max(0, round(short)),
            rule_of_thumb_bytes=rule_of_thumb_bytes(self.model.parameters, sized.level.nominal_bits),
            draft=self.draft,
            find_longest_context=lambda: growth.longest(
                needed, lambda needs: shortage(self.memory, needs, self.margin) <= 0
            ),
            find_ways_out=lambda: ways_out(self, plan, sized, weights),
        )
        return plan

    def _placed_plan(self, sized: SizedLevel, weights: Weights) -> Plan:
        """Whole layers on devices and host, as told or as searched for."""
        found = self.searcher.best(weights) if self.search else None
        placement = found.placement if found else self.told
        growth = self.searcher.growth(placement)
        now, held = growth.now, weights.on_devices(placement)
        passing = passing_bytes(weights, placement, now)
        devices, host = self._devices(held, now, passing), self._host(held[HOST], now)
        needed = self.searcher.needed(weights, placement)

        def longest() -> int:
            return growth.longest(
                lambda grown: needed_bytes(weights, self.memory, placement, grown),
                lambda needs: shortage(self.memory, needs, self.margin) <= 0,
            )

        short = shortage(self.memory, needed, self.margin)
        plan = Plan(
            sized=sized,
            runtime=self.runtime,
            settings=found.settings if found else self.settings,
            placement=placement,
            verdict=self._verdict(short, needed, placement.offloads),
            devices=devices,
            host=host,
            missing_bytes=max(0, round(short)),
            rule_of_thumb_bytes=rule_of_thumb_bytes(self.model.parameters, sized.level.nominal_bits),
            draft=self.draft,
            find_longest_context=longest,
            seconds_per_token=self.searcher.reading.seconds(weights, placement, self.rates),
            find_offload_bytes=lambda: self.host_bytes_to_offload(weights),
            find_ways_out=lambda: ways_out(self, plan, sized, weights),
        )
        return plan

    def _devices(
        self, weights: Mapping[int, int] | Sequence[int], now: Grown, passing: int = 0, mirrored: int = 0
    ) -> tuple[DeviceMemory, ...]:
        return tuple(
            DeviceMemory(
                name=name,
                capacity_bytes=device.capacity_bytes,
                weights_bytes=weights[number],
                kv_cache_bytes=now.cache[number],
                compute_bytes=now.compute[number] + (0 if number else passing),
                overhead_bytes=device.overhead_bytes - device.draft_bytes,
                passing_bytes=0 if number else passing,
                mirrored_bytes=mirrored,
                draft_bytes=device.draft_bytes,
            )
            for number, (name, device) in enumerate(zip(self.memory.names, self.memory.devices, strict=True))
        )

    def _host(self, weights: int, now: Grown) -> DeviceMemory:
        return DeviceMemory(
            name="Host",
            capacity_bytes=self.memory.host_capacity_bytes,
            weights_bytes=weights,
            kv_cache_bytes=now.cache[HOST],
            compute_bytes=now.compute[HOST],
            overhead_bytes=self.memory.host_overhead_bytes - self.memory.host_draft_bytes,
            draft_bytes=self.memory.host_draft_bytes,
        )

    def _verdict(self, short: float, needed: Mapping[int, int], offloads: bool) -> Verdict:
        if short > 0:
            return "tight" if shortage(self.memory, needed, 0) <= 0 else "does not fit"
        if not offloads:
            return "fits"
        # The user's own offload to a host that nobody knows anything about is no promise.
        return "tight" if self.memory.host_capacity_bytes is None else "fits with offload"

    def host_bytes_to_offload(self, weights: Weights) -> int | None:
        """Host memory with which the fastest placement that offloads would fit, margin included."""
        if not self.memory.devices or self.memory.pooled:
            return None
        found = self.searcher.best(weights, any_host=True)
        if found is None or not found.placement.offloads:
            return None
        return int(self.searcher.needed(weights, found.placement)[HOST] / (1 - self.margin)) + 1


def ways_out(planner: _Planner, plan: Plan, sized: SizedLevel, weights: Weights) -> tuple[WayOut, ...]:
    """The nearest changes with which a plan fits, each on its own; each was planned and does fit."""
    if plan.fits:
        return ()
    found = (
        _lower_level(planner, plan),
        _shorter_context(plan),
        _smaller_cache(planner, sized, weights),
        _more_devices(planner, plan, sized, weights),
        _host_memory(planner, plan),
    )
    return tuple(way for way in found if way is not None)


def _lower_level(planner: _Planner, plan: Plan) -> WayOut | None:
    offered = (level for level in LEVELS.values() if level.offered_for(planner.model) and not level.note)
    sizes = {level.name: size_level(planner.model, level, planner.imatrix).tensor_bytes for level in offered}
    smaller = [name for name, size in sizes.items() if size < plan.sized.tensor_bytes]
    for name in sorted(smaller, key=lambda name: -sizes[name]):
        lower = planner.plan_level(LEVELS[name])
        if lower.fits:
            made = fact("made_with_imatrix") if lower.needs_imatrix else NOTHING
            how = fact("with_offload") if lower.verdict == "fits with offload" else NOTHING
            message = fact("lower_level_fits", level=name, made=made, how=how, weights=sizes[name])
            return WayOut("lower level", name, message)
    return None


def _shorter_context(plan: Plan) -> WayOut | None:
    longest = plan.max_context
    if not 0 < longest < plan.settings.context:
        return None
    if plan.placement.offloads and plan.host.capacity_bytes is None:
        return None
    if plan.settings.shared_by > 1:
        return WayOut("shorter context", longest, fact("context_together_fits", reach=longest))
    return WayOut("shorter context", longest, fact("context_fits", reach=longest))


def _smaller_cache(planner: _Planner, sized: SizedLevel, weights: Weights) -> WayOut | None:
    settings = replace(planner.settings, cache_type_k=_SMALLER_CACHE, cache_type_v=_SMALLER_CACHE)
    wide = {"f32", "f16", "bf16"}
    if not {planner.settings.cache_type_k, planner.settings.cache_type_v} <= wide or not settings.flash_attention:
        return None
    if cache_type_refusal(planner.model, settings):
        return None
    smaller = planner.changed(settings=settings).plan(sized, weights)
    if not smaller.fits:
        return None
    total = sum(holder.kv_cache_bytes for holder in (*smaller.devices, smaller.host))
    return WayOut("smaller KV cache", _SMALLER_CACHE, fact("smaller_cache_fits", type=_SMALLER_CACHE, cache=total))


def _more_devices(planner: _Planner, plan: Plan, sized: SizedLevel, weights: Weights) -> WayOut | None:
    memory = planner.memory
    if not memory.devices or memory.pooled:
        return None
    kind = memory.devices[-1]
    room = kind.capacity_bytes * (1 - planner.margin) - kind.overhead_bytes
    if room <= 0:
        return None
    present = len(memory.devices)
    total = sum(holder.weights_bytes + holder.kv_cache_bytes for holder in plan.devices)
    had = sum(device.capacity_bytes * (1 - planner.margin) - device.overhead_bytes for device in memory.devices)
    fewest = max(1, -int((had - total) // room))
    for more in range(fewest, min(fewest + _MORE_TRIES, MAX_DEVICES - present + 1)):
        larger = replace(memory, devices=memory.devices + (kind,) * more)
        settings = replace(planner.settings, gpu_layers=None, cpu_moe_layers=0, kv_on_host=False, tensor_split=None)
        fitting = planner.changed(memory=larger, settings=settings).plan(sized, weights)
        if fitting.verdict == "fits":
            message = fact("more_devices_fit", more=more, device=kind.name, all=present + more)
            return WayOut("more devices", more, message)
    return None


def _host_memory(planner: _Planner, plan: Plan) -> WayOut | None:
    if not planner.memory.devices:
        whole = int(plan.host.needed_bytes / (1 - planner.margin)) + 1
        return WayOut("host memory", whole, fact("more_memory_fits", memory=whole))
    needed = plan.offload_needs_host_bytes
    if needed is None:
        return None
    return WayOut("host memory", needed, fact("more_host_memory_runs", memory=needed))
