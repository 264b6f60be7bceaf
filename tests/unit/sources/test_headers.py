"""GGUF and safetensors headers: what real writers make is read exactly, what is broken is one sentence."""

from __future__ import annotations

import contextlib
import json
import math
import struct
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.formats.ggml_types import Type
from advisor.foundation.errors import InputError
from advisor.models.catalogue import catalogue
from advisor.sources.gguf_file import GgufHeader, join_splits
from advisor.sources.gguf_header import read_gguf_header
from advisor.sources.gguf_model import level_of, level_of_name, model_of
from advisor.sources.reading import ReadRange, read_from_bytes
from advisor.sources.safetensors_header import CheckpointTensor, read_safetensors_header
from tests.support.model_files import (
    gguf_file,
    gguf_header,
    gguf_metadata,
    gguf_string,
    safetensors_file,
    tensors_at,
    tokenizer,
)

SMALL = [("token_embd.weight", (32, 8), Type.Q8_0), ("output_norm.weight", (32,), Type.F32)]


def parse(content: bytes) -> GgufHeader:
    return read_gguf_header(read_from_bytes(content), "file.gguf")


@pytest.mark.parametrize("model_id", sorted(gguf_metadata()))
def test_a_model_rebuilt_from_gguf_metadata_equals_the_catalogue_s(model_id: str) -> None:
    header = parse(gguf_file(model_id)[0])
    found, wanted = model_of(header), catalogue()[model_id].model
    assert found.comparison is not None
    assert found.comparison.agrees, found.note
    model = found.model
    assert model is not None
    assert model.tensors == wanted.tensors
    assert model.layers == wanted.layers
    assert (model.grouped_query_ratio, model.causal, model.shared_kv_layers) == (
        wanted.grouped_query_ratio,
        wanted.causal,
        wanted.shared_kv_layers,
    )
    # A file does not tell which repository it was made from.
    assert replace(model.wiring, repository=wanted.wiring.repository) == wanted.wiring
    assert model.context_length == header.number(f"{header.architecture}.context_length")


def test_a_file_with_draft_layers_is_recognised() -> None:
    model = catalogue()["glm-4.5-air"].model
    metadata = gguf_metadata()[
        next(key for key in gguf_metadata() if gguf_metadata()[key]["general.architecture"] == "glm4moe")
    ]
    real = {**metadata, "glm4moe.block_count": len(model.layers) + 1, "glm4moe.nextn_predict_layers": 1}
    real |= {
        "glm4moe.embedding_length": model.width,
        "glm4moe.feed_forward_length": 10944,
        "glm4moe.attention.head_count": 96,
    }
    real |= {
        "glm4moe.expert_count": 128,
        "glm4moe.expert_feed_forward_length": 1408,
        "glm4moe.leading_dense_block_count": 1,
    }
    header = parse(gguf_header(real, tensors_at(model.with_mtp(), "Q4_K_M")))
    found = model_of(header)
    assert found.model is not None
    assert found.comparison is not None
    assert found.comparison.agrees, found.note
    assert found.model.trunk is not None


def test_gguf_s_own_writer_is_read_as_its_own_reader_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "written.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(3)
    writer.add_string("general.name", "Grüße")
    writer.add_array("llama.some.list", [1, 2, 3])
    writer.add_float32("llama.rope.freq_base", 0.5)
    writer.add_token_list([f"t{n}" for n in range(9000)])
    writer.add_bool("llama.flag", True)
    for name, shape, kind in (("a.weight", (4, 34), Type.Q8_0), ("b.weight", (7,), Type.F32)):
        data = np.zeros(shape, dtype=np.uint8 if kind is Type.Q8_0 else np.float32)
        writer.add_tensor(name, data, raw_dtype=gguf.GGMLQuantizationType(kind))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    reader = gguf.GGUFReader(path)
    header = parse(path.read_bytes())
    assert header.metadata["general.name"] == "Grüße"
    assert header.metadata["llama.some.list"] == (1, 2, 3)
    assert header.metadata["llama.flag"] is True
    assert header.array_lengths["tokenizer.ggml.tokens"] == 9000
    assert "tokenizer.ggml.tokens" not in header.metadata
    assert header.header_bytes == reader.data_offset
    assert [(t.name, list(t.shape), t.type, t.bytes) for t in header.tensors] == [
        (t.name, list(t.shape), Type(t.tensor_type), t.n_bytes) for t in reader.tensors
    ]
    assert header.header_bytes + header.data_bytes == path.stat().st_size


