"""Laying out a graph's tensors, device by device, as `ggml_gallocr_alloc_graph_impl` does (ggml/src/ggml-alloc.c).

A network is a few kinds of layers over and over, and it is asked about in many contexts, cache types and placements. So
the steps of a graph are written down without sizes and cut into segments, about one for each layer. What a segment does
depends on nothing but the sizes of its tensors, the blocks that are free when it begins, and where the tensors lie that
it finds: `_walk` works that out once, and layers alike that find the same are looked up. Nothing is left out: the
result is that of going through all steps.
"""

from __future__ import annotations

import marshal
from bisect import bisect_right
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import pairwise
from typing import NamedTuple
from weakref import WeakValueDictionary

from advisor.foundation.caches import Shared, remembered
from advisor.foundation.units import KIB, MIB
from advisor.runtimes.llama_cpp.compute.allocator import EMPTY, Arena, Free
from advisor.runtimes.llama_cpp.compute.graph import ALL, Graph, schedule
from advisor.sizing.placement import HOST

_NOWHERE = -1
_WALK_BYTES = 2 * KIB  # about, of one result of `_walk` with what it was asked
_LAYOUT_BYTES = 32 * KIB  # about, of one
_BY_VALUE = 2  # the last version of the format that tells nothing of which objects are the same

Source = tuple[int, int | str]
"""Whose size a tensor has: the number of a piece of the graph (see `sizes_of`), and of the node in it.

A copy of a weight has its name instead, and of which layer it is: by how many after that of the part, or of all.
"""
_OF_ALL = 1 << 30


_Step = tuple[int, int, bool, tuple[int, ...], tuple[tuple[int, int], ...]]
"""One operation: the tensor it writes (-1: none that takes a place), its device, whether the tensor takes a place even
without a size, which inputs it may overwrite where they are of its size, and the tensors that are not read after it,
with their devices. Tensors and devices are those of a segment."""


class _Segment(Shared):
    """Steps over tensors that are numbered anew; equal segments are one object."""

    __slots__ = ("__weakref__", "found", "left", "steps", "tensors")

    def __init__(self, steps: tuple[_Step, ...], found: tuple[int, ...], left: tuple[int, ...], tensors: int) -> None:
        self.steps, self.found, self.left, self.tensors = steps, found, left, tensors


_segments: WeakValueDictionary[object, _Segment] = WeakValueDictionary()


@dataclass(frozen=True, slots=True)
class Part:
    """A segment in its place: its devices, which sizes it has, and which tensors it finds and leaves."""

    segment: _Segment
    devices: tuple[int, ...]
    sources: int
    found: tuple[int, ...]
    left: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """The steps of a graph, without sizes; `copied` are the numbers of parts of which copies are held throughout."""

    parts: tuple[Part, ...]
    sources: tuple[tuple[Source, ...], ...]
    tensors: int
    copied: frozenset[int] = frozenset()

    def peaks(
        self, sizes_of: Sequence[Sequence[int]], devices: int, weights: Sequence[Mapping[str, int]] = ()
    ) -> dict[int, int]:
        """Highest byte per device (HOST and 0..devices-1), given the sizes of the nodes of each piece of the graph, and
        of the last parts the bytes of the `weights` that pass through."""
        places = [_NOWHERE] * self.tensors
        free = dict.fromkeys(range(HOST, devices), EMPTY)
        peaks = dict.fromkeys(range(HOST, devices), 0)
        for part, sizes in zip(self.parts, self._sizes(sizes_of, weights), strict=True):
            walked = _walk(
                part.segment,
                sizes,
                tuple([free[device] for device in part.devices]),
                tuple([places[tensor] for tensor in part.found]),
            )
            for device, after, peak in zip(part.devices, walked.free, walked.peaks, strict=True):
                free[device] = after
                if peak > peaks[device]:
                    peaks[device] = peak
            for tensor, place in zip(part.left, walked.left, strict=True):
                places[tensor] = place
        return peaks

    def _sizes(
        self, sizes_of: Sequence[Sequence[int]], weights: Sequence[Mapping[str, int]]
    ) -> Iterator[tuple[int, ...]]:
        """Bytes of the tensors of each part."""
        layers = [sorted({layer for layer, node in sources if isinstance(node, str)}) for sources in self.sources]
        known: dict[tuple[int, ...], tuple[int, ...]] = {}
        for piece, part in enumerate(self.parts, start=len(weights) - len(self.parts)):
            near = {layer: weights[0 if layer == _OF_ALL else piece + layer] for layer in layers[part.sources]}
            key = (part.sources, *map(id, near.values()))
            if (found := known.get(key)) is None:
                found = known[key] = tuple(
                    [
                        near[home][node] if isinstance(node, str) else sizes_of[home][node]
                        for home, node in self.sources[part.sources]
                    ]
                )
            yield found


