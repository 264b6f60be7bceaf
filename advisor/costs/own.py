"""Buying and running the machine.

A month of one machine: (hardware - resale) / (12 x years), electricity, and whatever of capital, colocation, admin and
support the user gives; nothing is assumed for those. Electricity: hours served x idle power + hours computed x (load -
idle power), times PUE, times tariff.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from advisor.costs.inputs import CostInputs
from advisor.costs.money import Converter, UsedPrice, cents, decimal, plain, vat_of
from advisor.costs.power import COMPLETE, DATA_CENTRE, Power, energy, power_of, pue_of, tariff_of
from advisor.costs.price_tables import CASES, Case, Figure, figures
from advisor.costs.staircase import Staircase, Step
from advisor.costs.workload import Throughput, tokens_per_machine
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, fact
from advisor.machines.capacity import CPU_KIND
from advisor.machines.catalogue import Machine

DEPRECIATION = "Depreciation"


@dataclass(frozen=True, slots=True)
class Ownership:
    """One machine in one case: its bill, what it costs to buy, what it fetches in the end, and its electricity.

    `kwh_per_unit` a month whatever it serves, `kwh_per_token` for each token.
    """

    bill: Staircase
    upfront: Decimal
    resale: Decimal
    kwh_per_unit: Decimal
    kwh_per_token: Decimal


@dataclass(frozen=True, slots=True)
class Owned:
    """The three cases with the prices and remarks they share."""

    cases: tuple[tuple[Case, Ownership], ...]
    typical_inputs: tuple[tuple[str, Decimal], ...]
    prices: tuple[UsedPrice, ...]
    notes: tuple[Message, ...]

    def case(self, case: Case) -> Ownership:
        """The machine in one case."""
        return dict(self.cases)[case]


def own(
    machine: Machine, devices: int, speed: Throughput | None, inputs: CostInputs, converter: Converter
) -> Owned | Message:
    """What it costs to own; or why that cannot be said.

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
    hardware = _device_price(machine, inputs, converter, prices)
    if hardware is None:
        return fact("no_price_to_own", machine=machine.name)
    host = _host_price(machine, inputs, converter, prices, notes)
    tariff = tariff_of(inputs.power, converter, prices, notes)
    power = power_of(machine, sets, inputs.power, prices, notes)
    _not_counted(inputs, notes)
    cases = []
    for case in CASES:
        upfront = cents(sets * hardware[case] + host[case])
        share = _resale_share(machine, inputs, case)
        pue = pue_of(machine, inputs.power, case)
        cases.append((case, _ownership(case, upfront, share, pue, tariff[case], power, speed, inputs)))
    prices += _figure_prices(machine, inputs, converter)
    typical = (("device_price", hardware["typical"]), ("electricity_price", tariff["typical"]))
    return Owned(tuple(cases), typical, tuple(prices), tuple(notes))


def _ownership(
    case: Case,
    upfront: Decimal,
    resale_share: Decimal,
    pue: Decimal,
    tariff: Decimal,
    power: Power | None,
    speed: Throughput | None,
    inputs: CostInputs,
) -> Ownership:
    months = 12 * inputs.billing.years
    resale = upfront * resale_share
    steps = [
        Step(
            DEPRECIATION,
            (upfront - resale) / months,
            Decimal(0),
            f"{upfront:,.2f} x (1 - {plain(resale_share)} resale) / {months} months, for each machine",
        )
    ]
    if inputs.own.cost_of_capital_percent is not None:
        # On average half of what is written off, and all of the resale value, is tied up.
        tied = (upfront + resale) / 2
        rate = decimal(inputs.own.cost_of_capital_percent) / 100
        steps.append(
            Step(
                "Cost of capital",
                tied * rate / 12,
                Decimal(0),
                f"({upfront:,.2f} + {resale:,.2f}) / 2 x {plain(rate)} / 12",
            )
        )
    kwh_per_unit = kwh_per_token = Decimal(0)
    if power is not None:
        kwh_per_unit, kwh_per_token, how = energy(case, power, pue, speed, inputs)
        steps.append(
            Step("Electricity", kwh_per_unit * tariff, kwh_per_token * tariff, f"{how}, at {plain(tariff)} a kWh")
        )
    for label, amount, how in (
        ("Colocation", inputs.own.colocation_per_month, "for each machine"),
        ("Support", inputs.own.support_per_year, "/ 12, for each machine"),
    ):
        if amount is not None:
            part = decimal(amount) / (12 if label == "Support" else 1)
            steps.append(Step(label, part, Decimal(0), f"{amount:,.2f} {how}"))
    if inputs.own.admin_hours is not None and inputs.own.admin_rate is not None:
        hours, rate = decimal(inputs.own.admin_hours), decimal(inputs.own.admin_rate)
        how = f"{plain(hours)} h x {plain(rate)}, for each machine"
        steps.append(Step("Administration", hours * rate, Decimal(0), how))
    unit_tokens = None if speed is None else tokens_per_machine(speed, inputs.load, case)
    return Ownership(
        Staircase(tuple(steps), unit_tokens, vat_of(inputs.billing)), upfront, resale, kwh_per_unit, kwh_per_token
    )


