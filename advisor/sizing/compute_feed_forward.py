"""Graph nodes of the feed-forward blocks (`build_ffn` and `build_moe_ffn`, src/llama-graph.cpp)."""

from __future__ import annotations

from advisor.models.feed_forward import Dense, MixtureOfExperts
from advisor.sizing.compute_frame import Frame
from advisor.sizing.compute_graph import view


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
    probabilities, choice = _routing(frame, block, source if router < 0 else router)
    weights = graph.op(frame.f32(block.used), view(probabilities), choice)
    routed = source
    if block.latent:
        routed = graph.matmul(frame.f32(block.latent), source)
    weight_first = frame.model.architecture == "llama4"  # scales the expert's input instead of its output
    if weight_first:
        routed = graph.inplace(frame.f32(width * block.used), graph.op(frame.f32(width * block.used), view(routed)))
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
        result = graph.inplace(spread, result, view(weights))
    result = graph.op(frame.f32(width), view(result))
    if block.latent:
        result = graph.matmul(frame.f32(frame.model.width), result)
    if block.shared_inner:
        gate_kind = "separate" if block.gate else "none"
        shared = dense(frame, Dense(block.shared_inner, gate_kind), source)
        result = graph.inplace(frame.f32(frame.model.width), result, shared)
    return result


def _routing(frame: Frame, block: MixtureOfExperts, source: int) -> tuple[int, int]:
    """Probabilities of all experts and the sorted choice, the latter read through a view."""
    graph, size = frame.graph, frame.f32(block.experts)
    probabilities = graph.inplace(size, graph.matmul(size, source))
    ranked = probabilities
    if block.selection_bias:
        ranked = graph.inplace(size, probabilities)
    # The probabilities are read again for the weights, so the biased copy is a tensor of its own.
    return probabilities, view(graph.op(size, ranked))
