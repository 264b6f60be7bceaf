"""Which machine to buy or rent for this model: every machine of the catalogue in the smallest number that will do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from advisor.answer.assess import facts_of_model, writes_text
from advisor.answer.candidate import Candidate
from advisor.answer.ladders import Subject, ladder
from advisor.answer.level_choice import choose_level, model_asked_of
from advisor.answer.plans import runtime_of
from advisor.answer.recommend import READING_TOKENS_PER_S
from advisor.foundation.caches import remembered
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, fact
from advisor.foundation.numbers import exact
from advisor.foundation.units import MIB
from advisor.machines.capacity import CPU_KIND
from advisor.machines.catalogue import Machine, machines
from advisor.quality import estimate_quality
from advisor.question.choices import AUTO, ModelChoice
from advisor.question.hardware import hardware_of
from advisor.question.question import Question
from advisor.question.requirements import Requirements
from advisor.runtimes.registry import runtime_by
from advisor.sizing.runtime_id import RuntimeId
from advisor.sources.resolve import ResolvedModel, find_any_model

COUNTS = (1, 2, 4, 8)  # of equal cards in one host
CPU_RAM_GIB = (64, 128, 256)  # what is assumed of a machine whose memory the buyer chooses
_LEVELS_LOOKED_AT = 2
_TABLES_BYTES = 24 * MIB  # of what was answered last
_LAPTOP = "laptop-gpu"
_ASSUMED_QUALITY = "small"
_NOT_SEARCHED_FOR = {
    "other_machine": None,
    "use_gpus": None,
    "memory_gib": None,
    "bandwidth_gb_s": None,
    "backend": AUTO,
}


@dataclass(frozen=True, eq=False)
class FittingMachine:
    """The smallest number of one machine that meets every requirement; `question` is the question that shows it."""

    machine: Machine
    gpus: int
    question: Question
    chosen: Candidate

    @property
    def name(self) -> str:
        """What to buy, in words."""
        if self.machine.needs_memory:
            return f"{self.machine.name}, {exact(self.question.machine.memory_gib or 0)} GiB of RAM"
        devices = self.gpus * self.machine.count
        return f"{devices} x {self.machine.name}" if devices > 1 and self.machine.count == 1 else self._set

    @property
    def _set(self) -> str:
        return f"{self.gpus} x {self.machine.name}" if self.gpus > 1 else self.machine.name

    @property
    def monthly(self) -> float | None:
        """The cheaper of owned and rented, in the question's currency; None where no price is known."""
        return self.chosen.monthly(self.question.requirements.own_hardware)


@dataclass(frozen=True, eq=False)
class Shopping:
    """What to buy or rent: the machines that will do, cheapest first, what was assumed, and how many will not do."""

    machines: tuple[FittingMachine, ...]
    assumed: tuple[Message, ...]
    too_small: int

    @property
    def cheapest(self) -> FittingMachine | None:
        """Of those that hold everything on their GPUs, where there are any: nobody buys a machine to be too small."""
        priced = [row for row in self.machines if row.monthly is not None]
        return next((row for row in priced if row.chosen.verdict == "fits"), next(iter(priced), None))


def machines_for(question: Question, today: date | None = None) -> Shopping:
    """Every machine of the catalogue for the question's model and requirements, in the smallest number that will do.

    Ranked by what a month costs, owned or rented; those without a price at the end. The question's own machine does
    not matter. Where no quality or speed is asked for, "small loss is fine" and reading speed are assumed: without
    them the cheapest would be the one that hardly runs at all.
    """
    blank: dict[str, Any] = {**_NOT_SEARCHED_FOR, "machine": "any", "gpus": 1}
    return _machines_for(question.with_values(**blank), today or datetime.now(UTC).date())


@remembered(_TABLES_BYTES)
def _machines_for(question: Question, today: date) -> Shopping:
    entry = find_any_model(question.model.name)
    assumed = []
    if question.requirements.min_quality is None and question.model.level is None:
        question = question.with_values(min_quality=_ASSUMED_QUALITY)
        assumed.append(fact("quality_assumed", asked=question.requirements.quality_asked))
    if question.requirements.min_tokens_per_s is None:
        question = question.with_values(min_tokens_per_s=READING_TOKENS_PER_S)
        assumed.append(fact("speed_assumed", speed=READING_TOKENS_PER_S))
    assumed.append(fact("sizes_assumed"))
    only = _levels_to_look_at(question.model, question.requirements, runtime_of(question), entry)
    rows = [_machine_for(question, entry, one, today, only) for one in machines().values()]
    found = [row for row in rows if row is not None]
    found.sort(key=lambda row: (row.monthly is None, row.monthly or 0.0, row.gpus, row.machine.name))
    return Shopping(tuple(found), tuple(assumed), len(machines()) - len(found))


def _levels_to_look_at(
    chosen: ModelChoice, asked: Requirements, runtime: RuntimeId, entry: ResolvedModel
) -> tuple[str, ...]:
    """The smallest levels that keep what is asked for: a larger one is never faster where these are too slow.

    Of all levels () where no least quality is asked for, or none is known to keep it.
    """
    if asked.least_percent is None:
        return ()
    model = model_asked_of(entry, chosen.mtp)
    if not writes_text(entry, model):
        return ()
    facts, least = facts_of_model(entry, model), asked.least_percent
    sizes = {sized.level.id: sized for sized in runtime_by(runtime).sizes(model, chosen.imatrix)}
    keeping = []
    for level in ladder(list(sizes), Subject(model.parameters, "", runtime=runtime)):
        kept = estimate_quality(facts, level.name, asked.task, bits_per_weight=sizes[level].bits_per_weight).kept
        if kept is not None and kept.typical >= least:
            keeping.append(level)
    smallest = sorted(keeping, key=lambda level: sizes[level].file_bytes)[:_LEVELS_LOOKED_AT]
    return tuple(level.name for level in smallest)


def _machine_for(
    question: Question, entry: ResolvedModel, one: Machine, today: date, only: tuple[str, ...]
) -> FittingMachine | None:
    for changes in _sizes(one):
        asked = question.with_values(machine=one.id, **changes)
        try:
            _, chosen = choose_level(
                asked, entry, hardware_of(asked.machine, asked.runtime.backend, runtime_of(asked)), today, only
            )
        except InputError:
            continue
        if chosen is not None:
            return FittingMachine(one, asked.machine.gpus, asked, chosen)
    return None


def _sizes(one: Machine) -> Iterable[Mapping[str, Any]]:
    """What may be bought of a machine, the smallest first."""
    if one.kind == CPU_KIND:
        return [{"memory_gib": float(size)} for size in CPU_RAM_GIB]
    if one.unified:
        return [{"host_memory_gib": None}]
    return [{"gpus": count} for count in (COUNTS[:1] if one.kind == _LAPTOP else COUNTS)]
