"""Graph nodes of the blocks that mix tokens, as llama.cpp builds them (src/llama-graph.cpp, src/models/*.cpp).

Functions add nodes to `frame.graph` and return the node that goes into the residual stream. Only nodes
that take or hold memory are listed; scalings that always happen in place are left out.
"""

from __future__ import annotations

from collections.abc import Callable

from advisor.models.mixers import Attention, GatedDeltaNet, Indexer, LatentAttention, Mamba2, ShortConvolution
from advisor.sizing.compute_frame import Frame
from advisor.sizing.compute_graph import view
from advisor.sizing.settings import cache_bytes

_NORMED_VALUES = frozenset({"gemma3n", "gemma4"})


def attention_core(frame: Frame, attention: Attention, source: int, rotated: bool) -> int:
    """Projections, scores and values; returns what the output projection reads."""
    graph = frame.graph
    heads, size = attention.heads, attention.head_size
    result_size = frame.f32(heads * attention.value_head_size)
    keys = values = -1
    if attention.fused_qkv:
        width = heads * size + attention.key_width + attention.value_width
        raw_query = fused = view(graph.matmul(frame.f32(width), source))
        query = _turned_keys(frame, attention, graph.op(frame.f32(heads * size), fused, frame.positions), heads * size)
        keys = _turned_keys(
            frame, attention, graph.op(frame.f32(attention.key_width), fused, frame.positions), attention.key_width
        )
        values = _turned_values(frame, attention, fused)
    else:
        raw_query = graph.matmul(frame.f32(heads * size * (2 if attention.gated_query else 1)), source)
        query = _prepared(frame, attention, raw_query, heads * size, rotated)
        if not attention.own_kv:
            pass
        elif frame.windowed or not frame.model.causal or not attention.value_projection:
            raw_keys = graph.matmul(frame.f32(attention.key_width), source)
            keys = _prepared(frame, attention, raw_keys, attention.key_width, rotated)
            values = _values(frame, attention, source, raw_keys)
        else:  # llama.cpp puts values before keys where it has one cache only
            values = _values(frame, attention, source, -1)
            raw_keys = graph.matmul(frame.f32(attention.key_width), source)
            keys = _prepared(frame, attention, raw_keys, attention.key_width, rotated)
    result = scores(frame, attention, query, keys, values)
    if attention.gated_query:
        return graph.inplace(result_size, result, graph.op(result_size, view(raw_query)))
    if attention.gate:
        return graph.inplace(result_size, result, graph.matmul(result_size, source))
    return result


def _values(frame: Frame, attention: Attention, source: int, raw_keys: int) -> int:
    size = frame.f32(attention.value_width)
    values = frame.graph.matmul(size, source) if attention.value_projection else raw_keys
    if frame.model.architecture in _NORMED_VALUES:
        values = frame.graph.op(size, view(values))
    return _turned_values(frame, attention, values)


def _prepared(frame: Frame, attention: Attention, raw: int, width: int, rotated: bool) -> int:
    """Norm and position of queries or keys; both work in place except on a reshaped tensor."""
    graph, size = frame.graph, frame.f32(width)
    if attention.query_key_norm in ("head", "per_head"):
        result = graph.op(size, view(raw))
        if rotated:
            result = graph.inplace(size, result, frame.positions)
    else:
        result = graph.norm(size, raw) if attention.query_key_norm == "full" else raw
        result = graph.op(size, view(result), frame.positions) if rotated else result
    return _turned_keys(frame, attention, result, width)


def _turned_keys(frame: Frame, attention: Attention, tensor: int, width: int) -> int:
    """Quantized caches store keys and values turned by a fixed matrix, against outliers."""
    if frame.turned(frame.settings.cache_type_k, attention.head_size):
        return frame.graph.op(frame.f32(width), view(tensor))
    return tensor


def _turned_values(frame: Frame, attention: Attention, tensor: int) -> int:
    if frame.turned(frame.settings.cache_type_v, attention.value_head_size):
        return frame.graph.op(frame.f32(attention.value_width), view(tensor))
    return tensor


