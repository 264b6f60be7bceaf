"""Models from elsewhere on the page, without a browser: from a small Hub over real sockets, uploads and sizes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
from tests.app.test_pages import SCRIPT, messages, opened, plain_words
from tests.support.hub_server import COMMIT, FakeHub
from tests.support.model_files import checkpoint_tensors, gguf_file, gguf_header, safetensors_file, tensors_at
from tests.unit.sources.test_hub import LLAMA, QUANTIZED, files_of, packed

CONFIG = json.dumps(catalogue()[LLAMA].config)
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


def said(page: AppTest) -> str:
    """All text on the page, as people read it."""
    kinds = ("markdown", "error", "warning", "info", "title", "header", "subheader", "code", "caption")
    found = [getattr(element, "value", "") for kind in kinds for element in page.get(kind)]
    return "\n".join(re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", str(text)) for text in found).replace("\u2060", "")


def sent(page: AppTest) -> str:
    """Everything that was sent to the browser."""
    return "\n".join(str(getattr(element, "proto", "")) for element in page._tree)


def enter(page: AppTest, text: str) -> AppTest:
    """Type into the box for the model and press Enter."""
    box = page.selectbox(key="model_name")
    box.options.append(text)
    box.set_value(text).run()
    assert not page.exception
    return page


def link_of(page: AppTest) -> str:
    """The link that the page offers, as the browser would hold it."""
    return str(next(code.value for code in page.code if code.value.startswith("/?")))


def title(page: AppTest) -> str:
    return page.title[0].value.replace("\\", "")


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("acme/Eight", "acme/Eight"),
        ("  huggingface.co/acme/Eight ", "acme/Eight"),
        ("https://huggingface.co/acme/Eight/tree/v2", "acme/Eight@v2"),
        ("https://user:hf_secret@huggingface.co/acme/Eight?x=1#y", "acme/Eight"),
    ],
)
def test_a_repository_is_opened_by_link_and_by_typing(hub: FakeHub, text: str, model: str) -> None:
    hub.add("acme/Eight", files_of(LLAMA), revisions=("main", "v2"))
    for page in (opened(f"model={text.replace('&', '%26').replace('#', '%23')}"), enter(opened(), text)):
        assert title(page) == "Eight on GeForce RTX 4090"
        assert "Verified against the repository's own tensors (commit 01234567): all 291 agree." in said(page)
        assert "acme · 8.0 B parameters · up to 131,072 tokens" in said(page)
        assert f"model=acme%2FEight%40{COMMIT}" in link_of(page)  # the link says what was read
        assert "hf_secret" not in said(page)
        assert not messages(page)
        assert not page.error
        page.run()
        assert page.session_state["model"] == model


def test_a_size_is_answered_and_marked_as_typical() -> None:
    page = enter(opened(), "30B-A3B")
    assert title(page) == "typical 30B-A3B on GeForce RTX 4090"
    assert page.session_state["model"] == "30B-A3B"
    assert any("times as large" in note.value for note in page.info)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("/etc/passwd", "Files are not read by path here"),
        ("./config.json", "Files are not read by path here"),
        ("https://localhost/a.gguf", "private or local network"),
        ("https://169.254.169.254/a.gguf", "private or local network"),
        ("http://example.com/a.gguf", "Only https links"),
        ("file:///etc/passwd", "Only https links"),
        ("https://u:p@example.com/a.gguf", "user name or password"),
        ("https://huggingface.co/datasets/a/b", "leads to a dataset"),
        ('{"architectures": ["New"]}', "not known to this version"),
    ],
)
def test_what_cannot_be_a_model_is_said_next_to_the_input_and_nothing_is_lost(text: str, message: str) -> None:
    page = opened("model=gpt-oss-20b&context=16384")
    enter(page, text)
    assert message in said(page)
    assert title(page) == "gpt-oss 20B on GeForce RTX 4090"
    assert (page.session_state["model"], page.session_state["context"]) == ("gpt-oss-20b", 16384)
    page.selectbox(key="model_name").select("qwen3-8b").run()
    assert message not in said(page)


@pytest.mark.parametrize("text", ["/etc/passwd", "https://10.0.0.1/a.gguf", "", "https://x.y/" + "a" * 2000])
def test_a_link_with_no_possible_model_shows_the_default_and_goes_on(text: str) -> None:
    page = opened(f"model={text}&context=4096")
    assert title(page) == "Llama 3.1 70B Instruct on GeForce RTX 4090"
    assert len(messages(page)) == 1
    page.selectbox(key="model_name").select("qwen3-8b").run()
    assert page.session_state["model"] == "qwen3-8b"
    assert title(page) == "Qwen3 8B on GeForce RTX 4090"
    assert not messages(page)


def test_words_find_the_catalogue_first_and_then_the_hub(hub: FakeHub) -> None:
    hub.add("acme/Qwen-Coder-GGUF", {}, info={"downloads": 8_100_000, "tags": ["gguf"]}, gated=True)
    hub.add("acme/Qwen-Coder-Next", files_of(LLAMA), info={"downloads": 3, "trendingScore": 99})
    page = enter(opened(), "qwen")
    assert title(page) == "Llama 3.1 70B Instruct on GeForce RTX 4090"
    found = page.radio(key="search_found").options
    assert [name.replace("\\", "") for name in found[-2:]] == ["acme/Qwen-Coder-GGUF", "acme/Qwen-Coder-Next"]
    assert len(found) == 7
    assert page.radio(key="search_found").proto.captions[-2] == "8.1 M downloads · GGUF · gated"
    page.segmented_control(key="search_order").set_value("trending").run()
    assert page.radio(key="search_found").options[-1].endswith("GGUF")
    page.radio(key="search_found").set_value("acme/Qwen-Coder-Next").run()
    assert title(page) == "Qwen-Coder-Next on GeForce RTX 4090"
    assert not page.get("radio")


def test_words_that_leave_one_model_of_the_catalogue_choose_it() -> None:
    page = enter(opened(), "openai oss 120b")
    assert page.session_state["model"] == "gpt-oss-120b"
    assert not page.get("radio")


def test_what_is_popular_can_be_looked_through(hub: FakeHub) -> None:
    hub.add("acme/Popular", files_of(LLAMA))
    page = opened()
    page.button(key="trending").click().run()
    assert page.radio(key="search_found").options == ["acme\\/Popular"]
    page.button(key="close_search").click().run()
    assert not page.get("radio")


@pytest.mark.parametrize(
    ("fault", "message"), [("500", "error 500"), ("drop", "Offline"), ("off", "HF_HUB_OFFLINE is set")]
)
def test_offline_the_search_has_the_catalogue_and_says_so(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch, fault: str, message: str
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", fault == "off")
    hub.search_fault = fault
    page = enter(opened(), "qwen")
    assert message in said(page)
    assert "the catalogue works without it" in said(page)
    page.radio(key="search_found").set_value(page.radio(key="search_found").options and "qwen3-8b")
    assert len(page.radio(key="search_found").options) == 5
    hub.search_fault = ""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    page = enter(opened(), "qwen")
    assert message in said(page)  # not asked again at once
    hub.add("acme/qwen-late", {})
    page.button(key="search_again").click().run()
    assert "acme\\/qwen\\-late" in page.radio(key="search_found").options


def test_an_uploaded_beginning_of_a_gguf_file_is_sized_and_has_a_link(tmp_path: Path) -> None:
    header, size = gguf_file(LLAMA, "IQ4_XS")
    page = opened()
    page.file_uploader(key="upload").set_value(("mine-IQ4_XS.gguf", header + bytes(100_000), "")).run()
    link = page.session_state["model"]
    assert link.startswith("upload-")
    assert plain_words(page.header[0].value) == "IQ4_XS (this file) :green[✔ good]"
    assert f"mine-IQ4_XS.gguf: {gb(size)} ({size:,} bytes) exactly, by its own header." in said(page).replace("**", "")
    assert "llama.cpp's stock IQ4_XS of this model, computed: 4.5 GB." in said(page)
    assert f"model={link}" in link_of(page)
    forget_everything()
    again = opened(f"model={link}")
    assert title(again) == title(page)
    assert "mine-IQ4_XS.gguf (uploaded)" in again.selectbox(key="model_name").options[0]
    for path in (tmp_path / "cache" / "uploads").iterdir():
        path.unlink()
    forget_everything()
    gone = opened(f"model={link}")
    assert "uploaded here and is not kept any more; upload it again" in said(gone)
    assert gone.session_state["model"] == link


def test_a_config_is_uploaded_or_pasted(hub: FakeHub) -> None:
    uploaded = opened()
    uploaded.file_uploader(key="upload").set_value(("config.json", CONFIG.encode(), "application/json")).run()
    pasted = opened()
    pasted.text_area(key="pasted_config").set_value(CONFIG).run()
    pasted.button(key="use_config").click().run()
    for page in (uploaded, pasted, enter(opened(), CONFIG)):
        assert page.session_state["model"].startswith("upload-")
        assert "8.0 B parameters" in said(page)
        assert plain_words(page.header[0].value) == "Q8_0 :green[✔ good]"
    assert not hub.requests


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("cut.gguf", gguf_file(LLAMA)[0][:9000], "cut.gguf ends within its header"),
        ("config.json", b"{", "config.json is not valid JSON"),
        ("x.gguf", b"text", "not a GGUF file"),
    ],
)
def test_an_upload_that_is_no_model_is_said_next_to_the_input(name: str, content: bytes, message: str) -> None:
    page = opened("model=gpt-oss-20b")
    page.file_uploader(key="upload").set_value((name, content, "")).run()
    assert message in said(page)
    assert title(page).startswith("gpt-oss 20B")


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
    page = opened("model=acme/Eight-GGUF")
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

    one = enter(page, f"https://huggingface.co/acme/Eight-GGUF/resolve/{COMMIT}/Eight-Q4_K_M.gguf?download=true")
    assert one.session_state["model"] == f"https://huggingface.co/acme/Eight-GGUF/blob/{COMMIT}/Eight-Q4_K_M.gguf"
    assert plain_words(one.header[0].value) == "Q4_K_M (this file) :green[✔ good]"
    assert re.search(r"stock Q4_K_M of this model, computed: 4\.9 GB\. The file is -0\.\d % against it\.", said(one))
    one.button(key="whole_repository").click().run()
    assert one.session_state["model"] == f"acme/Eight-GGUF@{COMMIT}"
    assert title(one) == "Eight-GGUF on GeForce RTX 4090"


def test_a_gguf_of_an_unknown_architecture_still_shows_its_size(hub: FakeHub) -> None:
    tensors = tensors_at(catalogue()[LLAMA].model, "Q4_K_M")
    header = gguf_header({"general.architecture": "brandnew", "brandnew.block_count": 32}, tensors)
    hub.add("o/n", {"new-Q4_K_M.gguf": (header, 10**10)})
    page = opened("model=https://huggingface.co/o/n/blob/main/new-Q4_K_M.gguf")
    assert "Architecture 'brandnew' is not known to this version" in said(page)
    assert re.search(r"4\.9 GB \([\d,]+ bytes\) exactly, by its own header", said(page))


def test_a_quantized_repository_is_a_ready_made_option_with_its_exact_size(hub: FakeHub) -> None:
    weights = safetensors_file(item for name, shape in checkpoint_tensors(LLAMA) for item in packed(name, shape))
    hub.add(
        "acme/gptq", {"config.json": {**catalogue()[LLAMA].config, **QUANTIZED[0][0]}, "model.safetensors": weights}
    )
    page = opened("model=acme/gptq")
    size = gb(weights[1] - len(weights[0]))
    assert f"Ready-made, as published: GPTQ-W4A16-g128**, {size} of tensor data exactly" in said(page)


def test_parts_adapters_and_differences_are_told(hub: FakeHub) -> None:
    hub.add("acme/vision", files_of("gemma-3-12b-it", 2))
    assert "Its safetensors files hold: language model 23.5 GB, vision" in said(opened("model=acme/vision"))
    tensors = [(name, "BF16", shape) for name, shape in checkpoint_tensors(LLAMA) if "layers.3.mlp.up" not in name]
    files = {"config.json": catalogue()[LLAMA].config, "model.safetensors": safetensors_file(tensors)}
    hub.add("acme/odd", {**files, "adapter_config.json": {"base_model_name_or_path": "meta/base"}})
    page = opened("model=acme/odd")
    assert "▲ From the config.json" in said(page)
    assert "Differs from the repository's own tensors" in said(page)
    assert "LoRA adapter for meta/base" in said(page)


def test_other_formats_are_listed_with_their_writers() -> None:
    page = opened("model=llama-3.1-8b-instruct")
    rows = next(frame.value for frame in page.dataframe if "writer" in frame.value).set_index("level")
    assert rows.loc["GPTQ-W4A16-g128", "size_gb"] == pytest.approx(5.73, abs=0.02)
    assert str(rows.loc["GPTQ-W4A16-g128", "writer"]).startswith("GPTQModel")
    assert "output head" in str(rows.loc["GPTQ-W4A16-g128", "kept"])
    assert rows.loc["BF16-safetensors", "bits_per_weight"] == 16


def test_for_a_model_of_the_catalogue_nothing_is_fetched_unless_asked(hub: FakeHub) -> None:
    entry = catalogue()[LLAMA]
    hub.add(entry.hf_repo, files_of(LLAMA))
    page = opened(f"model={LLAMA}")
    assert not hub.requests
    page.button(key="read_repository").click().run()
    assert page.session_state["model"] == entry.hf_repo
    assert "Verified against the repository's own tensors" in said(page)
    page.button(key="find_gguf").click().run()
    assert hub.requests[-1].path == "/api/models"


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
    assert len(page.error) == 2  # next to the input, and instead of the answer
    assert all(message in error.value.replace("\\", "") for error in page.error)
    assert (page.session_state["model"], page.session_state["context"]) == ("acme/x", 16384)
    asked = len(hub.requests)
    page.number_input(key="context").set_value(4096).run()
    assert len(hub.requests) == asked  # a server in trouble is left alone for a while
    repository.fault = repository.file_fault = ""
    repository.gated = repository.private = False
    page.button(key="try_again").click().run()
    assert title(page) == "x on GeForce RTX 5090"
    assert not page.error


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
    assert title(page) == "slow on GeForce RTX 4090"


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
        page = enter(opened(f"model=acme/{model}"), "some words")
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
    links = []
    for model in ("acme/Eight", "acme/Eight-GGUF", file):
        page = opened(f"model={model}")
        links.append((link_of(page).removeprefix("/?"), title(page)))
    hub.server.shutdown()
    hub.server.server_close()
    script = (
        "import sys; from urllib.parse import parse_qsl; from streamlit.testing.v1 import AppTest\n"
        "for query in sys.argv[2:]:\n"
        "    page = AppTest.from_file(sys.argv[1], default_timeout=60)\n"
        "    for key, value in parse_qsl(query): page.query_params[key] = value\n"
        "    page.run(); print(page.title[0].value.replace(chr(92), ''))\n"
    )
    without_hub = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_TELEMETRY": "1"}
    command = [sys.executable, "-c", script, str(SCRIPT), *(link for link, _ in links)]
    run = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, env=without_hub, cwd=SCRIPT.parents[2]
    )
    assert run.stdout.splitlines() == [wanted for _, wanted in links], run.stderr
    assert all(Question.from_query(link).model.name.count(COMMIT) == 1 for link, _ in links)
