"""Money over years and for whom: what more of anything does to a bill, and what is not to be seen in a single month."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from advisor.costs.api_prices import prices_of
from advisor.costs.costs import Costs, cost_of
from advisor.costs.draws import chances_of, chances_words
from advisor.costs.hosts import system_of
from advisor.costs.inputs import CostInputs, PowerTerms
from advisor.costs.options import Option
from advisor.costs.outlay import Outlay, mean_price
from advisor.costs.power import power_of
from advisor.costs.price_rows import CASES
from advisor.costs.price_tables import RESALE_KINDS, discounts, figures
from advisor.costs.rent import fitting_offers
from advisor.costs.resale import value_after
from advisor.costs.workload import Throughput, tokens_per_machine
from advisor.foundation.ranges import Range
from advisor.machines.catalogue import machine
from advisor.words import say, say_all

TODAY = date(2026, 11, 30)
LLAMA = "llama-3.3-70b-instruct"
SPEED = Throughput(Range(14, 15, 17), Range(340, 380, 400), at_once=8, together=Range(40, 84, 120))
FAST = Throughput(Range(40, 60, 75), Range(4000, 8000, 12000), at_once=64, together=Range(900, 1500, 2100))
BUYERS = ("hobby", "small-company", "data-centre")
CARDS = [("rtx-3090", 2), ("rtx-pro-6000-blackwell", 1), ("h100-sxm5-80gb", 2), ("a100-pcie-80gb", 4)]


def costs(machine_id: str = "rtx-3090", devices: int = 2, speed: Throughput = SPEED, **values: Any) -> Costs:
    return cost_of(LLAMA, machine(machine_id), devices, speed, CostInputs.from_values(values), TODAY)


def owned(found: Costs) -> Option:
    assert found.own is not None
    return found.own


# More of anything


@pytest.mark.parametrize(("name", "devices"), CARDS)
@pytest.mark.parametrize("buyer", BUYERS)
def test_a_further_year_costs_more_in_all_and_less_a_month(name: str, devices: int, buyer: str) -> None:
    years = [owned(costs(name, devices, buyer=buyer, years=years)) for years in range(1, 6)]
    assert [each.total.typical for each in years] == sorted({each.total.typical for each in years})
    assert [each.monthly.typical for each in years] == sorted({each.monthly.typical for each in years}, reverse=True)
    assert len({each.upfront for each in years}) == 1


@pytest.mark.parametrize(("name", "devices"), CARDS)
@pytest.mark.parametrize("buyer", BUYERS)
def test_more_ram_costs_more_at_once_a_month_and_in_all(name: str, devices: int, buyer: str) -> None:
    def with_ram(gib: int) -> Option:
        card, inputs = replace(machine(name), host_memory_bytes=gib << 30), CostInputs.from_values({"buyer": buyer})
        return owned(cost_of(LLAMA, card, devices, SPEED, inputs, TODAY))

    less, more = with_ram(64), with_ram(2048)
    assert less.upfront < more.upfront
    for case in CASES:
        assert getattr(less.monthly, case) < getattr(more.monthly, case)
        assert getattr(less.total, case) < getattr(more.total, case)


@pytest.mark.parametrize("buyer", BUYERS)
def test_another_board_costs_more_than_twice_as_one(buyer: str) -> None:
    """More than twice, as there is a network between the two."""
    one, two = (owned(costs("h100-sxm5-80gb", modules, FAST, buyer=buyer)) for modules in (8, 16))
    spares = 1 if buyer == "data-centre" else 0  # which bring a network already
    assert two.upfront > 2 * one.upfront * (1 - spares)
    assert two.monthly.typical > one.monthly.typical * (2 - spares)


@pytest.mark.parametrize(
    ("key", "less", "more"),
    [("spare_machines", 0, 1), ("downtime_percent", 0, 40), ("operation_hours", 0, 40), ("power_limit_w", 200, 350),
     ("cached_percent", 90, 0), ("batch_percent", 100, 0)],
)  # fmt: skip
def test_what_else_is_asked_for_moves_the_bill_the_right_way(key: str, less: float, more: float) -> None:
    base: dict[str, Any] = {"requests_per_day": 9000}
    small, large = (owned(costs(**(base | {key: value}))).monthly.typical for value in (less, more))
    assert small < large


@pytest.mark.parametrize(("less", "more"), [BUYERS[:2], BUYERS[1:]])
def test_a_company_pays_for_what_a_hobby_does_not_count(less: str, more: str) -> None:
    small, large = costs(buyer=less), costs(buyer=more)
    assert owned(small).monthly.typical < owned(large).monthly.typical
    assert {say(line.label) for line in owned(small).bill} < {say(line.label) for line in owned(large).bill}
    assert len(large.not_included) < len(small.not_included)


def test_what_a_hobby_pays_is_what_nobody_chose() -> None:
    assert costs(buyer="hobby") == costs()


def test_what_the_user_gives_goes_before_what_is_usual() -> None:
    terms: dict[str, Any] = {"admin_hours": 1, "admin_rate": 50, "support_per_year": 120, "colocation_per_month": 30}
    own = owned(costs(buyer="small-company", cost_of_capital_percent=0, **terms))
    bill = {say(line.label): line.amount for line in own.bill}
    assert [bill[item] for item in ("Administration", "Support", "Colocation")] == [50, 10, 30]
    assert bill["Cost of capital"] == 0
    assert not any("staff" in say(price.label).lower() for price in own.prices)


def test_every_usual_figure_is_listed_with_its_source() -> None:
    labels = {say(price.label).partition(" (")[0] for price in costs(buyer="data-centre").prices}
    assert labels >= {"Cost of capital", "An hour of staff", "Staff for each machine, a month", "Time out of service"}


# Years


def test_a_present_value_is_every_payment_discounted() -> None:
    outlay = Outlay(Decimal(2000), Decimal(100), Decimal(500), 24, capital=Decimal(10))
    worth = 2000 + sum(90 / 1.08 ** (month / 12) for month in range(1, 25)) - 500 / 1.08**2
    assert float(outlay.present_value(Decimal("0.08"))) == pytest.approx(worth, abs=0.01)
    assert Outlay(Decimal(2000), Decimal(100), Decimal(500), 24).present_value(Decimal(0)) == 2000 + 2400 - 500


def test_without_a_rate_the_present_value_is_the_total() -> None:
    for option in costs().options:
        assert option.present == option.total
    assert all(option.present.typical < option.total.typical for option in costs(buyer="small-company").options)


def test_prices_that_fall_are_counted_month_by_month() -> None:
    steady, falling = costs(), costs(api_decline_percent=31)
    assert steady.api is not None
    assert falling.api is not None
    outlay, today = falling.api.outlays[1], float(steady.api.monthly.typical)
    assert float(outlay.paid(1)) == pytest.approx(today, rel=0.005)
    assert float(outlay.paid(13) - outlay.paid(12)) == pytest.approx(today * 0.69, rel=0.02)
    assert outlay.paid(36) == outlay.total == falling.api.total.typical == 36 * falling.api.monthly.typical
    assert float(mean_price(Decimal("0.31"), 36)) == pytest.approx(sum(0.69 ** (m / 12) for m in range(36)) / 36, 1e-4)
    assert "31 % cheaper a year" in " ".join(say_all(falling.notes))


@pytest.mark.parametrize("kind", RESALE_KINDS)
def test_what_a_machine_fetches_falls_with_its_age_and_keeps_its_order(kind: str) -> None:
    for case in CASES:
        values = [value_after(kind, years, case) for years in range(6)]
        assert values[0] == 1
        assert values == sorted(set(values), reverse=True)
    assert value_after(kind, 4, "low") < value_after(kind, 4, "typical") < value_after(kind, 4, "high")


def test_published_resale_values_are_met() -> None:
    assert value_after("data-centre", 1, "typical") == Decimal("0.625")
    assert value_after("data-centre", 3, "typical") == Decimal("0.3")
    assert value_after("mac", 3, "typical") == Decimal("0.5")


# Caches, batches, spares


def test_a_prefix_cache_saves_reading_on_a_machine_and_money_at_hosts() -> None:
    inputs = [CostInputs.from_values({"cached_percent": percent}) for percent in (0, 90)]
    none, most = (tokens_per_machine(SPEED, each.load, "typical") for each in inputs)
    assert none is not None
    assert most is not None
    # 1000/380 + 200/84 s for a request, then 100/380 + 200/84.
    assert float(most / none) == pytest.approx((1000 / 380 + 200 / 84) / (100 / 380 + 200 / 84))
    asked, full = costs(cached_percent=90), costs()
    assert asked.api is not None
    assert full.api is not None
    assert asked.api.monthly.low <= full.api.monthly.low
    assert any("own prefix cache" in note for note in say_all(asked.notes))
    assert any("list no price for cached input" in note for note in say_all(asked.notes))


def test_what_may_wait_fills_the_hours_beside_the_busiest() -> None:
    assert CostInputs.from_values({"batch_percent": 50}).load.peak == Decimal("1.5")
    assert CostInputs.from_values({"batch_percent": 90}).load.peak == 1
    now, later = costs(), costs(batch_percent=100)
    assert now.api is not None
    assert later.api is not None
    assert later.api.monthly.low < now.api.monthly.low
    off = {provider for provider, kind in discounts() if kind == "batch"}
    hosts = {offer.provider for offer in prices_of("llama-3.3-70b", TODAY)}
    said = " ".join(say_all(later.notes))
    assert f"Of {len(hosts)} hosts {len(hosts - off)} are not known to take anything off what may wait" in said


def test_a_spare_machine_is_paid_for_and_serves_nothing_more() -> None:
    one, two = owned(costs()), owned(costs(spare_machines=1))
    assert (one.units[1], two.units[1]) == (1, 2)
    assert two.typical.unit_tokens == one.typical.unit_tokens
    assert two.upfront == 2 * one.upfront * (1 + figures()["network"].typical / 100)


def test_a_limited_card_draws_no_more_than_its_limit() -> None:
    """896 W at the wall with two RTX 3090 held to 245 W each (github.com/mitchross/talos-argocd-proxmox pull 1845)."""
    terms = PowerTerms(power_limit_w=245)
    low, high = (power_of(machine("rtx-3090"), 2, terms, case) for case in ("low", "high"))
    free = power_of(machine("rtx-3090"), 2, PowerTerms(), "high")
    assert low is not None
    assert high is not None
    assert free is not None
    assert float(low.writing) <= 896 <= float(high.reading) + 1
    assert high.writing < free.writing
    assert any("245 W" in note for note in say_all(costs(power_limit_w=245).notes))
    # What is sold whole has no card to limit.
    assert power_of(machine("dgx-spark-128gb"), 1, terms) == power_of(machine("dgx-spark-128gb"), 1, PowerTerms())


# Comparing


def test_a_plan_on_one_gpu_is_not_priced_with_eight_of_them() -> None:
    fits = fitting_offers(machine("h200-sxm-141gb"), 1, "any", "on-demand")
    assert {fit.copies for fit in fits} > {1}
    rent = costs("h200-sxm-141gb", 1, FAST).rent
    assert rent is not None
    assert rent.offers == len({fit.offer.provider for fit in fits if fit.copies == 1})
    assert all(fit.copies == 1 for fit in fits if fit.name in {say(price.label) for price in rent.prices})


@pytest.mark.parametrize(("name", "devices"), CARDS)
@pytest.mark.parametrize("requests", [100, 20_000, 300_000])
def test_draws_agree_with_the_ranges(name: str, devices: int, requests: float) -> None:
    found = costs(name, devices, requests_per_day=requests)
    chances = chances_of(found)
    assert chances is not None
    assert sum(share for _, share in chances.of) == pytest.approx(1)
    assert chances == chances_of(costs(name, devices, requests_per_day=requests))
    ranked = sorted(found.options, key=lambda option: option.monthly.typical)
    if ranked[0].monthly.high < min(option.monthly.low for option in ranked[1:]):
        assert chances.share(ranked[0].name) > 0.8  # ends of ranges are not reached by all at once


def test_draws_move_with_the_prices_of_an_api() -> None:
    shares = []
    for price in (0.01, 0.05, 0.1, 0.3, 3):
        chances = chances_of(costs(requests_per_day=12_000, api_input_price=price, api_output_price=price))
        assert chances is not None
        shares.append(chances.share("own"))
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] > 0.95


def test_the_range_is_said_and_not_a_point() -> None:
    chances = chances_of(costs(requests_per_day=12_000, api_input_price=0.7, api_output_price=0.7))
    assert chances is not None
    tenths = round(10 * chances.share("own"))
    assert 0 < tenths < 10
    assert f"in {tenths} of 10 draws" in say(chances_words(chances, "own")).lower().replace("only ", "")


def test_a_precision_that_a_host_states_is_said() -> None:
    stated = {offer.model: offer.precision for offer in prices_of("llama-3.1-8b", TODAY) if offer.precision}
    assert stated == {"@cf/meta/llama-3.1-8b-instruct-fp8": "FP8"}
    found = cost_of("llama-3.1-8b-instruct", machine("rtx-4090"), 1, FAST, CostInputs.from_values({}), TODAY)
    said = " ".join(say_all(found.notes))
    assert "Cloudflare Workers AI: FP8" in said
    assert "A host that states no precision is taken to serve the original's." in said


def test_system_of_a_board_holds_the_plan_again() -> None:
    assert system_of(machine("h100-sxm5-80gb"), 2).copies == 4