def test_a_header_is_read_in_few_pieces_without_much_beyond_it() -> None:
    for tokens, merges in ((0, 0), (1000, 0), (32_000, 0), (60_000, 59_000), (60_000, 125_000)):
        header, _ = gguf_file("qwen3-30b-a3b", more=tokenizer(tokens, merges) if tokens else {})
        content = header + bytes(4 << 20)
        reads: list[int] = []

        def read(start: int, end: int, content: bytes = content, reads: list[int] = reads) -> bytes:
            reads.append(end - start)
            return content[start:end]

        assert read_gguf_header(read, "x.gguf").header_bytes == len(header)
        assert len(reads) <= 3
        assert sum(reads) <= 1.2 * len(header)


V3 = b"GGUF" + struct.pack("<I", 3)


def entry(key: str, kind: int, value: bytes) -> bytes:
    return V3 + struct.pack("<QQ", 0, 1) + gguf_string(key) + struct.pack("<I", kind) + value


def tensor(
    name: bytes = b"a", dimensions: int = 1, shape: tuple[int, ...] = (32,), kind: int = 0, offset: int = 0
) -> bytes:
    numbers = struct.pack(f"<I{len(shape)}QIQ", dimensions, *shape, kind, offset)
    return V3 + struct.pack("<QQ", 1, 0) + gguf_string(name) + numbers + bytes(64)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a GGUF file"),
        (b"GGUF", "not a GGUF file"),
        (b"GGML" + bytes(40), "does not begin with 'GGUF'"),
        (b"PK\x03\x04" + bytes(40), "does not begin with 'GGUF'"),
        (b"GGUF" + struct.pack(">I", 3) + bytes(40), "big-endian"),
        (b"GGUF" + struct.pack("<I", 1) + bytes(40), "version 1 cannot be read"),
        (b"GGUF" + struct.pack("<I", 9) + bytes(40), "version 9 cannot be read"),
        (V3, "cut off"),
        (V3 + struct.pack("<QQ", 1 << 60, 0), "promises 1,152,921,504,606,846,976 tensors"),
        (V3 + struct.pack("<QQ", 0, 1 << 60), "metadata entries"),
        (V3 + struct.pack("<QQ", 0, 5), "cut off"),
        (V3 + struct.pack("<QQQ", 0, 1, 1 << 62), "bytes long"),
        (entry("k", 99, b""), "type 99 is unknown"),
        (entry("k", 8, struct.pack("<Q", 1 << 50)), "bytes long"),
        (entry("k", 9, struct.pack("<IQ", 8, 1 << 50)), "promises"),
        (entry("k", 9, struct.pack("<IQ", 8, 5)), "cut off"),
        (entry("k", 9, struct.pack("<IQQ", 8, 1, 1 << 50) + bytes(99)), "an entry of 'k'"),
        (entry("k", 9, struct.pack("<IQ", 9, 1) + bytes(99)), "list of lists"),
        (entry("k" * 99, 9, struct.pack("<IQ", 9, 1) + bytes(99)), f"'{'k' * 80}' is a list of lists"),
        (entry("k", 9, struct.pack("<IQ", 10, 1 << 21)), "cut off"),
        (entry("general.alignment", 4, struct.pack("<I", 0)), "power of two"),
        (entry("general.alignment", 4, struct.pack("<I", 48)), "power of two"),
        (entry("split.count", 4, struct.pack("<I", 1 << 30)), "one part of several"),
        (V3 + struct.pack("<QQ", 0, 2) + (gguf_string("k") + struct.pack("<II", 4, 1)) * 2, "is there twice"),
        (V3 + struct.pack("<QQQ", 0, 1, 2) + b"\xff\xfe" + bytes(40), "not valid text"),
        (tensor(dimensions=0, shape=()), "has 0 dimensions"),
        (tensor(dimensions=4_000_000_000), "dimensions"),
        (tensor(shape=(0,)), "impossible shape"),
        (tensor(shape=(1 << 63,)), "impossible shape"),
        (tensor(dimensions=4, shape=(1 << 40,) * 4), "impossible shape"),
        (tensor(kind=4), "of type 4, which is unknown"),
        (tensor(kind=999), "of type 999"),
        (tensor(shape=(33,), kind=8), "whole number of Q8_0 blocks"),
        (tensor(offset=7), "multiple of 32"),
        (gguf_header({}, [SMALL[0], SMALL[0]]), "the same name"),
    ],
)
def test_a_broken_gguf_header_is_one_sentence(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parse(content)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"general.architecture": "clip", "general.type": "mmproj"}, "vision or audio projector"),
        ({"general.architecture": "llama", "general.type": "adapter"}, "LoRA adapter"),
        ({"general.architecture": "llama", "general.type": "imatrix"}, "importance matrix"),
        ({}, "does not say which architecture"),
    ],
)
def test_files_that_hold_no_language_model(metadata: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        model_of(parse(gguf_header(metadata, SMALL)))
    with pytest.raises(InputError, match="no tensors"):
        model_of(parse(gguf_header({"general.architecture": "llama"}, [])))


def test_junk_in_known_metadata_never_escapes_as_another_error() -> None:
    tensors = tensors_at(catalogue()["qwen3-30b-a3b"].model, "Q4_K_M")[:30]
    plain = gguf_metadata()["qwen3-30b-a3b"]
    for junk in ("text", -1, 0, 2**31, 0.5, float("nan"), True, [1, 2], [0.5], ["a"], []):
        for key in plain:
            if key != "general.architecture":
                value = {**plain, key: junk if not isinstance(junk, int) or junk >= 0 else float(junk)}
                assert model_of(parse(gguf_header(value, tensors))).model is None


def test_split_files_are_joined_and_missing_parts_named() -> None:
    tensors = tensors_at(catalogue()["llama-3.1-8b-instruct"].model, "Q4_K_M")
    base = gguf_metadata()["llama-3.1-8b-instruct"]
    parts = [
        parse(
            gguf_header(
                {
                    **(base if number == 0 else {}),
                    "split.no": number,
                    "split.count": 3,
                    "split.tensors.count": len(tensors),
                },
                some,
            )
        )
        for number, some in enumerate((tensors[:9], tensors[9:99], tensors[99:]))
    ]
    whole = join_splits([parts[2], parts[0], parts[1]])
    assert model_of(whole).model is not None
    assert len(whole.tensors) == len(tensors)
    with pytest.raises(InputError, match="one of 3 parts"):
        join_splits(parts[:2])
    with pytest.raises(InputError, match="one of 3 parts"):
        join_splits([parts[0], parts[1], parts[1]])
    short = parse(gguf_header({"split.no": 2, "split.count": 3}, tensors[99:-1]))
    with pytest.raises(InputError, match="tensors together"):
        join_splits([*parts[:2], short])


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("Llama-3.3-70B-Instruct-Q4_K_M.gguf", "Q4_K_M"),
        ("a/UD-IQ1_S/x-UD-IQ1_S-00001-of-00003.gguf", "UD-IQ1_S"),
        ("m.i1-IQ3_XXS.gguf", "IQ3_XXS"),
        ("gpt-oss-20b-mxfp4.gguf", "MXFP4"),
        ("x.Q6_K_L.gguf", "Q6_K_L"),
        ("q8_0.gguf", "Q8_0"),
        ("x-fp16.gguf", "F16"),
        ("x-BF16-00001-of-00002.gguf", "BF16"),
        ("x-TQ1_0.gguf", "TQ1_0"),
        ("phi-q4.gguf", ""),
        ("Q2.gguf", ""),
    ],
)
def test_levels_told_by_names(name: str, level: str) -> None:
    assert level_of_name(name) == level


