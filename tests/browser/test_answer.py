"""Asking, in a real browser against the real server: the answer follows the question, and the link holds it."""

from __future__ import annotations

import re
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, build_opener, urlopen

import pytest

from advisor.answer.answer import answer
from advisor.answer.choices import choices
from advisor.answer.run_it import ways_to_run
from advisor.answer.verdict import leading
from advisor.question.question import Question
from advisor.ui.link import START
from advisor.ui.parts.navigation import MOVED
from tests.browser.visits import PHONE, Open, Visit, sync_api

pytestmark = pytest.mark.browser

SMALL = {"model": "qwen2.5-7b-instruct", "machine": "rtx-4060-ti-8gb", "gpus": "2"}


def test_choosing_by_keyboard_changes_answer_and_url_and_the_url_restores_both(visit: Open) -> None:
    one = visit("/")
    one.expect_answer(urlencode(START))
    one.mark()
    one.choose("Model", "qwen2.5 7b", "Qwen2.5 7B Instruct")
    one.choose("Machine", "rtx 4060 ti 8gb", "GeForce RTX 4060 Ti 8GB")
    one.expect_query(SMALL)
    one.expect_answer(urlencode(SMALL))
    one.page.get_by_role("radio", name="32k").focus()
    one.page.keyboard.press("Enter")
    long = SMALL | {"context": "32768"}
    one.expect_query(long)
    one.expect_answer(urlencode(long))

    one.page.go_back()
    one.expect_answer(urlencode(SMALL))
    one.page.go_back()
    one.expect_query({**START, "model": SMALL["model"]})
    one.expect_answer(urlencode({**START, "model": SMALL["model"]}))
    one.page.go_forward()
    one.page.go_forward()
    one.expect_answer(urlencode(long))

    # A look at another page loses nothing.
    one.page.get_by_role("link", name="How we know").click()
    sync_api.expect(one.page.get_by_role("heading", name="How we know")).to_be_visible()
    one.expect_query(long)
    one.page.get_by_role("link", name="Answer", exact=True).click()
    one.expect_answer(urlencode(long))
    assert one.is_same_document()
    assert not one.messages()

    again = visit(one.page.url.removeprefix(one.address))
    again.expect_answer(urlencode(long))
    assert again.page.get_by_role("radio", name="32k").is_checked()
    assert again.page.get_by_role("combobox", name="Model", exact=True).input_value() == "Qwen2.5 7B Instruct"


def test_four_choices_stand_beside_each_other_on_the_first_screen(visit: Open) -> None:
    query = "model=llama-3.3-70b-instruct&machine=a100-sxm4-80gb&users=2"
    assert len(choices(answer(Question.from_query(query)))) == 4
    one = visit(f"/?{query}")
    one.expect_answer(query)
    one.settle()
    boxes = [card.bounding_box() for card in one.page.locator("#root .choices article").all()]
    places = [(box["x"], box["y"], box["height"]) for box in boxes if box is not None]
    assert len(places) == len({left for left, *_ in places}) == 4
    assert len({(top, height) for _, top, height in places}) == 1
    assert all(top + height <= 900 for _, top, height in places)


def test_the_command_is_copied_and_a_choice_is_followed_without_a_reload(visit: Open) -> None:
    asked = "model=llama-3.1-70b-instruct&machine=rtx-4090&level=Q2_K"
    found = answer(Question.from_query(asked))
    other = leading(found)
    assert other is not None, "the example has to be one where another model leads"
    one = visit(f"/?{asked}")
    one.mark()
    one.expect_answer(asked)
    one.page.get_by_role("link", name=f"Ask the same about {other.entry.name}").click()
    led = other.found.question.to_query()
    one.expect_answer(led)

    button = one.page.locator("#root .panel").get_by_role("button", name=re.compile("^Copy")).first
    button.click()
    sync_api.expect(button).to_have_text("Copied")
    commands = [line.text for way in ways_to_run(other.found, other.found.shown) for line in way.lines]
    assert one.copied() in commands

    choice = one.page.locator("#root .choices article").first
    link = choice.get_by_role("link", name="Use this")
    wanted = str(link.get_attribute("href")).partition("?")[2]
    link.click()
    one.expect_answer(wanted)
    assert wanted != led
    assert one.is_same_document()
    one.page.go_back()
    one.expect_answer(led)


def test_machines_with_memory_to_say_goals_and_defaults_that_a_link_writes(visit: Open) -> None:
    one = visit("/?model=llama-3.2-3b-instruct&machine=rtx-4090&kv_type_k=f16")
    asked = {"model": "llama-3.2-3b-instruct", "machine": "rtx-4090", "kv_type_k": "f16"}
    one.expect_query(asked)
    one.choose("Goal", "fast", "Fastest")
    asked |= {"goal": "speed"}
    one.expect_query(asked)  # a default that somebody wrote stays
    one.expect_answer(urlencode(asked))
    one.choose("Machine", "custom", "Another GPU")
    asked |= {"machine": "custom", "memory_gib": "24"}
    one.expect_query(asked)
    one.enter("Memory (GiB)", "48")
    asked |= {"memory_gib": "48"}
    one.expect_query(asked)
    one.expect_answer(urlencode(asked))
    one.choose("Machine", "rtx 5090", "GeForce RTX 5090")
    del asked["memory_gib"]
    one.expect_query(asked | {"machine": "rtx-5090"})
    one.open_more("Engine and file")
    one.page.get_by_role("button", name="Reset engine and file").click()
    del asked["kv_type_k"]
    one.expect_query(asked | {"machine": "rtx-5090"})
    one.expect_answer(urlencode(asked | {"machine": "rtx-5090"}))
    assert not one.messages()


