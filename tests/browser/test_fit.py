"""What people do, in a real browser against the real server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from advisor.answer.answer import answer
from advisor.answer.verdict import leading
from advisor.foundation.numbers import rough
from advisor.foundation.units import gb, gib
from advisor.question.question import Question
from advisor.ui.parts.text import status_words
from tests.conftest import settle

sync_api = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.browser

# Streamlit looks for its server below a page's own path first.
EXPECTED_404 = re.compile(r"/(cost|how-we-know)/_stcore/(health|host-config)$")

_TRIES = 150  # a tenth of a second each
_PATIENCE_MS = 90_000  # a busy machine is no failure: it draws a page of charts in half a minute
sync_api.expect.set_options(timeout=_PATIENCE_MS)

Open = Callable[..., "Visit"]


class Visit:
    """One page in a browser profile of its own, with everything it asked for and complained about."""

    def __init__(self, browser: Any, address: str, **context: Any) -> None:
        self.address = address
        self.context = browser.new_context(**({"viewport": {"width": 1400, "height": 900}} | context))
        self.page = self.context.new_page()
        self.page.set_default_timeout(_PATIENCE_MS)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _listen(self, message: Any) -> None:
        if message.type == "error" and not EXPECTED_404.search(message.location.get("url", "")):
            self.complaints.append(f"{message.text} {message.location}")

    def go(self, path: str) -> Visit:
        self.page.goto(f"{self.address}{path}")
        self.page.wait_for_selector("h1", timeout=30_000)
        self.settle()
        return self

    def settle(self) -> None:
        settle(self.page)

    def chart(self) -> None:
        self.page.wait_for_selector(".js-plotly-plot .main-svg", timeout=30_000)

    def choose(self, label: str, typed: str, name: str) -> None:
        """Choose from a searchable list with the keyboard alone: what is typed has to bring `name` to the top."""
        self.page.get_by_role("combobox", name=label, exact=True).focus()
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.type(typed)
        # The box for the model takes what is typed as well, and offers that first.
        typed_too = self.page.get_by_role("option", name=f"Add: {typed}", exact=True).count()
        sync_api.expect(self.page.get_by_role("option").nth(typed_too)).to_have_text(name)
        for _ in range(typed_too):
            self.page.keyboard.press("ArrowDown")
        self.page.keyboard.press("Enter")
        self.settle()

    def enter(self, label: str, value: str) -> None:
        field = self.page.get_by_role("spinbutton", name=label)
        field.fill(value)
        field.press("Enter")
        self.settle()

    def expect_figures(self, wanted: list[str]) -> None:
        """Title, verdict and key figures are, or become, `wanted`."""
        parts = self.page.locator("h1, .st-key-verdict h2, .st-key-verdict [data-testid=stMetricValue]")
        sync_api.expect(parts).to_have_text(wanted)

    def expect_query(self, wanted: dict[str, str]) -> None:
        """The URL holds, or comes to hold, exactly `wanted`."""
        for _ in range(_TRIES):
            if dict(parse_qsl(urlsplit(self.page.url).query)) == wanted:
                return
            self.page.wait_for_timeout(100)
        assert dict(parse_qsl(urlsplit(self.page.url).query)) == wanted

    def messages(self) -> list[str]:
        return [text.split("\n")[-1] for text in self.page.locator("[data-testid=stAlert]").all_inner_texts()]

    def accessibility_violations(self) -> list[str]:
        axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
        return [f"{found['id']}: {found['nodes'][0]['html']}" for found in axe.run(self.page).response["violations"]]


@pytest.fixture
def visit(chromium: Any, server: str) -> Iterator[Open]:
    visits: list[Visit] = []

    def open_page(path: str, **context: Any) -> Visit:
        visits.append(Visit(chromium, server, **context))
        return visits[-1].go(path)

    yield open_page
    for one in visits:
        one.context.close()
        foreign = [url for url in one.requests if not url.startswith((server, "data:", "blob:"))]
        assert not foreign, "asked somebody else"
        assert not one.complaints


def expected(query: str) -> list[str]:
    """What the engine answers, in the page's words."""
    found = answer(Question.from_query(query))
    plan, other = found.decided.plan, leading(found)
    assert plan.free_bytes is not None
    heading = (
        f"{plan.level} {status_words(found.status)}" if other is None else f"Run {other.entry.name} instead ✔ good"
    )
    return [
        f"{found.entry.name} on {found.machine_name}",
        heading,
        *(gb(plan.sized.file_bytes), gib(plan.needed_bytes), gib(plan.free_bytes), f"{plan.max_context:,}"),
        "unknown" if (speed := found.shown.tokens_per_s) is None else rough(speed.typical),
        "unknown" if (kept := found.shown.kept) is None else f"{kept.typical:.1f} %",
    ]


