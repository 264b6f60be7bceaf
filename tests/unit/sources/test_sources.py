"""Ways of naming a model other than the Hub: sizes, paths, pasted configs, links, and links that are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.formats.gguf_levels import LEVELS
from advisor.foundation.errors import InputError
from advisor.models.catalogue import catalogue
from advisor.report.sizes import published_document
from advisor.runtimes.llama_cpp.weights import stored_weight_bytes, weight_bytes
from advisor.sizing.placement import place
from advisor.sources import packings
from advisor.sources.addresses import HubAddress, check_public, parse_address
from advisor.sources.files import from_gguf_bytes
from advisor.sources.free_size import looks_like_size, typical_model
from advisor.sources.gguf_header import read_gguf_header
from advisor.sources.reading import read_from_bytes
from advisor.sources.resolve import find_any_model
from advisor.sources.stored_file import stored_file
from advisor.words import say
from tests.support.hub_server import FakeHub
from tests.support.model_files import gguf_file, gguf_header, gguf_metadata, tensors_at

LLAMA = "llama-3.1-8b-instruct"


@pytest.mark.parametrize(
    ("text", "total", "active", "off"),
    [
        ("70B", 70e9, 70e9, 0.03),
        ("7b", 7e9, 7e9, 0.05),
        ("1.5B", 1.5e9, 1.5e9, 0.05),
        ("350M", 350e6, 350e6, 0.05),
        ("405B", 405e9, 405e9, 0.02),
        ("200B", 200e9, 200e9, 0.05),
        ("1T", 1e12, 1e12, 0.05),
        ("8x7B", 46.7e9, 12.9e9, 0.01),
        ("8x22B", 140.6e9, 39.1e9, 0.01),
        ("30B-A3B", 30e9, 3.3e9, 0.1),
        ("235B-A22B", 235e9, 22e9, 0.05),
        ("1T-A32B", 1e12, 32e9, 0.05),
        ("typical 70B", 70e9, 70e9, 0.03),
    ],
)
def test_a_size_gives_a_typical_model(text: str, total: float, active: float, off: float) -> None:
    found = find_any_model(text)
    model = found.must_have_model()
    assert found.name.startswith("typical ")
    assert model.parameters == pytest.approx(total, rel=off)
    assert model.active_parameters == pytest.approx(active, rel=off)
    assert found.size_range is not None
    assert 0.85 <= found.size_range[0] <= 1 <= found.size_range[1] <= 1.15
    assert "times as large" in say(found.notes[0])


@pytest.mark.parametrize("text", ["0B", "9000T", "1M", "8x9000B", "1x7B", "999x7B", "3B-A30B", "5B-A5B", "30B-A0B"])
def test_impossible_sizes_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        find_any_model(text)


@given(st.from_regex(r"[0-9]{1,4}(\.[0-9])?[BMT](-A[0-9]{1,3}B)?|[0-9]{1,3}x[0-9]{1,3}B", fullmatch=True))
@settings(deadline=None)
def test_any_size_is_answered_or_refused_in_a_sentence(text: str) -> None:
    try:
        found = typical_model(text)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert found.model.tensors


def test_what_is_no_size() -> None:
    assert not any(looks_like_size(text) for text in ("70", "B", "llama", "70B-instruct", "7x", "org/7B", "", "70 GB"))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("org/name", HubAddress("org/name")),
        ("org/name@v1", HubAddress("org/name", "v1")),
        ("org/name@refs/pr/3", HubAddress("org/name", "refs/pr/3")),
        ("https://huggingface.co/org/name", HubAddress("org/name")),
        ("huggingface.co/org/name/", HubAddress("org/name")),
        ("https://www.huggingface.co/org/name", HubAddress("org/name")),
        ("https://hf.co/org/name/tree/dev", HubAddress("org/name", "dev")),
        ("https://huggingface.co/org/name/blob/main/a/b.gguf", HubAddress("org/name", "main", "a/b.gguf")),
        ("https://huggingface.co/org/name/resolve/abc/b.gguf?download=true", HubAddress("org/name", "abc", "b.gguf")),
        ("https://huggingface.co/org/name/discussions/3", HubAddress("org/name")),
        ("https://huggingface.co/org/name?library=x#top", HubAddress("org/name")),
        ("https://huggingface.co/gpt2", HubAddress("gpt2")),
        ("hf://org/name", HubAddress("org/name")),
        ("https://user:hf_secret@huggingface.co/org/name", HubAddress("org/name")),
        ("just-a-name", None),
        ("a/b/c", None),
        ("org/na me", None),
        ("https://example.com/a.gguf", "https://example.com/a.gguf"),
        ("file:///etc/passwd", "file:///etc/passwd"),
    ],
)
def test_addresses(text: str, address: HubAddress | str | None) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("page", ["datasets/a/b", "spaces/a/b", "docs/hub", "collections/a/b", "blog/x", "", "models"])
def test_other_pages_of_the_hub_are_named(page: str) -> None:
    with pytest.raises(InputError, match="Hub"):
        parse_address(f"https://huggingface.co/{page}")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "http://example.com/a.gguf",
        "ftp://example.com/a.gguf",
        "https://localhost/a.gguf",
        "https://127.0.0.1/a.gguf",
        "https://127.1/a.gguf",
        "https://2130706433/a.gguf",
        "https://0x7f000001/a.gguf",
        "https://[::1]/a.gguf",
        "https://[::ffff:127.0.0.1]/a.gguf",
        "https://10.1.2.3/a.gguf",
        "https://192.168.1.1/a.gguf",
        "https://172.16.0.1/a.gguf",
        "https://169.254.169.254/latest/meta-data",
        "https://[fe80::1]/a.gguf",
        "https://[fd00::1]/a.gguf",
        "https://0.0.0.0/a.gguf",
        "https://100.64.0.1/a.gguf",
        "https://224.0.0.1/a.gguf",
        "https://intranet/a.gguf",
        "https://printer.local/a.gguf",
        "https://user:pass@example.com/a.gguf",
        "https://",
        "https://[bad/a.gguf",
        "https://example.com:99999/a.gguf",
        "gopher://example.com/",
        "data://text",
        "https://[::ffff:10.0.0.1]/a",
        "https://[2002:7f00:1::]/a",
    ],
)
def test_links_into_local_networks_are_refused(url: str) -> None:
    with pytest.raises(InputError) as caught:
        find_any_model(url, allow_local=False)
    assert "pass" not in str(caught.value).replace("password", "")


def test_public_addresses_pass() -> None:
    check_public("https://1.1.1.1/a.gguf")
    check_public("https://[2606:4700:4700::1111]/a.gguf")


def test_a_link_elsewhere_is_read_by_ranges_where_allowed() -> None:
    header, size = gguf_file(LLAMA)
    with FakeHub() as server:
        server.add("o/n", {"m-Q4_K_M.gguf": (header, size), "page.gguf": b"<html>"})
        found = find_any_model(f"{server.url}/o/n/resolve/main/m-Q4_K_M.gguf", allow_local=True)
        assert found.file is not None
        assert found.file.file_bytes == size
        with pytest.raises(InputError, match="not a GGUF file"):
            find_any_model(f"{server.url}/o/n/resolve/main/page.gguf", allow_local=True)
        with pytest.raises(InputError, match="error 404"):
            find_any_model(f"{server.url}/o/n/resolve/main/none.gguf", allow_local=True)
        with pytest.raises(InputError, match="Only https"):
            find_any_model(f"{server.url}/o/n/resolve/main/m-Q4_K_M.gguf")


def test_paths_are_for_the_command_line_only(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(catalogue()[LLAMA].config))
    assert find_any_model(str(path), allow_local=True).must_have_model().tensors == catalogue()[LLAMA].model.tensors
    for text in (str(path), "config.json", "./x", "~/x.gguf", "C:\\x.gguf", "/etc/passwd"):
        with pytest.raises(InputError, match="not read by path"):
            find_any_model(text, allow_local=False)


def test_a_pasted_config_is_a_model() -> None:
    text = json.dumps(catalogue()[LLAMA].config)
    assert find_any_model(text).must_have_model().tensors == catalogue()[LLAMA].model.tensors
    for broken in ("{", "{}", '{"a": 1', '{"architectures": ["X"]}', "{" * 100_000):
        with pytest.raises(InputError):
            find_any_model(broken)


def test_local_gguf_files_whole_and_split(tmp_path: Path) -> None:
    header, size = gguf_file(LLAMA)
    whole = tmp_path / "whole-Q4_K_M.gguf"
    whole.write_bytes(header)
    found = find_any_model(str(whole), allow_local=True)
    assert found.file is not None
    assert (found.file.level, found.file.file_bytes) == ("Q4_K_M", size)
    tensors = tensors_at(catalogue()[LLAMA].model, "Q4_K_M")
    for number, part in enumerate((tensors[:50], tensors[50:])):
        metadata = {**(gguf_metadata()[LLAMA] if number == 0 else {}), "split.no": number, "split.count": 2}
        (tmp_path / f"s-0000{number + 1}-of-00002.gguf").write_bytes(gguf_header(metadata, part))
    second = str(tmp_path / "s-00002-of-00002.gguf")
    assert find_any_model(second, allow_local=True).must_have_model().tensors == catalogue()[LLAMA].model.tensors
    (tmp_path / "s-00001-of-00002.gguf").unlink()
    with pytest.raises(InputError, match="is not beside it"):
        find_any_model(second, allow_local=True)


def test_an_uploaded_header_is_shown_as_the_file_it_is() -> None:
    header, size = gguf_file(LLAMA, "IQ4_XS")
    found = from_gguf_bytes(header, "mine-IQ4_XS.gguf")
    row = published_document(found)[0]
    assert row["level"] == "IQ4_XS (this file)"
    assert row["origin"] == "file"
    assert row["file_bytes"] == size


@pytest.mark.parametrize(
    "model_id",
    [
        "llama-3.1-8b-instruct",
        "gemma-3-12b-it",
        "qwen3-30b-a3b",
        "gemma-3n-e2b-it",
        "lfm2-8b-a1b",
        "phi-3-medium-4k-instruct",
        "all-minilm-l6-v2",
    ],
)
@pytest.mark.parametrize(("gpus", "layers", "moe"), [(1, None, 0), (2, None, 0), (1, 7, 0), (1, None, 5), (0, None, 0)])
def test_a_stock_file_weighs_on_each_device_what_its_level_does(
    model_id: str, gpus: int, layers: int | None, moe: int
) -> None:
    model = catalogue()[model_id].model
    file = stored_file(read_gguf_header(read_from_bytes(gguf_file(model_id, "Q4_K_M")[0]), "x-Q4_K_M.gguf"))
    placement = place(len(model.layers), (1.0,) * gpus, layers, moe)
    assert stored_weight_bytes(model, file.stored(), placement) == weight_bytes(model, LEVELS["Q4_K_M"], placement)


def test_unknown_names_hint_at_the_catalogue() -> None:
    assert find_any_model("llama-3.1-8b").id == LLAMA
    with pytest.raises(InputError, match=f"did you mean '{LLAMA}'"):
        find_any_model("lama-3.1-8b")
    with pytest.raises(InputError, match="Name a model"):
        find_any_model("  ")


def test_of_many_models_of_a_size_three_are_named() -> None:
    found = typical_model("8B")
    assert found is not None
    assert len(found.like) > 3
    said = say(found.sentence)
    assert [one in said for one in found.like[:4]] == [True, True, True, False]


def test_a_checkpoint_is_read_where_all_of_it_is_understood() -> None:
    known, unknown = packings.fp8_packing("fp8"), packings.no_level("new")
    assert packings.only("fp8", known).readable
    assert not packings.only("fp8", known, readable=False).readable
    assert not packings.only("new", unknown).readable
