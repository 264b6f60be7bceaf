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
from advisor.answer.plans import draft_of, family_of, memory_beside, plans_of, rates_of, runtime_of
from advisor.answer.recommend import READING_TOKENS_PER_S, choose
from advisor.formats.gguf_sizes import size_levels
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
from advisor.question.hardware import Hardware, hardware_of
from advisor.question.question import AUTO, Scenario
from advisor.question.requirements import Requirements, Unmet
from advisor.runtimes.llama_cpp.overview import LevelOnMachine, overview
from advisor.sizing.plan import Verdict
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

    `scenario` is the question that shows it in full.
    """

    entry: Entry
    scenario: Scenario
    levels: tuple[Outlook, ...]
    chosen: Candidate | None
    reason: Message | None


@dataclass(frozen=True, eq=False)
class FittingMachine:
    """The smallest number of one machine that meets every requirement; `scenario` is the question that shows it."""

    machine: Machine
    gpus: int
    scenario: Scenario
    chosen: Candidate

    @property
    def name(self) -> str:
        """What to buy, in words."""
        if self.machine.needs_memory:
            return f"{self.machine.name}, {exact(self.scenario.memory_gib or 0)} GiB of RAM"
        devices = self.gpus * self.machine.count
        return f"{devices} x {self.machine.name}" if devices > 1 and self.machine.count == 1 else self._set

    @property
    def _set(self) -> str:
        return f"{self.gpus} x {self.machine.name}" if self.gpus > 1 else self.machine.name

    @property
    def monthly(self) -> float | None:
        """The cheaper of owned and rented, in the scenario's currency; None where no price is known."""
        return self.chosen.monthly(self.scenario.own_hardware)


def models_on(scenario: Scenario, today: date | None = None) -> tuple[RunnableModel, ...]:
    """Every model of the catalogue on the scenario's machine: those that run first, by size, largest first.

    Larger models of one generation are usually more capable; how models compare with each other is not claimed. The
    scenario's own model and level do not matter. Raises InputError where the machine cannot be built like that.
    """
    asked = scenario.model_copy(update={"model": "any", "level": None, "context_used": None})
    return _models_on(asked, today or datetime.now(UTC).date())


@remembered(_TABLES_BYTES)
def _models_on(scenario: Scenario, today: date) -> tuple[RunnableModel, ...]:
    hardware = hardware_of(scenario, runtime_of(scenario))
    rows = [_model_on(scenario, hardware, entry, today) for entry in catalogue().values()]
    return tuple(sorted(rows, key=lambda row: (row.chosen is None, -row.entry.parameters.counted, row.entry.name)))


def _model_on(scenario: Scenario, hardware: Hardware, entry: Entry, today: date) -> RunnableModel:
    limit = entry.model.context_length
    context = scenario.context if limit is None else min(scenario.context, limit)
    asked = scenario.model_copy(update={"model": entry.id, "context": context})
    try:
        levels, chosen = choose_level(asked, from_entry(entry), hardware, today)
    except InputError as error:
        return RunnableModel(entry, asked, (), None, as_it_is(str(error)))
    return RunnableModel(entry, asked, levels, chosen, None if chosen is not None else _why_none(asked, entry, levels))


def _why_none(asked: Scenario, entry: Entry, levels: tuple[Outlook, ...]) -> Message:
    running = [one for one in levels if one.runs]
    if not levels:
        return fact("no_level_with_runtime")
    if not running:
        least = min(levels, key=lambda one: one.on_machine.missing_bytes).on_machine
        each = fact("on_each_device") if asked.gpus > 1 else NOTHING
        return fact("even_this_lacks", level=least.level, missing=least.missing_bytes, each=each)
    nearest = max(running, key=lambda one: one.kept.typical if one.kept is not None else 0.0)
    broken = nearest.unmet(asked, entry.license)
    return broken[0].message if broken else fact("no_usual_level_fits")


def choose_level(
    scenario: Scenario, entry: ResolvedModel, hardware: Hardware, today: date, only: tuple[str, ...] = ()
) -> tuple[tuple[Outlook, ...], Candidate | None]:
    """Every level (or `only` some) of a model on a machine, and the candidate that `answer` would recommend.

    Raises InputError where `answer` does.
    """
    model = _model_of(scenario, entry)
    check_limits(scenario, model, entry.name)
    runtime = runtime_of(scenario)
    if family_of(runtime) == "llama.cpp" and scenario.searches_placement and entry.file is None:
        outlooks = _glance(scenario, entry, model, hardware, runtime, today, only)
    else:
        outlooks = _in_full(scenario, entry, model, hardware, runtime, today, only)
    writes = writes_text(entry, model)
    subject = Subject(model.parameters, hardware.name, entry.license, family_of(runtime), writes)
    asked = asked_of(scenario, writes)
    by_level = {one.level: one for one in outlooks}
    ranked = [by_level[level] for level in ladder(list(by_level), subject)]
    # What was judged by its bytes alone may lack room for buffers after all.
    while (chosen := choose(ranked, asked, entry.license)) is not None and not chosen.candidate.plan.fits:
        ranked.remove(chosen)
    return outlooks, None if chosen is None else chosen.candidate


def _model_of(scenario: Scenario, entry: ResolvedModel) -> Model:
    model = entry.must_have_model()
    return model.with_mtp() if scenario.mtp else model


