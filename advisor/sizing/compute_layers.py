"""How blocks are wired into layers, and what comes before the first and after the last one."""

from __future__ import annotations

from advisor.models.feed_forward import Dense, FeedForward, MixtureOfExperts
from advisor.models.mixers import (
    Attention,
    GatedDeltaNet,
    LatentAttention,
    LinearAttention,
    Mamba2,
    Mixer,
    ShortConvolution,
)
from advisor.models.model import Layer, Model
from advisor.sizing import compute_feed_forward, compute_mixers
from advisor.sizing.compute_frame import Frame
from advisor.sizing.compute_graph import view
from advisor.sizing.placement import HOST

_LAYER_NORM = frozenset({"phi2", "phimoe", "starcoder2", "command-r", "cohere2", "bert", "nomic-bert"})
# Attention output is projected after the feed-forward part, which runs beside it.
_PARALLEL_LATE = frozenset({"command-r", "cohere2"})
_PARALLEL_EARLY = frozenset({"phi2"})
# The residual is the first operand of the addition, so its memory is what the sum reuses.
_RESIDUAL_FIRST = frozenset({"lfm2", "lfm2moe"})
# The output rows are picked from the sum with the residual.
_ROWS_AFTER_RESIDUAL = frozenset({"falcon-h1"})
# Which tokens need logits is picked after the last layer instead of inside it.
_ROWS_AT_END = frozenset({"gemma4", "nemotron_h", "nemotron_h_moe", "gpt-oss", "qwen35", "qwen35moe", "qwen3next"})


def rotates(model: Model, number: int, attention: Attention) -> bool:
    """Whether a layer rotates queries and keys by position."""
    match model.architecture:
        case "nemotron_h" | "nemotron_h_moe":
            return False
        case "granitehybrid":  # models with state-space layers leave positions to them
            return all(isinstance(m, Attention) for layer in model.layers for m in layer.mixers)
        case "smollm3":
            return (number + 1) % 4 != 0
        case "cohere2" | "exaone4" | "llama4" | "muse-glimmer":  # full layers among windowed ones see no positions
            return attention.window > 0 or not any(
                isinstance(m, Attention) and m.window for layer in model.layers for m in layer.mixers
            )
    return True


def add_embedding(frame: Frame) -> int:
    graph, model = frame.graph, frame.model
    tokens = graph.input(4 * frame.tokens)
    graph.input(frame.f32(model.width))  # the alternative to tokens: ready-made embeddings, reserved as well
    frame.add_inputs()
    frame.output_rows = graph.input(4 * frame.tokens)
    stream = graph.on(HOST, frame.f32(model.width), tokens)
    graph.settle()
    return stream


def add_layer(frame: Frame, layer: Layer, number: int, stream: int, *, last: bool) -> int:
    graph, model = frame.graph, frame.model
    rms = model.architecture not in _LAYER_NORM
    size = frame.f32(model.width)
    names = {part.name.removesuffix(".weight") for part in layer.extras}
    source = graph.norm(size, stream, rms) if "attn_norm" in names else stream
    if layer.mixers and layer.feed_forward is not None and model.architecture in _PARALLEL_LATE:
        mixed = _mix(frame, layer.mixers[0], number, source)
        fed = graph.inplace(size, _feed(frame, layer.feed_forward, source), stream)
        return graph.inplace(size, fed, graph.matmul(size, mixed))
    if layer.mixers and layer.feed_forward is not None and model.architecture in _PARALLEL_EARLY:
        out = graph.matmul(size, _mix(frame, layer.mixers[0], number, source))
        if last:
            out, source = graph.op(size, out, frame.output_rows), graph.op(size, source, frame.output_rows)
        fed = graph.inplace(size, out, _feed(frame, layer.feed_forward, source))
        if last:
            stream = graph.op(size, stream, frame.output_rows)
        return graph.inplace(size, fed, stream)
    sandwich = bool(names & {"ffn_norm", "post_ffw_norm"})
    if layer.mixers:
        narrow = last and model.architecture not in _ROWS_AT_END
        early = narrow and model.architecture in _RESIDUAL_FIRST
        cores, stream = _mixed(frame, layer.mixers, number, source, stream, narrow_stream=early)
        out = cores[0]
        for other in cores[1:]:
            out = graph.inplace(size, out, other)
        if "post_attention_norm" in names and sandwich:
            out = graph.norm(size, out, rms)
        after = model.architecture in _ROWS_AFTER_RESIDUAL
        if narrow and not after:
            out = graph.op(size, out, frame.output_rows)
            stream = stream if early else graph.op(size, stream, frame.output_rows)
        stream = _residual(frame, out, stream, model.architecture in _RESIDUAL_FIRST)
        if narrow and after:
            stream = graph.op(size, stream, frame.output_rows)
        if layer.feed_forward is None:
            return stream
        source = stream
        if "ffn_norm" in names or ("post_attention_norm" in names and not sandwich):
            source = graph.norm(size, stream, rms)
    if layer.feed_forward is None:
        return stream
    fed = _feed(frame, layer.feed_forward, source)
    if "post_ffw_norm" in names:
        fed = graph.norm(size, fed, rms)
    stream = _residual(frame, fed, stream, model.architecture in _RESIDUAL_FIRST | {"phi3"})
    if "layer_output_scale" in names:
        stream = graph.scaled(size, stream)
    return stream


