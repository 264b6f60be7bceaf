"""A GGUF file as it is, at its own types: what it weighs where, tensor by tensor, whatever mix its publisher chose."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from advisor.formats.ggml_types import Type
from advisor.formats.gguf_levels import LEVELS, Level
from advisor.formats.gguf_other_types import layout, loaded_only_by
from advisor.formats.gguf_sizes import SizedLevel
from advisor.formats.stored_tensor import Stored
from advisor.foundation.message import fact
from advisor.sources.gguf_file import GgufHeader
from advisor.sources.gguf_model import level_of

_THIS_FILE = "this file"


@dataclass(frozen=True)
class StoredFile:
    """`name` is the file's, without its folder; `level` what it says it is at."""

    name: str
    level: str
    header: GgufHeader

    @property
    def file_bytes(self) -> int:
        return self.header.header_bytes + self.header.data_bytes

    @property
    def loaded_only_by(self) -> str:
        """The one runtime that reads its types, or "" where llama.cpp of today and all built on it do."""
        return loaded_only_by({tensor.type for tensor in self.header.tensors})

    def stored(self) -> Iterable[Stored]:
        """Its tensors."""
        return (
            Stored(tensor.name, tensor.shape, tensor.bytes, layout(tensor.type).block) for tensor in self.header.tensors
        )

    def sized(self) -> SizedLevel:
        """The file as a level of its own, so named that nobody takes it for llama.cpp's stock mix."""
        stock = LEVELS.get(self.level)
        known = (tensor for tensor in self.header.tensors if isinstance(tensor.type, Type))
        biggest = max(known, key=lambda tensor: tensor.bytes, default=None)
        base = stock.base if stock else Type(biggest.type) if biggest else Type.F32
        bits = stock.nominal_bits if stock else _nominal_bits(self.level, self.header)
        level = Level(f"{self.level} ({_THIS_FILE})", base, bits, note=fact("level_as_stored", file=self.name))
        return SizedLevel(
            level=level,
            imatrix=any(key.startswith("quantize.imatrix") for key in self.header.metadata),
            tensor_bytes=self.header.tensor_bytes,
            data_bytes=self.header.data_bytes,
            header_bytes=self.header.header_bytes,
            elements=self.header.elements,
            types=self.header.tensors_by_type,
        )


def stored_file(header: GgufHeader) -> StoredFile:
    return StoredFile(header.name, level_of(header), header)


def _nominal_bits(level: str, header: GgufHeader) -> float:
    """What "parameters x bits / 8" would take: the first digit of the level's name."""
    digit = next((int(sign) for sign in level if sign.isdigit() and sign != "0"), 0)
    return float(digit or round(header.tensor_bytes * 8 / header.elements))
