"""The whole answer to a question, in one call: what the page, the command line and exports all show."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property

from advisor.answer.assess import asked_of, candidates_of, encoder_notes, writes_text
from advisor.answer.candidate import Candidate
from advisor.answer.drafting import drafting_note
from advisor.answer.ladders import Subject, looked_at
from advisor.answer.pasted import choose_runtime
from advisor.answer.plans import plans_of, request_of, runtime_name, with_frontend_defaults
from advisor.answer.recommend import Recommendation, recommend
from advisor.answer.runtime_notes import runtime_notes
from advisor.formats.gguf_levels import Level
from advisor.formats.levels import find_level
from advisor.foundation.caches import remembered
from advisor.foundation.errors import InputError
from advisor.foundation.message import NOTHING, Message, each_as_it_is, fact
from advisor.foundation.numbers import plural
from advisor.foundation.units import KIB, MIB
from advisor.machines.catalogue import Machine
from advisor.models.model import Model
from advisor.question.choices import Workload
from advisor.question.hardware import Hardware, hardware_of
from advisor.question.question import Question
from advisor.runtimes.defaults import Taken
from advisor.runtimes.registry import runtime_by
from advisor.sizing.memory import Memory
from advisor.sizing.plan import Plan
from advisor.sizing.runtime_id import RuntimeId
from advisor.sources.local_measurements import LocalMeasurement, measured_of
from advisor.sources.resolve import ResolvedModel, find_any_model

_REMEMBERED_S = 600
_MODELS_BYTES = 16 * MIB
_ANSWERS_BYTES = 48 * MIB
# What they come to once all pages have looked at them (tests/unit/foundation/test_caches.py weighs them).
_SMALL = 8 * KIB
_EACH_LAYER = 12 * KIB
_EACH_CANDIDATE = 16 * KIB
# MiniMax M3 selects blocks user by user: llama.cpp runs out of graph nodes (seen with 16, not with 4).
_BLOCK_SELECTION_USERS = 16


@dataclass(frozen=True, eq=False)  # compared by identity: what follows from it is kept beside it
class Answer:
    """Everything computed for a question. `notes` are what the reader should see beside the numbers.

    `taken` are the settings that Ollama or LM Studio chose, as the question did not; `question` holds them.
    `measured_here` is the evidence besides the data release: what was measured here of this very model.
    """

    question: Question
    entry: ResolvedModel
    model: Model
    hardware: Hardware
    runtime: RuntimeId
    candidates: tuple[Candidate, ...]
    recommendation: Recommendation
    notes: tuple[Message, ...]
    today: date
    taken: tuple[Taken, ...] = ()
    measured_here: tuple[LocalMeasurement, ...] = ()

    @cached_property
    def plans(self) -> tuple[Plan, ...]:
        """The memory plans of the candidates."""
        return tuple(candidate.plan for candidate in self.candidates)

    @cached_property
    def chosen(self) -> Candidate | None:
        """The recommended candidate."""
        return next((one for one in self.candidates if one.level_id == self.recommendation.level_id), None)

    @cached_property
    def shown(self) -> Candidate:
        """What details are about: the recommended candidate, else the one that comes nearest."""
        return _shown(self.candidates, self.recommendation)

    @property
    def machine(self) -> Machine:
        return self.hardware.machine

    @property
    def memory(self) -> Memory:
        return self.hardware.memory

    @property
    def machine_name(self) -> str:
        return self.hardware.name


def _shown(candidates: tuple[Candidate, ...], choice: Recommendation) -> Candidate:
    level = choice.level_id or choice.nearest_id
    return next((one for one in candidates if one.level_id == level), candidates[0])


def _weight(found: ResolvedModel) -> int:
    """Bytes that remembering a model takes, with what is kept beside it; one of the catalogue is there anyway."""
    return _SMALL + (0 if found.entry is not None or found.model is None else _EACH_LAYER * len(found.model.layers))


def _answer_weight(found: Answer) -> int:
    return _weight(found.entry) + _EACH_CANDIDATE * len(found.candidates)


@remembered(_MODELS_BYTES, _weight)
def _find(text: str, allow_local: bool, period: int) -> ResolvedModel:
    """The model, asked for again only in the next period: a branch on the Hub may move."""
    return find_any_model(text, allow_local=allow_local)


def answer(
    question: Question,
    allow_local: bool = False,
    today: date | None = None,
    measured_here: tuple[LocalMeasurement, ...] = (),
    brief: bool = False,
) -> Answer:
    """Answer a question; raises InputError in one sentence when it cannot be answered.

    `allow_local` lets its model be a path on this machine: for the command line only. `today` is the day from which
    the age of prices is counted. `measured_here` (`local_measurements`) stands in for estimated divergence and
    perplexity and beside the speed, and never changes what is recommended. `brief` leaves out levels that are never
    recommended: the same recommendation in half the time.
    """
    day = today or datetime.now(UTC).date()
    return _answer(
        question, question.given, allow_local, day, int(time.monotonic() // _REMEMBERED_S), measured_here, brief
    )


@remembered(_ANSWERS_BYTES, _answer_weight)
def _answer(
    question: Question,
    given: frozenset[str],  # questions are equal whether a default was given or not
    allow_local: bool,
    today: date,
    period: int,
    kept: tuple[LocalMeasurement, ...],
    brief: bool,
) -> Answer:
    entry = _find(question.model.name, allow_local, period)
    if entry.level is not None and question.model.level is None:  # named with the model: llama3.3:70b-instruct-q4_K_M
        question = question.with_values(level=entry.level)
    measured_here = measured_of(entry, kept)
    model = entry.must_have_model()
    if question.model.mtp:
        model = model.with_mtp()
    pasted = choose_runtime(question, entry, model)
    runtime = pasted.runtime
    hardware = hardware_of(question.machine, question.runtime.backend, runtime)
    question, taken = with_frontend_defaults(question, given, model, hardware, runtime)
    check_limits(question.model.level, question.workload, model, entry.name)
    runtime_by(runtime).check(request_of(question, entry, model, hardware, runtime))
    writes, batch = writes_text(entry, model), runtime_by(runtime).encoder_batch(question.settings)
    subject = Subject(model.parameters, hardware.name, entry.license, runtime, writes)
    among = looked_at(model, subject) if brief else None
    plans = (*filter(None, [pasted.plan]), *plans_of(question, entry, model, hardware, runtime, among))
    candidates = candidates_of(question, entry, model, hardware, plans, today, measured_here)
    choice = recommend(candidates, asked_of(question.requirements, writes), subject)
    drafting = drafting_note(question.model, hardware, _shown(candidates, choice)) if question.model.draft else None
    return Answer(
        question=question,
        entry=entry,
        model=model,
        hardware=hardware,
        runtime=runtime,
        candidates=candidates,
        recommendation=choice,
        notes=(
            *filter(None, [pasted.note]),
            *(() if writes else encoder_notes(entry, model, question.workload, question.requirements, batch)),
            *_frontend_notes(runtime, taken),
            *runtime_notes(question.runtime, question.settings, model, hardware, runtime),
            *_host_notes(hardware, plans),
            *filter(None, [drafting]),
            *_notes(entry, hardware.machine, model),
        ),
        today=today,
        taken=taken,
        measured_here=measured_here,
    )


def check_limits(level: str | None, work: Workload, model: Model, name: str) -> None:
    """Raise InputError in one sentence where the model cannot be run as asked."""
    limit = model.context_length
    if limit is not None and work.context > limit:
        raise InputError(
            f"context={work.context:,} is beyond what {name} was trained for: at most {plural(limit, 'token')}."
        )
    if work.context_used is not None and work.context_used > work.context:
        raise InputError(
            f"context_used={work.context_used:,} is more than the context of {plural(work.context, 'token')}."
        )
    if work.users >= _BLOCK_SELECTION_USERS and _selects_blocks_per_user(model):
        raise InputError(
            f"users={work.users}: llama.cpp aborts on {name} with {_BLOCK_SELECTION_USERS} users or more; "
            "run several instances."
        )
    stored = None if level is None else find_level(level)
    if isinstance(stored, Level) and not stored.offered_for(model):
        raise InputError(f"Level {level} is only for models published in it; {name} is not.")


def _selects_blocks_per_user(model: Model) -> bool:
    indexers = (mixer.kept(model.width).indexer for mixer in model.mixers)
    return any(indexer is not None and indexer.by_block for indexer in indexers)


def _frontend_notes(runtime: RuntimeId, taken: tuple[Taken, ...]) -> tuple[Message, ...]:
    if not taken:
        return ()
    return (fact("frontend_defaults", frontend=runtime_name(runtime), taken=tuple(each.said for each in taken)),)


def _host_notes(hardware: Hardware, plans: tuple[Plan, ...]) -> tuple[Message, ...]:
    """That the host's bandwidth is assumed, where anything is read from there."""
    if not hardware.host_bandwidth_assumed or not any(plan.placement.offloads and plan.fits for plan in plans):
        return ()
    return (fact("host_bandwidth_assumed", gb_s=hardware.host_bandwidth / 1e9),)


def _notes(entry: ResolvedModel, chosen: Machine, model: Model) -> tuple[Message, ...]:
    notes = [*each_as_it_is(entry.notes)]
    if model.runtime_note:
        notes.append(fact("runtime_hypothetical", note=model.runtime_note))
    if entry.confidence == "recalled":
        fields = len(entry.recalled_fields)
        notes.append(fact("shape_recalled", fields=fact("fields_of_config", n=fields) if fields else NOTHING))
    if chosen.confidence == "weak":
        notes.append(fact("machine_weakly_sourced", machine=chosen.name))
    if model.trunk is not None:
        notes.append(fact("mtp_counted"))
    if model.mtp_layers:
        notes.append(fact("mtp_left_out", n=len(model.mtp_layers), parameters=model.mtp_parameters))
    return tuple(notes)
