"""A candidate: one plan with what it keeps of the model's quality, how fast it is and what it costs a month."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from advisor.answer.kept import quality_of
from advisor.answer.pricing import Pricing
from advisor.answer.serving import throughput_of
from advisor.costs.costs import Costs
from advisor.costs.workload import Throughput
from advisor.formats.level_id import LevelId
from advisor.foundation.message import fact
from advisor.foundation.ranges import Range
from advisor.models.catalogue import OwnFile
from advisor.models.licences import commercial_use
from advisor.quality import ModelFacts, Quality
from advisor.quality.tasks import task_name
from advisor.question.requirements import Requirements, Unmet
from advisor.sizing.plan import Plan, Verdict
from advisor.sources.local_measurements import LocalMeasurement
from advisor.speed.estimate import Speed


@dataclass(frozen=True)
class Candidate:
    """`speed` is None where a bandwidth is not known, or a card so full that a part may be moved off it: `unspilled` is
    the speed where none is, which nobody is told. Quality and costs are worked out when they are asked for.

    `facts` are the model's, `own_file` is the publisher's own of this level, `measured_here` what was measured here
    of this model at this level, newest first.
    """

    plan: Plan
    task: str
    speed: Speed | None
    facts: ModelFacts
    pricing: Pricing
    own_file: OwnFile | None = None
    unspilled: Speed | None = None
    measured_here: tuple[LocalMeasurement, ...] = ()
    writes: bool = True  # an encoder or reranker does not: it has inputs a second, and no quality at chat

    @cached_property
    def quality(self) -> Quality:
        """What it keeps at the task asked for."""
        return self.quality_at(self.task)

    def quality_at(self, task: str) -> Quality:
        """What it keeps at a task."""
        return quality_of(self.facts, self.own_file, self.plan, task, self.measured_here)

    @cached_property
    def costs(self) -> Costs | None:
        """What it costs owned, rented and per token; None for a machine that cannot be priced, or a plan that does not
        run on it."""
        return None if self.verdict == "does not fit" else self.pricing.costs(self.throughput)

    @cached_property
    def throughput(self) -> Throughput | None:
        """What one such machine does with the load that is priced; None where its speed is not known."""
        return throughput_of(self.speed, self.plan, self.pricing.inputs.load, self.pricing.wish)

    @property
    def level(self) -> str:
        return self.plan.level

    @property
    def level_id(self) -> LevelId:
        return self.plan.level_id

    @property
    def verdict(self) -> Verdict:
        return self.plan.verdict

    @property
    def file_bytes(self) -> int:
        return self.plan.sized.file_bytes

    @property
    def kept(self) -> Range | None:
        """Percent of the 16-bit score kept."""
        return self.quality.kept

    @property
    def is_whole(self) -> bool:
        """Whether nothing of it but the input embeddings lies on the host of a machine with devices."""
        return not self.plan.placement.offloads

    @property
    def tokens_per_s(self) -> Range | None:
        """Decode speed for each user."""
        return self.speed.decode_tokens_per_s if self.speed is not None else None

    @property
    def inputs_per_s(self) -> Range | None:
        """Of an encoder: inputs of the prompt's length that it turns into vectors."""
        return self.speed.inputs_per_s if self.speed is not None else None

    @cached_property
    def measured_speeds(self) -> tuple[LocalMeasurement, ...]:
        """Those of `measured_here` whose speed was measured on the processor that this plan computes on."""
        if self.speed is None or self.speed.backend != "cpu":
            return ()
        return tuple(
            row for row in self.measured_here if row.speed is not None and row.speed.machine == self.speed.devices[0].id
        )

    @cached_property
    def own_monthly(self) -> float | None:
        """A month on bought hardware, in the question's currency."""
        return float(self.costs.own.monthly.typical) if self.costs is not None and self.costs.own is not None else None

    @cached_property
    def rent_monthly(self) -> float | None:
        """A month on rented instances, in the question's currency."""
        return (
            float(self.costs.rent.monthly.typical) if self.costs is not None and self.costs.rent is not None else None
        )

    def as_fast_as(self, wish: float | None) -> bool:
        """Whether it typically writes so many tokens a second for each user, where any are wished for."""
        return wish is None or (self.tokens_per_s is not None and self.tokens_per_s.typical >= wish)

    def monthly(self, own_hardware: bool) -> float | None:
        """The cheaper of bought and rented; None where no price is known."""
        return cheaper_monthly(self.costs, own_hardware)

    def unmet(self, asked: Requirements, licence: str) -> tuple[Unmet, ...]:
        """The rules it breaks. Quality and money are compared with typical values; a first token is late where even the
        low end of its range is. What is not known counts as broken.
        """
        found = [self._cost_gap(asked)]
        if self.writes:  # what is asked of writing says nothing of a model that does not
            quality = quality_gap(self.level, self.kept, self.task, asked)
            found = [quality, self._first_token_gap(asked), *found]
        found.append(licence_gap(licence, asked))
        return tuple(gap for gap in found if gap is not None)

    def _first_token_gap(self, asked: Requirements) -> Unmet | None:
        most = asked.max_first_token_s
        if most is None:
            return None
        wait = self.speed.time_to_first_token_s if self.speed is not None else None
        if wait is None:
            return Unmet("max_first_token_s", fact("first_token_not_known", level=self.level), None)
        if wait.low <= most:
            return None
        message = fact("first_token_late", level=self.level, wait=wait.low, most=most)
        return Unmet("max_first_token_s", message, wait.low / most - 1)

    def _cost_gap(self, asked: Requirements) -> Unmet | None:
        most = asked.max_cost_per_month
        if most is None:
            return None
        cost = self.monthly(asked.own_hardware)
        if cost is None:
            message = fact("own_cost_not_known") if asked.own_hardware else fact("cost_not_known")
            return Unmet("max_cost_per_month", message, None)
        if cost <= most:
            return None
        currency = self.costs.currency if self.costs is not None else ""
        message = fact("too_dear", cost=cost, currency=currency, most=most)
        return Unmet("max_cost_per_month", message, cost / most - 1)


def cheaper_monthly(costs: Costs | None, own_hardware: bool) -> float | None:
    """The cheaper of bought and rented, in the question's currency; None where no price is known."""
    options = () if costs is None else (costs.own,) if own_hardware else (costs.own, costs.rent)
    return min((float(option.monthly.typical) for option in options if option is not None), default=None)


def quality_gap(level: str, kept: Range | None, task: str, asked: Requirements) -> Unmet | None:
    """Whether a level that keeps `kept` percent keeps less than is asked for."""
    least = asked.least_percent
    if least is None:
        return None
    if kept is None:
        return Unmet("min_quality", fact("quality_not_known", level=level, task=task_name(task)), None)
    if asked.is_enough(kept.typical):
        return None
    message = fact("too_low", level=level, kept=kept.typical, task=task_name(task), least=least)
    return Unmet("min_quality", message, (least - kept.typical) / least)


def licence_gap(licence: str, asked: Requirements) -> Unmet | None:
    """Whether the licence stands against the use that is asked for."""
    if not asked.commercial or (use := commercial_use(licence)).possible:
        return None
    return Unmet("commercial", use.message, None)
