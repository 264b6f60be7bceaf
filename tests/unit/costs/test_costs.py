"""The cost of a plan: a worked example to the cent, laws that always hold, and bad input in one sentence."""

from __future__ import annotations

import doctest
import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import ceil, factorial, inf
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import advisor.costs
from advisor.costs.article import DEVICES, INPUTS, LINK, MACHINE, MODEL, SPEED, article
from advisor.costs.costs import Costs, cost_of
from advisor.costs.hosts import system_of
from advisor.costs.inputs import CostInputs, PowerTerms
from advisor.costs.money import converter_of
from advisor.costs.offer import Offer, Offers
from advisor.costs.own import own
from advisor.costs.pay_per_token import closed_models, pay_per_token
from advisor.costs.power import power_of
from advisor.costs.price_rows import CASES
from advisor.costs.price_tables import figures
from advisor.costs.rent import fitting_offers, rent
from advisor.costs.sensitivity import MOST_TELLING, Sensitivity, savings, sensitivity
from advisor.costs.series import cost_curve, cumulative, curve_crossings, over_years
from advisor.costs.staircase import Staircase, Step
from advisor.costs.workload import Throughput, tokens_per_machine
from advisor.foundation.errors import InputError
from advisor.foundation.message import NOTHING, Message
from advisor.foundation.ranges import Range
from advisor.machines.catalogue import custom_machine, machine, with_memory
from advisor.question.question import FIELDS, Question
from advisor.report.cost_document import closed_document, cost_document
from advisor.words import say, say_all

TODAY = date(2026, 11, 25)
LLAMA = "llama-3.3-70b-instruct"
MEASURED = Throughput(Range(14.34, 15.36, 16.57), Range(338.82, 379.52, 393.89))
# Every price is the user's: nothing depends on the tables.
PRICED: dict[str, Any] = {
    "device_price": 800,
    "host_price": 400,
    "resale_percent": 20,
    "electricity_price": 0.15,
    "device_load_w": 350,
    "device_idle_w": 20,
    "host_load_w": 120,
    "host_idle_w": 50,
    "instance_price": 0.8,
    "api_input_price": 0.8,
    "api_output_price": 2.4,
}


def offered(offers: Offers) -> tuple[Offer, ...]:
    assert not isinstance(offers, Message), say(offers)
    return offers


def costs(speed: Throughput | None = MEASURED, machine_id: str = "rtx-3090", devices: int = 2, **values: Any) -> Costs:
    return cost_of(LLAMA, machine(machine_id), devices, speed, CostInputs.from_values(values), TODAY)


def flat(decode: float, prefill: float | None = None) -> Throughput:
    return Throughput(Range(decode, decode, decode), None if prefill is None else Range(prefill, prefill, prefill))


# The worked example


def test_example_in_the_documentation_is_right_to_the_cent() -> None:
    found = doctest.testmod(advisor.costs, optionflags=doctest.FAIL_FAST)
    assert found.attempted > 10
    assert found.failed == 0


def test_every_line_can_be_recomputed_from_what_is_shown() -> None:
    asked = costs(**PRICED, requests_per_day=9000, peak_factor=2, years=4, cost_of_capital_percent=6, vat_percent=8.1,
                  admin_hours=2, admin_rate=90, support_per_year=240, colocation_per_month=55, pue=1.2,
                  storage_gb=200, storage_price=0.1, egress_gb=50, egress_price=0.05)  # fmt: skip
    seconds = Fraction("1000") / Fraction("379.52") + Fraction("200") / Fraction("15.36")
    requests = Fraction(9000 * 365, 12)
    machines = ceil(requests * seconds * 2 / (730 * 3600))
    assert asked.own is not None
    assert asked.rent is not None
    assert asked.own.units[1] == asked.rent.units[1] == machines == 4
    kwh = (machines * 730 * 90 + requests * seconds / 3600 * 730) * Fraction("1.2") / 1000
    expected = {
        "Depreciation": machines * Fraction(2000 * 80, 100 * 48),
        "Cost of capital": machines * Fraction(2400, 2) * Fraction(6, 100) / 12,
        "Electricity": kwh * Fraction("0.15"),
        "Colocation": machines * 55,
        "Support": machines * 20,
        "Administration": machines * 180,
        "Network and rack": machines * Fraction(2000) * Fraction(125, 1000) / 48,
    }
    lines = {say(line.label): line.amount for line in asked.own.bill}
    net = sum(lines[label] for label in expected)
    assert {label: float(lines[label]) for label in expected} == {k: round(float(v), 2) for k, v in expected.items()}
    assert lines["VAT"] == round(net * Decimal("0.081"), 2)
    assert asked.own.monthly.typical == net + lines["VAT"]
    rented = {say(line.label): float(line.amount) for line in asked.rent.bill}
    assert rented["Instances"] == round(machines * 0.8 * 730, 2)
    assert (rented["Storage"], rented["Egress"]) == (machines * 20.0, 2.5)
    assert asked.energy_kwh_per_month is not None
    assert asked.energy_kwh_per_month.typical == pytest.approx(float(kwh), abs=0.01)


def test_a_bill_adds_up_and_says_how_each_line_is_made() -> None:
    asked = costs(currency="CHF", country="CH", vat_percent=7.7, requests_per_day=123_456)
    for option in asked.options:
        assert sum(line.amount for line in option.bill) == option.monthly.typical
        assert all(say(line.how) for line in option.bill)
        assert all(line.amount == round(line.amount, 2) for line in option.bill)


def test_every_price_used_is_listed_with_source_and_date() -> None:
    asked = costs(currency="CHF", country="DE", term="spot")
    assert asked.prices
    for price in asked.prices:
        assert not price.users_own
        assert price.source.startswith("http")
        assert price.checked is not None
        assert price.age_days == (None if price.as_of is None else (TODAY - price.as_of).days)
    # Dollars and euros were brought into francs: both rates are needed and shown.
    assert {"USD for one EUR", "CHF for one EUR"} <= {say(price.label) for price in asked.prices}
    assert {price.currency for price in asked.prices} == {"USD", "EUR", ""}


def test_users_prices_are_marked_as_theirs_and_have_no_age() -> None:
    asked = costs(**PRICED, pue=1, currency="EUR", co2_g_per_kwh=100)
    assert {say(price.label) for price in asked.prices} >= {
        "GeForce RTX 3090",
        "Electricity",
        "API, input",
        "Host system",
    }
    assert all(price.users_own and not price.source for price in asked.prices)
    assert not asked.stale_prices


# Load and machines


EIGHT = Throughput(Range(16, 16, 16), Range(400, 400, 400), at_once=8, together=Range(80, 80, 80))


