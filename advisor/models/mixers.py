"""The blocks that mix information between tokens: attention in its variants.

Each block is plain data and answers for itself (`Mixing`): its tensors, what it keeps of the past, its heads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from advisor.models.indexer import Indexer
from advisor.models.mixing import CachedHeads, Mixing, Past, Pool
from advisor.models.observed import Observed
from advisor.models.recurrent import NgramLookup, Recurrent
from advisor.models.tensors import Part, Role, bias, matrix, norm

ATTENTION = Role.ATTENTION
_OVERLAPPING_RATIO = 4  # DeepSeek V4: layers that pool 4 tokens do so in overlapping windows, with an indexer


@dataclass(frozen=True, slots=True)
class Attention(Mixing):
    """Grouped-query attention (multi-head when `kv_heads == heads`)."""

    heads: int
    kv_heads: int
    head_size: int
    value_size: int = 0  # 0: same as head_size
    window: int = 0  # 0: full attention; else the sliding window in tokens
    fused_qkv: bool = False
    qkv_bias: bool = False
    output_bias: bool = False
    query_key_norm: str = ""  # "", "head" (one head wide), "full" (all heads), "per_head" (heads x head size)
    norm_bias: bool = False
    gated_query: bool = False  # Qwen3-Next: query projection also yields the output gate
    gate: bool = False  # a separate projection gates the output
    sinks: bool = False
    value_projection: bool = True  # False: values are the keys (Gemma 4 global layers)
    own_kv: bool = True  # False: reads the KV cache of an earlier layer (Gemma 3n/4)
    chunked: bool = False  # Llama 4: window counts from chunk starts
    indexer: Indexer | None = None  # block-sparse selection that keeps its own key cache

    @property
    def value_head_size(self) -> int:
        return self.value_size or self.head_size

    @property
    def key_width(self) -> int:
        return self.kv_heads * self.head_size

    @property
    def value_width(self) -> int:
        return self.kv_heads * self.value_head_size

    def kept(self, width: int, gpus: int = 1) -> Past:
        """A KV head is repeated where there are more GPUs; a layer without KV of its own reads an earlier one's."""
        heads = max(self.kv_heads // gpus, 1)
        keys, values = heads * self.head_size, heads * self.value_head_size
        return Past(keys, values, self.window, self.chunked, indexer=self.indexer)

    @property
    def cached_heads(self) -> CachedHeads:
        return CachedHeads(self.kv_heads, self.head_size, self.value_head_size)

    @property
    def split_heads(self) -> int:
        return self.heads

    @property
    def rotary_size(self) -> int:
        return self.head_size

    @property
    def products_per_cell(self) -> int:
        return self.heads * (self.head_size + self.value_head_size)

    def parts(self, width: int) -> Iterator[Part]:
        query = self.heads * self.head_size
        projections = [("attn_q", query * (2 if self.gated_query else 1))]
        if self.own_kv:
            projections.append(("attn_k", self.key_width))
            if self.value_projection:
                projections.append(("attn_v", self.value_width))
        if self.fused_qkv:
            projections = [("attn_qkv", sum(rows for _, rows in projections))]
        for name, rows in projections:
            yield matrix(name, width, rows, ATTENTION)
            if self.qkv_bias:
                yield bias(name, rows, ATTENTION)
        yield matrix("attn_output", self.heads * self.value_head_size, width, ATTENTION)
        if self.output_bias:
            yield bias("attn_output", width, ATTENTION)
        yield from self._query_key_norms(query)
        if self.gate:
            yield matrix("attn_gate", width, self.heads * self.value_head_size, ATTENTION)
        if self.sinks:
            yield Part("attn_sinks.weight", (self.heads,), ATTENTION)
        if self.indexer is not None:
            yield from self.indexer.parts(width, 0)

    def _query_key_norms(self, query: int) -> Iterator[Part]:
        if self.query_key_norm == "head":
            yield from norm("attn_q_norm", self.head_size, self.norm_bias)
            if self.own_kv:
                yield from norm("attn_k_norm", self.head_size, self.norm_bias)
        elif self.query_key_norm == "full":
            yield from norm("attn_q_norm", query, self.norm_bias)
            yield from norm("attn_k_norm", self.key_width, self.norm_bias)
        elif self.query_key_norm == "per_head":
            yield Part("attn_q_norm.weight", (self.head_size, self.heads), Role.NORM)
            yield Part("attn_k_norm.weight", (self.head_size, self.kv_heads), Role.NORM)


@dataclass(frozen=True, slots=True)
class LatentAttention(Mixing):
    """Multi-head latent attention (MLA), with the up-projection split as llama.cpp stores it."""

    heads: int
    query_rank: int  # 0: queries are projected directly
    kv_rank: int
    nope_size: int
    rope_size: int
    value_size: int
    gate: bool = False
    indexer: Indexer | None = None

    @property
    def key_width(self) -> int:
        """Elements cached per token: the latent vector and the shared rotary key."""
        return self.kv_rank + self.rope_size

    def kept(self, width: int, gpus: int = 1) -> Past:
        """The same vector serves all heads, so that every GPU keeps it whole."""
        return Past(self.key_width, latent=True, indexer=self.indexer)

    @property
    def split_heads(self) -> int:
        return self.heads

    @property
    def rotary_size(self) -> int:
        return self.rope_size

    @property
    def products_per_cell(self) -> int:
        return self.heads * (self.key_width + self.kv_rank)

    @property
    def products_unpacked(self) -> int:
        return self.heads * (self.nope_size + self.rope_size + self.value_size)

    def parts(self, width: int) -> Iterator[Part]:
        query = self.heads * (self.nope_size + self.rope_size)
        if self.query_rank:
            yield from norm("attn_q_a_norm", self.query_rank)
            yield matrix("attn_q_a", width, self.query_rank, ATTENTION)
            yield matrix("attn_q_b", self.query_rank, query, ATTENTION)
        else:
            yield matrix("attn_q", width, query, ATTENTION)
        yield from norm("attn_kv_a_norm", self.kv_rank)
        yield matrix("attn_kv_a_mqa", width, self.key_width, ATTENTION)
        yield Part("attn_k_b.weight", (self.nope_size, self.kv_rank, self.heads), ATTENTION)
        yield Part("attn_v_b.weight", (self.kv_rank, self.value_size, self.heads), ATTENTION)
        yield matrix("attn_output", self.heads * self.value_size, width, ATTENTION)
        if self.gate:
            yield matrix("attn_gate", width, self.heads * self.value_size, ATTENTION)
        if self.indexer is not None:
            yield from self.indexer.parts(width, self.query_rank)


@dataclass(frozen=True, slots=True)
class CompressedAttention(Mixing):
    """DeepSeek V4 attention: one shared key/value head, a window, and compressed older tokens.

    `ratio` tokens are pooled into one (0: window only); ratio 4 also carries an indexer of its pools.
    """

    heads: int
    head_size: int
    query_rank: int
    output_groups: int
    output_rank: int
    window: int
    ratio: int
    pool_indexer: Indexer

    @property
    def pooled_sizes(self) -> tuple[int, ...]:
        """Elements of each pooled key: the head's, and the indexer's in layers that have one."""
        if not self.ratio:
            return ()
        return (self.head_size, self.pool_indexer.head_size) if self.overlap > 1 else (self.head_size,)

    @property
    def overlap(self) -> int:
        """Pools that a token is part of."""
        return 2 if self.ratio == _OVERLAPPING_RATIO else 1

    def kept(self, width: int, gpus: int = 1) -> Past:
        pools = tuple(Pool(size, self.ratio, self.overlap) for size in self.pooled_sizes)
        return Past(self.head_size, window=self.window, pools=pools)

    @property
    def split_heads(self) -> int:
        return self.heads

    @property
    def products_per_cell(self) -> int:
        return 2 * self.heads * self.head_size

    def parts(self, width: int) -> Iterator[Part]:
        inner = self.heads * self.head_size
        yield Part("attn_sinks.weight", (self.heads,), ATTENTION)
        yield matrix("attn_q_a", width, self.query_rank, ATTENTION)
        yield from norm("attn_q_a_norm", self.query_rank)
        yield matrix("attn_q_b", self.query_rank, inner, ATTENTION)
        yield matrix("attn_kv", width, self.head_size, ATTENTION)
        yield from norm("attn_kv_a_norm", self.head_size)
        yield matrix("attn_output_a", inner // self.output_groups, self.output_rank * self.output_groups, ATTENTION)
        yield matrix("attn_output_b", self.output_groups * self.output_rank, width, ATTENTION)
        if not self.ratio:
            return
        yield from _compressor("attn_compressor", width, self.head_size, self.overlap, self.ratio)
        if self.overlap > 1:
            index = self.pool_indexer
            yield matrix("indexer.proj", width, index.heads, ATTENTION)
            yield matrix("indexer.attn_q_b", self.query_rank, index.heads * index.head_size, ATTENTION)
            yield from _compressor("indexer_compressor", width, index.head_size, 2, self.ratio)


def _compressor(prefix: str, width: int, head_size: int, overlap: int, ratio: int) -> Iterator[Part]:
    yield matrix(f"{prefix}_kv", width, overlap * head_size, ATTENTION)
    yield matrix(f"{prefix}_gate", width, overlap * head_size, ATTENTION)
    yield matrix(f"{prefix}_ape", overlap * head_size, ratio, ATTENTION)
    yield from norm(f"{prefix}_norm", head_size)


@dataclass(frozen=True, slots=True)
class LinearAttention(Mixing):
    """A single projection in place of attention (Nemotron-NAS); keeps nothing per token."""

    def parts(self, width: int) -> Iterator[Part]:
        yield matrix("attn_output", width, width, ATTENTION)


Mixer = Attention | LatentAttention | CompressedAttention | LinearAttention | NgramLookup | Observed | Recurrent