class _Walked(NamedTuple):
    free: tuple[Free, ...]
    peaks: tuple[int, ...]
    left: tuple[int, ...]


@remembered(48 * MIB, weigh=lambda _: _WALK_BYTES)
def _walk(segment: _Segment, sizes: tuple[int, ...], free: tuple[Free, ...], found: tuple[int, ...]) -> _Walked:
    """What is free after a segment, how far each device got in it, and where the tensors lie that it leaves."""
    arenas = [Arena(blocks) for blocks in free]
    places = [_NOWHERE] * segment.tensors
    for tensor, place in zip(segment.found, found, strict=True):
        places[tensor] = place
    for tensor, device, always, over, last in segment.steps:
        if tensor >= 0:
            size = sizes[tensor]
            for read in over:
                if sizes[read] == size and places[read] >= 0:
                    places[tensor], places[read] = places[read], _NOWHERE
                    break
            if places[tensor] < 0 and (size or always):
                places[tensor] = arenas[device].take(size)
        for read, holder in last:
            if places[read] >= 0:
                arenas[holder].give(places[read], sizes[read])
                places[read] = _NOWHERE
    return _Walked(
        tuple(arena.free for arena in arenas),
        tuple(arena.peak for arena in arenas),
        tuple([places[tensor] for tensor in segment.left]),
    )


# A step as `_Step`, with the nodes and devices of the whole graph.
_Plain = tuple[int, int, bool, tuple[int, ...], tuple[int, ...]]


def _without_sizes(
    graph: Graph, homes: Sequence[int], starts: Sequence[int], pieces: Sequence[int], copies: int
) -> Hashable:
    """What a layout depends on: all of a graph but its sizes, in which alone models of one kind differ. As a digest,
    since it takes more room than a layout."""
    its = graph.weights
    every = (
        *(graph.order, graph.reads, graph.reuses, list(graph.inputs.items()), list(graph.parts.items())),
        *(sorted(graph.empty), sorted(graph.unread), graph.kept, graph.most_copies, sorted(its.runs)),
        *(list(its.names), "\n".join(its.names.values()), list(homes), list(starts), list(pieces), copies),
    )
    return blake2b(marshal.dumps(every, _BY_VALUE)).digest()


@remembered(32 * MIB, weigh=lambda _: _LAYOUT_BYTES, key=_without_sizes)
def lay_out(graph: Graph, homes: list[int], starts: Sequence[int], pieces: Sequence[int], copies: int) -> Layout:
    """The steps of a graph whose operations have their `homes`.

    `starts` are the first nodes of its pieces, `pieces` the number of each, equal for pieces that are alike. With
    pipeline parallelism whatever enters a device exists in several `copies`, all held throughout. The first parts of
    the result hold what is allocated before anything else, each constant of a later layer one of its own, the others
    are those of the pieces.
    """
    steps = schedule(graph, homes)
    originals = {node: original for node, _, _, original in steps if original >= 0}
    homes = [max(home, HOST) for home in homes] + [0] * len(originals)
    pending = [0] * len(homes)
    for node, device, reads, _ in steps:
        homes[node] = device
        for read in reads:
            pending[read if read >= 0 else ~read] += 1
    for node in graph.kept:
        pending[node] += 1
    sources: list[Source] = []
    of_piece: dict[int, list[Source]] = {}
    for start, end, piece in zip(starts, [*starts[1:], len(graph.sizes)], pieces, strict=True):
        if (its := of_piece.get(piece)) is None:
            its = of_piece[piece] = [(piece, number) for number in range(end - start)]
        sources += its
    sources += [sources[originals[copy]] for copy in range(len(sources), len(homes))]
    weights = {
        node: (original, graph.weights.names[original])
        for node, original in originals.items()
        if original in graph.weights.names
    }

    plain: list[_Plain] = []
    fixed: set[int] = set()
    if copies > 1:
        fixed = {*graph.inputs, *originals}
        for node in (*graph.inputs, *(step[0] for step in steps if step[3] >= 0)):
            for _ in range(1 if node in graph.unread else copies):  # held for good: tensors that nobody reads
                plain.append((len(homes), homes[node], True, (), ()))
                homes.append(homes[node])
                sources.append(sources[node])
    cuts: list[int] = []
    constants, inputs = 0, set(graph.inputs)
    placed = max((count for count in graph.late.values() if count < ALL), default=0)
    for node in graph.leaves():
        if node in fixed or node in graph.empty:
            continue
        if node not in inputs:
            constants += 1
        if constants > placed:  # those of layers after the first few: what comes between them is not moved by more
            cuts.append(len(plain))
        plain.append((node, homes[node], True, (), ()))
    lying = {node for node, *_ in plain}
    before = len(cuts)
    upcoming = iter(starts)
    upcoming_start = next(upcoming)
    reuses, empty = graph.reuses, graph.empty
    for node, device, reads, original in steps:
        over: tuple[int, ...] = ()
        if original < 0:
            while node >= upcoming_start:
                cuts.append(len(plain))
                upcoming_start = next(upcoming, len(homes))
            if reuses[node]:
                # A tensor read through a view never gives up its memory: ggml-alloc sees the view as foreign.
                over = tuple([read for read in reads if read >= 0 and pending[read] == 1 and read in lying])
        last = []
        for read in reads:
            if read < 0:
                read = ~read
            left = pending[read] = pending[read] - 1
            if not left and read in lying:
                last.append(read)
        always = (node if original < 0 else original) in empty
        if node not in fixed:
            lying.add(node)
        plain.append((node if node in lying else -1, device, always, over, tuple(last) if last else ()))
    cuts += [len(plain)] * (len(starts) + before - len(cuts))
    of_layer = {copy: (bisect_right(starts, node) - 1, name) for copy, (node, name) in weights.items()}
    found = _cut(plain, [0, *cuts, len(plain)], homes, _Sources(sources, before + 1, of_layer))
    if copies == 1:
        return found
    return replace(found, copied=frozenset(before + bisect_right(starts, node) for node in originals.values()))


