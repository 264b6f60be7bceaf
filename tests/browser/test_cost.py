"""The tab Cost in a real browser against the real server: load and prices, and the link that holds them."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest

from advisor.answer.answer import answer
from advisor.costs.article import LINK
from advisor.costs.costs import Costs
from advisor.foundation.numbers import money
from advisor.question.question import Question
from advisor.ui.legend import NAMES
from advisor.words import say
from tests.browser.visits import Open, Visit, sync_api
from tests.conftest import wait_until_still

pytestmark = pytest.mark.browser

LLAMA = "model=llama-3.3-70b-instruct&machine=rtx-3090&gpus=2&level=Q4_K_M&peak_factor=1"


def costs(query: str) -> Costs:
    chosen = answer(Question.from_query(query)).chosen
    assert chosen is not None
    assert chosen.costs is not None
    return chosen.costs


def expect_costs(one: Visit, wanted: Costs) -> None:
    """The tab shows, or comes to show, this answer: what it says and what each way costs."""
    box = one.page.locator(".st-key-cost_verdict").first
    sync_api.expect(box).to_contain_text(say(wanted.verdict, "page"))
    priced: dict[str, str] = {
        option.name: f"{money(option.monthly.typical)} {wanted.currency} a month" for option in wanted.options
    }
    for place, name in enumerate(NAMES):
        card = box.locator("article.way").nth(place)
        sync_api.expect(card).to_contain_text(priced.get(name, NAMES[name]))
        assert card.locator(".price").count() == (name in priced)


def test_more_requests_turn_the_verdict_and_the_url_holds_them(visit: Open) -> None:
    few, many = costs(f"{LLAMA}&requests_per_day=500"), costs(f"{LLAMA}&requests_per_day=5500")
    assert "an API costs least" in say(few.verdict)
    assert "owning costs least" in say(many.verdict)
    one = visit(f"/?{LLAMA}&requests_per_day=500")
    one.page.get_by_role("tab", name="Cost", exact=True).click()
    expect_costs(one, few)
    sync_api.expect(one.page.get_by_role("heading", name="An API costs least")).to_be_visible()
    one.settle()
    one.enter("Requests a day", "5500")
    expect_costs(one, many)
    sync_api.expect(one.page.get_by_role("heading", name="Owning costs least")).to_be_visible()
    one.expect_query(dict(parse_qsl(LLAMA)) | {"requests_per_day": "5500", "tab": "Cost"})
    assert not one.messages()
    one.page.reload()
    expect_costs(one, many)


def test_a_claim_opens_as_a_question_and_a_bad_price_is_explained(visit: Open) -> None:
    one = visit("/?tab=Cost&device_price=-1&currency=gold")
    assert one.messages()[0].startswith("A price cannot be negative: device_price=-1")
    assert one.messages()[1].startswith("Unknown currency 'gold'")
    one.page.get_by_text("A claim, worked through").click()
    link = one.page.get_by_role("link", name="Open it as a scenario")
    assert link.get_attribute("href") == f"./?{LINK}"
    wait_until_still(one.page, link)
    link.click()
    one.expect_answer(LINK)
    one.follow(f"/?{LINK}&tab=Cost")
    expect_costs(one, costs(LINK))
