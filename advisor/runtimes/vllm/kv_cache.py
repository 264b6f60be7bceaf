"""vLLM's paged KV cache: how layers share pages, how many tokens fit, what a request takes.

Rules of vLLM 0.33.0: `v1/kv_cache_interface.py` (what a layer keeps), `v1/core/kv_cache_planning.py` (groups of layers
that share a block table), `v1/core/kv_cache_utils.py` (capacity and concurrency), `platforms/interface.py` (block size
of models with recurrent layers), `model_executor/layers/mamba/mamba_utils.py` (recurrent states).

A block holds the same number of tokens in every layer of its group; all groups take blocks of the same size from one
pool. Prefix caching is on, as by default, so that a recurrent layer keeps two states for a request.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from math import ceil
from typing import Literal

from advisor.foundation.caches import kept_beside
from advisor.foundation.errors import InputError
from advisor.models.indexer import Indexer
from advisor.models.mixers import CompressedAttention
from advisor.models.model import Layer, Model
from advisor.sizing.settings import round_up

BLOCK_TOKENS = 16
IN_FLIGHT_BATCHES = 2  # asynchronous scheduling: windows are freed one batch late
_STATES_KEPT = 2
_SPARSE_LATENT_FP8 = 656  # bytes per token that FlashMLA packs into its FP8 layout
_INDEXER_SCALE = 4  # bytes beside every 128 FP8 values of an indexer's key
_PACKED_TOKENS, _WINDOW_TOKENS, _PACKED_GRAIN = 256, 64, 576
_PACKED_EXTRA = 72  # rotary part in 16 bit and scales: 584 bytes for a head of 512

KV_DTYPES: dict[str, int] = {"auto": 2, "bfloat16": 2, "float16": 2, "fp8": 1, "fp8_e4m3": 1, "fp8_e5m2": 1}
Kind = Literal["full", "window", "chunk", "state"]


@dataclass(frozen=True, slots=True)
class Kept:
    """What one layer keeps on one GPU: bytes per token, or of a whole state. `span`: window or chunk in tokens."""

    kind: Kind
    size: int
    span: int = 0
    block_tokens: int = BLOCK_TOKENS

    @property
    def page_bytes(self) -> int:
        return self.size if self.kind == "state" else self.size * self.block_tokens


@dataclass(frozen=True, slots=True)
class Group:
    """Layers that share one block table."""

    layers: int
    kept: Kept

    def blocks(self, context: int, in_flight: int) -> int:
        """Blocks that one request of `context` tokens can come to hold, with `in_flight` tokens being computed."""
        tokens = self.kept.block_tokens
        match self.kept.kind:
            case "full":
                return -(-context // tokens)
            case "window":
                return -(-min(self.kept.span - 1 + in_flight, context) // tokens) + 1
            case "chunk":
                return -(-min(self.kept.span + in_flight, context) // tokens)
            case "state":
                return _STATES_KEPT

    def passing_blocks(self, in_flight: int) -> int:
        """Of those, the blocks of tokens being computed, which are freed once they are."""
        return -(-in_flight // self.kept.block_tokens) if self.kept.kind in ("window", "chunk") else 0


@dataclass(frozen=True, slots=True)
class PagedCache:
    """`block_bytes` is what one block takes in all layers of a group on one GPU; `block_tokens` its tokens."""

    block_bytes: int
    block_tokens: int
    groups: tuple[Group, ...]

    def blocks_per_request(self, context: int, batch_tokens: int) -> int:
        in_flight = IN_FLIGHT_BATCHES * batch_tokens
        return sum(group.blocks(context, in_flight) for group in self.groups)

    def request_bytes(self, context: int, users: float, batch_tokens: int) -> int:
        """For `users` requests of `context` tokens at once (a part of one in whole blocks), and the one block that
        vLLM sets aside.

        A batch is of all requests together: only one of them at a time has as many tokens in flight as vLLM asks room
        for before it admits one.
        """
        alone = self.blocks_per_request(context, batch_tokens)
        settled, passing = self._settled(context, batch_tokens)
        return (ceil(min(users * alone, users * settled + passing)) + 1) * self.block_bytes

    def at_once(self, available_bytes: float, context: int, batch_tokens: int) -> float:
        """How many requests of `context` tokens fit at once: at least what vLLM logs."""
        blocks = max(0, int(available_bytes // self.block_bytes) - 1)
        settled, passing = self._settled(context, batch_tokens)
        return max(self.concurrency(available_bytes, context, batch_tokens), (blocks - passing) / settled)

    def _settled(self, context: int, batch_tokens: int) -> tuple[int, int]:
        """Blocks that a request keeps once it is computed, at least one, and those that pass through for all."""
        settled = sum(group.blocks(context, 0) for group in self.groups)
        passing = sum(group.passing_blocks(IN_FLIGHT_BATCHES * batch_tokens) for group in self.groups)
        return max(1, settled), passing

    def concurrency(self, available_bytes: float, context: int, batch_tokens: int) -> float:
        """ "Maximum concurrency" in vLLM's log: each request has a whole batch in flight, which is too cautious where
        layers have windows.
        """
        blocks = max(0, int(available_bytes // self.block_bytes))
        return blocks / self.blocks_per_request(context, batch_tokens)

    def tokens(self, available_bytes: float, context: int, batch_tokens: int) -> int:
        """What vLLM logs as "GPU KV cache size": concurrency times the longest context it serves."""
        return int(self.concurrency(available_bytes, context, batch_tokens) * context)


@kept_beside
def paged_cache(model: Model, gpus: int = 1, kv_dtype: str = "auto") -> PagedCache | None:
    """The cache of `model` on each of `gpus` GPUs; None for encoders, which keep nothing.

    `kv_dtype` is vLLM's `--kv-cache-dtype`. Raises InputError for one that is not known.
    """
    if kv_dtype not in KV_DTYPES:
        raise InputError(
            "The KV cache type '{kv_dtype}' is not known here; use one of {kv_dtypes}.",
            kv_dtype=kv_dtype[:20],
            kv_dtypes=", ".join(KV_DTYPES),
        )
    if not model.causal:
        return None
    width = KV_DTYPES[kv_dtype]
    owners = _owners(model)
    if compressed := Counter(m for layer in owners for m in layer.mixers if isinstance(m, CompressedAttention)):
        return _compressed_cache(compressed)
    layers = kept_on_gpu(model, gpus, width)
    return _grouped(_paged_with_states(layers)) if layers else None


def _owners(model: Model) -> tuple[Layer, ...]:
    """The layers that keep something of their own."""
    return model.layers[: len(model.layers) - model.shared_kv_layers]


def kept_on_gpu(model: Model, gpus: int, width: int) -> Counter[Kept]:
    """What layers keep on each of `gpus` GPUs, and how many of them; `width` as below."""
    layers: Counter[Kept] = Counter()
    for layer, count in Counter(_owners(model)).items():
        for kept in _layer_keeps(layer, model, gpus, width):
            layers[kept] += count
    return layers


def _layer_keeps(layer: Layer, model: Model, gpus: int, width: int) -> list[Kept]:
    """`width`: bytes of an element of keys and values. Convolution inputs are in 16 bit, states as the config says."""
    found = []
    for mixer in layer.mixers:
        kept = mixer.kept(model.width, gpus)
        if kept.keys:
            packed = kept.latent and kept.indexer is not None and width == 1
            per_token = _SPARSE_LATENT_FP8 if packed else (kept.keys + kept.values) * width
            kind: Kind = "full" if not kept.window else "chunk" if kept.chunked else "window"
            found += [Kept(kind, per_token, kept.window), *_indexer(kept.indexer)]
        if state := kept.convolution * 2 + kept.state * (4 if model.wiring.states_in_32_bit else 2):
            found.append(Kept("state", state))
    return found


def _indexer(indexer: Indexer | None) -> list[Kept]:
    """Keys of the selector, in FP8 with a scale for every 128."""
    if indexer is None:
        return []
    return [Kept("full", indexer.head_size + max(1, indexer.head_size // 128) * _INDEXER_SCALE)]


def _compressed_cache(layers: Counter[CompressedAttention]) -> PagedCache:
    """DeepSeek V4 with its FP8 layout: pooled tokens, windows, and the 32-bit state of the pooling as tiny windows.

    Five block tables share one pool, whose blocks have the size of the widest group (`models/deepseek_v4/`). What vLLM
    0.22 said it needs was 5 % more.
    """
    pages: Counter[str] = Counter()
    for attention, count in layers.items():
        pages["window"] += count
        if attention.ratio:
            row = attention.head_size + _PACKED_EXTRA
            pages["full"] += count * round_up(_PACKED_TOKENS // attention.ratio * row, _PACKED_GRAIN)
        if attention.overlap > 1:
            key = attention.pool_indexer.head_size + _INDEXER_SCALE
            pages["full"] += count * round_up(_PACKED_TOKENS // attention.ratio * key, _PACKED_GRAIN)
    first = next(iter(layers))
    pooling = [
        (_pooling_page(attention), attention.ratio * attention.overlap, attention.overlap, count)
        for attention, count in layers.items()
        if attention.ratio
    ]
    most = max((count for *_, count in pooling), default=pages["window"])
    tables = max(1, round(pages["window"] / most))
    held = -(-pages["window"] // tables)
    window = Kept("window", first.head_size + _PACKED_EXTRA, first.window, _WINDOW_TOKENS)
    groups = [Group(1, Kept("full", 1, 0, _PACKED_TOKENS)), *[Group(held, window)] * tables]
    widest = [pages["full"], held * round_up(window.page_bytes, _PACKED_GRAIN)]
    for page, span, overlap, count in pooling:
        tokens = 4 if overlap > 1 else 8
        groups.append(Group(count, Kept("window", page // tokens, span, tokens)))
        widest.append(count * page)
    return PagedCache(max(widest), _PACKED_TOKENS, tuple(groups))


def _pooling_page(attention: CompressedAttention) -> int:
    """Values and scores of tokens not yet pooled: 4 tokens in two windows, with the indexer's, or 8 tokens in one."""
    if attention.overlap == 1:
        return round_up(8 * attention.head_size * 2 * 4, _PACKED_GRAIN)
    return sum(round_up(4 * 2 * size * 2 * 4, _PACKED_GRAIN) for size in attention.pooled_sizes)


