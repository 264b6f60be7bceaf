"""The search over configurations: its bound leaves out nothing that would have been better."""

from __future__ import annotations

from datetime import date

import pytest

from advisor.answer.decide import search_for
from advisor.answer.policy import WEIGHTS
from advisor.answer.search import Job, Search
from advisor.foundation.errors import InputError
from advisor.question.question import Question
from advisor.sources.resolve import find_any_model
from tests.support.decisions import drawn

TODAY = date(2026, 11, 30)
SEED = "exhaustive"
_GOALS = tuple(WEIGHTS)


def search_of(question: Question) -> Search:
    return search_for(question, find_any_model(question.model.name), TODAY)[1]


def _makes_no_room(search: Search, job: Job) -> bool:
    """A smaller cache of what lies whole on the devices without it: by policy nobody is told to use it."""
    whole = None if job.whole is None else search.option_of(job.whole)
    return whole is not None and whole.plan.verdict == "fits"


@pytest.mark.parametrize("number", range(25))
def test_the_bounded_search_finds_what_an_exhaustive_one_finds(number: int) -> None:
    question = Question.from_values(drawn(SEED, number)).with_values(goal=_GOALS[number % len(_GOALS)])
    try:
        bounded, every = search_of(question), search_of(question)
    except InputError as refusal:
        pytest.skip(str(refusal))
    found = bounded.best()
    jobs = [job for job in every.jobs if not _makes_no_room(every, job)]
    options = [option for job in jobs if (option := every.option_of(job)) is not None]
    best = max(map(every.key_of, options), default=None)
    assert (None if found is None else bounded.key_of(found)) == best
