"""The reverse questions and Compare, in a real browser against the real server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from advisor.answer.machines_for_model import cheapest_of, machines_for
from advisor.answer.models_for_machine import models_on
from advisor.foundation.numbers import money
from advisor.question.question import Question
from advisor.report.columns import COLUMNS_KEY
from advisor.ui.parts.text import status_words
from tests.browser import test_fit as test_browser
from tests.browser.test_fit import Open, Visit, sync_api

pytestmark = pytest.mark.browser

PAGES = ("models-for-a-machine", "machines-for-a-model", "compare")
# Streamlit looks for its server below a page's own path first.
EXPECTED_404 = re.compile(rf"/({'|'.join(PAGES)})/_stcore/(health|host-config)$")
WIDER = "(main => main.scrollWidth - main.clientWidth)(document.querySelector('[data-testid=stMain]'))"
START = "model=llama-3.3-70b-instruct&machine=rtx-3090&gpus=2"  # what the start page asks
BESIDE = "machine~rtx-5090~~model~qwen3-32b~machine~rtx-4090"


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


def tried(one: Visit) -> None:
    """Wait until the catalogue was looked through."""
    one.page.locator(".rows table").first.wait_for()
    one.settle()


def query(one: Visit) -> str:
    return str(urlsplit(one.page.url).query)


def test_a_buyer_gets_from_the_start_page_to_a_machine_and_its_price(visit: Open) -> None:
    one = visit("/")
    one.page.get_by_role("link", name="Machines for a model").click()
    tried(one)
    found = machines_for(Question.from_query(START))
    within = [row for row in found.machines if row.chosen.costs and row.chosen.costs.own]
    within = [
        row for row in within if row.chosen.costs and row.chosen.costs.own and row.chosen.costs.own.upfront <= 2000
    ]
    best = cheapest_of(within, lambda row: row.chosen.own_monthly)
    assert best is not None
    assert best is not cheapest_of(found.machines, lambda row: row.chosen.own_monthly)
    budget = one.page.get_by_role("spinbutton", name="At most, to buy")
    budget.fill("2000")
    budget.press("Enter")
    card = one.page.get_by_role("region", name="Buy")
    sync_api.expect(card.get_by_role("link")).to_have_text(best.name)
    sync_api.expect(card).to_contain_text(f"{money(best.chosen.own_monthly or 0)} USD a month")
    card.get_by_role("link").click()
    sync_api.expect(one.page.locator("h1")).to_have_text(f"{best.chosen.level} {status_words(best.option.status)}")
    assert Question.from_query(query(one)) == best.question
    assert len(one.context.pages) == 1  # four actions, one tab
    assert not one.messages()


def test_a_model_of_the_list_opens_in_the_same_tab_and_back_returns(visit: Open) -> None:
    one = visit(f"/models-for-a-machine?{START}")
    tried(one)
    rows = models_on(Question.from_query(START))
    running = [row for row in rows if row.chosen is not None]
    sync_api.expect(one.page.get_by_text(f"{len(running)} of {len(rows)} models run")).to_be_visible()
    one.page.get_by_role("textbox", name="Find").fill("qwen3 14b")
    one.page.get_by_role("textbox", name="Find").press("Enter")
    row = next(row for row in running if row.entry.id == "qwen3-14b")
    level = row.chosen.level if row.chosen is not None else ""
    link = one.page.get_by_role("link", name=row.entry.name, exact=True)
    sync_api.expect(one.page.locator(".rows tbody tr")).to_have_count(1)
    link.click()
    sync_api.expect(one.page.locator("h1")).to_have_text(f"{level} {status_words(row.status)}")
    assert Question.from_query(query(one)) == row.question
    one.page.go_back()
    sync_api.expect(one.page.get_by_role("heading", name="Models for a machine")).to_be_visible()
    tried(one)
    assert query(one) == START
    one.page.get_by_text("Quality kept, level by level").click()
    one.chart()


def test_a_comparison_lives_in_its_address_and_becomes_a_pdf(visit: Open) -> None:
    one = visit(f"/compare?{START}&{COLUMNS_KEY}={BESIDE}")
    heads = one.page.locator(".rows thead th")
    names = ["Llama 3.3 70B Instruct on 2 x GeForce RTX 3090", "Llama 3.3 70B Instruct on GeForce RTX 5090"]
    third = "Qwen3 32B on GeForce RTX 4090"
    sync_api.expect(heads).to_have_text(["What", f"A: {names[0]}", f"B: {names[1]}", f"C: {third}"])
    machine = one.page.locator(".st-key-column_1").get_by_role("combobox", name="Machine")
    machine.focus()
    one.page.keyboard.press("ControlOrMeta+a")
    one.page.keyboard.type("GeForce RTX 3090 Ti")
    one.page.keyboard.press("Enter")
    changed = "Qwen3 32B on GeForce RTX 3090 Ti"
    sync_api.expect(heads).to_have_text(["What", f"A: {names[0]}", f"B: {names[1]}", f"C: {changed}"])
    one.settle()
    assert "rtx-3090-ti" in parse_qs(query(one))[COLUMNS_KEY][0]

    with one.page.expect_download() as download:
        one.page.get_by_role("button", name="PDF of this comparison").click()
    assert Path(download.value.path()).read_bytes().startswith(b"%PDF")

    copied = one.page.get_by_label("the link of this comparison", exact=True).inner_text()
    other = visit(copied.removeprefix(one.address))
    sync_api.expect(other.page.locator(".rows thead th")).to_have_text(
        ["What", f"A: {names[0]}", f"B: {names[1]}", f"C: {changed}"]
    )
    other.page.get_by_role("button", name="Remove B").click()
    sync_api.expect(other.page.locator(".rows thead th")).to_have_text(["What", f"A: {names[0]}", f"B: {changed}"])
    other.page.go_back()
    sync_api.expect(other.page.locator(".rows thead th")).to_have_count(4)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_fit_a_phone_and_are_accessible(visit: Open, scheme: str) -> None:
    one = visit(f"/compare?{START}", viewport={"width": 390, "height": 844}, color_scheme=scheme)
    for path in PAGES:
        one.page.goto(f"{one.address}/{path}?{START}&{COLUMNS_KEY}={BESIDE}")
        tried(one)
        assert one.page.evaluate(WIDER) == 0, path
        assert one.accessibility_violations() == [], path
        sync_api.expect(one.page.get_by_role("region").first).to_be_visible()
