"""What the first page says of money beside the prices: the load it is for, and what a machine takes from its owner."""

from __future__ import annotations

import re
from datetime import date

import pytest

from advisor.answer.answer import answer
from advisor.answer.flips import flips
from advisor.answer.recommendation import recommendation
from advisor.question.question import Question
from advisor.report.brief import Brief
from advisor.report.first_page import brief_of
from advisor.words import speaking, written_day, written_days

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


def test_where_data_must_stay_nothing_else_is_priced_first() -> None:
    """The page told to stay on a laptop, and what an API would cost a month."""
    page = first_page(f"{LAPTOP}&own_hardware=on")
    assert page.figure("running") == first_page(LAPTOP).figure("running") is not None
    assert page.figure("month") is None
    assert first_page(f"{CARDS}&own_hardware=on").figure("month") is not None


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


@pytest.mark.parametrize("language", ["en", "de-CH", "fr-CH"])
def test_when_to_look_again_names_a_day_or_a_span_whatever_the_prices_are(language: str) -> None:
    wanted = re.compile(r"\b20\d\d\b")
    with speaking(language):
        for query in (CARDS, LAPTOP, "model=qwen3-235b-a22b&machine=a100-sxm4-80gb&gpus=4&requests_per_day=50"):
            said = first_page(query).look_again
            assert wanted.search(said) or "90" in said, said
            assert "(1" not in said, "a price in the sentence comes without the ends of its range"


@pytest.mark.parametrize(
    ("language", "month", "year", "apart"),
    [
        ("en", "10 to 12 November 2026", "24 May to 26 September 2026", "30 December 2025 to 2 January 2026"),
        ("en-US", "November 10, 2026 to November 12, 2026", "May 24, 2026 to September 26, 2026", ""),
        (
            "de-CH",
            "10. bis 12. November 2026",
            "24. Mai bis 26. September 2026",
            "30. Dezember 2025 bis 2. Januar 2026",
        ),
        ("fr-CH", "10 au 12 novembre 2026", "24 mai au 26 septembre 2026", "30 décembre 2025 au 2 janvier 2026"),
    ],
)
def test_days_in_a_row_say_month_and_year_once(language: str, month: str, year: str, apart: str) -> None:
    with speaking(language):
        assert written_days(date(2026, 11, 10), date(2026, 11, 12)) == month
        assert written_days(date(2026, 5, 24), date(2026, 9, 26)) == year
        assert apart in ("", written_days(date(2025, 12, 30), date(2026, 1, 2)))
        assert written_days(date(2026, 11, 1), date(2026, 11, 1)) == written_day(date(2026, 11, 1))


def test_a_price_that_turns_nothing_round_is_no_reason_to_wait_with_signing() -> None:
    """Of a way that no figure makes the cheapest, an old price is not what the decision hangs on."""
    said = first_page("model=gpt-oss-120b&machine=rtx-4090&host_memory_gib=96&country=DE")
    assert said.changes[0].startswith("None of the 5 figures that matter most")
    assert "RTX 4090" not in said.look_again
    assert said.look_again.startswith("Look again on ")
