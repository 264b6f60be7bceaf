"""The switch of the card "Run it" in a real browser: without a rerun, by keyboard, and what a screen reader is told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.visits import DESK, PHONE, Open

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("screen", [DESK, PHONE])
def test_programs_are_switched_by_keyboard(visit: Open, screen: dict[str, Any]) -> None:
    page = visit("/?model=llama-3.3-70b-instruct&machine=rtx-3090&gpus=2").page
    page.set_viewport_size(screen["viewport"])
    group = page.get_by_role("radiogroup", name="Program")
    group.get_by_role("radio", name="llama.cpp").focus()
    assert page.get_by_role("group", name="llama.cpp").is_visible()
    page.keyboard.press("ArrowRight")
    assert group.get_by_role("radio", name="Ollama").is_checked()
    assert not page.get_by_role("group", name="llama.cpp").is_visible()
    panel = page.get_by_role("group", name="Ollama")
    assert "ollama run hf.co/" in panel.inner_text()
    assert panel.get_by_role("button", name="Copy: Ollama: Run it").is_visible()
    panel.get_by_text("About this command").click()
    assert panel.get_by_role("link", name="this list").is_visible()
    card = page.locator("section.run")
    assert card.evaluate("card => card.scrollWidth <= card.clientWidth")
