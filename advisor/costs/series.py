"""What the charts draw: cost against tokens, and cost against time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations

from advisor.costs.costs import Costs, cost_of
from advisor.costs.money import MoneyRange
from advisor.costs.options import Option
from advisor.costs.staircase import Crossing, crossings
from advisor.costs.workload import Throughput
from advisor.machines.catalogue import Machine

_POINTS = 200


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What each option costs for a month with so many tokens, in the typical case; None: no such option."""

    tokens: int
    own: Decimal | None
    rent: Decimal | None
    api: Decimal | None


@dataclass(frozen=True, slots=True)
class MonthPoint:
    """What has been paid after so many months at the planned load; in the last one the resale is taken off."""

    month: int
    own: Decimal | None
    rent: Decimal | None
    api: Decimal | None


def cost_curve(costs: Costs, most_tokens: int | None = None) -> tuple[CurvePoint, ...]:
    """The staircase chart: up to twice the planned load, or further where owning breaks even later."""
    grid = _grid(costs, most_tokens)
    functions = _functions(costs)
    return tuple(
        CurvePoint(tokens, *(functions[name](tokens) if name in functions else None for name in ("own", "rent", "api")))
        for tokens in grid
    )


def curve_crossings(costs: Costs, most_tokens: int | None = None) -> tuple[Crossing, ...]:
    """Every point of the staircase chart where two options change places, in rising order."""
    grid = _grid(costs, most_tokens)
    exact = {option.name: option.typical.exact_cost for option in costs.options}
    found = [
        crossing for first, second in combinations(exact.items(), 2) for crossing in crossings(first, second, grid)
    ]
    return tuple(sorted(found, key=lambda crossing: (crossing.tokens, crossing.cheaper, crossing.dearer)))


def cumulative(costs: Costs) -> tuple[MonthPoint, ...]:
    """The cumulative-cost chart, month by month over the years asked for."""
    months = 12 * costs.inputs.billing.years
    return tuple(
        MonthPoint(month, *(_paid(option, month, months) for option in (costs.own, costs.rent, costs.api)))
        for month in range(months + 1)
    )


def paid_after(option: Option, months: int) -> MoneyRange:
    """What has been paid after so many months in the three cases, before anything is sold again."""
    cases = [outlay.paid(months) for outlay in option.outlays]
    return MoneyRange(min(cases), cases[1], max(cases))


def over_years(
    costs: Costs, model_id: str | None, machine: Machine, devices: int, speed: Throughput | None
) -> tuple[Costs, ...]:
    """The same question for one to five years of use; the other arguments are those that `costs` came from."""
    asked = (costs.inputs.with_values(years=years) for years in range(1, 6))
    return tuple(cost_of(model_id, machine, devices, speed, inputs, costs.today) for inputs in asked)


def _functions(costs: Costs) -> dict[str, Callable[[int], Decimal]]:
    return {option.name: option.typical.cost for option in costs.options}


def _grid(costs: Costs, most_tokens: int | None) -> list[int]:
    """Evenly spaced tokens, with both sides of the first steps at which a machine is added."""
    even = costs.own_against_api.typical if costs.own_against_api is not None else None
    most = most_tokens or 2 * max(costs.tokens_per_month, even or 0)
    points = {max(1, most * number // _POINTS) for number in range(_POINTS + 1)} | {costs.tokens_per_month}
    for option in costs.options:
        limit = option.typical.unit_tokens
        if limit is not None and limit >= 1:
            edges = (int(limit * number) for number in range(1, _POINTS + 1))
            points |= {edge + side for edge in edges for side in (0, 1) if edge + side <= most}
    return sorted(point for point in points if point <= most)


def _paid(option: Option | None, month: int, months: int) -> Decimal | None:
    if option is None:
        return None
    back = option.resale if month == months else Decimal(0)
    return option.outlays[1].paid(month) - back
