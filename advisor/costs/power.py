"""The electricity of an owned machine: watts at the wall, kWh of a month and of a token, tariff."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from advisor.costs.inputs import CostInputs, PowerTerms
from advisor.costs.money import KWH, Converter, UsedPrice, decimal
from advisor.costs.price_tables import CASES, Case, electricity_prices, figures
from advisor.costs.workload import SECONDS_PER_HOUR, Throughput, seconds_formula, seconds_per_token
from advisor.foundation.message import Message, fact
from advisor.machines.capacity import UNIFIED_KINDS
from advisor.machines.catalogue import Machine, machines

DATA_CENTRE = "datacenter-gpu"
# Sold as whole computers: there is no host to buy or to feed around them.
COMPLETE = UNIFIED_KINDS | {"laptop-gpu"}


@dataclass(frozen=True, slots=True)
class Power:
    """Watts of one machine at the wall, devices and host, and what that rests on."""

    load: Decimal
    idle: Decimal


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
    if speed is not None and inputs.power.utilisation_percent is None:
        busy_hours = seconds_per_token(speed, inputs.load, case) / SECONDS_PER_HOUR
        per_token = busy_hours * (power.load - power.idle) / 1000 * pue
        how = fact(
            "how_energy_by_load",
            hours=hours,
            idle=power.idle,
            seconds=seconds_formula(speed, inputs.load, case),
            more=power.load - power.idle,
            pue=pue,
        )
        return Energy(idle_kwh, per_token, how)
    if inputs.power.utilisation_percent is not None:
        share = decimal(inputs.power.utilisation_percent) / 100
    else:
        share = figures()["gpu_utilisation_in_practice"].value(case) / 100
    kwh = idle_kwh + hours * share * (power.load - power.idle) / 1000 * pue
    how = fact(
        "how_energy_by_share", hours=hours, share=share, load=power.load, rest=1 - share, idle=power.idle, pue=pue
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
    table = electricity_prices()
    rows = {case: table.get((terms.country, case), table[terms.country, "typical"]) for case in CASES}
    for row in dict.fromkeys(rows.values()):
        label = fact("price_tariff", place=row.name, customer=row.customer)
        prices.append(
            converter.listed("electricity", label, row.price_per_kwh, KWH, row.currency, row.source, row.observed_on)
        )
    return {case: converter.convert(row.price_per_kwh, row.currency) for case, row in rows.items()}


def power_of(
    machine: Machine, sets: int, terms: PowerTerms, prices: list[UsedPrice], notes: list[Message]
) -> Power | None:
    load = _watts(terms.device_load_w, machine.tdp_w)
    if load is None:
        notes.append(fact("power_not_known", machine=machine.name))
        return None
    idle = _watts(terms.device_idle_w, machine.idle_w)
    if idle is None:
        idle = load * _usual_idle_share()
        notes.append(fact("idle_power_not_known", machine=machine.name, share=_usual_idle_share()))
    if machine.kind in COMPLETE and terms.host_load_w is None and terms.host_idle_w is None:
        return Power(sets * load, sets * min(idle, load))
    host_load = _watts(terms.host_load_w, None)
    host_idle = _watts(terms.host_idle_w, None)
    if machine.kind == DATA_CENTRE and host_load is None:
        notes.append(fact("power_of_a_desktop"))
    host_load = figures()["host_power_desktop_load"].typical if host_load is None else host_load
    host_idle = figures()["host_power_desktop_idle"].typical if host_idle is None else host_idle
    return Power(sets * load + host_load, sets * min(idle, load) + min(host_idle, host_load))


def _watts(given: float | None, known: float | None) -> Decimal | None:
    value = known if given is None else given
    return None if value is None else decimal(value)


@cache
def _usual_idle_share() -> Decimal:
    """Idle over full power, the median of the catalogue's machines where both are known, to a hundredth."""
    shares = sorted(decimal(m.idle_w) / decimal(m.tdp_w) for m in machines().values() if m.idle_w and m.tdp_w)
    return round(shares[len(shares) // 2], 2)


def pue_of(machine: Machine, terms: PowerTerms, case: Case) -> Decimal:
    if terms.pue is not None:
        return decimal(terms.pue)
    return figures()["pue"].value(case) if machine.kind == DATA_CENTRE else Decimal(1)
