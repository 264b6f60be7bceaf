"""What the cost page shows beyond the answer itself, worked out once for each question. Knows no Streamlit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from advisor.answer.answer import Answer
from advisor.answer.assess import priced_as
from advisor.answer.candidate import Candidate
from advisor.costs.article import Article, article
from advisor.costs.costs import Costs
from advisor.costs.inputs import CostInputs
from advisor.costs.money import converter_of
from advisor.costs.offer import Offer
from advisor.costs.pay_per_token import closed_models
from advisor.costs.sensitivity import Sensitivity, sensitivity
from advisor.costs.series import CurvePoint, cost_curve, curve_crossings, over_years
from advisor.costs.staircase import Crossing
from advisor.costs.workload import Throughput
from advisor.foundation.caches import remembered
from advisor.foundation.units import MIB
from advisor.machines.catalogue import Machine

_FIGURES_BYTES = 16 * MIB


@dataclass(frozen=True, slots=True)
class Figures:
    """`by_years` is the same question for one to five years of use."""

    costs: Costs
    curve: tuple[CurvePoint, ...]
    crossings: tuple[Crossing, ...]
    sensitivities: tuple[Sensitivity, ...]
    by_years: tuple[Costs, ...]


def costed(answer: Answer) -> Candidate | None:
    """The candidate to price: what is decided on, as long as it runs."""
    return answer.shown if answer.shown.plan.fits else None


def figures_of(answer: Answer, candidate: Candidate) -> Figures | None:
    """Everything to draw; None where the machine cannot be priced."""
    if candidate.costs is None:
        return None
    devices = max(1, len(answer.hardware.installed))
    return _figures(
        candidate.costs, priced_as(answer.entry), answer.hardware.average_card, devices, candidate.throughput
    )


# A rerun after a change that has nothing to do with money, such as a sorted table, works out nothing again.
@remembered(_FIGURES_BYTES)
def _figures(costs: Costs, model_id: str | None, machine: Machine, devices: int, speed: Throughput | None) -> Figures:
    return Figures(
        costs=costs,
        curve=cost_curve(costs),
        crossings=curve_crossings(costs),
        sensitivities=sensitivity(costs, model_id, machine, devices, speed, flips=True),
        by_years=over_years(costs, model_id, machine, devices, speed),
    )


@lru_cache(maxsize=64)
def closed(inputs: CostInputs, today: date) -> tuple[Offer, ...]:
    """Models that can only be had by the token, cheapest first for this load."""
    return closed_models(inputs, converter_of(inputs.billing, today), today)


@lru_cache(maxsize=4)
def claim(today: date) -> Article:
    """The claim about the workstation, at today's prices."""
    return article(today)
