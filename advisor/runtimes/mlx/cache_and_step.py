"""What mlx-lm takes beside the weights: KV caches by layer kind, exact, and what a step of the prompt needs, estimated.

Rules of mlx-lm 0.32.2: `models/cache.py`, each model's `make_cache`, `models/ssm.py`, `generate.py`. The estimate is
held to peaks that mlx-lm's users measured (`tests/truth/mlx_peaks.csv`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import assert_never

from advisor.foundation.caches import kept_beside
from advisor.foundation.errors import InputError
from advisor.foundation.ranges import Range
from advisor.foundation.units import MIB
from advisor.models.feed_forward import Dense, MixtureOfExperts
from advisor.models.indexer import Indexer
from advisor.models.mixers import Attention, CompressedAttention, LatentAttention, LinearAttention, Mixer
from advisor.models.model import Layer, Model
from advisor.models.observed import Observed
from advisor.models.recurrent import GatedDeltaNet, KimiDelta, Mamba2, NgramLookup, ShortConvolution
from advisor.sizing.request import RuntimeOptions
from advisor.sizing.settings import round_up

STEP = 256  # tokens by which a cache grows
PREFILL_STEP = 2048
_LEAST_STEP = 128
MOST_DECODED = 32  # --decode-concurrency
MOST_PREFILLED = 8  # --prompt-concurrency
_HALF = 2
_SINGLE = 4
_QUANTIZED_GROUP = 64
_KV_BITS = (2, 3, 4, 5, 6, 8)
# Estimates. MLX evaluates lazily and frees what it can, but keeps freed buffers for reuse until the step is over.
_TEMPORARY_FACTOR = Range(1, 2, 4)
# Without a fused kernel, scores of a step against the whole context exist in 16 bit for all heads of a layer: 56 bytes
# per pair of tokens for 24 heads (Qwen3.8 27B); latent attention has them twice, 577 bytes for 128 heads (DeepSeek V3).
_FUSED_HEADS = frozenset({64, 80, 128})
_SCORE_BYTES = Range(2, 2.3, 2.6)
# At most, as one buffer: 22.01 GB for 128,022 tokens and 16 heads (0xSero/local-ai-registry pull 43, an M1 Max).
_SCORE_BUFFER_BYTES = 5.3
# State-space layers work on pieces of 256 tokens, of which a step's are alive together: 5 GB beside the weights of
# Granite 4.0 H Small for 2048 tokens, that is 2.4 bytes for each token, channel and element of its state.
_STATE_SPACE_BYTES = Range(0.5, 2.4, 2.8)
_RUNTIME_BYTES = Range(50 * MIB, 150 * MIB, 400 * MIB)


@dataclass(frozen=True, slots=True)
class MlxOptions(RuntimeOptions):
    """What `mlx_lm.server` is told: `--kv-bits` (None: 16 bit), `--prefill-step-size` (`chosen`: by a plan)."""

    kv_bits: int | None = None
    prefill_step: int = PREFILL_STEP
    chosen: bool = False

    def __post_init__(self) -> None:
        if self.kv_bits is not None and self.kv_bits not in _KV_BITS:
            raise InputError(
                "MLX quantizes its KV cache to 2, 3, 4, 5, 6 or 8 bits, not {kv_bits}.", kv_bits=self.kv_bits
            )
        if not 1 <= self.prefill_step <= 1 << 20:
            raise InputError(
                "MLX's prefill step must be between 1 and {most:,} tokens, not {prefill_step}.",
                most=1 << 20,
                prefill_step=self.prefill_step,
            )


DEFAULTS = MlxOptions()


def mlx_cache_bytes(model: Model, context: int, users: int, options: MlxOptions = DEFAULTS) -> int:
    """KV caches and recurrent states of `users` requests of `context` tokens."""
    at_once = _at_once(users, options)
    return at_once * sum(
        count * sum(_mixer_bytes(mixer, model, context, options) for mixer in layer.mixers)
        for layer, count in _layers(model).items()
    )


def mlx_temporary_bytes(model: Model, context: int, users: int, options: MlxOptions = DEFAULTS) -> Range:
    """What one step of the prompt needs beside weights and cache: an estimate.

    Activations of the widest layer, attention scores where no fused kernel serves the head size, the logits, and a
    second copy of one layer's cache, which exists while that cache grows.
    """
    at_once = min(_at_once(users, options), MOST_PREFILLED)
    tokens = min(context, options.prefill_step) * at_once
    widest = max(_layer_elements(layer, model.width) for layer in _layers(model))
    activations = _TEMPORARY_FACTOR.scaled(tokens * _HALF * (2 * model.width + widest))
    attention = _SCORE_BYTES.scaled(tokens * context * _scored_heads(model))
    logits = _at_once(users, options) * model.vocabulary * (_HALF + _SINGLE)
    copied = _at_once(users, options) * max(
        sum(_mixer_bytes(mixer, model, context, options) for mixer in layer.mixers) for layer in _layers(model)
    )
    states = _STATE_SPACE_BYTES.scaled(tokens * _state_space(model))
    parts = (activations, attention, states, _RUNTIME_BYTES, Range(logits + copied, logits + copied, logits + copied))
    return Range(sum(part.low for part in parts), sum(part.typical for part in parts), sum(part.high for part in parts))


def mlx_largest_buffer_bytes(model: Model, context: int, users: int, options: MlxOptions = DEFAULTS) -> int:
    """The largest single allocation that a step of the prompt may ask for: the scores of one layer, or its cache."""
    step = min(context, options.prefill_step)
    caches = (_mixer_bytes(mixer, model, context, options) for layer in _layers(model) for mixer in layer.mixers)
    scores = round(_SCORE_BUFFER_BYTES * step * context * _scored_heads(model))
    return max(scores, _at_once(users, options) * max(caches, default=0))


def mlx_steps(told: MlxOptions | None) -> tuple[MlxOptions, ...]:
    """The prefill steps that a plan may take: as told, else the usual one and smaller ones, by halves."""
    if told is not None and not told.chosen:
        return (told,)
    smaller, step = [], PREFILL_STEP
    while step > _LEAST_STEP:
        step //= 2
        smaller.append(MlxOptions(prefill_step=step, chosen=True))
    return (DEFAULTS, *smaller)


@kept_beside
def _layers(model: Model) -> dict[Layer, int]:
    """Each different layer that has a cache of its own, and how many there are."""
    return dict(Counter(model.layers[: len(model.layers) - model.shared_kv_layers]))


@kept_beside
def _scored_heads(model: Model) -> int:
    """Heads of the widest layer whose scores against the whole context are written to memory."""
    heads = [0]
    for layer in _layers(model):
        for mixer in layer.mixers:
            if (kept := mixer.kept(model.width)).latent:
                heads.append(2 * mixer.split_heads)
            elif kept.values and not kept.window and mixer.cached_heads.key_size not in _FUSED_HEADS:
                heads.append(mixer.split_heads)
    return max(heads)


@kept_beside
def _state_space(model: Model) -> int:
    """Elements of the state of the widest state-space layer."""
    mixers = (mixer for layer in _layers(model) for mixer in layer.mixers)
    return max((mixer.state_elements for mixer in mixers if isinstance(mixer, Mamba2)), default=0)


def _at_once(users: int, options: MlxOptions) -> int:
    return 1 if options.kv_bits else min(users, MOST_DECODED)


def _mixer_bytes(mixer: Mixer, model: Model, context: int, options: MlxOptions) -> int:
    """Rotating caches and pools stay in 16 bit, and so do convolution inputs; states are in 32."""
    kept = mixer.kept(model.width)
    size = kept.convolution * _HALF + kept.state * _SINGLE + _indexer(kept.indexer, context)
    if kept.window:
        pooled = -(-context // kept.pools[0].ratio) if kept.pools else 0
        return size + (_rotated(kept.window, context, options) + pooled) * (kept.keys + kept.values) * _HALF
    return size + _grown(context) * _element_bytes(kept.keys + kept.values, options)


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
    match layer.feed_forward:
        case Dense() as block:
            feeding = 3 * block.inner
        case MixtureOfExperts() as block:
            feeding = block.used * (3 * block.inner + (block.latent or width)) + 3 * block.shared_inner
        case _:
            feeding = 0
    mixing = max((_mixing_elements(mixer) for mixer in layer.mixers), default=0)
    return max(feeding, mixing)


def _mixing_elements(mixer: Mixer) -> int:
    """An estimate of mlx-lm's own, which attends in the latent space: hence by kind."""
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
        case Observed():
            return mixer.rows
        case ShortConvolution() | NgramLookup() | LinearAttention():
            return 0
        case _:
            assert_never(mixer)
