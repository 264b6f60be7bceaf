"""A GGUF file with unquantized weights, checked and ready to be read tensor by tensor."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt
from gguf.constants import GGUFValueType

from advisor.formats.ggml_types import Type
from advisor.formats.gguf_levels import Level
from advisor.formats.gguf_sizes import ALIGNMENT, grouped_tensors
from advisor.foundation.errors import InputError
from advisor.models.model import Model
from advisor.quantize.gguf_writing import Entry
from advisor.sources.gguf_file import GgufHeader, StoredTensor
from advisor.sources.gguf_header import read_gguf_header
from advisor.sources.gguf_model import model_of
from advisor.sources.reading import read_from_path

UNQUANTIZED = (Type.F32, Type.F16, Type.BF16)
_NEEDS_MATRIX = (Type.IQ3_XXS, Type.IQ2_XXS, Type.IQ2_XS, Type.IQ2_S, Type.IQ1_M, Type.IQ1_S)
_NEVER_NEED_MATRIX = ("token_embd.weight", "output.weight")


@dataclass(frozen=True)
class GgufSource:
    """`header` has been checked against the file's length; `model` is what our rules see in it."""

    path: Path
    header: GgufHeader
    model: Model

    @cached_property
    def fingerprint(self) -> str:
        """Tells whether this is still the same file, without reading its weights."""
        found = self.path.stat()
        with self.path.open("rb") as file:
            head = hashlib.sha256(file.read(self.header.header_bytes))
        head.update(f"{found.st_size} {found.st_mtime_ns}".encode())
        return head.hexdigest()

    def metadata(self) -> Iterator[Entry]:
        """Every entry of the file's metadata, tokenizer included, in the file's order."""
        for key, field in gguf.GGUFReader(self.path).fields.items():
            if key.startswith("GGUF."):  # the reader's own
                continue
            item = field.types[-1] if field.types[0] is GGUFValueType.ARRAY else None
            yield Entry(key, field.contents(), field.types[0], item)

    def types_at(self, level: Level, imatrix: bool) -> list[tuple[StoredTensor, Type]]:
        """Every tensor and the type it gets at a level, in the order llama.cpp writes them."""
        table = grouped_tensors(self.model)
        groups = table.types(level, imatrix)
        # What the rules leave alone keeps the type it has in this very file.
        ruled = {
            tensor.name: groups[group] if table.groups[group].kind.quantizable else None
            for tensor, group in table.members
        }
        found = []
        for tensor in sorted(self.header.tensors, key=_layer_and_name):
            kind = ruled.get(tensor.name)
            if tensor.name not in ruled and len(tensor.shape) > 1 and tensor.type is not Type.F32:
                raise InputError(
                    "{path} holds '{tensor}', which the rules for this model do not know.",
                    path=self.path.name,
                    tensor=tensor.name[:80],
                )
            found.append((tensor, Type(tensor.type) if kind is None else kind))  # F32 counts as false
        return found

    def without_matrix(self, level: Level) -> tuple[str, ...]:
        """The tensors for which a level needs an importance matrix."""
        return tuple(
            tensor.name
            for tensor, kind in self.types_at(level, imatrix=False)
            if tensor.name not in _NEVER_NEED_MATRIX
            and kind is not tensor.type
            and (kind in _NEEDS_MATRIX or (kind is Type.Q2_K and level.name == "Q2_K_S"))
        )

    def raw(self, tensor: StoredTensor) -> npt.NDArray[np.uint8]:
        """The tensor's bytes as they lie in the file, not read before they are used."""
        where = self.header.header_bytes + tensor.offset
        return np.memmap(self.path, np.uint8, "r", where, (tensor.bytes,))


def _layer_and_name(tensor: StoredTensor) -> tuple[int, str]:
    parts = tensor.name.split(".", 2)
    return (int(parts[1]) if parts[0] == "blk" and parts[1].isdigit() else -1, tensor.name)


def open_gguf_source(path: Path) -> GgufSource:
    """The file, checked; raises InputError in one sentence for anything that cannot be quantized."""
    try:
        length = path.stat().st_size
    except OSError:
        raise InputError("{path} cannot be read.", path=path.name) from None
    header = read_gguf_header(read_from_path(path), path.name)
    if header.split_count > 1:
        raise InputError(
            "{path} is one of {split_count} parts; join them with llama-gguf-split --merge.",
            path=path.name,
            split_count=header.split_count,
        )
    if header.alignment != ALIGNMENT:
        raise InputError(
            "{path} aligns its tensors to {alignment} bytes; only the usual 32 can be written.",
            path=path.name,
            alignment=header.alignment,
        )
    end = max((tensor.offset + tensor.bytes for tensor in header.tensors), default=0) + header.header_bytes
    if length < end:
        raise InputError(
            "{path} is cut off: it holds {length:,} of {end:,} bytes; download it again.",
            path=path.name,
            length=length,
            end=end,
        )
    found = model_of(header)
    quantized = sorted({tensor.type.name for tensor in header.tensors if tensor.type.name not in _PLAIN_NAMES})
    if quantized:
        raise InputError(
            "{path} is already quantized ({quantized}); quantize from an F16, BF16 or F32 file.",
            path=path.name,
            quantized=", ".join(quantized[:3]),
        )
    # Of an architecture that llama.cpp does not know, no tool of its makes another file.
    if found.model is None or found.comparison is None or found.model.wiring.assumed:
        raise InputError("{path} cannot be quantized here: {note}", path=path.name, note=found.note)
    return GgufSource(path, header, found.model)


_PLAIN_NAMES = (*(kind.name for kind in UNQUANTIZED), "I8", "I16", "I32", "I64", "F64")


def as_float32(raw: npt.NDArray[np.uint8], kind: Type) -> npt.NDArray[np.float32]:
    """Numbers of an unquantized type as float32, exactly."""
    if kind is Type.F32:
        return raw.view(np.float32)
    if kind is Type.F16:
        return raw.view(np.float16).astype(np.float32)
    return (raw.view(np.uint16).astype(np.uint32) << 16).view(np.float32)


def as_stored(values: npt.NDArray[np.float32], kind: Type) -> npt.NDArray[np.uint8]:
    """float32 rows as bytes of an unquantized type, rounded to nearest even."""
    return np.ascontiguousarray(gguf.quants.quantize(values, gguf.GGMLQuantizationType(kind))).view(np.uint8)
