"""From a question and a model to the best option: what every page, file and reverse question asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from advisor.answer.limits import check_limits
from advisor.answer.option import Option
from advisor.answer.pasted import Ways, ways_of
from advisor.answer.plans import none_planned
from advisor.answer.search import Search
from advisor.answer.setups import Subject
from advisor.foundation.errors import InputError
from advisor.question.question import Question
from advisor.sources.local_measurements import LocalMeasurement
from advisor.sources.resolve import ResolvedModel


@dataclass(frozen=True, eq=False)
class Decided:
    """The best option, and the search that found it among what was looked at."""

    about: Subject
    ways: Ways
    search: Search
    best: Option


def search_for(
    question: Question, entry: ResolvedModel, today: date, measured_here: Sequence[LocalMeasurement] = ()
) -> tuple[Ways, Search]:
    """The search for a question about a model; raises InputError in one sentence where nothing is possible."""
    about = Subject.of(question, entry)
    check_limits(question.model.level, about.question.workload, about.model, entry.name)
    ways = ways_of(about)
    return ways, Search(about, ways.setups, today, measured_here)


def decide(
    question: Question, entry: ResolvedModel, today: date, measured_here: Sequence[LocalMeasurement] = ()
) -> Decided:
    """Decide a question about a model; raises InputError in one sentence where it cannot be answered."""
    return decided_by(question, *search_for(question, entry, today, measured_here))


def decided_by(question: Question, ways: Ways, search: Search) -> Decided:
    """What the search of a question decides; raises InputError in one sentence where nothing is loaded."""
    best = search.best()
    if best is None:
        setup = ways.setups[0]
        if question.model.level is not None:
            setup.runtime.plan(setup.request)  # which raises what is wrong with this very level
        raise InputError.saying(none_planned(setup.request, setup.runtime, setup.hardware))
    return Decided(search.about, ways, search, best)
