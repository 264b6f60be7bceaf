"""How blocks are wired into layers, and what comes before the first and after the last one."""

from __future__ import annotations

from advisor.models.mixers import Mixer
from advisor.models.model import Layer
from advisor.models.recurrent import GatedDeltaNet, Mamba2, NgramLookup, ShortConvolution
from advisor.runtimes.llama_cpp.compute import gemma as compute_gemma
from advisor.runtimes.llama_cpp.compute import multi_stream as compute_multi_stream
from advisor.runtimes.llama_cpp.compute import streams as compute_streams
from advisor.runtimes.llama_cpp.compute.blocks import core, feed, mix, output_of, turned_back
from advisor.runtimes.llama_cpp.compute.frame import Frame
from advisor.runtimes.llama_cpp.compute.graph import view
from advisor.sizing.placement import HOST


def add_embedding(frame: Frame) -> int:
    graph, model = frame.graph, frame.model
    hashed = any(isinstance(mixer, NgramLookup) for mixer in model.mixers)
    first = hashed and frame.settings.since("2026-10")  # looked up before the tokens' embeddings
    ngrams = graph.input(4 * 16 * frame.tokens) if first else -1
    tokens = graph.input(4 * frame.tokens)
    size = frame.f32(model.width)
    deep = 1 + model.wiring.graph.image_layers
    mixed = frame.settings.since("2026-10") and model.wiring.graph.by_release.mixes_embeddings
    others = graph.input(4 * frame.tokens) if mixed else -1
    alternative = graph.input(size * deep)  # to tokens: ready-made embeddings, reserved as well
    if not frame.settings.since("2026-10"):
        graph.unread.add(alternative)
    placed = (graph.input(8 * frame.tokens), graph.input(size * deep)) if mixed else ()
    factors = graph.input(4 * frame.tokens) if mixed and model.wiring.graph.by_release.scaled_by_rows else -1
    gates = [part.shape[1] for layer in model.layers[:1] for part in layer.extras if part.name == "inp_gate.weight"]
    ngrams = graph.input(4 * 16 * frame.tokens) if hashed and not first else ngrams
    layer_tokens = graph.input(4 * frame.tokens) if gates else -1
    frame.add_inputs()
    frame.tokens_input = tokens
    if first:
        frame.looked_up = graph.on(HOST, size, ngrams)
    stream = graph.on(HOST, size, tokens)
    given = graph.on(HOST, size, others) if mixed else -1
    if deep > 1:
        frame.deep = graph.op(size * deep, stream)
        given = graph.op(size * deep, given) if mixed else -1
        stream = view(frame.deep)
    if placed:  # a micro-batch that mixes tokens with ready-made embeddings; nothing reads it yet, so it stays
        slots, embeddings = placed
        joined = graph.op(size * deep, embeddings)
        graph.op(0, view(given), slots, joined)
        graph.keep(joined)
        graph.settle()
    if model.wiring.graph.embeddings_scaled or model.wiring.graph.by_release.scaled_by_rows:
        stream = graph.inplace(size, stream, *((factors,) if factors >= 0 else ()))
    tables = {part.name for part in model.globals}
    if "token_types.weight" in tables:  # BERT: token type and position are added, then a norm
        learned = "position_embd.weight" in tables
        place = graph.on(HOST, size, frame.positions) if learned else -1
        stream = graph.inplace(size, stream)
        stream = graph.inplace(size, place, stream) if learned else stream
        stream = graph.norm(size, stream, rms=False, weight="token_embd_norm")
    if gates:
        frame.per_layer_width = gates[0]
        graph.settle()
        stream = compute_gemma.add_layer_embeddings(frame, stream, layer_tokens)
    if model.wiring.graph.alternating_streams:
        stream = compute_gemma.split_streams(frame, stream)
    if (streams := model.wiring.streams) is not None:
        graph.settle()
        if hashed and not first:
            frame.looked_up = graph.on(HOST, size, ngrams)
            graph.settle()
        return compute_streams.widened(frame, stream, streams.count)
    graph.settle()
    return stream


