"""Layers whose residual is more than one stream (src/models/gemma3n.cpp, deepseek4.cpp, qwen4exp.cpp, kimi-k3.cpp)."""

from __future__ import annotations

from dataclasses import replace

from advisor.models.feed_forward import Dense
from advisor.models.mixers import Attention
from advisor.models.model import Layer
from advisor.models.recurrent import NgramLookup
from advisor.models.wiring import StreamWiring
from advisor.runtimes.llama_cpp.compute import gemma as compute_gemma
from advisor.runtimes.llama_cpp.compute import streams as compute_streams
from advisor.runtimes.llama_cpp.compute.blocks import feed, mix, output_of
from advisor.runtimes.llama_cpp.compute.frame import Frame
from advisor.runtimes.llama_cpp.compute.graph import view


def _low_rank_layer(frame: Frame, layer: Layer, number: int, streams: int, wiring: StreamWiring, *, last: bool) -> int:
    graph, size, count, rank = frame.graph, frame.f32(frame.model.width), wiring.count, wiring.rank
    for mixer in layer.mixers:
        if isinstance(mixer, NgramLookup):
            streams = compute_streams.ngram_lookup(frame, mixer, streams)
    connection, source = compute_streams.low_rank_in(frame, streams, count, rank, "hc_attn")
    out = graph.matmul(size, mix(frame, layer.mixers[0], number, source), weight=output_of(layer.mixers[0]))
    streams = compute_streams.low_rank_out(frame, connection, out, streams, last=last)
    connection, source = compute_streams.low_rank_in(frame, streams, count, rank, "hc_ffn")
    fed = feed(frame, layer.feed_forward, source)
    return compute_streams.low_rank_out(frame, connection, fed, streams)


def banked_layer(frame: Frame, layer: Layer, number: int, stream: int, every: int) -> int:
    """A layer of Kimi K3: every twelfth (`every`) banks the residual stream and starts a new one."""
    graph, size = frame.graph, frame.f32(frame.model.width)
    source = compute_streams.mixed_with_bank(frame, stream, "attn_res_score")
    restart = number % every == 0
    if restart:
        compute_streams.bank(frame, stream)
    source = graph.norm(size, source, weight="attn_norm")
    graph.settle()
    out = graph.matmul(size, mix(frame, layer.mixers[0], number, source), weight=output_of(layer.mixers[0]))
    stream = out if restart else graph.inplace(size, stream, out)
    early = layer.routed is not None
    source = compute_streams.mixed_with_bank(frame, stream, "ffn_res_score", early=early)
    source = graph.norm(size, source, weight="ffn_norm")
    return graph.inplace(size, stream, feed(frame, layer.feed_forward, source))


def hyper_layer(frame: Frame, layer: Layer, number: int, streams: int, wiring: StreamWiring, *, last: bool) -> int:
    if wiring.rank:
        return _low_rank_layer(frame, layer, number, streams, wiring, last=last)
    graph, size, count = frame.graph, frame.f32(frame.model.width), wiring.count
    weights, source = compute_streams.mixed_in(frame, streams, count)
    out = graph.matmul(size, mix(frame, layer.mixers[0], number, graph.norm(size, source)))
    streams = compute_streams.mixed_out(frame, weights, out, streams, count)
    weights, source = compute_streams.mixed_in(frame, streams, count, result_first=wiring.weights_first)
    fed = feed(frame, layer.feed_forward, graph.norm(size, source))
    return compute_streams.mixed_out(frame, weights, fed, streams, count)


def altup_layer(frame: Frame, layer: Layer, number: int, streams: int) -> int:
    """A layer of Gemma 3n: predict all streams, compute one, correct the others."""
    graph, size = frame.graph, frame.f32(frame.model.width)
    predictions = compute_gemma.predicted(frame, streams)
    source = graph.norm(size, view(predictions), weight="attn_norm")
    attention = layer.mixers[0]
    if isinstance(attention, Attention) and number >= len(frame.model.layers) - frame.model.shared_kv_layers:
        attention = replace(attention, own_kv=False)
    out = graph.matmul(size, mix(frame, attention, number, source), weight="attn_output")
    out = graph.inplace(size, graph.norm(size, out, weight="post_attention_norm"), view(predictions))
    rank = next(part.shape[1] for part in layer.extras if part.name == "laurel_l.weight")
    out = graph.inplace(size, out, compute_gemma.low_rank_residual(frame, source, rank))
    inner = layer.feed_forward.inner if isinstance(layer.feed_forward, Dense) else 0
    normed = graph.norm(size, out, weight="ffn_norm")
    fed = compute_gemma.activations(frame, inner, normed, compute_gemma.is_sparse(number))
    out = graph.inplace(size, graph.norm(size, fed, weight="post_ffw_norm"), out)
    return compute_gemma.corrected(frame, predictions, out)
