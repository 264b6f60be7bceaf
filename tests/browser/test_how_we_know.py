"""The page for doubters in a real browser: a claim is tested when it is opened, and the link keeps the tab."""

from __future__ import annotations

import pytest

from advisor.ui.views.how_we_know import ACCURACY, CLAIMS
from tests.browser.visits import Open

pytestmark = pytest.mark.browser


def test_a_claim_is_tested_when_it_is_opened_and_the_link_keeps_the_tab(visit: Open) -> None:
    one = visit("/how-we-know")
    page = one.page
    page.get_by_role("tab", name=CLAIMS).click()
    page.get_by_text("runs on a single A100").click()
    page.get_by_text("Ask again").wait_for()
    assert page.get_by_text("✔ holds").count() == 1
    page.get_by_role("tab", name=ACCURACY).click()
    page.get_by_role("heading", name="Sizes and memory").wait_for()
    one.settle()
    page.reload()
    page.get_by_role("heading", name="Sizes and memory").wait_for()
