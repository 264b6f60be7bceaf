"""Graph nodes of the blocks that mix tokens, as llama.cpp builds them (src/llama-graph.cpp, src/models/*.cpp).

Functions add nodes to `frame.graph` and return the node that goes into the residual stream. Only nodes
that take or hold memory are listed; scalings that always happen in place are left out.
"""

from __future__ import annotations

from advisor.models.mixers import Attention, LatentAttention
from advisor.models.model import Model
from advisor.runtimes.llama_cpp.compute import sparse as compute_sparse
from advisor.runtimes.llama_cpp.compute.frame import LENT_TOKENS, Frame
from advisor.runtimes.llama_cpp.compute.graph import view
from advisor.runtimes.llama_cpp.compute.selection import Selection
from advisor.sizing.placement import HOST, Placement
from advisor.sizing.settings import CACHE_TYPES, Settings, cache_bytes


def queries_leave(model: Model, settings: Settings, placement: Placement) -> bool:
    """Whether llama.cpp gives up fused attention as it would not run on the host with its layer: tried with one token
    of each user, queries are normed on a GPU that computes for the host, and stay there where a layer stores nothing.
    """
    if CACHE_TYPES[settings.cache_type_v][0] > 1:
        return False
    owners = len(model.layers) - model.shared_kv_layers
    return any(
        mixer.query_key_norm == "head" and mixer.heads * settings.users >= LENT_TOKENS
        for layer, home in zip(model.layers[owners:], placement.layers[owners:], strict=True)
        for mixer in layer.mixers
        if home == HOST and isinstance(mixer, Attention)
    )


def attention_core(frame: Frame, attention: Attention, source: int, rotated: bool) -> int:
    """Projections, scores, values and gate; returns what the output projection reads."""
    graph = frame.graph
    heads, size = attention.heads, attention.head_size
    result_size = frame.f32(heads * attention.value_head_size)
    keys = values = -1
    by_block = frame.recent_blocks >= 0 and attention.indexer is not None and frame.fused
    if by_block and attention.indexer is not None:
        compute_sparse.block_keys(frame, attention.indexer, source)
    if attention.fused_qkv:
        width = heads * size + attention.key_width + attention.value_width
        raw_query = fused = view(graph.matmul(frame.f32(width), source, weight="attn_qkv"))
        query = graph.op(frame.f32(heads * size), fused, *frame.turning(attention))
        query = _turned_keys(frame, attention, query, heads * size)
        keys = graph.op(frame.f32(attention.key_width), fused, *frame.turning(attention))
        keys = _turned_keys(frame, attention, keys, attention.key_width)
        values = _turned_values(frame, attention, fused)
    else:
        raw_query = graph.matmul(frame.f32(heads * size * (2 if attention.gated_query else 1)), source, weight="attn_q")
        query = _prepared(frame, attention, raw_query, "attn_q", rotated)
        if not attention.own_kv:
            pass
        elif frame.windowed or by_block or not frame.model.causal or not attention.value_projection:
            raw_keys = graph.matmul(frame.f32(attention.key_width), source, weight="attn_k")
            keys = _prepared(frame, attention, raw_keys, "attn_k", rotated)
            values = _values(frame, attention, source, raw_keys)
        else:  # llama.cpp puts values before keys where it has one cache only
            values = _values(frame, attention, source, -1)
            raw_keys = graph.matmul(frame.f32(attention.key_width), source, weight="attn_k")
            keys = _prepared(frame, attention, raw_keys, "attn_k", rotated)
    if by_block:
        graph.store(view(keys), frame.rows[0][0])
        graph.store(view(values), frame.rows[0][1])
        return compute_sparse.block_attention(frame, attention, source, query)
    result = scores(frame, attention, query, keys, values)
    if not attention.gated_query and not attention.gate:
        return result
    result = turned_back(frame, attention, result)
    if attention.gated_query:
        gate = graph.op(result_size, view(raw_query))
        if frame.settings.release < frame.model.wiring.graph.by_release.gate_reshaped_before:
            return graph.op(result_size, view(result), view(gate))
        return graph.inplace(result_size, result, gate)
    return graph.inplace(result_size, result, graph.matmul(result_size, source, weight="attn_gate"))


