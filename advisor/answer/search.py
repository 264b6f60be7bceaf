"""The search over configurations: the best plan of a model on a machine, without planning every one.

What a level keeps is known before anything is planned, and how fast it is at best follows from what must be read from
where. So each job has a bound, and those whose bound is worse than the best plan so far are never planned. One search
serves decision, choices and checks.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator
from itertools import count

from advisor.answer.job import Job
from advisor.answer.jobs import Jobs
from advisor.answer.option import RANKS, Key, Option
from advisor.answer.policy import (
    ENOUGH_TOKENS_PER_S,
    FASTER_ELSEWHERE,
    FEW_AT_MOST,
    MANY_USERS,
    NOTICEABLE,
    RARE_LEVEL,
    VISIBLE_POINTS,
    Weights,
)
from advisor.answer.setups import Setup
from advisor.answer.status import Status
from advisor.formats.level_id import LevelId

_NEVER = float("-inf")
_SHOWN_DIGITS = 2  # of the percent kept


class Search(Jobs):
    """The jobs of one question, of which as few are planned as may be."""

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
        What engines do with many users at once is too little measured to go against what people run: up to FEW_AT_MOST
        only another engine leads that keeps visibly more and is noticeably faster, beyond that none.
        """
        judged_by = weights or self.weights
        while True:
            best = self._best(judged_by, allow, RANKS[least])
            if best is not None and best.plan.fits and len(self.engines) > 1 and self.users <= FEW_AT_MOST:
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

    def best_of_level(self, level: LevelId, like: Setup) -> Option | None:
        """The best option of a level in an engine's setups: what is decided where this level and engine are asked for.

        Of what does not fit that is the one which comes nearest.
        """
        jobs = [job for job in self.jobs if job.level == level and job.setup.runtime is like.runtime]
        nearest = max(filter(None, map(self.compared, jobs)), key=self.key_of, default=None)
        if nearest is None or nearest.plan.verdict == "does not fit":
            return nearest
        return self.best(allow=jobs.__contains__)

    def with_whole_cache(self, option: Option) -> Option | None:
        """The same but for a KV cache as the model computes it; None where that is so anyway, or not loaded."""
        whole = self.job_of(option).whole
        return None if whole is None else self.option_of(whole)

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
                rank, points, *_ = self.bound(job, judged_by, False, least)
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
                bound = self.bound(job, judged_by, True, least)
                heapq.heappush(heap, (-bound.rank, -bound.points, number, job, True))
                continue
            if self.is_needless(job):
                continue
            option = self.compared(job)
            if option is not None and (key := self.key_of(option, judged_by)) > best_key:
                best, best_key = option, key
        return best

    def _exact(self, option: Option | None) -> Option | None:
        """The same option with its plan to the byte."""
        return None if option is None else self.option_of(self.job_of(option))

    def _beating(self, best: Option, allow: Callable[[Job], bool]) -> Iterator[Option]:
        """Options of another engine that keep visibly more and are noticeably faster, with nothing against them."""
        faster = FASTER_ELSEWHERE if self.users <= MANY_USERS else NOTICEABLE
        if (speed := best.figures.tokens_per_s) is not None:
            yield from self._elsewhere(best, allow, best.kept.task + VISIBLE_POINTS, faster * speed)

    def _meeting(self, best: Option, allow: Callable[[Job], bool]) -> Iterator[Option]:
        """Options of another engine that keep as much and are as fast as was asked where the best is not, or noticeably
        faster than it."""
        wish, speed = self.asked.min_tokens_per_s, best.figures.tokens_per_s
        if wish is not None and speed is not None and speed < wish and self.users <= MANY_USERS:
            yield from self._elsewhere(best, allow, best.kept.task - VISIBLE_POINTS, min(wish, NOTICEABLE * speed))

    def _elsewhere(self, best: Option, allow: Callable[[Job], bool], kept: float, speed: float) -> Iterator[Option]:
        """Options of another engine that keep so much at the task and are so fast, with nothing against them."""
        rank = self.key_of(best).rank
        for job in self.jobs:
            if job.setup.runtime.engine is best.setup.runtime.engine or job.kept.task < kept:
                continue
            if not allow(job) or self.bound(job, self.weights, True, rank).rank < rank or self.is_needless(job):
                continue
            option = self.compared(job)
            if option is None or self.key_of(option).rank < rank or option.missed > best.missed:
                continue
            faster = (option.figures.tokens_per_s or 0) >= speed
            if faster and option.figures.served >= best.figures.served and option.figures.host_share is None:
                yield option

    def _at_no_loss(self, best: Option, allow: Callable[[Job], bool], judged_by: Weights) -> Iterator[Option]:
        """Options that keep as much at the task as far as it is shown, are noticeably faster where that is felt and are
        worth nearly the same in all; for many users those of the same engine."""
        speed, most = best.figures.tokens_per_s, math.inf if judged_by.always_faster else ENOUGH_TOKENS_PER_S
        if speed is None or NOTICEABLE * speed > most:
            return
        rank, points, *_ = self.key_of(best, judged_by)
        for job in self.jobs:
            alike = job.setup.runtime.engine is best.setup.runtime.engine or self.users <= MANY_USERS
            if not alike or not allow(job):
                continue
            if round(job.kept.task, _SHOWN_DIGITS) < round(best.kept.task, _SHOWN_DIGITS):
                continue
            bound = self.bound(job, judged_by, True, rank)
            if bound.rank < rank or bound.points <= points - RARE_LEVEL:
                continue
            if self._bounds.tokens_per_s(job) < NOTICEABLE * speed or self.is_needless(job):
                continue
            if (option := self.compared(job)) is None:
                continue
            key = self.key_of(option, judged_by)
            if key.rank < rank or key.points <= points - RARE_LEVEL:
                continue
            faster = (option.figures.tokens_per_s or 0) >= NOTICEABLE * speed
            if faster and option.plan.max_context >= best.plan.max_context:
                yield option

    def _with_needed_cache(self, best: Option, allow: Callable[[Job], bool], judged_by: Weights) -> Option:
        """The same with its cache as the model computes it, where that is as good but for what nobody notices."""
        job = self.job_of(best).whole
        if job is None or not allow(job) or judged_by.users or judged_by.always_faster:
            return best
        whole = self.compared(job)
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
