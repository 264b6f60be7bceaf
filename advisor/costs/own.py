"""Buying and running the machine.

A month of one machine: (hardware - resale) / (12 x years), electricity, and whatever of capital, colocation, admin and
support the user gives; nothing is assumed for those. Electricity: hours served x idle power + hours computed x (load -
idle power), times PUE, times tariff.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from advisor.costs.hosts import COMPLETE, DATA_CENTRE, System, system_of
from advisor.costs.inputs import CostInputs
from advisor.costs.money import EACH, GIGABYTE, Converter, UsedPrice, cents, decimal, vat_of
from advisor.costs.offer import Offer, Offers, Purchase
from advisor.costs.power import Energy, energy, power_notes, power_of, pue_of, tariff_of
from advisor.costs.price_tables import CASES, Case, Figure, Host, figures
from advisor.costs.staircase import Staircase, Step
from advisor.costs.workload import Throughput, tokens_one_by_one, tokens_per_machine
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, as_it_is, fact
from advisor.machines.capacity import CPU_KIND
from advisor.machines.catalogue import Machine

DEPRECIATION = fact("bill_depreciation")
_HOST = fact("price_host")


def own(machine: Machine, devices: int, speed: Throughput | None, inputs: CostInputs, converter: Converter) -> Offers:
    """The machine to buy; or why its price cannot be said.

    `devices`: all devices of one machine that runs the plan; `speed`: of that machine.
    """
    sets, rest = divmod(devices, machine.count)
    if rest or not sets:
        raise InputError(
            "{machine} is sold in sets of {count}; {devices} devices cannot be bought.",
            machine=machine.name,
            count=machine.count,
            devices=devices,
        )
    prices: list[UsedPrice] = []
    notes: list[Message] = []
    system = system_of(machine, sets)
    hardware = _device_price(machine, inputs, converter, prices)
    if hardware is None:
        return fact("no_price_to_own", machine=machine.name)
    around = _around(system, inputs, converter, prices)
    tariff = tariff_of(inputs.power, converter, prices, notes)
    power = {case: power_of(machine, sets, inputs.power, case) for case in CASES}
    notes += power_notes(machine, inputs.power, power["typical"] is not None)
    if system.copies > 1 or system.sets > sets:
        notes.append(fact("sold_as_a_board", machine=machine.name, board=system.sets, copies=system.copies))
    _not_counted(inputs, notes)
    bills, purchases = [], []
    for case in CASES:
        parts = _parts(machine, system, hardware[case], around[case])
        upfront = cents(sum((part.number * part.price for part in parts), Decimal(0)))
        share = _resale_share(machine, inputs, case)
        watts = power[case]
        used = None if watts is None else energy(case, watts, pue_of(machine, inputs.power, case), speed, inputs)
        steps = (*_capital(upfront, parts, share, inputs), *_electricity(used, tariff[case]), *_running(inputs))
        reach = None if speed is None else tokens_per_machine(speed, inputs.load, case)
        busy = None if speed is None else tokens_one_by_one(speed, inputs.load, case)
        stairs = Staircase(
            steps,
            reach and reach * system.copies,
            vat_of(inputs.billing),
            busy_tokens=busy and busy * system.copies,
        )
        bills.append((case, stairs))
        per_unit, per_token = (Decimal(0), Decimal(0)) if used is None else (used.per_unit, used.per_token)
        purchases.append((case, Purchase(upfront, upfront * share, per_unit, per_token)))
    prices += _figure_prices(machine, system, inputs, converter)
    bought = system.sets * machine.count
    what = f"{bought} x {machine.name}" if bought > 1 else machine.name
    return (
        Offer(
            provider="you",
            name=what,
            title=as_it_is(what),
            bills=tuple(bills),
            prices=tuple(prices),
            typical_inputs=(("device_price", hardware["typical"]), ("electricity_price", tariff["typical"])),
            notes=tuple(notes),
            purchases=tuple(purchases),
        ),
    )


class _Part(NamedTuple):
    """So many of something at a price each."""

    number: Decimal
    price: Decimal


def _parts(machine: Machine, system: System, device: Decimal, around: tuple[Decimal, Decimal]) -> tuple[_Part, ...]:
    """What is bought for one machine: devices, computers, and RAM beyond what those come with."""
    host, ram = around
    found = (
        _Part(Decimal(system.sets), device),
        _Part(Decimal(1 if machine.kind in COMPLETE else system.hosts), host),
        _Part(system.hosts * system.ram_more_gb, ram),
    )
    return tuple(part for part in found if part.number and part.price)


def _capital(upfront: Decimal, parts: tuple[_Part, ...], share: Decimal, inputs: CostInputs) -> Iterator[Step]:
    """What a purchase costs a month, of whose price a share comes back in the end."""
    resale = upfront * share
    months = 12 * inputs.billing.years
    paid = tuple(fact("how_part_bought", count=part.number, price=part.price) for part in parts)
    how = fact("how_depreciation", parts=paid or (as_it_is("0"),), resale=share, months=months)
    yield Step(DEPRECIATION, (upfront - resale) / months, Decimal(0), how)
    if inputs.own.cost_of_capital_percent is not None:
        # On average half of what is written off, and all of the resale value, is tied up.
        tied = (upfront + resale) / 2
        rate = decimal(inputs.own.cost_of_capital_percent) / 100
        how = fact("how_capital", paid=upfront, resale=resale, rate=rate)
        yield Step(fact("bill_capital"), tied * rate / 12, Decimal(0), how)


def _electricity(used: Energy | None, tariff: Decimal) -> Iterator[Step]:
    if used is not None:
        how = fact("how_electricity", energy=used.how, tariff=tariff)
        yield Step(fact("bill_electricity"), used.per_unit * tariff, used.per_token * tariff, how, while_busy=True)


def _running(inputs: CostInputs) -> Iterator[Step]:
    """What the user pays besides."""
    terms = inputs.own
    if terms.colocation_per_month is not None:
        amount = decimal(terms.colocation_per_month)
        yield Step(fact("bill_colocation"), amount, Decimal(0), fact("how_colocation", amount=amount))
    if terms.support_per_year is not None:
        amount = decimal(terms.support_per_year)
        yield Step(fact("bill_support"), amount / 12, Decimal(0), fact("how_support", amount=amount))
    if terms.admin_hours is not None and terms.admin_rate is not None:
        hours, rate = decimal(terms.admin_hours), decimal(terms.admin_rate)
        how = fact("how_administration", hours=hours, rate=rate)
        yield Step(fact("bill_administration"), hours * rate, Decimal(0), how)


def _device_price(
    machine: Machine, inputs: CostInputs, converter: Converter, prices: list[UsedPrice]
) -> dict[Case, Decimal] | None:
    if inputs.own.device_price is not None:
        given = decimal(inputs.own.device_price)
        prices.append(converter.given(as_it_is(machine.name), given, EACH))
        return dict.fromkeys(CASES, given)
    if machine.kind == CPU_KIND:
        return dict.fromkeys(CASES, Decimal(0))  # in the price of the computer
    if machine.price_usd is None:
        return None
    typical = decimal(machine.price_usd)
    bounds = [typical]
    seen = None if machine.as_of is None else _first_day(machine.as_of)
    source = machine.street_price_source or machine.source
    first = fact("price_launch", machine=machine.name)
    label = first if machine.street_price_usd is None else fact("price_street", machine=machine.name)
    prices.append(converter.listed("hardware", label, typical, EACH, "USD", source, seen))
    launch = None if machine.launch_price_usd is None else decimal(machine.launch_price_usd)
    # What a new one once cost bounds a street price, but says nothing any more about a card sold off as old.
    if launch is not None and launch != typical and typical / 2 <= launch <= typical * 2:
        bounds.append(launch)
        prices.append(converter.listed("hardware", first, launch, EACH, "USD", machine.source, seen))
    return {
        "low": converter.convert(min(bounds), "USD"),
        "typical": converter.convert(typical, "USD"),
        "high": converter.convert(max(bounds), "USD"),
    }


def _around(
    system: System, inputs: CostInputs, converter: Converter, prices: list[UsedPrice]
) -> dict[Case, tuple[Decimal, Decimal]]:
    """The price of a computer around the devices, and of a GB of RAM more. What the user gives has all of it."""
    if inputs.own.host_price is not None:
        given = decimal(inputs.own.host_price)
        prices.append(converter.given(_HOST, given, EACH))
        return dict.fromkeys(CASES, (given / system.hosts if system.host is not None else given, Decimal(0)))
    host = system.host
    if host is None:
        return dict.fromkeys(CASES, (Decimal(0), Decimal(0)))
    label = fact(
        "figure_in_range", what=fact("price_host_class", name=host.name), low=host.price_low, high=host.price_high
    )
    prices.append(converter.listed("hardware", label, host.price_typical, EACH, "USD", host.source, host.observed_on))
    if system.ram_more_gb:
        row = figures()[f"ram_{host.ram_type}"]
        label = fact("figure_in_range", what=fact("price_ram"), low=row.value("low"), high=row.value("high"))
        prices.append(converter.listed("hardware", label, row.typical, GIGABYTE, "USD", row.source, row.observed_on))
    return {
        case: (converter.convert(host.price(case), "USD"), converter.convert(system.ram_price(case), "USD"))
        for case in CASES
    }


def _resale_share(machine: Machine, inputs: CostInputs, case: Case) -> Decimal:
    """What hardware fetches in the end, over its price; the cheap case is the one that fetches more.

    Published: 25 to 35 % of a data-centre node after three years, and 10 to 20 % a year lost by consumer hardware.
    Both are taken as the same loss every year.
    """
    if inputs.own.resale_percent is not None:
        return decimal(inputs.own.resale_percent) / 100
    opposite: Case = {"low": "high", "typical": "typical", "high": "low"}[case]  # type: ignore[assignment]
    if machine.kind == DATA_CENTRE:
        after_three = figures()["resale_value_after_3_years"].value(opposite) / 100
        return (after_three ** (Decimal(inputs.billing.years) / 3)).quantize(Decimal("0.0001"))
    lost = figures()["resale_value_annual_loss_consumer_rig"].value(case) / 100
    return ((1 - lost) ** inputs.billing.years).quantize(Decimal("0.0001"))


def _not_counted(inputs: CostInputs, notes: list[Message]) -> None:
    missing = tuple(
        what
        for what, given in (
            (fact("administration"), inputs.own.admin_hours),
            (fact("support"), inputs.own.support_per_year),
            (fact("cost_of_capital"), inputs.own.cost_of_capital_percent),
            (fact("colocation"), inputs.own.colocation_per_month),
        )
        if given is None
    )
    if missing:
        notes.append(fact("not_counted", missing=missing))


def _watts(converter: Converter, host: Host, label: Message, watts: Decimal) -> UsedPrice:
    return converter.listed("figure", label, watts, as_it_is("W"), "", host.power_source, host.power_observed_on)


def _figure_prices(machine: Machine, system: System, inputs: CostInputs, converter: Converter) -> list[UsedPrice]:
    found = []
    data_centre = machine.kind == DATA_CENTRE
    if inputs.own.resale_percent is None:
        name = "resale_value_after_3_years" if data_centre else "resale_value_annual_loss_consumer_rig"
        row = figures()[name]
        label = fact("figure_resale") if data_centre else fact("figure_loss")
        found.append(_figure(converter, row, label, as_it_is(row.unit), ""))
    if inputs.power.pue is None and data_centre:
        found.append(_figure(converter, figures()["pue"], as_it_is("PUE"), fact("unit_ratio"), ""))
    host, given = system.host, inputs.power
    if host is None:
        return found
    if given.host_load_w is None:
        label = fact("figure_in_range", what=fact("figure_host_load"), low=host.load_w_low, high=host.load_w_high)
        found.append(_watts(converter, host, label, host.load_w_typical))
    if given.host_idle_w is None:
        found.append(_watts(converter, host, fact("figure_host_idle"), host.idle_w))
    if given.device_load_w is None and machine.kind != CPU_KIND:
        loaded = "module_power_idle_loaded" if data_centre else "card_power_idle_loaded"
        for name, label in (
            ("card_power_writing", fact("figure_writing")),
            ("card_power_reading", fact("figure_reading")),
            (loaded, fact("figure_loaded")),
        ):
            found.append(_figure(converter, figures()[name], label, as_it_is(figures()[name].unit), ""))
    return found


def _figure(converter: Converter, row: Figure, label: Message, unit: Message, currency: str) -> UsedPrice:
    shown = label
    if row.low is not None and row.high is not None:
        shown = fact("figure_in_range", what=label, low=row.low, high=row.high)
    return converter.listed("figure", shown, row.typical, unit, currency, row.source, row.observed_on)


def _first_day(month: str) -> date:
    return date.fromisoformat(f"{month}-01")