def _values(frame: Frame, attention: Attention, source: int, raw_keys: int) -> int:
    size = frame.f32(attention.value_width)
    values = frame.graph.matmul(size, source, weight="attn_v") if attention.value_projection else raw_keys
    if frame.model.wiring.graph.values_normed:
        values = frame.graph.op(size, view(values))
    return _turned_values(frame, attention, values)


def _prepared(frame: Frame, attention: Attention, raw: int, weight: str, rotated: bool) -> int:
    """Norm and position of queries or keys; both work in place except on a reshaped tensor."""
    graph = frame.graph
    width = attention.heads * attention.head_size if weight == "attn_q" else attention.key_width
    size = frame.f32(width)
    if attention.query_key_norm in ("head", "per_head"):
        result = graph.weighed(graph.op(size, view(raw)), f"{weight}_norm")
        if rotated:
            result = graph.inplace(size, result, *frame.turning(attention))
    else:
        result = graph.norm(size, raw, weight=f"{weight}_norm") if attention.query_key_norm == "full" else raw
        if rotated:
            result = graph.op(size, view(result), *frame.turning(attention))
        elif frame.temperature >= 0 and width == attention.heads * attention.head_size:
            result = graph.op(size, view(result), frame.temperature)
    return _turned_keys(frame, attention, result, width)


def _turned_keys(frame: Frame, attention: Attention, tensor: int, width: int) -> int:
    """Quantized caches store keys and values turned by a fixed matrix, against outliers."""
    if frame.turned(frame.settings.cache_type_k, attention.head_size):
        return frame.graph.op(frame.f32(width), frame.turn_keys[attention.window], view(tensor))
    return tensor


def _turned_values(frame: Frame, attention: Attention, tensor: int) -> int:
    if frame.turned(frame.settings.cache_type_v, attention.value_head_size):
        return frame.graph.op(frame.f32(attention.value_width), frame.turn_values[attention.window], view(tensor))
    return tensor


def scores(frame: Frame, attention: Attention, query: int, keys: int, values: int) -> int:
    """Attention proper (`build_attn_mha`), with the cache writes before it."""
    graph, settings = frame.graph, frame.settings
    result = frame.f32(attention.heads * attention.value_head_size)
    if not frame.model.causal:
        return _scores_without_cache(frame, attention, query, keys, values, result)
    window = attention.window
    cache: tuple[int, ...] = ()
    if not attention.own_kv or not frame.fused or graph.lent or frame.attends_apart:
        home = graph.here if attention.own_kv else frame.cache_homes[window]
        per_cell = frame.cells(window) * frame.streams
        cache = (
            graph.part(cache_bytes(settings.cache_type_k, attention.key_width) * per_cell, home=home),
            graph.part(cache_bytes(settings.cache_type_v, attention.value_width) * per_cell, home=home),
        )
    if attention.own_kv:
        frame.cache_homes[window] = graph.here
        rows = frame.rows[attention.window]
        graph.store(view(keys), rows[0])
        graph.store(view(values), rows[1])
    mask = frame.masks[attention.window]
    if frame.fused:
        out = view(graph.flash_attention(result, view(query), *cache, mask, *frame.sinks()))
    else:
        cells = frame.cells(attention.window)
        table = frame.f32(cells * attention.heads)
        straight: tuple[int, ...] = ()
        if settings.flash_attention:  # the cache was laid out for fused attention: values must be transposed first
            size = cache_bytes(settings.cache_type_v, attention.value_width) * cells * frame.streams
            straight = (graph.op(size, cache[1]),)
        scored = graph.op(table, cache[0], view(query))
        soft = graph.inplace(table, scored, mask, *frame.sinks())
        # Values may lie elsewhere than what is computed with them: before a hybrid's GPU layers too.
        out = graph.op(result, view(graph.op(result, soft, *(straight or cache[1:]))))
        graph.settle()
    return out


def turned_back(frame: Frame, attention: Attention, result: int) -> int:
    """Undo the turning of values that came out of a quantized cache."""
    if not frame.turned(frame.settings.cache_type_v, attention.value_head_size):
        return result
    size = frame.f32(attention.heads * attention.value_head_size)
    return view(frame.graph.op(size, frame.turn_values[attention.window], view(result)))