def test_several_at_once_raise_what_a_machine_serves_and_not_how_long_it_can_compute() -> None:
    """Together a request takes 1000/400 + 200/80 = 5 s, alone 15: a machine is never idle from a third of that on."""
    one, eight = costs(flat(16, 400), **PRICED, peak_factor=1), costs(EIGHT, **PRICED, peak_factor=1)
    assert one.own is not None
    assert eight.own is not None
    assert float(eight.own.typical.unit_tokens or 0) == pytest.approx(730 * 3600 * 1200 / 5)
    assert float(one.own.typical.unit_tokens or 0) == pytest.approx(730 * 3600 * 1200 / 15)
    # A load that one at a time has time for costs the same.
    assert eight.own.bill == one.own.bill
    assert eight.own.utilisation == one.own.utilisation == round(1000 * 365 / 12 * 15 / 3600 / 730, 4)
    busy = costs(EIGHT, **PRICED, peak_factor=1, requests_per_day=17_000)
    assert busy.own is not None
    assert busy.own.units == (1, 1, 1)
    assert busy.own.utilisation == 1
    assert busy.energy_kwh_per_month is not None
    assert busy.energy_kwh_per_month.typical == pytest.approx(730 * 0.82, abs=0.01)
    assert say(busy.own.bill[1].label) == "Electricity"
    assert float(busy.own.bill[1].amount) == round(730 * 0.82 * 0.15, 2)


def test_break_even_counts_no_more_electricity_than_a_machine_that_never_idles_takes() -> None:
    """A token of one's own costs 0.38 millionths of electricity while it is computed alone: at such a price of an API
    that never pays, but a machine that computes all day takes 89.79 a month and no more."""
    asked = costs(EIGHT, **{**PRICED, "peak_factor": 1, "api_input_price": 0.38, "api_output_price": 0.38})
    assert asked.own_against_api is not None
    even = asked.own_against_api.typical
    assert even == ceil(Fraction(2000 * 80, 100 * 36) / Fraction("0.38e-6") + Fraction("89.79") / Fraction("0.38e-6"))
    assert asked.own is not None
    assert asked.own.typical.exact_cost(even) <= asked.api.typical.exact_cost(even)  # type: ignore[union-attr]
    assert asked.own.typical.exact_cost(even - 9) > asked.api.typical.exact_cost(even - 9)  # type: ignore[union-attr]


def waiting_of(places: int, offered: float) -> float:
    """Erlang's C by its definition."""
    rest = sum(offered**k / factorial(k) for k in range(places))
    last = offered**places / factorial(places) / (1 - offered / places)
    return last / (rest + last)


def test_the_busiest_hour_is_a_queue() -> None:
    """8 places of 8 x 5 s; 5,000 requests a day at 3 times the average are 0.1736 a second."""
    asked = costs(EIGHT, **PRICED, requests_per_day=5000).peak
    assert asked is not None
    arrivals = 3 * 5000 / 86400
    assert (asked.machines, asked.places) == (1, 8)
    assert asked.full == pytest.approx(arrivals * 5)
    assert asked.taken == pytest.approx(arrivals * 40)  # Little's law: arrivals x time
    assert asked.waiting == pytest.approx(waiting_of(8, arrivals * 40))
    assert asked.wait_s == pytest.approx(asked.waiting / (8 / 40 - arrivals))
    alone = costs(flat(16, 400), **PRICED, requests_per_day=1000).peak
    assert alone is not None
    full = 3 * 1000 / 86400 * 15
    assert alone.waiting == pytest.approx(full)
    assert alone.wait_s == pytest.approx(full * 15 / (1 - full))  # one place: the textbook's M/M/1


@pytest.mark.parametrize(
    ("requests", "start"),
    [(100, "In the busiest hour the machines needed (1) are 2 % full: of 8 requests that they can work on at once 0.1"),
     (5000, "In the busiest hour the machines needed (1) are 87 % full"),
     (5755, "In the busiest hour the machines needed (1) are as good as full with 8 requests at once")],
)  # fmt: skip
def test_what_happens_in_the_busiest_hour_is_said(requests: float, start: str) -> None:
    assert say(costs(EIGHT, **PRICED, requests_per_day=requests).notes[0]).startswith(start)


def test_a_wish_for_a_short_wait_takes_more_machines_and_is_kept() -> None:
    loose = costs(EIGHT, **PRICED, requests_per_day=100_000)
    tight = costs(replace(EIGHT, wait_s=2), **PRICED, requests_per_day=100_000)
    assert loose.own is not None
    assert tight.own is not None
    assert tight.own.units[1] > loose.own.units[1]
    assert loose.peak is not None
    assert tight.peak is not None
    assert tight.peak.wait_s is not None
    assert tight.peak.wait_s <= 2 < (loose.peak.wait_s or inf)
    assert tight.own.monthly.typical > loose.own.monthly.typical


def test_a_plan_too_slow_for_the_load_needs_more_machines_and_is_not_cheaper() -> None:
    fast, slow = costs(flat(100, 1000), **PRICED), costs(flat(5, 50), **PRICED)
    assert fast.own is not None
    assert slow.own is not None
    assert fast.own.units[1] == 1
    # (1000/50 + 200/5) s x 1000 requests x 3 / 86400 s
    assert slow.own.units[1] == ceil(60 * 1000 * 3 / 86400) == 3
    assert slow.own.monthly.typical > 2 * fast.own.monthly.typical


def test_utilisation_is_the_share_of_hours_that_the_machines_compute() -> None:
    asked = costs(flat(16, 400), **PRICED, requests_per_day=2000, peak_factor=2)
    assert asked.own is not None
    assert asked.own.utilisation == round(2000 * 365 / 12 * 15 / 3600 / 730, 4)
    # Given by the user it replaces the load's share in the electricity bill.
    given_share = costs(flat(16, 400), **PRICED, utilisation_percent=50)
    assert given_share.energy_kwh_per_month is not None
    assert given_share.energy_kwh_per_month.typical == pytest.approx(730 * (0.5 * 0.82 + 0.5 * 0.09), abs=0.01)


def test_speed_not_known_counts_one_machine_and_says_so() -> None:
    asked = costs(None, requests_per_day=10_000_000)
    assert asked.own is not None
    assert asked.own.units == (1, 1, 1)
    assert any("speed is not known" in note for note in say_all(asked.notes))
    assert asked.own.utilisation is None


def test_whole_instances_only() -> None:
    """Two H200 are rented; Azure sells eight at a time, which hold four copies of the plan."""
    one = costs(flat(50, 5000), "h200-sxm-141gb", 2, region="us", requests_per_day=1000)
    assert one.rent is not None
    names = {say(price.label) for price in one.rent.prices}
    assert any("8 x H200 SXM 141GB" in name for name in names)
    cheapest = min(one.rent.prices, key=lambda price: price.value)
    least = cheapest.value * (1 - figures()["old_price"].typical / 100 if cheapest.is_stale else 1)
    assert one.rent.monthly.low == round(least * 730, 2)


def test_an_instance_that_holds_the_plan_four_times_serves_four_times_as_much() -> None:
    plan, inputs = machine("h200-sxm-141gb"), CostInputs.from_values({"region": "us"})
    one = tokens_per_machine(MEASURED, inputs.load, "typical")
    assert one is not None
    offers = offered(rent(plan, 2, MEASURED, inputs, converter_of(inputs.billing, TODAY)))
    reach = {offer.name: offer.bill("typical").unit_tokens for offer in offers}
    eight = next(name for name in reach if name.startswith("Azure") and "8 x h200" in name)
    assert reach[eight] == 4 * one


