"""Models from elsewhere, in a real browser against the real server and a small Hub."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from advisor.models.catalogue import catalogue
from tests.browser.test_fit import Open, Visit
from tests.conftest import dashboard
from tests.support.hub_server import COMMIT, FakeHub
from tests.support.model_files import gguf_file
from tests.unit.sources.test_hub import LLAMA, files_of

sync_api = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.browser

CONFIG = json.dumps(catalogue()[LLAMA].config)


@pytest.fixture(scope="module")
def hub() -> Iterator[FakeHub]:
    with FakeHub() as running:
        running.add("acme/Some-Eight", files_of(LLAMA), info={"downloads": 8_100_000})
        files = {f"Some-Eight-{level}.gguf": gguf_file(LLAMA, level) for level in ("Q8_0", "Q4_K_M", "Q2_K")}
        running.add("acme/Some-Eight-GGUF", files, info={"downloads": 90_000, "tags": ["gguf"]})
        running.add("acme/Gated", files_of(LLAMA), gated=True)
        running.add("acme/Silent", files_of(LLAMA), file_fault="hang")
        yield running


@pytest.fixture(scope="module")
def address(hub: FakeHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("models")
    environment = {
        "LLM_FIT_ADVISOR_CACHE": str(folder / "cache"),
        "HF_TOKEN_PATH": str(folder / "none"),
        "HF_TOKEN": "",
    }
    with dashboard(folder / "log.txt", HF_ENDPOINT=hub.url, HF_HUB_DISABLE_TELEMETRY="1", **environment) as running:
        yield running


@pytest.fixture
def visit(chromium: Any, address: str) -> Iterator[Open]:
    visits: list[Visit] = []

    def open_page(path: str, **context: Any) -> Visit:
        visits.append(Visit(chromium, address, **context))
        return visits[-1].go(path)

    yield open_page
    for one in visits:
        one.context.close()
        foreign = [url for url in one.requests if not url.startswith((address, "data:", "blob:"))]
        assert not foreign, "asked somebody else"
        assert not one.complaints


def type_model(one: Visit, text: str) -> None:
    """Type into the box for the model and press Enter."""
    one.page.get_by_role("combobox", name="Model", exact=True).focus()
    one.page.keyboard.press("ControlOrMeta+a")
    one.page.keyboard.insert_text(text)
    sync_api.expect(one.page.get_by_role("option").first).to_have_text(f"Add: {text}")
    one.page.keyboard.press("Enter")
    one.settle()


def expect_title(one: Visit, text: str) -> None:
    sync_api.expect(one.page.locator("h1")).to_have_text(text)


def test_words_find_a_repository_on_the_hub_and_back_leads_back(visit: Open) -> None:
    one = visit("/?context=4096")
    type_model(one, "some eight")
    found = one.page.get_by_role("radio", name="acme/Some-Eight", exact=True)
    sync_api.expect(one.page.get_by_text("8.1 M downloads")).to_be_visible()
    one.page.get_by_text("acme/Some-Eight", exact=True).click()
    one.settle()
    expect_title(one, "Some-Eight on GeForce RTX 4090")
    one.expect_query({"model": "acme/Some-Eight", "context": "4096"})
    sync_api.expect(one.page.get_by_text("Verified against the repository's own tensors")).to_be_visible()
    sync_api.expect(found).to_have_count(0)
    one.page.go_back()
    one.settle()
    expect_title(one, "Llama 3.1 70B Instruct on GeForce RTX 4090")
    one.page.go_forward()
    one.settle()
    expect_title(one, "Some-Eight on GeForce RTX 4090")
    assert not one.messages()


def test_a_click_on_a_file_sizes_it_from_its_own_header(visit: Open, hub: FakeHub) -> None:
    one = visit("/?model=acme/Some-Eight-GGUF")
    expect_title(one, "Some-Eight-GGUF on GeForce RTX 4090")
    table = one.page.locator("[class*=st-key-published_]")
    one.chart()
    table.locator("canvas").first.wait_for()
    one.settle()
    second = {"x": 16, "y": 35 * 2.5}  # below the header and the first file
    table.locator("[data-testid=stDataFrameResizable]").click(position=second)
    one.settle()
    file = f"https://huggingface.co/acme/Some-Eight-GGUF/blob/{COMMIT}/Some-Eight-Q4_K_M.gguf"
    one.expect_query({"model": file})
    sync_api.expect(one.page.locator(".st-key-verdict h2")).to_have_text("Q4_K_M (this file) ✔ good")
    sync_api.expect(one.page.get_by_text("exactly, by its own header")).to_be_visible()
    requests = len(hub.requests)
    again = visit(one.page.url.removeprefix(one.address))
    sync_api.expect(again.page.locator(".st-key-verdict h2")).to_have_text("Q4_K_M (this file) ✔ good")
    assert len(hub.requests) == requests  # by commit: nothing to ask for
    one.page.get_by_role("button", name="All files of acme/Some-Eight-GGUF").click()
    one.settle()
    one.expect_query({"model": f"acme/Some-Eight-GGUF@{COMMIT}"})


def test_a_config_is_uploaded_and_its_link_opens_elsewhere(visit: Open, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(CONFIG)
    one = visit("/?machine=rtx-5090")
    one.page.get_by_text("Upload a file, paste a config").click()
    one.page.locator("input[type=file]").set_input_files(str(path))
    expect_title(one, "config.json on GeForce RTX 5090")
    one.settle()
    assert "model=upload-" in one.page.url
    other = visit(one.page.url.removeprefix(one.address))
    expect_title(other, "config.json on GeForce RTX 5090")
    assert not other.messages()
    one.choose("Model", "qwen2.5 7b", "Qwen2.5 7B Instruct")
    one.expect_query({"model": "qwen2.5-7b-instruct", "machine": "rtx-5090"})


def test_sizes_links_and_what_is_refused(visit: Open) -> None:
    one = visit("/")
    type_model(one, "8x7B")
    expect_title(one, "typical 8x7B on GeForce RTX 4090")
    type_model(one, "https://huggingface.co/acme/Some-Eight/tree/main?x=1")
    expect_title(one, "Some-Eight on GeForce RTX 4090")
    one.expect_query({"model": "acme/Some-Eight@main"})
    type_model(one, "https://192.168.0.1/model.gguf")
    sync_api.expect(one.page.get_by_text("leads to a private or local network")).to_be_visible()
    one.expect_query({"model": "acme/Some-Eight@main"})
    expect_title(one, "Some-Eight on GeForce RTX 4090")


def test_a_bad_link_is_repaired(visit: Open) -> None:
    one = visit("/?model=https%3A%2F%2Fuser%3Ahf_secret%40huggingface.co%2Facme%2FSome-Eight%3Fx%3D1")
    expect_title(one, "Some-Eight on GeForce RTX 4090")
    one.expect_query({"model": "acme/Some-Eight"})
    one.enter("Context per user", "4096")
    one.expect_query({"model": "acme/Some-Eight", "context": "4096"})
    type_model(one, "70B")
    one.expect_query({"model": "70B", "context": "4096"})
    assert "hf_secret" not in one.page.content()


@pytest.mark.parametrize(("model", "scheme"), [("acme/Some-Eight-GGUF", "light"), ("acme/Gated", "dark")])
def test_accessibility(visit: Open, scheme: str, model: str) -> None:
    one = visit(f"/?model={model}", color_scheme=scheme)
    type_model(one, "some")
    sync_api.expect(one.page.get_by_role("radio").first).to_be_attached()
    one.page.get_by_text("Upload a file, paste a config").click()
    one.settle()
    # Streamlit's own drop zone: a "presentation" that can take the focus.
    assert [found for found in one.accessibility_violations() if "stFileUploaderDropzone" not in found] == []


def test_a_phone_shows_published_files_without_scrolling_sideways(visit: Open) -> None:
    one = visit("/?model=acme/Some-Eight-GGUF", viewport={"width": 390, "height": 844})
    one.page.get_by_role("heading", name="Published files").scroll_into_view_if_needed()
    one.settle()
    wide = "(main => main.scrollWidth - main.clientWidth)(document.querySelector('[data-testid=stMain]'))"
    assert one.page.evaluate(wide) == 0
    assert one.page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0


def test_a_hub_that_never_answers_leaves_the_page_usable(visit: Open) -> None:
    one = visit("/?model=acme/Silent")
    # It says so for two seconds, then the Hub is given up; a slow browser shows the second sentence only.
    told = re.compile("it goes on in the background|The Hub does not answer")
    sync_api.expect(one.page.get_by_text(told).first).to_be_visible()
    one.choose("Model", "qwen2.5 7b", "Qwen2.5 7B Instruct")
    expect_title(one, "Qwen2.5 7B Instruct on GeForce RTX 4090")
