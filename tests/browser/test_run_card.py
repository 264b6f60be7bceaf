"""The switch of the card "Run it" in a real browser: without a rerun, by keyboard, and what a screen reader is told."""

from __future__ import annotations

from typing import Any

import pytest

sync_api = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.browser

PATIENCE = 60_000  # milliseconds; a busy machine is no failure


@pytest.mark.parametrize("width", [1400, 390])
def test_programs_are_switched_by_keyboard(chromium: Any, server: str, width: int) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{server}/?model=llama-3.3-70b-instruct&machine=rtx-3090&gpus=2")
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
    context.close()
