"""The compute buffer of a model whose graph is not known: what its shapes allow, as a range.

At least the stream and half the widest result of any matrix exist at once; at most all results of a layer, its scores
or masks, and the tokens' scores. Of the architectures whose graphs are known, llama.cpp's own figure lies within
(`tests/unit/sources/test_unknown_architecture.py` asks each of them).
"""

from __future__ import annotations

from collections.abc import Iterator

from advisor.foundation.ranges import Range
from advisor.models.model import Layer, Model
from advisor.models.tensors import Role
from advisor.sizing.placement import HOST, Placement
from advisor.sizing.settings import Settings, round_up

_SINGLE, _HALF = 4, 2
_STREAMS = 6  # copies of the residual stream, its norms and inputs
_INDEXED = 4  # scores of an indexer, and what they are sorted into
_STATES = 3  # copies of a state: read, computed, written


def assumed_compute(model: Model, settings: Settings, placement: Placement) -> dict[int, Range]:
    """Bytes per device number (HOST = -1), a range each; devices that compute nothing have 0."""
    tokens = round_up(min(settings.total_context, settings.micro_batch), settings.users)
    found: dict[int, Range] = {}
    for device in (HOST, *range(placement.devices)):
        layers = [layer for layer, home in zip(model.layers, placement.layers, strict=False) if home == device]
        ends = placement.output == device
        if device == HOST and placement.cpu_moe_layers:
            layers = [*layers, *model.layers[: placement.cpu_moe_layers]]
        begins = device == HOST
        if not (layers or ends or begins):
            found[device] = Range(0, 0, 0)
            continue
        low, high = _bounds(model, settings, layers, tokens, ends=ends)
        found[device] = Range(low, (low + high) / 2, high)
    return found


def _bounds(model: Model, settings: Settings, layers: list[Layer], tokens: int, *, ends: bool) -> tuple[int, int]:
    stream = _SINGLE * tokens * model.width
    pairs = tokens * settings.cells
    masks = 2 * (_SINGLE + _HALF) * pairs
    if not layers and not ends:
        return 0, 2 * _STREAMS * stream + masks
    head = _SINGLE * tokens * model.vocabulary if ends and model.has_output_head else 0
    widest = max((max(_rows(layer), default=0) for layer in layers), default=0)
    every = max((sum(_rows(layer)) for layer in layers), default=0)
    heads = max((mixer.split_heads for layer in layers for mixer in layer.mixers), default=0)
    if any(mixer.kept(model.width).indexer for layer in layers for mixer in layer.mixers):
        masks += _INDEXED * _SINGLE * pairs
    scores = 0 if settings.flash_attention else _SINGLE * heads * pairs
    states = max((mixer.kept(model.width).state for layer in layers for mixer in layer.mixers), default=0)
    states *= _SINGLE * settings.users
    low = max(stream + _SINGLE * tokens * widest // 2, head) if model.causal else 0
    high = _STREAMS * stream + 2 * _SINGLE * tokens * every + masks + 2 * scores + head + _STATES * states
    return low, high


def _rows(layer: Layer) -> Iterator[int]:
    """Results of each matrix for one token; of the experts only those used."""
    block = layer.routed
    for part in layer.parts(1):
        if len(part.shape) == 2 and part.role is not Role.EXPERTS:
            yield part.shape[1]
        elif len(part.shape) == 3:
            yield part.shape[1] * (min(part.shape[2], block.used) if block else 1)
