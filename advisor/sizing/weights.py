"""Bytes of weights on each device at a level."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from advisor.formats.gguf_levels import Level, Type
from advisor.formats.gguf_sizes import grouped_tensors
from advisor.models.blueprints.common import OUTPUT_HEAD_FIRST
from advisor.models.model import Model
from advisor.models.tensors import Role, Tensor
from advisor.sizing.placement import HOST, Placement

# Looked up row by row rather than multiplied, so llama.cpp leaves them in host memory.
_INPUT_TABLES = ("token_embd.weight", "per_layer_token_embd.weight", "position_embd.weight", "token_types.weight")
_WITH_FIRST_LAYER = ("per_layer_model_proj", "per_layer_proj_norm", "rope_")
_BLOCK = re.compile(r"blk\.(\d{1,6})\.")


class _WeightMap:
    """How many tensors of each group lie in the input, in each layer, in its experts, and in the output."""

    def __init__(self, model: Model):
        table = grouped_tensors(model)
        layers = len(model.layers)
        self.layers = layers
        self.causal = model.causal
        self.counts: NDArray[np.int64] = np.zeros((2 * layers + 2, len(table.groups)), dtype=np.int64)
        self.tied = np.zeros(len(table.groups), dtype=np.int64)  # repeated beside the output head
        self.everywhere = np.zeros(len(table.groups), dtype=np.int64)  # repeated on every device
        for tensor, group in table.members:
            self.counts[self._row(tensor), group] += 1
            if tensor.name == "token_embd.weight" and model.tied_embeddings and model.has_output_head:
                self.tied[group] += 1
            if tensor.name.startswith("rope_"):
                self.everywhere[group] += 1

    def _row(self, tensor: Tensor) -> int:
        """Row 0: input; 1..n: layers; n+1..2n: experts of the layers; last: output."""
        if tensor.layer is not None:
            return 1 + tensor.layer + (self.layers if tensor.role is Role.EXPERTS else 0)
        if tensor.name in _INPUT_TABLES:
            return 0
        if tensor.name.startswith(_WITH_FIRST_LAYER) or (tensor.name.startswith("token_embd_norm") and not self.causal):
            return 1
        return 2 * self.layers + 1


_MAPS: WeakKeyDictionary[Model, _WeightMap] = WeakKeyDictionary()


def _weight_map(model: Model) -> _WeightMap:
    if (found := _MAPS.get(model)) is None:
        found = _MAPS[model] = _WeightMap(model)
    return found


@lru_cache(maxsize=64)
def _devices_of_rows(placement: Placement) -> NDArray[np.int64]:
    """The device of each row of a weight map."""
    experts = (HOST if number < placement.cpu_moe_layers else device for number, device in enumerate(placement.layers))
    return np.array([HOST, *placement.layers, *experts, placement.output], dtype=np.int64)


def weight_bytes(model: Model, level: Level, placement: Placement, imatrix: bool = False) -> dict[int, int]:
    """Bytes of weights per device number (HOST = -1).

    Input embeddings stay on the host; with tied embeddings a GPU that holds the output head keeps its own copy.
    """
    table = grouped_tensors(model)
    where = _weight_map(model)
    # A 16-bit file is normally the converter's own: it keeps a few small matrices in 32 bit that the
    # quantizer, asked for F16, would shrink as well.
    types = table.converted_types(level) if level.base in (Type.F16, Type.BF16) else table.types(level, imatrix)
    each = np.array(table.bytes_each(types), dtype=np.int64)
    totals = np.zeros(placement.devices + 1, dtype=np.int64)  # the host is last, where index -1 finds it
    np.add.at(totals, _devices_of_rows(placement), where.counts @ each)
    held = {device: int(totals[device]) for device in (HOST, *range(placement.devices))}
    if placement.output != HOST or OUTPUT_HEAD_FIRST in model.traits:
        held[placement.output] += int(where.tied @ each)
    first = placement.layers[0]
    for device in {*placement.layers} - {first}:
        held[device] += int(where.everywhere @ each)
    return held


def weights_read(
    model: Model, level: Level, placement: Placement, imatrix: bool = False
) -> tuple[dict[int, int], dict[int, int]]:
    """Bytes per device that generating tokens reads: outside the routed experts, and of all routed experts.

    Input tables are left out: of them one row is read. A tied output head counts where it is multiplied.
    """
    sizes = _sizes_read(model, level, imatrix)
    devices, split = _devices_of_rows(placement) + 1, len(model.layers) + 1
    expert_rows = slice(split, -1)
    experts = np.bincount(devices[expert_rows], sizes[expert_rows], placement.devices + 1)
    dense = np.bincount(devices, sizes, placement.devices + 1) - experts
    names = (HOST, *range(placement.devices))
    return dict(zip(names, map(int, dense), strict=True)), dict(zip(names, map(int, experts), strict=True))


@lru_cache(maxsize=8192)
def _sizes_read(model: Model, level: Level, imatrix: bool) -> NDArray[np.int64]:
    """Bytes of each row of a weight map, without the input and with the output head that is tied to it."""
    table = grouped_tensors(model)
    where = _weight_map(model)
    types = table.converted_types(level) if level.base in (Type.F16, Type.BF16) else table.types(level, imatrix)
    each = np.array(table.bytes_each(types), dtype=np.int64)
    sizes: NDArray[np.int64] = where.counts @ each
    sizes[0] = 0
    sizes[-1] += where.tied @ each
    return sizes


def stored_weight_bytes(model: Model, tensor_bytes: Iterable[tuple[str, int]], placement: Placement) -> dict[int, int]:
    """The same for a file as it is, given the name and the bytes of each tensor, whatever type it has."""
    held = dict.fromkeys((HOST, *range(placement.devices)), 0)
    first, last = placement.layers[0], len(placement.layers) - 1
    for name, size in tensor_bytes:
        block = _BLOCK.match(name)
        if block is not None:
            layer = min(int(block[1]), last)
            on_host = "_exps." in name and layer < placement.cpu_moe_layers
            held[HOST if on_host else placement.layers[layer]] += size
        elif name in _INPUT_TABLES:
            held[HOST] += size
            tied = name == "token_embd.weight" and model.tied_embeddings and model.has_output_head
            if tied and (placement.output != HOST or OUTPUT_HEAD_FIRST in model.traits):
                held[placement.output] += size
        elif name.startswith("rope_"):
            for device in {*placement.layers}:
                held[device] += size
        elif name.startswith(_WITH_FIRST_LAYER) or (name.startswith("token_embd_norm") and not model.causal):
            held[first] += size
        else:
            held[placement.output] += size
    return held
