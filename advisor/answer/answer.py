"""The whole answer to a question, in one call: what the page, the command line and exports all show."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property

from advisor.answer.assess import candidates_of
from advisor.answer.candidate import Candidate
from advisor.answer.decide import Decided, decide
from advisor.answer.notes import notes_of
from advisor.answer.option import Option
from advisor.answer.plans import plans_of
from advisor.answer.search import Search
from advisor.answer.status import Status
from advisor.formats.gguf_levels import LEVELS
from advisor.foundation.caches import remembered
from advisor.foundation.message import Message
from advisor.foundation.units import KIB, MIB
from advisor.machines.catalogue import Machine
from advisor.models.model import Model
from advisor.question.hardware import Hardware
from advisor.question.question import Question
from advisor.runtimes.defaults import Taken
from advisor.sizing.memory import Memory
from advisor.sizing.plan import Plan
from advisor.sizing.runtime_id import RuntimeId
from advisor.sources.local_measurements import LocalMeasurement, measured_of
from advisor.sources.resolve import ResolvedModel, find_any_model

_REMEMBERED_S = 600
_MODELS_BYTES = 16 * MIB
_ANSWERS_BYTES = 96 * MIB
# What they come to once all pages have looked at them (tests/unit/foundation/test_caches.py weighs them).
_SMALL = 8 * KIB
_EACH_LAYER = 12 * KIB
_EACH_CANDIDATE = 28 * KIB
_MLX_LEVELS = 8


@dataclass(frozen=True, eq=False)  # compared by identity: what follows from it is kept beside it
class Answer:
    """Everything computed for a question: one decision, which everything that is shown is about.

    `search` has made it, `decided` is its best option: the plan to run, else the one that comes nearest. `question` is
    what was asked, with what a runtime chose by itself (`taken`), `runs` the same with everything told that was
    searched for. `notes` are what the reader should see beside the numbers, `measured_here` the evidence besides the
    data release: what was measured here of this very model.
    """

    question: Question
    runs: Question
    entry: ResolvedModel
    model: Model
    hardware: Hardware
    runtime: RuntimeId
    search: Search
    decided: Option
    notes: tuple[Message, ...]
    today: date
    beside: Plan | None = None
    taken: tuple[Taken, ...] = ()
    measured_here: tuple[LocalMeasurement, ...] = ()

    @property
    def shown(self) -> Candidate:
        """What details are about: what is to be run, else what comes nearest."""
        return self.decided.candidate

    @property
    def chosen(self) -> Candidate | None:
        """What is to be run; None where nothing fits and is as asked."""
        return self.decided.candidate if self.decided.runs else None

    @property
    def status(self) -> Status:
        return self.decided.status

    @property
    def as_asked(self) -> Question:
        """The question without what a runtime chose for itself: what another question begins with."""
        return self.question.with_values(**dict.fromkeys(each.key for each in self.taken))

    @cached_property
    def candidates(self) -> tuple[Candidate, ...]:
        """Every level of the chosen runtime, with the KV cache and on the cards of the decision."""
        asked, setup = self.runs, self.decided.setup
        plans = plans_of(asked, self.entry, self.model, setup.hardware, setup.runtime.id)
        beside = () if self.beside is None else (self.beside,)
        found = candidates_of(
            asked, self.entry, self.model, setup.hardware, (*beside, *plans), self.today, self.measured_here
        )
        # A file as it is may stand beside the levels under a name of theirs; 16 bits are no level that mlx-lm writes.
        others = tuple(self.shown if one.plan == self.shown.plan else one for one in found)
        return others if self.shown in others else (self.shown, *others)

    @cached_property
    def plans(self) -> tuple[Plan, ...]:
        """The memory plans of the candidates."""
        return tuple(candidate.plan for candidate in self.candidates)

    @property
    def machine(self) -> Machine:
        return self.hardware.machine

    @property
    def memory(self) -> Memory:
        return self.hardware.memory

    @property
    def machine_name(self) -> str:
        return self.hardware.name


def _weight(found: ResolvedModel) -> int:
    """Bytes that remembering a model takes, with what is kept beside it; one of the catalogue is there anyway."""
    return _SMALL + (0 if found.entry is not None or found.model is None else _EACH_LAYER * len(found.model.layers))


def _answer_weight(found: Answer) -> int:
    levels = _MLX_LEVELS if found.runtime is RuntimeId.MLX else len(LEVELS)
    return _weight(found.entry) + _EACH_CANDIDATE * levels


@remembered(_MODELS_BYTES, _weight)
def _find(text: str, allow_local: bool, period: int) -> ResolvedModel:
    """The model, asked for again only in the next period: a branch on the Hub may move."""
    return find_any_model(text, allow_local=allow_local)


def answer(
    question: Question,
    allow_local: bool = False,
    today: date | None = None,
    measured_here: tuple[LocalMeasurement, ...] = (),
) -> Answer:
    """Answer a question; raises InputError in one sentence when it cannot be answered.

    `allow_local` lets its model be a path on this machine: for the command line only. `today` is the day from which
    the age of prices is counted. `measured_here` (`local_measurements`) stands in for estimated divergence and
    perplexity and beside the speed, and never changes what is recommended.
    """
    day = today or datetime.now(UTC).date()
    return _answer(question, question.given, allow_local, day, int(time.monotonic() // _REMEMBERED_S), measured_here)


@remembered(_ANSWERS_BYTES, _answer_weight)
def _answer(
    question: Question,
    given: frozenset[str],  # questions are equal whether a default was given or not
    allow_local: bool,
    today: date,
    period: int,
    kept: tuple[LocalMeasurement, ...],
) -> Answer:
    entry = _find(question.model.name, allow_local, period)
    if entry.level in LEVELS and question.model.level is None:  # named with the model: llama3.3:70b-instruct-q4_K_M
        question = question.with_values(level=entry.level)
    measured_here = measured_of(entry, kept)
    return answered(decide(question, entry, today, measured_here))


def answered(decided: Decided) -> Answer:
    """The answer that a decision is."""
    best, about, search = decided.best, decided.about, decided.search
    setup = best.setup
    return Answer(
        question=setup.asked,
        runs=setup.question,
        entry=about.entry,
        model=about.model,
        hardware=setup.hardware,
        runtime=setup.runtime.id,
        search=search,
        decided=best,
        notes=(*filter(None, [decided.ways.note]), *notes_of(about, best)),
        today=search.today,
        beside=decided.ways.beside,
        taken=setup.taken,
        measured_here=search.measured_here,
    )