def test_a_bad_link_is_explained_and_shown_as_plain_text(visit: Open) -> None:
    one = visit("/?model=%3Cscript%3Ealert(1)%3C/script%3E&machine=[x](http://example.com)&users=inf&gpus=nan")
    messages = one.messages()
    assert messages[0] == "Unknown model '<script>alert(1)</script>'. Shown with Llama 3.1 70B Instruct."
    assert messages[1].startswith("There is no machine '[x](http")
    assert messages[2].startswith("users=inf is not possible")
    assert messages[3].startswith("gpus=nan is not possible")
    assert one.page.locator("[data-testid=stAlert] a").count() == 0
    one.expect_answer("")
    one.page.get_by_role("radio", name="4k", exact=True).click()
    one.expect_query({"model": "llama-3.1-70b-instruct", "machine": "rtx-4090", "context": "4096"})
    one.expect_answer("context=4096")
    sync_api.expect(one.page.locator("[data-testid=stAlert]")).to_have_count(0)


def test_a_phone_shows_everything_without_scrolling_sideways_and_folds_the_bar(visit: Open) -> None:
    one = visit("/", **PHONE)
    one.expect_answer(urlencode(START))
    assert one.too_wide() <= 0
    in_words = one.page.get_by_text(
        "Llama 3.3 70B Instruct on 2 x GeForce RTX 3090 · 8,192 tokens · 1 user", exact=True
    )
    assert in_words.is_visible()
    model = one.page.get_by_role("combobox", name="Model", exact=True)
    assert not model.is_visible()
    one.page.get_by_text("Change the question").click()
    sync_api.expect(model).to_be_visible()
    one.choose("Model", "gpt-oss 20b", "gpt-oss 20B")
    one.expect_answer(urlencode({**START, "model": "gpt-oss-20b"}))
    assert model.is_visible(), "a new question folds nothing"
    assert one.too_wide() <= 0


def test_a_click_on_another_page_before_the_inputs_are_loaded_loses_nothing(visit: Open) -> None:
    """Streamlit loads the code of each kind of input when one is shown; on a slow line that takes seconds."""
    one = visit("/how-we-know", alone=True)
    one.page.context.route(re.compile(r"/static/js/(NumberInput|ButtonGroup)\."), lambda route: _late(one, route))
    one.page.goto(f"{one.address}/?machine=rtx-3090&gpus=2&users=3")
    # In the first answer, which the server wrote, or already in the page: there its links are written out.
    one.page.get_by_role("link", name="Compare", exact=True).first.click()
    sync_api.expect(one.page.get_by_role("heading", name="Compare")).to_be_visible()
    one.settle()
    kept = {"machine": "rtx-3090", "gpus": "2", "users": "3"}
    assert one.query() in (kept, {"model": "llama-3.1-70b-instruct"} | kept)
    assert one.page.get_by_role("spinbutton", name="Cards").input_value() == "2"


def _late(one: Visit, route: Any) -> None:
    one.page.wait_for_timeout(2_000)
    route.continue_()


class _Staying(HTTPRedirectHandler):
    """Follows no redirect."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def test_old_addresses_lead_on_with_their_question_and_tab(visit: Open, server: str) -> None:
    for old, (page, tab) in MOVED.items():
        with pytest.raises(HTTPError) as led:
            build_opener(_Staying).open(f"{server}/{old}?users=3&context=4096")
        also = "" if tab is None else f"&{urlencode({'tab': tab})}"
        assert led.value.code == 308
        assert led.value.headers["location"] == f"/{page}?users=3&context=4096{also}"
        led.value.close()
    one = visit("/quality?model=gpt-oss-20b")
    assert one.page.get_by_role("tab", name="Quality", exact=True).get_attribute("aria-selected") == "true"
    one.expect_query({"model": "gpt-oss-20b", "tab": "Quality"})
    one.expect_answer("model=gpt-oss-20b")
    # An open tab stays open when the question changes, and is in the link like the rest.
    one.page.get_by_role("tab", name="Levels", exact=True).click()
    one.page.get_by_role("region", name=re.compile("levels of gpt-oss 20B")).wait_for()
    one.expect_query({"model": "gpt-oss-20b", "tab": "Levels"})
    one.choose("Goal", "best", "Best quality")
    one.expect_query({"model": "gpt-oss-20b", "machine": "rtx-4090", "goal": "quality", "tab": "Levels"})
    assert one.page.get_by_role("tab", name="Levels", exact=True).get_attribute("aria-selected") == "true"


def test_answers_carry_security_headers(server: str) -> None:
    for path in ("/", "/healthz", "/page.js"):
        with urlopen(f"{server}{path}") as found:
            headers = found.headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "'unsafe-eval'" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
