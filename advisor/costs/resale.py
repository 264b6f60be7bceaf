"""What a machine fetches when it is sold again, by its kind and age.

Published values after one and three years; between two of them, and after the last, it loses the same share every year.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from advisor.costs.hosts import DATA_CENTRE
from advisor.costs.inputs import CostInputs
from advisor.costs.money import Converter, UsedPrice, decimal
from advisor.costs.price_rows import Case
from advisor.costs.price_tables import resale_values
from advisor.foundation.message import as_it_is, fact
from advisor.machines.catalogue import Machine

_OPPOSITE: dict[Case, Case] = {"low": "high", "typical": "typical", "high": "low"}


def resale_kind(machine: Machine) -> str:
    """As what it is sold again; whole computers but Macs go as the cards of people do."""
    if machine.kind == DATA_CENTRE:
        return "data-centre"
    return "mac" if machine.id.startswith("apple-") else "card"


def resale_share(machine: Machine, inputs: CostInputs, case: Case) -> Decimal:
    """What hardware fetches in the end, over its price; the cheap case is the one that fetches more."""
    if inputs.own.resale_percent is not None:
        return decimal(inputs.own.resale_percent) / 100
    return value_after(resale_kind(machine), inputs.billing.years, _OPPOSITE[case])


def value_after(kind: str, years: int, case: Case) -> Decimal:
    """The share of its price that is left after so many years."""
    points = [(0, Decimal(1)), *((row.year, row.value(case) / 100) for row in resale_values()[kind])]
    before = max((point for point in points[:-1] if point[0] <= years), key=lambda point: point[0])
    after = points[points.index(before) + 1]
    passed = Decimal(years - before[0]) / (after[0] - before[0])
    return (before[1] * (after[1] / before[1]) ** passed).quantize(Decimal("0.0001"))


def resale_figures(machine: Machine, inputs: CostInputs, converter: Converter) -> Iterator[UsedPrice]:
    """The published values behind it."""
    if inputs.own.resale_percent is not None:
        return
    for row in resale_values()[resale_kind(machine)]:
        label = fact("figure_in_range", what=fact("figure_resale", n=row.year), low=row.low, high=row.high)
        unit = as_it_is("%")
        yield converter.listed("figure", label, row.typical, unit, "", row.seen)
