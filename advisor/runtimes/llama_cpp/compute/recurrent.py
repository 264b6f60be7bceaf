"""Graph nodes of recurrent blocks, without their output projections (src/models/*.cpp).

Each reads a state per user and writes it back; the reads enter the order early, see `Graph.early`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from advisor.models.mixers import Mixer
from advisor.models.model import Model
from advisor.models.recurrent import GatedDeltaNet, KimiDelta, Mamba2, ShortConvolution
from advisor.runtimes.llama_cpp.compute.frame import Frame, reserved_tokens
from advisor.runtimes.llama_cpp.compute.graph import view
from advisor.sizing.placement import HOST, Placement
from advisor.sizing.settings import Settings


def mamba2(frame: Frame, mamba: Mamba2, source: int, beside: Callable[[], None] = lambda: None) -> int:
    """State-space block without its output projection (`build_mamba2_layer`, src/models/mamba-base.cpp).

    `beside` adds what llama.cpp has waiting when the state has been written.
    """
    graph, inner = frame.graph, frame.f32(mamba.inner)
    width = mamba.convolution_width
    past = frame.state((mamba.kernel - 1) * width)
    apart = frame.few_of_a_user and not frame.settings.since("2026-09")
    joint = view(graph.matmul(frame.f32(mamba.inner + width + mamba.heads), source, weight="ssm_in", at_home=apart))
    window = graph.op(frame.f32(width) + frame.per_user((mamba.kernel - 1) * width), view(past), joint)
    graph.store(frame.last_tokens(window))
    convolved = view(graph.matmul(frame.f32(width), window, weight="ssm_conv1d"))
    step = graph.shifted(frame.f32(mamba.heads), joint, "ssm_dt.bias")
    size = inner + frame.per_user(mamba.state_elements)
    if graph.lent:  # told one state, it is too small a result to be worth a GPU
        grouped = mamba.groups * mamba.state
        read = [
            graph.part(frame.f32(width) - 4 * (width - part), convolved) for part in (mamba.inner, grouped, grouped)
        ]
        scan = graph.on(HOST, size, read[0], step, *read[1:], frame.scanned_rows)
    else:
        scan = graph.on(graph.here, size, convolved, step, frame.scanned_rows)
    graph.settle()
    frame.unused_states(mamba.state_elements)
    graph.store(view(scan))
    beside()
    gates = graph.part(frame.f32(mamba.inner + width + mamba.heads) - 4 * (width + mamba.heads), joint)
    gate = graph.op(inner, gates)
    skipped = graph.shifted(inner, convolved, "ssm_d")
    mixed = graph.inplace(inner, graph.seen(scan, inner), skipped)
    mixed = graph.op(inner, gate, mixed)
    if mamba.norm:
        mixed = graph.norm(inner, view(mixed), weight="ssm_norm")
    return view(mixed)


def gated_delta_net(frame: Frame, net: GatedDeltaNet, source: int) -> int:
    """Gated delta net without its output projection (src/models/qwen3next.cpp, qwen35.cpp, delta-net-base.cpp)."""
    graph = frame.graph
    width, inner = net.convolution_width, frame.f32(net.value_heads * net.value_size)
    history = frame.per_user((net.kernel - 1) * width)
    graph.settle()
    past = frame.state((net.kernel - 1) * width)
    joint = graph.matmul(frame.f32(width), source, weight="attn_qkv")
    window = graph.op(frame.f32(width) + history, view(past), view(joint))
    late = frame.last_tokens(window)
    if frame.model.wiring.streams is not None:  # Qwen4 writes a copy of it
        late = graph.op(history, late)
    graph.store(late)
    state = frame.state(net.state_elements)
    convolved = view(graph.matmul(frame.f32(width), window, weight="ssm_conv1d"))
    one = frame.f32(net.key_heads * net.key_size)
    repeated = net.joint_beta_alpha and net.value_heads > net.key_heads
    sides = []
    for _ in range(2):
        side = graph.op(one, convolved)
        if repeated:
            side = graph.op(one * net.value_heads // net.key_heads, view(side))
        sides.append(side)
    gates = _delta_gates(frame, net, source)
    result = graph.op(inner + frame.per_user(net.state_elements), *sides, convolved, *gates, view(state))
    graph.store(graph.seen(result, frame.per_user(net.state_elements)))
    normed = graph.norm(inner, view(result), weight="ssm_norm")
    gate = graph.op(inner, view(graph.matmul(inner, source, weight="attn_gate")))
    return view(graph.inplace(inner, normed, gate))


def _delta_gates(frame: Frame, net: GatedDeltaNet, source: int) -> tuple[int, int]:
    graph, size = frame.graph, frame.f32(net.value_heads)
    if net.joint_beta_alpha:
        joint = view(graph.matmul(2 * size, source, weight="ssm_ba"))
        return view(graph.op(size, joint)), view(graph.op(size, joint))
    decay = view(graph.matmul(size, source, weight="ssm_alpha"))
    if graph.lent:
        decay = graph.scaled(size, graph.shifted(size, decay, "ssm_dt.bias"), "ssm_a")
    else:
        decay = graph.on(graph.here, size, decay)
    return view(decay), graph.op(size, view(graph.matmul(size, source, weight="ssm_beta")))


# Before 2026-09 delta nets of several users are computed step by step where a GPU computes for the host: what the
# steps of a layer take at most, in results of all tokens and in states of all users, as the planner of 2026-08 said of
# Qwen3.5 0.8B and Kimi Linear.
_STEPS, _STATES = 13.5, 2.5
_KIMI_STEPS, _KIMI_STATES = 40.5, 0.5
_CHUNK = 64
_MASKED = 2  # bytes of the mask for each pair of tokens
_USERS_TRIED = 2  # of 16 tokens each, with which a GPU computes for the host


def _stepwise_bytes(mixer: Mixer, settings: Settings) -> int:
    """An upper bound of what a delta net takes of a compute buffer where it is not fused; 0 for other mixers."""
    chunks = -(-reserved_tokens(settings) // (settings.users * _CHUNK))
    tokens = settings.users * chunks * _CHUNK
    match mixer:
        case GatedDeltaNet():
            each, steps, states = mixer.value_heads * mixer.value_size, _STEPS, _STATES * mixer.key_size
        case KimiDelta():
            each, steps, states = mixer.inner, _KIMI_STEPS, _KIMI_STATES * mixer.head_size
        case _:
            return 0
    return round(4 * each * (steps * tokens + states * settings.users))


def steps_of(model: Model, settings: Settings, placement: Placement) -> Sequence[int]:
    """What delta nets that are not fused take by layer, at most; none where all are fused: it is on the host that
    llama.cpp finds that one would not run there."""
    if settings.since("2026-09") or settings.users < _USERS_TRIED:
        return ()
    steps = [max((_stepwise_bytes(mixer, settings) for mixer in layer.mixers), default=0) for layer in model.layers]
    on_host = any(size for size, home in zip(steps, placement.layers, strict=True) if home == HOST)
    return steps if on_host else ()


def with_steps(found: dict[int, int], model: Model, settings: Settings, placement: Placement) -> dict[int, int]:
    """The same where delta nets are not fused."""
    mask = _MASKED * settings.cells * reserved_tokens(settings) // settings.shared_by
    for size, home in zip(steps_of(model, settings, placement), placement.layers, strict=False):
        device = 0 if home == HOST else home
        found[device] = max(found[device], size + mask)
    return found


def short_convolution(
    frame: Frame, block: ShortConvolution, source: int, width: int, beside: Callable[[], None] = lambda: None
) -> int:
    """LFM2's gated convolution without its output projection (src/models/lfm2.cpp)."""
    graph, size = frame.graph, frame.f32(width)
    past = frame.state((block.kernel - 1) * width)
    few = frame.few_of_a_user
    product = graph.matmul(3 * size, view(source), weight="shortconv.in_proj", at_home=few)
    joint = view(product)
    gated = graph.op(size, joint)
    window = graph.op(size + frame.per_user((block.kernel - 1) * width), view(past), view(gated))
    graph.store(frame.last_tokens(window))
    beside()
    convolved = graph.matmul(size, window, weight="shortconv.conv")
    return graph.inplace(size, graph.part(3 * size - 8 * width, joint) if few else joint, convolved)