def _paged_with_states(layers: Counter[Kept]) -> Counter[Kept]:
    """Where layers keep states, blocks of the others grow until a state fits into one."""
    states = [kept for kept in layers if kept.kind == "state"]
    paged = [kept for kept in layers if kept.kind != "state"]
    if not states or not paged:
        return layers
    largest = max(kept.page_bytes for kept in states)
    per_token = max(kept.size for kept in paged)
    tokens = max(BLOCK_TOKENS, BLOCK_TOKENS * -(-largest // (BLOCK_TOKENS * per_token)))
    return Counter(
        {kept if kept.kind == "state" else replace(kept, block_tokens=tokens): count for kept, count in layers.items()}
    )


def _grouped(layers: Counter[Kept]) -> PagedCache:
    tokens = max((kept.block_tokens for kept in layers if kept.kind != "state"), default=BLOCK_TOKENS)
    if all(kept.kind == "full" for kept in layers):
        # One group, whatever its layers keep: all of them need a slot for every token.
        size = sum(kept.page_bytes * count for kept, count in layers.items())
        return PagedCache(size, tokens, (Group(sum(layers.values()), next(iter(layers))),))
    page = max(kept.page_bytes for kept in layers)
    unified: Counter[Kept] = Counter()
    for kept, count in layers.items():
        unified[_unified(kept, page)] += count
    fewest, most = min(unified.values()), max(unified.values())
    size = most if most < fewest * 1.5 else fewest
    groups = tuple(Group(size, kept) for kept, count in unified.items() for _ in range(-(-count // size)))
    return PagedCache(size * page, tokens, groups)


def _unified(kept: Kept, page: int) -> Kept:
    """Every page must have the size of the largest: more tokens where that goes up evenly, padding otherwise."""
    if kept.kind == "state" or page % kept.page_bytes:
        return replace(kept, size=page) if kept.kind == "state" else kept
    return replace(kept, block_tokens=round_up(kept.block_tokens * (page // kept.page_bytes), 1))
