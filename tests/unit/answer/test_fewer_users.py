"""Where fewer users are the way out, that is said; asked again, it is true."""

from __future__ import annotations

from advisor.answer.answer import answer
from advisor.answer.reasons import reasons
from advisor.question.question import Question
from advisor.words import say_all


def test_as_many_users_as_are_named_do_fit_and_one_more_does_not() -> None:
    query = "model=qwen3-8b&machine=rtx-4090&context=32768&runtime=llama.cpp&users="
    found = answer(Question.from_query(f"{query}64"))
    (named,) = [way.value for way in found.shown.plan.ways_out if way.kind == "fewer users"]
    assert f"With {named} users at once it fits." in say_all(reasons(found))
    assert isinstance(named, int)
    assert answer(Question.from_query(f"{query}{named}")).shown.plan.fits
    assert not answer(Question.from_query(f"{query}{named + 1}")).shown.plan.fits
