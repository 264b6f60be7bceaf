"""Searching the Hub over real sockets, and everything that can be in its way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from huggingface_hub import constants

from advisor.foundation.errors import InputError
from advisor.sources import search as module
from advisor.sources.hub_errors import HubUnreachable
from advisor.sources.search import MOST_HITS, Search, search_hub
from tests.support.hub_server import FakeHub


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with FakeHub() as running:
        yield running


def test_language_models_are_found_by_words_in_the_order_asked_for(hub: FakeHub) -> None:
    hub.add("a/Some-Llama", {}, info={"downloads": 5, "trendingScore": 9})
    hub.add("a/Some-Llama-GGUF", {}, info={"downloads": 50, "tags": ["gguf"], "pipeline_tag": None})
    hub.add("a/llama-vision", {}, info={"downloads": 70, "pipeline_tag": "image-text-to-text"}, gated=True)
    hub.add("a/llama-picture", {}, info={"downloads": 90, "pipeline_tag": "text-to-image"})
    hub.add("a/other", {})
    found = search_hub(Search("llama"), hub.url)
    assert [hit.repository for hit in found] == ["a/llama-vision", "a/Some-Llama-GGUF", "a/Some-Llama"]
    assert [(hit.downloads, hit.gated, hit.gguf) for hit in found] == [
        (70, True, False),
        (50, False, True),
        (5, False, False),
    ]
    assert search_hub(Search("some llama", "trending"), hub.url)[0].repository == "a/Some-Llama"
    assert search_hub(Search("nothing like it"), hub.url) == ()
    assert len(hub.requests) == 3


def test_results_are_few(hub: FakeHub) -> None:
    for number in range(100):
        hub.add(f"a/m{number}", {})
    assert len(search_hub(Search("", "trending"), hub.url)) == MOST_HITS == 8  # what a picker shows without scrolling


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("401", "does not accept the token of this server: renew HF_TOKEN"),
        ("403", "HF_TOKEN"),
        ("429", "asks to wait"),
        ("500", "error 500"),
        ("503", "error 503"),
        ("drop", "Offline"),
        ("garbage", "makes no sense"),
        ("hang", "does not answer"),
    ],
)
def test_trouble_is_one_sentence(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch, fault: str, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "hf_" + "S" * 30
    monkeypatch.setenv("HF_TOKEN", secret)
    monkeypatch.setattr(module, "_TIMEOUT_S", 0.5)
    hub.search_fault = fault
    with pytest.raises(InputError, match=message) as caught:
        search_hub(Search("llama"), hub.url)
    assert "\n" not in str(caught.value)
    assert secret not in str(caught.value) + caplog.text
    assert "127.0.0.1" not in str(caught.value)
    assert len(hub.requests) <= 1  # nothing is tried again and again


def test_without_a_network_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HubUnreachable, match="Offline: the Hub cannot be reached; the catalogue works"):
        search_hub(Search("llama"), "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(HubUnreachable, match="HF_HUB_OFFLINE is set"):
        search_hub(Search("llama"), "http://127.0.0.1:9")
