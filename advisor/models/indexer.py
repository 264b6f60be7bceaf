"""The selector of sparse attention, part of the blocks that use one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from advisor.models.tensors import Part, Role, matrix, norm

ATTENTION = Role.ATTENTION


@dataclass(frozen=True, slots=True)
class Indexer:
    """Sparse-attention selector: scores past tokens with small heads of its own.

    style: "lightning" (DeepSeek V3.2, GLM 5), "pooled" (GLM 5 Next) or "projected" (MiniMax M3, Qwen4).
    """

    heads: int
    head_size: int
    style: str = "lightning"
    pool: int = 1
    keeps_values: bool = False  # llama.cpp's cache for MiniMax M3 stores a value beside each indexer key
    by_block: bool = False  # whole blocks of past tokens are picked, by the highest score in each (MiniMax M3)

    def parts(self, width: int, query_rank: int) -> Iterator[Part]:
        if self.style == "projected":
            yield matrix("indexer.q_proj", width, self.heads * self.head_size, ATTENTION)
            yield matrix("indexer.k_proj", width, self.head_size, ATTENTION)
            yield from norm("indexer.q_norm", self.head_size)
            yield from norm("indexer.k_norm", self.head_size)
            return
        yield from norm("indexer.k_norm", self.head_size, with_bias=True)
        yield matrix("indexer.proj", width, self.heads, ATTENTION)
        yield matrix("indexer.attn_k", width, self.head_size, ATTENTION)
        yield matrix("indexer.attn_q_b", query_rank, self.heads * self.head_size, ATTENTION)
        if self.style == "pooled":
            yield matrix("indexer_compressor_gate", width, self.head_size, ATTENTION)
            yield matrix("indexer_compressor_ape", self.head_size, self.pool, ATTENTION)
