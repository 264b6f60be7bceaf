"""The best level of one model on one machine without planning every level: what both reverse questions ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from advisor.answer.answer import check_limits
from advisor.answer.assess import asked_of, candidates_of, facts_of_model, writes_text
from advisor.answer.candidate import Candidate, licence_gap, quality_gap
from advisor.answer.ladders import Subject, ladder
from advisor.answer.plans import plans_of, request_of, runtime_of
from advisor.answer.recommend import choose
from advisor.formats.level_id import LevelId
from advisor.formats.levels import written
from advisor.foundation.ranges import Range
from advisor.models.model import Model
from advisor.quality import estimate_quality
from advisor.question.hardware import Hardware
from advisor.question.question import Question
from advisor.question.requirements import Requirements, Unmet
from advisor.runtimes.registry import runtime_by
from advisor.sizing.plan import LevelOnMachine, Verdict
from advisor.sizing.runtime_id import RuntimeId
from advisor.sources.resolve import ResolvedModel


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


def choose_level(
    question: Question, entry: ResolvedModel, hardware: Hardware, today: date, only: tuple[str, ...] = ()
) -> tuple[tuple[Outlook, ...], Candidate | None]:
    """Every level (or `only` some) of a model on a machine, and the candidate that `answer` would recommend.

    Raises InputError where `answer` does.
    """
    model = model_asked_of(entry, question.model.mtp)
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


def model_asked_of(entry: ResolvedModel, mtp: bool) -> Model:
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
