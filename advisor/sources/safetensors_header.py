"""The header of a safetensors file: names, types and shapes of its tensors, without their data.

The header's length stands in its first 8 bytes, so two reads get it exactly, however large or small it is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from advisor.formats.safetensors_dtypes import DTYPE_BITS
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, sentence
from advisor.sources.reading import ReadRange

MAX_HEADER_BYTES = 25 << 20  # a single file with 75,000 unfused expert tensors needs about 10 MB
MAX_TENSORS = 200_000
MAX_DIMENSIONS = 8
MAX_ELEMENTS = 1 << 44


@dataclass(frozen=True, slots=True)
class CheckpointTensor:
    """A tensor of a checkpoint; `shape` in the publisher's order, rows first."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.elements * DTYPE_BITS[self.dtype] // 8


def read_safetensors_header(read: ReadRange, name: str) -> tuple[CheckpointTensor, ...]:
    """The tensors of one file; raises InputError in one sentence for anything that is not a sound header."""
    name = name[-120:]
    prefix = read(0, 8)
    if len(prefix) < 8:
        raise InputError("{name} is not a safetensors file: it holds fewer than 8 bytes.", name=name)
    length = int.from_bytes(prefix, "little")
    if length > MAX_HEADER_BYTES:
        raise InputError(
            "{name}: its header would be {length:,} bytes long; at most {max_header_bytes} MiB are read.",
            name=name,
            length=length,
            max_header_bytes=MAX_HEADER_BYTES >> 20,
        )
    content = read(8, 8 + length)[:length]
    if len(content) < length:
        raise InputError(
            "{name} is cut off within its header, after {count:,} of {length:,} bytes.",
            name=name,
            count=len(content) + 8,
            length=length + 8,
        )
    try:
        header = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        raise InputError("{name} is not a safetensors file: its header is not valid JSON.", name=name) from None
    if not isinstance(header, dict):
        raise InputError("{name} is not a safetensors file: its header is not a JSON object.", name=name)
    header.pop("__metadata__", None)
    if len(header) > MAX_TENSORS:
        raise InputError(
            "{name} holds {count:,} tensors; at most {max_tensors:,} are read.",
            name=name,
            count=len(header),
            max_tensors=MAX_TENSORS,
        )
    return tuple(_tensor(name, tensor, entry) for tensor, entry in header.items())


def _tensor(file: str, name: str, entry: Any) -> CheckpointTensor:
    if not isinstance(entry, Mapping):
        raise _broken(file, name, sentence("is not described"))
    dtype: Any = entry.get("dtype")
    shape: Any = entry.get("shape")
    offsets: Any = entry.get("data_offsets")
    if not isinstance(dtype, str) or dtype not in DTYPE_BITS:
        raise _broken(
            file, name, sentence("is of type {dtype}, which is unknown to this version", dtype=repr(str(dtype)[:20]))
        )
    if not _are_whole(shape, MAX_DIMENSIONS) or math.prod(shape) > MAX_ELEMENTS:
        raise _broken(file, name, sentence("has an impossible shape"))
    if not _are_whole(offsets, 2) or len(offsets) != 2:
        raise _broken(file, name, sentence("has no valid place in the file"))
    tensor = CheckpointTensor(name, dtype, tuple(shape))
    if offsets[1] - offsets[0] != tensor.bytes:
        raise _broken(file, name, sentence("has a place in the file that does not match its shape"))
    return tensor


def _are_whole(values: Any, most: int) -> bool:
    return (
        isinstance(values, list)
        and len(values) <= most
        and all(isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1 << 60 for value in values)
    )


def _broken(file: str, name: str, what: Message) -> InputError:
    return InputError("{file}: tensor '{name}' {what}.", file=file, name=name[:80], what=what)
