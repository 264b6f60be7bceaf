"""The page for doubters in a real browser: for everybody, in both themes, on a phone, and linked to by its tabs."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from advisor.ui.views.how_we_know import ACCURACY, CLAIMS, TABS
from tests.conftest import settle

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("scheme", "width"), [("dark", 1400), ("light", 390)])
def test_every_tab_is_accessible_and_fits_the_screen(chromium: Any, server: str, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = chromium.new_page(color_scheme=scheme, viewport={"width": width, "height": 900})
    page.set_default_timeout(90_000)
    for tab in TABS:
        page.goto(f"{server}/how-we-know?tab={quote(tab)}")
        page.get_by_role("tab", name=tab, selected=True).wait_for()
        settle(page)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
        found = axe.run(page, {"include": [["[data-testid=stTabs]"]]}).response["violations"]
        assert [f"{tab}: {one['id']}: {one['nodes'][0]['html']}" for one in found] == []
    page.close()


def test_a_claim_is_tested_when_it_is_opened_and_the_link_keeps_the_tab(chromium: Any, server: str) -> None:
    page = chromium.new_page()
    page.set_default_timeout(90_000)
    page.goto(f"{server}/how-we-know")
    page.get_by_role("tab", name=CLAIMS).click()
    page.get_by_text("runs on a single A100").click()
    page.get_by_text("Ask again").wait_for()
    assert page.get_by_text("✔ holds").count() == 1
    page.get_by_role("tab", name=ACCURACY).click()
    page.get_by_role("heading", name="Sizes and memory").wait_for()
    settle(page)
    page.reload()
    page.get_by_role("heading", name="Sizes and memory").wait_for()
    page.close()
