"""A wish for speed never buys what lies under the floor of quality."""

from __future__ import annotations

import pytest

from advisor.answer.answer import answer
from advisor.answer.policy import GOOD_PERCENT
from advisor.question.question import Question
from advisor.report.compact import answer_document


@pytest.mark.parametrize("wish", [6, 20, 80])
def test_a_wish_leads_no_last_resort_under_the_floor(wish: int) -> None:
    query = "model=llama-4-scout-17b-16e-instruct&machine=gtx-1660-ti&gpus=3&host_memory_gib=32&context=65536"
    shown = answer(Question.from_query(f"{query}&min_tokens_per_s={wish}")).shown
    assert (shown.quality_at("overall").typical or 0) >= GOOD_PERCENT


def test_a_lower_wish_is_met_by_what_meets_a_higher_one() -> None:
    """An engine that people run for themselves is no reason to miss a speed that another one reaches."""
    query = "model=llama-3.3-70b-instruct&machine=rtx-3090&gpus=4&context=8192"
    for wish in (20, 29):
        found = answer(Question.from_query(f"{query}&min_tokens_per_s={wish}"))
        assert found.shown.as_fast_as(wish)


def test_a_quality_that_is_told_is_enough_where_it_is_asked_for() -> None:
    """It keeps 99.397 %, which a script reads as 99.4."""
    query = "model=gemma-3-1b-it&machine=threadripper-3000-quad-ddr4-3200&memory_gib=512&context=8192&level=Q4_K_M"
    document = answer_document(answer(Question.from_query(query)), query)
    kept = document["decision"]["plan"]["quality_percent"]["typical"]
    assert answer(Question.from_query(f"{query}&min_quality={kept}")).chosen is not None
    assert answer(Question.from_query(f"{query}&min_quality={kept + 0.01:.2f}")).chosen is None