def test_other_gpus_read_their_memory_no_slower_and_have_room() -> None:
    # Many cards have the 24 GB of two RTX 4090, and several of them, such as the L40S, read them slower.
    plan = machine("rtx-4090")
    fits = fitting_offers(plan, 2, "any", "on-demand", True)
    gpus = {fit.offer.gpu_id for fit in fits}
    assert len(gpus) > 5
    assert "nvidia-l40s" not in gpus
    for fit in fits:
        other = machine(fit.offer.gpu_id)
        assert (other.bandwidth_bytes_per_s or 0) >= (plan.bandwidth_bytes_per_s or 0)
        assert fit.gpus * other.capacity_bytes // fit.copies >= 2 * (plan.capacity_bytes - plan.overhead_bytes)


def test_cached_input_is_billed_at_its_own_price() -> None:
    """A million requests a day x 365/12 days: 30,416.67 million tokens in, half of them cached, and none cached."""
    load: dict[str, Any] = {
        "requests_per_day": 1_000_000,
        "tokens_in": 1000,
        "tokens_out": 0,
        "api_input_price": 1,
        "api_output_price": 9,
    }
    cached = costs(**load, cached_percent=50, api_cached_price=0.1)
    assert cached.api is not None
    assert [(say(line.label), str(line.amount)) for line in cached.api.bill] == [
        ("Input tokens", "15208.33"), ("Cached input tokens", "1520.83")
    ]  # fmt: skip
    # A host that says nothing about cached input bills all of it as input.
    plain = costs(**load, cached_percent=50)
    assert plain.api is not None
    assert str(plain.api.monthly.typical) == "30416.67"


def test_the_cheap_case_of_owning_fetches_more_in_the_end_and_meets_the_dearest_host() -> None:
    inputs = CostInputs.from_values({"peak_factor": 1})
    converter = converter_of(inputs.billing, TODAY)
    for name in ("rtx-3090", "h100-sxm5-80gb"):
        (owned,) = offered(own(machine(name), 1, MEASURED, inputs, converter))
        shares = [bought.resale / bought.upfront for bought in map(owned.purchase, CASES)]
        assert shares == sorted(shares, reverse=True)
        assert shares[0] > shares[2]
    asked = costs(peak_factor=1)
    (owned,) = offered(own(machine("rtx-3090"), 2, MEASURED, inputs, converter))
    rates = [host.bill().per_token for host in offered(pay_per_token(LLAMA, inputs, converter, TODAY))]
    dearest, cheapest = max(rates), min(rates)
    assert asked.own_against_api is not None
    assert asked.own_against_api.low == owned.bill("low").break_even(dearest)
    assert owned.bill("high").break_even(cheapest) is None
    assert asked.own_against_api.high is None


def test_one_year_term_is_paid_for_every_hour() -> None:
    year, hourly = (costs(flat(50, 5000), "nvidia-l4", 1, region="us", term=term, hours_per_month=200, tokens_out=20)
                    for term in ("1-year", "on-demand"))  # fmt: skip
    assert year.rent is not None
    assert hourly.rent is not None
    assert say(year.rent.bill[0].how).endswith("x 730 h, for each instance")
    assert say(hourly.rent.bill[0].how).endswith("x 200 h, for each instance")


def test_exoscale_asks_the_same_number_in_francs() -> None:
    asked = costs(MEASURED, "rtx-pro-6000-blackwell-server", 1, region="ch", currency="CHF")
    assert asked.rent is not None
    assert asked.rent.prices[0].currency == "CHF"
    assert asked.rent.prices[0].value == Decimal("2.1528")
    assert asked.rent.bill[0].amount == round(Decimal("2.1528") * 730 * asked.rent.units[1], 2)


def test_other_gpus_are_taken_when_asked_for_and_are_no_slower() -> None:
    asked = costs(MEASURED, "rtx-a6000", 2, region="ch", rent_gpu="any")
    assert costs(MEASURED, "rtx-a6000", 2, region="ch").rent is None
    assert asked.rent is not None
    assert "RTX PRO 6000" in say(asked.rent.title)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"region": "ch"}, "elsewhere: set region=any"),
        ({"term": "1-year"}, "there are on-demand ones: set term=on-demand"),
    ],
)
def test_no_offer_says_what_to_change(values: dict[str, Any], why: str) -> None:
    asked = costs(**values)
    assert asked.rent is None
    assert why in say(dict(asked.missing)["rent"])


def test_another_term_is_offered_only_where_somebody_rents_at_it() -> None:
    asked = cost_of(LLAMA, custom_machine(24), 1, MEASURED, CostInputs.from_values({"term": "1-year"}), TODAY)
    assert "on-demand" not in say(dict(asked.missing)["rent"])


def test_the_share_for_a_network_is_named_where_any_case_needs_a_second_machine() -> None:
    seen = set()
    for requests in range(1000, 4001, 100):
        asked = costs(requests_per_day=requests)
        assert asked.own is not None
        several = [units > 1 for units in asked.own.units]
        seen.add(tuple(several))
        assert any(say(price.label).startswith("Network") for price in asked.own.prices) == any(several), requests
    assert any(any(several) and not all(several) for several in seen), seen


def test_unknown_machine_and_model_leave_options_out_and_say_why() -> None:
    asked = cost_of("my/model", custom_machine(24), 1, MEASURED, CostInputs.from_values({}), TODAY)
    assert asked.options == ()
    assert set(dict(asked.missing)) == {"own", "rent", "api"}
    assert "device_price" in say(dict(asked.missing)["own"])
    assert say(asked.verdict).startswith("No price is known")
    priced = cost_of(None, custom_machine(24), 1, MEASURED, CostInputs.from_values(PRICED), TODAY)
    assert [option.name for option in priced.options] == ["own", "rent", "api"]


# What is not counted is said


def test_nothing_is_invented_for_admin_support_capital_and_colocation() -> None:
    asked = costs()
    assert asked.own is not None
    assert {say(line.label) for line in asked.own.bill} == {"Depreciation", "Electricity"}
    note = " ".join(say_all(asked.not_included))
    for key in ("admin_hours", "support_per_year", "cost_of_capital_percent", "colocation_per_month"):
        assert key in note
    given = costs(admin_hours=0, support_per_year=0, cost_of_capital_percent=0, colocation_per_month=0)
    left = " ".join(say_all(given.not_included))
    for key in ("admin_hours", "support_per_year", "cost_of_capital_percent", "colocation_per_month"):
        assert key not in left


def test_free_electricity_is_possible_when_the_user_says_so() -> None:
    asked = costs(electricity_price=0)
    assert asked.own is not None
    assert asked.own.bill[1].amount == 0
    assert any("because you set electricity_price=0" in note for note in say_all(asked.notes))


def test_modules_are_bought_as_a_board_of_eight_with_its_server_which_serves_for_all_of_them() -> None:
    two, eight = costs(EIGHT, "h100-sxm5-80gb", 2), costs(EIGHT, "h100-sxm5-80gb", 8)
    assert two.own is not None
    assert eight.own is not None
    assert two.own.upfront == eight.own.upfront
    assert 250_000 <= two.own.upfront <= 400_000  # what such servers are quoted at
    assert say(two.own.title) == "8 x H100 SXM5 80GB (sold by the board)"
    assert say(eight.own.title) == "8 x H100 SXM5 80GB"
    assert any("on a board with their server, which holds the plan 4 times" in note for note in say_all(two.notes))
    assert two.own.typical.unit_tokens == 4 * (eight.own.typical.unit_tokens or 0)
    assert two.rent is not None  # two can be rented
    assert two.rent.monthly.low < two.own.monthly.low
    # Two servers, and between them a network.
    share = 1 + figures()["network"].typical / 100
    assert costs(EIGHT, "h100-sxm5-80gb", 9).own.upfront == 2 * eight.own.upfront * share  # type: ignore[union-attr]


