"""Models for a machine and Compare, in a real browser against the real server; a buyer's way is among the journeys."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from advisor.answer.models_for_machine import models_on
from advisor.question.question import Question
from advisor.report.columns import COLUMNS_KEY
from tests.browser.visits import LOOKED_THROUGH, Open, Visit, sync_api

pytestmark = pytest.mark.browser

BESIDE = "machine~rtx-5090~~model~qwen3-32b~machine~rtx-4090"


def query(one: Visit) -> str:
    return str(urlsplit(one.page.url).query)


def test_a_model_of_the_list_opens_without_a_reload_and_back_returns(visit: Open) -> None:
    one = visit(f"/compare?{LOOKED_THROUGH}")
    one.mark()
    one.page.get_by_role("link", name="Models for a machine").click()
    table = one.page.locator("#root .rows tbody tr")
    rows = models_on(Question.from_query(LOOKED_THROUGH))
    running = [row for row in rows if row.chosen is not None]
    sync_api.expect(one.page.get_by_text(f"{len(running)} of {len(rows)} models run")).to_be_visible()
    one.settle()
    find = one.page.get_by_role("textbox", name="Find")
    find.fill("qwen3 14b")
    find.press("Enter")
    row = next(row for row in running if row.entry.id == "qwen3-14b")
    link = one.page.get_by_role("link", name=row.entry.name, exact=True)
    sync_api.expect(table).to_have_count(1)
    link.click()
    one.expect_answer(row.question.to_query())
    assert Question.from_query(query(one)) == row.question
    one.page.go_back()
    sync_api.expect(one.page.get_by_role("heading", name="Models for a machine")).to_be_visible()
    sync_api.expect(table).to_have_count(1)
    assert query(one) == LOOKED_THROUGH
    one.page.get_by_text("Quality kept, level by level").click()
    one.page.locator(".js-plotly-plot .main-svg").first.wait_for()
    assert one.is_same_document()
    assert not one.messages()


def test_a_comparison_lives_in_its_address_and_becomes_a_pdf(visit: Open) -> None:
    one = visit(f"/compare?{LOOKED_THROUGH}&{COLUMNS_KEY}={BESIDE}")
    names = ["A: Qwen3 14B on 2 x GeForce RTX 3090", "B: Qwen3 14B on GeForce RTX 5090"]
    sync_api.expect(heads(one)).to_have_text(["What", *names, "C: Qwen3 32B on GeForce RTX 4090"])
    machine = one.page.locator(".st-key-column_1").get_by_role("combobox", name="Machine")
    machine.focus()
    one.page.keyboard.press("ControlOrMeta+a")
    one.page.keyboard.type("GeForce RTX 3090 Ti")
    one.page.keyboard.press("Enter")
    changed = "C: Qwen3 32B on GeForce RTX 3090 Ti"
    sync_api.expect(heads(one)).to_have_text(["What", *names, changed])
    one.settle()
    assert "rtx-3090-ti" in one.query()[COLUMNS_KEY]
    with one.page.expect_download() as download:
        one.page.get_by_role("button", name="PDF of this comparison").click()
    assert Path(download.value.path()).read_bytes().startswith(b"%PDF")

    copy = one.page.get_by_role("button", name="Copy: the link of this comparison")
    copy.click()
    sync_api.expect(copy).to_have_text("Copied")
    one.go(one.copied().removeprefix(one.address))
    sync_api.expect(heads(one)).to_have_text(["What", *names, changed])
    one.page.get_by_role("button", name="Remove B").click()
    sync_api.expect(heads(one)).to_have_text(["What", names[0], changed.replace("C:", "B:")])
    one.page.go_back()
    sync_api.expect(heads(one)).to_have_text(["What", *names, changed])


def heads(one: Visit) -> object:
    return one.page.locator("#root .rows thead th")
