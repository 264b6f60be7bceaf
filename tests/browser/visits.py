"""A visit in a real browser: one page, with everything it asked for and complained about."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from advisor.answer.answer import answer
from advisor.answer.verdict import leading, verdict
from advisor.question.question import Question
from advisor.ui.legend import STATUS_SIGNS
from advisor.words import say
from tests.conftest import settle

sync_api = pytest.importorskip("playwright.sync_api")

PATIENCE_MS = 90_000  # a busy machine is no failure
sync_api.expect.set_options(timeout=PATIENCE_MS)

DESK: dict[str, Any] = {
    "viewport": {"width": 1400, "height": 900},
    "permissions": ["clipboard-read", "clipboard-write"],
}
# What those ask who look through a whole catalogue: that takes seconds, and the server remembers it.
LOOKED_THROUGH = "model=qwen3-14b&machine=rtx-3090&gpus=2"
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}}

# Streamlit looks for its server below a page's own path first; a frozen report may have been deleted.
_EXPECTED_404 = re.compile(r"/[a-z-]+/_stcore/(health|host-config)$|/s/[A-Za-z0-9]{16}$")
_TRIES = 150  # a tenth of a second each

Open = Callable[..., "Visit"]


class Visit:
    """One page; whoever closes it is told what was wrong with it."""

    def __init__(self, page: Any, address: str) -> None:
        self.address = address
        self.page = page
        self.page.set_default_timeout(PATIENCE_MS)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _listen(self, message: Any) -> None:
        if message.type == "error" and not _EXPECTED_404.search(message.location.get("url", "")):
            self.complaints.append(f"{message.text} {message.location}")

    def close(self) -> None:
        """Nothing was asked of anybody else, and the browser complained about nothing."""
        self.page.close()
        assert [url for url in self.requests if not url.startswith((self.address, "data:", "blob:"))] == []
        assert self.complaints == []

    def go(self, path: str) -> Visit:
        """Load a page."""
        self.page.goto(f"{self.address}{path}")
        self.page.locator("#root h1").first.wait_for()
        self.settle()
        return self

    def read(self, path: str) -> Visit:
        """Load a report for readers, which is complete when it is there."""
        self.page.goto(f"{self.address}{path}")
        return self

    def follow(self, path: str) -> Visit:
        """Go there as links within the app do, without loading anything."""
        self.page.evaluate(
            "to => { history.pushState(null, '', to); dispatchEvent(new PopStateEvent('popstate', { state: null })) }",
            path,
        )
        self.settle()
        return self

    def settle(self) -> None:
        settle(self.page)

    def choose(self, label: str, typed: str, name: str) -> None:
        """Choose from a list with the keyboard alone: what is typed has to bring `name` to the top."""
        self.page.get_by_role("combobox", name=label, exact=True).focus()
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.type(typed)
        sync_api.expect(self.page.get_by_role("option").first).to_contain_text(name)
        self.page.keyboard.press("Enter")
        self.settle()

    def enter(self, label: str, value: str) -> None:
        """Write a number into an input."""
        field = self.page.get_by_role("spinbutton", name=label, exact=True)
        field.fill(value)
        field.press("Enter")
        self.settle()

    def open_more(self, group: str = "") -> None:
        """Open what is behind "More", and one of its groups."""
        self.page.get_by_role("button", name=re.compile("More")).first.click()
        if group:
            self.page.get_by_role("radio", name=re.compile(group)).click()
        self.settle()

    def expect_answer(self, query: str) -> None:
        """The first screen shows, or comes to show, what the engine answers."""
        heading, sentence = answered(query)
        # While it is drawn anew, the one before stands beside it.
        card = self.page.locator("#root .verdict").first
        sync_api.expect(card.locator(".say")).to_have_text(sentence)
        sync_api.expect(card.locator("h1")).to_have_text(re.compile(f"{re.escape(heading)}$"))

    def expect_query(self, wanted: dict[str, str]) -> None:
        """The URL holds, or comes to hold, exactly `wanted`."""
        for _ in range(_TRIES):
            if self.query() == wanted:
                return
            self.page.wait_for_timeout(100)
        assert self.query() == wanted, f"{self.query()} instead of {wanted}"

    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.page.url).query))

    def path(self) -> str:
        return str(urlsplit(self.page.url).path)

    def messages(self) -> list[str]:
        return [text.split("\n")[-1] for text in self.page.locator("[data-testid=stAlert]").all_inner_texts()]

    def copied(self) -> str:
        """What is in the clipboard."""
        return str(self.page.evaluate("navigator.clipboard.readText()"))

    def accessibility_violations(self, within: str = "") -> list[str]:
        """What axe finds in both themes: every rule in the light one, contrast in the dark one, as no other differs."""
        rules: dict[str, Any] = {"light": {}, "dark": {"runOnly": ["color-contrast"]}}
        return [
            f"{scheme}: {violation}"
            for scheme, chosen in rules.items()
            for violation in self._axe(scheme, within, chosen)
        ]

    def accessibility_violations_of_a_phone(self, within: str = "") -> list[str]:
        """Of the page as it stands, by all rules but contrast."""
        return self._axe("light", within, {"rules": {"color-contrast": {"enabled": False}}})

    def _axe(self, scheme: str, within: str, options: dict[str, Any]) -> list[str]:
        axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
        self.page.emulate_media(color_scheme=scheme)
        self.page.wait_for_function(
            """scheme => {
                const app = document.querySelector('[data-testid=stApp]');
                return !app || getComputedStyle(app).colorScheme === scheme;
            }""",
            arg=scheme,
        )
        context = {"include": [[within]]} if within else None
        found = axe.run(self.page, context, options | {"resultTypes": ["violations"]}).response["violations"]
        # Streamlit's own drop zone: a "presentation" that can take the focus.
        return [
            f"{one['id']}: {node['html']}"
            for one in found
            for node in one["nodes"]
            if "stFileUploaderDropzone" not in node["html"]
        ]

    def mark(self) -> None:
        """Remember this document: `is_same_document` tells whether it was loaded anew."""
        self.page.evaluate("window.marked = true")

    def is_same_document(self) -> bool:
        return bool(self.page.evaluate("window.marked === true"))

    def too_wide(self) -> int:
        """By how many pixels the page scrolls sideways."""
        return int(
            self.page.evaluate(
                "Math.max(...[document.documentElement, document.querySelector('[data-testid=stMain]')]"
                ".filter(Boolean).map(one => one.scrollWidth - one.clientWidth))"
            )
        )


def answered(query: str) -> tuple[str, str]:
    """How the heading of the engine's answer ends, and its first sentence, as the page words them."""
    found = answer(Question.from_query(query))
    other = leading(found)
    about = found if other is None else other.found
    return f"{about.shown.level} {STATUS_SIGNS[about.status]} {about.status}", say(verdict(found), "page")
