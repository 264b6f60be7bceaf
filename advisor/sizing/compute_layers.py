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
from advisor.sizing.placement import HOST

_LAYER_NORM = frozenset({"phi2", "phimoe", "starcoder2", "command-r", "cohere2", "bert", "nomic-bert"})
# Attention output is projected after the feed-forward part, which runs beside it.
_PARALLEL_LATE = frozenset({"command-r", "cohere2"})
_PARALLEL_EARLY = frozenset({"phi2"})
# The residual is the first operand of the addition, so its memory is what the sum reuses.
_RESIDUAL_FIRST = frozenset({"lfm2", "lfm2moe"})
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
    names = {part.name for part in layer.extras}
    source = graph.norm(size, stream, rms) if "attn_norm.weight" in names else stream
    if layer.mixers and layer.feed_forward is not None and model.architecture in _PARALLEL_LATE:
        mixed = _mix(frame, layer.mixers[0], number, source)
        fed = graph.inplace(size, _feed(frame, layer.feed_forward, source), stream)
        return graph.inplace(size, fed, graph.matmul(size, mixed))
    if layer.mixers and layer.feed_forward is not None and model.architecture in _PARALLEL_EARLY:
        out = graph.matmul(size, _mix(frame, layer.mixers[0], number, source))
        fed = graph.inplace(size, out, _feed(frame, layer.feed_forward, source))
        return graph.inplace(size, fed, stream)
    sandwich = bool(names & {"ffn_norm.weight", "post_ffw_norm.weight"})
    if layer.mixers:
        out = _mixed(frame, layer.mixers, number, source, stream)
        if "post_attention_norm.weight" in names and sandwich:
            out = graph.norm(size, out, rms)
        if last and model.architecture not in _ROWS_AT_END:
            out, stream = graph.op(size, out, frame.output_rows), graph.op(size, stream, frame.output_rows)
        stream = _residual(frame, out, stream, model.architecture in _RESIDUAL_FIRST)
        if layer.feed_forward is None:
            return stream
        source = stream
        if "ffn_norm.weight" in names or ("post_attention_norm.weight" in names and not sandwich):
            source = graph.norm(size, stream, rms)
    if layer.feed_forward is None:
        return stream
    fed = _feed(frame, layer.feed_forward, source)
    if "post_ffw_norm.weight" in names:
        fed = graph.norm(size, fed, rms)
    return _residual(frame, fed, stream, model.architecture in _RESIDUAL_FIRST | {"phi3"})


def _residual(frame: Frame, out: int, stream: int, residual_first: bool) -> int:
    size = frame.f32(frame.model.width)
    return frame.graph.inplace(size, *((stream, out) if residual_first else (out, stream)))


def _mixed(frame: Frame, mixers: tuple[Mixer, ...], number: int, source: int, stream: int) -> int:
    """The mixers of a layer with their output projections."""
    graph, size = frame.graph, frame.f32(frame.model.width)
    if len(mixers) == 1:
        return graph.matmul(size, _mix(frame, mixers[0], number, source))
    attention, mamba = mixers  # Falcon H1: both read the same norm, which is computed twice
    assert isinstance(mamba, Mamba2)
    core = _mix(frame, attention, number, source)
    outs: list[int] = []
    again = graph.norm(size, stream)
    inner = compute_mixers.mamba2(frame, mamba, again, lambda: outs.append(graph.matmul(size, core)))
    return graph.inplace(size, outs[0], graph.matmul(size, inner))


def _mix(frame: Frame, mixer: Mixer, number: int, source: int) -> int:
    match mixer:
        case Attention():
            return compute_mixers.attention_core(frame, mixer, source, rotates(frame.model, number, mixer))
        case LatentAttention():
            return compute_mixers.latent_attention(frame, mixer, source)
        case Mamba2():
            return compute_mixers.mamba2(frame, mixer, source)
        case GatedDeltaNet():
            return compute_mixers.gated_delta_net(frame, mixer, source)
        case ShortConvolution():
            return compute_mixers.short_convolution(frame, mixer, source, frame.model.width)
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
        normed = graph.op(size, normed, frame.output_rows)
    if model.causal:
        rows = next((part.shape[1] for part in model.globals if part.name == "output.weight"), model.vocabulary)
        graph.matmul(frame.f32(rows), normed)
