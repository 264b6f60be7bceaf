"""The cost page in a real browser against the real server."""

from __future__ import annotations

import re

import pytest

from advisor.answer.answer import answer
from advisor.costs.article import LINK
from advisor.costs.costs import Costs
from advisor.costs.money import shown
from advisor.question.question import Question
from advisor.ui.legend import NAMES
from advisor.words import say
from tests.browser.test_fit import Open, Visit, visit  # noqa: F401

sync_api = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.browser

LLAMA = "model=llama-3.3-70b-instruct&machine=rtx-3090&gpus=2&level=Q4_K_M&peak_factor=1"


def costs(query: str) -> Costs:
    chosen = answer(Question.from_query(query)).chosen
    assert chosen is not None
    assert chosen.costs is not None
    return chosen.costs


def expect_costs(one: Visit, wanted: Costs) -> None:
    """The page shows, or comes to show, this answer: the verdict and the first three tiles."""
    box = one.page.locator(".st-key-cost_verdict")
    sync_api.expect(box).to_contain_text(say(wanted.verdict, "page"))
    amounts: dict[str, str] = {option.name: shown(option.monthly.typical, wanted.currency) for option in wanted.options}
    tiles = box.locator("[data-testid=stMetricValue]")
    for place, name in enumerate(NAMES):
        sync_api.expect(tiles.nth(place)).to_have_text(amounts.get(name, "–"))


def test_more_requests_turn_the_verdict_and_the_url_holds_them(visit: Open) -> None:  # noqa: F811
    one = visit(f"/?{LLAMA}&requests_per_day=500")
    one.page.get_by_role("link", name="Cost", exact=True).click()
    one.page.locator(".st-key-cost_verdict").wait_for()
    one.settle()
    few, many = costs(f"{LLAMA}&requests_per_day=500"), costs(f"{LLAMA}&requests_per_day=5500")
    assert "an API costs least" in say(few.verdict)
    assert "owning costs least" in say(many.verdict)
    expect_costs(one, few)
    sync_api.expect(one.page.get_by_role("heading", name="An API costs least")).to_be_visible()

    one.page.locator("[data-testid=stExpander]").filter(has_text="Load and money").locator("summary").click()
    one.enter("Requests a day", "5500")
    expect_costs(one, many)
    sync_api.expect(one.page.get_by_role("heading", name="Owning costs least")).to_be_visible()
    one.expect_query(
        {
            "model": "llama-3.3-70b-instruct", "machine": "rtx-3090", "gpus": "2", "level": "Q4_K_M",
            "peak_factor": "1", "requests_per_day": "5500",
        }
    )  # fmt: skip
    assert not one.messages()

    again = visit(one.page.url.removeprefix(one.address))
    expect_costs(again, many)


def test_claim_opens_from_its_link_and_a_bad_price_is_explained(visit: Open) -> None:  # noqa: F811
    one = visit("/cost?device_price=-1&currency=gold")
    assert one.messages()[0].startswith("A price cannot be negative: device_price=-1")
    assert one.messages()[1].startswith("Unknown currency 'gold'")
    link = one.page.get_by_role("link", name="Open it as a scenario")
    assert link.get_attribute("href") == f"?{LINK}"
    with one.context.expect_page() as opening:
        link.click()
    opened = opening.value
    opened.locator(".st-key-cost_verdict").wait_for()
    assert re.search(r"/cost\?", opened.url)
    sync_api.expect(opened.locator(".st-key-cost_verdict")).to_contain_text(say(costs(LINK).verdict, "page"))


def test_a_phone_shows_costs_without_scrolling_sideways(visit: Open) -> None:  # noqa: F811
    one = visit(f"/cost?{LINK}", viewport={"width": 390, "height": 844})
    one.chart()
    wide = "(main => main.scrollWidth - main.clientWidth)(document.querySelector('[data-testid=stMain]'))"
    assert one.page.evaluate(wide) == 0
    assert one.page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility_of_the_cost_page(visit: Open, scheme: str) -> None:  # noqa: F811
    one = visit(f"/cost?{LINK}", color_scheme=scheme)
    one.chart()
    one.page.get_by_role("heading", name="Closed models for the same load").wait_for()
    assert one.accessibility_violations() == []
