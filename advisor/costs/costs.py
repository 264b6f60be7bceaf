"""The answer: what a plan costs owned, rented and by the token, and where one becomes cheaper than another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from advisor.costs.inputs import CostInputs
from advisor.costs.money import MoneyRange, Price, cents, decimal, money_of, per_million, shown
from advisor.costs.own import Owned, own
from advisor.costs.pay_per_token import Hosted, pay_per_token
from advisor.costs.price_tables import Case
from advisor.costs.rent import Rented, rent
from advisor.costs.staircase import Line, Staircase
from advisor.costs.verdict import verdict_of
from advisor.costs.workload import Throughput
from advisor.errors import InputError
from advisor.estimate import Range
from advisor.machines.catalogue import Machine

_CASES: tuple[Case, ...] = ("low", "typical", "high")
_NEVER_MONTHS = 1200


@dataclass(frozen=True, slots=True)
class Option:
    """One way to get the tokens, at the planned load.

    `title` says what exactly is bought in the typical case; `bill` is a month of it and adds up to `monthly.typical`.
    `units` are machines or instances in the three cases (0 for an API), `offers` how many offers low, typical and
    high are the cheapest, the median and the dearest of. `total` is over the years asked for, after resale.
    `upfront` and `resale` are for all machines; `utilisation` is the share of the hours they compute, where known.
    `typical_inputs`: the prices of the typical case by the keys under which a user would give them.
    """

    name: Literal["own", "rent", "api"]
    title: str
    monthly: MoneyRange
    per_million_tokens: MoneyRange
    total: MoneyRange
    units: tuple[int, int, int]
    offers: int
    bill: tuple[Line, ...]
    typical: Staircase
    upfront: Decimal
    resale: Decimal
    utilisation: float | None
    typical_inputs: tuple[tuple[str, Decimal], ...]
    prices: tuple[Price, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BreakEven:
    """The fewest tokens a month from which one option costs no more than another; None: never, at any load.

    `low` is the first option's cheap case against the other's dear one.
    """

    low: int | None
    typical: int | None
    high: int | None


@dataclass(frozen=True, slots=True)
class Costs:
    """Everything about the cost of one plan; amounts are in `currency`.

    Where an option is missing, `missing` says why, by its name. `months_against_*`: after how many months buying has
    cost no more than the other, at the planned load and before resale; None: never.
    """

    inputs: CostInputs
    today: date
    currency: str
    tokens_per_month: int
    own: Option | None
    rent: Option | None
    api: Option | None
    missing: tuple[tuple[str, str], ...]
    own_against_api: BreakEven | None
    rent_against_api: BreakEven | None
    months_against_api: int | None
    months_against_rent: int | None
    energy_kwh_per_month: Range | None
    co2_kg_per_month: Range | None
    verdict: str
    notes: tuple[str, ...]
    prices: tuple[Price, ...]

    @property
    def options(self) -> tuple[Option, ...]:
        """What there is to choose from, in the order own, rent, API."""
        return tuple(option for option in (self.own, self.rent, self.api) if option is not None)

    @property
    def stale_prices(self) -> tuple[Price, ...]:
        """The prices used that are too old to be relied on."""
        return tuple(price for price in self.prices if price.is_stale)


def cost_of(
    model_id: str | None,
    machine: Machine,
    devices: int,
    speed: Throughput | None,
    inputs: CostInputs,
    today: date,
) -> Costs:
    """What it costs to run a model on a machine with `devices` devices, against renting and paying per token.

    `model_id` is a catalogue id or a Hub repository; None, or a model nobody hosts, has no API to compare with.
    `speed` is of one such machine at the planned users; None counts one machine, however much there is to do.
    Raises InputError in one sentence when the machine cannot be bought like that.
    """
    if not 1 <= devices <= 1024:
        raise InputError(f"devices={devices}: a plan runs on 1 to 1,024 devices.")
    tokens = inputs.tokens_per_month
    money = money_of(inputs, today)
    owned = own(machine, devices, speed, inputs, money)
    offers, no_offer = rent(machine, devices, speed, inputs, money)
    hosts, no_host = pay_per_token(model_id, inputs, money, today)
    what = f"{devices} x {machine.name}" if devices > 1 else machine.name
    own_option = None if isinstance(owned, str) else _own_option(owned, what, tokens, inputs)
    rent_option = _rent_option(offers, tokens, inputs) if offers else None
    api_option = _api_option(hosts, tokens, inputs) if hosts else None
    found = [option for option in (own_option, rent_option, api_option) if option is not None]
    energy = None if isinstance(owned, str) else _energy(owned, tokens)
    missing = [("own", owned)] if isinstance(owned, str) else []
    missing += [(name, why) for name, why in (("rent", no_offer), ("api", no_host)) if why is not None]
    own_even = _against_api([owned.case(case).bill for case in _CASES], hosts) if not isinstance(owned, str) else None
    rent_even = None
    if rent_option is not None:
        chosen = _of_rank(offers, tokens)
        rent_even = _against_api([offer.bill(case) for offer, case in zip(chosen, _CASES, strict=True)], hosts)
    months = {
        other.name: _months(own_option, other)
        for other in (rent_option, api_option)
        if own_option is not None and other is not None
    }
    prices = tuple(dict.fromkeys(price for option in found for price in option.prices))
    return Costs(
        inputs=inputs,
        today=today,
        currency=inputs.currency,
        tokens_per_month=tokens,
        own=own_option,
        rent=rent_option,
        api=api_option,
        missing=tuple(missing),
        own_against_api=own_even,
        rent_against_api=rent_even,
        months_against_api=months.get("api"),
        months_against_rent=months.get("rent"),
        energy_kwh_per_month=energy,
        co2_kg_per_month=_co2(energy, inputs),
        verdict=verdict_of(tokens, own_option, rent_option, api_option, own_even, inputs.currency),
        notes=_notes(found, speed, inputs),
        prices=(*prices, *money.rates_used(prices)),
    )


def _own_option(owned: Owned, what: str, tokens: int, inputs: CostInputs) -> Option:
    bills = [owned.case(case).bill for case in _CASES]
    units = [bill.units(tokens) for bill in bills]
    vat = 1 + bills[1].vat
    upfront = [cents(n * owned.case(case).upfront * vat) for n, case in zip(units, _CASES, strict=True)]
    resale = [cents(n * owned.case(case).resale * vat) for n, case in zip(units, _CASES, strict=True)]
    monthly = [bill.cost(tokens) for bill in bills]
    months = 12 * inputs.years
    total = [m * months for m in monthly]
    typical = owned.case("typical")
    busy = _utilisation(tokens, typical.bill, inputs)
    shares = () if busy is None else (("utilisation_percent", decimal(100 * busy)),)
    many = f"{units[1]} machines with {what} each" if units[1] > 1 else what
    return Option(
        name="own",
        title=many,
        monthly=MoneyRange(*monthly),
        per_million_tokens=_per_million(monthly, tokens),
        total=MoneyRange(*total),
        units=(units[0], units[1], units[2]),
        offers=1,
        bill=typical.bill.bill(tokens),
        typical=typical.bill,
        upfront=upfront[1],
        resale=resale[1],
        utilisation=busy,
        typical_inputs=(*owned.typical_inputs, *shares),
        prices=owned.prices,
        notes=owned.notes,
    )


def _rent_option(offers: tuple[Rented, ...], tokens: int, inputs: CostInputs) -> Option:
    chosen = _of_rank(offers, tokens)
    bills = [offer.bill(case) for offer, case in zip(chosen, _CASES, strict=True)]
    monthly = [bill.cost(tokens) for bill in bills]
    typical = bills[1]
    units = [bill.units(tokens) for bill in bills]
    notes = []
    if inputs.term == "spot":
        notes.append("Spot instances can be taken away at short notice.")
    if inputs.term == "1-year":
        notes.append("A one-year term is paid for every hour of the year, used or not.")
    if not inputs.storage_gb or not inputs.egress_gb:
        notes.append("Storage and traffic are counted where storage_gb and egress_gb are given with their prices.")
    return Option(
        name="rent",
        title=f"{units[1]} x {chosen[1].name}" if units[1] > 1 else chosen[1].name,
        monthly=MoneyRange(*monthly),
        per_million_tokens=_per_million(monthly, tokens),
        total=MoneyRange(*(12 * inputs.years * amount for amount in monthly)),
        units=(units[0], units[1], units[2]),
        offers=len(offers),
        bill=typical.bill(tokens),
        typical=typical,
        upfront=Decimal(0),
        resale=Decimal(0),
        utilisation=_utilisation(tokens, typical, inputs),
        typical_inputs=(),
        prices=tuple(dict.fromkeys(price for offer in chosen for price in offer.prices)),
        notes=tuple(notes),
    )


def _api_option(hosts: tuple[Hosted, ...], tokens: int, inputs: CostInputs) -> Option:
    ranked = _by_price(hosts)
    chosen = [ranked[0], ranked[(len(ranked) - 1) // 2], ranked[-1]]
    monthly = [host.bill.cost(tokens) for host in chosen]
    return Option(
        name="api",
        title=chosen[1].name,
        monthly=MoneyRange(*monthly),
        per_million_tokens=_per_million(monthly, tokens),
        total=MoneyRange(*(12 * inputs.years * amount for amount in monthly)),
        units=(0, 0, 0),
        offers=len(hosts),
        bill=chosen[1].bill.bill(tokens),
        typical=chosen[1].bill,
        upfront=Decimal(0),
        resale=Decimal(0),
        utilisation=None,
        typical_inputs=chosen[1].typical_inputs,
        prices=tuple(dict.fromkeys(price for host in chosen for price in host.prices)),
        notes=("Hosts choose their own precision: their model need not be the level planned here.",),
    )


def _of_rank(offers: tuple[Rented, ...], tokens: int) -> tuple[Rented, Rented, Rented]:
    """The cheapest, the median and the dearest offer for so many tokens, each at its case's speed.

    Ranks of costs that never fall with tokens never fall with tokens either.
    """
    low, typical, high = (
        sorted(offers, key=lambda offer, case=case: (offer.bill(case).cost(tokens), offer.name))  # type: ignore[misc]
        for case in _CASES
    )
    return low[0], typical[(len(offers) - 1) // 2], high[-1]


def _by_price(hosts: tuple[Hosted, ...]) -> list[Hosted]:
    return sorted(hosts, key=lambda host: (host.per_token, host.name))


def _per_million(monthly: list[Decimal], tokens: int) -> MoneyRange:
    return MoneyRange(*(per_million(amount, tokens) for amount in monthly))


def _utilisation(tokens: int, bill: Staircase, inputs: CostInputs) -> float | None:
    """The share of the hours in which the machines compute: the average load over what they serve at their peak."""
    if bill.unit_tokens is None:
        return None
    return round(float(tokens / (bill.units(tokens) * bill.unit_tokens * decimal(inputs.peak_factor))), 4)


def _against_api(bills: list[Staircase], hosts: tuple[Hosted, ...]) -> BreakEven | None:
    """Break-even of something in its three cases against the dearest, the median and the cheapest host."""
    if not hosts:
        return None
    ranked = _by_price(hosts)
    rates = (ranked[-1], ranked[(len(ranked) - 1) // 2], ranked[0])
    return BreakEven(*(bill.break_even(host.per_token) for bill, host in zip(bills, rates, strict=True)))


def _months(bought: Option | None, other: Option | None) -> int | None:
    """After how many months buying has cost no more, without counting on a resale."""
    if bought is None or other is None:
        return None
    saved = other.monthly.typical - running_cost(bought)
    if saved <= 0:
        return None
    months = int((bought.upfront / saved).to_integral_value(rounding="ROUND_CEILING"))
    return months if months <= _NEVER_MONTHS else None


def running_cost(option: Option) -> Decimal:
    """What is paid each month besides the purchase: the bill without depreciation."""
    if option.name != "own":
        return option.monthly.typical
    written_off = next(line.amount for line in option.bill if line.label == "Depreciation")
    return option.monthly.typical - cents(written_off * (1 + option.typical.vat))


def _energy(owned: Owned, tokens: int) -> Range | None:
    values = [
        float(each.bill.units(tokens) * each.kwh_per_unit + tokens * each.kwh_per_token)
        for each in (owned.case(case) for case in _CASES)
    ]
    return Range(*(round(value, 2) for value in values)) if any(values) else None


def _co2(energy: Range | None, inputs: CostInputs) -> Range | None:
    if energy is None or inputs.co2_g_per_kwh is None:
        return None
    scaled = energy.scaled(inputs.co2_g_per_kwh / 1000)
    return Range(round(scaled.low, 2), round(scaled.typical, 2), round(scaled.high, 2))


def _notes(options: list[Option], speed: Throughput | None, inputs: CostInputs) -> tuple[str, ...]:
    notes = []
    if speed is None:
        notes.append("The speed is not known: one machine is counted, and whether it serves the load is not checked.")
    elif speed.prefill is None:
        notes.append("Reading the prompts is not counted in the machines' time, because its speed is not known.")
    ranked = sorted(options, key=lambda option: option.monthly.typical)
    if len(ranked) > 1 and ranked[0].monthly.high > ranked[1].monthly.low:
        first, second = ranked[0].monthly, ranked[1].monthly
        notes.append(
            f"The ranges overlap: the cheapest may cost up to {shown(first.high, inputs.currency)} a month, "
            f"the next as little as {shown(second.low, inputs.currency)}."
        )
    if inputs.co2_g_per_kwh is None:
        notes.append("CO2 is shown once co2_g_per_kwh, your electricity's footprint, is given.")
    for option in options:
        notes += option.notes
    return tuple(dict.fromkeys(notes))
