"""From a machine to a model and on to a comparison, in a real browser against the real server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from advisor.answer.machines_for_model import machines_for
from advisor.answer.models_for_machine import models_on
from advisor.question.question import Question
from tests.browser import test_fit as test_browser
from tests.browser.test_fit import Open, Visit, sync_api

pytestmark = pytest.mark.browser

PAGES = ("quality", "what-runs-here", "what-to-buy", "compare")
# Streamlit looks for its server below a page's own path first.
EXPECTED_404 = re.compile(rf"/({'|'.join(PAGES)})/_stcore/(health|host-config)$")
WIDER = "(main => main.scrollWidth - main.clientWidth)(document.querySelector('[data-testid=stMain]'))"


@pytest.fixture
def visit(chromium: Any, server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    monkeypatch.setattr(test_browser, "EXPECTED_404", EXPECTED_404)
    visits: list[Visit] = []

    def open_page(path: str, **context: Any) -> Visit:
        visits.append(Visit(chromium, server, **context))
        return visits[-1].go(path)

    yield open_page
    for one in visits:
        one.context.close()
        assert not one.complaints


def test_from_a_machine_to_a_model_and_on_to_a_comparison(visit: Open) -> None:
    one = visit("/compare?machine=rtx-3060-12gb&context=4096")
    one.page.get_by_role("link", name="What runs here").click()
    one.settle()
    rows = models_on(Question.from_query("machine=rtx-3060-12gb&context=4096"))
    running = [row for row in rows if row.chosen is not None]
    sync_api.expect(one.page.get_by_text(f"{len(running)} of {len(rows)} models run")).to_be_visible()
    one.chart()
    one.page.get_by_role("textbox", name="Filter by name").fill("qwen3 14b")
    one.page.get_by_role("textbox", name="Filter by name").press("Enter")
    one.settle()
    link = one.page.get_by_role("link", name="Open in Fit")
    assert "model=qwen3-14b" in link.get_attribute("href")
    assert "machine=rtx-3060-12gb" in link.get_attribute("href")

    one.page.get_by_role("link", name="What to buy").click()
    one.settle()
    found = machines_for(Question.from_query("machine=rtx-3060-12gb&context=4096"))
    assert found.cheapest is not None
    sync_api.expect(one.page.locator(".st-key-cheapest h2")).to_contain_text(found.cheapest.name)

    one.page.get_by_role("link", name="Compare", exact=True).click()
    one.settle()
    one.page.get_by_role("button", name="Add the current scenario").click()
    one.settle()
    one.choose("Machine", "rtx 4090", "GeForce RTX 4090")
    one.settle()
    sync_api.expect(one.page.get_by_role("link", name="Scenario 2")).to_be_visible()
    one.page.get_by_role("link", name="Quality", exact=True).click()
    one.settle()
    one.chart()
    sync_api.expect(one.page.get_by_text("What is said about quantization, tested")).to_be_visible()
    assert not one.messages()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_fit_a_phone_and_are_accessible(visit: Open, scheme: str) -> None:
    one = visit("/compare?model=llama-3.1-8b-instruct", viewport={"width": 390, "height": 844}, color_scheme=scheme)
    for path in PAGES:
        one.page.goto(f"{one.address}/{path}?model=llama-3.1-8b-instruct")
        one.page.wait_for_selector("h1", timeout=30_000)
        one.settle()
        assert one.page.evaluate(WIDER) == 0, path
        assert one.accessibility_violations() == [], path