def kimi_delta(frame: Frame, delta: KimiDelta, source: int) -> int:
    """Kimi delta attention (src/models/kimi-linear.cpp): three convolutions, a decay per channel."""
    graph, inner = frame.graph, frame.f32(delta.inner)
    graph.settle()
    past = frame.state((delta.kernel - 1) * delta.convolution_width)
    windows = []
    for name in "qkv":
        side = graph.matmul(inner, source, weight=f"attn_{name}")
        windows.append(graph.op(inner + frame.per_user((delta.kernel - 1) * delta.inner), view(past), view(side)))
        graph.store(frame.last_tokens(windows[-1]))
    state = frame.state(delta.state_elements)

    def convolved(name: str, window: int) -> int:
        if graph.lent:
            return view(graph.op(inner, window, graph.host_part(f"ssm_conv1d_{name}.weight")))
        return view(graph.matmul(inner, window))

    sides = [graph.op(inner, view(graph.op(inner, convolved(*each)))) for each in zip("qk", windows[:2], strict=True)]
    values = graph.op(inner, convolved("v", windows[2]))
    decay = graph.matmul(inner, graph.matmul(frame.f32(delta.head_size), source, weight="ssm_f_a"), weight="ssm_f_b")
    if graph.lent:
        decay = graph.scaled(inner, decay, "ssm_dt.bias")
        decay = graph.op(inner, view(decay), graph.host_part("ssm_a"))
    else:
        decay = graph.matmul(inner, view(decay))
    beta = graph.matmul(frame.f32(delta.heads), source, weight="ssm_beta")
    beta = graph.op(frame.f32(delta.heads), view(beta))
    result = graph.op(
        inner + frame.per_user(delta.state_elements), *sides, view(values), view(decay), beta, view(state)
    )
    graph.store(graph.seen(result, frame.per_user(delta.state_elements)))
    normed = graph.norm(inner, view(graph.op(inner, view(result))), weight="ssm_norm")
    reduced = source
    if not delta.full_gate:
        reduced = graph.matmul(frame.f32(delta.head_size), view(source), weight="ssm_g_a")
    gate = graph.matmul(inner, reduced, weight="ssm_g" if delta.full_gate else "ssm_g_b")
    gate = graph.op(inner, view(gate))
    return graph.op(inner, graph.inplace(inner, normed, gate))