def _in_full(
    scenario: Scenario,
    entry: ResolvedModel,
    model: Model,
    hardware: Hardware,
    runtime: str,
    today: date,
    only: tuple[str, ...],
) -> tuple[Outlook, ...]:
    """From whole plans: other runtimes have few levels, and what is told where to lie is not searched for."""
    plans = plans_of(scenario, entry, model, hardware, runtime, only or None)
    return tuple(_seen(candidate) for candidate in candidates_of(scenario, entry, model, hardware, plans, today))


def _seen(candidate: Candidate) -> Outlook:
    plan, sized = candidate.plan, candidate.plan.sized
    seen = LevelOnMachine(
        plan.level, sized.file_bytes, sized.bits_per_weight, plan.verdict, plan.needed_bytes, plan.missing_bytes
    )
    return Outlook(seen, candidate.task, lambda: candidate.kept, lambda: candidate)


def _glance(
    scenario: Scenario,
    entry: ResolvedModel,
    model: Model,
    hardware: Hardware,
    runtime: str,
    today: date,
    only: tuple[str, ...],
) -> tuple[Outlook, ...]:
    facts = facts_of_model(entry, model)

    def outlook(seen: LevelOnMachine) -> Outlook:
        def kept() -> Range | None:
            return estimate_quality(facts, seen.level, scenario.task, bits_per_weight=seen.bits_per_weight).kept

        def candidate() -> Candidate:
            one = scenario.model_copy(update={"level": seen.level})
            return candidates_of(one, entry, model, hardware, plans_of(one, entry, model, hardware, runtime), today)[0]

        return Outlook(seen, scenario.task, kept, candidate)

    found = overview(
        model,
        memory_beside(hardware.memory, draft_of(scenario, model, entry.name, hardware.memory)),
        scenario.settings,
        margin=scenario.margin_percent / 100,
        rates=rates_of(hardware),
        imatrix=scenario.imatrix,
        only=(scenario.level,) if scenario.level is not None else only,
    )
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


def machines_for(scenario: Scenario, today: date | None = None) -> Shopping:
    """Every machine of the catalogue for the scenario's model and requirements, in the smallest number that will do.

    Ranked by what a month costs, owned or rented; those without a price at the end. The scenario's own machine does
    not matter. Where no quality or speed is asked for, "small loss is fine" and reading speed are assumed: without
    them the cheapest would be the one that hardly runs at all.
    """
    blank: dict[str, Any] = {**_NOT_SEARCHED_FOR, "machine": "any", "gpus": 1}
    return _machines_for(scenario.model_copy(update=blank), today or datetime.now(UTC).date())


@remembered(_TABLES_BYTES)
def _machines_for(scenario: Scenario, today: date) -> Shopping:
    entry = find_any_model(scenario.model)
    assumed = []
    if scenario.min_quality is None and scenario.level is None:
        scenario = scenario.model_copy(update={"min_quality": _ASSUMED_QUALITY})
        assumed.append(fact("quality_assumed", asked=scenario.quality_asked))
    if scenario.min_tokens_per_s is None:
        scenario = scenario.model_copy(update={"min_tokens_per_s": READING_TOKENS_PER_S})
        assumed.append(fact("speed_assumed", speed=READING_TOKENS_PER_S))
    assumed.append(fact("sizes_assumed"))
    only = _levels_to_look_at(scenario, entry)
    rows = [_machine_for(scenario, entry, one, today, only) for one in machines().values()]
    found = [row for row in rows if row is not None]
    found.sort(key=lambda row: (row.monthly is None, row.monthly or 0.0, row.gpus, row.machine.name))
    return Shopping(tuple(found), tuple(assumed), len(machines()) - len(found))


def _levels_to_look_at(scenario: Scenario, entry: ResolvedModel) -> tuple[str, ...]:
    """The smallest levels that keep what is asked for: a larger one is never faster where these are too slow.

    Of all levels () where no least quality is asked for, or none is known to keep it.
    """
    if family_of(runtime_of(scenario)) != "llama.cpp" or scenario.least_percent is None:
        return ()
    model = _model_of(scenario, entry)
    if not writes_text(entry, model):
        return ()
    facts, least = facts_of_model(entry, model), scenario.least_percent
    sizes = {sized.level.name: sized for sized in size_levels(model, scenario.imatrix)}
    usual = ladder(list(sizes), Subject(model.parameters, "", family=family_of(runtime_of(scenario))))
    keeping = []
    for level in usual:
        kept = estimate_quality(facts, level, scenario.task, bits_per_weight=sizes[level].bits_per_weight).kept
        if kept is not None and kept.typical >= least:
            keeping.append(level)
    return tuple(sorted(keeping, key=lambda level: sizes[level].file_bytes)[:_LEVELS_LOOKED_AT])


def _machine_for(
    scenario: Scenario, entry: ResolvedModel, one: Machine, today: date, only: tuple[str, ...]
) -> FittingMachine | None:
    for changes in _sizes(one):
        asked = scenario.model_copy(update={"machine": one.id, **changes})
        try:
            _, chosen = choose_level(asked, entry, hardware_of(asked, runtime_of(asked)), today, only)
        except InputError:
            continue
        if chosen is not None:
            return FittingMachine(one, asked.gpus, asked, chosen)
    return None


def _sizes(one: Machine) -> Iterable[Mapping[str, Any]]:
    """What may be bought of a machine, the smallest first."""
    if one.kind == CPU_KIND:
        return [{"memory_gib": float(size)} for size in CPU_RAM_GIB]
    if one.unified:
        return [{"host_memory_gib": None}]
    return [{"gpus": count} for count in (COUNTS[:1] if one.kind == _LAPTOP else COUNTS)]
