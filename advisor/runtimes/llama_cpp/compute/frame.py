"""What the blocks of one graph share: sizes, inputs, masks, and where experts run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from advisor.models.indexer import Indexer
from advisor.models.mixers import Attention, CompressedAttention, Mixer
from advisor.models.model import Model
from advisor.runtimes.llama_cpp.compute.graph import ALL, Graph, view
from advisor.runtimes.llama_cpp.kv_cache import pooled_cells, widest_values, window_cells
from advisor.sizing.placement import HOST
from advisor.sizing.settings import CACHE_TYPES, Settings, round_up

_INDEX = 8  # bytes of a cache row number
_SPARE_POOLS = 64
BLOCK_POSITIONS = 256  # positions MiniMax M3's block scores are padded to in a reserved graph
BLOCK = 128  # positions of one block there
_POOLS_PICKED = 512  # pools GLM 5 Next's indexer picks
_POSITIONED = 64  # numbers of each head that DeepSeek's sparse attention and its indexers turn by position
LENT_TOKENS = 32  # from this many on a GPU computes for layers on the host (`op_offload`, ggml-backend.cpp)
_ROTATION = 64  # heads whose size is a multiple of this are stored rotated in quantized caches


class PoolRows(NamedTuple):
    """Inputs that say where the states of one kind of pool are read and written (DeepSeek V4)."""

    read: int
    positions: int
    written: int
    cells: int
    kept: int
    kept_at: int


@dataclass(slots=True)
class Frame:
    model: Model
    settings: Settings
    graph: Graph
    tokens: int
    fused: bool = True
    fused_streams: bool = True
    windowed: bool = False
    experts_home: int = HOST
    positions: int = -1
    rows: dict[int, tuple[int, int]] = field(default_factory=dict)
    masks: dict[int, int] = field(default_factory=dict)
    turn_keys: dict[int, int] = field(default_factory=dict)
    turn_values: dict[int, int] = field(default_factory=dict)
    selecting: bool = False
    selector_rows: int = -1
    selector_mask: int = -1
    selector_turn: int = -1
    selected: int = -1
    state_rows: int = -1
    unused_rows: int = -1
    scanned_rows: int = -1
    other_rows: int = -1
    temperature: int = -1
    output_rows: int = -1
    outputs: int = -1
    deep: int = -1
    pooled_masks: dict[int, int] = field(default_factory=dict)
    pool_rows: dict[tuple[int, bool], PoolRows] = field(default_factory=dict)
    pool_turns: dict[int, int] = field(default_factory=dict)
    recent_blocks: int = -1
    cell_numbers: int = -1
    cell_blocks: int = -1
    pool_numbers: int = -1
    pool_cells: int = -1
    pool_members: int = -1
    recent_cells: int = -1
    recent: int = -1
    wide_mask: int = -1
    tokens_input: int = -1
    looked_up: int = -1
    banked: int = -1
    bank_count: int = 0
    to_bank: int = -1
    per_layer_width: int = 0
    per_layer: int = -1
    embedded: int = -1
    output_home: int = HOST
    first_home: int = HOST
    cache_homes: dict[int, int] = field(default_factory=dict)

    @property
    def users(self) -> int:
        """Sequences of the micro-batch, each with a recurrent state of its own."""
        return self.settings.users

    @property
    def streams(self) -> int:
        """KV caches that layers attend to."""
        return self.settings.streams

    @property
    def few_of_a_user(self) -> bool:
        """Whether a multiplication that has each user's tokens apart is too small for another device to compute it."""
        return self.graph.lent and too_few(self.settings, self.users)

    @property
    def few_of_a_stream(self) -> bool:
        """The same of one that has the tokens of each cache apart."""
        return self.graph.lent and too_few(self.settings, self.streams)

    @property
    def attends_apart(self) -> bool:
        """Whether attention may run elsewhere than its cache lies; see `_resolved` in `buffer.py`."""
        quantized = CACHE_TYPES[self.settings.cache_type_v][0] > 1
        return quantized and any(mixer.recurrent for mixer in self.model.mixers)

    def f32(self, elements: int) -> int:
        """Bytes of so many 32-bit numbers per token of the micro-batch."""
        return 4 * elements * self.tokens

    def positioned(self, node: int, head: int, positions: int, *, inplace: bool = False) -> int:
        """A result of heads of that size, a part of each turned by position; until 2026-09 that part alone, and
        joined to the rest."""
        graph = self.graph
        source = node if node >= 0 else ~node
        size = graph.sizes[source]
        if not self.settings.since("2026-09"):
            return graph.op(size, view(source), graph.op(size // head * _POSITIONED, view(source), positions))
        return graph.inplace(size, node, positions) if inplace else graph.op(size, node, positions)

    def turning(self, attention: Attention) -> tuple[int, ...]:
        """What a rotation by position reads beside the tensor: positions, and factors that lie on the host."""
        graph = self.graph
        if not graph.lent or (attention.window and self.model.wiring.graph.plain_windows):
            return (self.positions,)
        return (self.positions, *(graph.weight(name) for name in graph.weights.tensors if name.startswith("rope_")))

    def sinks(self) -> tuple[int, ...]:
        """What attention reads beside the mask, where it lies on the host."""
        graph, name = self.graph, "attn_sinks.weight"
        return (graph.weight(name),) if graph.lent and name in graph.weights.tensors else ()

    def picked(self, node: int, width: int) -> int:
        """The rows of a result that need scores; from here on there are no others."""
        self.tokens = self.outputs
        return self.graph.op(self.f32(width), node, self.output_rows)

    def per_user(self, elements: int) -> int:
        return 4 * elements * self.users

    def state(self, elements: int) -> int:
        """Read a recurrent state of so many numbers per user (`build_rs`); unused ones are cleared in place."""
        graph = self.graph
        graph.early(0, graph.here)
        states = (graph.part(self.per_user(elements), home=HOST),) if graph.lent else ()
        node = graph.early(self.per_user(elements), reads=(*states, self.state_rows))
        if self.settings.since("2026-10"):  # used and unused ones are read together
            graph.early(0, graph.here, (view(node),))
        else:
            self.unused_states()
        return node

    def last_tokens(self, window: int) -> int:
        """Of the states and tokens a convolution reads, the last columns, which are kept: a view from the first of them
        to the end."""
        return self.graph.seen(window, self.graph.sizes[window] - 4 * self.tokens // self.users)

    def unused_states(self, elements: int = 0) -> None:
        """States beyond those of the users; there are none, but the empty tensor has a place all the same.

        Beside a scan, which is told one state, the others of so many numbers are read with them since 2026-10.
        """
        graph = self.graph
        others = self.users - 1 if elements and self.settings.since("2026-10") else 0
        if others and self.other_rows < 0:
            self.other_rows = graph.part(4 * others, view(self.state_rows))
        rest = graph.early(4 * elements * others, reads=(self.other_rows if others else self.unused_rows,))
        graph.empty.add(rest)
        graph.early(0, graph.here, (view(rest),))

    def cells(self, window: int) -> int:
        """KV cells of one stream that a layer with this window sees."""
        if not self.model.causal:
            return self.tokens
        return window_cells(window, self.settings) if window else self.settings.cells

    def turned(self, cache_type: str, head_size: int) -> bool:
        """Whether a cache of this type is kept rotated (`build_input_k_rot`, src/llama-kv-cache.cpp)."""
        return self.model.causal and CACHE_TYPES[cache_type][0] > 1 and head_size % _ROTATION == 0

    def add_inputs(self) -> None:
        """Inputs in the order in which the graph's first operations ask for them (`build_inp_*`)."""
        model = self.model
        by_window: dict[int, list[Mixer]] = {}
        for mixer in model.mixers:
            if (kept := mixer.kept(model.width)).keys:
                by_window.setdefault(kept.window, []).append(mixer)
        self.windowed = any(by_window)
        indexers = [kept.indexer for m in model.mixers if (kept := m.kept(model.width)).indexer is not None]
        indexer = indexers[0] if indexers else None
        if indexer is not None and indexer.style == "pooled":
            self._add_pooled_inputs(indexer)
        for mixer in model.mixers:
            if mixer.recurrent and self.state_rows < 0:
                self._add_state_inputs()
            if (kept := mixer.kept(model.width)).keys and kept.window not in self.masks:
                if isinstance(mixer, CompressedAttention):
                    self._add_compressed_inputs(mixer)
                elif indexer is not None and indexer.style in ("lightning", "pooled"):
                    self._add_selecting_inputs(indexer)
                else:
                    self._add_cache_inputs(kept.window, by_window[kept.window])
            if isinstance(mixer, CompressedAttention) and mixer.ratio and mixer.ratio not in self.pooled_masks:
                self._add_pool_inputs(mixer)
        if indexer is not None and indexer.by_block and self.fused and self.streams == self.users:
            self._add_block_inputs()
        self.output_rows = self.graph.input(4 * self.outputs, constants=ALL)

    def _add_positions(self) -> None:
        graph, model = self.graph, self.model
        learned = any(part.name == "position_embd.weight" for part in model.globals)
        if self.positions < 0 and (learned or model.wiring.graph.rotation != "nowhere"):
            self.positions = graph.input(4 * model.wiring.graph.position_axes * self.tokens)

    def _add_state_inputs(self) -> None:
        graph = self.graph
        self.state_rows = self.scanned_rows = graph.input(4 * self.users)
        if self.settings.since("2026-10"):  # others read them with the unused ones
            self.scanned_rows = graph.part(4 * self.users, view(self.state_rows))
        self.unused_rows = graph.part(0, view(self.state_rows))
        graph.empty.add(self.unused_rows)

    def pooled_cells(self, ratio: int) -> int:
        return pooled_cells(ratio, self.settings)

    def _add_selecting_inputs(self, indexer: Indexer) -> None:
        """Latent attention to picked tokens; the masks come after the zeros that the first picked tokens get."""
        graph, cell = self.graph, 2 if self.fused else 4
        cells = self.cells(0)
        if indexer.style == "lightning":
            self.selecting = True
            self.selector_turn = graph.input(4 * indexer.head_size**2)
            self._add_positions()
            self.selector_rows = graph.input(_INDEX * self.tokens)
        else:
            self.selector_rows = graph.input(_INDEX * self.tokens, constants=1)
            self.cell_numbers = graph.input(4 * cells * self.streams, constants=1)
            self.pool_cells = graph.input(_INDEX * cells * self.streams // indexer.pool, constants=1)
        rows = graph.input(_INDEX * self.tokens, constants=0 if self.selecting else 1)
        self.rows[0] = rows, rows
        # The pooled kind has two constants more since 2026-10, each before it.
        before = 3 if indexer.style == "pooled" and self.settings.since("2026-10") else 1
        self.masks[0] = graph.input(cell * cells * self.tokens, constants=before)
        if self.selecting:
            self.selector_mask = graph.input(2 * cells * self.tokens, constants=1)

    def _add_pooled_inputs(self, indexer: Indexer) -> None:
        """GLM 5 Next: which pools there are and which a token may see."""
        graph = self.graph
        pools = self.pools_seen(indexer)
        self.pool_numbers = graph.input(4 * pools)
        self.pool_members = graph.input(4 * pools * indexer.pool)
        self.selector_mask = graph.input(2 * pools * self.tokens)
        self.recent_cells = graph.input(4 * (indexer.pool - 1) * self.tokens)
        self.recent = graph.input(self.f32(self.cells_seen(indexer)))

    def _add_block_inputs(self) -> None:
        """MiniMax M3: which blocks there are and which a token may see."""
        graph, blocks = self.graph, BLOCK_POSITIONS // BLOCK
        if not self.settings.since("2026-09"):
            self.recent_blocks = graph.input(self.f32(self.cells(0) // BLOCK))
            return
        self.selector_rows = graph.input(_INDEX * self.tokens)
        self.cell_numbers = graph.input(4 * BLOCK_POSITIONS * self.users)
        self.recent = graph.input(self.f32(BLOCK_POSITIONS))
        self.recent_blocks = graph.input(self.f32(blocks))
        self.cell_blocks = graph.input(4 * self.cells(0) * self.streams)

    def _add_compressed_inputs(self, attention: CompressedAttention) -> None:
        graph, window = self.graph, attention.window
        self.masks[window] = graph.input((2 if self.fused else 4) * self.cells(window) * self.tokens)
        if self.turned(self.settings.cache_type_k, attention.head_size):
            self.turn_keys[window] = graph.input(4 * attention.head_size**2)
        self._add_positions()
        rows = graph.input(_INDEX * self.tokens)  # values are the keys
        self.rows[window] = rows, rows

    def _add_pool_inputs(self, attention: CompressedAttention) -> None:
        graph, ratio, late = self.graph, attention.ratio, 1 if self.pooled_masks else 0
        if self.turned(self.settings.cache_type_k, attention.head_size):
            self.pool_turns[ratio] = graph.input(4 * attention.head_size**2, constants=late)
        self.pool_rows[ratio, False] = self._pool_rows(attention, late)
        seen = self.pooled_cells(ratio) * self.tokens
        if attention.overlap > 1:
            self.selector_turn = graph.input(4 * attention.pool_indexer.head_size**2, constants=late)
            self.pool_rows[ratio, True] = self._pool_rows(attention, late)
            self.selector_mask = graph.input(2 * seen, constants=1)
        self.pooled_masks[ratio] = graph.input((2 if self.fused else 4) * seen, constants=1)

    def pools_seen(self, indexer: Indexer) -> int:
        """Pools that the indexer of GLM 5 Next scores, each user's, also in a unified cache."""
        return self.cells(0) * self.users // indexer.pool + _SPARE_POOLS

    def cells_seen(self, indexer: Indexer) -> int:
        """Cells that a token of GLM 5 Next sees: of the picked pools, and those too recent to be pooled."""
        return indexer.pool * min(_POOLS_PICKED, self.pools_seen(indexer)) + indexer.pool - 1

    def pools(self, ratio: int) -> int:
        """Pools of the micro-batch's tokens; since 2026-09 each user's last ones may be another's first."""
        return self.tokens // ratio + (self.users if self.settings.since("2026-09") else 0)

    def pool_states(self, attention: CompressedAttention) -> int:
        """Tokens of all users whose states are kept for the next micro-batch."""
        return self.users * min(attention.ratio * attention.overlap, self.tokens // self.users)

    def _pool_rows(self, attention: CompressedAttention, constants: int) -> PoolRows:
        pools, rows = self.pools(attention.ratio), attention.ratio * attention.overlap
        kept = 4 * self.pool_states(attention)
        sizes = (4 * pools * rows, 4 * self.tokens, 4 * pools, _INDEX * pools, kept, kept)
        return PoolRows(*[self.graph.input(size, constants) for size in sizes])

    def _add_cache_inputs(self, window: int, mixers: Sequence[Mixer]) -> None:
        """Where to write keys and values, the mask, and the matrices that turn what goes into a quantized cache."""
        graph, settings = self.graph, self.settings
        layers = [m for m in mixers if isinstance(m, Attention)]
        if layers and self.turned(settings.cache_type_k, layers[0].head_size):
            side = layers[0].head_size & -layers[0].head_size  # the largest power of two that divides it
            self.turn_keys[window] = graph.input(4 * side**2)
        self._add_positions()
        if not window and self.model.wiring.graph.queries_scaled_by_position:
            self.temperature = graph.input(4 * self.tokens)
        if layers and self.turned(settings.cache_type_v, layers[0].value_head_size):
            self.turn_values[window] = graph.input(4 * _ROTATION**2)
        if self.model.causal:
            # Transposed values are written element by element.
            written = 1 if settings.flash_attention else widest_values(self.model) or 1
            keys = graph.input(_INDEX * self.tokens)
            # In latent attention values are the keys.
            self.rows[window] = keys, graph.input(_INDEX * self.tokens * written) if layers else keys
        self.masks[window] = graph.input((2 if self.fused else 4) * self.cells(window) * self.tokens)


def frame_of(model: Model, settings: Settings, graph: Graph, fused: bool, fused_streams: bool) -> Frame:
    """Of the graph llama.cpp reserves memory for: a full micro-batch, the same for every user."""
    # A micro-batch has no more tokens than the context that was asked for; encoders' have as many as there are cells.
    context = settings.total_context if model.causal else settings.cells * settings.streams
    scored = min(context, settings.micro_batch)
    tokens = round_up(scored, settings.users)
    return Frame(model, settings, graph, tokens, fused, fused_streams, outputs=scored)


def too_few(settings: Settings, parts: int) -> bool:
    """Whether a part of the tokens is too small for a GPU to compute for the host."""
    return reserved_tokens(settings) // parts < LENT_TOKENS


def reserved_tokens(settings: Settings) -> int:
    """Tokens of the graph of a decoder."""
    return round_up(min(settings.total_context, settings.micro_batch), settings.users)
