"""Every page and every tab for everybody: axe finds nothing in either theme, a phone scrolls one way, keys lead on."""

from __future__ import annotations

import re
from typing import Any

import pytest

from advisor.ui.views.answer import TABS
from advisor.ui.views.how_we_know import TABS as DOUBTS
from tests.browser.visits import DESK, LOOKED_THROUGH, PHONE, Open, Visit, sync_api

pytestmark = pytest.mark.browser

# What a page shows once it is done.
PAGES = {
    "": ".verdict",
    "models-for-a-machine": ".rows",
    "machines-for-a-model": ".ways",
    "compare": ".rows",
    "report": "h1",
    "prove-it": "h1",
}
MOST_STOPS = 80


def check(one: Visit, what: str, within: str = "") -> list[str]:
    """What is wrong at a desk in both themes, and at a phone's width."""
    one.settle()
    found = one.accessibility_violations(within)
    one.page.set_viewport_size(PHONE["viewport"])
    one.settle()
    found += [f"phone: {violation}" for violation in one.accessibility_violations_of_a_phone(within)]
    if (wide := one.too_wide()) > 0:
        found.append(f"phone: {wide} pixels too wide")
    one.page.set_viewport_size(DESK["viewport"])
    return [f"{what}: {violation}" for violation in found]


def test_every_page(visit: Open) -> None:
    one = visit(f"/?{LOOKED_THROUGH}")
    found = []
    for path, ready in PAGES.items():
        columns = "&columns=machine~rtx-5090~~model~qwen3-32b~machine~rtx-4090" if path == "compare" else ""
        one.follow(f"/{path}?{LOOKED_THROUGH}{columns}")
        one.page.locator(f"#root {ready}").first.wait_for()
        found += check(one, path or "answer")
    assert found == []


def test_every_tab(visit: Open) -> None:
    one = visit(f"/?{LOOKED_THROUGH}")
    found = []
    for tab in list(TABS)[1:]:  # the first is open on the page
        found += check(one, tab, _opened(one, tab))
    one.follow(f"/how-we-know?{LOOKED_THROUGH}")
    for tab in DOUBTS:
        found += check(one, tab, _opened(one, tab))
    assert found == []


def _opened(one: Visit, tab: str) -> str:
    one.page.get_by_role("tab", name=tab, exact=True).click()
    one.page.get_by_role("tab", name=tab, exact=True, selected=True).wait_for()
    one.settle()
    return "[data-testid=stTabs]"


def test_what_opens_over_the_page(visit: Open) -> None:
    one = visit(f"/?{LOOKED_THROUGH}")
    one.open_more()
    found = []
    for group in one.page.locator(".st-key-more_group [role=radio]").all():
        group.click()
        one.settle()
        found += one.accessibility_violations("[data-testid=stPopoverBody]")
    one.page.keyboard.press("Escape")
    one.page.get_by_role("combobox", name="Model", exact=True).click()
    one.page.get_by_role("option").first.wait_for()
    found += one.accessibility_violations("[data-picker]")
    assert found == []


def test_a_report_to_read(visit: Open) -> None:
    one = visit(f"/r?{LOOKED_THROUGH}")
    found = [f"desk: {violation}" for violation in one.accessibility_violations()]
    one.page.set_viewport_size(PHONE["viewport"])
    found += [f"phone: {violation}" for violation in one.accessibility_violations_of_a_phone()]
    assert one.too_wide() <= 0
    assert found == []


# Which element the focus has just left without ever having looked different, and whether the page has come to its end.
_LOOKS = """() => {
    const SEEN = ["outline", "boxShadow", "border", "backgroundColor", "textDecoration", "color", "clipPath"];
    const looks = one => {
        const drawn = [one.nextElementSibling];
        for (let up = one; up && drawn.length < 6; up = up.parentElement) drawn.push(up);
        return drawn.filter(Boolean).map(each => SEEN.map(key => getComputedStyle(each)[key]).join()).join();
    };
    const before = window.focusedOne;
    const same = before?.isConnected && window.focusedLooks === looks(before);
    const now = document.activeElement;
    const ended = now === document.body;
    window.focusedOne = ended ? null : now;
    window.focusedLooks = ended ? "" : looks(now);
    return [ended, same ? before.outerHTML.slice(0, 200) : ""];
}"""
# Streamlit's own scroll area: it is the page.
_WHOLE_PAGE = 'data-testid="stMain"'


def test_the_keyboard_reaches_everything_sees_where_it_is_and_leaves_tables(visit: Open) -> None:
    one = visit(f"/?{LOOKED_THROUGH}")
    one.page.add_style_tag(content="* { transition: none !important }")
    unmarked, ended = [], False
    for _ in range(MOST_STOPS):
        one.page.keyboard.press("Tab")
        ended, bare = one.page.evaluate(_LOOKS)
        unmarked += [bare] * bool(bare and _WHOLE_PAGE not in bare)
        if ended:
            break
    assert ended, f"more than {MOST_STOPS} stops"
    assert unmarked == []

    # Out of a table in one Tab: a drawn one leads on by itself, one with links can be skipped.
    _opened(one, "Quality")
    one.page.get_by_text("What is said about quantization, tested").click()
    drawn = one.page.locator("[data-testid=stDataFrame]")
    drawn.first.locator("canvas").first.wait_for()
    one.settle()
    grid, holds_focus = drawn.last, "grid => grid.contains(document.activeElement)"
    grid.locator("canvas").first.focus()
    one.page.keyboard.press("ArrowDown")
    assert grid.evaluate(holds_focus)
    one.page.keyboard.press("Tab")
    assert not grid.evaluate(holds_focus)
    one.follow(f"/machines-for-a-model?{LOOKED_THROUGH}")
    one.page.get_by_role("region", name=re.compile("machines that run")).wait_for()
    one.settle()
    skip = one.page.get_by_role("link", name="Skip the table")
    skip.focus()
    sync_api.expect(skip).to_be_in_viewport()
    one.page.keyboard.press("Enter")
    one.settle()
    one.page.keyboard.press("Tab")
    assert not _is_in(one, ".rows")
    assert _is_in(one, ".st-key-machines_csv"), "what stands after the table"


def _is_in(one: Visit, selector: str) -> bool:
    found: Any = one.page.evaluate("selector => document.activeElement.closest(selector) !== null", selector)
    return bool(found)
