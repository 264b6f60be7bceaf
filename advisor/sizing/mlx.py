"""Plans for mlx-lm on Apple silicon: files as they are, a KV cache that grows in steps, one memory for everything.

Rules of mlx-lm 0.32.2: `models/cache.py` (caches by layer kind), each model's `make_cache`, `generate.py` (prompts in
steps of 2048 tokens, the memory limit of Metal wired), `server.py` (requests are batched, up to 32 at once).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from advisor.errors import InputError
from advisor.estimate import Range
from advisor.formats.safetensors_levels import SAFETENSORS_LEVELS, SafetensorsLevel, Scheme
from advisor.formats.safetensors_sizes import SizedSafetensors, size_safetensors_level
from advisor.models.feed_forward import Dense, MixtureOfExperts
from advisor.models.mixers import Attention, CompressedAttention, Indexer, LatentAttention, Mixer
from advisor.models.model import Layer, Model
from advisor.models.recurrent import GatedDeltaNet, KimiDelta, Mamba2, NgramLookup, ShortConvolution
from advisor.sizing.placement import Placement
from advisor.sizing.plan import Device, DeviceMemory, Memory, Plan, Verdict, rule_of_thumb_bytes
from advisor.sizing.settings import Settings, round_up
from advisor.units import MIB

VERSION = "mlx-lm 0.32.2"
STEP = 256  # tokens by which a cache grows
PREFILL_STEP = 2048
MOST_DECODED = 32  # --decode-concurrency
MOST_PREFILLED = 8  # --prompt-concurrency
_HALF = 2
_SINGLE = 4
_QUANTIZED_GROUP = 64
_KV_BITS = (2, 3, 4, 5, 6, 8)
# Estimates. MLX evaluates lazily and frees what it can, but keeps freed buffers for reuse until the step is over.
_TEMPORARY_FACTOR = Range(1, 2, 4)
_RUNTIME_BYTES = Range(50 * MIB, 150 * MIB, 400 * MIB)
_PROMPT_CACHE = (
    "mlx_lm.server also keeps the caches of up to 10 finished prompts; limit them with --prompt-cache-size or "
    "--prompt-cache-bytes."
)
_ONE_AT_A_TIME = "With a quantized KV cache mlx_lm.server answers one request at a time."
_QUEUED = f"mlx_lm.server decodes up to {MOST_DECODED} requests at once; more wait."


@dataclass(frozen=True, slots=True)
class MlxOptions:
    """What `mlx_lm.server` is told: `--kv-bits` (None: 16 bit), `--prefill-step-size`."""

    kv_bits: int | None = None
    prefill_step: int = PREFILL_STEP

    def __post_init__(self) -> None:
        if self.kv_bits is not None and self.kv_bits not in _KV_BITS:
            raise InputError(f"MLX quantizes its KV cache to 2, 3, 4, 5, 6 or 8 bits, not {self.kv_bits}.")
        if not 1 <= self.prefill_step <= 1 << 20:
            raise InputError(f"MLX's prefill step must be between 1 and {1 << 20:,} tokens, not {self.prefill_step}.")


DEFAULTS = MlxOptions()


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
        raise InputError(f"mlx-lm does not load {level.name}; choose one of its own levels, such as MLX-4bit-g64.")
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
        runtime="MLX",
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


def mlx_cache_bytes(model: Model, context: int, users: int, options: MlxOptions = DEFAULTS) -> int:
    """KV caches and recurrent states of `users` requests of `context` tokens."""
    at_once = _at_once(users, options)
    owners = model.layers[: len(model.layers) - model.shared_kv_layers]
    return at_once * sum(
        count * sum(_mixer_bytes(mixer, model, context, options) for mixer in layer.mixers)
        for layer, count in Counter(owners).items()
    )


def mlx_temporary_bytes(model: Model, context: int, users: int, options: MlxOptions = DEFAULTS) -> Range:
    """What one step of the prompt needs beside weights and cache: an estimate.

    Activations of the widest layer, scores of the last token, and a second copy of one layer's cache, which exists
    while that cache grows.
    """
    at_once = min(_at_once(users, options), MOST_PREFILLED)
    tokens = min(context, options.prefill_step) * at_once
    widest = max(_layer_elements(layer, model.width) for layer in model.layers)
    activations = _TEMPORARY_FACTOR.scaled(tokens * _HALF * (2 * model.width + widest))
    scores = _at_once(users, options) * model.vocabulary * (_HALF + _SINGLE)
    copied = _at_once(users, options) * max(
        sum(_mixer_bytes(mixer, model, context, options) for mixer in layer.mixers) for layer in set(model.layers)
    )
    fixed = scores + copied
    return Range(
        activations.low + fixed + _RUNTIME_BYTES.low,
        activations.typical + fixed + _RUNTIME_BYTES.typical,
        activations.high + fixed + _RUNTIME_BYTES.high,
    )


def _at_once(users: int, options: MlxOptions) -> int:
    return 1 if options.kv_bits else min(users, MOST_DECODED)


def _mixer_bytes(mixer: Mixer, model: Model, context: int, options: MlxOptions) -> int:
    match mixer:
        case Attention():
            return _attention(mixer, context, options)
        case LatentAttention():
            return _grown(context) * _element_bytes(mixer.key_width, options) + _indexer(mixer.indexer, context)
        case CompressedAttention():
            pooled = -(-context // mixer.ratio) if mixer.ratio else 0
            return (_rotated(mixer.window, context, options) + pooled) * mixer.head_size * _HALF
        case Mamba2() | GatedDeltaNet() | KimiDelta():
            return (mixer.kernel - 1) * mixer.convolution_width * _HALF + mixer.state_elements * _SINGLE
        case ShortConvolution():
            return (mixer.kernel - 1) * model.width * _HALF
        case NgramLookup():
            return mixer.state_elements(model.width) * _HALF
        case _:
            return 0


def _attention(attention: Attention, context: int, options: MlxOptions) -> int:
    if not attention.own_kv:
        return 0
    width = attention.key_width + attention.value_width
    if attention.window:
        return _rotated(attention.window, context, options) * width * _HALF
    return _grown(context) * _element_bytes(width, options) + _indexer(attention.indexer, context)


def _grown(context: int) -> int:
    return round_up(context, STEP)


def _rotated(window: int, context: int, options: MlxOptions) -> int:
    """Tokens of a rotating cache: the window, and one step of the prompt while that is computed."""
    return min(_grown(context), window + min(options.prefill_step, context))


def _indexer(indexer: Indexer | None, context: int) -> int:
    return 0 if indexer is None else _grown(context) * indexer.head_size * _HALF


def _element_bytes(elements: int, options: MlxOptions) -> int:
    """Bytes per token; quantized groups of 64 have a scale and a bias in 16 bit."""
    if options.kv_bits is None:
        return elements * _HALF
    return elements * options.kv_bits // 8 + elements // _QUANTIZED_GROUP * 2 * _HALF


def _layer_elements(layer: Layer, width: int) -> int:
    """Elements a token needs at the widest place of a layer."""
    block = layer.feed_forward
    feeding = 0
    if isinstance(block, Dense):
        feeding = 3 * block.inner
    elif isinstance(block, MixtureOfExperts):
        feeding = block.used * (3 * block.inner + (block.latent or width)) + 3 * block.shared_inner
    mixing = max((_mixing_elements(mixer) for mixer in layer.mixers), default=0)
    return max(feeding, mixing)


def _mixing_elements(mixer: Mixer) -> int:
    match mixer:
        case Attention():
            heads = mixer.heads * (mixer.head_size + mixer.value_head_size) * (2 if mixer.gated_query else 1)
            return heads + mixer.key_width + mixer.value_width
        case LatentAttention():
            return mixer.heads * (mixer.nope_size + mixer.rope_size + mixer.value_size + 2 * mixer.kv_rank)
        case Mamba2():
            return 2 * (2 * mixer.inner + mixer.convolution_width)
        case GatedDeltaNet():
            return 2 * mixer.convolution_width + 3 * mixer.value_heads * mixer.value_size
        case KimiDelta():
            return 2 * mixer.convolution_width + 3 * mixer.inner
        case CompressedAttention():
            return 2 * mixer.heads * mixer.head_size
        case _:
            return 0


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


def _notes(settings: Settings, options: MlxOptions) -> tuple[str, ...]:
    notes = [_PROMPT_CACHE]
    if options.kv_bits and settings.users > 1:
        notes.append(_ONE_AT_A_TIME)
    elif settings.users > MOST_DECODED:
        notes.append(_QUEUED)
    return tuple(notes)


def _check(model: Model, memory: Memory, settings: Settings, options: MlxOptions) -> None:
    if not memory.pooled or len(memory.devices) != 1:
        raise InputError("MLX is sized for Apple silicon, whose GPU shares the system's memory; choose a Mac.")
    if not model.causal:
        raise InputError("mlx-lm runs language models only, no encoders; choose llama.cpp.")
    if settings.context < 1 or settings.users < 1:
        raise InputError("Context and users must be at least 1.")
    windows = any(getattr(mixer, "window", 0) for layer in model.layers for mixer in layer.mixers)
    if options.kv_bits and windows:
        raise InputError("MLX cannot quantize the KV cache of sliding-window layers; leave it at 16 bit.")
