"""Sharing in a real browser: freeze, open elsewhere, delete; reports on paper and on a phone; files there and back."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from pypdf import PdfReader

from advisor.ui.ownership import OWNER_COOKIE
from tests.browser.visits import Open, Visit, sync_api
from tests.conftest import wait_until_still

pytestmark = pytest.mark.browser

QUERY = "model=gpt-oss-20b&machine=rtx-4090&users=2"
TITLE = "<b>Bold</b> **stars** =1+1 $x$"


def link_to(one: Visit, part: str) -> str:
    """The path of the first link shown that holds `part`."""
    shown = one.page.locator("[data-testid=stCode]").filter(has_text=part).first
    shown.wait_for()
    link = urlsplit(shown.inner_text().strip())
    return f"{link.path}?{link.query}" if link.query else link.path


def owner_cookies(one: Visit) -> list[Any]:
    return [cookie for cookie in one.page.context.cookies() if cookie["name"] == OWNER_COOKIE]


def report(one: Visit) -> list[str]:
    """What a report says: its decision, its figures and its tables."""
    parts = (".decision", ".figures", "table")
    return [text for part in parts for text in one.page.locator(part).all_inner_texts() if text]


def test_freeze_open_elsewhere_and_delete(visit: Open) -> None:
    # With an input that no page has drawn in the browser yet: it is behind More.
    mine = visit(f"/report?{QUERY}&device_price=1500", alone=True)
    live = link_to(mine, "/r?")
    mine.page.get_by_text("Title, names, note and logo", exact=True).click()
    title = mine.page.get_by_label("Title", exact=True)
    title.fill(TITLE)
    title.press("Enter")
    mine.settle()
    assert owner_cookies(mine) == []  # nobody gets one for reading
    mine.page.get_by_role("button", name="Freeze").click()
    mine.page.get_by_text("Frozen. The link:").wait_for()
    path = link_to(mine, "/s/")
    assert re.fullmatch(r"/s/[A-Za-z0-9]{16}", path)
    # The owner's secret is out of reach of scripts.
    assert [cookie["httpOnly"] for cookie in owner_cookies(mine)] == [True]

    theirs = visit(path, alone=True)
    assert theirs.page.locator("h1").inner_text() == TITLE
    frozen = report(theirs)
    assert owner_cookies(theirs) == []
    theirs.read(live)
    assert report(theirs) == frozen != []
    theirs.go(f"/report?{QUERY}")  # nobody else lists or deletes it
    theirs.page.get_by_role("heading", name="Freeze this recommendation").wait_for()
    assert theirs.page.get_by_text("Your frozen links").count() == 0

    mine.page.reload()  # a new visit with the same browser
    mine.page.get_by_text("Your frozen links (1)").click()
    delete = mine.page.get_by_role("button", name="Delete")
    wait_until_still(mine.page, delete)
    delete.click()
    mine.page.get_by_text("Your frozen links").wait_for(state="detached")
    theirs.read(path)
    sync_api.expect(theirs.page.locator("main")).to_contain_text("was deleted by its owner")


def test_files_come_down_and_a_question_goes_up_again(visit: Open, tmp_path: Path) -> None:
    one = visit(f"/report?{QUERY}&context=4096&currency=CHF&min_quality=90")
    for button, start in (
        ("PDF", b"%PDF-"),
        ("All levels as CSV", b"model,machine,level"),
        ("Everything as JSON", b"{"),
    ):
        with one.page.expect_download() as download:
            one.page.get_by_role("button", name=button, exact=True).click()
        content = Path(download.value.path()).read_bytes()
        assert content.startswith(start)
        assert download.value.suggested_filename.startswith("gpt-oss-20b-on-geforce-rtx-4090.")
    with one.page.expect_download() as download:
        one.page.get_by_role("button", name="Scenario as YAML", exact=True).click()
    file = tmp_path / "scenario.yaml"
    download.value.save_as(file)

    one.follow("/report?model=llama-3.1-8b-instruct&machine=rtx-5090&users=7&gpus=2&level=Q4_K_M")
    one.page.locator("[data-testid=stFileUploader] input").last.set_input_files(str(file))
    one.page.get_by_role("button", name="Use this scenario").click()
    one.expect_query(dict(parse_qsl(f"{QUERY}&context=4096&currency=CHF&min_quality=90")))


def test_the_report_fits_a_phone_and_paper_and_needs_no_script(visit: Open) -> None:
    one = visit(f"/r?{QUERY}", java_script_enabled=False)
    assert len(one.requests) == 1
    printed = " ".join(sheet.extract_text() for sheet in PdfReader(BytesIO(one.page.pdf(format="A4"))).pages)
    assert "Words used" in printed
    assert "Download PDF" not in printed
    one.page.set_viewport_size({"width": 390, "height": 844})
    assert one.too_wide() <= 0
    assert not one.page.locator("input, select, textarea").count()
    bar = one.page.locator(".memory tbody rect").first.bounding_box()
    assert bar is not None
    assert bar["width"] > 40, "a bar that can be seen"
    one.page.get_by_role("link", name="Open in the dashboard").click()
    assert dict(parse_qsl(urlsplit(one.page.url).query)) == dict(parse_qsl(QUERY))
