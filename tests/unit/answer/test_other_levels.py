"""A level that was asked for and runs badly: what the model does without it is said, and no other model leads."""

from __future__ import annotations

from contextlib import suppress
from datetime import date

import pytest

from advisor.answer.answer import Answer, answer
from advisor.answer.other_models import at_another_level, other_model
from advisor.answer.reasons import reasons
from advisor.answer.verdict import verdict
from advisor.foundation.errors import InputError
from advisor.question.question import Question
from advisor.words import say
from tests.support.decisions import drawn
from tests.support.seeds import seed

TODAY = date(2026, 12, 1)


def asked(query: str) -> Answer:
    return answer(Question.from_query(query), today=TODAY)


@pytest.mark.parametrize(
    "query",
    [
        "model=qwen3-8b&machine=rtx-4060&level=Q8_0",
        "model=qwen3-8b&machine=rtx-4090&level=Q2_K",
        "model=llama-3.3-70b-instruct&machine=rtx-3090&gpus=2&level=F16",
        "model=qwen3-14b&machine=rtx-3060-12gb&context=32768&level=Q6_K",
    ],
)
def test_the_model_itself_is_what_to_run_at_another_level(query: str) -> None:
    found = asked(query)
    assert found.status in ("does not fit", "last resort")
    there = answer(found.question.with_values(level=None), today=TODAY)
    assert there.status in ("good", "limited")
    assert f"it runs as {there.shown.level} in " in say(verdict(found))
    assert other_model(found) is None


@pytest.mark.parametrize(
    "query",
    [
        "model=llama-3.3-70b-instruct&machine=rtx-4060&level=Q4_K_M",
        "model=llama-3.1-70b-instruct&machine=rtx-5090&level=Q2_K",  # limited without it, and another model is better
    ],
)
def test_where_no_level_runs_well_another_model_leads(query: str) -> None:
    found = asked(query)
    assert at_another_level(found) is None
    other = other_model(found)
    assert other is not None
    assert other.leads


def test_what_is_said_of_another_level_is_what_is_answered_without_one() -> None:
    told = 0
    for number in range(150):
        with suppress(InputError):
            found = answer(Question.from_values({**drawn(f"levels {seed()}", number), "level": "Q8_0"}), today=TODAY)
            said = [dict(one.figures) for one in reasons(found) if one.kind == "runs_at_another_level"]
            if said:
                there = answer(found.as_asked.with_values(level=None), today=TODAY)
                shown = (there.shown.level, there.decided.setup.runtime.name)
                assert shown == (said[0]["level"], said[0]["runtime"])
                assert there.status in ("good", "limited")
                told += 1
    assert told >= 3
