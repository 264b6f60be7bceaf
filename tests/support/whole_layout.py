"""A compute buffer laid out the plain way: every layer's own nodes, one step after the other, nothing looked up."""

from __future__ import annotations

from advisor.models.model import Model
from advisor.runtimes.llama_cpp.compute.allocator import Arena
from advisor.runtimes.llama_cpp.compute.buffer import PIPELINE_COPIES, distinct_layers, pipelined
from advisor.runtimes.llama_cpp.compute.frame import frame_of
from advisor.runtimes.llama_cpp.compute.graph import Graph, Step, schedule
from advisor.runtimes.llama_cpp.compute.layers import add_embedding, add_layer, add_output
from advisor.runtimes.llama_cpp.kv_cache import as_kept
from advisor.sizing.placement import HOST, Placement
from advisor.sizing.settings import Settings


def whole_layout(model: Model, settings: Settings, placement: Placement) -> dict[int, int]:
    """As `compute_buffer_bytes`."""
    model = model.trunk or model
    settings = as_kept(model, settings)
    fused, streams = settings.flash_attention, True
    graph, homes = _graph(model, settings, placement, fused, streams)
    if HOST in placement.layers:
        if any(homes[node] != home for node, home in graph.fused["attention"]):
            fused = False
            graph, homes = _graph(model, settings, placement, fused, streams)
        if any(homes[node] != home for node, home in graph.fused["streams"]):
            graph, homes = _graph(model, settings, placement, fused, False)
    copies = PIPELINE_COPIES if pipelined(placement) else 1
    return allocated(graph, homes, schedule(graph, homes), placement.devices, copies)


def _graph(
    model: Model, settings: Settings, placement: Placement, fused: bool, streams: bool
) -> tuple[Graph, list[int]]:
    graph = Graph()
    frame = frame_of(model, settings, graph, fused, streams)
    frame.output_home = placement.output
    graph.here = frame.first_home = placement.layers[0]
    stream = add_embedding(frame)
    last = len(model.layers) - 1
    for number in distinct_layers(model, placement):
        graph.here = placement.layers[number]
        frame.experts_home = HOST if number < placement.cpu_moe_layers else graph.here
        stream = add_layer(frame, model.layers[number], number, stream, last=number == last)
    graph.here = placement.output
    add_output(frame, stream)
    return graph, graph.assign()


def allocated(graph: Graph, homes: list[int], steps: list[Step], devices: int, copies: int) -> dict[int, int]:
    """Lay out all tensors as `ggml_gallocr_alloc_graph_impl` does and report how far each device got."""
    arenas = {device: Arena() for device in range(HOST, devices)}
    arrivals = sorted((step for step in steps if step[3] >= 0), key=lambda step: step[0])
    sizes = graph.sizes + [graph.sizes[original] for _, _, _, original in arrivals]
    empty = graph.empty | {node for node, _, _, original in arrivals if original in graph.empty}
    pending = [0] * len(sizes)
    for _, _, reads, _ in steps:
        for read in reads:
            pending[read if read >= 0 else ~read] += 1
    for number in graph.kept:
        pending[number] += 1
    place: list[tuple[Arena, int] | None] = [None] * len(sizes)
    fixed: set[int] = set()
    if copies > 1:
        entering = [(HOST, number) for number in graph.inputs] + [
            (device, node) for node, device, _, original in steps if original >= 0
        ]
        for device, number in entering:
            fixed.add(number)
            for _ in range(copies):
                arenas[device].take(sizes[number])
    for number in graph.leaves():
        if number not in fixed and number not in graph.empty:
            arena = arenas[max(homes[number], HOST)]
            place[number] = (arena, arena.take(sizes[number]))
    reuses = graph.reuses + [False] * len(arrivals)
    for number, device, reads, _ in steps:
        size = sizes[number]
        if reuses[number]:
            for read in reads:
                # A tensor read through a view never gives up its memory: ggml-alloc sees the view as foreign.
                if read >= 0 and pending[read] == 1 and sizes[read] == size and place[read] is not None:
                    place[number], place[read] = place[read], None
                    break
        if place[number] is None and (size or number in empty) and number not in fixed:
            arena = arenas[device]
            place[number] = (arena, arena.take(size))
        for read in reads:
            source = read if read >= 0 else ~read
            pending[source] -= 1
            spot = place[source]
            if spot is not None and pending[source] == 0:
                spot[0].give(spot[1], sizes[source])
                place[source] = None
    return {device: arena.peak for device, arena in arenas.items()}
