"""What is uploaded or pasted: only headers and configs are kept, bounded, and found again by their content's id."""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import pytest

from advisor.foundation.errors import InputError
from advisor.models.catalogue import catalogue
from advisor.sources import uploads
from advisor.sources.resolve import check_model, find_any_model
from advisor.sources.uploads import find_upload, is_upload, keep_config, keep_file, name_of_upload
from tests.support.model_files import gguf_file, gguf_header, gguf_metadata, tensors_at, tokenizer

LLAMA = "llama-3.1-8b-instruct"
CONFIG = json.dumps(catalogue()[LLAMA].config)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLM_FIT_ADVISOR_CACHE", str(tmp_path))
    uploads._in_memory.clear()
    return tmp_path / "uploads"


@pytest.mark.parametrize("sound", [True, False])
def test_what_was_uploaded_is_let_go_at_once(sound: bool) -> None:
    """Not when garbage is collected next: uploads are large, and many may come before that."""
    content = (gguf_file(LLAMA)[0] if sound else gguf_header({}, [])).ljust(1 << 20, b"\0")
    before = sys.getrefcount(content)
    gc.disable()
    try:
        with nullcontext() if sound else pytest.raises(InputError):
            keep_file(content, "model.gguf")
        assert sys.getrefcount(content) == before
    finally:
        gc.enable()


def test_the_beginning_of_a_gguf_file_is_enough_and_no_weight_is_kept(folder: Path) -> None:
    header, size = gguf_file(LLAMA, "IQ4_XS", more=tokenizer(30_000))
    beginning = header + b"\x5a" * (1 << 20)
    upload_id = keep_file(beginning, "C:\\models\\mine-IQ4_XS.gguf")
    assert is_upload(upload_id)
    found = find_any_model(upload_id)
    assert found.id == upload_id
    assert found.file is not None
    assert (found.file.level, found.file.file_bytes, found.file.name) == ("IQ4_XS", size, "mine-IQ4_XS.gguf")
    assert found.must_have_model().tensors == catalogue()[LLAMA].model.tensors
    assert name_of_upload(upload_id) == "mine-IQ4_XS.gguf"
    assert sum(path.stat().st_size for path in folder.iterdir()) < len(header) / 4


def test_a_config_is_found_again_under_the_same_id() -> None:
    first = keep_file(CONFIG.encode("utf-8-sig"), "config.json")
    assert keep_file(CONFIG.encode(), "config.json") == first
    assert keep_config(CONFIG) != first  # it has another name
    assert find_upload(first).must_have_model().tensors == catalogue()[LLAMA].model.tensors
    assert check_model(first) == first


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (gguf_file(LLAMA)[0][:9000], "a.gguf", "ends within its header, after 9,000 bytes; upload more"),
        (b"GGU", "a.gguf", "fewer than 8 bytes"),
        (b"no model", "a.gguf", "does not begin with 'GGUF'"),
        (b"\xff\xfe\x00", "config.json", "neither a GGUF file nor a config.json"),
        (b"{", "config.json", "not valid JSON"),
        (b"[]", "config.json", "config.json"),
        (b"{}", "config.json", "config.json"),
        (b"x" * (5 << 20), "config.json", "larger than 4 MiB"),
        (
            gguf_header({**gguf_metadata()[LLAMA], "split.no": 0, "split.count": 3}, []),
            "m-00001-of-00003.gguf",
            "one of 3 parts",
        ),
    ],
)
def test_what_is_no_model_is_not_kept(folder: Path, content: bytes, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        keep_file(content, name)
    assert not folder.exists()


@pytest.mark.parametrize("text", ["upload-" + "0" * 20, "upload-../../etc/passwd", "upload-" + "F" * 20])
def test_a_link_to_nothing_kept_says_so(text: str) -> None:
    with pytest.raises(InputError, match=r"uploaded here and is not kept any more|did you mean|Unknown model|by path"):
        find_any_model(text)
    assert name_of_upload(text) == text


def test_a_broken_file_counts_as_not_kept(folder: Path) -> None:
    upload_id = keep_config(CONFIG)
    for path in folder.iterdir():
        path.write_bytes(b"\x1f\x8bbroken")
    with pytest.raises(InputError, match="upload it again"):
        find_upload(upload_id)


def test_what_is_old_or_too_much_is_removed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = keep_config(CONFIG, "first.json")
    old = time.time() - (uploads.KEPT_DAYS + 1) * 86_400
    os.utime(folder / f"{first}.json.gz", (old, old))
    with pytest.raises(InputError, match="not kept any more"):
        find_upload(first)
    second = keep_config(CONFIG, "second.json")
    assert [path.name for path in folder.iterdir()] == [f"{second}.json.gz"]
    monkeypatch.setattr(uploads, "_MOST_FILES", 3)
    for number in range(6):
        keep_config(CONFIG, f"{number}.json")
    assert len(list(folder.iterdir())) == 3
    monkeypatch.setattr(uploads, "_MOST_BYTES", 1)
    keep_config(CONFIG, "last.json")
    assert not list(folder.iterdir())


def test_without_a_folder_it_is_kept_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_FIT_ADVISOR_CACHE", "")
    monkeypatch.setattr(uploads, "_MOST_IN_MEMORY", 2)
    ids = [keep_config(CONFIG, f"{number}.json") for number in range(3)]
    assert find_upload(ids[2]).name == "2.json"
    with pytest.raises(InputError, match="upload it again"):
        find_upload(ids[0])


def test_the_tensors_of_an_upload_may_be_a_publishers_own_mix() -> None:
    tensors = [(name, shape, kind) for name, shape, kind in tensors_at(catalogue()[LLAMA].model, "Q8_0")]
    upload_id = keep_file(gguf_header(gguf_metadata()[LLAMA], tensors), "Llama-UD-Q4_K_XL.gguf")
    file = find_upload(upload_id).file
    assert file is not None
    assert file.level == "UD-Q4_K_XL"
