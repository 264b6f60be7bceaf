"""A link about "your machine" in a real browser, with what browsers tell on several machines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

# A browser's own word for its GPU: by WebGPU, by WebGL, or not at all.
FAKE = """told => {
    const give = (name, value) => Object.defineProperty(navigator, name, { value, configurable: true });
    const adapter = told.info ? { info: told.info } : null;
    give("gpu", told.info === undefined ? undefined : { requestAdapter: async () => adapter });
    for (const name of ["deviceMemory", "hardwareConcurrency", "platform", "userAgentData"]) give(name, told[name]);
    HTMLCanvasElement.prototype.getContext = () => told.drawn && {
        getExtension: () => ({ UNMASKED_RENDERER_WEBGL: 1 }),
        getParameter: () => told.drawn,
    };
}"""
LINK = "/?model=qwen3-8b&machine=your-machine&context=4096"
RTX_4090 = {
    "info": {"vendor": "nvidia", "architecture": "lovelace", "device": "0x2684", "description": ""},
    "drawn": "ANGLE (NVIDIA, NVIDIA GeForce RTX 4090 (0x00002684) Direct3D11 vs_5_0 ps_5_0, D3D11)",
    "deviceMemory": 32,
    "hardwareConcurrency": 24,
    "platform": "Win32",
}
M3_MAX = {
    "info": {"vendor": "apple", "architecture": "metal-3", "device": "", "description": "Apple M3 Max"},
    "deviceMemory": 8,
    "hardwareConcurrency": 16,
    "platform": "MacIntel",
}

Opened = Callable[[dict[str, Any]], Any]


@pytest.fixture
def opened(chromium: Any, server: str) -> Iterator[Opened]:
    contexts, complaints = [], []

    def open_link(told: dict[str, Any]) -> Any:
        context = chromium.new_context(viewport={"width": 390, "height": 844})
        contexts.append(context)
        context.add_init_script(f"({FAKE})({json.dumps(told)})")
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        sent: list[str] = []
        page.on("request", lambda request: sent.append(urlsplit(request.url).path))
        page.goto(f"{server}{LINK}")
        expect(page.locator("#found li").first).to_be_visible()
        assert sent == ["/", "/your_machine.js"]  # before anything is chosen
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        return page

    yield open_link
    for context in contexts:
        context.close()
    assert complaints == []


def names(page: Any) -> list[str]:
    return [text.partition("\n")[0] for text in page.locator("#found li").all_inner_texts()]


def test_a_card_that_is_named_is_to_be_confirmed_and_then_answered(opened: Opened) -> None:
    page = opened(RTX_4090)
    expect(page.locator("#guess")).to_contain_text("GeForce RTX 4090")
    expect(page.locator("#told")).to_contain_text("32 GB or more")
    assert names(page)[:2] == ["GeForce RTX 4090", "GeForce RTX 4090 D"]
    page.get_by_label("RAM").fill("64")
    page.get_by_label("Keep it").check()
    page.get_by_role("link", name="Use this: GeForce RTX 4090", exact=True).click()
    expect(page.locator("#root .verdict .say").first).to_contain_text("on GeForce RTX 4090", timeout=90_000)
    chosen = {key: value for key, (value,) in parse_qs(urlsplit(page.url).query).items()}
    assert chosen == {"model": "qwen3-8b", "context": "4096", "machine": "rtx-4090", "host_memory_gib": "64"}
    page.go_back()
    expect(page.locator("#found li").first).to_contain_text("kept in this browser")


def test_a_mac_tells_its_chip_and_not_its_memory(opened: Opened) -> None:
    page = opened(M3_MAX)
    expect(page.locator("#guess")).to_contain_text("one of these 5")
    assert all(name.startswith("Apple M3 Max") for name in names(page))
    assert page.locator("#found .best").count() == 0
    hidden = {**M3_MAX, "info": {"vendor": "apple", "architecture": "metal-3"}, "deviceMemory": 32}
    page = opened(hidden)
    expect(page.locator("#guess")).to_contain_text("these are by Apple")
    assert all(name.startswith("Apple M") for name in names(page))
    expect(page.locator("#more")).to_contain_text("more: type its name")


@pytest.mark.parametrize("told", [{}, {"info": None}, {"drawn": "ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device))"}])
def test_who_can_tell_nothing_says_so_and_takes_a_name(opened: Opened, told: dict[str, Any]) -> None:
    page = opened(told)
    expect(page.locator("#guess")).to_contain_text("tells little")
    assert page.locator("#told dd").all_inner_texts() == ["not told"] * 4
    expect(page.locator("#found a").first).to_have_attribute("href", "/?model=qwen3-8b&context=4096"
        "&machine=cpu-dual-ddr5-6000&memory_gib=16")  # fmt: skip
    page.get_by_label("Another one").fill("rx 7900 xtx")
    assert names(page) == ["Radeon RX 7900 XTX"]
    page.get_by_label("Another one").fill("no such card")
    expect(page.locator("#more")).to_have_text("None has that name.")
