"""The reverse questions: what runs on this machine, and which machine to buy or rent for this model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any

from advisor.answer.answer import check_limits
from advisor.answer.assess import asked_of, candidates_of, facts_of_model, writes_text
from advisor.answer.candidate import Candidate, licence_gap, quality_gap
from advisor.answer.ladders import Subject, ladder
from advisor.answer.plans import plans_of, request_of, runtime_of
from advisor.answer.recommend import READING_TOKENS_PER_S, choose
from advisor.formats.level_id import LevelId
from advisor.formats.levels import written
from advisor.foundation.caches import remembered
from advisor.foundation.errors import InputError
from advisor.foundation.message import NOTHING, Message, as_it_is, fact
from advisor.foundation.numbers import exact
from advisor.foundation.ranges import Range
from advisor.foundation.units import MIB
from advisor.machines.capacity import CPU_KIND
from advisor.machines.catalogue import Machine, machines
from advisor.models.catalogue import Entry, catalogue
from advisor.models.model import Model
from advisor.quality import estimate_quality
from advisor.question.choices import AUTO, ModelChoice
from advisor.question.hardware import Hardware, hardware_of
from advisor.question.question import Question
from advisor.question.requirements import Requirements, Unmet
from advisor.runtimes.registry import runtime_by
from advisor.sizing.plan import LevelOnMachine, Verdict
from advisor.sizing.runtime_id import RuntimeId
from advisor.sources.resolve import ResolvedModel, find_any_model
from advisor.sources.resolved import from_entry

COUNTS = (1, 2, 4, 8)  # of equal cards in one host
CPU_RAM_GIB = (64, 128, 256)  # what is assumed of a machine whose memory the buyer chooses
_LEVELS_LOOKED_AT = 2
_TABLES_BYTES = 24 * MIB  # of what each of the two questions was answered last
_LAPTOP = "laptop-gpu"
_ASSUMED_QUALITY = "small"
_NOT_SEARCHED_FOR = {"other_machine": None, "memory_gib": None, "bandwidth_gb_s": None, "backend": AUTO}


@dataclass(frozen=True, eq=False)
class Outlook:
    """One level of one model on one machine, as far as it is known without a whole plan."""

    on_machine: LevelOnMachine
    task: str
    find_kept: Callable[[], Range | None] = field(repr=False)
    find_candidate: Callable[[], Candidate] = field(repr=False)

    @property
    def level(self) -> str:
        return self.on_machine.level.name

    @property
    def level_id(self) -> LevelId:
        return self.on_machine.level

    @property
    def verdict(self) -> Verdict:
        return self.on_machine.verdict

    @property
    def runs(self) -> bool:
        return self.verdict in ("fits", "fits with offload")

    @property
    def file_bytes(self) -> int:
        return self.on_machine.file_bytes

    @cached_property
    def kept(self) -> Range | None:
        """Percent of the 16-bit score kept."""
        return self.find_kept()

    @cached_property
    def candidate(self) -> Candidate:
        """The whole candidate with its plan, worked out when asked for."""
        return self.find_candidate()

    @property
    def tokens_per_s(self) -> Range | None:
        return self.candidate.tokens_per_s

    def unmet(self, asked: Requirements, licence: str) -> tuple[Unmet, ...]:
        """As `Candidate.unmet`, but stops at what the level keeps where that is enough to know."""
        if gap := quality_gap(self.level, self.kept, self.task, asked) or licence_gap(licence, asked):
            return (gap,)
        if asked.min_tokens_per_s or asked.max_first_token_s or asked.max_cost_per_month:
            return self.candidate.unmet(asked, licence)
        return ()


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


def choose_level(
    question: Question, entry: ResolvedModel, hardware: Hardware, today: date, only: tuple[str, ...] = ()
) -> tuple[tuple[Outlook, ...], Candidate | None]:
    """Every level (or `only` some) of a model on a machine, and the candidate that `answer` would recommend.

    Raises InputError where `answer` does.
    """
    model = _model_of(entry, question.model.mtp)
    check_limits(question.model.level, question.workload, model, entry.name)
    runtime = runtime_of(question)
    seen = runtime_by(runtime).glance(request_of(question, entry, model, hardware, runtime, only or None))
    if seen is not None:
        outlooks = _glance(seen, question, entry, model, hardware, runtime, today)
    else:
        outlooks = _in_full(question, entry, model, hardware, runtime, today, only)
    writes = writes_text(entry, model)
    subject = Subject(model.parameters, hardware.name, entry.license, runtime, writes)
    asked = asked_of(question.requirements, writes)
    by_level = {one.level_id: one for one in outlooks}
    ranked = [by_level[level] for level in ladder(list(by_level), subject)]
    # What was judged by its bytes alone may lack room for buffers after all.
    while (chosen := choose(ranked, asked, entry.license)) is not None and not chosen.candidate.plan.fits:
        ranked.remove(chosen)
    return outlooks, None if chosen is None else chosen.candidate


def _model_of(entry: ResolvedModel, mtp: bool) -> Model:
    model = entry.must_have_model()
    return model.with_mtp() if mtp else model


def _in_full(
    question: Question,
    entry: ResolvedModel,
    model: Model,
    hardware: Hardware,
    runtime: RuntimeId,
    today: date,
    only: tuple[str, ...],
) -> tuple[Outlook, ...]:
    """From whole plans: other runtimes have few levels, and what is told where to lie is not searched for."""
    plans = plans_of(question, entry, model, hardware, runtime, only or None)
    return tuple(_seen(candidate) for candidate in candidates_of(question, entry, model, hardware, plans, today))


def _seen(candidate: Candidate) -> Outlook:
    plan, sized = candidate.plan, candidate.plan.sized
    seen = LevelOnMachine(
        plan.level_id, sized.file_bytes, sized.bits_per_weight, plan.verdict, plan.needed_bytes, plan.missing_bytes
    )
    return Outlook(seen, candidate.task, lambda: candidate.kept, lambda: candidate)


def _glance(
    found: tuple[LevelOnMachine, ...],
    question: Question,
    entry: ResolvedModel,
    model: Model,
    hardware: Hardware,
    runtime: RuntimeId,
    today: date,
) -> tuple[Outlook, ...]:
    facts = facts_of_model(entry, model)

    def outlook(seen: LevelOnMachine) -> Outlook:
        def kept() -> Range | None:
            return estimate_quality(
                facts, written(seen.level), question.requirements.task, bits_per_weight=seen.bits_per_weight
            ).kept

        def candidate() -> Candidate:
            one = question.with_values(level=written(seen.level))
            return candidates_of(one, entry, model, hardware, plans_of(one, entry, model, hardware, runtime), today)[0]

        return Outlook(seen, question.requirements.task, kept, candidate)

    return tuple(outlook(seen) for seen in found)


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
    model = _model_of(entry, chosen.mtp)
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
