"""What pickers offer while somebody types, asked as the browser asks it: over the routes, from a small Hub."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest
from huggingface_hub import constants
from starlette.applications import Starlette

from advisor.models.catalogue import catalogue
from advisor.question.question import Question
from advisor.sources.resolve import READING
from advisor.sources.search import HUB_SEARCH
from advisor.sources.uploads import name_of_upload
from advisor.ui.parts.pickers import machine_label, picker_html, search_button
from advisor.ui.picker_routes import ROUTES
from tests.support.asgi import Answered, ask, send
from tests.support.hub_server import FakeHub
from tests.support.model_files import gguf_file

APP = Starlette(routes=list(ROUTES))
LINK = "model=qwen3-8b&machine=rtx-4090&context=16384&tab=Speed"
LLAMA = "llama-3.1-8b-instruct"


@pytest.fixture(autouse=True)
def _nothing_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_FIT_ADVISOR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "no-token"))
    HUB_SEARCH._tasks.clear()
    READING._tasks.clear()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with FakeHub() as running:
        monkeypatch.setattr(constants, "ENDPOINT", running.url)
        yield running


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")


def answered(words: str, key: str = "model", **more: Any) -> Answered:
    asked = {"key": key, "words": words, "link": LINK, **more}
    return send(APP, json.dumps(asked).encode(), "/find")


def offer(words: str, key: str = "model", **more: Any) -> dict[str, Any]:
    found = answered(words, key, **more)
    assert found.status == 200
    assert found.headers["cache-control"] == "no-store"
    return dict(json.loads(found.body))


def taken(found: dict[str, Any]) -> dict[str, Any]:
    """The choice that Enter takes."""
    return dict(found["choices"][found["best"]])


def query_of(choice: dict[str, Any]) -> dict[str, str]:
    return dict(parse_qsl(choice["query"]))


def test_a_choice_is_the_same_question_with_one_part_changed() -> None:
    found = offer("glm 4.5 air")
    assert taken(found)["label"] == "GLM-4.5 Air"
    assert query_of(taken(found)) == dict(parse_qsl(LINK)) | {"model": "glm-4.5-air"}
    assert found["choices"][-1]["label"] == "Add from the Hub: search for “glm 4.5 air”"
    Question.from_query(taken(found)["query"].replace("tab=Speed&", ""))


def test_a_machine_brings_how_many_of_it_and_what_it_cannot_do_without() -> None:
    assert query_of(taken(offer("3090 x2", "machine")))["gpus"] == "2"
    assert taken(offer("3090 x2", "machine"))["label"] == "2 x GeForce RTX 3090"
    assert query_of(taken(offer("epyc genoa", "machine")))["memory_gib"] == "64"
    assert "gpus" not in query_of(taken(offer("mac studio x2", "machine")))  # one computer is one device
    own = offer("40 gb", "machine")["choices"][-1]
    assert (own["label"], query_of(own)["machine"], query_of(own)["memory_gib"]) == (
        "Another GPU with 40 GiB",
        "custom",
        "40",
    )
    assert taken(offer("custom 40 gb", "machine"))["value"] == "custom"
    assert query_of(taken(offer("3060 12gb", "other_machine")))["other_machine"] == "rtx-3060-12gb"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("70B", "70B"),
        ("8x7b", "8x7b"),
        ("acme/Eight", "acme/Eight"),
        ("https://huggingface.co/acme/Eight/tree/v2", "acme/Eight@v2"),
        ("https://user:hf_secret@huggingface.co/acme/Eight?x=1#y", "acme/Eight"),
        ("hf.co/acme/Eight-GGUF:Q4_K_M", "acme/Eight-GGUF:Q4_K_M"),
        ("ollama run llama3.1", LLAMA),
        ("llama3.1:8b-instruct-q5_K_M", f"{LLAMA}:Q5_K_M"),
        ("https://example.com/a/model.gguf", "https://example.com/a/model.gguf"),
    ],
)
def test_what_names_a_model_itself_comes_first(text: str, value: str) -> None:
    found = offer(text)
    assert taken(found)["value"] == value
    assert query_of(taken(found))["model"] == value
    assert "hf_secret" not in json.dumps(found)


@pytest.mark.parametrize(
    "repository",
    [
        *("unsloth/Llama-3.1-8B-Instruct-GGUF", "bartowski/Meta-Llama-3.1-8B-Instruct-GGUF:Q4_K_M"),
        *("meta-llama/Llama-3.1-8B-Instruct", "mlx-community/Llama-3.1-8B-Instruct-4bit"),
    ],
)
def test_beside_a_repository_stands_the_catalogues_own_model(repository: str) -> None:
    first, second = offer(repository)["choices"]
    assert (first["value"], second["value"]) == (repository, LLAMA)
    assert second["note"] == "from the catalogue, the Hub is not asked"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("/etc/passwd", "Files are not read by path here"),
        ("https://169.254.169.254/a.gguf", "private or local network"),
        ("http://example.com/a.gguf", "Only https links"),
        ("https://u:p@example.com/a.gguf", "user name or password"),
        ("https://huggingface.co/datasets/a/b", "leads to a dataset"),
        ("https://example.com/" + "a" * 1500, "at most 1,000 characters"),
    ],
)
def test_what_can_never_be_a_model_is_said_and_enter_takes_nothing(text: str, message: str) -> None:
    found = offer(text)
    assert message in found["said"]
    assert found["best"] is None


def test_enter_takes_no_model_that_lacks_a_word() -> None:
    found = offer("qwen3 8b abliterated")
    assert found["choices"][0]["value"] == "qwen3-8b"
    assert taken(found)["search"] == "qwen3 8b abliterated"
    assert "but these" in found["said"]
    assert offer("foo 4090", "machine")["best"] is None
    assert offer("foo 4090", "machine")["choices"][0]["value"] == "rtx-4090"


def test_an_opened_picker_shows_what_is_chosen_and_its_relatives() -> None:
    found = offer("Llama 3.1 8B Instruct", opened=True)
    assert taken(found)["value"] == LLAMA
    assert {"llama-3.3-70b-instruct", "llama-3.2-3b-instruct"} < {choice["value"] for choice in found["choices"]}
    assert len({choice["label"] for choice in found["choices"]}) == len(found["choices"])
    assert found["choices"][-1]["search"] == ""
    machines = offer("GeForce RTX 3090", "machine", opened=True)
    assert [choice["value"] for choice in machines["choices"]][:2] == ["rtx-3090", "rtx-5090"]
    assert machines["choices"][-1]["value"] == "custom"


def test_the_hub_is_searched_when_asked_only(hub: FakeHub) -> None:
    hub.add("acme/Qwen-Coder-GGUF", {}, info={"downloads": 8_100_000, "tags": ["gguf"]}, gated=True)
    hub.add("acme/Qwen-Coder-Next", {}, info={"downloads": 3, "trendingScore": 99})
    offer("qwen")
    assert not hub.requests
    found = offer("qwen", hub=True)
    assert [choice["label"] for choice in found["choices"]] == ["acme/Qwen-Coder-GGUF", "acme/Qwen-Coder-Next"]
    assert found["choices"][0]["note"] == "8.1 M downloads · GGUF · gated"
    assert query_of(found["choices"][1])["model"] == "acme/Qwen-Coder-Next"
    assert offer("", hub=True)["choices"][0]["label"] == "acme/Qwen-Coder-Next"  # what is popular
    assert "no language model" in offer("nothing-like-it", hub=True)["said"]


def test_without_the_hub_there_is_the_catalogue_one_sentence_and_another_try(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("acme/qwen-late", {})
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    found = offer("qwen", hub=True)
    assert found["said"] == "Offline: the Hub cannot be reached; the catalogue works without it."
    assert found["choices"][0]["value"].startswith("qwen3.8")
    assert found["best"] is None
    again = found["choices"][-1]
    assert (again["label"], again["search"], again["again"]) == ("Try again", "qwen", True)
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    assert offer("qwen", hub=True)["said"] == found["said"]  # a server in trouble is not asked at once
    assert offer("qwen", hub=True, again=True)["choices"][0]["value"] == "acme/qwen-late"


def uploaded(content: bytes, name: str, key: str = "model", kind: str = "application/octet-stream") -> Answered:
    return send(APP, content, "/find/file", f"key={key}&name={name}&link={quote(LINK)}", content_type=kind)


def test_files_are_kept_and_offered() -> None:
    config = json.dumps(catalogue()[LLAMA].config).encode()
    header, _ = gguf_file(LLAMA, "IQ4_XS")
    for content, name in ((config, "config.json"), (header + bytes(1000), "mine-IQ4_XS.gguf")):
        found = json.loads(uploaded(content, name).body)
        value = query_of(taken(found))["model"]
        assert value.startswith("upload-")
        assert name_of_upload(value) == name


@pytest.mark.parametrize(
    ("content", "name", "status", "message"),
    [
        (gguf_file(LLAMA)[0][:9000], "cut.gguf", 400, "cut.gguf ends within its header"),
        (b"{", "config.json", 400, "config.json is not valid JSON"),
        (b'{"architectures": ["New"]}', "config.json", 400, "not known to this version"),
        (b"text", "x.gguf", 400, "not a GGUF file"),
        (bytes((20 << 20) + 1), "big.gguf", 400, "That is larger than 20.0 MiB"),
    ],
)
def test_a_file_that_is_no_model_is_refused_in_one_sentence(
    content: bytes, name: str, status: int, message: str
) -> None:
    found = uploaded(content, name)
    assert found.status == status
    assert message in json.loads(found.body)["said"]


def test_nothing_else_is_taken() -> None:
    assert uploaded(b"{}", "config.json", kind="text/plain").status == 415  # as a form of another site could send it
    assert uploaded(b"{}", "config.json", key="machine").status == 400
    assert answered("x", "level").status == 400
    assert answered("x", more="y").status == 400
    assert send(APP, b"{", "/find").status == 400
    assert send(APP, b" " * (1 << 17), "/find").status == 400
    assert ask(APP, "/find").status == 405


@pytest.mark.parametrize("words", ["<script>alert(1)</script>", "x" * 5000, "\x00\u202e", "{", "../..", "%%"])
def test_whatever_is_typed_gets_an_answer(words: str) -> None:
    for key in ("model", "machine", "draft", "other_machine"):
        assert len(offer(words, key)["choices"]) < 12


@pytest.mark.parametrize("link", ["", "model=nope", "machine=nope&gpus=x", "a=b&a=b", "x" * 20_000, "%ff"])
def test_a_bad_link_spoils_no_choice(link: str) -> None:
    found = offer("gpt-oss 20b", link=link)
    assert query_of(taken(found))["model"] == "gpt-oss-20b"


def test_a_draft_model_can_be_taken_back() -> None:
    link = LINK + "&draft=llama-3.2-1b-instruct"
    none = next(one for one in offer("", "draft", link=link)["choices"] if one["label"] == "No draft model")
    assert "draft" not in query_of(none)
    assert query_of(taken(offer("llama 3.2 1b", "draft", link=LINK)))["draft"] == "llama-3.2-1b-instruct"


def test_a_picker_is_a_labelled_combobox_and_escapes_what_it_shows() -> None:
    html = picker_html("model", "Model", '"><img src=x onerror=alert(1)>')
    assert "<img" not in html
    assert 'role="combobox"' in html
    assert 'for="pick-model"' in html
    assert 'aria-controls="pick-model-list"' in html
    assert 'type="file"' in html
    assert 'type="file"' not in picker_html("machine", "Machine", "x")
    assert 'type="file"' not in picker_html("model", "Model", "x", column=0)  # there is no room for its words
    left, right = (picker_html("model", "Model", "x", column=column) for column in (1, 2))
    assert 'id="pick-model-1"' in left
    assert 'id="pick-model-2"' in right
    assert "<b>" not in search_button("<b>", "<b>")
    assert machine_label("rtx-3090", 2) == "2 x GeForce RTX 3090"
    assert machine_label("custom") == "Custom machine"
