"""Sharing in a real browser: freeze, open elsewhere, delete; reports on paper and on a phone; files there and back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from pypdf import PdfReader

from advisor.ui.ownership import OWNER_COOKIE
from tests.conftest import dashboard, settle, wait_until_still

sync_api = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.browser

PATIENCE = 60_000  # milliseconds; a busy machine is no failure
QUERY = "model=gpt-oss-20b&machine=rtx-4090&users=2"
TITLE = "<b>Bold</b> **stars** =1+1 $x$"

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A dashboard with a database of its own."""
    folder = tmp_path_factory.mktemp("share")
    database = f"sqlite:///{folder / 'advisor.sqlite3'}"
    with dashboard(folder / "log.txt", LLM_FIT_ADVISOR_DATABASE=database) as found:
        yield found


@pytest.fixture
def browse(chromium: Any, address: str) -> Iterator[Open]:
    """Opens a path in a browser profile of its own."""
    contexts: list[Any] = []
    complaints: list[str] = []

    def open_page(path: str, **options: Any) -> Any:
        contexts.append(chromium.new_context(**({"viewport": {"width": 1400, "height": 900}} | options)))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.append(request.url) if _foreign(request.url, address) else None)
        page.goto(f"{address}{path}")
        page.wait_for_selector("h1")
        settle(page)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


def _foreign(url: str, address: str) -> bool:
    return not url.startswith((address, "data:", "blob:"))


def share(page: Any) -> None:
    page.get_by_role("link", name="Share", exact=True).click()
    page.get_by_role("heading", name="Freeze this recommendation").wait_for()
    settle(page)


def link_to(page: Any, part: str) -> str:
    """The path of the first link shown that holds `part`."""
    shown = page.locator("[data-testid=stCode]").filter(has_text=part).first
    shown.wait_for()
    link = urlsplit(shown.inner_text().strip())
    return f"{link.path}?{link.query}" if link.query else link.path


def owner_cookies(page: Any) -> list[Any]:
    return [cookie for cookie in page.context.cookies() if cookie["name"] == OWNER_COOKIE]


def shown_figures(page: Any) -> list[str]:
    return [text for text in page.locator("[class*=st-key-figure_]").all_inner_texts() if text]


def test_freeze_open_elsewhere_and_delete(browse: Open) -> None:
    # With an input that no page has drawn in the browser yet: it is in a closed popover.
    mine = browse(f"/?{QUERY}&device_price=1500")
    share(mine)
    report = browse(link_to(mine, "view=report"))
    mine.get_by_text("Title, names, note and logo", exact=True).click()
    mine.get_by_label("Title", exact=True).fill(TITLE)
    mine.get_by_label("Title", exact=True).press("Enter")
    settle(mine)
    assert owner_cookies(mine) == []  # nobody gets one for reading
    mine.get_by_role("button", name="Freeze").click()
    mine.get_by_text("Frozen. The link:").wait_for()
    path = link_to(mine, "/s/")
    assert re.fullmatch(r"/s/[A-Za-z0-9]{16}", path)

    theirs = browse(path)
    assert theirs.locator("h1").inner_text() == TITLE
    assert shown_figures(theirs) == shown_figures(report) != []
    verdicts = [page.locator(".st-key-report_verdict").inner_text() for page in (theirs, report)]
    assert verdicts[0] == verdicts[1] != ""
    assert [theirs.locator("table").all_inner_texts()] == [report.locator("table").all_inner_texts()]
    # Nobody else lists or deletes it; the owner's secret is out of reach of scripts.
    assert owner_cookies(theirs) == owner_cookies(report) == []
    assert [cookie["httpOnly"] for cookie in owner_cookies(mine)] == [True]
    other = browse(f"/?{QUERY}")
    share(other)
    assert other.get_by_text("Your frozen links").count() == 0

    mine.goto(mine.url.partition("/share")[0] + f"/?{QUERY}")  # a new visit with the same browser
    mine.wait_for_selector("h1")
    share(mine)
    mine.get_by_text("Your frozen links (1)").click()
    delete = mine.get_by_role("button", name="Delete")
    wait_until_still(mine, delete)
    delete.click()
    mine.get_by_text("Your frozen links").wait_for(state="detached")
    gone = browse(path)
    assert "was deleted by its owner" in gone.locator("[data-testid=stAlert]").inner_text()


def test_files_come_down_and_a_question_goes_up_again(browse: Open, tmp_path: Path) -> None:
    page = browse(f"/?{QUERY}&context=4096&currency=CHF&min_quality=90")
    share(page)
    for button, start in (
        ("PDF", b"%PDF-"),
        ("All levels as CSV", b"model,machine,level"),
        ("Everything as JSON", b"{"),
    ):
        with page.expect_download() as download:
            page.get_by_role("button", name=button, exact=True).click()
        content = Path(download.value.path()).read_bytes()
        assert content.startswith(start)
        assert download.value.suggested_filename.startswith("gpt-oss-20b-on-geforce-rtx-4090.")
    with page.expect_download() as download:
        page.get_by_role("button", name="Scenario as YAML", exact=True).click()
    file = tmp_path / "scenario.yaml"
    download.value.save_as(file)

    other = browse("/?model=llama-3.1-8b-instruct&machine=rtx-5090&users=7&gpus=2&level=Q4_K_M")
    share(other)
    other.locator("[data-testid=stFileUploader] input").last.set_input_files(str(file))
    other.get_by_role("button", name="Use this scenario").click()
    settle(other)
    wanted = dict(parse_qsl(f"{QUERY}&context=4096&currency=CHF&min_quality=90"))
    assert dict(parse_qsl(urlsplit(link_to(other, "/?model=gpt-oss-20b")).query)) == {**wanted, "min_quality": "90"}
    other.wait_for_timeout(500)
    assert dict(parse_qsl(urlsplit(other.url).query)) == {k: v for k, v in wanted.items() if k != "machine"}


def test_the_report_fits_a_phone_and_paper(browse: Open) -> None:
    page = browse(f"/?{QUERY}&view=report", viewport={"width": 390, "height": 844})
    page.wait_for_selector(".js-plotly-plot .main-svg")
    wide = "(main => main.scrollWidth - main.clientWidth)(document.querySelector('[data-testid=stMain]'))"
    assert page.evaluate(wide) == 0
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
    assert not page.locator("[data-testid=stSidebar], [data-testid=stHeader]").filter(visible=True).count()
    assert not page.locator("input, select, textarea").count()
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    assert [(found["id"], found["nodes"][0]["html"]) for found in axe.run(page).response["violations"]] == []

    desk = browse(f"/?{QUERY}&view=report")
    desk.wait_for_selector(".js-plotly-plot .main-svg")
    printed = " ".join(sheet.extract_text() for sheet in PdfReader(BytesIO(desk.pdf(format="A4"))).pages)
    assert "Words used" in printed
    assert "Download PDF" not in printed