class _Sources(NamedTuple):
    """Of each tensor; of copies of weights, `weights` tell the piece of the graph and the name. So many parts are
    `before` all pieces."""

    plain: Sequence[Source]
    before: int
    weights: Mapping[int, tuple[int, str]]

    def of(self, tensors: Iterable[int], part: int) -> tuple[Source, ...]:
        if not self.weights:
            return tuple([self.plain[tensor] for tensor in tensors])
        return tuple([self._near(tensor, part - self.before) for tensor in tensors])

    def _near(self, tensor: int, piece: int) -> Source:
        if (weight := self.weights.get(tensor)) is None:
            return self.plain[tensor]
        home, name = weight
        return home - piece if home else _OF_ALL, name


def _cut(plain: list[_Plain], cuts: list[int], homes: list[int], sources: _Sources) -> Layout:
    """Segments between the cuts, each with tensors and devices of its own numbers."""
    ends = {node: number for number, step in enumerate(plain) if step[4] for node in step[4]}
    crossing: dict[int, int] = {}
    sized: dict[tuple[Source, ...], int] = {}
    parts: list[Part] = []
    for number, (start, end) in enumerate(pairwise(cuts)):
        tensors: dict[int, int] = {}
        devices: dict[int, int] = {}
        found: list[int] = []
        steps: list[_Step] = []
        for node, device, always, over, last in plain[start:end]:
            freed: tuple[tuple[int, int], ...] = ()
            for each in last:
                if each not in tensors:
                    found.append(each)
                    tensors[each] = len(tensors)
                freed += ((tensors[each], devices.setdefault(homes[each], len(devices))),)
            if node >= 0:
                node = tensors.setdefault(node, len(tensors))
            device = devices.setdefault(device, len(devices))
            steps.append((node, device, always, tuple([tensors[each] for each in over]) if over else (), freed))
        left = [node for node in tensors if ends.get(node, -1) >= end]
        for node in left:
            crossing.setdefault(node, len(crossing))
        segment = _segment(
            tuple(steps),
            tuple([tensors[node] for node in found]),
            tuple([tensors[node] for node in left]),
            len(tensors),
        )
        names = sources.of(tensors, number)
        parts.append(
            Part(
                segment,
                tuple(devices),
                sized.setdefault(names, len(sized)),
                tuple([crossing[node] for node in found]),
                tuple([crossing[node] for node in left]),
            )
        )
    return Layout(tuple(parts), tuple(sized), len(crossing))


def _segment(steps: tuple[_Step, ...], found: tuple[int, ...], left: tuple[int, ...], tensors: int) -> _Segment:
    key = (steps, found, left)
    if (known := _segments.get(key)) is None:
        known = _segments[key] = _Segment(steps, found, left, tensors)
    return known
