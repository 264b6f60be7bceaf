"""The electricity of an owned machine: watts at the wall, kWh of a month and of a token, tariff."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cache, lru_cache

from advisor.costs.hosts import COMPLETE, DATA_CENTRE, system_of
from advisor.costs.inputs import CostInputs, PowerTerms
from advisor.costs.money import KWH, Converter, UsedPrice, decimal
from advisor.costs.price_rows import CASES, Case, Grid, MeasuredPower
from advisor.costs.price_tables import electricity_prices, figures, grids, measured_power
from advisor.costs.workload import SECONDS_PER_HOUR, Throughput, seconds_formula, seconds_of_token
from advisor.foundation.message import Message, fact
from advisor.machines.capacity import CPU_KIND
from advisor.machines.catalogue import Machine, machines


@dataclass(frozen=True, slots=True)
class Power:
    """Watts of what is bought at the wall, devices and hosts: with the model loaded and nothing to do, and with one
    copy of the plan writing or reading prompts.
    """

    idle: Decimal
    writing: Decimal
    reading: Decimal


@dataclass(frozen=True, slots=True)
class Energy:
    """kWh a month of one machine, kWh of a token, and how they come about."""

    per_unit: Decimal
    per_token: Decimal
    how: Message


def energy(case: Case, power: Power, pue: Decimal, speed: Throughput | None, inputs: CostInputs) -> Energy:
    """What one machine takes in one case."""
    hours = decimal(inputs.load.hours_per_month)
    idle_kwh = hours * power.idle / 1000 * pue
    writing, reading = power.writing - power.idle, power.reading - power.idle
    if speed is not None and inputs.power.utilisation_percent is None:
        read, write = seconds_of_token(speed, inputs.load, case)
        per_token = (read * reading + write * writing) / SECONDS_PER_HOUR / 1000 * pue
        seconds = seconds_formula(speed, inputs.load, case)
        if reading == writing or len(seconds) == 1:
            how = fact("how_energy_by_load", hours=hours, idle=power.idle, seconds=seconds, more=writing, pue=pue)
        else:
            how = fact(
                "how_energy_of_both",
                hours=hours,
                idle=power.idle,
                read=seconds[0],
                reading=reading,
                write=seconds[1],
                writing=writing,
                pue=pue,
            )
        return Energy(idle_kwh, per_token, how)
    if inputs.power.utilisation_percent is not None:
        share = decimal(inputs.power.utilisation_percent) / 100
    else:
        share = figures()["gpu_utilisation_in_practice"].value(case) / 100
    kwh = idle_kwh + hours * share * writing / 1000 * pue
    how = fact(
        "how_energy_by_share", hours=hours, share=share, load=power.writing, rest=1 - share, idle=power.idle, pue=pue
    )
    return Energy(kwh, Decimal(0), how)


def tariff_of(
    terms: PowerTerms, converter: Converter, prices: list[UsedPrice], notes: list[Message]
) -> dict[Case, Decimal]:
    if terms.electricity_price is not None:
        given = decimal(terms.electricity_price)
        prices.append(converter.given(fact("price_electricity"), given, KWH))
        if not given:
            notes.append(fact("electricity_free"))
        return dict.fromkeys(CASES, given)
    table = electricity_prices(terms.customer)
    rows = {case: table.get((terms.country, case), table[terms.country, "typical"]) for case in CASES}
    for row in dict.fromkeys(rows.values()):
        label = fact("price_tariff", place=row.name, customer=row.customer)
        prices.append(converter.listed("price", label, row.price_per_kwh, KWH, row.currency, row.seen))
    if rows["typical"].kind != terms.customer:
        notes.append(fact("tariff_of_others", place=rows["typical"].name, customer=rows["typical"].customer))
    paid = [converter.convert(rows[case].price_per_kwh, rows[case].currency) for case in CASES]
    return converter.range_of(paid[0], paid[1], paid[2], rows["typical"].as_of)


def grams_of(terms: PowerTerms) -> float | None:
    """Grams of CO2 that a kWh makes; None where nobody knows."""
    grid = grid_of(terms)
    return terms.co2_g_per_kwh if grid is None else float(grid.g_per_kwh)


def grid_of(terms: PowerTerms) -> Grid | None:
    """What the country's electricity emits, where the user does not say it; a state's is its country's."""
    return None if terms.co2_g_per_kwh is not None else grids().get(terms.country.partition("-")[0])