def add_layer(frame: Frame, layer: Layer, number: int, stream: int, *, last: bool) -> int:
    graph, model, wiring = frame.graph, frame.model, frame.model.wiring.graph
    if wiring.alternating_streams:
        return compute_multi_stream.altup_layer(frame, layer, number, stream)
    if (streams := model.wiring.streams) is not None:
        return compute_multi_stream.hyper_layer(frame, layer, number, stream, streams, last=last)
    if wiring.bank_every:
        return compute_multi_stream.banked_layer(frame, layer, number, stream, wiring.bank_every)
    rms = not wiring.layer_norm
    size = frame.f32(model.width)
    names = {part.name.removesuffix(".weight") for part in layer.extras}
    source = graph.norm(size, stream, rms, "attn_norm") if "attn_norm" in names else stream
    if wiring.beside_attention == "before projection":
        return _parallel_late(frame, layer, number, source, stream, last)
    if wiring.beside_attention == "after projection":
        return _parallel_early(frame, layer, number, source, stream, last)
    sandwich = bool(names & {"ffn_norm", "post_ffw_norm"})
    narrow = last and not wiring.by_release.picks_late(frame.settings.release)
    if layer.mixers:
        early = narrow and wiring.stream_first
        cores, stream = _mixed(frame, layer.mixers, number, source, stream, narrow_stream=early)
        out = cores[0]
        for other in cores[1:]:
            out = graph.inplace(size, out, other)
        if narrow and wiring.rows == "before norm":
            out = frame.picked(out, model.width)
            size = frame.f32(model.width)
        if "post_attention_norm" in names and sandwich:
            out = graph.norm(size, out, rms, "post_attention_norm")
        if narrow and wiring.rows == "before residual":
            out = frame.picked(out, model.width)
        if narrow and wiring.rows != "after residual":
            stream = stream if early else frame.picked(stream, model.width)
        stream = _residual(frame, out, stream, wiring.stream_first)
        if narrow and wiring.rows == "after residual":
            stream = frame.picked(stream, model.width)
        size = frame.f32(model.width)
        if layer.feed_forward is None:
            return stream
        source, block = stream, layer.routed
        if block is not None and block.dense is not None:
            fed = compute_gemma.experts_beside_dense(frame, block, block.dense, stream)
            fed = graph.norm(size, fed, weight="post_ffw_norm")
            return graph.scaled(size, graph.inplace(size, fed, stream), "layer_output_scale.weight")
        if "ffn_norm" in names or ("post_attention_norm" in names and not sandwich):
            source = graph.norm(size, stream, rms, "ffn_norm" if "ffn_norm" in names else "post_attention_norm")
    if layer.feed_forward is None:
        return stream
    if not layer.mixers and "ffn_norm" in names:
        source = graph.norm(size, stream, rms, "ffn_norm")
    if "attn_output_norm" in names:
        stream = source = graph.norm(size, stream, rms, "attn_output_norm")
    fed = feed(frame, layer.feed_forward, source)
    if "post_ffw_norm" in names:
        fed = graph.norm(size, fed, rms, "post_ffw_norm")
    if narrow and not layer.mixers:
        fed, stream = frame.picked(fed, model.width), frame.picked(stream, model.width)
    stream = _residual(frame, fed, stream, wiring.stream_first_when_fed)
    if "inp_gate" in names:
        stream = graph.inplace(size, stream, compute_gemma.layer_embedding(frame, stream))
    if "layer_output_norm" in names:
        stream = graph.norm(size, stream, rms, "layer_output_norm")
    if frame.deep >= 0 and number < wiring.image_layers:
        apart = 4 * model.width * wiring.image_layers  # a view that ends before the last token's others
        stream = graph.inplace(size, stream, graph.part(graph.sizes[frame.deep] - apart, view(frame.deep)))
    if "layer_output_scale" in names:
        stream = graph.scaled(size, stream, "layer_output_scale.weight")
    return stream


