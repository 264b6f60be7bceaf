"""Twelve bills, recomputed by plain arithmetic from the tables, agree with the engine's to the cent."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from advisor.costs.costs import Costs, cost_of
from advisor.costs.inputs import CostInputs
from advisor.costs.workload import Throughput
from advisor.foundation.ranges import Range
from advisor.machines.catalogue import machine, with_memory
from tests.support import plain_bills
from tests.support.plain_bills import COLUMNS, Bill, Scenario

TODAY = date(2026, 11, 30)
MODEL = "llama-3.3-70b-instruct"
SLOW: dict[str, Any] = {"decode": (14.34, 15.36, 16.57), "prefill": (338.82, 379.52, 393.89)}
FAST: dict[str, Any] = {
    "decode": (40, 60, 75),
    "prefill": (4000, 8000, 12000),
    "together": (900, 1500, 2100),
    "at_once": 64,
}
BOARD: dict[str, Any] = {"host": "board-8", "bought": 8, "resale": "data-centre"}
SCENARIOS = {
    "the article's workstation": Scenario(
        "rtx-3090", 2, "workstation-2", **SLOW, together=(35.4, 83.6, 138), at_once=8,
        given={"requests_per_day": 17000, "peak_factor": 1, "device_price": 800, "host_price": 400},
    ),
    "one card at home": Scenario("rtx-4090", 1, "desktop", (30, 38, 45), (900, 2000, 3000)),
    "two limited cards in Switzerland": Scenario(
        "rtx-3090", 2, "workstation-2", **SLOW,
        given={"power_limit_w": 245, "currency": "CHF", "country": "CH", "vat_percent": 8.1, "requests_per_day": 4000},
    ),
    "a small company in Germany": Scenario(
        "rtx-pro-6000-blackwell-max-q", 1, "desktop", (20, 28, 33), (1500, 2600, 3500), together=(180, 300, 420),
        at_once=16,
        given={"buyer": "small-company", "currency": "EUR", "country": "DE", "requests_per_day": 9000, "years": 4},
    ),
    "a board in a data centre": Scenario(
        "h100-sxm5-80gb", 8, **BOARD, **FAST, given={"buyer": "data-centre", "requests_per_day": 50_000, "years": 5},
    ),
    "a plan on two modules of a board": Scenario(
        "h100-sxm5-80gb", 2, **BOARD, copies=4, **FAST, given={"requests_per_day": 90_000},
    ),
    "two boards for one plan": Scenario(
        "h200-sxm-141gb", 16, "board-8", bought=16, hosts=2, resale="data-centre", **FAST, family="none",
        given={"requests_per_day": 20_000, "api_input_price": 0.5, "api_output_price": 2.5},
    ),
    "a Mac": Scenario(
        "apple-m3-ultra-60c-96gb", 1, "", (11, 14, 17), (90, 120, 160), resale="mac",
        given={"years": 2, "device_price": 3999},
    ),
    "a small computer for a year": Scenario(
        "dgx-spark-128gb", 1, "", (3, 4.5, 6), (400, 700, 900), given={"years": 1, "requests_per_day": 700},
    ),
    "prompts that come again": Scenario(
        "h200-sxm-141gb", 8, **BOARD, **FAST, family="qwen3-coder-480b-a35b",
        given={"cached_percent": 94, "tokens_in": 100_000, "tokens_out": 1000, "requests_per_day": 4950,
               "peak_factor": 1, "currency": "EUR", "country": "DE"},
    ),
    "cards with much memory, half of it by night": Scenario(
        "a100-pcie-80gb", 4, "workstation-4", **FAST, ram_gib=512, resale="data-centre",
        given={"batch_percent": 50, "requests_per_day": 250_000, "term": "spot"},
    ),
    "a server without GPUs": Scenario(
        "epyc-genoa-12ch-ddr5-4800", 1, "rack-cpu", (4, 6, 8), (30, 60, 90), ram_gib=768, given={"country": "FR"},
    ),
}  # fmt: skip


def asked(scenario: Scenario) -> Costs:
    card = machine(scenario.machine)
    if card.needs_memory:
        card = with_memory(card, scenario.ram_gib)
    elif scenario.ram_gib:
        card = replace(card, host_memory_bytes=scenario.ram_gib << 30)
    together = None if scenario.together is None else Range(*scenario.together)
    speed = Throughput(Range(*scenario.decode), Range(*scenario.prefill), scenario.at_once, together)
    model = {"llama-3.3-70b": MODEL, "none": None}.get(scenario.family, f"{scenario.family}-instruct")
    return cost_of(model, card, scenario.devices, speed, CostInputs.from_values(scenario.given), TODAY)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_bill_recomputed_from_the_tables_agrees_to_the_cent(name: str) -> None:
    scenario = SCENARIOS[name]
    found = asked(scenario)
    for case, place in COLUMNS.items():
        ways = {
            "own": plain_bills.own(scenario, case),
            "rent": plain_bills.rent(scenario, case),
            "api": plain_bills.api(scenario, case, TODAY),
        }
        for way, wanted in ways.items():
            option = getattr(found, way)
            assert (option is None) == (wanted is None), (way, case)
            if option is None or wanted is None:
                continue
            outlay = option.outlays[place]
            month = {"low": option.monthly.low, "typical": option.monthly.typical, "high": option.monthly.high}[case]
            assert Bill(month, outlay.upfront, outlay.total) == wanted, (way, case)


def test_the_scenarios_are_twelve_and_cover_what_there_is() -> None:
    assert len(SCENARIOS) == 12
    given = {key for scenario in SCENARIOS.values() for key in scenario.given}
    assert given >= {"buyer", "vat_percent", "currency", "power_limit_w", "cached_percent", "batch_percent", "years"}
    assert {type(bill.month) for bill in [plain_bills.own(SCENARIOS["a Mac"], "typical")]} == {Decimal}
