"""Residual streams that are more than a sum: hyper-connections and banked residuals.

src/models/deepseek4.cpp, glm5-next.cpp, qwen4exp.cpp, kimi-k3.cpp.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from advisor.models.recurrent import NgramLookup
from advisor.runtimes.llama_cpp.compute.frame import Frame
from advisor.runtimes.llama_cpp.compute.graph import view


def widened(frame: Frame, stream: int, count: int) -> int:
    return frame.graph.op(count * frame.f32(frame.model.width), view(stream))


@dataclass(slots=True)
class Mixing:
    """Weights of one block's hyper-connection: all of them, those of its result, those among old and new streams."""

    weights: int
    result: int = -1
    across: int = -1


def mixed_in(frame: Frame, streams: int, count: int, *, result_first: bool = False) -> tuple[Mixing, int]:
    """The mixing weights of a block, and what it reads of the streams.

    `result_first`: the weights of the block's result are ready before the block runs.
    """
    graph, size = frame.graph, frame.f32(frame.model.width)
    normed = graph.op(count * size, view(streams))
    mixing = Mixing(graph.matmul(frame.f32((2 + count) * count), normed))
    if result_first:
        _weigh_result(frame, mixing, count)
        _weigh_streams(frame, mixing, count)
    before = graph.inplace(frame.f32(count), graph.matmul(frame.f32(count), view(mixing.weights)))
    return mixing, graph.op(size, streams, before)


def _weigh_result(frame: Frame, mixing: Mixing, count: int) -> None:
    graph, size = frame.graph, frame.f32(count)
    mixing.result = graph.inplace(size, graph.matmul(size, view(mixing.weights)))


def _weigh_streams(frame: Frame, mixing: Mixing, count: int) -> None:
    mixing.across = frame.graph.matmul(frame.f32(count * count), mixing.weights)


def mixed_out(frame: Frame, mixing: Mixing, result: int, streams: int, count: int) -> int:
    """The new streams: each the block's result and all old streams, weighed."""
    graph, size = frame.graph, frame.f32(frame.model.width)
    if mixing.result < 0:
        _weigh_result(frame, mixing, count)
    if frame.fused_streams:
        if mixing.across < 0:
            _weigh_streams(frame, mixing, count)
        joined = graph.op(count * size, result, streams, mixing.result, mixing.across)
        if not (frame.model.wiring.streams and frame.model.wiring.streams.pinned):
            graph.fused["streams"].append((joined, graph.here))
        return joined
    joined = -1
    for number in range(count):
        total = graph.inplace(size, result, view(mixing.result))
        if mixing.across < 0:
            _weigh_streams(frame, mixing, count)
        for _ in range(count):  # each view of a stream is copied by itself where it crosses devices
            old = graph.part(count * size, streams)
            total = graph.inplace(size, total, graph.op(size, old, view(mixing.across)))
        if number:
            earlier = view(joined) if number == 1 else joined
            joined = graph.op((number + 1) * size, earlier, view(total))
        else:
            joined = total
    return joined


def narrowed(frame: Frame, streams: int, count: int, weighted: bool) -> int:
    """The streams of the output rows become one."""
    graph = frame.graph
    rows = frame.picked(view(streams), count * frame.model.width)
    size = frame.f32(frame.model.width)
    if not weighted:
        return graph.op(size, view(rows))
    weights = graph.matmul(frame.f32(count), graph.op(count * size, view(rows)))
    total = graph.op(size, view(rows), view(weights))
    for _ in range(count - 1):
        total = graph.inplace(size, total, graph.op(size, view(rows), view(weights)))
    return total


class LowRank(NamedTuple):
    """Qwen4's connection of a block of a `kind`: so many streams, and these normed."""

    kind: str
    streams: int
    normed: int


def low_rank_in(frame: Frame, streams: int, count: int, rank: int, kind: str) -> tuple[LowRank, int]:
    """The connection, and what a block reads of the streams through a low-rank gate."""
    graph, size = frame.graph, frame.f32(frame.model.width)
    normed = view(graph.norm(count * size, streams, weight=f"{kind}_norm"))
    gate = graph.inplace(frame.f32(rank), graph.matmul(frame.f32(rank), normed, weight=f"{kind}_down"))
    gate = graph.matmul(count * size, gate, weight=f"{kind}_up")
    return LowRank(kind, count, normed), graph.op(size, normed, view(gate))


