"""Compute buffers: memory for intermediate results, per device.

llama.cpp lays out the graph of one full micro-batch before it starts (`llama_context::sched_reserve`) and
allocates what that takes. Here the same graph is built in outline and laid out the same way. The result
does not depend on the quantization level.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from advisor.foundation.caches import kept_beside
from advisor.models.model import Layer, Model
from advisor.runtimes.llama_cpp.compute.assumed import assumed_compute
from advisor.runtimes.llama_cpp.compute.frame import LENT_TOKENS, frame_of, too_few
from advisor.runtimes.llama_cpp.compute.graph import Graph
from advisor.runtimes.llama_cpp.compute.host_tensors import Tensors
from advisor.runtimes.llama_cpp.compute.layers import add_embedding, add_layer, add_output
from advisor.runtimes.llama_cpp.compute.layout import Layout, lay_out
from advisor.runtimes.llama_cpp.compute.mixers import queries_leave
from advisor.runtimes.llama_cpp.compute.recurrent import with_steps
from advisor.runtimes.llama_cpp.compute.repeats import repeated, shortened
from advisor.runtimes.llama_cpp.kv_cache import as_kept
from advisor.sizing.placement import HOST, Placement
from advisor.sizing.settings import CACHE_TYPES, Settings

_REPEATS = 6  # the layout settles within these, then cycles through one, two or three states: 6 fits all
_AFTER_LAYERS = 1  # part of a layout: the output
PIPELINE_COPIES = 4  # GGML_SCHED_MAX_COPIES
_RUN_COPIES = 30  # GGML_SCHED_MAX_SPLIT_INPUTS


def compute_buffer_bytes(model: Model, settings: Settings, placement: Placement) -> dict[int, int]:
    """Bytes of compute buffer per device number (HOST = -1, 0..devices-1); devices that compute nothing have 0."""
    model = model.trunk or model
    if model.wiring.assumed:
        return {number: round(one.high) for number, one in assumed_compute(model, settings, placement).items()}
    return dict(_laid_out(model, as_kept(model, settings), placement))


@kept_beside  # quantization levels share one layout
def _laid_out(model: Model, settings: Settings, placement: Placement) -> dict[int, int]:
    word = _word(model, placement)
    copies = PIPELINE_COPIES if pipelined(placement) else 1
    outline = _of_two(model, _outline(settings))
    way = _way(model, outline, word, _Terms(placement.output, copies, HOST in placement.layers))
    return way.layout.peaks(_sizes(model, settings, way.chain, _Terms(HOST, fused=way.fused)), placement.devices)


def lent_buffer_bytes(
    model: Model, settings: Settings, placement: Placement, tensors: Tensors
) -> dict[int, int] | None:
    """The same where the first GPU computes for the host what needs weights, which it copies (`op_offload`).

    None where it is not known which weight each operation reads.
    """
    model = model.trunk or model
    if model.wiring.assumed:
        return None
    found = _lent(model, as_kept(model, settings), placement, tensors)
    return None if found is None else with_steps(dict(found), model, settings, placement)


@kept_beside
def _lent(model: Model, settings: Settings, placement: Placement, tensors: Tensors) -> dict[int, int] | None:
    firsts, alike = _firsts(model), tensors.names.first_alike
    kinds: dict[tuple[int, int], int] = {}
    word = tuple(
        _Letter(
            kinds.setdefault((firsts[number], alike[number]), number),
            home,
            HOST if number < placement.cpu_moe_layers else home,
        )
        for number, home in enumerate(placement.layers)
    )
    outline, terms = _outline_lent(settings), _Terms(placement.output, on_host=True)
    fused = _way(model, outline, _word(model, placement), terms).fused
    if queries_leave(model, settings, placement):
        fused = fused._replace(attention=False)
    terms = terms._replace(fused=fused, on_host=False, tensors=tensors.names)
    if (way := _lent_way(model, outline, word, terms)) is None:
        return None
    sizes = _sizes(model, settings, way.chain, terms)
    of_layer = [tensors.of(number) for number in range(len(word))]
    return way.layout.peaks(sizes, placement.devices, [of_layer[0], *of_layer, of_layer[-1]])


@kept_beside
def _lent_way(model: Model, outline: Settings, word: _Word, terms: _Terms) -> _Way | None:
    """None where it is not known which weight each operation reads."""
    try:
        return _cut_way(model, outline, word, terms)
    except KeyError:
        return None


class _Letter(NamedTuple):
    """A layer of a graph: its number (of equal layers that of the first), and where it and its experts lie."""

    number: int
    home: int
    experts_home: int


_Word = tuple[_Letter, ...]


def _word(model: Model, placement: Placement) -> _Word:
    """The layers to simulate. Placements that differ in nothing else have the same graph."""
    firsts = _firsts(model)
    return tuple(
        [
            _Letter(firsts[number], home, HOST if number < placement.cpu_moe_layers else home)
            for number in distinct_layers(model, placement)
            for home in (placement.layers[number],)
        ]
    )


def _outline(settings: Settings) -> Settings:
    """Settings for which a graph has the same steps, of whatever size."""
    block_k, block_v = CACHE_TYPES[settings.cache_type_k][0], CACHE_TYPES[settings.cache_type_v][0]
    return Settings(
        context=4096,
        users=settings.users,
        flash_attention=settings.flash_attention,
        cache_type_k="q8_0" if block_k > 1 else "f16",
        cache_type_v="q8_0" if block_v > 1 else "f16",
        unified=settings.unified,
        release=settings.release,
    )


def _of_two(model: Model, outline: Settings) -> Settings:
    """Where no GPU computes for the host, two users and more have the same steps, but for masks of each user's own."""
    return outline if outline.users <= 2 or _masks_each_user(model) else replace(outline, users=2)