def test_several_machines_need_a_network_and_a_rack() -> None:
    def priced(requests: float) -> tuple[int, Decimal, set[str]]:
        own = costs(flat(16, 400), **PRICED, requests_per_day=requests).own
        assert own is not None
        return own.units[1], own.upfront, {say(line.label) for line in own.bill}

    assert priced(100) == (1, Decimal(2000), {"Depreciation", "Electricity"})
    machines, upfront, lines = priced(10_000)
    assert machines > 1
    assert upfront == machines * 2000 * (1 + figures()["network"].typical / 100)
    assert "Network and rack" in lines


def test_ram_that_is_asked_for_is_paid_for() -> None:
    def upfront(ram_gib: int | None, **values: Any) -> Decimal:
        card = replace(machine("a100-pcie-80gb"), host_memory_bytes=None if ram_gib is None else ram_gib << 30)
        found = cost_of(LLAMA, card, 1, MEASURED, CostInputs.from_values(values), TODAY)
        assert found.own is not None
        assert any(say(price.label).startswith("RAM") for price in found.own.prices) == (not values)
        return found.own.upfront

    per_gb = figures()["ram_rdimm"].typical
    assert upfront(512) - upfront(64) == (512 - 64) * per_gb
    assert upfront(None) == upfront(64)  # what such a computer has at least
    assert upfront(512, host_price=5000) == upfront(64, host_price=5000)  # a price of one's own has all of it


def test_a_machine_without_gpus_costs_its_server_and_its_memory() -> None:
    def priced(ram_gib: int) -> Costs:
        one = with_memory(machine("epyc-genoa-12ch-ddr5-4800"), ram_gib)
        return cost_of(LLAMA, one, 1, MEASURED, CostInputs.from_values({}), TODAY)

    less, more = priced(128), priced(768)
    assert less.own is not None
    assert more.own is not None
    assert more.own.upfront - less.own.upfront == 640 * figures()["ram_rdimm"].typical
    assert "server without GPUs" in " ".join(say(price.label) for price in less.own.prices)


@pytest.mark.parametrize(
    ("name", "count", "host"),
    [
        ("rtx-4090", 1, "desktop"),
        ("rtx-4090", 2, "workstation-2"),
        ("rtx-4090", 4, "workstation-4"),
        ("rtx-4090", 8, "server-8"),
        ("rtx-4090", 16, "server-8"),
        ("tesla-p40", 2, "workstation-2"),
        ("nvidia-l40s", 1, "workstation-4"),
        ("h100-sxm5-80gb", 1, "board-8"),
        ("mi300x", 8, "board-8"),
        ("mi250", 1, "board-8"),
        ("apple-m4-16gb", 1, None),
        ("dgx-spark-128gb", 1, None),
        ("rtx-4090-laptop", 1, None),
    ],
)
def test_a_system_has_room_for_its_devices(name: str, count: int, host: str | None) -> None:
    system = system_of(machine(name), count)
    assert (system.host.host if system.host else None) == host
    assert system.sets >= count * system.copies
    assert system.host is None or system.sets <= system.hosts * system.host.slots
    assert system.copies == 1 or host == "board-8"


# Power as a meter shows it: published measurements, watts of the whole machine at the wall


@pytest.mark.parametrize(
    ("name", "wall"),
    [
        # github.com/geerlingguy/ai-benchmarks: DeepSeek R1 14B, one request
        ("rtx-4090", 464.2),
        ("radeon-ai-pro-r9700", 330.8),
        ("rtx-4070-ti", 311.1),
        ("rtx-2080-ti", 307.8),
        ("rtx-3060-12gb", 224.0),
        ("rtx-a4000", 199.4),
        ("apple-m3-ultra-80c-512gb", 227.0),
        ("apple-m4-32gb", 30.1),
        ("dgx-spark-128gb", 138.4),
        ("ryzen-ai-max-395-128gb", 133.0),
    ],
)
def test_a_plan_that_writes_takes_what_a_meter_showed(name: str, wall: float) -> None:
    low, typical, high = (power_of(machine(name), 1, PowerTerms(), case) for case in CASES)
    assert low is not None
    assert typical is not None
    assert high is not None
    assert low.idle <= low.writing <= low.reading
    assert low.writing <= typical.writing <= high.writing
    assert float(typical.writing) == pytest.approx(wall, rel=0.1)


@pytest.mark.parametrize(
    ("name", "sets", "watts"),
    [
        ("rtx-2080-ti", 1, 47.7),  # a whole PC
        ("dgx-spark-128gb", 1, 22.0),  # without a screen
        ("apple-m4-max-40c-64gb", 1, 7.1),
        ("apple-m4-32gb", 1, 6.0),
    ],
)
def test_a_plan_that_waits_takes_what_a_meter_showed(name: str, sets: int, watts: float) -> None:
    found = power_of(machine(name), sets, PowerTerms())
    assert found is not None
    assert float(found.idle) == pytest.approx(watts, rel=0.4)


@pytest.mark.parametrize(("name", "watts"), [("h100-sxm5-80gb", 124), ("tesla-p40", 50), ("tesla-v100-sxm2-32gb", 40)])
def test_a_card_with_a_model_loaded_takes_what_was_published(name: str, watts: float) -> None:
    """The card's own watts, behind the power supply."""
    none = PowerTerms(host_idle_w=0, host_load_w=0)
    low, high = (power_of(machine(name), system_of(machine(name), 1).sets, none, case) for case in ("low", "high"))
    system = system_of(machine(name), 1)
    assert low is not None
    assert high is not None
    assert system.host is not None
    scale = float(system.host.psu_efficiency) / system.sets
    assert float(low.idle) * scale <= watts <= float(high.idle) * scale


def test_two_limited_cards_in_a_workstation_lie_within_the_range() -> None:
    """896 W at the wall with two RTX 3090 held to 245 W each (of a meter behind the supply: 272 W before it)."""
    terms = PowerTerms(device_load_w=245 / 0.9)
    low, high = (power_of(machine("rtx-3090"), 2, terms, case) for case in ("low", "high"))
    assert low is not None
    assert high is not None
    assert float(low.writing) <= 896 <= float(high.writing) + 1


def test_reading_prompts_and_writing_are_paid_for_by_their_own_watts() -> None:
    reads = costs(EIGHT, tokens_in=1200, tokens_out=0)
    writes = costs(EIGHT, tokens_in=0, tokens_out=1200)
    for asked, tokens, rate in ((reads, 1200, 400), (writes, 1200, 16)):
        power = power_of(machine("rtx-3090"), 2, PowerTerms())
        assert power is not None
        more = (power.reading if asked is reads else power.writing) - power.idle
        busy = min(1000 * 365 / 12 * tokens / rate / 3600, 730)
        assert asked.energy_kwh_per_month is not None
        kwh = 0.73 * float(power.idle) + busy * float(more) / 1000
        assert asked.energy_kwh_per_month.typical == pytest.approx(kwh, abs=0.01)


