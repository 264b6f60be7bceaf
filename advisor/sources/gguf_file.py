"""What a GGUF file says about itself: its metadata and its tensors, and several parts as one."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from advisor.formats.gguf_other_types import TensorType, stored_bytes
from advisor.foundation.errors import InputError

Value = bool | int | float | str | tuple[bool | int | float, ...]


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor as a file stores it; `shape` has the contiguous row first, `offset` counts from the data's start."""

    name: str
    shape: tuple[int, ...]
    type: TensorType
    offset: int

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        return stored_bytes(self.type, self.shape)


@dataclass(frozen=True)
class GgufHeader:
    """What a GGUF file says about itself. `header_bytes` is where the tensor data begins.

    `metadata` holds single values and short number arrays; `array_lengths` the length of every array, the
    tokenizer's included. `split_count` is 1 for a file that is whole. `missing_bytes` is how much shorter the file
    is than it promises, where its length is known: a download that broke off.
    """

    name: str
    version: int
    metadata: Mapping[str, Value]
    array_lengths: Mapping[str, int]
    tensors: tuple[StoredTensor, ...]
    alignment: int
    header_bytes: int
    split_number: int = 0
    split_count: int = 1
    missing_bytes: int = 0

    @property
    def architecture(self) -> str:
        value = self.metadata.get("general.architecture")
        return value if isinstance(value, str) else ""

    @cached_property
    def tensor_bytes(self) -> int:
        return sum(tensor.bytes for tensor in self.tensors)

    @cached_property
    def data_bytes(self) -> int:
        """Tensor data with the padding after each tensor."""
        return sum(padded(tensor.bytes, self.alignment) for tensor in self.tensors)

    @cached_property
    def elements(self) -> int:
        return sum(tensor.elements for tensor in self.tensors)

    @cached_property
    def bytes_by_type(self) -> Mapping[str, int]:
        counted: Counter[str] = Counter()
        for tensor in self.tensors:
            counted[tensor.type.name] += tensor.bytes
        return dict(counted.most_common())

    @cached_property
    def tensors_by_type(self) -> Mapping[str, int]:
        return dict(sorted(Counter(tensor.type.name for tensor in self.tensors).items()))

    @cached_property
    def promised_bytes(self) -> int:
        """How long the file must be to hold its last tensor."""
        return self.header_bytes + max((tensor.offset + tensor.bytes for tensor in self.tensors), default=0)

    def in_file_of(self, size: int | None) -> GgufHeader:
        """The header, held against the length of its file in bytes; None where that is not known."""
        return self if size is None else replace(self, missing_bytes=max(0, self.promised_bytes - size))

    def text(self, key: str) -> str:
        value = self.metadata.get(key)
        return value if isinstance(value, str) else ""

    def number(self, key: str, default: int = 0) -> int:
        """A whole number, or `default` where the key is missing or holds something else."""
        value = self.metadata.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else default


def join_splits(headers: Sequence[GgufHeader]) -> GgufHeader:
    """One header for all parts of a split file; raises InputError when a part is missing or does not belong."""
    parts = sorted(headers, key=lambda header: header.split_number)
    first = parts[0]
    if [part.split_number for part in parts] != list(range(first.split_count)):
        raise InputError(
            "{first} is one of {split_count} parts: give all of them, each once.",
            first=first.name,
            split_count=first.split_count,
        )
    if len({part.split_count for part in parts}) > 1 or len({part.architecture for part in parts} - {""}) > 1:
        raise InputError("{first} and its neighbours are not parts of one model.", first=first.name)
    tensors = tuple(tensor for part in parts for tensor in part.tensors)
    promised = first.number("split.tensors.count", len(tensors))
    if len({tensor.name for tensor in tensors}) != len(tensors) or promised != len(tensors):
        raise InputError(
            "The parts of {first} hold {count:,} tensors together, not the {promised:,} it promises.",
            first=first.name,
            count=len(tensors),
            promised=promised,
        )
    return replace(
        first,
        tensors=tensors,
        header_bytes=sum(part.header_bytes for part in parts),
        split_count=1,
        missing_bytes=sum(part.missing_bytes for part in parts),
    )


def padded(size: int, alignment: int) -> int:
    return -(-size // alignment) * alignment
