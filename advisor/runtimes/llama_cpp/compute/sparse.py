"""Graph nodes of attention that compresses or pools the past.

src/models/deepseek4.cpp, glm5-next.cpp, minimax-m3.cpp.
"""

from __future__ import annotations

from collections.abc import Callable

from advisor.models.indexer import Indexer
from advisor.models.mixers import Attention, CompressedAttention
from advisor.runtimes.llama_cpp.compute.frame import BLOCK, BLOCK_POSITIONS, Frame, PoolRows
from advisor.runtimes.llama_cpp.compute.graph import view
from advisor.sizing.settings import cache_bytes

_PICKED_PER_HEAD = 8  # pooled tokens DeepSeek V4's indexer picks, per attention head: 512 in Flash, 1024 in Pro
_BLOCKS_PICKED = 16  # blocks MiniMax M3's indexer picks


def compressed_attention(frame: Frame, attention: CompressedAttention, source: int) -> int:
    """DeepSeek V4: a window of plain keys and a tail of pooled ones; returns what the second output matrix reads."""
    graph, users = frame.graph, frame.users
    head, window = attention.head_size, attention.window
    keys = frame.cells(window)
    key_reads: tuple[int, ...] = ()
    mask = frame.masks[window]
    if attention.ratio:
        rows, pool_turn = frame.pool_rows[attention.ratio, False], frame.pool_turns.get(attention.ratio, -1)
        _pool(frame, head, attention, source, rows, pool_turn)
        if attention.overlap > 1:
            rows = frame.pool_rows[attention.ratio, True]
            _pool(frame, attention.pool_indexer.head_size, attention, source, rows, frame.selector_turn)
    rank = frame.f32(attention.query_rank)
    reduced = graph.norm(rank, graph.matmul(rank, source))
    wide = frame.f32(attention.heads * head)
    query = graph.op(wide, view(graph.matmul(wide, reduced)))
    query = frame.positioned(query, head, frame.positions, inplace=True)
    turn = frame.turn_keys.get(window, -1)
    query = graph.op(wide, turn, view(query)) if turn >= 0 else query
    narrow = frame.f32(head)
    key = graph.norm(narrow, graph.matmul(narrow, source))
    key = frame.positioned(view(key), head, frame.positions)
    key = graph.op(narrow, turn, view(key)) if turn >= 0 else key
    graph.store(view(key), frame.rows[window][0])
    if attention.ratio:
        keys += frame.pooled_cells(attention.ratio)
    every = cache_bytes(frame.settings.cache_type_k, head) * keys * users
    if attention.ratio:
        key_reads = (view(graph.op(every)),)

    def whole_mask() -> int:
        if not attention.ratio:
            return mask
        tail = frame.pooled_masks[attention.ratio]
        if attention.overlap > 1:
            tail = _picked_mask(frame, attention, reduced, source, tail)
        return graph.op(graph.sizes[mask] * keys // frame.cells(window), mask, tail)

    if frame.fused:
        result = view(graph.flash_attention(wide, view(query), *key_reads, whole_mask()))
    else:
        table = frame.f32(keys * attention.heads)
        straight = graph.op(every, *key_reads)
        scored = graph.op(table, *key_reads, view(query))
        soft = graph.inplace(table, scored, whole_mask())
        result = view(graph.op(wide, view(graph.op(wide, straight, soft))))
    if turn >= 0:
        result = view(graph.op(wide, turn, result))
    result = frame.positioned(result, head, frame.positions)
    grouped = frame.f32(attention.output_groups * attention.output_rank)
    return graph.op(grouped, view(graph.matmul(grouped, view(result))))


def _pool(frame: Frame, head: int, attention: CompressedAttention, source: int, rows: PoolRows, turn: int) -> None:
    """Values and scores of the tokens of each pool, weighed into one, which is kept."""
    graph, users = frame.graph, frame.users
    ratio, overlap = attention.ratio, attention.overlap
    width = overlap * head
    pools = frame.pools(ratio)
    pooled = 4 * pools * ratio * width * overlap
    waiting = 4 * width * overlap * ratio * users

    def gathered(states: int) -> int:
        joined = graph.op(frame.f32(width) + waiting, states)
        if overlap > 1:
            blank = graph.op(4 * width, view(joined))
            joined = graph.op(frame.f32(width) + waiting + 4 * width, joined, view(blank))
        found = graph.op(pooled, joined, rows.read)
        if overlap > 1:
            halves = [graph.op(pooled // 4, view(found)) for _ in range(2)]
            found = graph.op(pooled // 2, *(view(half) for half in halves))
        return graph.op(pooled // overlap, view(found))

    values = graph.matmul(frame.f32(width), source)
    tall = gathered(values)
    scores = graph.matmul(frame.f32(width), source)
    scores = graph.inplace(frame.f32(width), scores, graph.matmul(frame.f32(width), rows.positions))
    weights = gathered(scores)
    weighed = graph.inplace(pooled // overlap, tall, graph.inplace(pooled // overlap, weights))
    result = 4 * pools * head
    total = graph.norm(result, graph.op(result, view(graph.op(result, weighed))))
    total = frame.positioned(total, head, rows.written, inplace=True)
    if turn >= 0:
        total = graph.op(result, turn, view(total))
    graph.store(view(total), rows.cells)
    for states in (values, scores):
        graph.store(graph.op(4 * width * frame.pool_states(attention), states, rows.kept), rows.kept_at)


def _picked_mask(frame: Frame, attention: CompressedAttention, reduced: int, source: int, mask: int) -> int:
    graph, indexer = frame.graph, attention.pool_indexer
    pools = frame.pooled_cells(attention.ratio)
    count = min(_PICKED_PER_HEAD * attention.heads, pools)
    picked = frame.f32(count)
    blank = count * graph.sizes[mask] // pools  # as wide as the mask's numbers
    zeros = graph.inplace(blank, graph.constant(blank))
    size = frame.f32(indexer.heads * indexer.head_size)
    query = frame.positioned(view(graph.matmul(size, reduced)), indexer.head_size, frame.positions)
    query = graph.op(size, frame.selector_turn, view(query))
    weights = graph.inplace(frame.f32(indexer.heads), graph.matmul(frame.f32(indexer.heads), source))
    scores = graph.op(frame.f32(pools), view(query), view(weights), frame.selector_mask)
    choice = graph.op(picked, graph.op(picked, scores))
    hidden = graph.op(graph.sizes[mask], mask)
    graph.op(0, zeros, view(choice), view(hidden))
    return graph.op(graph.sizes[mask], view(hidden), mask)


def pooled_selection(frame: Frame, indexer: Indexer, source: int) -> None:
    """GLM 5 Next: keys and gates of the indexer, pooled over neighbours."""
    graph = frame.graph
    size, cells = frame.f32(indexer.head_size), frame.cells(0) * frame.streams
    key = graph.norm(size, graph.matmul(size, source), rms=False)
    joined = graph.op(2 * size, key, graph.matmul(size, source))
    graph.store(graph.op(3 * size, joined, graph.inplace(size, graph.constant(size))), frame.selector_rows)
    every = 4 * indexer.head_size * cells
    rows = graph.op(2 * every, graph.part(4 * cells, frame.cell_numbers))
    weights = graph.op(every, view(graph.op(every, view(graph.matmul(every, view(rows))))))
    weighed = graph.inplace(every, view(weights), graph.op(every, view(rows)))
    graph.store(graph.op(every // indexer.pool, weighed), frame.pool_cells)


def pooled_choice(frame: Frame, indexer: Indexer, reduced: int, source: int) -> int:
    """Cells of the picked pools, and of what is too recent to be pooled."""
    graph = frame.graph
    pools = frame.pools_seen(indexer)
    size = frame.f32(indexer.heads * indexer.head_size)
    query = graph.matmul(size, reduced)
    keys = graph.op(4 * indexer.head_size * pools, frame.pool_numbers)
    weights = graph.inplace(frame.f32(indexer.heads), graph.matmul(frame.f32(indexer.heads), source))
    scores = graph.op(frame.f32(pools), view(query), view(keys), weights, frame.selector_mask)
    picked = frame.f32(frame.cells_seen(indexer) // indexer.pool)
    choice = graph.op(picked, scores)
    numbers = graph.op(picked, choice)
    order = graph.op(picked, view(graph.op(picked, view(scores), choice)))
    choice = graph.op(picked, view(graph.op(picked, view(numbers), order)))
    choice = graph.op(picked, choice)
    cells = graph.op(picked * indexer.pool, frame.pool_members, view(choice))
    return graph.op(frame.f32(frame.cells_seen(indexer)), view(cells), frame.recent_cells)


def pooled_mask(frame: Frame, indexer: Indexer, joined: int) -> int:
    """The attention mask of GLM 5 Next: what lies in a picked pool, or is too recent to be pooled."""
    graph = frame.graph
    seen, mask = frame.cells_seen(indexer), frame.masks[0]
    wide, cell = frame.f32(seen), graph.sizes[mask] // frame.cells(0)
    every = frame.cells(0) + seen
    if frame.settings.since("2026-10"):
        zeros = _filled(frame, cell, seen)
        numbers, range_ = graph.op(wide, joined), graph.op(4 * seen)
        numbers = graph.inplace(wide, numbers, range_)
        chosen = graph.op(wide, graph.part(wide, frame.recent))
        numbers = graph.op(wide, graph.inplace(wide, graph.inplace(wide, numbers, chosen), range_))
        hidden = _filled(frame, cell, every)
    else:
        zeros = graph.op(wide)
        numbers = graph.inplace(wide, graph.op(wide, joined))
        chosen = graph.op(wide, graph.part(wide, frame.recent))
        numbers = graph.op(wide, graph.inplace(wide, numbers, chosen))
        hidden = graph.op(cell * every)
    graph.op(0, zeros, numbers, view(hidden))
    if frame.settings.since("2026-10"):
        return graph.op(graph.sizes[mask], view(hidden), graph.part(graph.sizes[mask], view(mask)))
    return graph.inplace(graph.sizes[mask], view(hidden), graph.part(graph.sizes[mask], mask))


def _filled(frame: Frame, row: int, count: int) -> int:
    """So many rows of one number, made from one row."""
    graph, seed = frame.graph, row // frame.tokens * count
    return graph.op(row * count, graph.inplace(seed, graph.constant(seed)))


def block_keys(frame: Frame, indexer: Indexer, source: int) -> None:
    """MiniMax M3: keys the block scores are made of."""
    graph, size = frame.graph, frame.f32(indexer.head_size)
    key = graph.inplace(size, graph.op(size, view(graph.matmul(size, source))), frame.positions)
    graph.store(view(key), frame.selector_rows if frame.selector_rows >= 0 else frame.rows[0][0])


def block_attention(frame: Frame, attention: Attention, source: int, query: int) -> int:
    """MiniMax M3: each KV head sees the blocks its indexer head scores highest."""
    graph, indexer = frame.graph, attention.indexer
    if indexer is None:
        return query
    groups, users = indexer.heads, frame.users
    size = frame.f32(groups * indexer.head_size) // users
    result = frame.f32(attention.heads * attention.head_size)
    total = -1
    asked = -1

    def queries() -> int:
        nonlocal asked
        if asked < 0:
            asked = graph.matmul(size * users, source)
            asked = graph.inplace(size * users, graph.op(size * users, view(asked)), frame.positions)
        return asked

    for user in range(users):
        if frame.settings.since("2026-09"):
            mask = _padded_block_mask(frame, indexer, queries)
        else:
            mask = _whole_block_mask(frame, indexer, queries)
        fused = graph.flash_attention(result // users, view(query), mask)
        own = graph.op(result // users, view(fused))
        total = graph.op(result * (user + 1) // users, total, own) if user else own
    return view(total)


def _padded_block_mask(frame: Frame, indexer: Indexer, queries: Callable[[], int]) -> int:
    """One user's mask, made from the scores of as many positions as the tokens fill, padded."""
    graph, cells, groups = frame.graph, frame.cells(0), indexer.heads
    tokens = frame.tokens // frame.users
    rows = graph.op(4 * indexer.head_size * BLOCK_POSITIONS, graph.part(4 * BLOCK_POSITIONS, frame.cell_numbers))
    scores = graph.op(4 * tokens * BLOCK_POSITIONS * groups, rows, view(queries()))
    graph.op(0, view(scores), graph.part(4 * tokens * BLOCK_POSITIONS, frame.recent))
    picked = _picked_blocks(frame, scores, BLOCK_POSITIONS // BLOCK, groups)
    turned = graph.op(graph.sizes[picked], view(picked))
    every = 4 * cells * tokens * groups
    spread = graph.op(every, turned, graph.part(4 * cells, frame.cell_blocks))
    spread = graph.op(every, view(spread))
    graph.op(0, view(spread), graph.part(4 * cells * tokens, _wide_mask(frame)))
    return graph.op(every // 2, view(spread))


def _whole_block_mask(frame: Frame, indexer: Indexer, queries: Callable[[], int]) -> int:
    """The same as until 2026-09: every position is scored."""
    graph, cells, groups = frame.graph, frame.cells(0), indexer.heads
    tokens = frame.tokens // frame.users
    scores = graph.op(4 * cells * tokens * groups, view(queries()))
    graph.op(0, view(scores), graph.part(4 * cells * tokens, _wide_mask(frame)))
    picked = _picked_blocks(frame, scores, cells // BLOCK, groups)
    spread = graph.op(2 * cells * tokens * groups, view(picked))
    graph.op(0, view(spread), graph.part(2 * cells * tokens, frame.masks[0]))
    return view(spread)


def _picked_blocks(frame: Frame, scores: int, blocks: int, groups: int) -> int:
    """Which blocks each group of heads sees, in 16 bits."""
    graph, tokens = frame.graph, frame.tokens // frame.users
    size = 4 * blocks * tokens
    recent = graph.part(size, frame.recent_blocks)
    best = graph.inplace(size * groups, graph.op(size * groups, view(scores)), recent)
    picked = 4 * min(_BLOCKS_PICKED, blocks) * tokens * groups
    choice = graph.op(picked, best)
    zeros = graph.inplace(picked, graph.op(picked, choice))
    half = size * groups // 2
    hidden = graph.op(half, view(graph.op(size // 2, graph.op(size, recent))))
    graph.op(0, view(zeros), view(choice), view(hidden))
    return graph.op(half, view(hidden))


def _wide_mask(frame: Frame) -> int:
    """The mask in 32 bits, made once."""
    if frame.wide_mask < 0:
        frame.wide_mask = frame.graph.op(4 * frame.cells(0) * frame.tokens, frame.masks[0])
    return frame.wide_mask
