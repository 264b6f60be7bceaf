"""The search over configurations: the best plan of a model on a machine, without planning every one.

What a level keeps is known before anything is planned, and how fast it is at best follows from what must be read from
where. So each job has a bound, and those whose bound is worse than the best plan so far are never planned. One search
serves decision, choices and checks.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import cached_property
from itertools import count

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
from advisor.answer.policy import (
    ENOUGH_TOKENS_PER_S,
    FASTER_ELSEWHERE,
    MANY_USERS,
    NOTICEABLE,
    RARE_LEVEL,
    VISIBLE_POINTS,
    WEIGHTS,
    Weights,
)
from advisor.answer.setups import Setup, Subject, is_as_published
from advisor.answer.status import Status
from advisor.answer.traits import traits_of
from advisor.answer.utility import Kept, utility
from advisor.formats.level_id import LevelId
from advisor.foundation.errors import InputError
from advisor.foundation.turns import still_wanted
from advisor.quality.own_files import native_file
from advisor.sizing.runtime_id import RuntimeId
from advisor.sources.local_measurements import LocalMeasurement

_NEVER = float("-inf")
_SHOWN_DIGITS = 2  # of the percent kept


class Search:
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

    def best(
        self,
        weights: Weights | None = None,
        allow: Callable[[Job], bool] = lambda _: True,
        least: Status = "does not fit",
    ) -> Option | None:
        """The best option under `weights` (those of the goal) among the jobs that are allowed; None: none is loaded.

        Where none has the status `least` or a better one, perhaps another option, or None: for whoever takes no less.
        An engine that is usual for so few users is worth something, but not a plan that is visibly worse and slower,
        nor a speed that was asked for. What is only kept at other tasks is not worth being slower.
        What engines do with many users at once is too little measured to go against what people run.
        """
        judged_by = weights or self.weights
        while True:
            best = self._best(judged_by, allow, RANKS[least])
            if best is not None and best.plan.fits and len(self.engines) > 1 and self.users <= MANY_USERS:
                others = (*self._beating(best, allow), *self._meeting(best, allow))
                best = max((best, *others), key=lambda one: (one is not best, self.key_of(one, judged_by)))
            if best is not None and best.plan.fits:
                quicker = tuple(self._at_no_loss(best, allow, judged_by))
                best = max((best, *quicker), key=lambda one: (one is not best, self.key_of(one, judged_by)))
                best = self._with_needed_cache(best, allow, judged_by)
            exact = self._exact(best)
            # What fits by the bounds may, rarely, not do so to the byte: then it is compared as what it is.
            if best is None or exact is None or self.key_of(exact).rank >= self.key_of(best).rank:
                return exact

    def reaches(
        self,
        status: Status,
        allow: Callable[[Job], bool] = lambda _: True,
        may_be: Callable[[Job], bool] = lambda _: True,
    ) -> bool:
        """Whether an option among the jobs that are allowed and `may_be` one has this status or a better one, planning
        no others. The second is asked late, as it takes longer."""
        best = self._best(self.weights, allow, RANKS[status], may_be)
        return best is not None and self.key_of(best).rank >= RANKS[status]

    def may_be_whole(self, job: Job, tokens_per_s: float = 0.0) -> bool:
        """Whether a plan of this job that keeps its margin may have nothing on the host and be so fast, as far as is
        known before it is planned."""
        fast = not tokens_per_s or self._bounds.tokens_per_s(job) >= tokens_per_s
        return fast and self._bounds.may_be_whole(job)

    def _best(
        self,
        judged_by: Weights,
        allow: Callable[[Job], bool],
        least: int,
        may_be: Callable[[Job], bool] = lambda _: True,
    ) -> Option | None:
        """The best option by `judged_by` alone; of ranks under `least` perhaps another, or None."""
        order = count()
        heap: list[tuple[float, float, int, Job, bool]] = []
        for job in self.jobs:
            if allow(job):
                rank, points, *_ = self._bound(job, judged_by, False, least)
                heap.append((-rank, -points, next(order), job, False))
        heapq.heapify(heap)
        best: Option | None = None
        best_key = Key(-1, _NEVER)
        while heap:
            worse, lost, number, job, refined = heapq.heappop(heap)
            if (-worse, -lost) < best_key[:2] or -worse < least:
                break
            if not refined and not may_be(job):
                continue
            if not refined and not job.planned:
                bound = self._bound(job, judged_by, True, least)
                heapq.heappush(heap, (-bound.rank, -bound.points, number, job, True))
                continue
            if self._needless(job):
                continue
            option = self._compared(job)
            if option is not None and (key := self.key_of(option, judged_by)) > best_key:
                best, best_key = option, key
        return best

    @cached_property
    def engines(self) -> frozenset[RuntimeId]:
        """Whose plans are compared."""
        return frozenset(setup.runtime.engine for setup in self.setups)

    def _beating(self, best: Option, allow: Callable[[Job], bool]) -> Iterator[Option]:
        """Options of another engine that keep visibly more and are noticeably faster, with nothing against them."""
        if (speed := best.figures.tokens_per_s) is not None:
            yield from self._elsewhere(best, allow, best.kept.task + VISIBLE_POINTS, FASTER_ELSEWHERE * speed)

    def _meeting(self, best: Option, allow: Callable[[Job], bool]) -> Iterator[Option]:
        """Options of another engine that keep as much and are as fast as was asked where the best is not, or noticeably
        faster than it."""
        wish, speed = self.asked.min_tokens_per_s, best.figures.tokens_per_s
        if wish is not None and speed is not None and speed < wish:
            yield from self._elsewhere(best, allow, best.kept.task - VISIBLE_POINTS, min(wish, NOTICEABLE * speed))

    def _elsewhere(self, best: Option, allow: Callable[[Job], bool], kept: float, speed: float) -> Iterator[Option]:
        """Options of another engine that keep so much at the task and are so fast, with nothing against them."""
        rank = self.key_of(best).rank
        for job in self.jobs:
            if job.setup.runtime.engine is best.setup.runtime.engine or job.kept.task < kept:
                continue
            if not allow(job) or self._bound(job, self.weights, True, rank).rank < rank or self._needless(job):
                continue
            option = self._compared(job)
            if option is None or self.key_of(option).rank < rank or _missed(option) > _missed(best):
                continue
            faster = (option.figures.tokens_per_s or 0) >= speed
            if faster and option.figures.served >= best.figures.served and option.figures.host_share is None:
                yield option

    def _at_no_loss(self, best: Option, allow: Callable[[Job], bool], judged_by: Weights) -> Iterator[Option]:
        """Options of the same engine that keep as much at the task as far as it is shown, are noticeably faster where
        that is felt, and are worth nearly the same in all."""
        speed, most = best.figures.tokens_per_s, math.inf if judged_by.always_faster else ENOUGH_TOKENS_PER_S
        if speed is None or NOTICEABLE * speed > most:
            return
        rank, points, *_ = self.key_of(best, judged_by)
        for job in self.jobs:
            if job.setup.runtime.engine is not best.setup.runtime.engine or not allow(job):
                continue
            if round(job.kept.task, _SHOWN_DIGITS) < round(best.kept.task, _SHOWN_DIGITS):
                continue
            bound = self._bound(job, judged_by, True, rank)
            if bound.rank < rank or bound.points <= points - RARE_LEVEL:
                continue
            if self._bounds.tokens_per_s(job) < NOTICEABLE * speed or self._needless(job):
                continue
            if (option := self._compared(job)) is None:
                continue
            key = self.key_of(option, judged_by)
            if key.rank < rank or key.points <= points - RARE_LEVEL:
                continue
            faster = (option.figures.tokens_per_s or 0) >= NOTICEABLE * speed
            if faster and option.plan.max_context >= best.plan.max_context:
                yield option

    def _with_needed_cache(self, best: Option, allow: Callable[[Job], bool], judged_by: Weights) -> Option:
        """The same with its cache as the model computes it, where that is as good but for what nobody notices."""
        job = next((job.whole for job in self.jobs if job.option is best), None)
        if job is None or not allow(job) or judged_by.users or judged_by.always_faster:
            return best
        whole = self._compared(job)
        if whole is None or not whole.plan.fits or whole.unmet:
            return best
        here, there = best.figures, whole.figures
        if self.key_of(whole).rank < self.key_of(best).rank or there.served < here.served:
            return best
        if (there.host_share is None) != (here.host_share is None):
            return best
        wish, slow, fast = self.asked.min_tokens_per_s, there.tokens_per_s, here.tokens_per_s
        if slow is None or fast is None or fast >= NOTICEABLE * slow or (wish is not None and slow < wish <= fast):
            return best
        return whole

    @property
    def seen(self) -> Iterator[Option]:
        """The options that have been planned."""
        return (job.option for job in self.jobs if job.option is not None)

    def option_of(self, job: Job) -> Option | None:
        """The option of a job to the byte, planned now if it is not yet; None where it is not loaded."""
        option = self._compared(job)
        if option is not None and not job.exact:
            job.exact = True
            if option.plan.placement.offloads:  # nothing else is compared by bounds
                job.option = self._planned(job, exactly=True)
        return job.option

    def with_whole_cache(self, option: Option) -> Option | None:
        """The same but for a KV cache as the model computes it; None where that is so anyway, or not loaded."""
        whole = next((job.whole for job in self.jobs if job.option is option), None)
        return None if whole is None else self.option_of(whole)

    def best_of_level(self, level: LevelId, like: Setup) -> Option | None:
        """The best option of a level in an engine's setups: what is decided where this level and engine are asked for.

        Of what does not fit that is the one which comes nearest.
        """
        jobs = [job for job in self.jobs if job.level == level and job.setup.runtime is like.runtime]
        nearest = max(filter(None, map(self._compared, jobs)), key=self.key_of, default=None)
        if nearest is None or nearest.plan.verdict == "does not fit":
            return nearest
        return self.best(allow=jobs.__contains__)

    def _compared(self, job: Job) -> Option | None:
        """The same as far as it takes to compare it."""
        if not job.planned:
            still_wanted()
            job.planned = True
            job.option = self._planned(job, exactly=False)
        return job.option

    def _exact(self, option: Option | None) -> Option | None:
        """The same option with its plan to the byte."""
        return next((self.option_of(job) for job in self.jobs if job.option is option), None) if option else None

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
            gaps = _missed(option) + (plan.verdict == "tight")  # the margin is a rule as well
            return Key(NOT_AS_ASKED, points - BROKEN * gaps, option.kept.mean, typical)
        rank = TIGHT if plan.verdict == "tight" else RANKS[option.status]
        return Key(rank, points, option.kept.mean, typical, plan.free_bytes or 0)

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

    def _needless(self, job: Job) -> bool:
        """A good level that lies whole on the devices with its cache as the model computes it, and makes nobody wait,
        needs no smaller cache.
        """
        if job.whole is None:
            return False
        option = self._compared(job.whole)
        if option is None or option.plan.verdict != "fits" or option.figures.served < 1:
            return False
        return option.status == "good" or bool(option.unmet)

    def _bound(self, job: Job, weights: Weights, refined: bool, least: int = DOES_NOT_FIT) -> Key:
        """No option of this job is better; see `Bounds.of`."""
        if not job.planned:
            return self._bounds.of(job, weights, refined, least)
        return Key(-1, _NEVER) if job.option is None else self.key_of(job.option, weights)

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


def _missed(option: Option) -> float:
    """How many rules an option breaks, each counted by how far up to twice."""
    return sum(1 + min(1.0, one.gap if one.gap is not None else 1.0) for one in option.unmet)