def _device_price(
    machine: Machine, inputs: CostInputs, converter: Converter, prices: list[UsedPrice]
) -> dict[Case, Decimal] | None:
    if inputs.own.device_price is not None:
        given = decimal(inputs.own.device_price)
        prices.append(converter.given(machine.name, given, "each"))
        return dict.fromkeys(CASES, given)
    if machine.price_usd is None:
        return None
    typical = decimal(machine.price_usd)
    bounds = [typical]
    seen = None if machine.as_of is None else _first_day(machine.as_of)
    source = machine.street_price_source or machine.source
    kind = "street price" if machine.street_price_usd is not None else "launch price"
    prices.append(converter.listed("hardware", f"{machine.name}, {kind}", typical, "each", "USD", source, seen))
    launch = None if machine.launch_price_usd is None else decimal(machine.launch_price_usd)
    # What a new one once cost bounds a street price, but says nothing any more about a card sold off as old.
    if launch is not None and launch != typical and typical / 2 <= launch <= typical * 2:
        bounds.append(launch)
        label = f"{machine.name}, launch price"
        prices.append(converter.listed("hardware", label, launch, "each", "USD", machine.source, seen))
    return {
        "low": converter.convert(min(bounds), "USD"),
        "typical": converter.convert(typical, "USD"),
        "high": converter.convert(max(bounds), "USD"),
    }


def _host_price(
    machine: Machine, inputs: CostInputs, converter: Converter, prices: list[UsedPrice], notes: list[Message]
) -> dict[Case, Decimal]:
    if inputs.own.host_price is not None:
        given = decimal(inputs.own.host_price)
        prices.append(converter.given("Host system", given, "each"))
        return dict.fromkeys(CASES, given)
    if machine.kind in COMPLETE:
        return dict.fromkeys(CASES, Decimal(0))
    if machine.kind in (DATA_CENTRE, CPU_KIND):
        notes.append(fact("server_not_counted"))
        return dict.fromkeys(CASES, Decimal(0))
    row = figures()["host_cost_desktop"]
    prices.append(_figure(converter, row, "Host system", "each", "USD"))
    return {case: converter.convert(row.value(case), "USD") for case in CASES}


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


def _figure_prices(machine: Machine, inputs: CostInputs, converter: Converter) -> list[UsedPrice]:
    found = []
    data_centre = machine.kind == DATA_CENTRE
    if inputs.own.resale_percent is None:
        name = "resale_value_after_3_years" if data_centre else "resale_value_annual_loss_consumer_rig"
        row = figures()[name]
        found.append(_figure(converter, row, "Resale value" if data_centre else "Loss of value", row.unit, ""))
    if inputs.power.pue is None and data_centre:
        found.append(_figure(converter, figures()["pue"], "PUE", "ratio", ""))
    if machine.kind not in COMPLETE:
        for name, label, given in (
            ("host_power_desktop_load", "Host system, power at load", inputs.power.host_load_w),
            ("host_power_desktop_idle", "Host system, power when idle", inputs.power.host_idle_w),
        ):
            if given is None:
                found.append(_figure(converter, figures()[name], label, "W", ""))
    return found


def _figure(converter: Converter, row: Figure, label: str, unit: str, currency: str) -> UsedPrice:
    shown = label if row.low is None or row.high is None else f"{label} ({row.low} to {row.high})"
    return converter.listed("figure", shown, row.typical, unit, currency, row.source, row.observed_on)


def _first_day(month: str) -> date:
    return date.fromisoformat(f"{month}-01")
