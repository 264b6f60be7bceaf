"""The reverse questions: what runs on this machine, and which machine to buy or rent for this model."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from advisor.advise import Answer, answer
from advisor.candidate import Candidate
from advisor.errors import InputError
from advisor.machines.catalogue import Machine
from advisor.models.catalogue import Entry, catalogue
from advisor.scenario import Scenario

COUNTS = (1, 2, 4, 8)  # of equal cards in one host


@dataclass(frozen=True, eq=False)
class RunnableModel:
    """A model of the catalogue on the machine asked about; `answer` None where it cannot be run there at all."""

    entry: Entry
    answer: Answer | None
    reason: str

    @property
    def chosen(self) -> Candidate | None:
        return self.answer.chosen if self.answer is not None else None


@dataclass(frozen=True, eq=False)
class FittingMachine:
    """The smallest number of one machine that meets every requirement, with the answer for it."""

    machine: Machine
    gpus: int
    answer: Answer
    chosen: Candidate


def models_on(scenario: Scenario, today: date | None = None) -> tuple[RunnableModel, ...]:
    """Every model of the catalogue on the scenario's machine: those that run first, by size, largest first.

    Larger models of one generation are usually more capable; how models compare with each other is not claimed.
    """
    rows = [_model_on(scenario, entry, today) for entry in catalogue().values()]
    return tuple(sorted(rows, key=lambda row: (row.chosen is None, -row.entry.parameters.counted)))


def _model_on(scenario: Scenario, entry: Entry, today: date | None) -> RunnableModel:
    limit = entry.model.context_length
    context = scenario.context if limit is None else min(scenario.context, limit)
    asked = scenario.model_copy(update={"model": entry.id, "level": None, "context": context, "context_used": None})
    try:
        found = answer(asked, today=today)
    except InputError as error:
        return RunnableModel(entry, None, str(error))
    return RunnableModel(entry, found, found.recommendation.reasons[0])
