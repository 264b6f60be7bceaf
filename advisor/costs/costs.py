"""The answer: what a plan costs owned, rented and by the token, and where one becomes cheaper than another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from advisor.costs.break_even import BreakEven
from advisor.costs.cheapest import cheapest_of, verdict_of
from advisor.costs.inputs import CostInputs
from advisor.costs.money import OLD_AFTER_DAYS, Converter, UsedPrice, converter_of
from advisor.costs.offer import Offer, Offers
from advisor.costs.options import Option, api_option, by_price, of_rank, own_option, rent_option
from advisor.costs.outlay import months_until
from advisor.costs.own import own
from advisor.costs.pay_per_token import pay_per_token
from advisor.costs.power import grams_of
from advisor.costs.price_rows import CASES
from advisor.costs.rent import rent
from advisor.costs.staircase import Staircase
from advisor.costs.terms import not_counted, terms_of
from advisor.costs.workload import Peak, Throughput, busiest_hour
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, fact
from advisor.foundation.ranges import Range
from advisor.machines.catalogue import Machine

_AS_GOOD_AS_FULL, _HARDLY_FULL = 0.98, 0.005
_HARDLY_ANY = 0.01  # requests that wait


@dataclass(frozen=True, slots=True)
class Costs:
    """Everything about the cost of one plan; amounts are in `currency`.

    Where an option is missing, `missing` says why, by its name. `months_against_*`: after how many months buying has
    cost no more than the other, at the planned load and before resale; None: never. `peak` is the busiest hour on
    machines of one's own kind, owned or rented; None where the speed is not known. `discount_rate` is the share a year
    at which present values are counted, `not_included` what no bill has in it.
    """

    inputs: CostInputs
    today: date
    currency: str
    tokens_per_month: int
    own: Option | None
    rent: Option | None
    api: Option | None
    missing: tuple[tuple[str, Message], ...]
    own_against_api: BreakEven | None
    rent_against_api: BreakEven | None
    months_against_api: int | None
    months_against_rent: int | None
    energy_kwh_per_month: Range | None
    co2_kg_per_month: Range | None
    verdict: Message
    peak: Peak | None
    discount_rate: Decimal
    not_included: tuple[Message, ...]
    notes: tuple[Message, ...]
    prices: tuple[UsedPrice, ...]

    @property
    def options(self) -> tuple[Option, ...]:
        """What there is to choose from, in the order own, rent, API."""
        return tuple(option for option in (self.own, self.rent, self.api) if option is not None)

    def best(self, own_hardware: bool = False) -> Option | None:
        """What to do, where there are at least two priced ways: the cheapest, or with `own_hardware` owning."""
        cheapest = cheapest_of(self.options)
        return self.own if own_hardware and cheapest is not None else cheapest

    @property
    def stale_prices(self) -> tuple[UsedPrice, ...]:
        """The prices used that are too old to be relied on; a rate of exchange is none."""
        return tuple(price for price in self.prices if price.is_stale and not price.is_rate)


def by_the_token(model_id: str | None, inputs: CostInputs, today: date) -> Option | Message:
    """What it costs by the token alone, whatever the machine; or why it does not."""
    converter = converter_of(inputs.billing, today)
    hosts = pay_per_token(model_id, inputs, converter, today)
    return hosts if isinstance(hosts, Message) else _to_pay(hosts, inputs, converter)


def _to_pay(hosts: tuple[Offer, ...], inputs: CostInputs, converter: Converter) -> Option:
    return api_option(hosts, inputs.load.tokens_per_month, inputs, terms_of(inputs, converter).capital or Decimal(0))


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
    `devices` counts all of them, and is 1 for a CPU. `speed` is of one such machine at the planned users; None counts
    one machine, however much there is to do.
    Raises InputError in one sentence when the machine cannot be bought like that.
    """
    if not 1 <= devices <= 1024:
        raise InputError("devices={devices}: a plan runs on 1 to 1,024 devices.", devices=devices)
    tokens = inputs.load.tokens_per_month
    converter = converter_of(inputs.billing, today)
    bought = own(machine, devices, speed, inputs, converter)
    offers = rent(machine, devices, speed, inputs, converter)
    hosts = pay_per_token(model_id, inputs, converter, today)
    to_pay = None if isinstance(hosts, Message) else _to_pay(hosts, inputs, converter)
    ways = (("own", bought), ("rent", offers), ("api", hosts))
    rate = terms_of(inputs, converter).capital or Decimal(0)
    to_own = None if isinstance(bought, Message) else own_option(bought[0], tokens, inputs, rate)
    to_rent = None if isinstance(offers, Message) else rent_option(offers, tokens, inputs, rate)
    found = [option for option in (to_own, to_rent, to_pay) if option is not None]
    peak = busiest_hour(speed, inputs.load, tokens)
    energy = own_even = rent_even = None
    if not isinstance(bought, Message):
        energy = _energy(bought[0], tokens)
        own_even = _against_api([bought[0].bill(case) for case in CASES], hosts)
    if not isinstance(offers, Message):
        chosen = of_rank(offers, tokens)
        rent_even = _against_api([offer.bill(case) for offer, case in zip(chosen, CASES, strict=True)], hosts)
    months = {
        other.name: months_until(to_own.outlays[1], other.outlays[1])
        for other in (to_rent, to_pay)
        if to_own is not None and other is not None
    }
    prices = tuple(dict.fromkeys(price for option in found for price in option.prices))
    return Costs(
        inputs=inputs,
        today=today,
        currency=inputs.billing.currency,
        tokens_per_month=tokens,
        own=to_own,
        rent=to_rent,
        api=to_pay,
        missing=tuple((name, why) for name, why in ways if isinstance(why, Message)),
        own_against_api=own_even,
        rent_against_api=rent_even,
        months_against_api=months.get("api"),
        months_against_rent=months.get("rent"),
        energy_kwh_per_month=energy,
        co2_kg_per_month=_co2(energy, inputs),
        verdict=verdict_of(tokens, tuple(found), own_even, inputs.billing.currency),
        peak=peak,
        discount_rate=rate,
        not_included=_not_included(found, inputs),
        notes=_notes(found, speed, peak, inputs),
        prices=(*prices, *converter.rates_used(prices)),
    )


