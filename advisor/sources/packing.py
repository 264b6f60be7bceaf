"""How one Linear layer's weights are packed, told by its tensors; the config only says what tensors cannot."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from advisor.formats.safetensors_levels import SafetensorsLevel
from advisor.sources.safetensors_header import CheckpointTensor

Family = Literal["int", "fp8", "nvfp4", "mxfp4", "mxfp8", "nf4", "unknown"]
Shape = tuple[int, ...]
_MOST_BITS = 8
_WORD = 32  # bits of the integers that packed values lie in


@dataclass(frozen=True, slots=True)
class Packing:
    """A way of packing weights. `bits` of one weight, None where that is not understood.

    `group` is the number of inputs that share a scale (0: all, or not known), `level` the level of ours that loses as
    much and is computed alike; None where there is none. `stored` is how it lies in a file where that is otherwise.
    """

    name: str
    family: Family
    bits: float | None
    group: int = 0
    level: SafetensorsLevel | None = None
    stored: SafetensorsLevel | None = None


@dataclass(frozen=True)
class Declared:
    """What a config says: `kind` is the method, `packings` all that it names, the usual one first.

    `by_module` are layers that it lists one by one, `integer` the packing of this kind with other bits and group.
    `readable` says that the layout of the packed tensors is known here.
    """

    kind: str
    packings: tuple[Packing, ...]
    by_module: Mapping[str, Packing] = field(default_factory=dict)
    integer: Callable[[int, int], Packing] | None = None
    readable: bool = True

    @property
    def usual(self) -> Packing:
        return self.packings[0]

    def matching(self, family: Family, bits: int, group: int) -> Packing:
        """The packing that a layer's tensors show: one of those declared, or another of the same kind."""
        alike = [one for one in (*self.packings, *self.by_module.values()) if (one.family, one.bits) == (family, bits)]
        same = [one for one in alike if one.group in (0, group) or group == 0]
        if same:
            return same[0]
        if family == "int" and self.integer is not None:
            return self.integer(bits, group)
        return alike[0] if alike else Packing(_PLAIN_NAMES.get(family, f"INT{bits}"), family, bits, group)