def _scores_without_cache(frame: Frame, attention: Attention, query: int, keys: int, values: int, result: int) -> int:
    """Encoders attend within the micro-batch; flash attention wants keys and values in half precision."""
    graph = frame.graph
    mask = frame.masks[attention.window]
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
    rotated = frame.model.wiring.graph.rotation != "nowhere"
    selection = Selection(frame, attention.indexer, source) if frame.selecting else None
    pooled = attention.indexer if attention.indexer is not None and attention.indexer.style == "pooled" else None
    if pooled is not None:
        compute_sparse.pooled_selection(frame, pooled, source)
    if selection is not None:
        selection.store_keys()
    reduced = source
    if attention.query_rank:
        size = frame.f32(attention.query_rank)
        reduced = graph.norm(size, graph.matmul(size, source, weight="attn_q_a"), weight="attn_q_a_norm")
    picked = -1
    if pooled is not None and frame.settings.since("2026-10"):
        picked = compute_sparse.pooled_choice(frame, pooled, reduced, source)
        graph.settle()
    asked = frame.f32(heads * (attention.nope_size + attention.rope_size))
    query = view(graph.matmul(asked, reduced, weight="attn_q_b" if attention.query_rank else "attn_q"))
    absorbed = graph.matmul(frame.f32(heads * rank), query, weight="attn_k_b")
    position = query
    if rotated and attention.rope_size:
        position = graph.op(frame.f32(heads * attention.rope_size), query, frame.positions)
    query = absorbed
    if attention.rope_size:
        query = graph.op(frame.f32(heads * attention.key_width), view(absorbed), position)
    joint = graph.matmul(frame.f32(attention.key_width), source, weight="attn_kv_a_mqa")
    if attention.rope_size:
        joint = view(joint)
        keys = graph.norm(frame.f32(rank), joint, weight="attn_kv_a_norm")
        position = graph.op(frame.f32(attention.rope_size), joint, frame.positions) if rotated else joint
        keys = graph.op(frame.f32(attention.key_width), view(keys), position)
    else:
        keys = graph.norm(frame.f32(rank), joint, weight="attn_kv_a_norm")
    graph.store(view(keys), frame.rows[0][0])

    def mask() -> int:
        if pooled is not None:
            chosen = picked if picked >= 0 else compute_sparse.pooled_choice(frame, pooled, reduced, source)
            return compute_sparse.pooled_mask(frame, pooled, chosen)
        return frame.masks[0] if selection is None else selection.mask(reduced)

    value_width = heads * attention.value_size
    seen = frame.cells(0) * frame.streams
    cached: tuple[int, ...] = ()
    if graph.lent:  # values are a view of the keys
        stored = cache_bytes(frame.settings.cache_type_k, attention.key_width)
        whole = stored * seen
        rest = stored - cache_bytes(frame.settings.cache_type_k, rank)
        cached = graph.part(whole, home=HOST), graph.part(whole - rest, home=HOST)
    if frame.fused:
        latent_out = view(graph.flash_attention(frame.f32(heads * rank), view(query), *cached, mask()))
        apart = frame.few_of_a_stream
        values = graph.matmul(frame.f32(value_width), latent_out, weight="attn_v_b", at_home=apart)
        result = view(graph.op(frame.f32(value_width), view(values)))
    else:
        straight = graph.op(cache_bytes(frame.settings.cache_type_k, rank) * seen, *cached[1:])
        table = frame.f32(frame.cells(0) * heads)
        scored = graph.op(table, *cached[:1], view(query))
        soft = graph.inplace(table, scored, mask())
        latent_out = graph.op(frame.f32(heads * rank), straight, soft)
        values = graph.matmul(frame.f32(value_width), latent_out, weight="attn_v_b")
        result = graph.op(frame.f32(value_width), view(values))
    graph.settle()
    if attention.gate:
        result = graph.inplace(
            frame.f32(value_width), result, graph.matmul(frame.f32(value_width), source, weight="attn_gate")
        )
    return result
