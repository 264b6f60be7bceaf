"""Renting GPUs by the hour: whole instances only.

An instance holds one or more copies of the plan; a month costs instances x price x hours. A one-year term is paid for
every hour, used or not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache

from advisor.costs.inputs import HOURS_PER_MONTH, CostInputs
from advisor.costs.money import GIGABYTE, GIGABYTE_MONTH, GPU_HOUR, HOUR, Converter, UsedPrice, decimal, vat_of
from advisor.costs.offer import Offer, Offers
from advisor.costs.own import operation
from advisor.costs.price_rows import CASES, REGION_NAMES, Case, CloudOffer, Region, RentalTerm
from advisor.costs.price_tables import cloud_offers
from advisor.costs.staircase import Staircase, Step
from advisor.costs.terms import terms_of
from advisor.costs.workload import Throughput, tokens_one_by_one, tokens_per_machine
from advisor.foundation.kept_rows import places_by
from advisor.foundation.message import Message, fact
from advisor.machines.catalogue import Machine, machines


@dataclass(frozen=True, slots=True)
class Fit:
    """An offer that holds the plan: `gpus` of it are paid for at once and hold `copies` copies of the plan."""

    offer: CloudOffer
    gpus: int
    copies: int

    @property
    def name(self) -> str:
        """As a person would look it up."""
        offer = self.offer
        return f"{offer.provider} {offer.instance}, {self.gpus} x {offer.gpu_id}, {offer.term}"

    @property
    def title(self) -> Message:
        """The same in words."""
        offer, machine = self.offer, machines().get(self.offer.gpu_id)
        what = f"{self.gpus} x {offer.gpu_id if machine is None else machine.name}"
        return fact("rented", provider=offer.provider, instance=offer.instance, what=what, term=offer.term)


@dataclass(frozen=True, slots=True)
class _Priced:
    """An offer before it is known how much it serves."""

    provider: str
    name: str
    title: Message
    copies: int
    hourly: Decimal
    steps: dict[Case, tuple[Step, ...]]
    prices: tuple[UsedPrice, ...]


def rent(machine: Machine, devices: int, speed: Throughput | None, inputs: CostInputs, converter: Converter) -> Offers:
    """Every offer that holds the plan, whose cases differ by speed only; or why there is none.

    Where offers of the plan's own size exist, larger ones do not count: a plan on one GPU is not priced with eight.
    """
    priced = _priced_offers(machine, devices, inputs, converter)
    if not priced:
        return _why_none(machine, devices, inputs)
    reach = {case: _reach(speed, inputs, case) for case in CASES}
    vat = vat_of(inputs.billing)
    offers = []
    least = min(offer.copies for offer in priced)
    for offer in priced:
        if offer.copies > least:
            continue
        times = offer.copies
        bills = [
            (case, Staircase(offer.steps[case], most and most * times, vat, busy_tokens=busy and busy * times))
            for case, (most, busy) in reach.items()
        ]
        # A price of one's own is of an instance that holds the plan once.
        inputs_like = (("instance_price", offer.hourly),) if offer.copies == 1 else ()
        offers.append(Offer(offer.provider, offer.name, offer.title, tuple(bills), offer.prices, inputs_like))
    return tuple(offers)


def _reach(speed: Throughput | None, inputs: CostInputs, case: Case) -> tuple[Decimal | None, Decimal | None]:
    """Tokens a month that one copy of the plan serves, and those that keep it computing all the time."""
    if speed is None:
        return None, None
    return tokens_per_machine(speed, inputs.load, case), tokens_one_by_one(speed, inputs.load, case)


@lru_cache(maxsize=1024)
def fitting_offers(
    machine: Machine, devices: int, region: Region, term: RentalTerm, other_gpus: bool = False
) -> tuple[Fit, ...]:
    """The offers that hold `devices` of a machine's devices; "any" region means all of them.

    `other_gpus` also takes a GPU whose memory is no slower and of which no more are needed, so that the plan's speed
    is the least to expect.
    """
    offers, of_gpu = cloud_offers(), _places_by_gpu()
    gpus = ((gpu, _needed(gpu, machine, devices, other_gpus)) for gpu in of_gpu)
    found = sorted((place, needed) for gpu, needed in gpus if needed is not None for place in of_gpu[gpu])
    fits = []
    for place, needed in found:
        offer = offers[place]
        if offer.term != term or region not in ("any", offer.region):
            continue
        if offer.sold_by == "gpu" and needed <= 8:
            fits.append(Fit(offer, needed, 1))
        elif offer.sold_by == "instance" and offer.gpus >= needed:
            fits.append(Fit(offer, offer.gpus, offer.gpus // needed))
    return tuple(fits)


@cache
def _places_by_gpu() -> Mapping[str, Sequence[int]]:
    return places_by("cloud", cloud_offers(), lambda offer: offer.gpu_id)


def _needed(gpu_id: str, machine: Machine, devices: int, other_gpus: bool) -> int | None:
    """How many of this GPU hold the plan; None if it is the wrong one."""
    if gpu_id == machine.id:
        return devices
    other = machines().get(gpu_id)
    if not other_gpus or other is None or machine.unified or machine.needs_memory or not machine.bandwidth_bytes_per_s:
        return None
    if (other.bandwidth_bytes_per_s or 0) < machine.bandwidth_bytes_per_s:
        return None
    return next((n for n in range(1, devices + 1) if _room(other, n) >= _room(machine, devices)), None)


def _room(machine: Machine, devices: int) -> int:
    return devices * (machine.capacity_bytes - machine.overhead_bytes)


# The plans of a machine differ in speed, not in what is rented for them.
@lru_cache(maxsize=256)
def _priced_offers(machine: Machine, devices: int, inputs: CostInputs, converter: Converter) -> tuple[_Priced, ...]:
    if inputs.rent.instance_price is not None:
        price = decimal(inputs.rent.instance_price)
        paid = converter.given(fact("price_instance"), price, HOUR)
        steps, prices = _billed(dict.fromkeys(CASES, price), inputs, converter)
        return (_Priced("you", "", fact("your_instance"), 1, price, steps, (paid, *prices)),)
    found = []
    for fit in fitting_offers(machine, devices, inputs.rent.region, inputs.rent.term, inputs.rent.rent_gpu == "any"):
        offer = fit.offer
        currency = converter.currency if converter.currency in offer.currencies else offer.currencies.split()[0]
        unit, times = (GPU_HOUR, fit.gpus) if offer.sold_by == "gpu" else (HOUR, 1)
        paid = converter.listed("price", fit.title, offer.price_per_hour, unit, currency, offer.seen)
        hourly = converter.convert(offer.price_per_hour, currency) * times
        steps, prices = _billed(converter.range_of(hourly, hourly, hourly, offer.as_of), inputs, converter)
        found.append(_Priced(offer.provider, fit.name, fit.title, fit.copies, hourly, steps, (paid, *prices)))
    return tuple(found)


def _billed(
    hourly: dict[Case, Decimal], inputs: CostInputs, converter: Converter
) -> tuple[dict[Case, tuple[Step, ...]], tuple[UsedPrice, ...]]:
    """What an instance at so much an hour adds to the bill, and the prices of what is paid beside it."""
    hours = HOURS_PER_MONTH if inputs.rent.term == "1-year" else decimal(inputs.load.hours_per_month)
    prices = []
    steps = []
    if inputs.rent.storage_gb and inputs.rent.storage_price is not None:
        size, price = decimal(inputs.rent.storage_gb), decimal(inputs.rent.storage_price)
        prices.append(converter.given(fact("bill_storage"), price, GIGABYTE_MONTH))
        how = fact("how_storage", size=size, price=price)
        steps.append(Step(fact("bill_storage"), size * price, Decimal(0), how))
    if inputs.rent.egress_gb and inputs.rent.egress_price is not None:
        size, price = decimal(inputs.rent.egress_gb), decimal(inputs.rent.egress_price)
        prices.append(converter.given(fact("bill_egress"), price, GIGABYTE))
        per_token = size * price / inputs.load.tokens_per_month
        how = fact("how_egress", size=size, price=price)
        steps.append(Step(fact("bill_egress"), Decimal(0), per_token, how))
    steps += operation(terms_of(inputs, converter))
    rented = {
        case: Step(fact("bill_instances"), price * hours, Decimal(0), fact("how_instances", price=price, hours=hours))
        for case, price in hourly.items()
    }
    return {case: (rented[case], *steps) for case in CASES}, tuple(prices)


def _why_none(machine: Machine, devices: int, inputs: CostInputs) -> Message:
    what = f"{devices} x {machine.name}" if devices > 1 else machine.name
    term, others = inputs.rent.term, inputs.rent.rent_gpu == "any"
    elsewhere = len(fitting_offers(machine, devices, "any", term, others))
    if elsewhere and inputs.rent.region != "any":
        return fact(
            "no_offer_there", term=term, what=what, region=REGION_NAMES[inputs.rent.region], elsewhere=elsewhere
        )
    if term != "on-demand" and fitting_offers(machine, devices, "any", "on-demand", others):
        return fact("no_offer_of_term", term=term, what=what)
    return fact("nobody_rents_or_better", what=what) if others else fact("nobody_rents", what=what)
