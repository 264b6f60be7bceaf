"""Graph nodes of the feed-forward blocks (`build_ffn` and `build_moe_ffn`, src/llama-graph.cpp)."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from advisor.models.feed_forward import Dense, MixtureOfExperts
from advisor.runtimes.llama_cpp.compute.frame import Frame
from advisor.runtimes.llama_cpp.compute.graph import view


def dense(frame: Frame, block: Dense, source: int, kind: str = "") -> int:
    """`kind` is what the names of its weights end in."""
    gate_of, up, down = f"ffn_gate{kind}", f"ffn_up{kind}", f"ffn_down{kind}"
    graph, inner = frame.graph, frame.f32(block.inner)
    if frame.model.wiring.graph.saturated:
        active = _saturated(frame, inner, lambda weight: graph.matmul(inner, source, weight=f"{weight}{kind}"))
    elif block.gate == "separate":
        gate = graph.matmul(inner, source, weight=gate_of)
        active = graph.op(inner, gate, graph.matmul(inner, source, weight=up))
    elif block.gate == "fused":
        active = graph.op(inner, graph.matmul(2 * inner, source, weight=up))
    else:
        active = graph.inplace(inner, graph.matmul(inner, source, weight=up))
    return graph.matmul(frame.f32(frame.model.width), active, weight=down)


def _saturated(frame: Frame, inner: int, project: Callable[[str], int]) -> int:
    """Kimi K3's activation: both gate and up projection pass a tanh, the gate also a sigmoid."""
    graph = frame.graph
    gate = project("ffn_gate")
    bounded = graph.op(inner, gate)
    bounded = graph.inplace(inner, bounded, graph.inplace(inner, gate))
    return graph.inplace(inner, bounded, graph.inplace(inner, project("ffn_up")))


def experts(
    frame: Frame, block: MixtureOfExperts, source: int, router: int = -1, normed: Callable[[], int] | None = None
) -> int:
    """Routed experts, then the shared one. `router` is what the router reads, if not `source`.

    `normed` makes the source once routing is done (Gemma 4).

    Experts kept on the host (`-ncmoe`) run there; the tensors around them cross over.
    """
    graph = frame.graph
    width = block.latent or frame.model.width
    weights, choice = _routing(frame, block, source if router < 0 else router)
    if normed is not None:
        source = normed()
    routed = source
    if block.latent:
        routed = graph.matmul(frame.f32(block.latent), source, weight=block.latent_names[0])
    weight_first = frame.model.wiring.router.weighs_input
    if weight_first:
        routed = graph.inplace(
            frame.f32(width * block.used), graph.op(frame.f32(width * block.used), view(routed)), weights
        )
    home = frame.experts_home
    inner = frame.f32(block.used * block.inner)
    read = routed if weight_first else view(routed)
    if block.fused_gate_up:
        active = graph.op(inner, view(graph.routed(home, 2 * inner, read, choice, weight="ffn_gate_up_exps")))
    elif frame.model.wiring.graph.saturated:
        active = _saturated(
            frame, inner, lambda weight: graph.routed(home, inner, read, choice, weight=f"{weight}_exps")
        )
    elif block.gate:
        gate = graph.routed(home, inner, read, choice, weight="ffn_gate_exps")
        active = graph.op(inner, gate, graph.routed(home, inner, read, choice, weight="ffn_up_exps"))
    else:
        active = graph.inplace(inner, graph.routed(home, inner, read, choice, weight="ffn_up_exps"))
    spread = frame.f32(block.used * width)
    result = graph.routed(home, spread, active, choice, weight="ffn_down_exps")
    if block.expert_scale:
        scales = (graph.host_part("ffn_down_exps.scale"),) if graph.lent else ()
        every = graph.op(frame.f32(block.experts), *scales)
        result = graph.inplace(spread, result, graph.op(frame.f32(block.used), every, choice))
    if not weight_first:
        result = graph.inplace(spread, result, weights)
    result = graph.op(frame.f32(width), view(result))
    graph.settle()
    if block.latent_norm:
        result = graph.norm(frame.f32(width), result, weight="ffn_routed_norm")
    if block.latent:
        result = graph.matmul(frame.f32(frame.model.width), result, weight=block.latent_names[1])
    if block.shared_inner:
        gate_kind = "separate" if block.gate else "none"
        shared = dense(frame, Dense(block.shared_inner, gate_kind), source, "_shexp")
        if block.shared_gate:
            gate = graph.matmul(frame.f32(1), source, weight="ffn_gate_inp_shexp")
            shared = graph.inplace(frame.f32(width), shared, gate)
        result = graph.inplace(frame.f32(frame.model.width), result, shared)
    return result


def _routing(frame: Frame, block: MixtureOfExperts, source: int) -> tuple[int, int]:
    """Weights of the chosen experts, and the choice as a view into the sorted list of all."""
    graph, router = frame.graph, frame.model.wiring.router
    size, used = frame.f32(block.experts), frame.f32(block.used)
    logits = graph.matmul(size, source, weight="ffn_gate_inp")
    probabilities = graph.inplace(size, logits)
    ranked = logits if router.ranks_logits else probabilities
    if block.selection_bias:
        ranked = graph.shifted(size, probabilities, "exp_probs_b.bias")
        if router.grouped:
            ranked = _best_groups(frame, size, ranked)
    # A table says which experts a token goes to, or the scores do.
    choice = graph.on(graph.here, used, frame.tokens_input) if block.hashed_router else view(graph.op(size, ranked))
    weights = view(graph.op(used, view(probabilities), choice))
    match router.weights:
        case "softmax":
            weights = view(graph.op(used, weights))
        case "sum to one":
            total = graph.op(frame.f32(1), weights)
            weights = view(graph.op(used, weights, total))
            if router.scaled:
                weights = graph.op(used, weights)
        case "as they are":
            pass
        case _:
            assert_never(router.weights)
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
