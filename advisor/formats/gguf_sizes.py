"""Exact sizes of a model at every GGUF level."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from advisor.formats.ggml_types import Type
from advisor.formats.gguf_levels import LEVELS, Level, row_bytes
from advisor.formats.gguf_tensor_classes import TensorClass, classify
from advisor.formats.gguf_types import traits, type_for
from advisor.models.model import Model
from advisor.models.tensors import Tensor

ALIGNMENT = 32  # bytes each tensor's data is padded to in a file
# Tokens, token types, merges: 7.8 MB for Llama 3's 128,256 entries. An estimate; a file's own header is exact.
_TOKENIZER_BYTES_PER_ENTRY = 60
_METADATA_BYTES = 8192


@dataclass(frozen=True)
class SizedLevel:
    """A model at one level. Sizes in bytes.

    `tensor_bytes` is the sum over tensors and what a runtime loads; `data_bytes` the same with every
    tensor padded to 32 bytes; `header_bytes` the estimated metadata, tokenizer and tensor list.
    """

    level: Level
    imatrix: bool
    tensor_bytes: int
    data_bytes: int
    header_bytes: int
    elements: int
    types: Mapping[str, int]

    @property
    def file_bytes(self) -> int:
        return self.data_bytes + self.header_bytes

    @property
    def bits_per_weight(self) -> float:
        return self.tensor_bytes * 8 / self.elements


@dataclass(frozen=True, slots=True)
class TensorGroup:
    """Tensors of one class and one size: they take the same bytes at every level."""

    kind: TensorClass
    elements: int


class GroupedTensors:
    """The tensor table folded into groups; what each level costs follows from a few dozen of them."""

    def __init__(self, model: Model):
        self.traits = traits(model)
        self._types: dict[tuple[str, bool], list[Type]] = {}
        self._sized: dict[tuple[str, bool], SizedLevel] = {}
        self.members: list[tuple[Tensor, int]] = []
        index: dict[TensorGroup, int] = {}
        met: dict[tuple[int, tuple[int, ...]], tuple[int, TensorClass]] = {}  # spares hashing equal groups again
        for tensor, kind in classify(model):
            key = (id(kind), tensor.shape)
            if key not in met:
                met[key] = (index.setdefault(TensorGroup(kind, tensor.elements), len(index)), kind)
            self.members.append((tensor, met[key][0]))
        self.groups = tuple(index)
        sizes = Counter(number for _, number in self.members)
        self.counts = tuple(sizes[number] for number in range(len(self.groups)))
        self.elements = sum(tensor.elements for tensor in model.tensors)
        names = sum(len(tensor.name) + 24 + 8 * len(tensor.shape) for tensor in model.tensors)
        self.header_bytes = _METADATA_BYTES + _TOKENIZER_BYTES_PER_ENTRY * model.vocabulary + names

    def types(self, level: Level, imatrix: bool) -> list[Type]:
        """The type of each group at a level."""
        key = (level.name, imatrix)
        if (found := self._types.get(key)) is None:
            found = [type_for(group.kind, level, self.traits, imatrix) for group in self.groups]
            self._types[key] = found
        return found

    def sized(self, level: Level, imatrix: bool) -> SizedLevel:
        """The whole model at a level."""
        key = (level.name, imatrix)
        if (found := self._sized.get(key)) is None:
            found = self._sized[key] = self._size(level, imatrix)
        return found

    def _size(self, level: Level, imatrix: bool) -> SizedLevel:
        types = self.types(level, imatrix)
        sizes = list(zip(self.bytes_each(types), self.counts, strict=True))
        counted: Counter[str] = Counter()
        for kind, count in zip(types, self.counts, strict=True):
            counted[kind.name] += count
        return SizedLevel(
            level=level,
            imatrix=imatrix,
            tensor_bytes=sum(size * count for size, count in sizes),
            data_bytes=sum(-(-size // ALIGNMENT) * ALIGNMENT * count for size, count in sizes),
            header_bytes=self.header_bytes,
            elements=self.elements,
            types=dict(sorted(counted.items())),
        )

    def converted_types(self, level: Level) -> list[Type]:
        """The type of each group in the 16-bit file the converter writes, before any quantizer."""
        return [level.base if group.kind.source is Type.F16 else group.kind.source for group in self.groups]

    def bytes_each(self, types: list[Type]) -> list[int]:
        """Bytes of one tensor of each group."""
        return [row_bytes(kind, group.elements) for kind, group in zip(types, self.groups, strict=True)]


_GROUPED: WeakKeyDictionary[Model, GroupedTensors] = WeakKeyDictionary()


def grouped_tensors(model: Model) -> GroupedTensors:
    """The model's groups, computed once per model object."""
    if (found := _GROUPED.get(model)) is None:
        found = _GROUPED[model] = GroupedTensors(model)
    return found


def size_level(model: Model, level: Level, imatrix: bool = False) -> SizedLevel:
    """Size of `model` at `level`; with `imatrix`, of a file made with an importance matrix."""
    return grouped_tensors(model).sized(level, imatrix)


def size_levels(model: Model, imatrix: bool = False) -> list[SizedLevel]:
    """All levels that make sense for the model, largest nominal precision first."""
    return [size_level(model, level, imatrix) for level in LEVELS.values() if level.offered_for(model)]
