"""What the blocks of one graph share: sizes, inputs, masks, and where experts run."""

from __future__ import annotations

from dataclasses import dataclass, field

from advisor.models.mixers import (
    Attention,
    CompressedAttention,
    GatedDeltaNet,
    Indexer,
    KimiDelta,
    LatentAttention,
    Mamba2,
    ShortConvolution,
)
from advisor.models.model import Model
from advisor.sizing.compute_graph import Graph, view
from advisor.sizing.kv_cache import window_cells
from advisor.sizing.placement import HOST
from advisor.sizing.settings import CACHE_TYPES, Settings, round_up

_INDEX = 8  # bytes of a cache row number
_ROTATION = 64  # heads whose size is a multiple of this are stored rotated in quantized caches
# Positions have several axes (time, height, width) where images may mix with text.
_MULTI_AXIS = frozenset({"qwen2vl", "qwen3vl", "qwen3vlmoe", "qwen35", "qwen35moe", "qwen4exp"})


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
    rows: dict[int, tuple[int, int]] = field(default_factory=dict)
    masks: dict[int, int] = field(default_factory=dict)
    state_rows: int = -1
    unused_rows: int = -1
    output_rows: int = -1

    def f32(self, elements: int) -> int:
        """Bytes of so many 32-bit numbers per token of the micro-batch."""
        return 4 * elements * self.tokens

    def per_user(self, elements: int) -> int:
        return 4 * elements * self.users

    def state(self, elements: int) -> int:
        """Read a recurrent state of so many numbers per user (`build_rs`); unused ones are cleared in place."""
        graph = self.graph
        graph.early(0, graph.here)
        node = graph.early(self.per_user(elements), reads=(self.state_rows,))
        self.unused_states()
        return node

    def unused_states(self) -> None:
        """States beyond those of the users; there are none, but the empty tensor has a place all the same."""
        graph = self.graph
        rest = graph.early(0, reads=(self.unused_rows,))
        graph.empty.add(rest)
        graph.early(0, graph.here, (rest,))

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
        axes = 4 if model.architecture in _MULTI_AXIS else 1
        self.positions = graph.input(4 * axes * self.tokens)
        kinds = [m for layer in model.layers for m in layer.mixers]
        attending = [m for m in kinds if isinstance(m, (Attention, LatentAttention, CompressedAttention))]
        windows = sorted({getattr(m, "window", 0) for m in attending}, reverse=True)
        self.windowed = any(windows)
        turned_values = 1
        if not self.settings.flash_attention:  # transposed values are written element by element
            turned_values = max((m.value_width for m in attending if isinstance(m, Attention)), default=1)
        for window in windows:
            self.rows[window] = graph.input(_INDEX * self.tokens), graph.input(_INDEX * self.tokens * turned_values)
            self.masks[window] = graph.input((2 if self.fused else 4) * self.cells(window) * self.tokens)
        if any(isinstance(m, (Mamba2, GatedDeltaNet, KimiDelta, ShortConvolution)) for m in kinds):
            self.state_rows = graph.input(4 * self.users)
            self.unused_rows = graph.input(0)
            graph.empty.add(self.unused_rows)

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
