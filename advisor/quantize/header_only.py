"""A GGUF file of a model that nobody downloaded: a real header, and a hole where the weights would be.

llama.cpp reads only the header when it plans memory or sizes, so it answers for a 70B within a second and the file
takes a few kilobytes of disk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gguf.constants import GGML_QUANT_VERSION, GGUFValueType

from advisor.formats.gguf_levels import LEVELS, Level
from advisor.formats.gguf_sizes import grouped_tensors
from advisor.models.model import Model
from advisor.quantize.gguf_writing import Entry, Layout, lay_out
from advisor.quantize.metadata import entries, writer_for
from advisor.sources.gguf_file import GgufHeader


def metadata_of_config(model: Model, config: Mapping[str, Any]) -> list[Entry]:
    """From a `config.json`; raises InputError for architectures whose metadata is not written here."""
    return entries(writer_for(model, config))


def metadata_of_header(header: GgufHeader) -> list[Entry]:
    """From a GGUF file's own header, of any architecture."""
    prefix = f"{header.architecture}."
    found = [
        _entry(key, value)
        for key, value in header.metadata.items()
        if key == "general.architecture" or (key.startswith(prefix) and key != f"{prefix}vocab_size")
    ]
    tokens = header.array_lengths.get("tokenizer.ggml.tokens", header.number(f"{prefix}vocab_size"))
    return [*found, Entry(f"{prefix}vocab_size", tokens, GGUFValueType.UINT32)]


def _entry(key: str, value: Any) -> Entry:
    if isinstance(value, tuple):
        return Entry(key, list(value), GGUFValueType.ARRAY, _kind(value[0]) if value else GGUFValueType.UINT32)
    return Entry(key, value, _kind(value))


def _kind(value: Any) -> GGUFValueType:
    if isinstance(value, bool):
        return GGUFValueType.BOOL
    if isinstance(value, int):
        return GGUFValueType.INT32 if value < 0 else GGUFValueType.UINT32
    return GGUFValueType.FLOAT32 if isinstance(value, float) else GGUFValueType.STRING


def write_header_only(
    target: Path, model: Model, level: Level, metadata: Sequence[Entry], imatrix: bool = False
) -> Layout:
    """Write it to `target`; the file's length is what the real one would have, apart from the tokenizer."""
    table = grouped_tensors(model)
    types = table.converted_types(level) if level is LEVELS["F16"] else table.types(level, imatrix)
    tensors = [(tensor.name, tensor.shape, types[group]) for tensor, group in table.members]
    known = {entry.key for entry in metadata}
    extra = [
        Entry("tokenizer.ggml.model", "no_vocab", GGUFValueType.STRING),
        Entry("general.quantization_version", GGML_QUANT_VERSION, GGUFValueType.UINT32),
    ]
    layout = lay_out(
        [*metadata, *(entry for entry in extra if entry.key not in known)],
        tensors,
        target.with_name(target.name + ".head"),
    )
    with target.open("wb") as file:
        file.write(layout.header)
        file.truncate(layout.file_bytes)
    return layout