def test_co2_is_of_the_countrys_grid_or_the_users_figure() -> None:
    for values, grams in (({"co2_g_per_kwh": 100}, 100), ({"country": "CH"}, 36.72), ({"country": "US-CA"}, 383.55)):
        asked = costs(**values)
        assert asked.co2_kg_per_month is not None
        assert asked.energy_kwh_per_month is not None
        kwh = asked.energy_kwh_per_month.typical
        assert asked.co2_kg_per_month.typical == pytest.approx(kwh * grams / 1000, abs=0.01)
        sources = [price for price in asked.prices if "CO2" in say(price.label)]
        assert len(sources) == ("country" in values)


def test_a_household_pays_its_own_tariff_and_who_has_none_is_told() -> None:
    def tariff(**values: Any) -> tuple[float, bool]:
        asked = costs(**values)
        assert asked.own is not None
        told = any("at the tariff of others" in note for note in say_all(asked.notes))
        return float(dict(asked.own.typical_inputs)["electricity_price"]), told

    assert tariff(country="DE", currency="EUR") == (0.2618, False)
    assert tariff(country="DE", currency="EUR", customer="household") == (0.3835, False)
    assert tariff(country="CH", currency="CHF", customer="household") == (0.277, False)
    assert tariff(country="CH", currency="CHF") == (0.277, True)
    assert tariff(country="US", customer="household") == (0.1453, True)


def test_new_and_used_are_two_markets_and_a_launch_price_is_none() -> None:
    """An RTX 5090 came out at 1,999 dollars; in September 2026 one cost 5,258 new and 4,795 used."""
    paid = {
        market: costs(flat(30, 900), "rtx-5090", 1, market=market, host_price=0) for market in ("any", "new", "used")
    }
    upfront = {market: asked.own.upfront for market, asked in paid.items() if asked.own is not None}
    assert upfront == {"any": 5258, "new": 5258, "used": 4795}
    told = [say(price.label) for price in paid["used"].prices]
    assert "GeForce RTX 5090, used" in told
    # A P100 is only sold used, a GTX 1080 nowhere that anybody wrote down, and no M3 Ultra is sold any more.
    assert costs(flat(30, 900), "tesla-p100-pcie-16gb", 1).own is not None
    missing = dict(costs(flat(30, 900), "tesla-p100-pcie-16gb", 1, market="new").missing)
    assert "No price is known for Tesla P100 PCIe 16GB, new: set" in say(missing["own"])
    for gone in ("gtx-1080", "apple-m3-ultra-80c-512gb", "apple-m3-ultra-80c-256gb"):
        asked = costs(flat(30, 900), gone, 1)
        assert asked.own is None
        assert "No price of today is known" in say(dict(asked.missing)["own"])


def per_token(model: str, **values: Any) -> tuple[Offer, ...]:
    inputs = CostInputs.from_values(values)
    return offered(pay_per_token(model, inputs, converter_of(inputs.billing, TODAY), TODAY))


def test_published_prices_in_europe_are_found() -> None:
    """An H100 at Scaleway for 2.80 euros an hour; Gemma 4 31B computed in Switzerland for 0.24 and 0.48 a million."""
    inputs = CostInputs.from_values({"region": "eu", "currency": "EUR"})
    rented = offered(rent(machine("h100-pcie-80gb"), 1, MEASURED, inputs, converter_of(inputs.billing, TODAY)))
    (scaleway,) = (offer for offer in rented if offer.provider == "Scaleway")
    assert dict(scaleway.typical_inputs)["instance_price"] == Decimal("2.8")
    (swiss,) = per_token("gemma-4-31b-it", region="ch")
    assert swiss.provider.startswith("Infomaniak")
    assert [price.value for price in swiss.prices[:2]] == [Decimal("0.24"), Decimal("0.48")]
    assert swiss.region == "ch"


def test_a_surcharge_for_computing_in_a_region_is_counted_and_named() -> None:
    def openai(region: str) -> dict[str, Offer]:
        inputs = CostInputs.from_values({"region": region, "cached_percent": 50})
        hosts = closed_models(inputs, converter_of(inputs.billing, TODAY), TODAY)
        assert region != "eu" or {host.provider for host in hosts} == {"OpenAI", "Mistral (EU)"}
        return {host.name: host for host in hosts if host.provider == "OpenAI"}

    anywhere, there = openai("any"), openai("eu")
    assert anywhere.keys() == there.keys() != set()
    for name, host in there.items():
        assert host.bill().per_token == pytest.approx(anywhere[name].bill().per_token * Decimal("1.1"))
        assert "Surcharge of OpenAI for computing in: the EU" in {say(price.label) for price in host.prices}
    assert openai("ch") == {}


def test_published_card_prices_lie_in_the_ranges() -> None:
    """H100 SXM new for 35,000 to 40,000 and used for 22,000 to 25,000, MI300X, RTX 6000 Ada (May 2026)."""
    for card, market, least, most in (
        ("h100-sxm5-80gb", "new", 35_000, 40_000),
        ("h100-sxm5-80gb", "used", 22_000, 25_000),
        ("mi300x", "new", 17_000, 20_000),
        ("rtx-6000-ada", "new", 7_800, 9_400),
    ):
        price = machine(card).price_on(market)  # type: ignore[arg-type]
        assert price is not None
        assert price.low <= least < price.typical < most <= price.high


def test_an_old_price_counts_with_a_wider_range() -> None:
    fresh = costs(flat(16, 400), "rtx-3090", 1, host_price=0, resale_percent=0, electricity_price=0)
    later = cost_of(LLAMA, machine("rtx-3090"), 1, flat(16, 400), fresh.inputs, date(2028, 12, 1))
    assert fresh.own is not None
    assert later.own is not None
    assert later.own.monthly.typical == fresh.own.monthly.typical
    assert later.own.monthly.low < fresh.own.monthly.low
    assert later.own.monthly.high > fresh.own.monthly.high
    for asked in (fresh, later):
        for price in asked.prices:
            if price.currency or "for one EUR" in say(price.label):
                assert price.is_stale == (not price.users_own and (price.age_days is None or price.age_days > 90))
    assert any("more than 90 days ago" in note for note in say_all(later.notes))
    assert not any("days ago" in note for note in say_all(costs(**PRICED, pue=1).notes))


# Laws


SPEEDS = st.builds(
    lambda low, up, more, ratio: Throughput(
        Range(low, low * up, low * up * more), Range(low * ratio, low * up * ratio, low * up * more * ratio)
    ),
    st.floats(0.5, 2000),
    st.floats(1, 2),
    st.floats(1, 2),
    st.floats(1, 100),
)
MACHINES = st.sampled_from(
    [("rtx-3090", 1), ("rtx-3090", 2), ("h100-sxm5-80gb", 2), ("nvidia-l40s", 4), ("dgx-spark-128gb", 1), ("mi300x", 8)]
)
VALUES = st.fixed_dictionaries(
    {
        "requests_per_day": st.floats(0.1, 1e6),
        "tokens_in": st.integers(1, 20_000),
        "tokens_out": st.integers(1, 5_000),
        "peak_factor": st.floats(1, 20),
        "hours_per_month": st.floats(1, 730),
        "years": st.integers(1, 5),
        "currency": st.sampled_from(["USD", "EUR", "CHF"]),
    },
    optional={
        "cached_percent": st.floats(0, 100),
        "region": st.sampled_from(["any", "us", "eu"]),
        "term": st.sampled_from(["on-demand", "spot", "1-year"]),
        "vat_percent": st.floats(0, 30),
        "country": st.sampled_from(["CH", "DE", "US", "FR"]),
        "device_price": st.just(0.0) | st.floats(0.01, 1e5),
        "electricity_price": st.just(0.0) | st.floats(0.001, 2),
        "cost_of_capital_percent": st.floats(0, 100),
        "support_per_year": st.floats(1, 1e4),
        "api_prices": st.tuples(st.floats(0.01, 100), st.floats(0.01, 100)),
    },
)