@pytest.mark.parametrize(
    "level", ["F16", "BF16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_S", "IQ4_XS", "Q3_K_M", "IQ3_XXS", "Q2_K"]
)
def test_levels_told_by_the_header(level: str) -> None:
    stated = {"F16": "MOSTLY_F16", "BF16": "MOSTLY_BF16"}.get(level, f"MOSTLY_{level}")
    more = {"general.file_type": int(gguf.LlamaFileType[stated])}
    assert level_of(parse(gguf_file("llama-3.1-8b-instruct", level, more)[0])) == level


CHECKPOINT = safetensors_file(
    [("a.weight", "BF16", (4, 8)), ("b.bias", "F32", (3,)), ("scalar", "I64", ()), ("none", "F16", (0, 4))]
)[0]


def checkpoint(content: bytes) -> tuple[CheckpointTensor, ...]:
    return read_safetensors_header(read_from_bytes(content), "model.safetensors")


def test_a_safetensors_header_is_read_exactly() -> None:
    assert [(t.name, t.dtype, t.shape, t.bytes) for t in checkpoint(CHECKPOINT)] == [
        ("a.weight", "BF16", (4, 8), 64),
        ("b.bias", "F32", (3,), 12),
        ("scalar", "I64", (), 8),
        ("none", "F16", (0, 4), 0),
    ]


