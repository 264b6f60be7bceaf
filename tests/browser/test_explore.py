"""From a machine to a model, to a machine for it, and on to a comparison, in a real browser against the real server."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from tests.browser.visits import Open, sync_api

pytestmark = pytest.mark.browser


def test_from_a_machine_to_a_model_and_on_to_a_comparison(visit: Open) -> None:
    one = visit("/compare?machine=rtx-3060-12gb&context=4096")
    one.mark()
    one.page.get_by_role("link", name="Models for a machine").click()
    models = one.page.get_by_role("region", name=re.compile("models that run on GeForce RTX 3060"))
    sync_api.expect(models.locator("tbody tr").nth(5)).to_be_visible()
    one.settle()
    find = one.page.get_by_role("textbox", name="Find")
    find.fill("qwen3 14b")
    find.press("Enter")
    sync_api.expect(models.locator("tbody tr")).to_have_count(1)
    one.settle()
    link = models.get_by_role("link", name="Qwen3 14B")
    asked = str(link.get_attribute("href")).partition("?")[2]
    assert parse_qs(asked)["machine"] == ["rtx-3060-12gb"]
    assert parse_qs(asked)["context"] == ["4096"]
    link.click()
    one.expect_answer(asked)  # the same is asked there

    one.page.get_by_role("link", name="Machines for a model").click()
    buy = one.page.get_by_role("region", name="Buy")
    link = buy.get_by_role("link")
    name, asked = link.inner_text(), str(link.get_attribute("href")).partition("?")[2]
    assert parse_qs(asked)["model"] == ["qwen3-14b"]
    one.settle()
    link.click()
    one.expect_answer(asked)
    sync_api.expect(one.page.locator("#root .verdict").first).to_contain_text(f"Qwen3 14B on {name}")

    one.page.get_by_role("link", name="Compare", exact=True).click()
    one.page.get_by_role("button", name="Add the question above").click()
    one.page.get_by_role("button", name="Remove B").wait_for()
    one.settle()
    one.page.get_by_role("combobox", name="Machine", exact=True).last.fill("rtx 4090")
    one.page.get_by_role("option", name="GeForce RTX 4090", exact=True).click()
    table = one.page.get_by_role("region", name="2 questions side by side")
    sync_api.expect(table.get_by_role("link", name=re.compile("Qwen3 14B on GeForce RTX 4090"))).to_be_visible()
    assert "columns" in one.query()
    copy = one.page.get_by_role("button", name="Copy: the link of this comparison")
    copy.click()
    sync_api.expect(copy).to_have_text("Copied")
    assert one.copied() == one.page.url
    with one.page.expect_download() as download:
        one.page.get_by_role("button", name="PDF of this comparison").click()
    assert Path(download.value.path()).read_bytes().startswith(b"%PDF-")
    assert one.is_same_document()
    assert not one.messages()
