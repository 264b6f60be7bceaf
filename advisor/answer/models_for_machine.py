"""What runs on this machine: every model of the catalogue as it is best run there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from advisor.answer.candidate import Candidate
from advisor.answer.decide import decide
from advisor.answer.option import Option
from advisor.answer.other_models import question_about
from advisor.answer.reasons import in_the_way
from advisor.answer.status import STATUSES, Status
from advisor.foundation.caches import remembered
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message
from advisor.foundation.turns import breathe
from advisor.foundation.units import MIB
from advisor.models.catalogue import Entry, catalogue
from advisor.quality.scale import ability
from advisor.question.hardware import hardware_of
from advisor.question.question import Question
from advisor.sizing.runtime_id import RuntimeId
from advisor.sources.resolved import from_entry

_TABLES_BYTES = 24 * MIB  # of what was answered last


@dataclass(frozen=True, eq=False)
class RunnableModel:
    """A model of the catalogue on the machine asked about. `reason` says why it does not run.

    `question` is the question that shows it in full, `option` what is decided for it.
    """

    entry: Entry
    question: Question
    option: Option | None
    reason: Message | None

    @property
    def chosen(self) -> Candidate | None:
        """What is to be run."""
        return self.option.candidate if self.option is not None and self.option.runs else None

    @property
    def status(self) -> Status:
        return "does not fit" if self.option is None else self.option.status

    @property
    def as_fast_as_asked(self) -> bool:
        """Whether it typically writes as fast as is wished."""
        wish = self.question.requirements.min_tokens_per_s
        return wish is None or (self.option is not None and self.option.candidate.as_fast_as(wish))


def models_on(question: Question, today: date | None = None) -> tuple[RunnableModel, ...]:
    """Every model of the catalogue on the question's machine, each by the same decision, in order (`in_order`).

    The question's own model, and what belongs to its files, do not matter. Raises InputError where the machine cannot
    be built like that.
    """
    asked = about_any_model(question)
    return _models_on(asked, asked.pins, today or datetime.now(UTC).date())


def about_any_model(question: Question) -> Question:
    """The question without its model and what belongs to that one's files: alike for all who ask about a machine."""
    return question_about(question, "any")


def models_tried(question: Question, today: date) -> Iterator[RunnableModel]:
    """The same one after the other, in the order of the catalogue, for whoever shows how far it is."""
    hardware_of(
        question.machine, question.runtime.backend, RuntimeId.LLAMA_CPP, question.others
    )  # which may not be possible at all
    return (_model_on(question, entry, today) for entry in catalogue().values())


def in_order(rows: Iterable[RunnableModel], task: str) -> tuple[RunnableModel, ...]:
    """The good ones first, those as fast as is wished first among them, then the most able (by published scores of the
    task; those without any after them, by size).
    """
    return tuple(sorted(rows, key=lambda row: _order(row, task)))


@remembered(_TABLES_BYTES)
def _models_on(question: Question, pins: frozenset[str], today: date) -> tuple[RunnableModel, ...]:
    return in_order(models_tried(question, today), question.requirements.task)


def _order(row: RunnableModel, task: str) -> tuple[int, bool, bool, float, int, str]:
    able = ability(row.entry.id, task)
    value = 0.0 if able is None else -able.value
    slow = not row.as_fast_as_asked
    return STATUSES.index(row.status), slow, able is None, value, -row.entry.parameters.counted, row.entry.name


def _model_on(question: Question, entry: Entry, today: date) -> RunnableModel:
    breathe()
    limit = entry.model.context_length
    context = question.workload.context if limit is None else min(question.workload.context, limit)
    asked = question.with_values(model=entry.id, context=context)
    try:
        decided = decide(asked, from_entry(entry), today)
    except InputError as error:
        return RunnableModel(entry, asked, None, error.message)
    best = decided.best
    why = None if best.runs else next(in_the_way(best, decided.search, best.setup.hardware.name))
    return RunnableModel(entry, asked, best, why)
