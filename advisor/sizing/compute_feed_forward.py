"""Graph nodes of the feed-forward blocks (`build_ffn` and `build_moe_ffn`, src/llama-graph.cpp)."""

from __future__ import annotations

from advisor.models.feed_forward import Dense, MixtureOfExperts
from advisor.sizing.compute_frame import Frame
from advisor.sizing.compute_graph import view

_GROUPED = frozenset({"deepseek2", "deepseek32"})
_GROUPED_EXPERTS = 256  # DeepSeek V3 and its descendants: 8 groups of 32
# Weights of the chosen experts are not normalized to one.
_SCALED_WEIGHTS = frozenset({"deepseek2", "deepseek32", "glm-dsa", "glm4moe", "nemotron_h_moe", "mistral4"})
_PLAIN_WEIGHTS = frozenset({"llama4", "olmoe", "phimoe"})


def dense(frame: Frame, block: Dense, source: int) -> int:
    graph, inner = frame.graph, frame.f32(block.inner)
    if block.gate == "separate":
        gate = graph.matmul(inner, source)
        active = graph.op(inner, gate, graph.matmul(inner, source))
    elif block.gate == "fused":
        active = graph.op(inner, graph.matmul(2 * inner, source))
    else:
        active = graph.inplace(inner, graph.matmul(inner, source))
    return graph.matmul(frame.f32(frame.model.width), active)


def experts(frame: Frame, block: MixtureOfExperts, source: int, router: int = -1) -> int:
    """Routed experts, then the shared one. `router` is what the router reads, if not `source`.

    Experts kept on the host (`-ncmoe`) run there; the tensors around them cross over.
    """
    graph = frame.graph
    width = block.latent or frame.model.width
    weights, choice = _routing(frame, block, source if router < 0 else router)
    routed = source
    if block.latent:
        routed = graph.matmul(frame.f32(block.latent), source)
    weight_first = frame.model.architecture == "llama4"  # scales the expert's input instead of its output
    if weight_first:
        routed = graph.inplace(
            frame.f32(width * block.used), graph.op(frame.f32(width * block.used), view(routed)), weights
        )
    home = frame.experts_home
    inner = frame.f32(block.used * block.inner)
    read = routed if weight_first else view(routed)
    if block.fused_gate_up:
        active = graph.op(inner, view(graph.on(home, 2 * inner, read, choice)))
    elif block.gate:
        gate = graph.on(home, inner, read, choice)
        active = graph.op(inner, gate, graph.on(home, inner, read, choice))
    else:
        active = graph.inplace(inner, graph.on(home, inner, read, choice))
    spread = frame.f32(block.used * width)
    result = graph.on(home, spread, active, choice)
    if not weight_first:
        result = graph.inplace(spread, result, weights)
    result = graph.op(frame.f32(width), view(result))
    graph.settle()
    if block.latent:
        result = graph.matmul(frame.f32(frame.model.width), result)
    if block.shared_inner:
        gate_kind = "separate" if block.gate else "none"
        shared = dense(frame, Dense(block.shared_inner, gate_kind), source)
        if block.shared_gate:
            shared = graph.inplace(frame.f32(width), shared, graph.matmul(frame.f32(1), source))
        result = graph.inplace(frame.f32(frame.model.width), result, shared)
    return result


def _routing(frame: Frame, block: MixtureOfExperts, source: int) -> tuple[int, int]:
    """Weights of the chosen experts, and the choice as a view into the sorted list of all."""
    graph, size, used = frame.graph, frame.f32(block.experts), frame.f32(block.used)
    logits = graph.matmul(size, source)
    probabilities = graph.inplace(size, logits)
    ranked = probabilities
    if block.selection_bias:
        ranked = graph.op(size, probabilities)
        if frame.model.architecture in _GROUPED and block.experts == _GROUPED_EXPERTS:
            ranked = _best_groups(frame, size, ranked)
    choice = view(graph.op(size, ranked))
    weights = view(graph.op(used, view(probabilities), choice))
    if frame.model.architecture == "gpt-oss":
        weights = view(graph.op(used, weights))
    elif frame.model.architecture not in _PLAIN_WEIGHTS and (
        frame.model.architecture != "deepseek2" or block.selection_bias
    ):
        total = graph.op(frame.f32(1), weights)
        weights = view(graph.op(used, weights, total))
        if frame.model.architecture in _SCALED_WEIGHTS:
            weights = graph.op(used, weights)
    graph.settle()
    return weights, choice


def _best_groups(frame: Frame, size: int, ranked: int) -> int:
    """DeepSeek V3 picks groups of experts first and masks out the others."""
    graph = frame.graph
    order = graph.op(size, view(ranked))
    chosen = graph.op(size // 2, view(ranked), view(order))
    masked = graph.op(size, view(ranked))
    graph.op(0, view(masked), view(chosen))
    return view(masked)