def low_rank_out(frame: Frame, by: LowRank, result: int, streams: int, *, last: bool = False) -> int:
    """The new streams; `last`: of the rows alone that need scores."""
    graph, width, tokens, count = frame.graph, frame.model.width, frame.tokens, by.streams
    if last:
        result, streams = frame.picked(result, width), frame.picked(view(streams), count * width)
        streams = view(streams)
    weights = graph.inplace(4 * count * tokens, graph.matmul(4 * count * tokens, by.normed, weight=f"{by.kind}_inject"))
    if last:
        weights = frame.picked(weights, count)
    return graph.op(count * frame.f32(frame.model.width), result, streams, weights)


def low_rank_end(frame: Frame, streams: int, count: int, rank: int) -> int:
    graph, size = frame.graph, frame.f32(frame.model.width)
    normed = view(graph.norm(count * size, streams, weight="output_hc_norm"))
    gate = graph.inplace(frame.f32(rank), graph.matmul(frame.f32(rank), normed, weight="output_hc_down"))
    gate = graph.matmul(count * size, gate, weight="output_hc_up")
    mixed = graph.inplace(count * size, normed, gate)
    return graph.op(size, view(mixed))


def ngram_lookup(frame: Frame, lookup: NgramLookup, streams: int) -> int:
    """Qwen4: add what a hashed table says about the last few tokens to every stream."""
    graph, width = frame.graph, frame.model.width
    size, wide = frame.f32(width), lookup.streams * frame.f32(width)
    state = lookup.kept(width).convolution
    past = frame.state(state)
    # What was looked up is there early; the streams still wait for the layer before.
    value = graph.early_weighed(size, frame.looked_up, weight="ple_value")
    value = graph.early(wide, reads=(view(value),))
    key = graph.early_weighed(wide, frame.looked_up, weight="ple_key")
    key = graph.early(wide, reads=(view(key),))
    key = graph.early_weighed(wide, key, weight="ple_norm_key", reuses=True)
    query = graph.norm(wide, view(streams), weight="ple_norm_query")
    narrow = frame.f32(lookup.streams)
    gate = graph.op(narrow, graph.inplace(wide, key, query))
    sign = graph.op(narrow, gate)
    gate = graph.inplace(narrow, sign, graph.inplace(narrow, gate))
    gated = graph.inplace(wide, value, gate)
    normed = graph.norm(wide, view(gated), weight="ple_norm_conv")
    window = graph.op(wide + frame.per_user(state), view(past), view(normed))
    graph.store(graph.op(frame.per_user(state), view(window)))

    def tap() -> int:
        shifted, row = graph.op(wide, view(window)), wide // frame.tokens // 2
        lent = graph.lent
        weights = graph.op(row, graph.host_part("ple_conv1d.weight")) if lent else graph.matmul(row)
        return graph.inplace(wide, shifted, view(graph.op(wide // frame.tokens, view(weights))))

    total = tap()
    for _ in range(lookup.kernel - 1):
        total = graph.inplace(wide, total, tap())
    total = graph.op(wide, total)
    return graph.inplace(wide, streams, graph.inplace(wide, gated, view(total)))


def bank(frame: Frame, stream: int) -> None:
    """Kimi K3 keeps the residual stream of every twelfth layer."""
    graph, size = frame.graph, frame.f32(frame.model.width)
    if frame.banked < 0:
        frame.banked = graph.part(size, stream)
    else:
        frame.to_bank = stream  # joined to the others when these are next read
    frame.bank_count += 1


def mixed_with_bank(frame: Frame, stream: int, weight: str, *, early: bool = True) -> int:
    """Banked residuals and the current one, weighed by how well they score.

    What is banked is scored `early`, before what the current stream still waits for.
    """
    graph, size = frame.graph, frame.f32(frame.model.width)
    if not frame.bank_count:
        return stream
    every = frame.bank_count * size
    if frame.to_bank >= 0:
        frame.banked = graph.early(every, reads=(frame.banked, view(frame.to_bank)))
        frame.to_bank = -1
    banked = frame.banked
    if early:
        scores = graph.early(every, reads=(banked,))
        scores = graph.early_weighed(every, scores, weight=weight, reuses=True)
        scores = graph.early(frame.f32(frame.bank_count), reads=(scores,))
    else:
        scores = graph.scaled(every, graph.op(every, banked), f"{weight}.weight")
        scores = graph.op(frame.f32(frame.bank_count), scores)
    own = graph.op(frame.f32(1), graph.scaled(size, graph.op(size, stream), f"{weight}.weight"))
    weights = graph.op(frame.f32(frame.bank_count + 1), view(scores), own)
    first = graph.op(size, banked, graph.op(frame.f32(frame.bank_count), view(weights)))
    second = graph.op(size, stream, graph.op(frame.f32(1), view(weights)))
    return graph.inplace(size, first, second)
