"""Headers of model files, as real writers make them, with the weights left out: a hole of the right length."""

from __future__ import annotations

import itertools
import json
import re
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from gguf.constants import GGUFValueType

from advisor.formats.ggml_types import BLOCKS, Type
from advisor.formats.gguf_levels import LEVELS
from advisor.formats.gguf_other_types import stored_bytes
from advisor.formats.gguf_sizes import grouped_tensors
from advisor.formats.safetensors_dtypes import DTYPE_BITS
from advisor.models.catalogue import catalogue
from advisor.models.model import Model

TRUTH = Path(__file__).resolve().parents[1] / "truth"
Tensors = Sequence[tuple[str, tuple[int, ...], Type]]


@cache
def gguf_metadata() -> dict[str, dict[str, Any]]:
    """Metadata by model, as llama.cpp's converter wrote it."""
    found: dict[str, dict[str, Any]] = json.loads((TRUTH / "gguf_metadata.json").read_text("utf-8"))
    return found


@cache
def checkpoint_tensors(model_id: str) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Names and shapes of a published checkpoint."""
    rows = json.loads((TRUTH / "checkpoint_tensors.json").read_text("utf-8"))[model_id]
    return tuple(itertools.chain.from_iterable(_expanded(*row) for row in rows))


def _expanded(pattern: str, shape: list[int], *ranges: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    for numbers in itertools.product(*map(_numbers, ranges)):
        left = iter(numbers)
        yield re.sub("#", lambda _: str(next(left)), pattern), tuple(shape)  # noqa: B023


def _numbers(text: str) -> list[int]:
    found: list[int] = []
    for part in text.split(","):
        low, _, high = part.partition("-")
        found += range(int(low), int(high or low) + 1)
    return found


def gguf_string(text: str | bytes) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(raw)) + raw


def gguf_value(value: Any) -> bytes:
    """A metadata value with its type, chosen as the converter would."""
    if isinstance(value, bool):
        return struct.pack("<I?", GGUFValueType.BOOL, value)
    if isinstance(value, int):
        return struct.pack("<II", GGUFValueType.UINT32, value)
    if isinstance(value, float):
        return struct.pack("<If", GGUFValueType.FLOAT32, value)
    if isinstance(value, str):
        return struct.pack("<I", GGUFValueType.STRING) + gguf_string(value)
    kind = gguf_value(value[0])[:4] if value else struct.pack("<I", GGUFValueType.INT32)
    items = b"".join(gguf_string(item) if isinstance(item, str) else gguf_value(item)[4:] for item in value)
    return struct.pack("<I", GGUFValueType.ARRAY) + kind + struct.pack("<Q", len(value)) + items


def gguf_header(metadata: Mapping[str, Any], tensors: Tensors, version: int = 3, alignment: int = 32) -> bytes:
    """Everything before the weights."""
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata))
    head += b"".join(gguf_string(key) + gguf_value(value) for key, value in metadata.items())
    offset = 0
    for name, shape, kind in tensors:
        head += gguf_string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)
        offset += -(-_stored(shape, kind) // alignment) * alignment
    return head + bytes(-len(head) % alignment)


def data_length(tensors: Tensors, alignment: int = 32) -> int:
    return sum(-(-_stored(shape, kind) // alignment) * alignment for _, shape, kind in tensors)


def _stored(shape: tuple[int, ...], kind: Type) -> int:
    if kind not in BLOCKS:
        return stored_bytes(kind, shape)
    block, size = BLOCKS[kind]
    elements = 1
    for length in shape:
        elements *= length
    return elements // block * size


def tensors_at(model: Model, level: str) -> list[tuple[str, tuple[int, ...], Type]]:
    """The tensors of a model's stock file at a level."""
    table = grouped_tensors(model)
    types = table.types(LEVELS[level], imatrix=False)
    return [(tensor.name, tensor.shape, types[group]) for tensor, group in table.members]


def tokenizer(tokens: int, merges: int = 0) -> dict[str, Any]:
    """A tokenizer with entries about as long as real ones."""
    words = [f"tok{number * 7919 % 1_000_003}" for number in range(tokens)]
    found: dict[str, Any] = {
        "tokenizer.ggml.model": "gpt2" if merges else "llama",
        "tokenizer.ggml.tokens": words,
        "tokenizer.ggml.token_type": [1] * tokens,
    }
    if merges:
        found["tokenizer.ggml.merges"] = [f"{words[number % tokens]} x" for number in range(merges)]
    else:
        found["tokenizer.ggml.scores"] = [0.0] * tokens
    return {**found, "tokenizer.chat_template": "{% for message in messages %}" * 40}


def gguf_file(model_id: str, level: str = "Q4_K_M", more: Mapping[str, Any] | None = None) -> tuple[bytes, int]:
    """Header and whole length of a stock file of a catalogue model, with the converter's own metadata."""
    tensors = tensors_at(catalogue()[model_id].model, level)
    header = gguf_header({**gguf_metadata()[model_id], **(more or {})}, tensors)
    return header, len(header) + data_length(tensors)


def safetensors_file(tensors: Iterable[tuple[str, str, tuple[int, ...]]]) -> tuple[bytes, int]:
    """Header and whole length of a safetensors file with these names, types and shapes."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, dtype, shape in tensors:
        elements = 1
        for length in shape:
            elements *= length
        end = offset + elements * DTYPE_BITS[dtype] // 8
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text, 8 + len(text) + offset