def asked_for(values: dict[str, Any], chosen: tuple[str, int], speed: Throughput | None) -> Costs:
    values = dict(values)
    if "api_prices" in values:
        values["api_input_price"], values["api_output_price"] = values.pop("api_prices")
    return cost_of(LLAMA, machine(chosen[0]), chosen[1], speed, CostInputs.from_values(values), TODAY)


@given(VALUES, MACHINES, SPEEDS, st.floats(1, 50))
def test_more_tokens_never_cost_less(
    values: dict[str, Any], chosen: tuple[str, int], speed: Throughput, factor: float
) -> None:
    less = asked_for(values, chosen, speed)
    more = asked_for({**values, "requests_per_day": values["requests_per_day"] * factor}, chosen, speed)
    assert more.tokens_per_month >= less.tokens_per_month
    for first, second in ((less.own, more.own), (less.rent, more.rent), (less.api, more.api)):
        assert (first is None) == (second is None)
        if first is not None and second is not None:
            for case in ("low", "typical", "high"):
                assert getattr(second.monthly, case) >= getattr(first.monthly, case)


@given(VALUES, MACHINES, SPEEDS)
def test_ranges_rise_and_bills_add_up(values: dict[str, Any], chosen: tuple[str, int], speed: Throughput) -> None:
    asked = asked_for(values, chosen, speed)
    for option in asked.options:
        monthly = option.monthly
        assert 0 <= monthly.low <= monthly.typical <= monthly.high
        assert sum(line.amount for line in option.bill) == monthly.typical
        if option.name == "own":  # what is rented may hold the plan more than once
            assert option.units[0] <= option.units[1] <= option.units[2]
        assert option.utilisation is None or 0 <= option.utilisation <= 1
    for even in (asked.own_against_api, asked.rent_against_api):
        if even is not None:
            low, typical, high = (inf if tokens is None else tokens for tokens in (even.low, even.typical, even.high))
            assert 1 <= low <= typical <= high
    text = json.dumps(cost_document(asked))
    assert "NaN" not in text
    assert "Infinity" not in text


def break_even(asked: Costs) -> float:
    assert asked.own_against_api is not None
    return inf if asked.own_against_api.typical is None else asked.own_against_api.typical


@given(
    st.sampled_from(
        [
            ("device_price", 1),
            ("host_price", 1),
            ("electricity_price", 1),
            ("device_load_w", 1),
            ("support_per_year", 1),
            ("cost_of_capital_percent", 1),
            ("colocation_per_month", 1),
            ("peak_factor", 1),
            ("pue", 1),
            ("api_input_price", -1),
            ("api_output_price", -1),
            ("resale_percent", -1),
            ("years", -1),
            ("hours_per_month", 0),
        ]
    ),
    st.floats(1.01, 3),
    SPEEDS,
)
def test_break_even_moves_the_right_way(moved: tuple[str, int], factor: float, speed: Throughput) -> None:
    key, direction = moved
    base: dict[str, Any] = {
        **PRICED,
        "support_per_year": 100,
        "cost_of_capital_percent": 5,
        "pue": 1.2,
        "colocation_per_month": 10,
        "peak_factor": 2,
        "years": 1,
        "hours_per_month": 240,
    }
    value = ceil(base[key] * factor) if key == "years" else base[key] * factor
    before, after = costs(speed, **base), costs(speed, **{**base, key: value})
    if direction > 0:
        assert break_even(after) >= break_even(before)
    elif direction < 0:
        assert break_even(after) <= break_even(before)
    else:
        # Longer hours serve more tokens with the same machine, but also idle longer: only the reach must grow.
        assert after.own is not None
        assert before.own is not None
        assert (after.own.typical.unit_tokens or 0) > (before.own.typical.unit_tokens or 0)


