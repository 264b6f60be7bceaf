"""Plans for mlx-lm on Apple silicon: files as they are, a KV cache that grows in steps, one memory for everything.

Rules of mlx-lm 0.32.2: `generate.py` (the memory limit of Metal is wired), `server.py` (requests are batched, up to
32 at once); what grows with the context is in `advisor.runtimes.mlx.memory`.
"""

from __future__ import annotations

from collections.abc import Callable

from advisor.formats.safetensors_levels import SAFETENSORS_LEVELS, SafetensorsLevel, Scheme
from advisor.formats.safetensors_sizes import SizedSafetensors, size_safetensors_level
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, fact
from advisor.models.model import Model
from advisor.runtimes.mlx.memory import DEFAULTS, MOST_DECODED, STEP, MlxOptions, mlx_cache_bytes, mlx_temporary_bytes
from advisor.sizing.placement import Placement
from advisor.sizing.plan import Device, DeviceMemory, Memory, Plan, Verdict, rule_of_thumb_bytes
from advisor.sizing.settings import Settings

VERSION = "mlx-lm 0.32.2"


def plan_mlx_levels(
    model: Model, memory: Memory, settings: Settings, *, margin: float, options: MlxOptions = DEFAULTS
) -> list[Plan]:
    """A plan for every level mlx-lm writes. Raises InputError for a machine without unified memory, and encoders."""
    levels = [level for level in SAFETENSORS_LEVELS.values() if level.scheme is Scheme.MLX]
    return [plan_mlx(model, memory, settings, level, margin=margin, options=options) for level in levels]


def plan_mlx(
    model: Model,
    memory: Memory,
    settings: Settings,
    level: SafetensorsLevel,
    *,
    margin: float,
    options: MlxOptions = DEFAULTS,
) -> Plan:
    """A plan for one level; of `settings` only `context` (tokens per user) and `users` count."""
    model = model.trunk or model
    if level.scheme not in (Scheme.MLX, Scheme.PLAIN):
        raise InputError(f"mlx-lm does not load {level.name} as it is; choose a level such as MLX-4bit-g64.")
    sized = size_safetensors_level(model, level)
    return plan_mlx_file(model, memory, settings, sized, sized.tensor_bytes, margin=margin, options=options)


def plan_mlx_file(
    model: Model,
    memory: Memory,
    settings: Settings,
    sized: SizedSafetensors,
    weights: int,
    *,
    margin: float,
    options: MlxOptions = DEFAULTS,
) -> Plan:
    """A plan for a repository as published; `weights` are the bytes of the tensors that mlx-lm loads."""
    model = model.trunk or model
    _check(model, memory, settings, options)
    device = memory.devices[0]
    cache = mlx_cache_bytes(model, settings.context, settings.users, options)
    temporary = mlx_temporary_bytes(model, settings.context, settings.users, options)

    def shortage(context: int, keep: float, highest: bool) -> float:
        grown = mlx_temporary_bytes(model, context, settings.users, options)
        fixed = weights + mlx_cache_bytes(model, context, settings.users, options) + device.overhead_bytes
        return _shortage(memory, device, fixed + (grown.high if highest else grown.typical), keep)

    short = max(shortage(settings.context, margin, False), shortage(settings.context, 0, True))
    tight = shortage(settings.context, 0, False) <= 0
    verdict: Verdict = "fits" if short <= 0 else "tight" if tight else "does not fit"
    return Plan(
        sized=sized,
        runtime="mlx",
        settings=settings,
        placement=Placement(1, (0,) * len(model.layers), 0),
        verdict=verdict,
        devices=(
            DeviceMemory(
                memory.names[0],
                device.capacity_bytes,
                weights,
                cache,
                round(temporary.typical),
                device.overhead_bytes,
            ),
        ),
        host=DeviceMemory("Host", memory.host_capacity_bytes, 0, 0, 0, memory.host_overhead_bytes),
        missing_bytes=max(0, round(short)),
        rule_of_thumb_bytes=rule_of_thumb_bytes(model.parameters, sized.level.nominal_bits),
        find_longest_context=lambda: _longest(
            model, lambda context: max(shortage(context, margin, False), shortage(context, 0, True)) <= 0
        ),
        rules=VERSION,
        compute_range=temporary,
        notes=_notes(settings, options),
    )


def _shortage(memory: Memory, device: Device, needed: float, keep: float) -> float:
    short = needed - device.capacity_bytes * (1 - keep)
    if memory.host_capacity_bytes is None:
        return short
    return max(short, needed + memory.host_overhead_bytes - memory.host_capacity_bytes * (1 - keep))


def _longest(model: Model, fits: Callable[[int], bool]) -> int:
    """The longest context that `fits`, in steps of the cache."""
    limit = model.context_length or 1 << 20
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