def _residual(frame: Frame, out: int, stream: int, residual_first: bool) -> int:
    size = frame.f32(frame.model.width)
    return frame.graph.inplace(size, *((stream, out) if residual_first else (out, stream)))


def _mixed(
    frame: Frame, mixers: tuple[Mixer, ...], number: int, source: int, stream: int, *, narrow_stream: bool
) -> tuple[list[int], int]:
    """The mixers of a layer with their output projections, and the stream, reduced to the output rows if asked."""
    graph, size = frame.graph, frame.f32(frame.model.width)

    def beside() -> None:
        nonlocal stream
        if narrow_stream:
            stream = graph.op(size, stream, frame.output_rows)
        elif len(mixers) > 1:
            outs.append(graph.matmul(size, core))

    outs: list[int] = []
    core = -1
    if len(mixers) > 1:  # Falcon H1: both read the same norm, which is computed twice
        core = _mix(frame, mixers[0], number, source)
        source = graph.norm(size, stream)
    match mixers[-1]:
        case Mamba2():
            core_out = compute_mixers.mamba2(frame, mixers[-1], source, beside)
        case ShortConvolution():
            core_out = compute_mixers.short_convolution(frame, mixers[-1], source, frame.model.width, beside)
        case _:
            core_out = _mix(frame, mixers[-1], number, source)
            beside()
    out = graph.matmul(size, core_out)
    outs.append(view(out) if isinstance(mixers[-1], (GatedDeltaNet, ShortConvolution)) else out)
    return outs, stream


def _mix(frame: Frame, mixer: Mixer, number: int, source: int) -> int:
    match mixer:
        case Attention():
            return compute_mixers.attention_core(frame, mixer, source, rotates(frame.model, number, mixer))
        case LatentAttention():
            return compute_mixers.latent_attention(frame, mixer, source)
        case GatedDeltaNet():
            return compute_mixers.gated_delta_net(frame, mixer, source)
        case LinearAttention():
            return source
    raise NotImplementedError(type(mixer).__name__)


def _feed(frame: Frame, block: FeedForward, source: int) -> int:
    if isinstance(block, Dense):
        return compute_feed_forward.dense(frame, block, source)
    assert isinstance(block, MixtureOfExperts)
    return compute_feed_forward.experts(frame, block, source)


def add_output(frame: Frame, stream: int) -> None:
    graph, model = frame.graph, frame.model
    size = frame.f32(model.width)
    normed = graph.norm(size, stream, model.architecture not in _LAYER_NORM)
    if model.architecture in _ROWS_AT_END:
        graph.keep(normed)  # the input of draft layers, should there be any
        normed = graph.op(size, normed, frame.output_rows)
    if model.causal:
        rows = next((part.shape[1] for part in model.globals if part.name == "output.weight"), model.vocabulary)
        graph.matmul(frame.f32(rows), normed)
