"""Bytes of weights: of each layer and of its experts, and from there on each device."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import ceil
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from advisor.formats.ggml_types import BLOCKS, Type
from advisor.formats.gguf_levels import Level
from advisor.formats.gguf_sizes import SizedLevel, grouped_tensors, size_level
from advisor.formats.stored_tensor import Stored
from advisor.foundation.caches import kept_beside
from advisor.models.model import Model
from advisor.models.tensors import Role, Tensor
from advisor.runtimes.llama_cpp.compute.host_tensors import Tensors, tensors_of
from advisor.sizing.placement import HOST, Placement

# Looked up row by row rather than multiplied, so llama.cpp leaves them in host memory.
_INPUT_TABLES = ("token_embd.weight", "per_layer_token_embd.weight", "position_embd.weight", "token_types.weight")
_WITH_FIRST_LAYER = ("per_layer_model_proj", "per_layer_proj_norm", "rope_")
_BLOCK = re.compile(r"blk\.(\d{1,6})\.")


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Weights:
    """Bytes by where they go: `layers` and `experts` hold one number per layer, experts not being part of `layers`.

    `tied` is what is held again with the output head, `everywhere` what each device with layers holds.
    `widest_*` are the largest single tensors, which are copied to a GPU when it computes with them for the host: of the
    first 0, 1, 2 ... layers, of their experts, and of the output head.
    `alternating` says that layers with and without experts take turns, `hybrid` layers with and without recurrence.
    `find_stored` lists the tensors one by one.
    """

    input: int
    layers: NDArray[np.int64]
    experts: NDArray[np.int64]
    output: int
    tied: int
    tied_on_host: bool
    everywhere: int
    widest_layers: Sequence[int]
    widest_experts: Sequence[int]
    widest_output: int
    alternating: bool
    hybrid: bool
    find_stored: Callable[[], tuple[Stored, ...]] = field(repr=False)

    def scaled(self, factor: float) -> Weights:
        """Those of a file that is so many times as large, every tensor alike, and never less in all than the file."""

        def one(size: int) -> int:
            return ceil(size * factor)

        return replace(
            self,
            input=one(self.input),
            layers=np.ceil(self.layers * factor).astype(np.int64),
            experts=np.ceil(self.experts * factor).astype(np.int64),
            output=one(self.output),
            tied=one(self.tied),
            everywhere=one(self.everywhere),
            widest_layers=[one(size) for size in self.widest_layers],
            widest_experts=[one(size) for size in self.widest_experts],
            widest_output=one(self.widest_output),
            find_stored=lambda: tuple(replace(each, bytes=one(each.bytes)) for each in self.find_stored()),
        )

    def on_devices(self, placement: Placement) -> dict[int, int]:
        """Bytes per device number (HOST = -1).

        Input embeddings stay on the host; with tied embeddings a GPU that holds the output head keeps its own copy.
        """
        totals = np.zeros(placement.devices + 1, dtype=np.int64)  # the host is last, where index -1 finds it
        homes = np.array(placement.layers, dtype=np.int64)
        np.add.at(totals, homes, self.layers)
        homes[: placement.cpu_moe_layers] = HOST
        np.add.at(totals, homes, self.experts)
        held = {device: int(totals[device]) for device in (HOST, *range(placement.devices))}
        held[HOST] += self.input
        held[placement.output] += self.output
        if placement.output != HOST or self.tied_on_host:
            held[placement.output] += self.tied
        for device in {*placement.layers} - {placement.layers[0]}:
            held[device] += self.everywhere
        return held

    def read_on_devices(self, placement: Placement) -> tuple[dict[int, int], dict[int, int]]:
        """Bytes per device that generating a token reads: outside the routed experts, and of all routed experts.

        Input tables are left out, of which one row is read; a tied output head counts where it is multiplied. Layers
        beyond those of `placement`, which only draft tokens, are not read.
        """
        dense = np.zeros(placement.devices + 1, dtype=np.int64)
        routed = dense.copy()
        homes = np.array(placement.layers, dtype=np.int64)
        np.add.at(dense, homes, self.layers[: len(homes)])
        homes[: placement.cpu_moe_layers] = HOST
        np.add.at(routed, homes, self.experts[: len(homes)])
        dense[placement.output] += self.output + self.tied
        devices = (HOST, *range(placement.devices))
        return {n: int(dense[n]) for n in devices}, {n: int(routed[n]) for n in devices}

    def passing_through(self, layers: int, experts: int, kv_on_host: bool, output_on_host: bool) -> int:
        """What the weights take that a GPU copies from the host one at a time: the largest that is multiplied with.

        On the host are so many first layers, the experts of at least as many, the KV cache and the output head. Where
        layers of different kinds take turns, or the KV cache passes through as well, the place of one copy may be too
        small for the next: two were seen side by side, never three.
        """
        widest = max(self.widest_layers[layers], self.widest_experts[experts])
        only_experts = experts > layers
        copies = 2 if self.hybrid or (only_experts and (self.alternating or kv_on_host)) else 1
        return max(copies * widest, self.widest_output if output_on_host else 0)


_TENSORS: WeakKeyDictionary[Weights, Tensors] = WeakKeyDictionary()


def tensors_in(weights: Weights) -> Tensors:
    """The tensors of these weights by layer."""
    if (found := _TENSORS.get(weights)) is None:
        found = _TENSORS[weights] = tensors_of(weights.find_stored(), len(weights.layers))
    return found


def _widest(sizes: NDArray[np.int64]) -> list[int]:
    """The largest of the first 0, 1, 2 ... entries."""
    widest: list[int] = np.maximum.accumulate(np.append(0, sizes)).tolist()
    return widest


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
        self.present = self.counts > 0

    def _row(self, tensor: Tensor) -> int:
        """Row 0: input; 1..n: layers; n+1..2n: experts of the layers; last: output."""
        if tensor.layer is not None:
            return 1 + tensor.layer + (self.layers if tensor.role is Role.EXPERTS else 0)
        if tensor.name in _INPUT_TABLES:
            return 0
        if tensor.name.startswith(_WITH_FIRST_LAYER) or (tensor.name.startswith("token_embd_norm") and not self.causal):
            return 1
        return 2 * self.layers + 1

    def weights(self, model: Model, each: NDArray[np.int64], types: Sequence[Type]) -> Weights:
        """Add up, given the bytes and the type of one tensor of each group."""
        sums = self.counts @ each
        widest = (self.present * each).max(axis=1)
        tied, layers = int(self.tied @ each), self.layers
        return Weights(
            input=int(sums[0]),
            layers=sums[1 : layers + 1],
            experts=sums[layers + 1 : -1],
            output=int(sums[-1]),
            tied=tied,
            tied_on_host=model.wiring.gguf.tied_head_twice,
            everywhere=int(self.everywhere @ each),
            widest_layers=_widest(widest[1 : layers + 1]),
            widest_experts=_widest(widest[layers + 1 : -1]),
            widest_output=max(int(widest[-1]), tied),
            alternating=_alternating(model),
            hybrid=_hybrid(model),
            find_stored=lambda: tuple(
                Stored(tensor.name, tensor.shape, int(each[group]), BLOCKS[types[group]][0])
                for tensor, group in grouped_tensors(model).members
            ),
        )


_MAPS: WeakKeyDictionary[Model, _WeightMap] = WeakKeyDictionary()


def _weight_map(model: Model) -> _WeightMap:
    if (found := _MAPS.get(model)) is None:
        found = _MAPS[model] = _WeightMap(model)
    return found


def _alternating(model: Model) -> bool:
    routed = [layer.routed is not None for layer in model.layers]
    return any(before and not after for before, after in pairwise(routed))


def _hybrid(model: Model) -> bool:
    return len({layer.recurrent for layer in model.layers}) > 1


@kept_beside
def level_weights(model: Model, level: Level, imatrix: bool = False) -> Weights:
    """The weights of `model` at `level`."""
    table, level = grouped_tensors(model), level.stock
    # A 16-bit file is normally the converter's own: it keeps a few small matrices in 32 bit that the
    # quantizer, asked for F16, would shrink as well.
    types = table.converted_types(level) if level.base in (Type.F16, Type.BF16) else table.types(level, imatrix)
    each = np.array(table.bytes_each(types), dtype=np.int64)
    return _weight_map(model).weights(model, each, types)


@kept_beside
def scaled_weights(model: Model, level: Level, imatrix: bool, factor: float) -> Weights:
    """The weights of a published file of a level that is so many times as large as what stock tools make."""
    return level_weights(model, level, imatrix).scaled(factor)


def sized_weights(model: Model, sized: SizedLevel) -> Weights:
    """The weights of a level, or of a publisher's file of it whose mix is not known."""
    stock = size_level(model, sized.level.stock, sized.imatrix)
    if sized.tensor_bytes == stock.tensor_bytes:
        return level_weights(model, sized.level, sized.imatrix)
    return scaled_weights(model, sized.level, sized.imatrix, sized.tensor_bytes / stock.tensor_bytes)


