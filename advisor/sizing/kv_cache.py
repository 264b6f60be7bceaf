"""What each layer keeps of the past: KV cache and recurrent state, in bytes.

Rules of llama.cpp (commit 0c1e57098, October 2026, `src/llama-kv-cache*.cpp`, `src/llama-memory-*.cpp`)
with one stream per sequence (`-np`), or one for all (`--kv-unified`). Checked against `llama-fit-params`.
"""

from __future__ import annotations

from dataclasses import replace

from advisor.models.mixers import Attention, CompressedAttention, Indexer, LatentAttention, LinearAttention, Mixer
from advisor.models.model import Model
from advisor.models.recurrent import GatedDeltaNet, KimiDelta, Mamba2, NgramLookup, ShortConvolution
from advisor.sizing.settings import Settings, cache_bytes, round_up

_F32 = 4
_RECURRENT = (Mamba2, GatedDeltaNet, KimiDelta, ShortConvolution)
_OVERLAPPING_RATIO = 4  # DeepSeek V4: layers that pool 4 tokens do so in overlapping windows, with an indexer


def layer_cache_bytes(model: Model, settings: Settings) -> list[int]:
    """Bytes each layer keeps for all users together; zeros for encoders, which keep nothing."""
    if not model.causal:
        return [0] * len(model.layers)
    settings = as_kept(model, settings)
    value_floor = 0 if settings.flash_attention else _widest_values(model)
    hybrid = any(isinstance(mixer, _RECURRENT) for layer in model.layers for mixer in layer.mixers)
    padding = 0 if hybrid else settings.streams * settings.cells * cache_bytes(settings.cache_type_v, value_floor)
    owners = len(model.layers) - model.shared_kv_layers
    kept = []
    for layer in model.layers[:owners]:
        held = sum(_mixer_bytes(mixer, model.width, settings, value_floor) for mixer in layer.mixers)
        # Layers without attention get the padding all the same, except in hybrids, which filter them out.
        kept.append(held or padding)
    return kept + [0] * model.shared_kv_layers


def as_kept(model: Model, settings: Settings) -> Settings:
    """`settings` with one cache for each user where the model never has a unified one.

    DeepSeek V4 keeps its streams apart, each of the whole context, whatever is asked for (src/llama-kv-cache-dsv4.cpp).
    """
    if settings.unified and any(isinstance(m, CompressedAttention) for layer in model.layers for m in layer.mixers):
        return replace(settings, unified=False)
    return settings


def _widest_values(model: Model) -> int:
    """Without flash attention values lie transposed, and layers with narrower values are padded to the widest."""
    widths = [m.value_width for layer in model.layers for m in layer.mixers if isinstance(m, Attention)]
    return max(widths, default=0)


def _mixer_bytes(mixer: Mixer, width: int, settings: Settings, value_floor: int) -> int:
    match mixer:
        case Attention():
            return _attention_bytes(mixer, settings, value_floor)
        case LatentAttention():
            per_token = cache_bytes(settings.cache_type_k, mixer.key_width)
            return settings.streams * settings.cells * per_token + _indexer_bytes(mixer.indexer, settings)
        case CompressedAttention():
            return _compressed_bytes(mixer, settings)
        case LinearAttention():
            return 0
        case NgramLookup():
            state = mixer.state_elements(width)
        case ShortConvolution():
            state = (mixer.kernel - 1) * width
        case KimiDelta() | Mamba2() | GatedDeltaNet():
            state = (mixer.kernel - 1) * mixer.convolution_width + mixer.state_elements
    return settings.users * state * _F32


def window_cells(window: int, settings: Settings) -> int:
    """Cells of a sliding-window layer per stream: the windows in it and one micro-batch, rounded up to 256."""
    return round_up(min(settings.cells, window * settings.shared_by + settings.micro_batch), 256)


def _attention_bytes(attention: Attention, settings: Settings, value_floor: int) -> int:
    cells = window_cells(attention.window, settings) if attention.window else settings.cells
    keys = cache_bytes(settings.cache_type_k, attention.key_width)
    values = cache_bytes(settings.cache_type_v, max(attention.value_width, value_floor))
    return settings.streams * cells * (keys + values) + _indexer_bytes(attention.indexer, settings)


def _indexer_bytes(indexer: Indexer | None, settings: Settings) -> int:
    """Indexer keys: one head per layer. The pooled kind also keeps gates and pooled values, three in all."""
    if indexer is None:
        return 0
    elements = indexer.head_size * (3 if indexer.style == "pooled" else 1)
    values = cache_bytes(settings.cache_type_v, indexer.head_size) if indexer.keeps_values else 0
    return settings.streams * settings.cells * (cache_bytes(settings.cache_type_k, elements) + values)


def _compressed_bytes(attention: CompressedAttention, settings: Settings) -> int:
    """DeepSeek V4: keys of the window, keys of the pooled tokens, and the state of the pooling."""
    head = cache_bytes(settings.cache_type_k, attention.head_size)
    total = window_cells(attention.window, settings) * head
    if attention.ratio:
        pooled = round_up(max(1, -(-settings.cells // attention.ratio)), 256)
        total += pooled * head + _pooling_state(attention.head_size, attention.ratio)
        if attention.ratio == _OVERLAPPING_RATIO:
            total += pooled * cache_bytes(settings.cache_type_k, attention.indexer.head_size)
            total += _pooling_state(attention.indexer.head_size, attention.ratio)
    return settings.users * total


def _pooling_state(head_size: int, ratio: int) -> int:
    """Values and scores of the tokens not yet pooled, in 32 bit; the overlapping kind keeps two windows."""
    overlap = 2 if ratio == _OVERLAPPING_RATIO else 1
    return 2 * (overlap * head_size) * (overlap * ratio) * _F32