def test_choosing_by_keyboard_changes_answer_and_url_and_the_url_restores_both(visit: Open) -> None:
    first = visit("/")
    first.expect_figures(expected(""))
    first.choose("Model", "qwen2.5 7b", "Qwen2.5 7B Instruct")
    first.choose("Machine", "rtx 4060 ti 8gb", "GeForce RTX 4060 Ti 8GB")
    first.expect_query({"model": "qwen2.5-7b-instruct", "machine": "rtx-4060-ti-8gb"})
    short = expected("model=qwen2.5-7b-instruct&machine=rtx-4060-ti-8gb")
    first.expect_figures(short)

    first.enter("Context per user", "32768")
    long = expected("model=qwen2.5-7b-instruct&machine=rtx-4060-ti-8gb&context=32768")
    assert long[1] != short[1]
    first.expect_figures(long)
    first.expect_query({"model": "qwen2.5-7b-instruct", "machine": "rtx-4060-ti-8gb", "context": "32768"})
    assert not first.messages()

    second = visit(first.page.url.removeprefix(first.address))
    second.expect_figures(long)

    # A change of model or machine is a step in the history; Streamlit lets a typed number replace the step before it.
    first.page.go_back()
    first.settle()
    first.expect_figures(expected("model=qwen2.5-7b-instruct"))
    first.page.go_forward()
    first.settle()
    first.expect_figures(long)


def test_inputs_survive_a_look_at_the_other_page(visit: Open) -> None:
    one = visit("/?model=gpt-oss-20b&context=16384")
    before = expected("model=gpt-oss-20b&context=16384")
    one.expect_figures(before)
    one.page.get_by_role("link", name="How we know").click()
    one.page.get_by_role("heading", name="A 7B model").wait_for()
    one.settle()
    one.page.get_by_role("heading", name="Your model: gpt-oss 20B").wait_for()
    one.expect_query({"model": "gpt-oss-20b", "context": "16384"})
    one.page.get_by_role("link", name="Fit", exact=True).click()
    one.page.locator(".st-key-verdict").wait_for()
    one.settle()
    one.expect_figures(before)


def test_a_custom_machine_starts_with_memory_that_is_in_the_url(visit: Open) -> None:
    one = visit("/")
    one.choose("Machine", "custom", "Custom machine")
    one.expect_query({"machine": "custom", "memory_gib": "24"})
    one.enter("Memory (GiB)", "48")
    one.expect_query({"machine": "custom", "memory_gib": "48"})
    one.expect_figures(expected("machine=custom&memory_gib=48"))
    one.page.get_by_text("16k", exact=True).click()
    one.settle()
    one.expect_figures(expected("machine=custom&memory_gib=48&context=16384"))
    one.choose("Machine", "rtx 5090", "GeForce RTX 5090")
    one.expect_query({"machine": "rtx-5090", "context": "16384"})
    assert not one.messages()


def test_a_bad_link_is_explained_and_shown_as_plain_text(visit: Open) -> None:
    one = visit("/?model=%3Cscript%3Ealert(1)%3C/script%3E&machine=[x](http://example.com)&context=inf&gpus=nan")
    messages = one.messages()
    assert messages[0] == "Unknown model '<script>alert(1)</script>'. Shown with model=Llama 3.1 70B Instruct."
    assert messages[1].startswith("There is no machine '[x](http")
    assert messages[2].startswith("context=inf is not possible")
    assert messages[3].startswith("gpus=nan is not possible")
    assert one.page.locator("[data-testid=stAlert] a").count() == 0
    one.expect_figures(expected(""))
    one.enter("Context per user", "4096")
    one.expect_figures(expected("context=4096"))
    one.expect_query({"context": "4096"})
    assert not one.messages()


