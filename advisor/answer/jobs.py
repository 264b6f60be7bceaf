"""The jobs of one question, and what each is worth: at best before it is planned, as a plan after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from functools import cached_property

from advisor.answer.assess import asked_of, candidates_of
from advisor.answer.bounds import Bounds
from advisor.answer.candidate import Candidate
from advisor.answer.job import Job
from advisor.answer.kept import kept_by, kept_of, kept_of_encoder
from advisor.answer.option import (
    BROKEN,
    DOES_NOT_FIT,
    NOT_AS_ASKED,
    RANKS,
    TIGHT,
    Key,
    Option,
    figures_of,
    status_of,
)
from advisor.answer.plans import refuses_input
from advisor.answer.policy import WEIGHTS, Weights
from advisor.answer.setups import Setup, Subject, is_as_published
from advisor.answer.traits import traits_of
from advisor.answer.utility import Kept, utility
from advisor.formats.level_id import LevelId
from advisor.foundation.errors import InputError
from advisor.foundation.turns import still_wanted
from advisor.quality.own_files import native_file
from advisor.sizing.runtime_id import RuntimeId
from advisor.sources.local_measurements import LocalMeasurement

_NEVER = float("-inf")


class Jobs:
    """The jobs of one question, and the plans made of some of them."""

    def __init__(
        self, about: Subject, setups: Sequence[Setup], today: date, measured_here: Sequence[LocalMeasurement] = ()
    ):
        self.about, self.setups, self.today, self.measured_here = about, tuple(setups), today, tuple(measured_here)
        question = about.question
        self.asked = asked_of(question.requirements, about.writes)
        self.users = question.workload.users
        self.weights = WEIGHTS[question.requirements.goal]
        self.jobs: list[Job] = []
        for setup in setups:
            self.jobs += self._jobs(setup)
        self._bounds = Bounds(about, self.asked, today)

    @cached_property
    def engines(self) -> frozenset[RuntimeId]:
        """Whose plans are compared."""
        return frozenset(setup.runtime.engine for setup in self.setups)

    @property
    def seen(self) -> Iterator[Option]:
        """The options that have been planned."""
        return (job.option for job in self.jobs if job.option is not None)

    def job_of(self, option: Option) -> Job:
        """The job that an option was planned for."""
        return next(job for job in self.jobs if job.option is option)

    def option_of(self, job: Job) -> Option | None:
        """The option of a job to the byte, planned now if it is not yet; None where it is not loaded."""
        option = self.compared(job)
        if option is not None and not job.exact:
            job.exact = True
            if option.plan.placement.offloads:  # nothing else is compared by bounds
                job.option = self._planned(job, exactly=True)
        return job.option

    def compared(self, job: Job) -> Option | None:
        """The same as far as it takes to compare it."""
        if not job.planned:
            still_wanted()
            job.planned = True
            job.option = self._planned(job, exactly=False)
        return job.option

    def key_of(self, option: Option, weights: Weights | None = None) -> Key:
        """What an option is ordered by."""
        candidate, plan = option.candidate, option.plan
        speed = candidate.tokens_per_s
        typical = 0.0 if speed is None else speed.typical
        if plan.verdict == "does not fit":
            return Key(DOES_NOT_FIT, -plan.missing_bytes)
        points = utility(
            option.kept,
            option.traits,
            option.figures,
            weights or self.weights,
            self.users,
            self.asked.min_tokens_per_s,
        )
        if option.unmet:
            gaps = option.missed + (plan.verdict == "tight")  # the margin is a rule as well
            return Key(NOT_AS_ASKED, points - BROKEN * gaps, option.kept.mean, typical)
        rank = TIGHT if plan.verdict == "tight" else RANKS[option.status]
        return Key(rank, points, option.kept.mean, typical, plan.free_bytes or 0)

    def is_needless(self, job: Job) -> bool:
        """A good level that lies whole on the devices with its cache as the model computes it, and makes nobody wait,
        needs no smaller cache.
        """
        if job.whole is None:
            return False
        option = self.compared(job.whole)
        if option is None or option.plan.verdict != "fits" or option.figures.served < 1:
            return False
        return option.status == "good" or bool(option.unmet)

    def bound(self, job: Job, weights: Weights, refined: bool, least: int = DOES_NOT_FIT) -> Key:
        """No option of this job is better; see `Bounds.of`."""
        if not job.planned:
            return self._bounds.of(job, weights, refined, least)
        return Key(-1, _NEVER) if job.option is None else self.key_of(job.option, weights)

    def _jobs(self, setup: Setup) -> Iterator[Job]:
        if setup.as_it_is:
            yield Job(
                setup,
                None,
                Kept(100, 100, 100),
                traits_of(setup, None, native=True),
                whole=self._whole(setup, None),
            )
            return
        for place, level in enumerate(setup.levels):
            kept = self._kept_before(setup, level, place)
            traits = traits_of(setup, level, is_as_published(self.about.entry.entry, level))
            after = len(setup.levels) - 1 - place if setup.runtime.ladder.smallest_last else 0
            yield Job(setup, level, kept, traits, after, self._whole(setup, level))

    def _whole(self, setup: Setup, level: LevelId | None) -> Job | None:
        """The job that is the same but for a smaller cache."""
        if setup.whole_cache:
            return None
        for job in self.jobs:
            like = job.setup.runtime is setup.runtime and job.setup.all_cards == setup.all_cards
            if like and job.level == level and job.setup.whole_cache:
                return job
        return None

    def _kept_before(self, setup: Setup, level: LevelId, place: int) -> Kept:
        if not self.about.writes:
            return kept_of_encoder(place)
        own = native_file(self.about.entry.entry, level)
        return kept_of(self.about.facts, own, level, self.asked.task, setup.runtime.cache_types(setup.request))

    def _planned(self, job: Job, exactly: bool) -> Option | None:
        setup, about = job.setup, self.about
        try:
            if job.level is None:
                plan = next(iter(setup.runtime.plan(setup.request)), None)
            else:
                plan = setup.runtime.plan_level(setup.request, job.level, exactly)
        except InputError:
            if len(self.jobs) == 1:
                raise
            return None
        if plan is None:
            return None
        candidate = candidates_of(
            setup.question, about.entry, about.model, setup.hardware, (plan,), self.today, self.measured_here
        )[0]
        return self._judged(job, candidate)

    def _judged(self, job: Job, candidate: Candidate) -> Option:
        kept, plan = job.kept, candidate.plan
        if job.level is None and candidate.writes:
            kept = kept_by(
                lambda task: candidate.quality_at(task).typical, self.asked.task, plan.sized.level.nominal_bits
            )
        unmet = () if plan.verdict == "does not fit" else candidate.unmet(self.asked, self.about.entry.license)
        unified = job.setup.hardware.machine.unified
        refuses = refuses_input(job.setup.runtime, self.about.model, job.setup.question)
        status = status_of(candidate, kept, job.traits, unmet, unified, refuses)
        return Option(job.setup, candidate, status, kept, job.traits, figures_of(candidate, self.weights), unmet)
