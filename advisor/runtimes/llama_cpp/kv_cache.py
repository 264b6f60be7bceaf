"""What each layer keeps of the past: KV cache and recurrent state, in bytes.

Rules of llama.cpp (commit 0c1e57098, October 2026, `src/llama-kv-cache*.cpp`, `src/llama-memory-*.cpp`)
with one stream per sequence (`-np`), or one for all (`--kv-unified`). Checked against `llama-fit-params`.
"""

from __future__ import annotations

from dataclasses import replace

from advisor.foundation.caches import kept_beside
from advisor.models.indexer import Indexer
from advisor.models.mixing import Past, Pool
from advisor.models.model import Model
from advisor.sizing.settings import Settings, cache_bytes, round_up

_F32 = 4


def layer_cache_bytes(model: Model, settings: Settings) -> list[int]:
    """Bytes each layer keeps for all users together; zeros for encoders, which keep nothing."""
    if not model.causal:
        return [0] * len(model.layers)
    settings = as_kept(model, settings)
    value_floor = 0 if settings.flash_attention else widest_values(model)
    hybrid = any(mixer.recurrent for mixer in model.mixers)
    padding = 0 if hybrid else settings.streams * settings.cells * cache_bytes(settings.cache_type_v, value_floor)
    owners = len(model.layers) - model.shared_kv_layers
    kinds, numbers = _pasts(model)
    # Layers without attention get the padding all the same, except in hybrids, which filter them out.
    kept = [sum([_kept_bytes(past, settings, value_floor) for past in pasts]) or padding for pasts in kinds]
    return [kept[number] for number in numbers[:owners]] + [0] * model.shared_kv_layers


@kept_beside
def _pasts(model: Model) -> tuple[tuple[tuple[Past, ...], ...], tuple[int, ...]]:
    """What layers keep, each kind once, and of which kind each layer is."""
    kinds: dict[tuple[Past, ...], int] = {}
    numbers = [
        kinds.setdefault(tuple([mixer.kept(model.width) for mixer in layer.mixers]), len(kinds))
        for layer in model.layers
    ]
    return tuple(kinds), tuple(numbers)


def as_kept(model: Model, settings: Settings) -> Settings:
    """`settings` with one cache for each user where the model never has a unified one.

    DeepSeek V4 keeps its streams apart, each of the whole context, whatever is asked for (src/llama-kv-cache-dsv4.cpp).
    """
    if settings.unified and any(mixer.kept(model.width).pools for mixer in model.mixers):
        return replace(settings, unified=False)
    return settings


def widest_values(model: Model) -> int:
    """Without flash attention values lie transposed, and layers with narrower values are padded to the widest."""
    return max((mixer.kept(model.width).values for mixer in model.mixers), default=0)


def _kept_bytes(kept: Past, settings: Settings, value_floor: int) -> int:
    """Keys and values in the types of the cache, one of each stream; states in 32 bit, one of each user."""
    cells = window_cells(kept.window, settings) if kept.window else settings.cells
    per_cell = cache_bytes(settings.cache_type_k, kept.keys)
    if kept.values:
        per_cell += cache_bytes(settings.cache_type_v, max(kept.values, value_floor))
    per_stream = cells * per_cell + _indexer_bytes(kept.indexer, settings)
    per_stream += sum(_pool_bytes(pool, settings) for pool in kept.pools)
    return settings.streams * per_stream + settings.users * (kept.convolution + kept.state) * _F32


def window_cells(window: int, settings: Settings) -> int:
    """Cells of a sliding-window layer per stream: the windows in it and one micro-batch, rounded up to 256."""
    return round_up(min(settings.cells, window * settings.shared_by + settings.micro_batch), 256)


def _indexer_bytes(indexer: Indexer | None, settings: Settings) -> int:
    """Indexer keys: one head per layer. The pooled kind also keeps gates and pooled values, three in all."""
    if indexer is None:
        return 0
    if indexer.keeps_values and not settings.since("2026-09"):  # keys alone, in 32 bits whatever was asked for
        return settings.cells * indexer.head_size * _F32
    elements = indexer.head_size * (3 if indexer.style == "pooled" else 1)
    values = cache_bytes(settings.cache_type_v, indexer.head_size) if indexer.keeps_values else 0
    return settings.cells * (cache_bytes(settings.cache_type_k, elements) + values)


def pooled_cells(ratio: int, settings: Settings) -> int:
    """Cells of pooled keys of one stream (DeepSeek V4)."""
    return round_up(max(1, -(-settings.cells // ratio)), 256)


def _pool_bytes(pool: Pool, settings: Settings) -> int:
    keys = pooled_cells(pool.ratio, settings) * cache_bytes(settings.cache_type_k, pool.width)
    return keys + pool.waiting * _F32