def file_weights(model: Model, tensors: Iterable[Stored]) -> Weights:
    """The weights of a file as it is, given its tensors, whatever type each has."""
    stored = tuple(tensors)
    count = len(model.layers)
    layers, experts = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    widest_layer, widest_expert = layers.copy(), experts.copy()
    table = output = tied = everywhere = widest_output = 0
    for tensor in stored:
        name, size = tensor.name, tensor.bytes
        block = _BLOCK.match(name)
        if block is not None:
            layer = min(int(block[1]), count - 1)
            sums, widest = (experts, widest_expert) if "_exps." in name else (layers, widest_layer)
            sums[layer] += size
            widest[layer] = max(widest[layer], size)
        elif name in _INPUT_TABLES:
            table += size
            if name == "token_embd.weight" and model.tied_embeddings and model.has_output_head:
                tied += size
        elif name.startswith(_WITH_FIRST_LAYER) or (name.startswith("token_embd_norm") and not model.causal):
            layers[0] += size
            if name.startswith("rope_"):
                everywhere += size
        else:
            output += size
            widest_output = max(widest_output, size)
    return Weights(
        input=table,
        layers=layers,
        experts=experts,
        output=output,
        tied=tied,
        tied_on_host=model.wiring.gguf.tied_head_twice,
        everywhere=everywhere,
        widest_layers=_widest(widest_layer),
        widest_experts=_widest(widest_expert),
        widest_output=max(widest_output, tied),
        alternating=_alternating(model),
        hybrid=_hybrid(model),
        find_stored=lambda: stored,
    )


def weight_bytes(model: Model, level: Level, placement: Placement, imatrix: bool = False) -> dict[int, int]:
    """Bytes of weights per device number (HOST = -1) of `model` at `level`."""
    return level_weights(model, level, imatrix).on_devices(placement)


def stored_weight_bytes(model: Model, tensors: Iterable[Stored], placement: Placement) -> dict[int, int]:
    """The same for a file as it is, given its tensors."""
    return file_weights(model, tensors).on_devices(placement)