def _outline_lent(settings: Settings) -> Settings:
    """The same where a GPU computes for the host, which depends on how many tokens are there."""
    outline = _outline(settings)
    if not too_few(settings, settings.users):
        return outline
    return replace(outline, micro_batch=(LENT_TOKENS - 1) * settings.users)


class _Fused(NamedTuple):
    """Which operations llama.cpp fuses: attention, and the mixing of hyper-connections."""

    attention: bool
    streams: bool = True


class _Terms(NamedTuple):
    """What a graph depends on beside its model, settings and word.

    Where the output lies; in how many copies is held what enters a device; whether what is `fused` is given up where it
    would not run `on_host`; and the tensors whose weights pass through the first GPU, if any do.
    """

    output: int
    copies: int = 1
    on_host: bool = False
    fused: _Fused = _Fused(True)
    tensors: Tensors | None = None


@dataclass(frozen=True, slots=True)
class _Way:
    """How the graph of a word is laid out; `chain` are the layers whose nodes are of all sizes that there are."""

    layout: Layout
    fused: _Fused
    chain: _Word


@kept_beside  # contexts, micro-batches and cache types of a kind share the steps
def _way(model: Model, outline: Settings, word: _Word, terms: _Terms) -> _Way:
    return _cut_way(model, outline, word, terms._replace(fused=_Fused(outline.flash_attention)))


def _cut_way(model: Model, outline: Settings, word: _Word, terms: _Terms) -> _Way:
    """The way of a word from that of what is left of it without its repetitions."""
    short, stretches = shortened(word)
    way = _short_way(model, outline, tuple(short), terms)
    if not stretches:
        return way
    whole = repeated(way.layout, len(way.layout.parts) - len(short) - _AFTER_LAYERS, stretches)
    if whole is None:
        return _laid_way(model, outline, word, terms._replace(on_host=False, fused=way.fused))
    return replace(way, layout=whole)


@kept_beside  # words that repeat the same more or less often share it
def _short_way(model: Model, outline: Settings, word: _Word, terms: _Terms) -> _Way:
    return _laid_way(model, outline, word, terms)


def _laid_way(model: Model, outline: Settings, word: _Word, terms: _Terms) -> _Way:
    graph, starts = _graph(model, outline, word, terms)
    homes = graph.assign()
    while terms.on_host and (fused := _still_fused(outline, graph, homes, terms.fused)) != terms.fused:
        terms = terms._replace(fused=fused)
        graph, starts = _graph(model, outline, word, terms)
        homes = graph.assign()
    chain, pieces = _chain(word, terms.tensors is not None)
    sizes = _sizes(model, outline, chain, terms if terms.tensors else _Terms(HOST, fused=terms.fused))
    ends = [*starts[1:], len(graph.sizes)]
    if any(graph.sizes[a:b] != sizes[piece] for a, b, piece in zip(starts, ends, pieces, strict=True)):
        chain, pieces = tuple(word), list(range(len(starts)))  # each layer has its own
    return _Way(lay_out(graph, homes, starts, pieces, terms.copies), terms.fused, chain)


def _still_fused(outline: Settings, graph: Graph, homes: Sequence[int], fused: _Fused) -> _Fused:
    """llama.cpp gives up what would not run where its layer lies (`resolve_fused_ops`), attention first: not that to
    quantized values, which needs it."""
    if not fused.streams:
        return fused
    if fused.attention and CACHE_TYPES[outline.cache_type_v][0] == 1 and _misplaced(graph.fused["attention"], homes):
        return fused._replace(attention=False)
    return fused._replace(streams=False) if _misplaced(graph.fused["streams"], homes) else fused


def _misplaced(operations: Sequence[tuple[int, int]], homes: Sequence[int]) -> bool:
    return any(homes[node] != home for node, home in operations)


