"""Graph nodes of sparse attention's selectors: which past tokens a query may see (`build_attn`, src/models/*.cpp)."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.models.indexer import Indexer
from advisor.runtimes.llama_cpp.compute.frame import Frame
from advisor.runtimes.llama_cpp.compute.graph import view
from advisor.sizing.placement import HOST
from advisor.sizing.settings import cache_bytes

_SELECTED = 2048  # tokens a lightning indexer picks; published models agree on it


@dataclass(slots=True)
class Selection:
    """The lightning indexer of DeepSeek V3.2 and GLM 5; a layer without one uses the choice of an earlier layer."""

    frame: Frame
    indexer: Indexer | None
    source: int

    def store_keys(self) -> None:
        if self.indexer is None:
            return
        frame, graph = self.frame, self.frame.graph
        size = frame.f32(self.indexer.head_size)
        keys = graph.matmul(size, self.source, weight="indexer.attn_k")
        keys = graph.norm(size, keys, rms=False, weight="indexer.k_norm")
        keys = frame.positioned(view(keys), self.indexer.head_size, frame.positions)
        keys = graph.op(size, frame.selector_turn, keys)
        graph.store(view(keys), frame.selector_rows)

    def mask(self, reduced: int) -> int:
        """The attention mask with all but the picked tokens hidden."""
        frame, graph = self.frame, self.frame.graph
        picked = min(_SELECTED, frame.cells(0))
        zeros = graph.inplace(frame.f32(picked), graph.constant(frame.f32(picked)))
        if self.indexer is not None:
            frame.selected = self._pick(self.indexer, reduced, picked)
        full = frame.masks[0]
        size = graph.sizes[full]
        hidden = graph.op(size, full)
        graph.op(0, zeros, graph.part(frame.f32(picked), view(frame.selected)), view(hidden))
        return graph.op(size, view(hidden), full)

    def _pick(self, indexer: Indexer, reduced: int, picked: int) -> int:
        frame, graph = self.frame, self.frame.graph
        size = frame.f32(indexer.heads * indexer.head_size)
        query = view(graph.matmul(size, reduced, weight="indexer.attn_q_b"))
        query = frame.positioned(query, indexer.head_size, frame.positions)
        query = graph.op(size, frame.selector_turn, query)
        weights = graph.matmul(frame.f32(indexer.heads), self.source, weight="indexer.proj")
        weights = graph.op(frame.f32(indexer.heads), view(weights))
        keys: tuple[int, ...] = ()
        if graph.lent:
            size = cache_bytes(frame.settings.cache_type_k, indexer.head_size) * frame.cells(0) * frame.streams
            keys = (graph.part(size, home=HOST),)
        scores = graph.op(frame.f32(frame.cells(0)), view(query), *keys, weights, frame.selector_mask)
        return graph.op(frame.f32(picked), graph.op(frame.f32(picked), scores))
