"""page.js in a real browser, on an app that is as small as can be: what it does depends on Streamlit's own page."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.conftest import dashboard

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def small_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An app with our start page around a page of a few lines; its address."""
    with dashboard(
        tmp_path_factory.mktemp("small") / "log.txt",
        "tests/support/small_app/app.py",
        STREAMLIT_BROWSER_GATHER_USAGE_STATS="false",
        PYTHONPATH=".",
    ) as address:
        yield address


@pytest.fixture
def page(chromium: Any, small_app: str) -> Iterator[Any]:
    context = chromium.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if "Content Security" in said.text else None)
    page.goto(small_app)
    expect(page.locator("#asked")).to_have_text("main 0, run 1")
    yield page
    assert errors == []
    context.close()


def test_links_ask_without_a_reload_and_back_restores_the_question(page: Any) -> None:
    page.evaluate("window.sameDocument = true")
    page.get_by_role("link", name="One").click()
    expect(page.locator("#asked")).to_have_text("main 1, run 2")
    page.get_by_role("link", name="Two").click()
    expect(page.locator("#asked")).to_have_text("main 2, run 3")
    assert page.url.endswith("/?n=2")
    page.get_by_role("link", name="Other").click()
    expect(page.locator("#asked")).to_have_text("other 3, run 4")
    assert page.url.endswith("/other?n=3")
    page.go_back()
    expect(page.locator("#asked")).to_have_text("main 2, run 5")
    page.go_back()
    expect(page.locator("#asked")).to_have_text("main 1, run 6")
    page.go_forward()
    expect(page.locator("#asked")).to_have_text("main 2, run 7")
    assert page.evaluate("window.sameDocument")


def test_links_of_the_first_answer_load_a_page_as_streamlit_knows_none_yet(page: Any) -> None:
    page.evaluate(
        """() => {
            window.sameDocument = true;
            const early = '<main id="first-answer"><a data-go="1" href="/other?n=3">Early</a></main>';
            document.body.insertAdjacentHTML("afterbegin", early);
        }"""
    )
    page.get_by_role("link", name="Early").click()
    expect(page.locator("#asked")).to_have_text("other 3, run 1")
    assert not page.evaluate("window.sameDocument === true")


def test_a_click_with_control_opens_another_tab(page: Any) -> None:
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="One").click(modifiers=["Control"])
    expect(opened.value.locator("#asked")).to_have_text("main 1, run 1")
    assert "n=1" not in page.url


def test_buttons_copy_and_say_so_for_a_moment(page: Any) -> None:
    button = page.get_by_role("button", name="Copy: the command")
    button.click()
    expect(button).to_have_text("Copied")
    expect(page.get_by_role("status").filter(has_text="Copied")).to_have_count(1)
    assert page.evaluate("navigator.clipboard.readText()") == "llama-server -m <file>\n"
    expect(button).to_have_text("Copy")
    page.get_by_role("button", name="Value").click()
    assert page.evaluate("navigator.clipboard.readText()") == "the value"


def test_the_first_answer_goes_when_the_real_one_is_there(page: Any, small_app: str) -> None:
    with page.expect_response(lambda response: response.url == f"{small_app}/?n=1") as answered:
        page.goto(f"{small_app}/?n=1")
    assert "First answer to 3 letters" in answered.value.text()
    expect(page.locator("#asked")).to_have_text("main 1, run 1")
    expect(page.locator("#first-answer")).to_have_count(0)


def test_a_kept_machine_is_offered_with_the_current_question(page: Any) -> None:
    mine = page.locator("[data-kept-machine]")
    expect(mine).to_be_hidden()
    page.get_by_role("button", name="Keep").click()
    expect(mine).to_have_text("My machine: 2 x Mine")
    page.get_by_role("link", name="Two").click()
    expect(page.locator("#asked")).to_have_text(re.compile("main 2"))
    expect(mine).to_have_attribute("href", "/?n=2&machine=mine&gpus=2")  # and no key but those of machines
    mine.click()
    expect(page.locator("#asked")).to_have_text(re.compile("main 2, run 3"))
    expect(mine).to_be_hidden()  # it is in use
    page.get_by_role("link", name="One").click()
    expect(mine).to_be_visible()
    page.reload()
    expect(mine).to_be_visible()
    page.get_by_role("button", name="Forget").click()
    expect(mine).to_be_hidden()


def test_who_waits_is_told(page: Any) -> None:
    began = time.monotonic()
    page.get_by_role("link", name="Slow").click()
    expect(page.locator("#page-notice")).to_contain_text("Working it out")
    expect(page.locator("#page-notice")).to_have_text("", timeout=10_000)
    assert time.monotonic() - began > 3


def test_who_has_no_connection_is_told(chromium: Any, small_app: str) -> None:
    page = chromium.new_page()
    page.route_web_socket(re.compile("stream"), lambda socket: socket.close())
    page.goto(small_app)
    expect(page.locator("#page-notice")).to_contain_text("Waiting for the server", timeout=15_000)
    assert page.locator("#first-answer").is_visible()
    page.close()
