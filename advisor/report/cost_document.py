"""The cost of a plan as JSON: a contract. Amounts are in `currency`, net of VAT unless `vat_percent` was given.

`cost`: `currency`, `tokens_per_month`, then `own`, `rent`, `api` (null where there is none: `missing` says why),
`break_even_tokens_per_month` (null: never), `break_even_months`, `energy_kwh_per_month`, `co2_kg_per_month`, `verdict`,
`notes`; `peak` is the busiest hour, `draws` in which share of draws over the ranges each way costs least,
`not_included` what no bill has in it.

Every range has `low`, `typical` and `high`; every option lists its typical month line by line (`bill`, which
adds up to `per_month.typical`) and the `prices` it rests on.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from advisor.costs.break_even import BreakEven
from advisor.costs.costs import Costs, busiest
from advisor.costs.draws import chances_of
from advisor.costs.inputs import CostInputs
from advisor.costs.money import YOUR_INPUT, MoneyRange, UsedPrice, converter_of
from advisor.costs.options import Option
from advisor.costs.pay_per_token import closed_models
from advisor.costs.workload import Peak
from advisor.foundation.ranges import Range
from advisor.words import say, say_all


def cost_document(costs: Costs) -> dict[str, Any]:
    """Everything about one plan's cost; keys as documented above."""
    chances = chances_of(costs)
    return {
        "currency": costs.currency,
        "tokens_per_month": costs.tokens_per_month,
        "years": costs.inputs.billing.years,
        "own": _option(costs.own),
        "rent": _option(costs.rent),
        "api": _option(costs.api),
        "peak": peak_document(costs.peak),
        "draws": None if chances is None else dict(chances.of),
        "discount_rate_percent": _number(100 * costs.discount_rate),
        "not_included": list(say_all(costs.not_included)),
        "missing": {name: say(why) for name, why in costs.missing},
        "break_even_tokens_per_month": {
            "own_against_api": _break_even(costs.own_against_api),
            "rent_against_api": _break_even(costs.rent_against_api),
        },
        "break_even_months": {
            "own_against_api": costs.months_against_api,
            "own_against_rent": costs.months_against_rent,
        },
        "energy_kwh_per_month": _range(costs.energy_kwh_per_month),
        "co2_kg_per_month": _range(costs.co2_kg_per_month),
        "exchange_rates": [price_document(price) for price in costs.prices if price.is_rate],
        "verdict": say(costs.verdict),
        "notes": list(say_all(costs.notes)),
    }


def peak_document(peak: Peak | None) -> dict[str, Any] | None:
    """The busiest hour: machines, how full they are, requests under way of those they can take, and who waits."""
    if peak is None:
        return None
    return {
        "machines": peak.machines,
        "requests_at_once": peak.machines * peak.places,
        "requests_under_way": round(peak.taken, 2),
        "full_percent": round(100 * peak.full, 1),
        "waiting_percent": round(100 * peak.waiting, 1),
        "wait_s": None if peak.wait_s is None else round(peak.wait_s, 3),
        "sentence": say(busiest(peak)),
    }


def closed_document(inputs: CostInputs, today: date) -> list[dict[str, Any]]:
    """What models that can only be had by the token cost for the same load, cheapest first."""
    hosts = closed_models(inputs, converter_of(inputs.billing, today), today)
    return [
        {
            "title": say(host.title),
            "per_month": _number(host.bill().cost(inputs.load.tokens_per_month)),
            "prices": [price_document(price) for price in host.prices],
        }
        for host in hosts
    ]


def price_document(price: UsedPrice) -> dict[str, Any]:
    """One price used: `value` as its source states it, in `currency` per `unit` ("" where it is no money)."""
    return {
        "label": say(price.label),
        "value": _number(price.value),
        "unit": say(price.unit),
        "currency": price.currency,
        "source": price.source or say(YOUR_INPUT),
        "as_of": None if price.as_of is None else price.as_of.isoformat(),
        "checked": None if price.checked is None else price.checked.isoformat(),
        "age_days": price.age_days,
        "is_stale": price.is_stale,
        "users_own": price.users_own,
    }


def _option(option: Option | None) -> dict[str, Any] | None:
    if option is None:
        return None
    return {
        "title": say(option.title),
        "per_month": _money(option.monthly),
        "per_million_tokens": _money(option.per_million_tokens),
        "total": _money(option.total),
        "present_value": _money(option.present),
        "precision": option.precision,
        "units": dict(zip(("low", "typical", "high"), option.units, strict=True)),
        "offers": option.offers,
        "upfront": _number(option.upfront),
        "resale": _number(option.resale),
        "utilisation": option.utilisation,
        "bill": [
            {"label": say(line.label), "amount": _number(line.amount), "how": say(line.how)} for line in option.bill
        ],
        "prices": [price_document(price) for price in option.prices],
        "notes": list(say_all(option.notes)),
    }


def _money(amounts: MoneyRange) -> dict[str, float]:
    return {"low": _number(amounts.low), "typical": _number(amounts.typical), "high": _number(amounts.high)}


def _range(values: Range | None) -> dict[str, float] | None:
    return None if values is None else {"low": values.low, "typical": values.typical, "high": values.high}


def _break_even(tokens: BreakEven | None) -> dict[str, int | None] | None:
    return None if tokens is None else {"low": tokens.low, "typical": tokens.typical, "high": tokens.high}


def _number(amount: Decimal) -> float:
    """JSON has only floats; of an amount in whole cents the shortest one is printed, without noise."""
    return float(amount)
