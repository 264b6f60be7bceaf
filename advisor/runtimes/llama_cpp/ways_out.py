"""What would make a plan for llama.cpp fit: a lower level, a shorter context, fewer users, a smaller cache ..."""

from __future__ import annotations

from dataclasses import replace

from advisor.formats.gguf_levels import LEVELS
from advisor.formats.gguf_sizes import SizedLevel, size_level
from advisor.foundation.errors import InputError
from advisor.foundation.message import NOTHING, fact
from advisor.runtimes.llama_cpp.checks import MAX_DEVICES, cache_type_refusal
from advisor.runtimes.llama_cpp.plans import LevelPlanner
from advisor.sizing.memory import Device
from advisor.sizing.plan import Plan, WayKind, WayOut

_SMALLER_CACHE = "q8_0"
_LEAST_BATCH = 32
_MORE_TRIES = 6  # numbers of devices looked at beyond the fewest whose memory could be enough


def way_out(plan: Plan, kind: WayKind) -> WayOut | None:
    """The nearest change of a kind with which a plan fits; it was planned and does fit."""
    if plan.fits or not isinstance(sized := plan.sized, SizedLevel):
        return None
    planner = LevelPlanner.of(plan)
    match kind:
        case "lower level":
            return _lower_level(planner, plan)
        case "shorter context":
            return _shorter_context(plan)
        case "fewer users":
            return _fewer_users(planner, sized)
        case "smaller KV cache":
            return _smaller_cache(planner, sized)
        case "smaller batch":
            return _smaller_batch(planner, plan, sized)
        case "more devices":
            return _more_devices(planner, plan, sized)
        case "host memory":
            return _host_memory(planner, plan)


def _lower_level(planner: LevelPlanner, plan: Plan) -> WayOut | None:
    offered = (level for level in LEVELS.values() if level.offered_for(planner.model) and not level.note)
    sizes = {level.name: size_level(planner.model, level, planner.files.imatrix).tensor_bytes for level in offered}
    smaller = [name for name, size in sizes.items() if size < plan.sized.tensor_bytes]
    for name in sorted(smaller, key=lambda name: -sizes[name]):
        try:
            its = planner.files.sized(LEVELS[name])
        except InputError:  # the publisher asked for has no such file, or its size is not known
            continue
        if planner.may_fit(its) and (lower := planner.plan(its)).fits:
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


def _fewer_users(planner: LevelPlanner, sized: SizedLevel) -> WayOut | None:
    """As many as do fit: with more users everything takes as much or more."""

    def fits(users: int) -> bool:
        asked = planner.asked(settings=replace(planner.settings, users=users))
        return asked.may_fit(sized) and asked.plan(sized).fits

    least, most = 1, planner.settings.users
    if most == least or not fits(least):
        return None
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (middle, most) if fits(middle) else (least, middle)
    return WayOut("fewer users", least, fact("fewer_users_fit", n=least))


def _smaller_cache(planner: LevelPlanner, sized: SizedLevel) -> WayOut | None:
    settings = replace(planner.settings, cache_type_k=_SMALLER_CACHE, cache_type_v=_SMALLER_CACHE)
    wide = {"f32", "f16", "bf16"}
    if not {planner.settings.cache_type_k, planner.settings.cache_type_v} <= wide or not settings.flash_attention:
        return None
    if cache_type_refusal(planner.model, settings):
        return None
    asked = planner.asked(settings=settings)
    if not asked.may_fit(sized) or not (smaller := asked.plan(sized)).fits:
        return None
    total = sum(holder.kv_cache_bytes for holder in (*smaller.devices, smaller.host))
    return WayOut("smaller KV cache", _SMALLER_CACHE, fact("smaller_cache_fits", type=_SMALLER_CACHE, cache=total))


def _smaller_batch(planner: LevelPlanner, plan: Plan, sized: SizedLevel) -> WayOut | None:
    """Where a compute buffer is larger than may be: the largest micro-batch, by halves, with which it is not."""
    tokens = planner.settings.micro_batch
    while plan.limit is not None and tokens > _LEAST_BATCH:
        tokens //= 2
        smaller = planner.asked(settings=replace(planner.settings, micro_batch=tokens)).plan(sized)
        if smaller.fits:
            return WayOut("smaller batch", tokens, fact("smaller_batch_fits", tokens=tokens))
    return None


def _more_devices(planner: LevelPlanner, plan: Plan, sized: SizedLevel) -> WayOut | None:
    memory = planner.memory
    if not memory.devices or memory.pooled:
        return None
    kind = _without_projector(memory.devices[-1])
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
        larger_planner = planner.asked(memory=larger, settings=settings)
        if larger_planner.may_fit(sized) and larger_planner.plan(sized).verdict == "fits":
            message = fact("more_devices_fit", more=more, device=kind.name, all=present + more)
            return WayOut("more devices", more, message)
    return None


def _host_memory(planner: LevelPlanner, plan: Plan) -> WayOut | None:
    if not planner.memory.devices:
        whole = int(plan.host.needed_bytes / (1 - planner.margin)) + 1
        return WayOut("host memory", whole, fact("more_memory_fits", memory=whole))
    needed = plan.offload_needs_host_bytes
    if needed is None:
        return None
    return WayOut("host memory", needed, fact("more_host_memory_runs", memory=needed))


def _without_projector(device: Device) -> Device:
    """The same device where the projector is not: it lies on the first one only."""
    taken = device.beside.projector
    return replace(device, overhead_bytes=device.overhead_bytes - taken, beside=replace(device.beside, projector=0))