def _chain(word: _Word, lent: bool) -> tuple[_Word, list[int]]:
    """The different layers of a word, of which the last one always is, and which piece of their graph the pieces of
    the word's are like. Where they lie changes their nodes where weights are `lent` alone."""
    letters = [letter if lent else _Letter(letter.number, HOST, HOST) for letter in word]
    before = list(dict.fromkeys(letters[:-1]))
    chain = (*before, letters[-1])
    like = {letter: piece for piece, letter in enumerate(before, start=1)}
    return chain, [0, *(like[letter] for letter in letters[:-1]), len(chain), len(chain) + 1]


@kept_beside
def _sizes(model: Model, settings: Settings, chain: _Word, terms: _Terms) -> list[list[int]]:
    """Bytes of each node: before the layers, of each layer of `chain`, and after them."""
    graph, starts = _graph(model, settings, chain, terms)
    return [graph.sizes[a:b] for a, b in zip(starts, [*starts[1:], len(graph.sizes)], strict=True)]


def _graph(model: Model, settings: Settings, word: _Word, terms: _Terms) -> tuple[Graph, list[int]]:
    """The graph, and the first node of each of its pieces: before the layers, each layer, after them."""
    graph, starts, tensors = Graph(), [0], terms.tensors
    if not settings.since("2026-09"):  # later there is room for more once an operation has needed it
        graph.most_copies = _RUN_COPIES
    if tensors is not None:
        graph.layer_begins(tensors.of(word[0].number))
        graph.share("rope_")
    frame = frame_of(model, settings, graph, terms.fused.attention, terms.fused.streams)
    frame.output_home = terms.output
    graph.here = frame.first_home = word[0].home  # what lies between embedding and first layer
    stream = add_embedding(frame)
    for place, (number, home, experts_home) in enumerate(word, start=1):
        starts.append(len(graph.sizes))
        if tensors is not None:
            graph.layer_begins(tensors.of(number))
        graph.here, frame.experts_home = home, experts_home
        stream = add_layer(frame, model.layers[number], number, stream, last=place == len(word))
    starts.append(len(graph.sizes))
    graph.here = terms.output
    add_output(frame, stream)
    return graph, starts


def pipelined(placement: Placement) -> bool:
    """llama.cpp overlaps micro-batches when several GPUs hold everything (constructor of `llama_context`)."""
    everything = HOST not in placement.layers and placement.output != HOST
    return placement.devices > 1 and everything and not (placement.cpu_moe_layers or placement.kv_on_host)


def distinct_layers(model: Model, placement: Placement) -> list[int]:
    """Layers worth simulating: of plain attention, each kind after each other kind a few times per device.

    The layout repeats after a few equal layers; what is left out is whole cycles. Layers that hold
    something for themselves (recurrent states, token choices, another layer's cache) are all simulated.
    """
    kinds = _layer_kinds(model)
    if not _repeats_itself(model) or len(set(kinds)) > _REPEATS:
        return list(range(len(kinds)))
    steps: list[tuple[object, ...]] = []
    previous: object = None
    for number, kind in enumerate(kinds):
        here = (kind, placement.layers[number], number < placement.cpu_moe_layers)
        steps.append((previous, here, number == len(kinds) - 1))
        previous = here
    left = {
        step: count if count <= _REPEATS else _REPEATS + (count - _REPEATS) % _REPEATS
        for step, count in Counter(steps).items()
    }
    chosen = []
    for number, step in enumerate(steps):
        if left[step] > 0:
            chosen.append(number)
        left[step] -= 1
    return chosen


@kept_beside
def _repeats_itself(model: Model) -> bool:
    return not model.shared_kv_layers and all(mixer.kept(model.width).only_tokens for mixer in model.mixers)


@kept_beside
def _masks_each_user(model: Model) -> bool:
    kept = (mixer.kept(model.width).indexer for mixer in model.mixers)
    return any(indexer is not None and indexer.by_block for indexer in kept)


@kept_beside
def _layer_kinds(model: Model) -> tuple[int, ...]:
    """Equal numbers for equal layers."""
    numbers: dict[Layer, int] = {}
    owners = len(model.layers) - model.shared_kv_layers
    return tuple(2 * numbers.setdefault(layer, len(numbers)) + (n >= owners) for n, layer in enumerate(model.layers))


@kept_beside
def _firsts(model: Model) -> tuple[int, ...]:
    """For each layer the first one that has the same nodes."""
    graph = model.wiring.graph
    if model.shared_kv_layers or graph.bank_every or graph.alternating_streams:
        return tuple(range(len(model.layers)))
    firsts: dict[tuple[object, ...], int] = {}
    found: list[int] = []
    widened = False  # the mask of MiniMax M3, by the first layer that picks blocks
    for number, kind in enumerate(_layer_kinds(model)):
        kept = [mixer.kept(model.width) for mixer in model.layers[number].mixers]
        rotates = tuple(graph.rotates(number, past.window) for past in kept)
        found.append(firsts.setdefault((kind, rotates, number < graph.image_layers, widened), number))
        widened = widened or any(past.indexer is not None and past.indexer.by_block for past in kept)
    return tuple(found)
