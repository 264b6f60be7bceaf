"""Recognising how a repository's weights are already quantized, from its config and its tensors."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from advisor.formats.safetensors_levels import SafetensorsLevel, find_safetensors_level
from advisor.sources.packing import Declared, Packing, Shape, shares, unpack
from advisor.sources.quantization_config import declared
from advisor.sources.safetensors_header import CheckpointTensor
from advisor.sources.tensor_comparison import part_of

# A smaller part of the Linear weights does not make a checkpoint a mixed one: routers, first and last layers.
_LEAST_SHARE = 0.02
_IN_LAYERS = re.compile(r"(?:^|\.)(?:layers|layer|h|blocks|blk)\.\d+\.")
WHOLE = "16 bit"


@dataclass(frozen=True, slots=True)
class Part:
    """A `share` of the weights of all Linear layers in the blocks, packed alike. `level` None: no level is like it."""

    name: str
    share: float
    bits: float | None
    level: SafetensorsLevel | None


@dataclass(frozen=True)
class Quantization:
    """`kind` is the method, `level` our short name for what it makes.

    `bits` is that of a packed weight, of a mixed checkpoint their mean; None where the method is not understood.
    `parts` are the schemes of the Linear layers, the largest part first. `readable` says that packed tensors can be
    compared with the model they are of.
    """

    kind: str
    level: str
    bits: float | None = 16
    group_size: int = 0
    parts: tuple[Part, ...] = ()
    readable: bool = True

    @property
    def mixed(self) -> bool:
        """Whether the Linear layers are packed in more than one way."""
        return sum(part.name != WHOLE for part in self.parts) > 1


def recognise(config: Mapping[str, Any], tensors: Sequence[CheckpointTensor]) -> Quantization | None:
    """How the checkpoint is quantized, None when it is not."""
    how = declared(config) or _from_types(tensors)
    if how is None:
        return None
    usual = how.usual
    parts = _parts(tensors, how)
    packed = [part for part in parts if part.name != WHOLE]
    if len(packed) < 2:
        return Quantization(how.kind, usual.name, usual.bits, usual.group, parts, how.readable)
    known = [(part.share, part.bits) for part in packed if part.bits is not None]
    bits = sum(share * each for share, each in known) / sum(share for share, _ in known) if known else None
    return Quantization(how.kind, _mixed_name(packed), bits, 0, parts, how.readable)


def _mixed_name(parts: Sequence[Part]) -> str:
    """ "mixed NVFP4/FP8"; the method is named once."""
    first = parts[0].name
    method = first[: first.find("-") + 1]
    rest = [part.name.removeprefix(method) if method else part.name for part in parts[1:]]
    return f"mixed {'/'.join([first, *rest])}"


def _parts(tensors: Sequence[CheckpointTensor], how: Declared) -> tuple[Part, ...]:
    usual = how.usual
    if not how.readable or not tensors:
        return (Part(usual.name, 1.0, usual.bits, usual.level),)
    inside = [each for each in tensors if _IN_LAYERS.search(each.name) and part_of(each.name, 0) == "text"]
    found = shares(unpack(inside, how))
    total = sum(found.values())
    kept = {packing: count for packing, count in found.items() if count >= _LEAST_SHARE * total}
    packings = [packing for packing in kept if packing is not None]
    if len(packings) == 1:  # the config's own word for it says more than tensors can: whether activations are rounded
        kept = {usual if packing is not None else None: count for packing, count in kept.items()}
    by_name: Counter[str] = Counter()
    of_name: dict[str, Packing | None] = {}
    for packing, count in kept.items():
        name = WHOLE if packing is None else packing.name
        by_name[name] += count
        of_name[name] = packing
    if not packings:
        return (Part(usual.name, 1.0, usual.bits, usual.level),)
    total = sum(by_name.values())
    return tuple(_part(name, of_name[name], count / total) for name, count in by_name.most_common())


def _part(name: str, packing: Packing | None, share: float) -> Part:
    if packing is None:
        return Part(name, share, 16, find_safetensors_level("BF16-safetensors"))
    return Part(name, share, packing.bits, packing.level)


def _from_types(tensors: Sequence[CheckpointTensor]) -> Declared | None:
    """Without a quantization_config the types of the big tensors still tell that they are packed, and often how."""
    ends = {tensor.name.rpartition(".")[2] for tensor in tensors}
    types = {tensor.dtype for tensor in tensors if len(tensor.shape) > 1}
    if "qweight" in ends:
        bits = _zero_point_bits(tensors)
        usual = Packing(f"W{bits}A16" if bits else "packed", "int" if bits else "unknown", bits)
        return Declared("GPTQ or AWQ", (usual,), readable=bits is not None)
    if any(kind.startswith(("F8_E4M3", "F8_E5M2")) for kind in types):
        return Declared("FP8", (Packing("FP8", "fp8", 8, 0, find_safetensors_level("FP8-dynamic")),))
    if "weight_packed" in ends:
        return Declared("compressed-tensors", (Packing("packed", "unknown", None),), readable=False)
    return None


def _zero_point_bits(tensors: Sequence[CheckpointTensor]) -> int | None:
    shapes = {tensor.name: tensor.shape for tensor in tensors}
    for name, shape in shapes.items():
        scales = shapes.get(f"{name.removesuffix('qzeros')}scales", ())
        if name.endswith(".qzeros") and len(shape) > 1 and len(scales) > 1 and scales[-1]:
            bits, rest = divmod(shape[-1] * 32, scales[-1])
            return bits if not rest and 1 <= bits <= 8 else None
    return None


def unpacked(
    tensors: Iterable[CheckpointTensor], config: Mapping[str, Any] | None
) -> Iterator[tuple[str, int, Shape | None]]:
    """Name, number of weights and shape (None where packing hides it) of each tensor as it was before quantization."""
    listed = tuple(tensors)
    for each in unpack(listed, declared(config or {}) or _from_types(listed)):
        yield each.name, each.weights, each.shape