def test_a_phone_shows_everything_without_scrolling_sideways(visit: Open) -> None:
    one = visit("/", viewport={"width": 390, "height": 844})
    one.chart()
    wide = "(main => main.scrollWidth - main.clientWidth)(document.querySelector('[data-testid=stMain]'))"
    assert one.page.evaluate(wide) == 0
    assert one.page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
    assert one.page.get_by_text("tap » at the top left").is_visible()
    model = one.page.get_by_role("combobox", name="Model", exact=True)
    assert not model.is_visible() or model.bounding_box()["x"] < 0
    one.page.get_by_test_id("stExpandSidebarButton").click()
    one.settle()
    one.choose("Model", "gpt-oss 20b", "gpt-oss 20B")
    one.expect_figures(expected("model=gpt-oss-20b"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility(visit: Open, scheme: str) -> None:
    one = visit("/?gpus=2", color_scheme=scheme)
    one.chart()
    assert one.accessibility_violations() == []
    one.go("/how-we-know")
    one.page.get_by_role("heading", name="A 7B model").wait_for()
    assert one.accessibility_violations() == []


def test_answers_carry_security_headers(visit: Open) -> None:
    one = visit("/")
    headers = one.page.request.get(f"{one.address}/healthz").headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "'unsafe-eval'" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


def test_a_click_on_another_page_before_the_inputs_are_loaded_loses_nothing(visit: Open) -> None:
    """Streamlit loads the code of each kind of input when one is shown; on a slow line that takes seconds."""
    one = visit("/how-we-know")
    one.context.route(re.compile(r"/static/js/(NumberInput|TextInput)\."), lambda route: _late(one, route))
    one.page.goto(f"{one.address}/?machine=rtx-3090&gpus=2&users=3")
    one.page.get_by_role("link", name="Cost", exact=True).click()
    one.page.get_by_role("heading", name=re.compile("2 x GeForce RTX 3090")).wait_for()
    one.settle()
    one.expect_query({"machine": "rtx-3090", "gpus": "2", "users": "3"})
    assert one.page.get_by_role("spinbutton", name="How many of it").input_value() == "2"


def _late(one: Visit, route: Any) -> None:
    one.page.wait_for_timeout(2_000)
    route.continue_()


def test_a_default_that_a_link_writes_stays_in_the_url_and_a_goal_goes_there(visit: Open) -> None:
    one = visit("/?model=llama-3.2-3b-instruct&kv_type_k=f16")
    one.expect_query({"model": "llama-3.2-3b-instruct", "kv_type_k": "f16"})
    one.enter("Context per user", "4096")
    one.expect_query({"model": "llama-3.2-3b-instruct", "kv_type_k": "f16", "context": "4096"})
    one.page.locator("[data-testid=stExpander]").filter(has_text="Requirements").locator("summary").click()
    one.page.get_by_role("combobox", name="Goal", exact=True).wait_for()
    one.settle()
    one.choose("Goal", "best", "Best quality")
    wanted = {"model": "llama-3.2-3b-instruct", "kv_type_k": "f16", "context": "4096", "goal": "quality"}
    one.expect_query(wanted)
    one.expect_figures(expected("model=llama-3.2-3b-instruct&kv_type_k=f16&context=4096&goal=quality"))
    assert not one.messages()


def test_the_model_that_leads_and_a_choice_are_one_click_away(visit: Open) -> None:
    one = visit("/?level=Q2_K&machine=rtx-5090")
    found = answer(Question.from_query("level=Q2_K&machine=rtx-5090"))
    other = leading(found)
    assert other is not None
    one.expect_figures(expected("level=Q2_K&machine=rtx-5090"))
    with one.context.expect_page() as opening:
        one.page.get_by_role("link", name=f"Ask the same about {other.entry.name}").click()
    heading = opening.value.locator("h1")
    sync_api.expect(heading).to_have_text(f"{other.entry.name} on {found.machine_name}")
    sync_api.expect(opening.value.locator(".st-key-verdict h2")).to_have_text(f"{other.found.shown.level} ✔ good")
