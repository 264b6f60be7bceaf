"""What is said to turn the comparison round does so when the whole question is asked again with it."""

from __future__ import annotations

from datetime import date

import pytest

from advisor.answer.answer import answer
from advisor.answer.turning_points import turning_points, turning_words
from advisor.question.question import Question
from advisor.words import say

TODAY = date(2026, 11, 30)


@pytest.mark.parametrize(
    "query",
    [
        "model=qwen3-32b&machine=rtx-4090&level=Q4_K_M&requests_per_day=10000&runtime=llama.cpp",
        "model=llama-3.3-70b-instruct&machine=rtx-3090&gpus=2&level=Q4_K_M&requests_per_day=5500&peak_factor=1",
    ],
)
def test_a_turning_point_is_one_when_it_is_asked(query: str) -> None:
    question = Question.from_query(query)
    found = answer(question, today=TODAY)
    shown = found.shown
    assert shown.costs is not None
    best = shown.costs.best()
    assert best is not None
    asked = 0
    for each in turning_points(found, shown):
        flips = [flip for flip in (each.less, each.more) if flip is not None]
        assert len(list(turning_words(each))) == len(flips)
        if len(each.keys) != 1:  # a speed is no key, and prices of an API go together
            continue
        for flip, said in zip(flips, turning_words(each), strict=True):
            again = answer(question.with_values(**{each.keys[0]: float(flip.value)}), today=TODAY).shown.costs
            assert again is not None
            turned = again.best()
            assert turned is not None
            assert turned.name == flip.way != best.name
            assert say(said).startswith(f"{say(each.label)}: at ")
            asked += 1
    assert asked


def test_nothing_is_said_of_a_plan_without_a_price() -> None:
    found = answer(Question.from_query("model=deepseek-v3"), today=TODAY)
    assert turning_points(found, found.shown) == ()