@given(SPEEDS, st.floats(0.05, 20), st.sampled_from(["hobby", "data-centre"]))
def test_break_even_is_where_the_two_cost_the_same(speed: Throughput, api_price: float, buyer: str) -> None:
    prices = {"api_input_price": api_price, "api_output_price": 3 * api_price, "buyer": buyer}
    asked = costs(speed, **{**PRICED, **prices, "api_decline_percent": 0})
    tokens = asked.own_against_api.typical if asked.own_against_api else None
    assert asked.own is not None
    assert asked.api is not None
    own, api = asked.own.typical, asked.api.typical
    rounding = Decimal("0.03")
    if tokens is None:
        reach = int(own.unit_tokens or 0)
        assume(reach > 0)
        assert own.cost(reach) >= api.cost(reach) - rounding
    else:
        assert own.cost(tokens) <= api.cost(tokens) + rounding
        if tokens > 1_000_000:
            assert own.cost(tokens * 9 // 10) > api.cost(tokens * 9 // 10) - rounding


def test_break_even_is_never_reached_by_a_machine_that_serves_too_little() -> None:
    asked = costs(flat(1, 10), **PRICED)
    assert asked.own_against_api is not None
    assert asked.own_against_api.typical is None
    assert say(asked.verdict).startswith("At typical prices owning never beats the API, even with every machine busy (")


def test_buying_against_renting_in_months() -> None:
    asked = costs(flat(16, 400), **PRICED)
    assert asked.own is not None
    assert asked.rent is not None
    running = next(line.amount for line in asked.own.bill if say(line.label) == "Electricity")
    assert asked.months_against_rent == ceil(2000 / (asked.rent.monthly.typical - running))
    series = cumulative(asked)
    first = next(point.month for point in series if point.own <= point.rent)  # type: ignore[operator]
    assert first == asked.months_against_rent


# Charts


def test_curve_is_a_staircase_and_names_its_crossings() -> None:
    asked = costs(flat(16, 400), **PRICED, requests_per_day=4000, peak_factor=2)
    points = cost_curve(asked)
    own = [point.own for point in points if point.own is not None]
    assert own == sorted(own)
    assert points[-1].tokens >= 2 * asked.tokens_per_month
    found = curve_crossings(asked)
    assert [crossing.tokens for crossing in found] == sorted(crossing.tokens for crossing in found)
    assert asked.own is not None
    assert asked.api is not None
    against_api = [c for c in found if {c.cheaper, c.dearer} == {"own", "api"}]
    assert len(against_api) >= 3  # over, back at the second machine, over again
    for crossing in against_api:
        own_cost, api_cost = asked.own.typical.exact_cost, asked.api.typical.exact_cost
        is_cheaper = own_cost(crossing.tokens) <= api_cost(crossing.tokens)
        assert is_cheaper == (crossing.cheaper == "own")
        assert is_cheaper != (own_cost(crossing.tokens - 1) <= api_cost(crossing.tokens - 1))
    assert asked.own_against_api is not None
    assert against_api[0].tokens == asked.own_against_api.typical


def test_cumulative_ends_at_the_total() -> None:
    asked = costs(years=5, vat_percent=8.1, requests_per_day=50_000)
    series = cumulative(asked)
    assert len(series) == 61
    assert asked.own is not None
    assert asked.rent is not None
    assert asked.api is not None
    assert series[0].own == asked.own.upfront
    assert series[0].rent == 0
    assert series[-1].own == asked.own.total.typical
    assert series[-1].rent == asked.rent.total.typical
    assert series[-1].api == asked.api.total.typical


def test_longer_use_costs_less_a_month() -> None:
    asked = costs()
    years = over_years(asked, LLAMA, machine("rtx-3090"), 2, MEASURED)
    assert [each.inputs.billing.years for each in years] == [1, 2, 3, 4, 5]
    assert years[2] == asked
    monthly = [each.own.monthly.typical for each in years if each.own is not None]
    assert monthly == sorted(monthly, reverse=True)


@pytest.mark.parametrize(
    ("values", "advice"),
    [
        ({"api_input_price": 100, "api_output_price": 100}, "you plan 36.5 M: owning costs least"),
        ({"api_input_price": 0.001, "api_output_price": 0.001}, ": an API costs least (a month: "),
        ({"api_input_price": 100, "api_output_price": 100, "device_price": 1e6}, "renting costs least"),
    ],
)
def test_verdict_names_the_cheapest(values: dict[str, Any], advice: str) -> None:
    assert advice in say(costs(**values).verdict)


def test_verdict_explains_the_step_just_after_the_break_even() -> None:
    """One machine breaks even at 79.1 million tokens and serves 105.12; of 106 million a second one serves little."""
    asked = costs(flat(16, 400), **PRICED, requests_per_day=2904, peak_factor=2)
    assert asked.own is not None
    assert asked.own.units[1] == 2
    assert "but not just after a machine has to be added, as here with 2" in say(asked.verdict)


def test_what_costs_depend_on_is_a_part_of_the_question() -> None:
    asked = Question.of(model="x", years="5", currency="CHF", requests_per_day="250.5")
    assert asked.costs == CostInputs.from_values({"years": 5, "currency": "CHF", "requests_per_day": 250.5})
    assert hash(asked.costs) == hash(asked.costs.with_values())
    assert asked.costs.dump(exclude_defaults=True) == {"years": 5, "currency": "CHF", "requests_per_day": 250.5}
    assert set(CostInputs.places()) < set(FIELDS)


def test_sensitivity_varies_one_input_at_a_time() -> None:
    asked = costs(requests_per_day=2000, peak_factor=1.5)
    found = sensitivity(asked, LLAMA, machine("rtx-3090"), 2, MEASURED)
    assert len(found) == MOST_TELLING
    assert [each.swing for each in found] == sorted((each.swing for each in found), reverse=True)
    base = savings(asked)
    assert base is not None
    for each in found:
        low, high = sorted((each.saves_from, each.saves_to))
        assert low <= base + Decimal("0.05")
        assert base - Decimal("0.05") <= high
        assert each.from_value in (each.value / 2, 1)  # a peak is no less than the mean
        assert each.to_value in (each.value * Decimal("1.5"), 100)  # percent
    by_label = {say(each.label).partition(" (")[0]: each for each in found}
    assert by_label["API prices"].saves_to > by_label["API prices"].saves_from
    assert by_label["Electricity price"].saves_to < by_label["Electricity price"].saves_from


@pytest.mark.parametrize("values", [{"requests_per_day": 6000}, {"requests_per_day": 30_000, "years": 5}, {**PRICED}])
def test_where_an_input_turns_the_comparison_round_is_asked_again(values: dict[str, Any]) -> None:
    asked = costs(EIGHT, **{"peak_factor": 1, **values})
    best = asked.best()
    assert best is not None
    found = sensitivity(asked, LLAMA, machine("rtx-3090"), 2, EIGHT, flips=True)
    turned = 0
    for each in found:
        for flip, side in ((each.less, -1), (each.more, 1)):
            if flip is None or not each.keys:
                continue
            turned += 1
            assert (flip.value > each.value) == (side > 0)
            known = dict(pair for option in asked.options for pair in option.typical_inputs)
            known |= {key: Decimal(str(asked.inputs.value(key))) for key in ("requests_per_day", "peak_factor")}

            def cheapest(value: Decimal, each: Sensitivity = each, known: dict[str, Decimal] = known) -> str:
                given = {key: float(known[key] * value / each.value) for key in each.keys}
                again = costs(EIGHT, **{"peak_factor": 1, **values, **given}).best()
                assert again is not None
                return again.name

            assert cheapest(flip.value) == flip.way != best.name
            step = flip.value - side * Decimal(1).scaleb(flip.value.adjusted() - 2)
            assert cheapest(step) == best.name
    assert turned


def test_a_straight_line_has_no_units() -> None:
    line = Staircase((Step(NOTHING, Decimal(0), Decimal("0.000001"), NOTHING),), None, Decimal(0), has_units=False)
    assert line.units(10**15) == 0
    assert line.cost(10**15) == Decimal("1000000000.00")


# The article


def test_the_articles_claim_holds_with_eight_at_once_day_and_night() -> None:
    found = article(TODAY)
    own, api = found.costs.own, found.costs.api
    assert own is not None
    assert api is not None
    assert own.upfront == 2000
    assert own.units[1] == 1  # it just serves the load
    assert own.utilisation is not None
    assert own.utilisation > 0.95
    assert 600e6 < found.costs.tokens_per_month < 680e6
    # It is cheaper than the same model from a host, which costs hundreds, not thousands.
    assert own.monthly.typical < api.monthly.typical < api.monthly.high < 1000
    above = [name for name, amount in found.closed_per_month if amount >= 2000]
    against = "most closed models" if len(above) > len(found.closed_per_month) / 2 else "the dearest closed models only"
    assert f"the claim holds against {against}" in say(found.result)
    assert f"{len(above)} of {len(found.closed_per_month)} reach two thousand" in say(found.result)
    assert [amount for _, amount in found.closed_per_month] == sorted(amount for _, amount in found.closed_per_month)


def test_the_articles_link_asks_the_same_question() -> None:
    pairs = dict(pair.split("=") for pair in LINK.split("&"))
    assert (pairs.pop("model"), pairs.pop("machine"), pairs.pop("gpus")) == (MODEL, MACHINE, str(DEVICES))
    pairs.pop("level")
    assert CostInputs.from_values(pairs) == CostInputs.from_values(INPUTS)
    assert SPEED.prefill is not None


# JSON


def test_document_is_plain_json_and_carries_the_prices() -> None:
    asked = costs(currency="EUR", country="FR", eur_rate=1.2)
    document = json.loads(json.dumps(cost_document(asked)))
    assert set(document) >= {"own", "rent", "api", "break_even_tokens_per_month", "currency", "tokens_per_month"}
    for name in ("own", "rent", "api"):
        option = document[name]
        assert set(option["per_month"]) == {"low", "typical", "high"}
        assert round(sum(line["amount"] for line in option["bill"]), 2) == option["per_month"]["typical"]
        assert all(price["source"] and "as_of" in price for price in option["prices"])
    assert document["exchange_rates"][0] == {
        "label": "USD for one EUR", "value": 1.2, "unit": "", "currency": "", "source": "your input",
        "as_of": None, "checked": None, "age_days": None, "is_stale": False, "users_own": True,
    }  # fmt: skip


def test_closed_models_are_listed_for_the_same_load() -> None:
    inputs = CostInputs.from_values({"requests_per_day": 100, "currency": "EUR"})
    listed = json.loads(json.dumps(closed_document(inputs, TODAY)))
    assert [entry["per_month"] for entry in listed] == sorted(entry["per_month"] for entry in listed)
    sonnet = next(entry for entry in listed if entry["title"] == "Anthropic, claude-sonnet-5")
    dollars = (1000 * 2 + 200 * 10) / 1e6 * 100 * 365 / 12
    assert sonnet["per_month"] == pytest.approx(dollars / 1.1403, abs=0.01)
    assert [price["value"] for price in sonnet["prices"]] == [2, 10]


def test_the_users_rate_converts() -> None:
    """1,207 dollars at 1.25 dollars for a euro are 965.60 euros; at 1.25 for a franc as many francs."""
    given: tuple[dict[str, Any], ...] = ({"currency": "EUR", "eur_rate": 1.25}, {"currency": "CHF", "chf_rate": 1.25})
    for values in given:
        asked = costs(**values, host_price=0)
        assert asked.own is not None
        assert asked.own.upfront == 2 * Decimal("965.60")


# Bad input


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"device_price": -5}, "A price cannot be negative: device_price=-5; leave it out for the listed price."),
        ({"electricity_price": -0.1}, "cannot be negative"),
        ({"hours_per_month": 0},  "A machine has to run to serve anybody: hours_per_month=0 must be above 0"),
        ({"hours_per_month": 800}, "at most 730"),
        ({"tokens_in": 0, "tokens_out": 0}, "there is no load to compare costs for"),
        ({"requests_per_day": 0}, "There is no load to compare costs for: requests_per_day=0 must be at least 0.033"),
        ({"requests_per_day": -3}, "there is no load"),
        ({"currency": "GBP"}, "Unknown currency 'GBP'; choose one of USD, EUR, CHF."),
        ({"region": "asia"}, "choose one of ch, eu, us, any"),
        ({"term": "3-year"}, "choose one of on-demand, spot, 1-year"),
        ({"country": "XX"}, "no electricity price is known for country 'XX'"),
        ({"requests_per_day": 1e18}, "more than 10^15 tokens a month"),
        ({"tokens_in": 10**18}, "more than 10^15 tokens a month"),
        ({"tokens_out": 10**400}, "more than 10^15 tokens a month"),
        ({"instance_price": 0}, "This price or rate cannot be 0: instance_price=0; leave it out for the listed one."),
        ({"chf_rate": 0}, "leave it out for the listed one"),
        ({"api_input_price": 1}, "Give api_input_price and api_output_price together, or neither."),
        ({"api_input_price": 0, "api_output_price": 0}, "both 0"),
        ({"admin_hours": 3}, "Give admin_rate, the price of one hour, with admin_hours."),
        ({"storage_gb": 3}, "Give storage_price"),
        ({"egress_gb": 3}, "Give egress_price"),
        ({"years": 9}, "years=9 is not possible: it must be less than or equal to 5."),
        ({"years": "soon"}, "years=soon is not possible: it must be a whole number, such as 8192."),
        ({"device_price": "inf"}, "device_price=inf is not possible"),
        ({"device_price": 1e12}, "at most 1,000,000,000"),
        ({"device_price": 1e-30}, "give 0 if it is free"),
        ({"pue": 0.5}, "pue=0.5 is not possible"),
    ],
)  # fmt: skip
def test_bad_input_is_one_clear_sentence(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError) as error:
        CostInputs.from_values(values)
    text = str(error.value)
    assert sentence.lower() in text.lower()
    assert "\n" not in text
    assert text.endswith((".", "?"))


