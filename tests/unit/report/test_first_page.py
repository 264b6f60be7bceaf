"""What the first page says of money beside the prices: the load it is for, and what a machine takes from its owner."""

from __future__ import annotations

import re

import pytest

from advisor.answer.answer import answer
from advisor.answer.flips import flips
from advisor.answer.recommendation import recommendation
from advisor.question.question import Question
from advisor.report.brief import Brief
from advisor.report.first_page import brief_of
from advisor.words import speaking

LAPTOP = "model=llama-3.1-8b-instruct&machine=rtx-4060-laptop"
CARDS = "model=llama-3.3-70b-instruct&machine=rtx-3090&gpus=2"


def first_page(query: str) -> Brief:
    return brief_of(recommendation(answer(Question.from_query(query))))


def test_the_load_that_the_money_is_for_is_said() -> None:
    said = first_page(f"{CARDS}&requests_per_day=500&tokens_in=2000&tokens_out=400").load
    assert said == "For 500 requests a day, each of 2,000 tokens in and 400 out: 36.5 M tokens a month."


def test_what_has_no_price_says_what_it_takes_a_month_from_who_has_it() -> None:
    running = first_page(LAPTOP).figure("running")
    assert running is not None
    given = first_page(f"{LAPTOP}&device_price=0&host_price=0").figure("month")
    assert given is not None
    assert (running.value, running.between) == (given.value, given.between)
    assert first_page(CARDS).figure("running") is None


def test_nobody_is_told_to_put_a_second_card_into_a_laptop() -> None:
    changes = [flip.change for flip in flips(answer(Question.from_query(LAPTOP)))]
    assert changes
    assert "cards" not in changes


@pytest.mark.parametrize("language", ["fr-CH", "de-CH"])
def test_amounts_and_their_ranges_have_one_decimal_sign_in_switzerland(language: str) -> None:
    with speaking(language):
        ways = first_page(f"{CARDS}&requests_per_day=20").ways
    assert ways is not None
    amounts = [cell for row in ways.rows for cell in row if cell.startswith("USD")]
    assert any(re.search(r"\d\.\d", cell) for cell in amounts)
    assert not any("," in cell for cell in amounts)
