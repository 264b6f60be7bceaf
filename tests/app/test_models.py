"""Models from elsewhere on the page, without a browser: from a small Hub over real sockets, uploads and sizes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest
from huggingface_hub import constants
from streamlit.testing.v1 import AppTest

from advisor.answer import answer as advise
from advisor.foundation.units import gb
from advisor.models.catalogue import catalogue
from advisor.question.question import Question
from advisor.sources import remote, resolve
from advisor.sources.resolve import READING
from advisor.sources.search import HUB_SEARCH
from advisor.sources.uploads import keep_file
from advisor.ui.link import read_link
from tests.support.hub_server import COMMIT, FakeHub
from tests.support.model_files import checkpoint_tensors, gguf_file, gguf_header, safetensors_file, tensors_at
from tests.unit.sources.test_hub import LLAMA, QUANTIZED, files_of, packed

ROOT = Path(__file__).resolve().parents[2]
# The script, not app.py: on an `st.App` file AppTest would pass without drawing anything.
SCRIPT = ROOT / "advisor" / "ui" / "main.py"
SECRET = "hf_" + "S" * 30


@pytest.fixture(autouse=True)
def _nothing_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_FIT_ADVISOR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    forget_everything()


def forget_everything() -> None:
    """As a process that has just started."""
    READING._tasks.clear()
    HUB_SEARCH._tasks.clear()
    resolve._lately.clear()
    advise._find.cache_clear()
    advise._answer.cache_clear()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with FakeHub() as running:
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, running.url)
        monkeypatch.setattr(constants, "ENDPOINT", running.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield running


def opened(query: str, tab: str = "") -> AppTest:
    """A page about a question, with one of its tabs open."""
    page = AppTest.from_file(str(SCRIPT), default_timeout=30)
    for key, value in parse_qsl(query + (f"&tab={tab}" if tab else ""), keep_blank_values=True):
        page.query_params[key] = value
    page.run()
    assert not page.exception
    return page


def messages(page: AppTest) -> list[str]:
    return [warning.value for warning in page.warning]


def said(page: AppTest) -> str:
    """All text on the page, as people read it."""
    kinds = ("markdown", "error", "warning", "info", "title", "header", "subheader", "code", "caption")
    found = [getattr(element, "value", "") for kind in kinds for element in page.get(kind)]
    found += [unescape(re.sub("<[^>]*>", " ", html)) for html in html_of(page)]
    return "\n".join(re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", str(text)) for text in found).replace("\u2060", "")


def sent(page: AppTest) -> str:
    """Everything that was sent to the browser."""
    return "\n".join(str(getattr(element, "proto", "")) for element in page._tree)


def html_of(page: AppTest) -> list[str]:
    return [element.proto.body for element in page.get("html")]


def links(page: AppTest) -> dict[str, str]:
    """The links within the app, by their text."""
    found = re.findall(r'<a data-go="1"[^>]*href="([^"]*)"[^>]*>([^<]*)</a>', "".join(html_of(page)))
    return {unescape(text): unescape(href) for href, text in found}


def followed(href: str, tab: str = "") -> AppTest:
    return opened(href.partition("?")[2], tab)


def link_of(query: str) -> str:
    """The link that the page offers about a question, as the browser would hold it."""
    page = opened(query, "Sources")
    return str(next(code.value for code in page.code if code.value.startswith("/?")))


def written_model(text: str) -> str:
    return read_link({"model": [text]}).written["model"]


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("acme/Eight", "acme/Eight"),
        ("  huggingface.co/acme/Eight ", "acme/Eight"),
        ("https://huggingface.co/acme/Eight/tree/v2", "acme/Eight@v2"),
        ("https://user:hf_secret@huggingface.co/acme/Eight?x=1#y", "acme/Eight"),
    ],
)
def test_a_repository_is_opened_by_link(hub: FakeHub, text: str, model: str) -> None:
    hub.add("acme/Eight", files_of(LLAMA), revisions=("main", "v2"))
    query = f"model={quote(text)}&machine=rtx-4090"
    page = opened(query, "Files")
    assert "Eight on GeForce RTX 4090" in said(page)
    assert "Verified against the repository's own tensors (commit 01234567): all 291 agree." in said(page)
    assert f"model=acme%2FEight%40{COMMIT}" in link_of(query)  # the link says what was read
    assert "hf_secret" not in said(page)
    assert not messages(page)
    assert not page.error
    assert written_model(text) == model


def test_a_size_is_answered_and_marked_as_typical() -> None:
    page = opened("model=30B-A3B&machine=rtx-4090")
    assert "Typical 30B-A3B on GeForce RTX 4090" in said(page)
    assert "times as large" in said(page)


@pytest.mark.parametrize("text", ["/etc/passwd", "https://10.0.0.1/a.gguf", "", "https://x.y/" + "a" * 2000])
def test_a_link_with_no_possible_model_shows_the_default_and_goes_on(text: str) -> None:
    page = opened(f"model={text}&context=4096&machine=rtx-4090")
    assert "Llama 3.1 70B Instruct on GeForce RTX 4090" in said(page)
    assert len(messages(page)) == 1


def test_an_uploaded_beginning_of_a_gguf_file_is_sized_and_has_a_link(tmp_path: Path) -> None:
    header, size = gguf_file(LLAMA, "IQ4_XS")
    model = keep_file(header + bytes(100_000), "mine-IQ4_XS.gguf")
    page = opened(f"model={model}", "Files")
    assert f"mine-IQ4_XS.gguf: {gb(size)} ({size:,} bytes) exactly, by its own header." in said(page).replace("**", "")
    assert "llama.cpp's stock IQ4_XS of this model, computed: 4.5 GB." in said(page)
    assert f"model={model}" in link_of(f"model={model}")
    for path in (tmp_path / "cache" / "uploads").iterdir():
        path.unlink()
    forget_everything()
    gone = opened(f"model={model}&context=4096")
    assert "uploaded here and is not kept any more; upload it again" in said(gone)
    assert len(gone.error) == 1


def test_published_files_stand_beside_computed_sizes_and_one_opens_by_its_own_header(hub: FakeHub) -> None:
    header, size = gguf_file(LLAMA, "Q4_K_M")
    files: dict[str, Any] = {
        "Eight-Q4_K_M.gguf": (header, size),
        "Eight-Q2_K.gguf": (b"GGUF", int(gguf_file(LLAMA, "Q2_K")[1] * 1.25)),
        "Eight-UD-Q3_K_XL.gguf": (b"GGUF", 4_100_000_000),
        "mmproj-F16.gguf": (b"GGUF", 878_000_000),
        "a b/Eight-BF16-00001-of-00002.gguf": (b"GGUF", 10**10),
        "a b/Eight-BF16-00002-of-00002.gguf": (b"GGUF", 6 * 10**9),
        "Eight-Q8_0-00001-of-00002.gguf": (b"GGUF", 10**9),
        **files_of(LLAMA),
    }
    hub.add("acme/Eight-GGUF", files)
    page = opened("model=acme/Eight-GGUF", "Files")
    table = next(frame.value for frame in page.dataframe if "published_gb" in frame.value)
    rows = table.set_index("file")
    assert list(rows.index) == [
        "a b/Eight-BF16.gguf",
        "Eight-Q4_K_M.gguf",
        "Eight-UD-Q3_K_XL.gguf",
        "Eight-Q2_K.gguf",
        "Eight-Q8_0.gguf",
    ]
    assert rows.loc["a b/Eight-BF16.gguf", "published_gb"] == 16
    assert rows.loc["a b/Eight-BF16.gguf", "parts"] == 2
    assert rows.loc["Eight-Q4_K_M.gguf", "published_gb"] == size / 1e9
    assert rows.loc["Eight-Q2_K.gguf", "difference"] == pytest.approx(25, abs=0.6)
    assert rows.loc["Eight-UD-Q3_K_XL.gguf", "note"] == "The publisher's own mix."
    assert rows.loc["Eight-UD-Q3_K_XL.gguf", ["stock_gb", "difference"]].isna().all()
    assert rows.loc["Eight-Q8_0.gguf", "note"] == "Parts are missing."
    assert "mmproj-F16.gguf 878.0 MB" in said(page)

    one = opened(f"model=https://huggingface.co/acme/Eight-GGUF/resolve/{COMMIT}/Eight-Q4_K_M.gguf", "Files")
    assert re.search(r"stock Q4_K_M of this model, computed: 4\.9 GB\. The file is -0\.\d % against it\.", said(one))
    one.button(key="whole_repository").click().run()
    assert one.query_params["model"] == f"acme/Eight-GGUF@{COMMIT}"
    assert "Eight-GGUF on" in said(one)


def test_a_gguf_of_an_unknown_architecture_is_decided_about(hub: FakeHub) -> None:
    tensors = tensors_at(catalogue()[LLAMA].model, "Q4_K_M")
    header = gguf_header({"general.architecture": "brandnew", "brandnew.block_count": 32}, tensors)
    hub.add("o/n", {"new-Q4_K_M.gguf": (header, 10**10)})
    page = opened("model=https://huggingface.co/o/n/blob/main/new-Q4_K_M.gguf")
    assert "Architecture 'brandnew' is not known to this version" in said(page)
    assert "there, as parts are estimated" in said(page)
    assert "Run brandnew" in said(page) or "as Q4_K_M (this file) on" in said(page)


def test_a_quantized_repository_is_a_ready_made_option_with_its_exact_size(hub: FakeHub) -> None:
    weights = safetensors_file(item for name, shape in checkpoint_tensors(LLAMA) for item in packed(name, shape))
    hub.add(
        "acme/gptq", {"config.json": {**catalogue()[LLAMA].config, **QUANTIZED[0][0]}, "model.safetensors": weights}
    )
    page = opened("model=acme/gptq", "Files")
    size = gb(weights[1] - len(weights[0]))
    assert f"Ready-made, as published: GPTQ-W4A16-g128**, {size} of tensor data exactly" in said(page)


def test_parts_adapters_and_differences_are_told(hub: FakeHub) -> None:
    hub.add("acme/vision", files_of("gemma-3-12b-it", 2))
    assert "Its safetensors files hold: language model 23.5 GB, vision" in said(opened("model=acme/vision", "Files"))
    tensors = [(name, "BF16", shape) for name, shape in checkpoint_tensors(LLAMA) if "layers.3.mlp.up" not in name]
    files = {"config.json": catalogue()[LLAMA].config, "model.safetensors": safetensors_file(tensors)}
    hub.add("acme/odd", {**files, "adapter_config.json": {"base_model_name_or_path": "meta/base"}})
    page = opened("model=acme/odd", "Files")
    assert "▲ From the config.json" in said(page)
    assert "Differs from the repository's own tensors" in said(page)
    assert "LoRA adapter for meta/base" in said(page)


def test_other_formats_are_listed_with_their_writers() -> None:
    page = opened("model=llama-3.1-8b-instruct", "Files")
    body = next(one for one in html_of(page) if "Layout written by" in one)
    rows = {row[0]: row[1:] for row in ([cell.text or "" for cell in row] for row in ET.fromstring(body).iter("tr"))}
    kind, size, bits, kept, writer, _ = rows["GPTQ-W4A16-g128"]
    assert kind == "GPTQ"
    assert float(size) == pytest.approx(5.73, abs=0.02)
    assert writer.startswith("GPTQModel")
    assert "output head" in kept
    assert float(bits) < 6
    assert float(rows["BF16-safetensors"][2]) == 16


def test_for_a_model_of_the_catalogue_nothing_is_fetched_unless_asked(hub: FakeHub) -> None:
    entry = catalogue()[LLAMA]
    hub.add(entry.hf_repo, files_of(LLAMA))
    page = opened(f"model={LLAMA}", "Files")
    assert not hub.requests
    assert f'data-search="{entry.hf_repo.rpartition("/")[2]} GGUF"' in "".join(html_of(page))
    read = followed(links(page)[f"Read {entry.hf_repo} on the Hub"], "Files")
    assert "Verified against the repository's own tensors" in said(read)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"gated": True}, "acme/x is gated: accept its terms"),
        ({"private": True}, "no public model acme/x"),
        ({"fault": "401"}, "no public model acme/x"),
        ({"fault": "403"}, "does not let this program read acme/x"),
        ({"fault": "404"}, "no public model acme/x"),
        ({"fault": "429"}, "asks to wait"),
        ({"fault": "500"}, "error 500"),
        ({"fault": "drop"}, "cannot be reached"),
        ({"file_fault": "503"}, "error 503"),
        ({"file_fault": "truncate"}, "cannot be reached"),
    ],
)
def test_trouble_with_the_hub_is_a_sentence_and_nothing_is_lost(
    hub: FakeHub, more: dict[str, Any], message: str
) -> None:
    repository = hub.add("acme/x", files_of(LLAMA), **more)
    page = opened("model=acme/x&context=16384&machine=rtx-5090")
    assert len(page.error) == 1
    assert message in page.error[0].value.replace("\\", "")
    asked = len(hub.requests)
    again = opened("model=acme/x&context=4096&machine=rtx-5090")
    assert len(again.error) == 1
    assert len(hub.requests) == asked  # a server in trouble is left alone for a while
    repository.fault = repository.file_fault = ""
    repository.gated = repository.private = False
    page.button(key="try_again").click().run()
    assert "x on GeForce RTX 5090 · 16,384 tokens" in said(page)
    assert not page.error


def test_where_the_hub_is_not_there_the_catalogue_answers_for_what_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    known = opened("model=unsloth/Llama-3.1-8B-Instruct-GGUF&machine=rtx-4090")
    assert not known.error
    assert "The catalogue's figures are shown for unsloth/Llama-3.1-8B-Instruct-GGUF, because it could" in said(known)
    kin = opened("model=NousResearch/Hermes-3-Llama-3.1-8B&machine=rtx-4090&context=4096")
    assert len(kin.error) == 1
    assert "The Hub cannot be reached" in kin.error[0].value
    assert [button.label for button in kin.button] == ["Try again"]
    taken = followed(links(kin)["Use Llama 3.1 8B Instruct from the catalogue"])
    assert "Llama 3.1 8B Instruct on GeForce RTX 4090 · 4,096 tokens" in said(taken)
    stranger = opened("model=acme/Stranger&machine=rtx-4090")
    assert not [text for text in links(stranger) if text.startswith("Use ")]


def test_the_hub_can_be_switched_off(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set" in said(opened("model=acme/x"))
    assert not hub.requests


def test_a_slow_hub_is_not_waited_for_and_the_answer_comes_later(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(READING, "patience_s", 0.3)
    monkeypatch.setattr(remote, "TIMEOUT_S", 20)
    hub.add("acme/slow", files_of(LLAMA), file_fault="hang")
    page = opened("model=acme/slow")
    assert any("it goes on in the background" in info.value for info in page.info)
    assert not page.error
    hub.repositories["acme/slow"].file_fault = ""
    hub.release.set()
    task = READING._tasks["acme/slow"]
    with pytest.raises(Exception, match="cannot be reached"):  # the requests that hung were ended by the server
        task.future.result(30)
    page.run()
    assert "cannot be reached" in said(page)
    monkeypatch.setattr(READING, "patience_s", 30)
    page.button(key="try_again").click().run()
    assert "slow on " in said(page)


def test_patience_is_shorter_than_ten_seconds() -> None:
    assert READING.patience_s < 10
    assert HUB_SEARCH.patience_s < 10


def test_how_to_give_a_token_is_explained_and_the_token_is_never_shown(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    hub.add("acme/gated", files_of(LLAMA), gated=True)
    page = opened("model=acme/gated")
    assert "`HF_TOKEN`" in said(page)
    monkeypatch.setenv("HF_TOKEN", SECRET)
    for model, fault in (("gated", ""), *((f"m{status}", status) for status in ("401", "403", "429", "500", "drop"))):
        forget_everything()
        hub.add(f"acme/{model}", files_of(LLAMA), gated=True, file_fault=fault)
        page = opened(f"model=acme/{model}")
        shown = sent(page) + said(page) + str(page.query_params) + caplog.text
        assert SECRET not in shown
        assert f"acme/{model}" in shown
    assert any(request.authorized for request in hub.requests)
    kept = b"".join(path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file())
    assert SECRET.encode() not in kept


def test_a_shared_link_opens_in_another_process_without_the_hub(hub: FakeHub) -> None:
    hub.add("acme/Eight", files_of(LLAMA))
    hub.add("acme/Eight-GGUF", {"Eight-Q4_K_M.gguf": gguf_file(LLAMA)})
    file = f"https://huggingface.co/acme/Eight-GGUF/blob/{COMMIT}/Eight-Q4_K_M.gguf"
    shared = []
    for model in ("acme/Eight", "acme/Eight-GGUF", file):
        shared.append(link_of(f"model={model}&machine=rtx-4090").removeprefix("/?"))
    hub.server.shutdown()
    hub.server.server_close()
    script = (
        "import sys\n"
        "from advisor.answer.answer import answer\n"
        "from advisor.question.question import Question\n"
        "for query in sys.argv[1:]: print(answer(Question.from_query(query)).entry.id)\n"
    )
    without_hub = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_TELEMETRY": "1"}
    run = subprocess.run(
        [sys.executable, "-c", script, *shared],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=without_hub,
        cwd=ROOT,
    )
    assert run.stdout.split() == [f"acme/Eight@{COMMIT}", f"acme/Eight-GGUF@{COMMIT}", file], run.stderr
    assert all(Question.from_query(link).model.name.count(COMMIT) == 1 for link in shared)
