"""What would make a plan for llama.cpp fit: a lower level, a shorter context, a smaller cache, more memory."""

from __future__ import annotations

from dataclasses import replace

from advisor.formats.gguf_levels import LEVELS
from advisor.formats.gguf_sizes import SizedLevel, size_level
from advisor.foundation.units import gib
from advisor.runtimes.llama_cpp.checks import MAX_DEVICES, cache_type_refusal
from advisor.runtimes.llama_cpp.plans import LevelPlanner
from advisor.sizing.plan import Plan, WayOut

_SMALLER_CACHE = "q8_0"
_MORE_TRIES = 6  # numbers of devices looked at beyond the fewest whose memory could be enough


def ways_out(plan: Plan) -> tuple[WayOut, ...]:
    """The nearest changes with which a plan fits, each on its own; each was planned and does fit."""
    if plan.fits or not isinstance(sized := plan.sized, SizedLevel):
        return ()
    planner = LevelPlanner.of(plan)
    found = (
        _lower_level(planner, plan),
        _shorter_context(plan),
        _smaller_cache(planner, sized),
        _more_devices(planner, plan, sized),
        _host_memory(planner, plan),
    )
    return tuple(way for way in found if way is not None)


def _lower_level(planner: LevelPlanner, plan: Plan) -> WayOut | None:
    offered = (level for level in LEVELS.values() if level.offered_for(planner.model) and not level.note)
    sizes = {level.name: size_level(planner.model, level, planner.imatrix).tensor_bytes for level in offered}
    smaller = [name for name, size in sizes.items() if size < plan.sized.tensor_bytes]
    for name in sorted(smaller, key=lambda name: -sizes[name]):
        lower = planner.plan_level(LEVELS[name])
        if lower.fits:
            made = ", made with an importance matrix," if lower.needs_imatrix else ""
            how = " with part of it on the host" if lower.verdict == "fits with offload" else ""
            return WayOut("lower level", name, f"{name}{made} fits{how}: its weights take {gib(sizes[name])}.")
    return None


def _shorter_context(plan: Plan) -> WayOut | None:
    longest = plan.max_context
    if not 0 < longest < plan.settings.context:
        return None
    if plan.placement.offloads and plan.host.capacity_bytes is None:
        return None
    return WayOut("shorter context", longest, f"A context of {longest:,} {plan.settings.context_unit} fits.")


def _smaller_cache(planner: LevelPlanner, sized: SizedLevel) -> WayOut | None:
    settings = replace(planner.settings, cache_type_k=_SMALLER_CACHE, cache_type_v=_SMALLER_CACHE)
    wide = {"f32", "f16", "bf16"}
    if not {planner.settings.cache_type_k, planner.settings.cache_type_v} <= wide or not settings.flash_attention:
        return None
    if cache_type_refusal(planner.model, settings):
        return None
    smaller = planner.asked(settings=settings).plan(sized)
    if not smaller.fits:
        return None
    total = sum(holder.kv_cache_bytes for holder in (*smaller.devices, smaller.host))
    return WayOut("smaller KV cache", _SMALLER_CACHE, f"A KV cache in {_SMALLER_CACHE} fits: it takes {gib(total)}.")


def _more_devices(planner: LevelPlanner, plan: Plan, sized: SizedLevel) -> WayOut | None:
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
        fitting = planner.asked(memory=larger, settings=settings).plan(sized)
        if fitting.verdict == "fits":
            return WayOut("more devices", more, f"{more} more {kind.name} ({present + more} in all) fit.")
    return None


def _host_memory(planner: LevelPlanner, plan: Plan) -> WayOut | None:
    if not planner.memory.devices:
        whole = int(plan.host.needed_bytes / (1 - planner.margin)) + 1
        return WayOut("host memory", whole, f"With {gib(whole)} of memory it fits.")
    needed = plan.offload_needs_host_bytes
    if needed is None:
        return None
    return WayOut(
        "host memory", needed, f"With {gib(needed)} of host memory it runs, slower, with part of the model there."
    )
