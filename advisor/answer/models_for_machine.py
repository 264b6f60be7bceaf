"""What runs on this machine: every model of the catalogue at its best level."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

from advisor.answer.candidate import Candidate
from advisor.answer.level_choice import Outlook, choose_level
from advisor.answer.plans import runtime_of
from advisor.foundation.caches import remembered
from advisor.foundation.errors import InputError
from advisor.foundation.message import NOTHING, Message, as_it_is, fact
from advisor.foundation.units import MIB
from advisor.models.catalogue import Entry, catalogue
from advisor.question.hardware import Hardware, hardware_of
from advisor.question.question import Question
from advisor.question.requirements import Requirements
from advisor.sources.resolved import from_entry

_TABLES_BYTES = 24 * MIB  # of what was answered last


@dataclass(frozen=True, eq=False)
class RunnableModel:
    """A model of the catalogue on the machine asked about, with all its levels; `reason` says why none is chosen.

    `question` is the question that shows it in full.
    """

    entry: Entry
    question: Question
    levels: tuple[Outlook, ...]
    chosen: Candidate | None
    reason: Message | None


def models_on(question: Question, today: date | None = None) -> tuple[RunnableModel, ...]:
    """Every model of the catalogue on the question's machine: those that run first, by size, largest first.

    Larger models of one generation are usually more capable; how models compare with each other is not claimed. The
    question's own model and level do not matter. Raises InputError where the machine cannot be built like that.
    """
    asked = question.with_values(model="any", level=None, context_used=None)
    return _models_on(asked, today or datetime.now(UTC).date())


@remembered(_TABLES_BYTES)
def _models_on(question: Question, today: date) -> tuple[RunnableModel, ...]:
    hardware = hardware_of(question.machine, question.runtime.backend, runtime_of(question))
    rows = [_model_on(question, hardware, entry, today) for entry in catalogue().values()]
    return tuple(sorted(rows, key=lambda row: (row.chosen is None, -row.entry.parameters.counted, row.entry.name)))


def _model_on(question: Question, hardware: Hardware, entry: Entry, today: date) -> RunnableModel:
    limit = entry.model.context_length
    context = question.workload.context if limit is None else min(question.workload.context, limit)
    asked = question.with_values(model=entry.id, context=context)
    try:
        levels, chosen = choose_level(asked, from_entry(entry), hardware, today)
    except InputError as error:
        return RunnableModel(entry, asked, (), None, as_it_is(str(error)))
    why = None if chosen is not None else _why_none(asked.machine.gpus, asked.requirements, entry, levels)
    return RunnableModel(entry, asked, levels, chosen, why)


def _why_none(gpus: int, asked: Requirements, entry: Entry, levels: tuple[Outlook, ...]) -> Message:
    running = [one for one in levels if one.runs]
    if not levels:
        return fact("no_level_with_runtime")
    if not running:
        least = min(levels, key=lambda one: one.on_machine.missing_bytes).on_machine
        each = fact("on_each_device") if gpus > 1 else NOTHING
        return fact("even_this_lacks", level=least.level.name, missing=least.missing_bytes, each=each)
    nearest = max(running, key=lambda one: one.kept.typical if one.kept is not None else 0.0)
    broken = nearest.unmet(asked, entry.license)
    return broken[0].message if broken else fact("no_usual_level_fits")
