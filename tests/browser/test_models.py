"""Models and machines are picked in a real browser, against the real server and a small Hub."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from advisor.models.catalogue import catalogue
from tests.conftest import dashboard
from tests.support.hub_server import FakeHub
from tests.support.model_files import gguf_file
from tests.unit.sources.test_hub import LLAMA, files_of

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect
pytestmark = pytest.mark.browser

CONFIG = json.dumps(catalogue()[LLAMA].config, indent=1)
PATIENCE_MS = 20_000
START = "/?model=qwen3-8b&machine=rtx-4090"


@pytest.fixture(scope="module")
def hub() -> Iterator[FakeHub]:
    with FakeHub() as running:
        running.add("acme/Some-Eight", files_of(LLAMA), info={"downloads": 8_100_000})
        running.add("acme/Some-Eight-GGUF", {"Some-Eight-Q4_K_M.gguf": gguf_file(LLAMA, "Q4_K_M")})
        running.add("acme/Silent", files_of(LLAMA), file_fault="hang")
        yield running


@pytest.fixture(scope="module")
def address(hub: FakeHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("models")
    own = {
        "LLM_FIT_ADVISOR_CACHE": str(folder / "cache"),
        "LLM_FIT_ADVISOR_DATABASE": f"sqlite:///{folder / 'kept.db'}",
        "HF_TOKEN_PATH": str(folder / "none"),
        "HF_TOKEN": "",
        "HF_ENDPOINT": hub.url,
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    with dashboard(folder / "log.txt", "app.py", 0, **own) as running:
        yield running


@pytest.fixture
def visit(chromium: Any, address: str) -> Iterator[Any]:
    contexts = []
    asked: list[str] = []
    complaints: list[str] = []

    def open_page(path: str = START, **context: Any) -> Any:
        contexts.append(chromium.new_context(**context))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
        page.goto(address + path)
        expect(page.locator("#pick-model")).to_be_attached(timeout=3 * PATIENCE_MS)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == [], "asked somebody else"
    assert complaints == []


def model_of(page: Any) -> Any:
    return page.get_by_role("combobox", name="Model", exact=True)


def machine_of(page: Any) -> Any:
    return page.get_by_role("combobox", name="Machine", exact=True)


def expect_query(page: Any, part: str) -> None:
    expect(page).to_have_url(re.compile(re.escape(part)), timeout=PATIENCE_MS)


def expect_answer(page: Any, text: str) -> None:
    expect(page.locator("#root .card").first).to_contain_text(text, timeout=PATIENCE_MS)


def paste(page: Any, text: str) -> None:
    """As from another program: the browser gives the page no other way to its clipboard."""
    page.evaluate("text => navigator.clipboard.writeText(text)", text)
    page.keyboard.press("ControlOrMeta+v")


def test_typing_and_enter_are_enough_and_back_leads_back(visit: Any) -> None:
    page = visit()
    model, machine = model_of(page), machine_of(page)
    expect(model).to_have_value("Qwen3 8B")
    model.focus()
    page.keyboard.type("glm 4.5 air")
    expect(page.get_by_role("option", selected=True)).to_contain_text("GLM-4.5 Air")
    marked = model.get_attribute("aria-activedescendant")
    assert page.locator(f"#{marked}").get_attribute("aria-selected") == "true"
    expect(model).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Enter")
    expect_query(page, "model=glm-4.5-air&machine=rtx-4090")
    expect_answer(page, "GLM-4.5 Air on GeForce RTX 4090")
    expect(model).to_have_value("GLM-4.5 Air")
    expect(model).to_be_focused()  # the page drew it anew
    expect(page.get_by_role("option")).to_have_count(0)

    machine.focus()
    page.keyboard.type("3090 x2")
    page.keyboard.press("Enter")  # before the choices are there
    expect_query(page, "machine=rtx-3090&gpus=2")
    expect(machine).to_have_value("2 x GeForce RTX 3090")
    expect_answer(page, "on 2 x GeForce RTX 3090")
    page.go_back()
    expect(machine).to_have_value("GeForce RTX 4090")

    model.click()  # lists relatives; Escape puts everything back
    expect(page.get_by_role("option", selected=True)).to_contain_text("GLM-4.5 Air")
    page.keyboard.type("something else")
    page.keyboard.press("Escape")
    expect(model).to_have_value("GLM-4.5 Air")
    expect(page.get_by_role("option")).to_have_count(0)

    model.click()
    page.keyboard.type("llama")
    expect(page.get_by_role("option", selected=True)).to_contain_text("Llama")
    page.keyboard.press("ArrowUp")  # round to the last
    expect(page.get_by_role("option", selected=True)).to_contain_text("Add from the Hub")
    page.get_by_role("option", name="Llama 3.3 70B Instruct").click()
    expect_query(page, "model=llama-3.3-70b-instruct")


def test_links_sizes_and_configs_are_pasted_and_files_uploaded(visit: Any, tmp_path: Path) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    model = model_of(page)
    model.focus()
    paste(page, "https://huggingface.co/acme/Some-Eight/tree/main?x=1")
    page.keyboard.press("Enter")
    expect_query(page, "model=acme%2FSome-Eight%40main")
    expect_answer(page, "Some-Eight on GeForce RTX 4090")
    model.focus()
    paste(page, "https://192.168.0.1/model.gguf")
    expect(page.get_by_text("leads to a private or local network").last).to_be_visible()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect_query(page, "model=acme%2FSome-Eight%40main")
    model.focus()
    paste(page, CONFIG)
    expect(page.get_by_role("option", selected=True)).to_contain_text("Your config.json")
    page.keyboard.press("Enter")
    expect_query(page, "model=upload-")
    expect_answer(page, "Your config.json on GeForce RTX 4090")

    path = tmp_path / "mine-Q4_K_M.gguf"
    header, size = gguf_file(LLAMA, "Q4_K_M")
    with path.open("wb") as file:  # far larger than what is sent: its beginning
        file.write(header)
        file.truncate(size)
    page.get_by_label("Upload a GGUF file or config.json").set_input_files(str(path))
    expect(page.get_by_role("option", selected=True)).to_contain_text("mine-Q4_K_M.gguf")
    page.keyboard.press("Enter")
    expect_answer(page, "mine-Q4_K_M.gguf on GeForce RTX 4090")
    other = visit(page.url.partition(":")[2].partition("/?")[2].join(["/?", ""]))
    expect_answer(other, "mine-Q4_K_M.gguf on GeForce RTX 4090")


def test_the_hub_is_searched_in_the_same_box_and_trouble_is_one_sentence(visit: Any, hub: FakeHub) -> None:
    page = visit()
    model = model_of(page)
    model.focus()
    page.keyboard.type("some eight")
    expect(page.get_by_role("option", selected=True)).to_contain_text("Add from the Hub: search for “some eight”")
    page.keyboard.press("Enter")
    expect(page.get_by_role("option", name="acme/Some-Eight 8.1 M downloads")).to_be_visible()
    page.keyboard.press("Enter")
    expect(model).to_have_value("acme/Some-Eight")
    expect_answer(page, "Some-Eight on ")
    hub.search_fault = "500"
    try:
        model.focus()
        for words in ("first words", "other words"):
            page.keyboard.press("ControlOrMeta+a")
            page.keyboard.type(words)
            expect(page.get_by_role("option", selected=True)).to_contain_text(words)
            page.keyboard.press("Enter")
            expect(page.locator("[data-said]").first).to_have_text(re.compile("error 500"))
            expect(page.get_by_text("error 500", exact=False).and_(page.locator(":visible"))).to_have_count(2)
    finally:
        hub.search_fault = ""
    page.get_by_role("option", name="Try again").click()
    expect(page.locator("[data-said]").first).to_have_text(re.compile("no language model"))


def test_a_hub_that_never_answers_leaves_the_page_usable(visit: Any) -> None:
    page = visit("/?model=acme/Silent")
    # It says so for two seconds, then the Hub is given up; a slow browser shows the second sentence only.
    told = re.compile("it goes on in the background|The Hub does not answer")
    expect(page.get_by_text(told).first).to_be_visible(timeout=PATIENCE_MS)
    model_of(page).focus()
    page.keyboard.type("qwen2.5 7b")
    page.keyboard.press("Enter")
    expect_answer(page, "Qwen2.5 7B Instruct on ")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_it_is_accessible_and_nothing_sticks_out(visit: Any, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = visit(viewport={"width": 390, "height": 844}, color_scheme=scheme, has_touch=True)
    page.get_by_text("Change the question").tap()
    machine_of(page).tap()
    page.keyboard.type("rtx 40")
    expect(page.get_by_role("option", selected=True)).to_contain_text("GeForce RTX 40")
    found = axe.run(page, context=".st-key-bar").response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
    page.get_by_role("option").nth(1).tap()
    expect_query(page, "machine=rtx-40")
