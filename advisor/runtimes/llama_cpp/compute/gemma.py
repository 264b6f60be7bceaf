"""Graph nodes that only Gemma 3n and 4 have: embeddings per layer, parallel streams (AltUp), dense beside experts.

src/models/gemma3n.cpp, src/models/gemma4.cpp.
"""

from __future__ import annotations

from advisor.models.feed_forward import Dense, MixtureOfExperts
from advisor.runtimes.llama_cpp.compute import feed_forward as compute_feed_forward
from advisor.runtimes.llama_cpp.compute.frame import Frame
from advisor.runtimes.llama_cpp.compute.graph import view
from advisor.sizing.placement import HOST

_SPARSE_LAYERS = 10  # leading layers of Gemma 3n whose feed-forward part keeps the largest activations only


def add_layer_embeddings(frame: Frame, stream: int, tokens: int) -> int:
    """Look up one small embedding per layer; returns the scaled token embeddings."""
    graph = frame.graph
    size = frame.f32(frame.per_layer_width * len(frame.model.layers))
    looked_up = graph.on(HOST, size, tokens)
    graph.settle()
    frame.per_layer = graph.inplace(size, view(looked_up))
    if frame.settings.since("2026-10"):  # scaled before
        frame.embedded = stream
    else:
        frame.embedded = graph.inplace(frame.f32(frame.model.width), stream)
    return frame.embedded


def layer_embedding(frame: Frame, source: int) -> int:
    """Gate the layer's own embedding by what the layer computed and project it to the stream."""
    graph, size = frame.graph, frame.f32(frame.per_layer_width)
    gate = graph.inplace(size, graph.matmul(size, source, weight="inp_gate"))
    if frame.embedded >= 0:  # made when first needed: projection of the token embeddings added to the looked-up ones
        every = frame.f32(frame.per_layer_width * len(frame.model.layers))
        home, graph.here = graph.here, frame.first_home
        projected = graph.inplace(every, graph.matmul(every, frame.embedded, weight="per_layer_model_proj"))
        projected = graph.norm(every, view(projected), weight="per_layer_proj_norm")
        graph.here = home
        projected = graph.inplace(every, projected, frame.per_layer)
        frame.per_layer = view(graph.op(every, view(projected)))
        frame.embedded = -1
    gated = graph.inplace(size, gate, graph.part(size, frame.per_layer))
    width = frame.f32(frame.model.width)
    return graph.norm(width, graph.matmul(width, gated, weight="proj"), weight="post_norm")


def experts_beside_dense(frame: Frame, block: MixtureOfExperts, beside: Dense, stream: int) -> int:
    """Gemma 4 26B: experts and a dense block side by side, each with norms of its own."""
    graph, size = frame.graph, frame.f32(frame.model.width)
    router = graph.scaled(size, graph.inplace(size, stream), "ffn_gate_inp.scale")

    def normed(weight: str = "pre_ffw_norm_2") -> int:
        return graph.norm(size, stream, weight=weight)

    routed = compute_feed_forward.experts(frame, block, -1, router, normed)
    plain = compute_feed_forward.dense(frame, beside, normed("ffn_norm"))
    plain = graph.norm(size, plain, weight="post_ffw_norm_1")
    return graph.inplace(size, plain, graph.norm(size, routed, weight="post_ffw_norm_2"))


def _count(frame: Frame) -> int:
    """How many streams there are."""
    return frame.model.wiring.graph.alternating_streams


def split_streams(frame: Frame, stream: int) -> int:
    """Token embeddings become several streams of equal magnitude."""
    graph, size, count = frame.graph, frame.f32(frame.model.width), _count(frame)
    others = (count - 1) * size
    projected = graph.routed(frame.output_home, others, graph.op(others, stream), weight="altup_proj")
    matched = _matched(frame, others, size, stream, projected)
    return graph.op(count * size, stream, matched)


