"""Files as they lie about: under any name, in pieces, cut short, of other runtimes' types, and of other models."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from advisor.formats.ggml_types import Type
from advisor.formats.gguf_other_types import OtherType, layout, loaded_only_by, stored_bytes
from advisor.foundation.errors import InputError
from advisor.models.catalogue import catalogue
from advisor.sources.gguf_file import GgufHeader
from advisor.sources.gguf_header import read_gguf_header
from advisor.sources.gguf_model import level_of, level_of_name, model_of
from advisor.sources.reading import read_from_bytes
from advisor.sources.resolve import find_any_model
from advisor.sources.resolved import ResolvedModel
from advisor.sources.uploads import keep_file
from advisor.words import say, say_all
from tests.support.hub_server import FakeHub
from tests.support.model_files import gguf_file, gguf_header, gguf_metadata, gguf_string, tensors_at

LLAMA = "llama-3.1-8b-instruct"


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with FakeHub() as running:
        yield running


def sparse(path: Path, head: bytes, size: int) -> Path:
    """A file whose beginning is real, and the rest a hole."""
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)
    return path


def local(path: Path) -> ResolvedModel:
    return find_any_model(str(path), allow_local=True)


def in_type(kind: int, shape: tuple[int, ...] = (512, 6), gap: int | None = None) -> bytes:
    """A header with two tensors of a type, the second where the first ends, or `gap` bytes after its beginning."""
    if gap is None:
        gap = -(-stored_bytes(OtherType(kind), shape) // 32) * 32
    entries = b"".join(
        gguf_string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)
        for name, offset in (("a.weight", 0), ("b.weight", gap))
    )
    content = b"GGUF" + struct.pack("<IQQ", 3, 2, 0) + entries
    return content + bytes(-len(content) % 32)


def parse(content: bytes, name: str = "file.gguf") -> GgufHeader:
    return read_gguf_header(read_from_bytes(content), name)


@pytest.mark.parametrize(
    "name", ["sha256-6a0746a1ec1aef3e7ec53868f220ff6e389f6f8ef87a01d77c96807de94ca2aa", "model", "model.bin", "x.json"]
)
def test_what_a_file_is_its_first_bytes_tell(tmp_path: Path, name: str) -> None:
    found = local(sparse(tmp_path / name, *gguf_file(LLAMA, "Q5_K_M")))
    assert found.must_have_model().tensors == catalogue()[LLAMA].model.tensors
    assert found.file is not None
    assert found.file.level in ("Q5_K_M", "Q5_K")
    assert not any("shorter" in note for note in say_all(found.notes))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (bytes(4096), "its download broke off"),
        (b"PK\x03\x04" + bytes(99), "PyTorch file or an archive"),
        (b"tjgg" + bytes(99), "the format before GGUF"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (struct.pack("<Q", 60) + b'{"a":{}}', "without the model's shape; give the config.json"),
        (b"{", "not valid JSON"),
    ],
)
def test_other_formats_are_named_whatever_they_are_called(tmp_path: Path, content: bytes, message: str) -> None:
    for name in ("blob", "x.safetensors", "config.json", "x.gguf"):
        path = tmp_path / name
        path.write_bytes(content)
        if (name, content) != ("x.gguf", b"{"):
            with pytest.raises(InputError, match=message):
                local(path)


@pytest.mark.parametrize(("first", "second"), [(".part1of2", ".part2of2"), ("-split-a", "-split-b")])
def test_pieces_of_a_file_are_read_as_the_whole(hub: FakeHub, tmp_path: Path, first: str, second: str) -> None:
    head, size = gguf_file(LLAMA, "Q6_K")
    one = sparse(tmp_path / f"big-Q6_K.gguf{first}", head, size // 2)
    alone = local(one)
    assert any("shorter than its header promises" in note for note in say_all(alone.notes))
    two = sparse(tmp_path / f"big-Q6_K.gguf{second}", b"", size - size // 2)
    for path in (one, two):
        found = local(path)
        assert found.file is not None
        assert (found.file.level, found.file.file_bytes) == ("Q6_K", size)
        assert not any("shorter" in note for note in say_all(found.notes))
    one.unlink()
    with pytest.raises(InputError, match="the first one is not beside it"):
        local(two)
    hub.add(
        "o/big-GGUF",
        {f"big-Q6_K.gguf{first}": (head, size // 2), f"big-Q6_K.gguf{second}": (bytes(32), size - size // 2)},
    )
    repository = find_any_model("o/big-GGUF", endpoint=hub.url).repository
    assert repository is not None
    assert [(file.name, file.bytes, file.level, file.complete) for file in repository.models] == [
        ("big-Q6_K.gguf", size, "Q6_K", True)
    ]


def test_a_file_shorter_than_its_header_promises_is_named(hub: FakeHub, tmp_path: Path) -> None:
    head, size = gguf_file(LLAMA)
    short = [
        note for note in say_all(local(sparse(tmp_path / "a.gguf", head, size - 10**9)).notes) if "shorter" in note
    ]
    assert len(short) == 1
    assert "1.0 GB shorter than its header promises" in short[0]
    hub.add("o/n", {"a-Q4_K_M.gguf": (head, size - 10**9), "whole-Q4_K_M.gguf": (head, size)})
    for name, times in (("a-Q4_K_M.gguf", 1), ("whole-Q4_K_M.gguf", 0)):
        link = f"{hub.url}/o/n/blob/main/{name}".replace(hub.url, "https://huggingface.co")
        again = [find_any_model(link, endpoint=hub.url) for _ in range(2)]  # the second from the disk cache
        assert [sum("1.0 GB shorter" in note for note in say_all(found.notes)) for found in again] == [times] * 2
        linked = find_any_model(f"{hub.url}/o/n/resolve/main/{name}", allow_local=True)
        assert sum("1.0 GB shorter" in note for note in say_all(linked.notes)) == times


def test_of_an_upload_the_beginning_is_enough() -> None:
    head, _ = gguf_file(LLAMA)
    assert not any("shorter" in note for note in say_all(find_any_model(keep_file(head, "head.gguf")).notes))


@pytest.mark.parametrize("kind", OtherType)
def test_types_of_other_runtimes_have_the_size_that_the_next_tensor_s_place_tells(kind: OtherType) -> None:
    header = parse(in_type(kind))
    assert [tensor.type for tensor in header.tensors] == [kind] * 2
    block, size, row = layout(kind)
    assert header.tensors[0].bytes == 6 * (row + 512 // block * size)
    assert header.tensors_by_type == {kind.name: 2}


def test_bits_of_other_types_are_those_their_author_states() -> None:
    """Bits per weight as ik_llama.cpp's pull requests state them; a scale for each row of 4,096 adds under 0.01."""
    stated = {"IQ2_K": 2.375, "IQ3_K": 3.4375, "IQ4_K": 4.5, "IQ5_K": 5.5, "IQ6_K": 6.625, "IQ4_KS": 4.25}
    stated |= {"IQ4_KSS": 4.0, "IQ2_KS": 2.1875, "IQ5_KS": 5.25, "IQ2_KT": 2.125, "IQ3_KT": 3.125, "IQ4_KT": 4.0}
    for name, bits in stated.items():
        kind = OtherType[name]
        found = stored_bytes(kind, (4096, 8)) * 8 / (4096 * 8)
        assert bits <= found <= bits + 0.01, name


