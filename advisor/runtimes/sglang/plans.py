"""Plans for SGLang: weights and KV cache share one part of the memory, the rest is left to computing.

That part, `--mem-fraction-static`, is of what is free at the start (`_profile_available_bytes` in
srt/mem_cache/kv_cache_configurator.py). What computing takes is not measured before, as vLLM does: where too little is
left to it, it fails later. So a plan fits when the highest estimate of it has room there, and is tight when only the
typical one has. Requests wait while the pool is full: it must hold half of what all users together can come to need,
one whole request at least.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never

from advisor.formats.level_id import LevelId
from advisor.formats.safetensors_levels import SAFETENSORS_LEVELS, SafetensorsLevel, find_safetensors_level
from advisor.formats.safetensors_sizes import SizedSafetensors, size_safetensors_level
from advisor.foundation.caches import kept_beside
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, fact
from advisor.models.model import Model
from advisor.runtimes.sglang.every_level import Frame, frame_of
from advisor.runtimes.vllm.split import Loaded, checkpoint_by_stage, kept_by_stage
from advisor.sizing.memory import Device
from advisor.sizing.placement import Placement
from advisor.sizing.plan import DeviceMemory, Plan, Planner, Serving, Verdict, rule_of_thumb_bytes
from advisor.sizing.request import Checkpoint, GgufFile, Levels, PlanRequest

VERSION = "SGLang 0.5.23"


def plan_sglang(by: Planner, request: PlanRequest) -> tuple[Plan, ...]:
    """A plan for the checkpoint, the level, or every level that SGLang loads on this hardware.

    Raises InputError where it cannot load the one level, cannot split it, or finds no GPU.
    """
    frame, stored = frame_of(request), request.stored
    match stored:
        case Checkpoint():
            weights = checkpoint_by_stage(stored, frame.model, frame.models, frame.split, frame.chip)
            return (_plan(frame, by, stored.sized, (weights, stored.notes)),)
        case Levels():
            return _levels(frame, by, stored)
        case GgufFile():
            raise InputError(
                "{loader} is planned for safetensors; for a GGUF file use runtime=llama.cpp.", loader=by.id.loader
            )
        case _:
            assert_never(stored)


def _levels(frame: Frame, by: Planner, wanted: Levels) -> tuple[Plan, ...]:
    """Of every level that is loaded, or of the only one; raises InputError where that is not loaded."""
    if wanted.only is None:
        each = (plan_sglang_level(by, frame.request, level.id) for level in _offered(frame.model))
        return tuple(plan for plan in each if plan is not None)
    level = find_safetensors_level(wanted.only.name)
    loaded = frame.loaded(by, level)
    if isinstance(loaded, InputError):
        raise loaded
    return (_plan(frame, by, _sized(frame.model, level), loaded),)


def plan_sglang_level(by: Planner, request: PlanRequest, level: LevelId) -> Plan | None:
    """The plan of one level; None where SGLang does not load it here."""
    frame, found = frame_of(request), find_safetensors_level(level.name)
    if not found.offered_for(frame.model) or isinstance(loaded := frame.loaded(by, found), InputError):
        return None
    return _plan(frame, by, _sized(frame.model, found), loaded)


def refusals(by: Planner, request: PlanRequest) -> dict[str, Message]:
    """Why levels are left out of the plans: a sentence by level name."""
    frame = frame_of(request)
    found = {level.name: frame.loaded(by, level) for level in _offered(frame.model)}
    return {name: one.message for name, one in found.items() if isinstance(one, InputError)}


def longest_context(plan: Plan) -> int:
    """See `Plan.max_context`."""
    frame = frame_of(plan.request)
    held = [plan.devices[place * frame.split.tensor].weights_bytes for place in range(len(frame.models))]
    kept = kept_by_stage(plan.request, plan.sized, frame.model, frame.models, frame.split)
    weights = [own + more for own, more in zip(held, kept, strict=True)]
    low, high = 0, max(frame.model.context_length or 1 << 20, frame.settings.context)
    while low < high:
        middle = (low + high + 1) // 2
        if frame.shortage(weights, middle) <= 0:
            low = middle
        else:
            high = middle - 1
    return low


def requests_held(plan: Plan, tokens: int) -> float | None:
    """See `Plan.requests_held`."""
    frame = frame_of(plan.request)
    held = [plan.devices[place * frame.split.tensor].weights_bytes for place in range(len(frame.models))]
    rooms = [frame.room(place, own) for place, own in enumerate(held)]
    found = [pool.at_once(room, tokens) for pool, room in zip(frame.pools, rooms, strict=True) if pool is not None]
    return frame.split.data * min(found) if found else None


@kept_beside
def _sized(model: Model, level: SafetensorsLevel) -> SizedSafetensors:
    return size_safetensors_level(model, level)


def _offered(model: Model) -> list[SafetensorsLevel]:
    return [level for level in SAFETENSORS_LEVELS.values() if level.offered_for(model)]


def _plan(frame: Frame, by: Planner, sized: SizedSafetensors, loaded: Loaded) -> Plan:
    weights, said = loaded
    settings, context, memory, split = frame.settings, frame.settings.context, frame.memory, frame.split
    kept = kept_by_stage(frame.request, sized, frame.model, frame.models, split)
    short = frame.shortage([own + more for own, more in zip(weights, kept, strict=True)], context)
    rooms = [frame.room(place, own) for place, own in enumerate(weights)]
    caches = [
        max(frame.least_kv_bytes(place, context), min(frame.all_kv_bytes(place), room))
        for place, room in enumerate(rooms)
    ]
    starts = all(frame.least_kv_bytes(place, context) <= room for place, room in enumerate(rooms))
    verdict: Verdict = "fits" if short <= 0 else "tight" if starts else "does not fit"
    limit = None
    if starts and (lacking := frame.lacking_to_compute()) > 0:
        limit = fact("sglang_no_room", share=frame.share, lacking=lacking)
        verdict, short = "does not fit", max(short, lacking)
    pools = [(pool, room) for pool, room in zip(frame.pools, rooms, strict=True) if pool is not None]
    counted = [tokens for pool, room in pools if (tokens := pool.tokens(room)) is not None]
    at_once = _at_once(frame, [pool.at_once(room, context) for pool, room in pools])
    return Plan(
        request=frame.request,
        by=by,
        sized=sized,
        settings=settings,
        placement=Placement(split.gpus, (0,) * len(frame.model.layers), 0),
        verdict=verdict,
        devices=tuple(
            _held(frame, name, device, split.stage_of(number), weights, caches)
            for number, (name, device) in enumerate(frame.devices)
        ),
        host=DeviceMemory(
            *("Host", memory.host_capacity_bytes, 0, 0, 0, memory.host_overhead_bytes),
            used_bytes=memory.host_used_bytes,
        ),
        missing_bytes=max(0, round(short)),
        rule_of_thumb_bytes=rule_of_thumb_bytes(frame.model.parameters, sized.level.nominal_bits),
        rules=VERSION,
        compute_range=max(frame.overheads, key=lambda one: one.typical),
        kv_tokens=split.data * min(counted) if counted else None,
        max_concurrency=split.data * min(counted) / context if counted else None,
        at_once=at_once,
        serving=Serving(frame.requests, split.tensor, split.data, frame.share),
        notes=(*said, *_notes(frame, verdict, at_once)),
        limit=limit,
    )


def _at_once(frame: Frame, by_stage: list[float]) -> float | None:
    """How many of all users' requests are held at once."""
    if not by_stage:
        return None
    most = min(by_stage)
    return frame.split.data * (most if frame.requests >= frame.users else min(most, frame.requests))


def _held(
    frame: Frame, name: str, device: Device, place: int, weights: Sequence[int], caches: Sequence[int]
) -> DeviceMemory:
    """What lies on one GPU. What is left to computing, and not needed for it, counts as overhead."""
    computing = round(frame.overheads[place].typical)
    return DeviceMemory(
        name,
        device.capacity_bytes,
        weights[place],
        caches[place],
        computing,
        device.overhead_bytes + max(0, frame.left_to_computing(device) - computing),
        beside=frame.beside[place],
        used_bytes=device.used_bytes,
    )


def _notes(frame: Frame, verdict: Verdict, at_once: float | None) -> Iterator[Message]:
    users = frame.settings.users
    if at_once is not None and verdict != "does not fit" and (served := int(at_once)) < users:
        yield fact("sglang_serves_at_once", n=users - served, served=served, users=users)
    if any(pool is not None and pool.state_bytes for pool in frame.pools):
        yield fact("sglang_states")
