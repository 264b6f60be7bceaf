"""Compute buffers: memory for intermediate results, per device.

llama.cpp lays out the graph of one full micro-batch before it starts (`llama_context::sched_reserve`) and
allocates what that takes. Here the same graph is built in outline and laid out the same way. The result
does not depend on the quantization level.
"""

from __future__ import annotations

from collections import Counter

from advisor.foundation.caches import kept_beside
from advisor.models.model import Layer, Model
from advisor.runtimes.llama_cpp.compute.frame import Frame, reserved_tokens
from advisor.runtimes.llama_cpp.compute.graph import Graph
from advisor.runtimes.llama_cpp.compute.layers import add_embedding, add_layer, add_output
from advisor.runtimes.llama_cpp.kv_cache import as_kept
from advisor.sizing.placement import HOST, Placement
from advisor.sizing.settings import Settings

_REPEATS = 6  # the layout settles within these, then cycles through one, two or three states: 6 fits all
_PIPELINE_COPIES = 4  # GGML_SCHED_MAX_COPIES


def compute_buffer_bytes(model: Model, settings: Settings, placement: Placement) -> dict[int, int]:
    """Bytes of compute buffer per device number (HOST = -1, 0..devices-1); devices that compute nothing have 0."""
    model = model.trunk or model
    return dict(_laid_out(model, as_kept(model, settings), placement))


@kept_beside  # quantization levels share one layout
def _laid_out(model: Model, settings: Settings, placement: Placement) -> dict[int, int]:
    graph = _graph(model, settings, placement, fused=settings.flash_attention)
    if HOST in placement.layers:
        fused = settings.flash_attention and not graph.misplaced(graph.fused)
        if fused != settings.flash_attention:
            graph = _graph(model, settings, placement, fused)
        if graph.misplaced(graph.fused_streams):
            graph = _graph(model, settings, placement, fused, fused_streams=False)
    return graph.run(placement.devices, _PIPELINE_COPIES if _pipelined(placement) else 1)


def _graph(model: Model, settings: Settings, placement: Placement, fused: bool, fused_streams: bool = True) -> Graph:
    graph = Graph()
    frame = Frame(model, settings, graph, reserved_tokens(settings), fused, fused_streams)
    frame.output_home = placement.output
    graph.here = frame.first_home = placement.layers[0]  # what lies between embedding and first layer
    stream = add_embedding(frame)
    last = len(model.layers) - 1
    for number in _distinct(model, placement):
        graph.here = placement.layers[number]
        frame.experts_home = HOST if number < placement.cpu_moe_layers else graph.here
        stream = add_layer(frame, model.layers[number], number, stream, last=number == last)
    graph.here = placement.output
    add_output(frame, stream)
    return graph


def _pipelined(placement: Placement) -> bool:
    """llama.cpp overlaps micro-batches when several GPUs hold everything (constructor of `llama_context`)."""
    everything = HOST not in placement.layers and placement.output != HOST
    return placement.devices > 1 and everything and not (placement.cpu_moe_layers or placement.kv_on_host)


def _distinct(model: Model, placement: Placement) -> list[int]:
    """Layers worth simulating: of plain attention, each kind after each other kind a few times per device.

    The layout repeats after a few equal layers; what is left out is whole cycles. Layers that hold
    something for themselves (recurrent states, token choices, another layer's cache) are all simulated.
    """
    kinds = _layer_kinds(model)
    if not _repeats_itself(model):
        return list(range(len(kinds)))
    steps: list[tuple[object, ...]] = []
    previous: object = None
    for number, kind in enumerate(kinds):
        here = (kind, placement.layers[number], number < placement.cpu_moe_layers)
        steps.append((previous, here, number == len(kinds) - 1))
        previous = here
    left = {
        step: count if count <= _REPEATS else _REPEATS + (count - _REPEATS) % _REPEATS
        for step, count in Counter(steps).items()
    }
    chosen = []
    for number, step in enumerate(steps):
        if left[step] > 0:
            chosen.append(number)
        left[step] -= 1
    return chosen


@kept_beside
def _repeats_itself(model: Model) -> bool:
    return not model.shared_kv_layers and all(mixer.kept(model.width).only_tokens for mixer in model.mixers)


@kept_beside
def _layer_kinds(model: Model) -> tuple[int, ...]:
    """Equal numbers for equal layers."""
    numbers: dict[Layer, int] = {}
    owners = len(model.layers) - model.shared_kv_layers
    return tuple(2 * numbers.setdefault(layer, len(numbers)) + (n >= owners) for n, layer in enumerate(model.layers))