def with_header(header: Any, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "fewer than 8 bytes"),
        (b"<!DOCTYPE html>", "its header would be"),
        (with_header({}, 1 << 62), "its header would be"),
        (with_header({}, 500), "cut off within its header, after 10 of 508 bytes"),
        (with_header(b"{"), "not valid JSON"),
        (with_header(b"\xff\xff"), "not valid JSON"),
        (with_header(b"[" * 100_000), "not valid JSON"),
        (with_header([]), "not a JSON object"),
        (with_header({"a": 1}), "is not described"),
        (with_header({"a": {"dtype": "Q9", "shape": [1], "data_offsets": [0, 1]}}), "unknown to this version"),
        (with_header({"a": {"dtype": "F16", "shape": "x", "data_offsets": [0, 1]}}), "impossible shape"),
        (with_header({"a": {"dtype": "F16", "shape": [-1], "data_offsets": [0, 1]}}), "impossible shape"),
        (with_header({"a": {"dtype": "F16", "shape": [1 << 40, 1 << 40], "data_offsets": [0, 1]}}), "impossible shape"),
        (with_header({"a": {"dtype": "F16", "shape": [1.5], "data_offsets": [0, 1]}}), "impossible shape"),
        (with_header({"a": {"dtype": "F16", "shape": [2], "data_offsets": [0]}}), "no valid place"),
        (with_header({"a": {"dtype": "F16", "shape": [2], "data_offsets": [0, 5]}}), "does not match its shape"),
    ],
)
def test_a_broken_safetensors_header_is_one_sentence(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        checkpoint(content)
    assert "\n" not in str(caught.value)


def test_the_largest_tensor_and_the_most_dimensions_are_read_and_no_more() -> None:
    """What one header may promise is bounded, whatever is multiplied from it later."""

    def read(shape: list[int], bits: int = 16) -> tuple[CheckpointTensor, ...]:
        entry = {"dtype": "F16", "shape": shape, "data_offsets": [0, math.prod(shape) * bits // 8]}
        return checkpoint(with_header({"a": entry}))

    for largest in ([1 << 22, 1 << 22], [1] * 8):
        assert read(largest)[0].shape == tuple(largest)
    for too_large in ([1 << 22, (1 << 22) + 1], [1] * 9):
        with pytest.raises(InputError, match="impossible shape"):
            read(too_large)


GGUF_SEED = gguf_header(
    {
        "general.architecture": "llama",
        "general.alignment": 32,
        "llama.block_count": 2,
        "a.list": [1, 2, 3],
        "a.words": ["x", "yy"],
        "f": 0.5,
    },
    SMALL,
)


def mutate(seed: bytes, data: st.DataObject) -> bytes:
    """Some bytes changed, cut or repeated; counts and lengths made huge."""
    content = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(len(content) - 1, 0)))
        match data.draw(st.integers(0, 4)):
            case 0:
                content[at : at + 1] = bytes([data.draw(st.integers(0, 255))])
            case 1:
                content[at : at + 8] = struct.pack(
                    "<Q", data.draw(st.sampled_from((0, 1, 2**16, 2**31, 2**32, 2**62, 2**64 - 1)))
                )
            case 2:
                del content[at:]
            case 3:
                content[at:at] = data.draw(st.binary(max_size=16))
            case _:
                content[at:at] = content[at : at + 32]
    return bytes(content)


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_mutated_gguf_headers_raise_only_our_error(data: st.DataObject) -> None:
    content = mutate(GGUF_SEED, data)
    try:
        model_of(parse(content))
    except InputError as error:
        assert "\n" not in str(error)


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_mutated_safetensors_headers_raise_only_our_error(data: st.DataObject) -> None:
    content = mutate(CHECKPOINT, data)
    try:
        checkpoint(content)
    except InputError as error:
        assert "\n" not in str(error)


def endless(head: bytes, piece: bytes) -> ReadRange:
    """A source that never ends."""

    def read(start: int, end: int) -> bytes:
        before = head[start:end]
        rest = end - start - len(before)
        shift = max(start - len(head), 0) % len(piece)
        return before + (piece * (rest // len(piece) + 2))[shift : shift + rest]

    return read


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (V3 + struct.pack("<QQ", 0, 4096), gguf_string("k" * 900)),
        (entry("k", 9, struct.pack("<IQ", 8, 1 << 22)), gguf_string("x" * 500)),
        (entry("k", 8, struct.pack("<Q", 32 << 20)), b"x"),
        (V3 + struct.pack("<QQ", 65536, 0), gguf_string("a" * 1000) + struct.pack("<I4QIQ", 4, 1, 1, 1, 1, 0, 0)),
    ],
)
def test_a_source_that_never_ends_takes_little_memory(head: bytes, piece: bytes) -> None:
    tracemalloc.start()
    try:
        with contextlib.suppress(InputError):
            read_gguf_header(endless(head, piece), "endless.gguf")
        assert tracemalloc.get_traced_memory()[1] < 200_000_000
    finally:
        tracemalloc.stop()