def test_a_number_that_two_runtimes_gave_away_is_told_apart() -> None:
    assert parse(in_type(36)).tensors[0].type is OtherType.IQ4_NL_4_4
    with pytest.raises(InputError, match="I2_S, which only bitnet"):
        parse(in_type(36, gap=512 * 6 // 4 + 32))


def test_the_runtime_that_loads_them_is_named(tmp_path: Path) -> None:
    assert loaded_only_by({Type.Q4_K, Type.F32}) == ""
    assert loaded_only_by({Type.F32, OtherType.Q4_0_8_8}) == "llama.cpp before December 2024"
    assert loaded_only_by({Type.Q8_0, OtherType.IQ4_KS}) == "ik_llama.cpp"
    tensors: list[Any] = [
        (name, shape, OtherType.IQ4_KSS if kind is Type.Q4_K else kind)
        for name, shape, kind in tensors_at(catalogue()[LLAMA].model, "Q4_K_M")
    ]
    head = gguf_header(gguf_metadata()[LLAMA], tensors)
    found = local(sparse(tmp_path / "m-IQ4_KSS.gguf", head, parse(head).promised_bytes))
    assert found.must_have_model().tensors == catalogue()[LLAMA].model.tensors
    assert found.file is not None
    assert found.file.level == "IQ4_KSS"
    assert found.file.sized().data_bytes == sum(tensor.bytes for tensor in parse(head).tensors)
    assert any("type IQ4_KSS, which only ik_llama.cpp loads" in note for note in say_all(found.notes))


def test_of_many_types_of_other_runtimes_four_are_named(tmp_path: Path) -> None:
    kinds = itertools.cycle([OtherType[f"IQ{bits}_K"] for bits in range(2, 7)])
    tensors: list[Any] = [
        (name, shape, next(kinds) if kind is Type.Q4_K else kind)
        for name, shape, kind in tensors_at(catalogue()[LLAMA].model, "Q4_K_M")
    ]
    head = gguf_header(gguf_metadata()[LLAMA], tensors)
    found = local(sparse(tmp_path / "m.gguf", head, parse(head).promised_bytes))
    (note,) = (note for note in say_all(found.notes) if "which only ik_llama.cpp loads" in note)
    assert note.count("IQ") == 4


@pytest.mark.parametrize("name", ["IQ4_KS", "IQ4_KSS", "IQ2_KT", "IQ5_K", "IQ2_KL", "Q4_0_4_4", "Q4_0_8_8"])
def test_levels_of_other_runtimes_are_told_by_names(name: str) -> None:
    assert level_of_name(f"smol-{name}-00001-of-00003.gguf") == name
    assert level_of(parse(gguf_file(LLAMA)[0], f"x.{name.lower()}.gguf")) == name


@pytest.mark.parametrize("keys", [("block_count",), ("embedding_length",), ("block_count", "embedding_length")])
def test_missing_metadata_is_named_as_such(keys: tuple[str, ...]) -> None:
    metadata = {
        key: value for key, value in gguf_metadata()[LLAMA].items() if key not in {f"llama.{name}" for name in keys}
    }
    head = gguf_header(metadata, tensors_at(catalogue()[LLAMA].model, "Q4_K_M"))
    found = model_of(parse(head))
    assert found.model is None
    assert f"lacks {' and '.join(repr(f'llama.{key}') for key in keys)}" in say(found.note)
    assert "4.9 GB" in say(found.note)
    assert "not known to this version" not in say(found.note)


@pytest.mark.parametrize(
    ("architecture", "tensor", "what"),
    [
        *((name, "x.weight", "a diffusion") for name in ("flux", "sd1", "sd3", "wan", "qwen_image", "ltxv")),
        ("whisper", "x.weight", "a speech model"),
        ("controlvector", "direction.1", "a control vector"),
        ("t5encoder", "x.weight", "a T5 text encoder"),
        ("clip", "x.weight", "a vision or audio projector"),
        (None, "model.diffusion_model.input_blocks.0.0.weight", "a diffusion"),
        (None, "double_blocks.0.img_attn.qkv.weight", "a diffusion"),
        (None, "direction.1", "a control vector"),
        (None, "encoder.conv1.weight", "a speech model"),
    ],
)
def test_other_models_are_named_for_what_they_are(architecture: str | None, tensor: str, what: str) -> None:
    metadata = {} if architecture is None else {"general.architecture": architecture}
    with pytest.raises(InputError, match=f"holds {what}.*, not a language model"):
        model_of(parse(gguf_header(metadata, [(tensor, (32, 8), Type.F16)])))


@pytest.mark.parametrize("bare", [False, True])
def test_of_a_long_name_of_an_architecture_the_beginning_is_said(bare: bool) -> None:
    name = "z" * 60
    metadata = {key.replace("llama.", f"{name}."): value for key, value in gguf_metadata()[LLAMA].items()}
    if bare:
        metadata = {key: value for key, value in metadata.items() if not key.startswith(name)}
    head = gguf_header(metadata | {"general.architecture": name}, tensors_at(catalogue()[LLAMA].model, "Q4_K_M"))
    assert f"Architecture '{'z' * 40}' is not known" in say(model_of(parse(head)).note)