def _parallel_late(frame: Frame, layer: Layer, number: int, source: int, stream: int, last: bool) -> int:
    graph, size, tokens = frame.graph, frame.f32(frame.model.width), frame.tokens
    mixed = core(frame, layer.mixers[0], number, source)
    if last:
        source = frame.picked(source, frame.model.width)
    fed = feed(frame, layer.feed_forward, source)
    if last:
        stream = frame.picked(stream, frame.model.width)
    fed = graph.inplace(frame.f32(frame.model.width), fed, stream)
    frame.tokens = tokens  # of all rows: they are picked from the result
    out = graph.matmul(size, turned_back(frame, layer.mixers[0], mixed), weight="attn_output")
    out = frame.picked(out, frame.model.width) if last else out
    return graph.inplace(frame.f32(frame.model.width), fed, out)


def _parallel_early(frame: Frame, layer: Layer, number: int, source: int, stream: int, last: bool) -> int:
    graph, size = frame.graph, frame.f32(frame.model.width)
    mixed = mix(frame, layer.mixers[0], number, source)
    out = graph.matmul(size, mixed, weight="attn_output")
    if last:
        out, source = frame.picked(out, frame.model.width), frame.picked(source, frame.model.width)
        size = frame.f32(frame.model.width)
    fed = graph.inplace(size, out, feed(frame, layer.feed_forward, source))
    if last:
        stream = frame.picked(stream, frame.model.width)
    return graph.inplace(size, fed, stream)


def _residual(frame: Frame, out: int, stream: int, stream_first: bool) -> int:
    size = frame.f32(frame.model.width)
    return frame.graph.inplace(size, *((stream, out) if stream_first else (out, stream)))


def _mixed(
    frame: Frame, mixers: tuple[Mixer, ...], number: int, source: int, stream: int, *, narrow_stream: bool
) -> tuple[list[int], int]:
    """The mixers of a layer with their output projections, and the stream, reduced to the output rows if asked."""
    graph, size = frame.graph, frame.f32(frame.model.width)

    def beside() -> None:
        nonlocal stream
        if narrow_stream:
            stream = graph.op(4 * frame.model.width * frame.outputs, stream, frame.output_rows)
        elif len(mixers) > 1:
            outs.append(graph.matmul(size, turned_back(frame, mixers[0], first), weight=output_of(mixers[0])))

    outs: list[int] = []
    first = -1
    if len(mixers) > 1:  # Falcon H1: both read the same norm, which is computed twice
        first = core(frame, mixers[0], number, source)
        source = graph.norm(size, stream, weight="attn_norm")
    reshaped = isinstance(mixers[-1], (GatedDeltaNet, ShortConvolution)) or (
        isinstance(mixers[-1], Mamba2) and not frame.settings.since("2026-09")
    )
    mixed = mix(frame, mixers[-1], number, source, beside)
    out = graph.matmul(size, mixed, weight=output_of(mixers[-1]), at_home=reshaped and frame.few_of_a_user)
    outs.append(view(out) if reshaped else out)
    return outs, stream


def add_output(frame: Frame, stream: int) -> None:
    graph, model = frame.graph, frame.model
    if not model.causal and not any(part.name == "output_norm.weight" for part in model.globals):
        return
    if model.wiring.graph.alternating_streams:
        stream = compute_gemma.merged(frame, stream)
    if model.wiring.graph.bank_every:
        stream = frame.picked(compute_streams.mixed_with_bank(frame, stream, "output_res_score"), model.width)
    if model.wiring.graph.by_release.keeps_result(frame.settings.release):
        graph.keep(stream)
    if (streams := model.wiring.streams) is not None:
        if streams.rank:
            low_rank = compute_streams.low_rank_end(frame, stream, streams.count, streams.rank)
            graph.matmul(frame.f32(model.vocabulary), low_rank, weight="output")
            return
        stream = compute_streams.narrowed(frame, stream, streams.count, streams.weighted_end)
    normed = graph.norm(frame.f32(model.width), stream, not model.wiring.graph.layer_norm, "output_norm")
    if model.wiring.graph.by_release.picks_late(frame.settings.release):
        graph.keep(normed)  # the input of draft layers, should there be any
        normed = frame.picked(normed, model.width)
    if model.causal:
        rows = next((part.shape[1] for part in model.globals if part.name == "output.weight"), model.vocabulary)
        graph.matmul(frame.f32(rows), normed, weight="output")
