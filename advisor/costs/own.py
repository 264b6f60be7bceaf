"""Buying and running the machine.

A month of one machine: (hardware - resale) / (12 x years), electricity, and capital, space, support and staff as the
user or the kind of buyer has them (`terms`). Several machines need a network and a rack. Electricity: hours served x
idle power + hours computed x (load - idle power), times PUE, times tariff.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from advisor.costs.hosts import COMPLETE, DATA_CENTRE, System, system_of
from advisor.costs.inputs import CostInputs
from advisor.costs.money import EACH, GIGABYTE, Converter, UsedPrice, cents, decimal, vat_of
from advisor.costs.offer import Offer, Offers, Purchase
from advisor.costs.power import Energy, Power, energy, grid_of, power_notes, power_of, pue_of, tariff_of
from advisor.costs.price_rows import CASES, Case, Figure, Host
from advisor.costs.price_tables import figures
from advisor.costs.resale import resale_figures, resale_share
from advisor.costs.staircase import Staircase, Step
from advisor.costs.terms import Terms, figures_used, staff_and_capital, terms_of
from advisor.costs.workload import Throughput, tokens_one_by_one, tokens_per_machine
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, as_it_is, fact
from advisor.machines.capacity import CPU_KIND
from advisor.machines.catalogue import Machine

DEPRECIATION, NETWORK, CAPITAL = fact("bill_depreciation"), fact("bill_network"), fact("bill_capital")
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
        return _no_price(machine, inputs)
    around = _around(system, inputs, converter, prices)
    tariff = tariff_of(inputs.power, converter, prices, notes)
    power = {case: power_of(machine, sets, inputs.power, case) for case in CASES}
    notes += power_notes(machine, inputs.power, power["typical"] is not None)
    as_a_board = system.copies > 1 or system.sets > sets
    if as_a_board:
        notes.append(fact("sold_as_a_board", machine=machine.name, board=system.sets, copies=system.copies))
    if inputs.power.power_limit_w is not None and machine.kind not in COMPLETE | {CPU_KIND}:
        notes.append(fact("limit_not_in_speed", limit=decimal(inputs.power.power_limit_w)))
    bills, purchases = [], []
    for case in CASES:
        parts = _parts(machine, system, hardware[case], around[case])
        upfront = cents(sum((part.number * part.price for part in parts), Decimal(0)))
        joining = cents(upfront * figures()["network"].value(case) / 100)
        terms = terms_of(inputs, converter, case)
        share = resale_share(machine, inputs, case)
        watts = power[case]
        used = None if watts is None else energy(case, watts, pue_of(machine, inputs.power, case), speed, inputs)
        steps = (
            *_capital(upfront, parts, share, terms.capital, inputs),
            _joined(joining, system, inputs),
            *_electricity(used, tariff[case]),
            *_running(terms, upfront, watts),
        )
        reach = None if speed is None else tokens_per_machine(speed, inputs.load, case)
        busy = None if speed is None else tokens_one_by_one(speed, inputs.load, case)
        stairs = Staircase(
            steps,
            reach and reach * system.copies * (1 - terms.downtime),
            vat_of(inputs.billing),
            busy_tokens=busy and busy * system.copies * (1 - terms.downtime),
            spares=terms.spares,
        )
        bills.append((case, stairs))
        per_unit, per_token = (Decimal(0), Decimal(0)) if used is None else (used.per_unit, used.per_token)
        alone = joining if system.hosts > 1 else Decimal(0)
        purchases.append((case, Purchase(upfront, alone, joining, upfront * share, per_unit, per_token)))
    grid = grid_of(inputs.power)
    if grid is not None and used is not None:
        label = fact("figure_grid", place=grid.country, year=grid.year)
        prices.append(
            converter.listed("figure", label, grid.g_per_kwh, fact("unit_listed", unit="g per kWh"), "", grid.seen)
        )
    prices += resale_figures(machine, inputs, converter)
    prices += _figure_prices(machine, system, inputs, converter)
    prices += figures_used(inputs, converter)
    if system.hosts > 1 or any(bill.units(inputs.load.tokens_per_month) > 1 for _, bill in bills):
        network = figures()["network"]
        prices.append(_figure(converter, network, fact("figure_network"), fact("unit_listed", unit=network.unit), ""))
    bought = system.sets * machine.count
    what = f"{bought} x {machine.name}" if bought > 1 else machine.name
    return (
        Offer(
            provider="you",
            name=what,
            title=fact("whole_board", devices=what) if as_a_board else as_it_is(what),
            bills=tuple(bills),
            prices=tuple(prices),
            typical_inputs=(
                ("device_price", hardware["typical"]),
                ("host_price", _host_price(system, around["typical"])),
                ("electricity_price", tariff["typical"]),
                ("resale_percent", 100 * resale_share(machine, inputs, "typical")),
                *staff_and_capital(terms_of(inputs, converter)),
            ),
            notes=tuple(notes),
            purchases=tuple(purchases),
        ),
    )


def _no_price(machine: Machine, inputs: CostInputs) -> Message:
    market = inputs.own.market
    if market != "any" and machine.prices:
        asked = fact("market_new") if market == "new" else fact("market_used")
        return fact("no_price_on_market", machine=machine.name, market=asked)
    return fact("no_price_to_own", machine=machine.name)


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


def _joined(price: Decimal, system: System, inputs: CostInputs) -> Step:
    """Network and rack of several computers, of which nothing comes back."""
    months = 12 * inputs.billing.years
    how = fact("how_network", price=price, months=months)
    return Step(NETWORK, price / months, Decimal(0), how, paid="each" if system.hosts > 1 else "several")


def _host_price(system: System, around: tuple[Decimal, Decimal]) -> Decimal:
    """What the user would give for the computers around the devices, with all of their RAM."""
    host, ram = around
    return system.hosts * (host + system.ram_more_gb * ram)


def _capital(
    upfront: Decimal, parts: tuple[_Part, ...], share: Decimal, rate: Decimal | None, inputs: CostInputs
) -> Iterator[Step]:
    """What a purchase costs a month, of whose price a share comes back in the end."""
    resale = upfront * share
    months = 12 * inputs.billing.years
    paid = tuple(fact("how_part_bought", count=part.number, price=part.price) for part in parts)
    how = fact("how_depreciation", parts=paid or (as_it_is("0"),), resale=share, months=months)
    yield Step(DEPRECIATION, (upfront - resale) / months, Decimal(0), how)
    if rate is not None:
        # On average half of what is written off, and all of the resale value, is tied up.
        tied = (upfront + resale) / 2
        how = fact("how_capital", paid=upfront, resale=resale, rate=rate)
        yield Step(CAPITAL, tied * rate / 12, Decimal(0), how)


def _electricity(used: Energy | None, tariff: Decimal) -> Iterator[Step]:
    if used is not None:
        how = fact("how_electricity", energy=used.how, tariff=tariff)
        yield Step(fact("bill_electricity"), used.per_unit * tariff, used.per_token * tariff, how, while_busy=True)


def _running(terms: Terms, upfront: Decimal, watts: Power | None) -> Iterator[Step]:
    """Space, support and staff, as far as they are counted."""
    if terms.space is not None:
        yield Step(fact("bill_colocation"), terms.space, Decimal(0), fact("how_colocation", amount=terms.space))
    elif terms.space_per_kw is not None and watts is not None:
        kw = max(watts.reading, watts.writing) / 1000
        how = fact("how_space", kw=kw, price=terms.space_per_kw)
        yield Step(fact("bill_colocation"), kw * terms.space_per_kw, Decimal(0), how)
    if terms.support is not None:
        yield Step(fact("bill_support"), terms.support / 12, Decimal(0), fact("how_support", amount=terms.support))
    elif terms.support_share is not None:
        how = fact("how_support_share", paid=upfront, share=terms.support_share)
        yield Step(fact("bill_support"), upfront * terms.support_share / 12, Decimal(0), how)
    if terms.admin_hours is not None:
        how = fact("how_administration", hours=terms.admin_hours, rate=terms.rate)
        yield Step(fact("bill_administration"), terms.admin_hours * terms.rate, Decimal(0), how)
    yield from operation(terms)


def operation(terms: Terms) -> Iterator[Step]:
    """Who keeps the model served, on machines owned or rented."""
    if terms.operation_hours is not None:
        how = fact("how_operation", hours=terms.operation_hours, rate=terms.rate)
        yield Step(fact("bill_operation"), terms.operation_hours * terms.rate, Decimal(0), how, paid="once")


def _device_price(
    machine: Machine, inputs: CostInputs, converter: Converter, prices: list[UsedPrice]
) -> dict[Case, Decimal] | None:
    if inputs.own.device_price is not None:
        given = decimal(inputs.own.device_price)
        prices.append(converter.given(as_it_is(machine.name), given, EACH))
        return dict.fromkeys(CASES, given)
    if machine.kind == CPU_KIND:
        return dict.fromkeys(CASES, Decimal(0))  # in the price of the computer
    market = inputs.own.market
    sold = machine.price_on(None if market == "any" else market)
    if sold is None:
        return None
    low, typical, high = decimal(sold.low), decimal(sold.typical), decimal(sold.high)
    name = machine.name
    label = fact("price_new", machine=name) if sold.market == "new" else fact("price_used", machine=name)
    if low < high:
        label = fact("price_in_range", what=label, low=low, high=high)
    prices.append(converter.listed("price", label, typical, EACH, "USD", sold.seen))
    paid = converter.range_of(low, typical, high, sold.seen.as_of)
    return {case: converter.convert(paid[case], "USD") for case in CASES}


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
        "price_in_range", what=fact("price_host_class", name=host.name), low=host.price_low, high=host.price_high
    )
    prices.append(converter.listed("price", label, host.price_typical, EACH, "USD", host.seen))
    if system.ram_more_gb:
        row = figures()[f"ram_{host.ram_type}"]
        label = fact("price_in_range", what=fact("price_ram"), low=row.value("low"), high=row.value("high"))
        prices.append(converter.listed("price", label, row.typical, GIGABYTE, "USD", row.seen))
    around, ram = converter.range_of(*host.prices, host.as_of), _ram_price(system, converter)
    return {case: (converter.convert(around[case], "USD"), converter.convert(ram[case], "USD")) for case in CASES}


def _ram_price(system: System, converter: Converter) -> dict[Case, Decimal]:
    """US dollars for a GB more; 0 where nobody can add any."""
    if system.host is None:
        return dict.fromkeys(CASES, Decimal(0))
    row = figures()[f"ram_{system.host.ram_type}"]
    return converter.range_of(*row.cases, row.as_of)


def _watts(converter: Converter, host: Host, label: Message, watts: Decimal) -> UsedPrice:
    return converter.listed("figure", label, watts, as_it_is("W"), "", host.power_seen)


def _figure_prices(machine: Machine, system: System, inputs: CostInputs, converter: Converter) -> list[UsedPrice]:
    found = []
    data_centre = machine.kind == DATA_CENTRE
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
            found.append(_figure(converter, figures()[name], label, fact("unit_listed", unit=figures()[name].unit), ""))
    return found


def _figure(converter: Converter, row: Figure, label: Message, unit: Message, currency: str) -> UsedPrice:
    shown = label
    if row.low is not None and row.high is not None:
        shown = fact("figure_in_range", what=label, low=row.low, high=row.high)
    return converter.listed("figure", shown, row.typical, unit, currency, row.seen)
