"""Plans for vLLM: every layer split over all GPUs, the rest of the allowed memory as one pool of KV blocks.

The pool is not set aside for anybody: pages go to whoever writes, and requests wait while there are none. So vLLM
starts as soon as one request of the whole context fits (`_check_enough_kv_cache_memory` in v1/core/kv_cache_utils.py),
and serves fewer at once where every context is full. A plan fits when the pool holds half of what all users together
can come to need, one whole request at least, with the typical estimate of overheads and the margin, and still does,
without margin, with the highest one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import assert_never

from advisor.formats.level_id import LevelId
from advisor.formats.safetensors_levels import SAFETENSORS_LEVELS, SafetensorsLevel, find_safetensors_level
from advisor.formats.safetensors_sizes import SizedSafetensors, size_safetensors_level
from advisor.foundation.caches import kept_beside
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, fact
from advisor.models.model import Model
from advisor.runtimes.vllm.every_level import Frame, Stage, frame_of
from advisor.runtimes.vllm.kernels import VERSION
from advisor.runtimes.vllm.split import Loaded
from advisor.sizing.placement import Placement
from advisor.sizing.plan import DeviceMemory, Plan, Planner, Serving, Verdict, rule_of_thumb_bytes
from advisor.sizing.request import Checkpoint, GgufFile, Levels, PlanRequest


def plan_vllm(by: Planner, request: PlanRequest) -> tuple[Plan, ...]:
    """A plan for the checkpoint, the level, or every level that vLLM loads on this hardware; `refusals` says why others
    are left out.

    Of the settings only `context` (tokens per user) and `users` count. Weights are those of the language model; what is
    loaded beside it is told in `advisor.runtimes.vllm.stack`. Raises InputError where vLLM cannot load the one level,
    cannot split it, or finds no GPU.
    """
    frame, stored = frame_of(request), request.stored
    match stored:
        case Checkpoint():
            return (_plan(frame, by, stored.sized, (frame.published(stored), stored.notes)),)
        case Levels():
            return tuple(_plan(frame, by, _sized(frame.model, level), one) for level, one in _asked(frame, by, stored))
        case GgufFile():
            raise InputError(
                "{loader} is planned for safetensors; for a GGUF file use runtime=llama.cpp.", loader=by.id.loader
            )
        case _:
            assert_never(stored)


def plan_vllm_level(by: Planner, request: PlanRequest, level: LevelId) -> Plan | None:
    """The plan of one level; None where vLLM does not load it here."""
    frame, found = frame_of(request), find_safetensors_level(level.name)
    if not found.offered_for(frame.model) or isinstance(one := frame.loaded(by, found), InputError):
        return None
    return _plan(frame, by, _sized(frame.model, found), one)


def may_fit(by: Planner, request: PlanRequest, level: LevelId) -> bool:
    """Whether a level that is loaded here fits, be it without a margin."""
    frame, found = frame_of(request), find_safetensors_level(level.name)
    if not found.offered_for(frame.model) or isinstance(one := frame.loaded(by, found), InputError):
        return True  # there is no plan that says more
    weights, _ = one
    return all(
        frame.least_kv_bytes(stage, frame.settings.context) <= frame.pool(stage, own)
        for stage, own in zip(frame.stages, weights, strict=True)
    )


def refusals(by: Planner, request: PlanRequest) -> dict[str, Message]:
    """Why levels are left out of the plans: a sentence by level name."""
    frame = frame_of(request)
    found = {level.name: frame.loaded(by, level) for level in _offered(frame.model)}
    return {name: one.message for name, one in found.items() if isinstance(one, InputError)}


def longest_context(plan: Plan) -> int:
    """See `Plan.max_context`."""
    frame = frame_of(plan.request)
    return frame.longest_context(_weights(frame, plan), frame.kept_bytes(plan.sized))


def requests_held(plan: Plan, tokens: int) -> float | None:
    """See `Plan.requests_held`."""
    frame = frame_of(plan.request)
    found = [
        stage.cache.at_once(frame.pool(stage, own), tokens, frame.batch.tokens)
        for stage, own in zip(frame.stages, _weights(frame, plan), strict=True)
        if stage.cache is not None
    ]
    return frame.split.data * min(found) if found else None


def _weights(frame: Frame, plan: Plan) -> list[int]:
    """Those of a level on each GPU of a stage."""
    held = [plan.devices[place * frame.split.tensor].weights_bytes for place in range(len(frame.stages))]
    return [own - stage.fixed_bytes for own, stage in zip(held, frame.stages, strict=True)]


@kept_beside
def _sized(model: Model, level: SafetensorsLevel) -> SizedSafetensors:
    return size_safetensors_level(model, level)


def _offered(model: Model) -> list[SafetensorsLevel]:
    return [level for level in SAFETENSORS_LEVELS.values() if level.offered_for(model)]


def _asked(frame: Frame, by: Planner, wanted: Levels) -> list[tuple[SafetensorsLevel, Loaded]]:
    """The levels that are loaded, with what is said of them; raises InputError where the only one is not."""
    if wanted.only is None:
        found = [(level, frame.loaded(by, level)) for level in _offered(frame.model)]
        return [(level, one) for level, one in found if not isinstance(one, InputError)]
    level = find_safetensors_level(wanted.only.name)
    one = frame.loaded(by, level)
    if isinstance(one, InputError):
        raise one
    return [(level, one)]


def _plan(frame: Frame, by: Planner, sized: SizedSafetensors, loaded: Loaded) -> Plan:
    weights, said = loaded
    settings, context, batch = frame.settings, frame.settings.context, frame.batch.tokens
    pools = [frame.pool(stage, own) for stage, own in zip(frame.stages, weights, strict=True)]
    least = [frame.least_kv_bytes(stage, context) for stage in frame.stages]
    kept = frame.kept_bytes(sized)
    short = frame.shortage(weights, kept, context)
    fits = all(needed <= pool for needed, pool in zip(least, pools, strict=True))
    verdict: Verdict = "fits" if short <= 0 else "tight" if fits else "does not fit"
    places = [
        _held(frame, stage, own, max(needed, min(frame.all_kv_bytes(stage), pool)))
        for stage, own, needed, pool in zip(frame.stages, weights, least, pools, strict=True)
    ]
    caches = [(stage.cache, pool) for stage, pool in zip(frame.stages, pools, strict=True) if stage.cache is not None]
    heaviest = [own + more for own, more in zip(weights, kept, strict=True)]
    told, sure = frame.batch.requests, _most_requests(frame, heaviest, frame.sure_pool)
    limit = None
    if sure is not None and 1 <= sure < told:
        if frame.options.max_requests is None:
            told = sure
        elif (most := _most_requests(frame, weights, frame.pool) or 0) < told:
            limit = fact("vllm_does_not_start", asked=told, blocks=most)
            block = max(stage.cache.block_bytes for stage in frame.stages if stage.cache is not None)
            verdict, short = "does not fit", max(short, (told - most) * block)
        elif verdict == "fits":
            verdict, short = "tight", max(short, 1.0)
    at_once = min((cache.at_once(pool, context, batch) for cache, pool in caches), default=None)
    if at_once is not None:
        at_once = frame.split.data * (at_once if told >= frame.users else min(at_once, told))
    one_by_one = [
        DeviceMemory(
            name,
            device.capacity_bytes,
            *places[frame.split.stage_of(number)],
            device.capacity_bytes - frame.usable(device),
            beside=frame.stages[frame.split.stage_of(number)].beside,
            used_bytes=min(device.used_bytes, device.capacity_bytes - frame.usable(device)),
        )
        for number, (name, device) in enumerate(frame.devices)
    ]
    replicas = frame.split.data
    share = min(frame.share(device) for _, device in frame.devices)
    notes = (*said, *_kept_notes(sized, sum(kept), short), *_notes(frame, at_once, verdict, sure, share))
    memory = frame.memory
    return Plan(
        request=frame.request,
        by=by,
        sized=sized,
        settings=settings,
        placement=Placement(frame.split.gpus, (0,) * len(frame.model.layers), 0),
        verdict=verdict,
        devices=tuple(one_by_one),
        host=DeviceMemory(
            *("Host", memory.host_capacity_bytes, 0, 0, 0, memory.host_overhead_bytes),
            used_bytes=memory.host_used_bytes,
        ),
        missing_bytes=max(0, round(short)),
        rule_of_thumb_bytes=rule_of_thumb_bytes(frame.model.parameters, sized.level.nominal_bits),
        rules=VERSION,
        compute_range=max((stage.overheads for stage in frame.stages), key=lambda one: one.typical),
        # Every stage has as many blocks as the one with the fewest; replicas have a pool each.
        kv_tokens=replicas * min(cache.tokens(pool, context, batch) for cache, pool in caches) if caches else None,
        max_concurrency=(
            replicas * min(cache.concurrency(pool, context, batch) for cache, pool in caches) if caches else None
        ),
        at_once=at_once,
        serving=Serving(told, frame.split.tensor, frame.split.data, share),
        notes=notes,
        limit=limit,
    )


def _held(frame: Frame, stage: Stage, weights: int, cache: int) -> tuple[int, int, int]:
    """Weights, cache and what is computed in, on each GPU of a stage."""
    return weights + stage.fixed_bytes, cache, round(stage.overheads.typical)


def _most_requests(frame: Frame, weights: Sequence[int], pool: Callable[[Stage, int], int]) -> int | None:
    """How many requests at once vLLM may be told of, without which it does not start; None: any number.

    Each needs a block of recurrent state while CUDA graphs are recorded (`config/compilation.py`, `max_num_reqs`).
    """
    if frame.options.enforce_eager:
        return None
    found = [
        max(0, pool(stage, own)) // stage.cache.block_bytes
        for stage, own in zip(frame.stages, weights, strict=True)
        if stage.cache is not None and any(group.kept.kind == "state" for group in stage.cache.groups)
    ]
    return min(found, default=None)


def _kept_notes(sized: SizedSafetensors, kept: int, short: float) -> Iterator[Message]:
    if kept and 0 < short <= kept:
        yield fact("checkpoint_may_be_larger", level=sized.level.name, kept=kept)


def _notes(frame: Frame, at_once: float | None, verdict: Verdict, sure: int | None, share: float) -> Iterator[Message]:
    users = frame.settings.users
    if at_once is not None and verdict != "does not fit" and (served := int(at_once)) < users:
        yield fact("vllm_serves_at_once", n=users - served, served=served, users=users)
    if sure is not None and 1 <= sure < frame.batch.requests:
        yield fact("vllm_fewer_sequences", blocks=sure)
    if share < frame.options.utilisation:
        yield fact("vllm_lower_share", share=share, asked=frame.options.utilisation)
    if frame.options.enforce_eager:
        yield fact("vllm_eager")
