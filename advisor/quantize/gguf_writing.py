"""Writing a GGUF file whose tensors arrive one by one, as gguf-py lays it out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf.constants import GGUFValueType

from advisor.formats.ggml_types import Type
from advisor.formats.gguf_levels import row_bytes
from advisor.formats.gguf_sizes import ALIGNMENT
from advisor.sources.gguf_file import padded

_MAGIC = b"GGUF"


@dataclass(frozen=True, slots=True)
class Entry:
    """One metadata entry. `item` is the type of an array's items."""

    key: str
    value: Any
    type: GGUFValueType
    item: GGUFValueType | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """A tensor's place in a file: `offset` from the file's start, `bytes` without the padding behind it."""

    name: str
    shape: tuple[int, ...]
    type: Type
    offset: int
    bytes: int


@dataclass(frozen=True)
class Layout:
    """Where everything lies in a file that is to be written. Bytes."""

    header: bytes
    slots: tuple[Slot, ...]

    @property
    def file_bytes(self) -> int:
        last = self.slots[-1]
        return last.offset + padded(last.bytes, ALIGNMENT)

    @property
    def tensor_bytes(self) -> int:
        return sum(slot.bytes for slot in self.slots)


def lay_out(metadata: Iterable[Entry], tensors: Sequence[tuple[str, tuple[int, ...], Type]], scratch: Path) -> Layout:
    """The header that gguf-py writes for these tensors, in this order; `scratch` is a file to write it to for a moment.

    Shapes have the contiguous row first.
    """
    entries = list(metadata)
    architecture = next(entry.value for entry in entries if entry.key == "general.architecture")
    writer = gguf.GGUFWriter(None, architecture)
    writer.kv_data[0].clear()  # the order is the caller's
    for entry in entries:
        writer.add_key_value(entry.key, entry.value, entry.type, entry.item)
    sizes = []
    for name, shape, kind in tensors:
        sizes.append(row_bytes(kind, shape[0]) * int(np.prod(shape[1:], dtype=np.int64)))
        writer.add_tensor_info(name, shape[::-1], np.dtype(np.float32), sizes[-1], gguf.GGMLQuantizationType(kind))
    writer.write_header_to_file(scratch)
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    header = scratch.read_bytes()
    scratch.unlink()
    header += bytes(-len(header) % ALIGNMENT)
    slots, offset = [], len(header)
    for (name, shape, kind), size in zip(tensors, sizes, strict=True):
        slots.append(Slot(name, shape, kind, offset, size))
        offset += padded(size, ALIGNMENT)
    return Layout(header, tuple(slots))


def start_file(path: Path, layout: Layout) -> None:
    """A file of the full size without its first four bytes, so that nothing takes it for a whole one.

    Disk space is claimed at once where the file system can; raises OSError where there is too little.
    """
    with path.open("wb") as file:
        file.write(bytes(len(_MAGIC)) + layout.header[len(_MAGIC) :])
        file.flush()
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, layout.file_bytes)
        else:
            file.truncate(layout.file_bytes)


def finish_file(part: Path, target: Path) -> None:
    """Complete the header, make sure that all of it is on disk, and give the file its name."""
    with part.open("r+b") as file:
        file.flush()
        os.fsync(file.fileno())  # the weights first: with the header in place the file counts as whole
        file.write(_MAGIC)
        file.flush()
        os.fsync(file.fileno())
    part.replace(target)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Make a new name in `folder` outlive a power cut, where the system knows how."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_atomically(path: Path, text: str) -> None:
    """Replace a small file as a whole."""
    new = path.with_name(path.name + ".new")
    with new.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
