"""Plans for mlx-lm on Apple silicon: files as they are, a KV cache that grows in steps, one memory for everything.

Rules of mlx-lm 0.32.2: `generate.py` (the memory limit of Metal is wired), `server.py` (requests are batched, up to
32 at once); what grows with the context is in `advisor.runtimes.mlx.cache_and_step`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from advisor.formats.level_id import LevelId
from advisor.formats.safetensors_levels import SAFETENSORS_LEVELS, SafetensorsLevel, Scheme, find_safetensors_level
from advisor.formats.safetensors_sizes import SizedSafetensors, size_safetensors_level
from advisor.foundation.caches import kept_beside
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, fact
from advisor.models.model import Model
from advisor.runtimes.mlx.cache_and_step import (
    DEFAULTS,
    MOST_DECODED,
    PREFILL_STEP,
    STEP,
    MlxOptions,
    mlx_cache_bytes,
    mlx_largest_buffer_bytes,
    mlx_steps,
    mlx_temporary_bytes,
)
from advisor.sizing.held_requests import held_where_set_aside
from advisor.sizing.memory import Device, Memory
from advisor.sizing.placement import Placement
from advisor.sizing.plan import DeviceMemory, Plan, Planner, Verdict, rule_of_thumb_bytes
from advisor.sizing.request import Checkpoint, GgufFile, Levels, PlanRequest
from advisor.sizing.settings import Settings

VERSION = "mlx-lm 0.32.2"


def plan_mlx(by: Planner, request: PlanRequest) -> tuple[Plan, ...]:
    """A plan for the repository as published, the level, or every level mlx-lm writes.

    Of the settings only `context` (tokens per user) and `users` count. Raises InputError for a machine without unified
    memory, for encoders, and for a level that mlx-lm does not load.
    """
    stored = request.stored
    match stored:
        case Checkpoint():
            return (_plan(by, request, stored.sized, sum(size for _, size in stored.tensors)),)
        case Levels():
            sizes = (_sized(request.model.trunk or request.model, level) for level in _levels(stored))
            return tuple(_plan(by, request, sized, sized.tensor_bytes) for sized in sizes)
        case GgufFile():
            raise InputError("mlx-lm is planned for safetensors; for a GGUF file use runtime=llama.cpp.")
        case _:
            assert_never(stored)


def plan_mlx_level(by: Planner, request: PlanRequest, level: LevelId) -> Plan | None:
    """The plan of one level; None where mlx-lm runs nothing like it."""
    found = find_safetensors_level(level.name)
    if found.scheme not in (Scheme.MLX, Scheme.PLAIN):
        return None
    sized = _sized(request.model.trunk or request.model, found)
    return _plan(by, request, sized, sized.tensor_bytes)


@kept_beside
def _sized(model: Model, level: SafetensorsLevel) -> SizedSafetensors:
    return size_safetensors_level(model, level)


def _levels(wanted: Levels) -> list[SafetensorsLevel]:
    if wanted.only is None:
        return [level for level in SAFETENSORS_LEVELS.values() if level.scheme is Scheme.MLX]
    level = find_safetensors_level(wanted.only.name)
    if level.scheme not in (Scheme.MLX, Scheme.PLAIN):
        raise InputError(
            "mlx-lm does not load {level} as it is; choose a level such as MLX-4bit-g64.", level=level.name
        )
    return [level]


def _plan(by: Planner, request: PlanRequest, sized: SizedSafetensors, weights: int) -> Plan:
    """`weights` are the bytes of the tensors that mlx-lm loads."""
    bills = _bills(request, weights)
    model, memory, settings = bills[0].model, request.memory, request.settings
    _check(model, memory, settings, bills[0].options)
    # A smaller step reads a prompt more slowly: the largest with which it fits, else the one that lacks least.
    fitting = (one for one in bills if one.shortage(settings.context) <= 0)
    bill = next(fitting, None) or min(bills, key=lambda one: one.shortage(settings.context))
    device, short = memory.devices[0], bill.shortage(settings.context)
    limit = bill.buffer_limit(settings.context)
    tight = limit is None and bill.missing(settings.context, 0, highest=False) <= 0
    verdict: Verdict = "fits" if short <= 0 else "tight" if tight else "does not fit"
    temporary = mlx_temporary_bytes(model, settings.context, settings.users, bill.options)
    return Plan(
        request=replace(request, options=bill.options) if bill.options.chosen else request,
        by=by,
        sized=sized,
        settings=settings,
        placement=Placement(1, (0,) * len(model.layers), 0),
        verdict=verdict,
        devices=(
            DeviceMemory(
                memory.names[0],
                device.capacity_bytes,
                weights,
                mlx_cache_bytes(model, settings.context, settings.users, bill.options),
                round(temporary.typical),
                device.overhead_bytes,
                used_bytes=device.used_bytes,
            ),
        ),
        host=DeviceMemory(
            *("Host", memory.host_capacity_bytes, 0, 0, 0, memory.host_overhead_bytes),
            used_bytes=memory.host_used_bytes,
        ),
        missing_bytes=max(0, round(short)),
        rule_of_thumb_bytes=rule_of_thumb_bytes(model.parameters, sized.level.nominal_bits),
        rules=VERSION,
        compute_range=temporary,
        notes=_notes(settings, bill.options),
        limit=limit,
    )


def longest_context(plan: Plan) -> int:
    """See `Plan.max_context`."""
    bills = _bills(plan.request, plan.devices[0].weights_bytes)
    return _longest(
        bills[0].model, plan.settings.context, lambda context: any(bill.shortage(context) <= 0 for bill in bills)
    )


def requests_held(plan: Plan, tokens: int) -> float | None:
    """See `Plan.requests_held`."""
    model, options = plan.request.model.trunk or plan.request.model, plan.request.options_or(DEFAULTS)
    return held_where_set_aside(plan, lambda users: mlx_cache_bytes(model, tokens, users, options))


def _bills(request: PlanRequest, weights: int) -> tuple[_Bill, ...]:
    """One for each prefill step that a plan may take, the usual one first."""
    told = None if request.options is None else request.options_or(DEFAULTS)
    return tuple(_Bill(request, weights, options) for options in mlx_steps(told))


class _Bill:
    """What weights and a context take of the one memory there is."""

    def __init__(self, request: PlanRequest, weights: int, options: MlxOptions):
        self.request, self.weights, self.options = request, weights, options
        self.model = request.model.trunk or request.model

    def shortage(self, context: int) -> float:
        """Bytes that lack: with the margin at the typical estimate, without it at the highest."""
        margin = self.request.margin
        lacking = max(self.missing(context, margin, highest=False), self.missing(context, 0, highest=True))
        return max(lacking, self.excess(context)) if self.excess(context) else lacking

    def excess(self, context: int) -> int:
        """By how much the largest buffer is larger than may be."""
        limit = self.request.memory.devices[0].buffer_limit
        return 0 if limit is None else limit.excess(self.largest_buffer(context))

    def largest_buffer(self, context: int) -> int:
        return mlx_largest_buffer_bytes(self.model, context, self.request.settings.users, self.options)

    def buffer_limit(self, context: int) -> Message | None:
        """That the largest buffer is larger than may be."""
        device = self.request.memory.devices[0]
        if device.buffer_limit is None or not self.excess(context):
            return None
        most, buffer = device.buffer_limit.bytes, self.largest_buffer(context)
        return fact("mlx_buffer_too_large", buffer=buffer, most=most, device=device.name)

    def missing(self, context: int, keep: float, *, highest: bool) -> float:
        model, users, options = self.model, self.request.settings.users, self.options
        device = self.request.memory.devices[0]
        grown = mlx_temporary_bytes(model, context, users, options)
        fixed = self.weights + mlx_cache_bytes(model, context, users, options) + device.overhead_bytes
        return _shortage(self.request.memory, device, fixed + (grown.high if highest else grown.typical), keep)


def _shortage(memory: Memory, device: Device, needed: float, keep: float) -> float:
    short = needed - device.capacity_bytes * (1 - keep)
    if memory.host_capacity_bytes is None:
        return short
    return max(short, needed + memory.host_overhead_bytes - memory.host_capacity_bytes * (1 - keep))


def _longest(model: Model, asked: int, fits: Callable[[int], bool]) -> int:
    """The longest context that `fits`, in steps of the cache."""
    limit = max(model.context_length or 1 << 20, asked)
    low, high = 0, -(-limit // STEP)
    while low < high:
        middle = (low + high + 1) // 2
        if fits(min(middle * STEP, limit)):
            low = middle
        else:
            high = middle - 1
    return min(low * STEP, limit)


def _notes(settings: Settings, options: MlxOptions) -> tuple[Message, ...]:
    notes = [fact("mlx_prompt_caches")]
    if options.chosen:
        notes.append(fact("mlx_smaller_step", step=options.prefill_step, usual=PREFILL_STEP))
    if options.kv_bits and settings.users > 1:
        notes.append(fact("mlx_one_at_a_time"))
    elif settings.users > MOST_DECODED:
        notes.append(fact("mlx_queued", most=MOST_DECODED))
    return tuple(notes)


def _check(model: Model, memory: Memory, settings: Settings, options: MlxOptions) -> None:
    if not memory.pooled or len(memory.devices) != 1:
        raise InputError("MLX is sized for Apple silicon, whose GPU shares the system's memory; choose a Mac.")
    if not model.causal:
        raise InputError("mlx-lm runs language models only, no encoders; choose llama.cpp.")
    if settings.context < 1 or settings.users < 1:
        raise InputError("Context and users must be at least 1.")
    windows = any(mixer.kept(model.width).window for mixer in model.mixers)
    if options.kv_bits and windows:
        raise InputError("MLX cannot quantize the KV cache of sliding-window layers; leave it at 16 bit.")