_PLAIN_NAMES: Mapping[Family, str] = {"fp8": "FP8", "nvfp4": "NVFP4", "mxfp4": "MXFP4", "mxfp8": "MXFP8"}


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A weight as it was before quantization; `shape` None where packing hides it, `packing` None where it is plain."""

    name: str
    weights: int
    shape: Shape | None
    packing: Packing | None = None


_SCALES = re.compile(
    r"(\.weight_scale(_inv|_2)?|\.(input|k|v|q|prob|output|pre_quant)_scale|\.scales|\.qzeros|\.g_idx|\.weight_(zero_point|g_idx|shape|global_scale)"
    r"|\.input_(zero_point|global_scale)|\.(absmax|quant_map|nested_absmax|nested_quant_map|SCB|weight_format)|\.quant_state\..*"
    r"|_proj_scales|\.e_scale|_(weight|input)_scale(_inv)?|_weight_zero_point)$"
)


def unpack(tensors: Sequence[CheckpointTensor], how: Declared | None) -> Iterator[Unpacked]:
    """Every weight of a checkpoint as it was before; scales and zero points belong to their weights."""
    if how is None or not how.readable:
        yield from (Unpacked(tensor.name, tensor.elements, tensor.shape) for tensor in tensors)
        return
    by_name = {tensor.name: tensor for tensor in tensors}
    for tensor in tensors:
        if _SCALES.search(tensor.name) or (how.kind == "MLX" and tensor.name.endswith(".biases")):
            continue
        yield _unpack(tensor, by_name, how)


def _unpack(tensor: CheckpointTensor, by_name: Mapping[str, CheckpointTensor], how: Declared) -> Unpacked:
    name, module = tensor.name, tensor.name.rpartition(".")[0]

    def beside(suffix: str) -> CheckpointTensor | None:
        return by_name.get(f"{module}.{suffix}")

    if name.endswith(".qweight"):
        packing = _gptq_or_awq(tensor, beside("scales"), beside("qzeros"), beside("g_idx"), how)
        return _hidden(f"{module}.weight", tensor, packing)
    if name.endswith(".weight_packed"):
        packing = _compressed(tensor, beside("weight_scale"), how)
        return _hidden(f"{module}.weight", tensor, packing)
    if name.endswith("._weight_qdata"):
        name = f"{module}.weight"
    elif name.endswith("_blocks") and tensor.dtype == "U8":
        packing = how.matching("mxfp4", 4, 32)
        return Unpacked(name.removesuffix("_blocks"), tensor.elements * 2, None, packing)
    elif not name.endswith(".weight"):
        return Unpacked(name, tensor.elements, tensor.shape)
    if tensor.dtype == "U32" and how.kind == "MLX":
        return _hidden(name, tensor, _mlx(tensor, module, beside("scales"), how))
    if tensor.dtype == "U8" and (how.usual.bits or _MOST_BITS) < _MOST_BITS:
        scale = beside("weight_scale")
        nvfp4 = scale is not None and scale.dtype.startswith("F8_E4M3")
        packing = how.matching("nvfp4", 4, 16) if nvfp4 else how.usual
        return Unpacked(name, tensor.elements * 2, None, packing)
    if tensor.dtype.startswith("F8_E"):
        return Unpacked(name, tensor.elements, tensor.shape, how.matching("fp8", 8, 0))
    if tensor.dtype == "I8":
        return Unpacked(name, tensor.elements, tensor.shape, how.matching("int", 8, 0))
    return Unpacked(name, tensor.elements, tensor.shape)


def _hidden(name: str, tensor: CheckpointTensor, packing: Packing) -> Unpacked:
    bits = int(packing.bits or _MOST_BITS)
    if tensor.dtype == "U8":
        return Unpacked(name, tensor.elements * 8 // bits, None, packing)
    # compressed-tensors fills each word with whole values, the others run on over words.
    values = tensor.elements * (_WORD // bits) if name_is_padded(tensor.name) else tensor.elements * _WORD // bits
    return Unpacked(name, values, None, packing)


def name_is_padded(name: str) -> bool:
    """Whether a packed tensor leaves bits of a word empty that hold no whole value."""
    return name.endswith(".weight_packed")


def _gptq_or_awq(
    packed: CheckpointTensor,
    scales: CheckpointTensor | None,
    zeros: CheckpointTensor | None,
    order: CheckpointTensor | None,
    how: Declared,
) -> Packing:
    """GPTQ packs inputs, AWQ outputs; zero points are packed along the outputs in both, which tells the bits."""
    if scales is None or len(scales.shape) < 2 or len(packed.shape) < 2:
        return how.usual
    groups, outputs = scales.shape[-2:]
    bits = None
    if zeros is not None and len(zeros.shape) > 1 and outputs:
        bits = _whole(zeros.shape[-1] * _WORD, outputs)
    elif order is not None and order.elements:
        bits = _whole(packed.shape[-2] * _WORD, order.elements)
    bits = bits or (int(how.usual.bits) if how.usual.bits else None)
    if bits is None:
        return how.usual
    inputs = packed.shape[-2] if packed.shape[-1] != outputs else packed.shape[-2] * _WORD // bits
    return how.matching("int", bits, _group(inputs, groups, how))


def _group(inputs: int, groups: int, how: Declared) -> int:
    """Inputs that share a scale, 0 for all of them; a last group may be smaller."""
    if groups <= 1:
        return 0
    for one in how.packings:
        if one.group and -(-inputs // one.group) == groups:
            return one.group
    return inputs // groups


def _compressed(packed: CheckpointTensor, scale: CheckpointTensor | None, how: Declared) -> Packing:
    if packed.dtype == "U8":
        nvfp4 = scale is not None and scale.dtype.startswith("F8_E4M3")
        return how.matching("nvfp4", 4, 16) if nvfp4 else how.matching("mxfp4", 4, 32)
    if scale is None or len(scale.shape) < 2:
        return how.usual
    groups = scale.shape[-1]
    for one in how.packings:
        if one.family != "int" or not one.bits:
            continue
        words = packed.shape[-1]
        values = words * (_WORD // int(one.bits))
        if (groups == 1 and not one.group) or (one.group and -(-values // one.group) == groups):
            return one
    return how.usual


def _mlx(packed: CheckpointTensor, module: str, scales: CheckpointTensor | None, how: Declared) -> Packing:
    listed = how.by_module.get(module, how.usual)
    if scales is None or not scales.shape or not listed.group or listed.family != "int":
        return listed
    bits = _whole(packed.shape[-1] * _WORD, scales.shape[-1] * listed.group)
    return listed if bits is None else how.matching("int", bits, listed.group)


def _whole(product: int, divisor: int) -> int | None:
    """The quotient where it is a possible number of bits."""
    bits, rest = divmod(product, divisor) if divisor else (0, 1)
    return bits if not rest and 1 <= bits <= _MOST_BITS else None


def is_linear(weight: Unpacked) -> bool:
    """Whether a weight is a matrix that could have been packed: no norm, no bias, no short convolution."""
    if weight.packing is not None:
        return True
    sizes = [size for size in weight.shape or () if size > 1]
    return len(sizes) > 1 and min(sizes) >= _SMALLEST_SIDE


_SMALLEST_SIDE = 16


def shares(weights: Iterable[Unpacked]) -> dict[Packing | None, int]:
    """Weights of Linear layers by how they are packed, None for those in 16 bit."""
    found: dict[Packing | None, int] = {}
    for weight in weights:
        if is_linear(weight):
            found[weight.packing] = found.get(weight.packing, 0) + weight.weights
    return found
