"""The best that a job could be, before it is planned.

What a level keeps is known exactly. How fast it is at best follows from what must be read from where, what it costs at
least from a plan as fast as any.
"""

from __future__ import annotations

from datetime import date
from functools import partial

from advisor.answer.assess import pricing_of
from advisor.answer.candidate import cheaper_monthly, licence_gap
from advisor.answer.job import Job
from advisor.answer.option import BROKEN, DOES_NOT_FIT, NOT_AS_ASKED, RANKS, TIGHT, Key
from advisor.answer.policy import Weights
from advisor.answer.pricing import Pricing, cost_of_a_million
from advisor.answer.setups import Setup, Subject
from advisor.answer.status import status_by
from advisor.answer.utility import Figures, utility
from advisor.formats.level_id import LevelId
from advisor.formats.levels import find_level
from advisor.question.requirements import Requirements
from advisor.sizing.rates import Pace, PaceOf
from advisor.speed.draft_gain import MOST as MOST_DRAFTED
from advisor.speed.least import LeastPace
from advisor.speed.shape import shape_of

_NEVER = float("-inf")
_OPTIMISM = 1.01  # layers that only draft are counted as if they were read
_AS_FAST_AS_ANY = 1e6  # tokens/s
_MANY_MORE = 1e6  # users than any machine has room for


class Bounds:
    """Of the jobs of one question; `asked` is what its model can meet or break."""

    def __init__(self, about: Subject, asked: Requirements, today: date) -> None:
        self.about, self.asked, self.today = about, asked, today
        self.users = about.question.workload.users
        self._least: dict[Job, float | None] = {}
        self._broken: dict[Setup, int] = {}
        self._paces: dict[Setup, LeastPace] = {}
        self._cheapest: dict[Setup, float | None] = {}

    def of(self, job: Job, weights: Weights, refined: bool, least_rank: int = DOES_NOT_FIT) -> Key:
        """No option of this job is better; `refined` takes longer and comes closer. Below `least_rank` ranks are alike
        to whoever asks."""
        least, most = self._least_seconds(job) if refined else None, RANKS["good"]
        if least == float("inf"):
            # Of what does not fit, the smallest comes nearest.
            if least_rank > TIGHT or not self._may_be_tight(job):
                return Key(DOES_NOT_FIT, _NEVER if job.after else 0.0)
            least, most = None, TIGHT
        broken = self._broken_by(job.setup)
        if self.about.writes and job.level is not None and not self.asked.is_enough(job.kept.task):
            broken += 1
        if broken:
            most = min(most, NOT_AS_ASKED)
        speed = self._faster / least if least and job.setup.speed_is_known and self.about.writes else None
        figures = Figures(
            _AS_FAST_AS_ANY if speed is None else speed,
            self._least_on_host(job, most) if refined else None,
            users_that_fit=_MANY_MORE if weights.users else 1,
            cost=self._least_cost(job.setup) if weights.money else None,
        )
        points = utility(job.kept, job.traits, figures, weights, self.users, self.asked.min_tokens_per_s)
        if broken or not self.about.writes:
            return Key(most, points - BROKEN * broken)
        return Key(min(most, RANKS[status_by(job.kept.overall, job.traits.bits, speed)]), points)

    def tokens_per_s(self, job: Job) -> float:
        """No plan of this job that keeps its margin is faster; 0 where there is none."""
        least = self._least_seconds(job)
        return self._faster / least if least else _AS_FAST_AS_ANY

    @property
    def _faster(self) -> float:
        return _OPTIMISM * (MOST_DRAFTED if self.about.question.model.mtp else 1.0)

    def may_be_whole(self, job: Job) -> bool:
        """Whether a plan of this job that keeps its margin may have nothing on the host."""
        return self._least_on_host(job, RANKS["good"]) is None

    def _least_on_host(self, job: Job, rank: int) -> float | None:
        """The share of the weights that any plan of this rank or a better one has on the host; None where there may be
        none. Up to "tight" no margin is kept."""
        if job.level is None or self._least_seconds(job) == float("inf"):
            return None
        setup = job.setup
        return setup.runtime.least_on_host(setup.without_margin if rank <= TIGHT else setup.request, job.level)

    def _least_cost(self, setup: Setup) -> float | None:
        """What a million tokens cost at least, of the fastest plan imaginable."""
        if setup not in self._cheapest:
            self._cheapest[setup] = cost_of_a_million(self._pricing(setup).least())
        return self._cheapest[setup]

    def _pricing(self, setup: Setup) -> Pricing:
        return pricing_of(setup.question, self.about.entry, setup.hardware, self.today)

    def _broken_by(self, setup: Setup) -> int:
        """How many rules every plan of a setup breaks: by the licence, and by what one such machine costs at least."""
        if setup not in self._broken:
            broken = int(licence_gap(self.about.entry.license, self.asked) is not None)
            if (most := self.asked.max_cost_per_month) is not None:
                least = cheaper_monthly(self._pricing(setup).costs(None), self.asked.own_hardware)
                broken += least is None or least > most
            self._broken[setup] = broken
        return self._broken[setup]

    def _least_seconds(self, job: Job) -> float | None:
        if job.level is None:
            return None
        if job not in self._least:
            pace_of = self._pace_of(job.setup, job.level)
            self._least[job] = job.setup.runtime.least_seconds(job.setup.request, job.level, pace_of)
        return self._least[job]

    def _pace_of(self, setup: Setup, level: LevelId) -> PaceOf | None:
        return partial(self._pace, setup, level) if setup.speed_is_known else None

    def _pace(self, setup: Setup, level: LevelId, dense: float, experts: float) -> Pace:
        """At which such a level is read at best."""
        if (paces := self._paces.get(setup)) is None:
            hardware, model = setup.hardware, self.about.model.trunk or self.about.model
            devices = hardware.cards or (hardware.machine,)
            paces = LeastPace(shape_of(model), self.users, devices, hardware.backend, hardware.host_bandwidth)
            self._paces[setup] = paces
        return paces.of(level.name, find_level(str(level)).nominal_bits, dense, experts)

    def _may_be_tight(self, job: Job) -> bool:
        """Whether what does not fit may do so without its margin."""
        level, setup = job.level, job.setup
        return level is None or setup.runtime.least_seconds(setup.without_margin, level) != float("inf")
