"""What "Models for a machine" shows: every model as a row of plain values, and every level of each.

Rows are kept for all visitors, so they hold nothing of the engine's that is large.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from advisor.answer.level_map import levels_of
from advisor.answer.models_for_machine import RunnableModel, about_any_model, in_order, models_tried
from advisor.answer.plans import runtime_name
from advisor.answer.status import Status
from advisor.foundation.ranges import Range
from advisor.models.catalogue import catalogue
from advisor.models.licences import Use, commercial_use
from advisor.question.question import Question
from advisor.sizing.plan import Verdict
from advisor.ui.sweeps import Steps, Sweep
from advisor.words import say

Key = tuple[Question, frozenset[str], date]  # questions are equal whether a default was given or not
_TABLES, _MAPS = 24, 8  # kept; half a megabyte and two each


@dataclass(frozen=True, slots=True)
class Running:
    """How a model is run: `kept` in percent of the 16-bit score, speeds for each user."""

    level: str
    runtime: str
    verdict: Verdict
    kept: Range | None
    tokens_per_s: Range | None
    inputs_per_s: Range | None
    needed_bytes: int
    as_fast_as_asked: bool


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model on the machine asked about: how it is run, or why it is not. `query` asks for it in full."""

    id: str
    name: str
    publisher: str
    variant: str
    parameters: int
    active_parameters: int
    released: str
    licence: str
    use: Use
    query: str
    context: int
    status: Status
    running: Running | None
    reason: str

    @property
    def year(self) -> int:
        return int(self.released[:4])


@dataclass(frozen=True, slots=True)
class LevelCell:
    """One level of a model: `kept` is None where it does not run, or nothing is known."""

    level: str
    kept: Range | None
    needed_bytes: int
    verdict: Verdict
    runs: bool


def key_of(question: Question, today: date) -> Key:
    """What is alike for all who ask about this machine."""
    asked = about_any_model(question)
    return asked, asked.pins, today


def _rows(key: Key) -> Steps[tuple[ModelRow, ...]]:
    question, _, today = key
    total, tried = len(catalogue()), []
    for row in models_tried(question, today):
        tried.append(row)
        yield len(tried), total
    return tuple(_row(row) for row in in_order(tried, question.requirements.task))


def _row(row: RunnableModel) -> ModelRow:
    entry = row.entry
    return ModelRow(
        id=entry.id,
        name=entry.name,
        publisher=entry.publisher,
        variant=entry.variant,
        parameters=entry.model.parameters,
        active_parameters=entry.model.active_parameters,
        released=entry.released,
        licence=entry.license,
        use=commercial_use(entry.license).use,
        query=row.question.to_query(),
        context=row.question.workload.context,
        status=row.status,
        running=_running(row),
        reason=say(row.reason, "page") if row.reason is not None else "",
    )


def _running(row: RunnableModel) -> Running | None:
    chosen = row.chosen
    if chosen is None:
        return None
    return Running(
        level=chosen.level,
        runtime=runtime_name(chosen.plan.runtime),
        verdict=chosen.verdict,
        kept=chosen.kept,
        tokens_per_s=chosen.tokens_per_s,
        inputs_per_s=chosen.inputs_per_s,
        needed_bytes=chosen.plan.needed_bytes,
        as_fast_as_asked=row.as_fast_as_asked,
    )


def _levels(key: Key) -> Steps[dict[str, tuple[LevelCell, ...]]]:
    question, _, today = key
    total, found = len(catalogue()), {}
    for row in models_tried(question, today):
        found[row.entry.id] = tuple(
            LevelCell(one.level, one.kept, one.on_machine.needed_bytes, one.on_machine.verdict, one.runs)
            for one in levels_of(row)
        )
        yield len(found), total
    return found


ROWS: Sweep[Key, tuple[ModelRow, ...]] = Sweep(_rows, _TABLES)
LEVELS: Sweep[Key, dict[str, tuple[LevelCell, ...]]] = Sweep(_levels, _MAPS)