def _matched(frame: Frame, others: int, size: int, reference: int, projected: int) -> int:
    graph, count = frame.graph, _count(frame)
    target = graph.inplace(frame.f32(1), graph.op(frame.f32(1), graph.inplace(size, reference)))
    scaled = graph.inplace(others, projected, target)
    own = graph.inplace(frame.f32(count - 1), graph.op(frame.f32(count - 1), graph.inplace(others, projected)))
    return graph.inplace(others, scaled, own)


def predicted(frame: Frame, streams: int) -> int:
    """Every stream's value after the layer, predicted before it runs."""
    graph, size, count = frame.graph, frame.f32(frame.model.width), _count(frame)
    turned = graph.op(count * size, view(streams))
    coefficients = graph.matmul(frame.f32(count**2), _modalities(frame, view(streams)), weight="altup_predict_coef")
    mixed = graph.op(count * size, turned, view(coefficients))
    straight = graph.op(count * size, view(mixed))
    return graph.inplace(count * size, straight, streams)


def _modalities(frame: Frame, source: int) -> int:
    graph, size, count = frame.graph, frame.f32(frame.model.width), _count(frame)
    routed = graph.norm(size, source, weight="altup_router_norm")
    return graph.inplace(frame.f32(count), graph.matmul(frame.f32(count), routed, weight="altup_router"))


def low_rank_residual(frame: Frame, source: int, rank: int) -> int:
    """LAuReL: a low-rank map of the layer's input, added to it."""
    graph, size = frame.graph, frame.f32(frame.model.width)
    mapped = graph.matmul(size, graph.matmul(frame.f32(rank), source, weight="laurel_l"), weight="laurel_r")
    mapped = graph.norm(size, mapped, weight="laurel_post_norm")
    return graph.inplace(size, mapped, source)


def activations(frame: Frame, elements: int, source: int, sparse: bool) -> int:
    """Feed-forward part of Gemma 3n; the first layers zero what is below a threshold of mean and spread."""
    graph, inner = frame.graph, frame.f32(elements)
    up = graph.matmul(inner, source, weight="ffn_up")
    gate = graph.matmul(inner, source, weight="ffn_gate")
    if sparse:
        mean = graph.op(frame.f32(1), gate)
        spread = graph.op(frame.f32(1), graph.inplace(inner, graph.inplace(inner, gate, mean)))
        gate = graph.inplace(inner, gate, graph.inplace(frame.f32(1), mean, spread))
    active = graph.inplace(inner, up, graph.inplace(inner, gate))
    return graph.matmul(frame.f32(frame.model.width), active, weight="ffn_down")


def corrected(frame: Frame, predictions: int, result: int) -> int:
    """Correct the predictions by what the layer found, and add the layer's own embedding to all but the first."""
    graph, size, count = frame.graph, frame.f32(frame.model.width), _count(frame)
    change = graph.inplace(size, result, view(predictions))
    spread = graph.op(count * size, change)
    coefficients = graph.matmul(frame.f32(count), _modalities(frame, result), weight="altup_correct_coef")
    coefficients = graph.op(frame.f32(count), view(coefficients))
    fixed = graph.inplace(count * size, graph.inplace(count * size, spread, coefficients), predictions)
    first = graph.matmul(size, view(fixed), weight="altup_correct_scale")
    addition = layer_embedding(frame, first)
    others = graph.inplace((count - 1) * size, view(fixed), addition)
    return graph.op(count * size, view(fixed), others)


def merged(frame: Frame, streams: int) -> int:
    """Streams become one again."""
    graph, size, count = frame.graph, frame.f32(frame.model.width), _count(frame)
    others = (count - 1) * size
    projected = graph.matmul(others, view(streams), weight="altup_unembd_proj")
    matched = _matched(frame, others, size, view(streams), projected)
    total = graph.op(size, view(streams), view(matched))
    return frame.picked(total, frame.model.width)


def is_sparse(number: int) -> bool:
    return number < _SPARSE_LAYERS