@lru_cache(maxsize=1024)
def power_of(machine: Machine, sets: int, terms: PowerTerms, case: Case = "typical") -> Power | None:
    """What a plan on `sets` devices as sold takes at the wall, or rather the system around it; None where not known.

    Watts of the user's are taken as a meter's. Those of devices are shares of their limit, by what they do, and with
    those of the host they pass a power supply.
    """
    system, measured = system_of(machine, sets), _measured(machine)
    limit = _limit(machine, terms) if measured is None else float(measured.load_w)
    if limit is None and terms.device_load_w is None:
        return None
    host, lost = system.host, Decimal(1)
    if host is not None:
        lost = host.psu_efficiency
    full = decimal(limit or 0)
    if measured is not None:
        idle, writing, reading = measured.idle_w, full, full
    elif host is None or machine.kind == CPU_KIND:  # whole machines without a measurement; processors work all the time
        known = machine.idle_w
        idle, writing, reading = full * _usual_idle_share() if known is None else decimal(known), full, full
    else:
        loaded = "module_power_idle_loaded" if machine.kind == DATA_CENTRE else "card_power_idle_loaded"
        shares = {
            name: figures()[name].value(case) / 100 for name in (loaded, "card_power_writing", "card_power_reading")
        }
        idle = max(decimal(machine.idle_w or 0), full * shares[loaded])
        writing, reading = full * shares["card_power_writing"], full * shares["card_power_reading"]
    idle, writing, reading = (_round(watts / lost) for watts in (idle, writing, reading))
    if terms.device_load_w is not None:
        writing = reading = decimal(terms.device_load_w)
    idle = min(idle if terms.device_idle_w is None else decimal(terms.device_idle_w), writing, reading)
    host_idle, host_load = Decimal(0), Decimal(0)
    if host is not None:
        host_idle, host_load = _round(host.idle_w / lost), _round(host.load_w(case) / lost)
    host_load = host_load if terms.host_load_w is None else decimal(terms.host_load_w)
    host_idle = min(host_idle if terms.host_idle_w is None else decimal(terms.host_idle_w), host_load)
    hosts = system.hosts if host is not None else 1
    resting = system.sets * idle + hosts * host_idle
    # Of a board that holds the plan several times a copy works with its own devices and its part of the host.
    host_more = (host_load - host_idle) * hosts / system.copies
    return Power(
        _round(resting),
        _round(resting + sets * (writing - idle) + host_more),
        _round(resting + sets * (reading - idle) + host_more),
    )


def _limit(machine: Machine, terms: PowerTerms) -> float | None:
    """Watts that one device may take; only cards can be set to less than they came with."""
    if terms.power_limit_w is None or machine.kind == CPU_KIND or machine.kind in COMPLETE:
        return machine.tdp_w
    return min(terms.power_limit_w, machine.tdp_w or terms.power_limit_w)


def power_notes(machine: Machine, terms: PowerTerms, known: bool) -> Iterator[Message]:
    """What power rests on that nobody measured."""
    if not known:
        yield fact("power_not_known", machine=machine.name)
    elif machine.kind in COMPLETE and _measured(machine) is None and machine.idle_w is terms.device_idle_w is None:
        yield fact("idle_power_not_known", machine=machine.name, share=_usual_idle_share())


@cache
def _measured(machine: Machine) -> MeasuredPower | None:
    return next((row for row in measured_power() if fnmatchcase(machine.id, row.machines)), None)


def _round(watts: Decimal) -> Decimal:
    """To a tenth, so that it can be shown."""
    return watts.quantize(Decimal("0.1")).normalize() + 0


@cache
def _usual_idle_share() -> Decimal:
    """Idle over full power, the median of the catalogue's machines where both are known, to a hundredth."""
    shares = sorted(decimal(m.idle_w) / decimal(m.tdp_w) for m in machines().values() if m.idle_w and m.tdp_w)
    return round(shares[len(shares) // 2], 2)


def pue_of(machine: Machine, terms: PowerTerms, case: Case) -> Decimal:
    if terms.pue is not None:
        return decimal(terms.pue)
    return figures()["pue"].value(case) if machine.kind == DATA_CENTRE else Decimal(1)
