"""What running machines takes besides hardware and electricity: capital, space, support, staff, downtime, spares.

The user says it; what is left open follows from who buys. For a hobby it is nothing, a small company looks after a box
in a room of its own and repairs it, a data centre has contracts, spares and people who keep the model served. Each
usual value is a published figure (data/prices/tco.csv).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from advisor.costs.inputs import Buyer, CostInputs
from advisor.costs.money import Converter, UsedPrice, decimal
from advisor.costs.price_rows import Case, Figure
from advisor.costs.price_tables import figures
from advisor.foundation.message import Message, fact

# What is usual, by who buys: the figure of each term.
_USUAL: Mapping[Buyer, Mapping[str, str]] = {
    "hobby": {},
    "small-company": {
        "capital": "cost_of_capital",
        "space": "colocation_per_kw_month",
        "support": "hardware_repairs",
        "admin": "admin_hours_per_server_month",
        "downtime": "downtime",
        "api_decline": "api_price_decline",
    },
    "data-centre": {
        "capital": "cost_of_capital",
        "space": "colocation_per_kw_month",
        "support": "support_contract",
        "admin": "admin_hours_per_server_month",
        "operation": "operation_hours",
        "downtime": "downtime",
        "api_decline": "api_price_decline",
    },
}
_UNITS = {"hour": fact("unit_working_hour"), "kW-month": fact("unit_kw_month")}  # of money
_SPARES: Mapping[Buyer, int] = {"hobby": 0, "small-company": 0, "data-centre": 1}
_LABELS = {
    "capital": fact("figure_capital"),
    "space": fact("figure_space"),
    "support": fact("figure_support"),
    "admin": fact("figure_admin"),
    "operation": fact("figure_operation"),
    "downtime": fact("figure_downtime"),
    "api_decline": fact("figure_api_decline"),
}


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of one case; None or 0 where nothing is counted. Money in the currency of the question.

    `capital` is a share a year. Space is `space` for each machine and month or `space_per_kw`; support is `support` for
    each machine and year or `support_share` of its hardware. `admin_hours` a month are for each machine,
    `operation_hours` for all together, both at `rate` an hour. `downtime` is a share of the time.
    """

    capital: Decimal | None
    space: Decimal | None
    space_per_kw: Decimal | None
    support: Decimal | None
    support_share: Decimal | None
    admin_hours: Decimal | None
    operation_hours: Decimal | None
    rate: Decimal
    downtime: Decimal
    spares: int


def terms_of(inputs: CostInputs, converter: Converter, case: Case = "typical") -> Terms:
    """What is counted in one case."""
    own, usual = inputs.own, _USUAL[inputs.billing.buyer]

    def price(name: str) -> Decimal:
        return converter.convert(converter.range_of(*figures()[name].cases, figures()[name].as_of)[case], "USD")

    def figure(term: str, given: float | None = None) -> Decimal | None:
        if given is not None:
            return decimal(given)
        return figures()[usual[term]].value(case) if term in usual else None

    capital, downtime = figure("capital", own.cost_of_capital_percent), figure("downtime", own.downtime_percent)
    space = own.colocation_per_month is None and "space" in usual
    support = None if own.support_per_year is not None else figure("support")
    rate = None if own.admin_rate is None else decimal(own.admin_rate)
    return Terms(
        capital=None if capital is None else capital / 100,
        space=None if own.colocation_per_month is None else decimal(own.colocation_per_month),
        space_per_kw=price(usual["space"]) if space else None,
        support=None if own.support_per_year is None else decimal(own.support_per_year),
        support_share=None if support is None else support / 100,
        admin_hours=figure("admin", own.admin_hours),
        operation_hours=figure("operation", own.operation_hours),
        rate=price("staff_rate") if rate is None else rate,
        downtime=(downtime or Decimal(0)) / 100,
        spares=_SPARES[inputs.billing.buyer] if own.spare_machines is None else own.spare_machines,
    )


def staff_and_capital(terms: Terms) -> Iterator[tuple[str, Decimal]]:
    """What is counted of these, by the keys under which a user would give it."""
    if terms.admin_hours is not None:
        yield "admin_hours", terms.admin_hours
    if terms.operation_hours is not None:
        yield "operation_hours", terms.operation_hours
    if terms.capital is not None:
        yield "cost_of_capital_percent", 100 * terms.capital


def api_decline(inputs: CostInputs) -> Decimal:
    """By which share APIs' prices fall in a year."""
    given, usual = inputs.api.api_decline_percent, _USUAL[inputs.billing.buyer]
    if given is not None:
        return decimal(given) / 100
    return figures()[usual["api_decline"]].typical / 100 if "api_decline" in usual else Decimal(0)


def figures_used(inputs: CostInputs, converter: Converter) -> list[UsedPrice]:
    """The published figures that stand in for what the user left open when buying."""
    own, used = inputs.own, dict(_USUAL[inputs.billing.buyer])
    given = {
        "capital": own.cost_of_capital_percent,
        "space": own.colocation_per_month,
        "support": own.support_per_year,
        "admin": own.admin_hours,
        "operation": own.operation_hours,
        "downtime": own.downtime_percent,
        "api_decline": 0,  # of no machine
    }
    found = [_used(_LABELS[term], figures()[name], converter) for term, name in used.items() if given[term] is None]
    if own.admin_rate is None and (own.operation_hours or {"admin", "operation"} & set(used)):
        found.append(_used(fact("figure_staff_rate"), figures()["staff_rate"], converter))
    return found


def decline_used(inputs: CostInputs, converter: Converter) -> list[UsedPrice]:
    """The figure by which APIs get cheaper, where the user gave none and there is one."""
    usual = _USUAL[inputs.billing.buyer]
    if inputs.api.api_decline_percent is not None or "api_decline" not in usual:
        return []
    return [_used(_LABELS["api_decline"], figures()[usual["api_decline"]], converter)]


def not_counted(inputs: CostInputs) -> tuple[Message, ...]:
    """Which of these terms nobody gave and nothing stands in for."""
    own, usual = inputs.own, _USUAL[inputs.billing.buyer]
    return tuple(
        label
        for term, label, given in (
            ("admin", fact("administration"), own.admin_hours),
            ("operation", fact("operation"), own.operation_hours),
            ("support", fact("support"), own.support_per_year),
            ("capital", fact("cost_of_capital"), own.cost_of_capital_percent),
            ("space", fact("colocation"), own.colocation_per_month),
            ("downtime", fact("downtime"), own.downtime_percent),
        )
        if given is None and term not in usual
    )


def _used(label: Message, row: Figure, converter: Converter) -> UsedPrice:
    shown = label
    if row.low is not None and row.high is not None:
        shown = fact("figure_in_range", what=label, low=row.low, high=row.high)
    currency, _, unit = row.unit.partition(" per ") if row.unit.startswith("USD") else ("", "", row.unit)
    named = _UNITS.get(unit, fact("unit_listed", unit=unit))
    return converter.listed("figure", shown, row.typical, named, currency, row.seen)