def _against_api(bills: list[Staircase], hosts: Offers) -> BreakEven | None:
    """Break-even of something in its three cases against the dearest, the median and the cheapest host."""
    if isinstance(hosts, Message):
        return None
    ranked = by_price(hosts)
    rates = (ranked[-1], ranked[(len(ranked) - 1) // 2], ranked[0])
    found = [bill.break_even(host.bill().per_token) for bill, host in zip(bills, rates, strict=True)]
    reached = [tokens for tokens in found if tokens is not None]
    # Offers of different sizes, or capital tied up in a high resale value, can turn the order of the cases round.
    return BreakEven(min(reached, default=None), found[1], max(reached) if len(reached) == len(found) else None)


def _energy(owned: Offer, tokens: int) -> Range | None:
    values = []
    for case, each in owned.purchases:
        bill = owned.bill(case)
        kwh = float(bill.units(tokens) * each.kwh_per_unit + bill.counted(tokens) * each.kwh_per_token)
        values.append(round(kwh, 2))
    # What is cheaper need not draw less: the cases are those of money.
    return Range(min(values), values[1], max(values)) if any(values) else None


def _co2(energy: Range | None, inputs: CostInputs) -> Range | None:
    grams = grams_of(inputs.power)
    if energy is None or grams is None:
        return None
    scaled = energy.scaled(grams / 1000)
    return Range(round(scaled.low, 2), round(scaled.typical, 2), round(scaled.high, 2))


def _not_included(options: list[Option], inputs: CostInputs) -> tuple[Message, ...]:
    """What no bill has in it, of each way that has a price."""
    found: list[Message] = []
    names = {option.name for option in options}
    if "own" in names:
        found += [*not_counted(inputs), fact("setting_up"), fact("insurance")]
        if grams_of(inputs.power) is None:
            found.append(fact("co2_not_counted"))
    if "rent" in names and not (inputs.rent.storage_gb and inputs.rent.egress_gb):
        found.append(fact("storage_where_given"))
    if "api" in names:
        found.append(fact("fees_of_hosts"))
    if not inputs.billing.vat_percent and names:
        found.append(fact("vat_left_out"))
    return tuple(found)


def busiest(peak: Peak) -> Message:
    """How full the machines are in the busiest hour, and who waits."""
    machines, places = peak.machines, peak.machines * peak.places
    if peak.wait_s is None or peak.full > _AS_GOOD_AS_FULL:
        return fact("busiest_hour_full", machines=machines, places=places)
    if peak.waiting < _HARDLY_ANY:
        if peak.full < _HARDLY_FULL:
            return fact("busiest_hour_idle", machines=machines, taken=peak.taken, places=places)
        return fact("busiest_hour_easy", machines=machines, full=peak.full, taken=peak.taken, n=places)
    return fact(
        "busiest_hour",
        machines=machines,
        full=peak.full,
        taken=peak.taken,
        n=places,
        waiting=peak.waiting,
        wait=peak.wait_s,
    )


def _notes(
    options: list[Option], speed: Throughput | None, peak: Peak | None, inputs: CostInputs
) -> tuple[Message, ...]:
    notes: list[Message] = []
    if peak is not None:
        notes.append(busiest(peak))
    if speed is None:
        notes.append(fact("load_not_checked"))
    elif speed.prefill is None:
        notes.append(fact("prompts_not_counted"))
    ranked = sorted(options, key=lambda option: option.monthly.typical)
    if len(ranked) > 1 and ranked[0].monthly.high > ranked[1].monthly.low:
        first, second = ranked[0].monthly, ranked[1].monthly
        notes.append(fact("ranges_overlap", currency=inputs.billing.currency, high=first.high, low=second.low))
    stale = [price for option in options for price in option.prices if price.is_stale]
    if stale:
        notes.append(fact("prices_old", old=len(stale), days=OLD_AFTER_DAYS))
    if inputs.load.cached_percent and speed is not None and speed.prefill is not None:
        notes.append(fact("prefix_cached", percent=inputs.load.cached_percent))
    for option in options:
        notes += option.notes
    return tuple(dict.fromkeys(notes))