def test_bad_devices_and_speeds_are_one_clear_sentence() -> None:
    with pytest.raises(InputError, match="above 0 tokens a second"):
        Throughput(Range(0, 1, 2))
    with pytest.raises(InputError, match="1 to 1,024 devices"):
        costs(devices=0)


def test_the_largest_load_is_still_answered() -> None:
    asked = costs(requests_per_day=2.7e10)
    assert asked.tokens_per_month > 9 * 10**14
    assert asked.own is not None
    assert asked.own.units[1] > 1_000_000
    json.dumps(cost_document(asked))


@given(st.dictionaries(st.sampled_from(sorted(CostInputs.places())), st.one_of(
    st.text(max_size=20), st.floats(), st.integers(), st.none(), st.booleans()), max_size=6))  # fmt: skip
def test_whatever_is_given_is_answered_or_refused(values: dict[str, Any]) -> None:
    try:
        inputs = CostInputs.from_values(values)
    except InputError as error:
        assert "\n" not in str(error)
        return
    json.dumps(cost_document(cost_of(LLAMA, machine("rtx-3090"), 2, MEASURED, inputs, TODAY)))


@pytest.mark.parametrize("region", ["eu", "us", "ch"])
def test_a_region_restricts_api_offers_or_says_that_it_is_not_known(region: str) -> None:
    """Hosts that state another region never count; those that state none do only where nobody states this one."""
    restricted = 0
    for name in (
        "llama-3.3-70b-instruct",
        "gpt-oss-120b",
        "qwen3-235b-a22b-instruct-2507",
        "mistral-nemo-instruct-2407",
    ):
        asked = CostInputs.from_values({"region": region})
        everywhere = CostInputs.from_values({})
        anywhere = offered(pay_per_token(name, everywhere, converter_of(asked.billing, TODAY), TODAY))
        found_there = pay_per_token(name, asked, converter_of(asked.billing, TODAY), TODAY)
        hosts = () if isinstance(found_there, Message) else found_there
        places = {host.region for host in hosts}
        assert places <= {region, None}
        assert len(places) <= 1
        stated = {host.provider for host in anywhere if host.region == region}
        if stated:
            restricted += 1
            assert {host.provider for host in hosts} == stated
        found = cost_of(name, machine("h100-sxm5-80gb"), 2, MEASURED, asked, TODAY)
        assert (found.api is None) == isinstance(found_there, Message)
        if found.api is not None:
            assert any("is not known" in note for note in say_all(found.api.notes)) == (not stated)
            assert all(note in found.notes for note in found.api.notes)
    assert bool(restricted) == (region == "eu")


def test_a_single_priced_way_gets_no_verdict() -> None:
    only = cost_of(
        None, custom_machine(24), 1, MEASURED, CostInputs.from_values({"device_price": 500, "host_price": 400}), TODAY
    )
    assert [option.name for option in only.options] == ["own"]
    assert "fees_of_hosts" not in {left_out.kind for left_out in only.not_included}
    assert only.best() is only.best(own_hardware=True) is None
    assert "no price is known for renting or an API, so nothing can be compared" in say(only.verdict)
    assert not any(advice in say(only.verdict) for advice in ("owning costs", "renting costs", "API costs"))
    several = costs(**PRICED)
    assert "fees_of_hosts" in {left_out.kind for left_out in several.not_included}
    assert several.best() is min(several.options, key=lambda option: option.monthly.typical)
    assert several.best(own_hardware=True) is several.own
