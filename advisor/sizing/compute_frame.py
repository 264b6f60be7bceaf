"""What the blocks of one graph share: sizes, inputs, masks, and where experts run."""

from __future__ import annotations

from dataclasses import dataclass, field

from advisor.models.mixers import Attention, CompressedAttention, Indexer, LatentAttention
from advisor.models.model import Model
from advisor.sizing.compute_graph import Graph, view
from advisor.sizing.kv_cache import window_cells
from advisor.sizing.placement import HOST
from advisor.sizing.settings import CACHE_TYPES, Settings, round_up

_INDEX = 8  # bytes of a cache row number
_ROTATION = 64  # heads whose size is a multiple of this are stored rotated in quantized caches


@dataclass(slots=True)
class Frame:
    model: Model
    settings: Settings
    graph: Graph
    tokens: int
    users: int
    fused: bool = True
    windowed: bool = False
    experts_home: int = HOST
    positions: int = -1
    key_rows: int = -1
    value_rows: int = -1
    masks: dict[int, int] = field(default_factory=dict)
    output_rows: int = -1

    def f32(self, elements: int) -> int:
        """Bytes of so many 32-bit numbers per token of the micro-batch."""
        return 4 * elements * self.tokens

    def per_user(self, elements: int) -> int:
        return 4 * elements * self.users

    def state(self, elements: int) -> int:
        """Read a recurrent state of so many numbers per user (`build_rs`); unused ones are cleared in place."""
        self.graph.early(0, self.graph.here)
        node = self.graph.early(self.per_user(elements))
        self.graph.early(0, self.graph.here)
        return node

    def cells(self, window: int) -> int:
        """KV cells per user that a layer with this window sees."""
        if not self.model.causal:
            return self.tokens
        return window_cells(window, self.settings) if window else self.settings.cells

    def mask(self, window: int) -> int:
        return self.masks[window]

    def turned(self, cache_type: str, head_size: int) -> bool:
        """Whether a cache of this type is kept rotated (`llama_kv_cache::get_k_rot`, src/llama-kv-cache.cpp)."""
        return CACHE_TYPES[cache_type][0] > 1 and head_size % _ROTATION == 0

    def add_inputs(self) -> None:
        """Inputs in the order llama.cpp creates them (`build_inp_*`, src/llama-graph.cpp)."""
        graph, model = self.graph, self.model
        self.positions = graph.input(4 * self.tokens)
        kinds = [m for layer in model.layers for m in layer.mixers]
        attending = [m for m in kinds if isinstance(m, (Attention, LatentAttention, CompressedAttention))]
        windows = sorted({getattr(m, "window", 0) for m in attending}, reverse=True)
        self.windowed = any(windows)
        self.key_rows = graph.input(_INDEX * self.tokens)
        turned_values = 1
        if not self.settings.flash_attention:  # transposed values are written element by element
            widths = [m.value_width for m in attending if isinstance(m, Attention)]
            turned_values = max(widths, default=1)
        for window in windows:
            self.value_rows = graph.input(_INDEX * self.tokens * turned_values)
            cell = 2 if self.fused else 4
            self.masks[window] = graph.input(cell * self.cells(window) * self.tokens)
        if not attending:
            self.masks[0] = graph.input(4)

    def store_index_keys(self, indexer: Indexer, source: int) -> None:
        size = self.f32(indexer.head_size)
        keys = self.graph.norm(size, self.graph.matmul(size, source), rms=False)
        self.graph.store(view(self.graph.op(size, view(keys))))

    def selected_mask(self, indexer: Indexer, reduced: int, source: int) -> int:
        raise NotImplementedError

    def select(self, indexer: Indexer, source: int) -> None:
        raise NotImplementedError


def reserved_tokens(settings: Settings) -> int:
    """Tokens of the graph llama.cpp reserves memory for: a full micro-batch, the same for every user."""
    tokens = min(settings.cells * settings.users, settings.micro_batch)
    return round_up(tokens, settings.users)
