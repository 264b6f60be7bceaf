"""One way to get the tokens, at the planned load: a month's bill with its range, what is bought, what it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from advisor.costs.inputs import CostInputs
from advisor.costs.money import MoneyRange, UsedPrice, cents, decimal, per_million
from advisor.costs.offer import Offer
from advisor.costs.own import DEPRECIATION
from advisor.costs.price_tables import CASES, REGION_NAMES, Case, Region
from advisor.costs.staircase import Line, Staircase
from advisor.foundation.message import Message, fact


@dataclass(frozen=True, slots=True)
class Outlay:
    """What one case takes: at once, then every month without depreciation; and what comes back at the end."""

    upfront: Decimal
    monthly: Decimal
    resale: Decimal


@dataclass(frozen=True, slots=True)
class Option:
    """One way to get the tokens, at the planned load.

    `title` says what exactly is bought in the typical case; `bill` is a month of it and adds up to `monthly.typical`.
    `units` are machines or instances in the three cases (0 for an API), `offers` how many providers low,
    typical and high are the cheapest, the median and the dearest of. `total` is over the years asked for, after resale.
    `upfront` and `resale` are for all machines, `outlays` their three cases; `utilisation` is the share of the hours
    in which they compute, be it for one request or for several, where known.
    `typical_inputs`: the prices of the typical case by the keys under which a user would give them.
    """

    name: Literal["own", "rent", "api"]
    title: Message
    monthly: MoneyRange
    per_million_tokens: MoneyRange
    total: MoneyRange
    units: tuple[int, int, int]
    offers: int
    bill: tuple[Line, ...]
    typical: Staircase
    upfront: Decimal
    resale: Decimal
    outlays: tuple[Outlay, ...]
    utilisation: float | None
    typical_inputs: tuple[tuple[str, Decimal], ...]
    prices: tuple[UsedPrice, ...]
    notes: tuple[Message, ...]


def own_option(owned: Offer, tokens: int, inputs: CostInputs) -> Option:
    bills = [owned.bill(case) for case in CASES]
    units = [bill.units(tokens) for bill in bills]
    vat = 1 + bills[1].vat
    upfront = [cents(n * owned.purchase(case).upfront * vat) for n, case in zip(units, CASES, strict=True)]
    resale = [cents(n * owned.purchase(case).resale * vat) for n, case in zip(units, CASES, strict=True)]
    monthly = [bill.cost(tokens) for bill in bills]
    months = 12 * inputs.billing.years
    running = [amount - _written_off(bill, tokens) for amount, bill in zip(monthly, bills, strict=True)]
    outlays = tuple(Outlay(*case) for case in zip(upfront, running, resale, strict=True))
    total = [case.upfront - case.resale + months * case.monthly for case in outlays]
    typical = owned.bill()
    busy = _utilisation(tokens, typical)
    shares = () if busy is None else (("utilisation_percent", decimal(100 * busy)),)
    return Option(
        name="own",
        title=fact("machines_with", count=units[1], what=owned.title) if units[1] > 1 else owned.title,
        monthly=_range(monthly),
        per_million_tokens=_per_million(monthly, tokens),
        total=_range(total),
        units=(units[0], units[1], units[2]),
        offers=1,
        bill=typical.bill(tokens),
        typical=typical,
        upfront=upfront[1],
        resale=resale[1],
        outlays=outlays,
        utilisation=busy,
        typical_inputs=(*owned.typical_inputs, *shares),
        prices=owned.prices,
        notes=owned.notes,
    )


def rent_option(offers: tuple[Offer, ...], tokens: int, inputs: CostInputs) -> Option:
    chosen = of_rank(offers, tokens)
    bills = [offer.bill(case) for offer, case in zip(chosen, CASES, strict=True)]
    monthly = [bill.cost(tokens) for bill in bills]
    typical = bills[1]
    units = [bill.units(tokens) for bill in bills]
    notes = []
    if inputs.rent.term == "spot":
        notes.append(fact("spot_taken_away"))
    if inputs.rent.term == "1-year":
        notes.append(fact("year_paid_whole"))
    if not inputs.rent.storage_gb or not inputs.rent.egress_gb:
        notes.append(fact("storage_where_given"))
    return Option(
        name="rent",
        title=fact("times", count=units[1], what=chosen[1].title) if units[1] > 1 else chosen[1].title,
        monthly=_range(monthly),
        per_million_tokens=_per_million(monthly, tokens),
        total=_range([12 * inputs.billing.years * amount for amount in monthly]),
        units=(units[0], units[1], units[2]),
        offers=len({offer.provider for offer in offers}),
        bill=typical.bill(tokens),
        typical=typical,
        upfront=Decimal(0),
        resale=Decimal(0),
        outlays=tuple(Outlay(Decimal(0), amount, Decimal(0)) for amount in monthly),
        utilisation=_utilisation(tokens, typical),
        typical_inputs=(),
        prices=tuple(dict.fromkeys(price for offer in chosen for price in offer.prices)),
        notes=tuple(notes),
    )


_PRECISION = fact("hosts_precision")


def _where(hosts: list[Offer], region: Region) -> Message | None:
    """That a region was asked for which no host states."""
    if region == "any" or any(host.region is not None for host in hosts):
        return None
    return fact("hosts_region_not_known", region=REGION_NAMES[region])


def api_option(hosts: tuple[Offer, ...], tokens: int, inputs: CostInputs) -> Option:
    ranked = by_price(hosts)
    chosen = [ranked[0], ranked[(len(ranked) - 1) // 2], ranked[-1]]
    monthly = [host.bill().cost(tokens) for host in chosen]
    return Option(
        name="api",
        title=chosen[1].title,
        monthly=_range(monthly),
        per_million_tokens=_per_million(monthly, tokens),
        total=_range([12 * inputs.billing.years * amount for amount in monthly]),
        units=(0, 0, 0),
        offers=len(ranked),
        bill=chosen[1].bill().bill(tokens),
        typical=chosen[1].bill(),
        upfront=Decimal(0),
        resale=Decimal(0),
        outlays=tuple(Outlay(Decimal(0), amount, Decimal(0)) for amount in monthly),
        utilisation=None,
        typical_inputs=chosen[1].typical_inputs,
        prices=tuple(dict.fromkeys(price for host in chosen for price in host.prices)),
        notes=tuple(note for note in (_where(chosen, inputs.rent.region), _PRECISION) if note is not None),
    )


def of_rank(offers: tuple[Offer, ...], tokens: int) -> tuple[Offer, Offer, Offer]:
    """The cheapest, the median and the dearest provider's offer for so many tokens, each at its case's speed.

    Of a provider's sizes and grades the one that costs least at this load counts. Least costs and ranks of costs that
    never fall with tokens never fall with tokens either.
    """
    low, typical, high = (_best_by_provider(offers, case, tokens) for case in CASES)
    return low[0], typical[(len(typical) - 1) // 2], high[-1]


def _best_by_provider(offers: tuple[Offer, ...], case: Case, tokens: int) -> list[Offer]:
    ranked = sorted(offers, key=lambda offer: (offer.bill(case).cost(tokens), offer.name))
    best: dict[str, Offer] = {}
    for offer in ranked:
        best.setdefault(offer.provider, offer)
    return list(best.values())


def by_price(hosts: tuple[Offer, ...]) -> list[Offer]:
    """The cheapest offer of each host, cheapest host first."""
    best: dict[str, Offer] = {}
    for host in sorted(hosts, key=lambda host: (host.bill().per_token, host.name)):
        best.setdefault(host.provider, host)
    return list(best.values())


def _per_million(monthly: list[Decimal], tokens: int) -> MoneyRange:
    return _range([per_million(amount, tokens) for amount in monthly])


def _range(cases: list[Decimal]) -> MoneyRange:
    """The three cases in order: rounding, or capital tied up in a high resale value, can make the low one dearer."""
    return MoneyRange(min(cases), cases[1], max(cases))


def _utilisation(tokens: int, bill: Staircase) -> float | None:
    busy = bill.busy_share(tokens)
    return None if busy is None else round(busy, 4)


def running_cost(option: Option) -> Decimal:
    """What is paid each month besides the purchase: the bill without depreciation."""
    return option.outlays[1].monthly


def _written_off(bill: Staircase, tokens: int) -> Decimal:
    lines = (line.amount for line in bill.bill(tokens) if line.label == DEPRECIATION)
    return cents(sum(lines, Decimal(0)) * (1 + bill.vat))