def scores(frame: Frame, attention: Attention, query: int, keys: int, values: int) -> int:
    """Attention proper (`build_attn_mha`), with the cache writes before it."""
    graph, settings = frame.graph, frame.settings
    result = frame.f32(attention.heads * attention.value_head_size)
    if not frame.model.causal:
        return _scores_without_cache(frame, attention, query, keys, values, result)
    if attention.own_kv:
        rows = frame.rows[attention.window]
        graph.store(view(keys), rows[0])
        graph.store(view(values), rows[1])
    mask = frame.mask(attention.window)
    if frame.fused:
        out = view(graph.flash_attention(result, view(query), mask))
    else:
        cells = frame.cells(attention.window)
        table = frame.f32(cells * attention.heads)
        scored = graph.op(table, view(query))
        soft = graph.inplace(table, scored, mask)
        reads = (soft,)
        if settings.flash_attention:  # the cache was laid out for fused attention: values must be transposed first
            reads = (graph.op(cache_bytes(settings.cache_type_v, attention.value_width) * cells * frame.users), soft)
        out = graph.op(result, view(graph.op(result, *reads)))
        graph.settle()
    if frame.turned(settings.cache_type_v, attention.value_head_size):
        out = view(graph.op(result, view(out)))
    return out


def _scores_without_cache(frame: Frame, attention: Attention, query: int, keys: int, values: int, result: int) -> int:
    """Encoders attend within the micro-batch; flash attention wants keys and values in half precision."""
    graph = frame.graph
    mask = frame.mask(attention.window)
    if frame.fused:
        keys = graph.op(frame.f32(attention.key_width) // 2, view(keys))
        values = graph.op(frame.f32(attention.value_width) // 2, view(values))
        return view(graph.flash_attention(result, view(query), keys, values, mask))
    turned = graph.op(frame.f32(attention.value_width), view(values))
    table = frame.f32(frame.tokens * attention.heads)
    soft = graph.inplace(table, graph.op(table, view(query), view(keys)), mask)
    return graph.op(result, view(graph.op(result, turned, soft)))


def latent_attention(frame: Frame, attention: LatentAttention, source: int) -> int:
    """MLA in absorbed form: queries and results live in the latent space (src/models/deepseek2.cpp)."""
    graph, heads, rank = frame.graph, attention.heads, attention.kv_rank
    indexer = attention.indexer
    if indexer is not None:
        frame.store_index_keys(indexer, source)
    reduced = source
    if attention.query_rank:
        size = frame.f32(attention.query_rank)
        reduced = graph.norm(size, graph.matmul(size, source))
    query = view(graph.matmul(frame.f32(heads * (attention.nope_size + attention.rope_size)), reduced))
    absorbed = graph.matmul(frame.f32(heads * rank), query)
    turned = graph.op(frame.f32(heads * attention.rope_size), query, frame.positions)
    query = graph.op(frame.f32(heads * attention.key_width), view(absorbed), turned)
    joint = view(graph.matmul(frame.f32(attention.key_width), source))
    latent = graph.norm(frame.f32(rank), joint)
    turned = graph.op(frame.f32(attention.rope_size), joint, frame.positions)
    keys = graph.op(frame.f32(attention.key_width), view(latent), turned)
    graph.store(view(keys), frame.rows[0][0])
    mask = frame.mask(0)
    if indexer is not None:
        mask = frame.selected_mask(indexer, reduced, source)
    value_width = heads * attention.value_size
    if frame.fused:
        latent_out = view(graph.flash_attention(frame.f32(heads * rank), view(query), mask))
        values = graph.matmul(frame.f32(value_width), latent_out)
        result = view(graph.op(frame.f32(value_width), view(values)))
    else:
        cached = cache_bytes(frame.settings.cache_type_k, rank) * frame.cells(0) * frame.users
        straight = graph.op(cached)
        table = frame.f32(frame.cells(0) * heads)
        soft = graph.inplace(table, graph.op(table, view(query)), mask)
        latent_out = graph.op(frame.f32(heads * rank), straight, soft)
        values = graph.matmul(frame.f32(value_width), latent_out)
        result = graph.op(frame.f32(value_width), view(values))
    if attention.gate:
        gate = graph.matmul(frame.f32(value_width), source)
        result = graph.inplace(frame.f32(value_width), result, gate)
    return result


def mamba2(frame: Frame, mamba: Mamba2, source: int, beside: Callable[[], None] = lambda: None) -> int:
    """State-space block without its output projection (`build_mamba2_layer`, src/models/mamba-base.cpp).

    `beside` adds what llama.cpp has waiting when the state has been written.
    """
    graph, inner = frame.graph, frame.f32(mamba.inner)
    width = mamba.convolution_width
    past = frame.state((mamba.kernel - 1) * width)
    joint = view(graph.matmul(frame.f32(mamba.inner + width + mamba.heads), source))
    window = graph.op(frame.f32(width) + frame.per_user((mamba.kernel - 1) * width), view(past), joint)
    graph.store(view(window))
    convolved = view(graph.matmul(frame.f32(width), window))
    step = graph.op(frame.f32(mamba.heads), joint)
    scan = view(graph.op(inner + frame.per_user(mamba.state_elements), convolved, step, frame.state_rows))
    graph.settle()
    frame.unused_states()
    graph.store(scan)
    beside()
    gate = graph.op(inner, joint)
    skipped = graph.matmul(inner, convolved)
    mixed = graph.inplace(inner, scan, skipped)
    mixed = graph.op(inner, gate, mixed)
    if mamba.norm:
        mixed = graph.norm(inner, view(mixed))
    return view(mixed)


def gated_delta_net(frame: Frame, net: GatedDeltaNet, source: int) -> int:
    """Gated delta net without its output projection (src/models/qwen3next.cpp, qwen35.cpp, delta-net-base.cpp)."""
    graph = frame.graph
    width, inner = net.convolution_width, frame.f32(net.value_heads * net.value_size)
    history = frame.per_user((net.kernel - 1) * width)
    graph.settle()
    past = frame.state((net.kernel - 1) * width)
    joint = graph.matmul(frame.f32(width), source)
    window = graph.op(frame.f32(width) + history, view(past), view(joint))
    graph.store(view(window))
    state = frame.state(net.state_elements)
    convolved = view(graph.matmul(frame.f32(width), window))
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
    graph.store(view(result))
    normed = graph.norm(inner, view(result))
    gate = graph.op(inner, view(graph.matmul(inner, source)))
    return view(graph.inplace(inner, normed, gate))


def _delta_gates(frame: Frame, net: GatedDeltaNet, source: int) -> tuple[int, int]:
    graph, size = frame.graph, frame.f32(net.value_heads)
    if net.joint_beta_alpha:
        joint = view(graph.matmul(2 * size, source))
        return view(graph.op(size, joint)), view(graph.op(size, joint))
    decay = graph.on(graph.here, size, view(graph.matmul(size, source)))
    return view(decay), graph.op(size, view(graph.matmul(size, source)))


def short_convolution(
    frame: Frame, block: ShortConvolution, source: int, width: int, beside: Callable[[], None] = lambda: None
) -> int:
    """LFM2's gated convolution without its output projection (src/models/lfm2.cpp)."""
    graph, size = frame.graph, frame.f32(width)
    past = frame.state((block.kernel - 1) * width)
    joint = view(graph.matmul(3 * size, view(source)))
    gated = graph.op(size, joint)
    window = graph.op(size + frame.per_user((block.kernel - 1) * width), view(past), view(gated))
    graph.store(view(window))
    beside()
    convolved = graph.matmul(size, window)
    return graph.inplace(size, joint, convolved)


def selector_size(indexer: Indexer, cells: int) -> int:
    """Tokens an indexer picks: llama.cpp reads it from the file; published models all use 2048."""
    return min(2048, cells)
