"""One way to get the tokens, at the planned load: a month's bill with its range, what is bought, what it rests on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeAlias

from advisor.costs.inputs import CostInputs
from advisor.costs.money import MoneyRange, UsedPrice, cents, decimal, per_million
from advisor.costs.offer import Offer
from advisor.costs.outlay import Outlay
from advisor.costs.own import CAPITAL, DEPRECIATION, NETWORK
from advisor.costs.price_rows import CASES, REGION_NAMES, Case, Region
from advisor.costs.staircase import Line, Staircase
from advisor.costs.terms import api_decline
from advisor.foundation.message import Message, fact

Cases: TypeAlias = tuple[Staircase, Staircase, Staircase]  # low, typical, high


@dataclass(frozen=True, slots=True)
class Option:
    """One way to get the tokens, at the planned load.

    `title` says what exactly is bought in the typical case; `bill` is a month of it and adds up to `monthly.typical`.
    `units` are machines or instances in the three cases (0 for an API), `offers` how many providers low, typical and
    high are the cheapest, the median and the dearest of. `total` is over the years asked for, after resale, and
    `present` what of it is worth today at the cost of capital. `offered` is what might be taken, each in its three
    cases: what is bought, or the best offer of each provider. `precision` is in how many bits a host says it serves.
    `upfront` and `resale` are for all machines, `outlays` their three cases; `utilisation` is the share of the hours in
    which they compute, be it for one request or for several, where known. `typical_inputs`: the prices of the typical
    case by the keys under which a user would give them.
    """

    name: Literal["own", "rent", "api"]
    title: Message
    monthly: MoneyRange
    per_million_tokens: MoneyRange
    total: MoneyRange
    present: MoneyRange
    units: tuple[int, int, int]
    offers: int
    bill: tuple[Line, ...]
    typical: Staircase
    offered: tuple[Cases, ...]
    upfront: Decimal
    resale: Decimal
    outlays: tuple[Outlay, ...]
    utilisation: float | None
    typical_inputs: tuple[tuple[str, Decimal], ...]
    prices: tuple[UsedPrice, ...]
    notes: tuple[Message, ...]
    precision: str | None = None


def own_option(owned: Offer, tokens: int, inputs: CostInputs, rate: Decimal) -> Option:
    """`rate` is the cost of capital as a share a year, here and below; 0 where none is counted."""
    bills = [owned.bill(case) for case in CASES]
    units = [bill.units(tokens) for bill in bills]
    vat = 1 + bills[1].vat
    upfront = [cents(owned.purchase(case).paid(n) * vat) for n, case in zip(units, CASES, strict=True)]
    resale = [cents(n * owned.purchase(case).resale * vat) for n, case in zip(units, CASES, strict=True)]
    monthly = [bill.cost(tokens) for bill in bills]
    months = _months(inputs)
    outlays = tuple(
        Outlay(
            at_once,
            amount - _of_kind(bill, tokens, DEPRECIATION, NETWORK),
            back,
            months,
            capital=_of_kind(bill, tokens, CAPITAL),
        )
        for at_once, amount, bill, back in zip(upfront, monthly, bills, resale, strict=True)
    )
    typical = owned.bill()
    busy = _utilisation(tokens, typical)
    shares = () if busy is None else (("utilisation_percent", decimal(100 * busy)),)
    return Option(
        name="own",
        title=fact("machines_with", count=units[1], what=owned.title) if units[1] > 1 else owned.title,
        monthly=_range(monthly),
        per_million_tokens=_per_million(monthly, tokens),
        total=_range([outlay.total for outlay in outlays]),
        present=_present(outlays, rate),
        units=(units[0], units[1], units[2]),
        offers=1,
        bill=typical.bill(tokens),
        typical=typical,
        offered=((bills[0], bills[1], bills[2]),),
        upfront=upfront[1],
        resale=resale[1],
        outlays=outlays,
        utilisation=busy,
        typical_inputs=(*owned.typical_inputs, *shares),
        prices=owned.prices,
        notes=owned.notes,
    )


def rent_option(offers: tuple[Offer, ...], tokens: int, inputs: CostInputs, rate: Decimal) -> Option:
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
    outlays = tuple(Outlay(Decimal(0), amount, Decimal(0), _months(inputs)) for amount in monthly)
    return Option(
        name="rent",
        title=fact("times", count=units[1], what=chosen[1].title) if units[1] > 1 else chosen[1].title,
        monthly=_range(monthly),
        per_million_tokens=_per_million(monthly, tokens),
        total=_range([outlay.total for outlay in outlays]),
        present=_present(outlays, rate),
        units=(units[0], units[1], units[2]),
        offers=len({offer.provider for offer in offers}),
        bill=typical.bill(tokens),
        typical=typical,
        offered=tuple(_cases(offer) for offer in _best_by_provider(offers, "typical", tokens)),
        upfront=Decimal(0),
        resale=Decimal(0),
        outlays=outlays,
        utilisation=_utilisation(tokens, typical),
        typical_inputs=chosen[1].typical_inputs,
        prices=tuple(dict.fromkeys(price for offer in chosen for price in offer.prices)),
        notes=tuple(notes),
    )


def _where(hosts: list[Offer], region: Region) -> Message | None:
    """That a region was asked for which no host states."""
    if region == "any" or any(host.region is not None for host in hosts):
        return None
    return fact("hosts_region_not_known", region=REGION_NAMES[region])


def api_option(hosts: tuple[Offer, ...], tokens: int, inputs: CostInputs, rate: Decimal = Decimal(0)) -> Option:
    ranked = by_price(hosts)
    chosen = [by_price(hosts, "low")[0], ranked[(len(ranked) - 1) // 2], by_price(hosts, "high")[-1]]
    monthly = [host.bill(case).cost(tokens) for host, case in zip(chosen, CASES, strict=True)]
    decline = api_decline(inputs)
    outlays = tuple(Outlay(Decimal(0), amount, Decimal(0), _months(inputs), decline=decline) for amount in monthly)
    return Option(
        name="api",
        title=chosen[1].title,
        monthly=_range(monthly),
        per_million_tokens=_per_million(monthly, tokens),
        total=_range([outlay.total for outlay in outlays]),
        present=_present(outlays, rate),
        units=(0, 0, 0),
        offers=len(ranked),
        bill=chosen[1].bill().bill(tokens),
        typical=chosen[1].bill(),
        offered=tuple(_cases(host) for host in ranked),
        upfront=Decimal(0),
        resale=Decimal(0),
        outlays=outlays,
        utilisation=None,
        typical_inputs=chosen[1].typical_inputs,
        prices=tuple(dict.fromkeys(price for host in chosen for price in host.prices)),
        notes=tuple(_notes(ranked, chosen, decline, inputs)),
        precision=chosen[1].precision,
    )


def _notes(ranked: list[Offer], chosen: list[Offer], decline: Decimal, inputs: CostInputs) -> Iterator[Message]:
    if (where := _where(chosen, inputs.rent.region)) is not None:
        yield where
    yield fact("hosts_precision")
    if stated := tuple(
        fact("host_precision", host=host.provider, precision=host.precision) for host in ranked if host.precision
    ):
        yield fact("hosts_precision_stated", n=len(stated), hosts=stated)
    if full := _with_note(ranked, "cached_in_full"):
        yield fact("some_cached_in_full", n=full, all=len(ranked))
    if full := _with_note(ranked, "batch_in_full"):
        yield fact("some_batch_in_full", n=full, all=len(ranked))
    if decline:
        yield fact("prices_fall", percent=100 * decline, years=inputs.billing.years)


def _with_note(hosts: list[Offer], kind: str) -> int:
    return sum(any(note.kind == kind for note in host.notes) for host in hosts)


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


def by_price(hosts: tuple[Offer, ...], case: Case = "typical") -> list[Offer]:
    """The cheapest offer of each host, cheapest host first."""
    best: dict[str, Offer] = {}
    for host in sorted(hosts, key=lambda host: (host.bill(case).per_token, host.name)):
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


def _cases(offer: Offer) -> Cases:
    return offer.bill("low"), offer.bill("typical"), offer.bill("high")


def _months(inputs: CostInputs) -> int:
    return 12 * inputs.billing.years


def _of_kind(bill: Staircase, tokens: int, *labels: Message) -> Decimal:
    """What of a bill is for something."""
    lines = (line.amount for line in bill.bill(tokens) if line.label in labels)
    return cents(sum(lines, Decimal(0)) * (1 + bill.vat))


def _present(outlays: tuple[Outlay, ...], rate: Decimal) -> MoneyRange:
    return _range([outlay.present_value(rate) for outlay in outlays])
