"""Costs exactly on a border: a machine just full, two ways that cost the same, a price just within its bounds."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from pydantic import TypeAdapter, ValidationError

from advisor.costs import draws, own, price_rows
from advisor.costs.inputs import CostInputs, Load
from advisor.costs.money import Converter, UsedPrice, per_million
from advisor.costs.price_rows import Residency
from advisor.costs.price_tables import RESALE_KINDS, resale_values
from advisor.costs.resale import value_after
from advisor.costs.sensitivity import _rounded
from advisor.costs.staircase import Staircase, Step, crossings
from advisor.costs.workload import Throughput, busiest_hour
from advisor.foundation.message import as_it_is
from advisor.foundation.ranges import Range
from advisor.machines.catalogue import machines

NOTHING = as_it_is("")


def step(per_unit: object = 0, per_token: object = 0, **more: object) -> Step:
    return Step(NOTHING, Decimal(str(per_unit)), Decimal(str(per_token)), NOTHING, **more)  # type: ignore[arg-type]


def stairs(*steps: Step, **more: object) -> Staircase:
    return Staircase(steps, **{"unit_tokens": Decimal(1000), "vat": Decimal(0), **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(("tokens", "units"), [(0, 1), (1, 1), (999, 1), (1000, 1), (1001, 2), (2000, 2), (2001, 3)])
def test_a_full_machine_is_full_and_one_token_more_takes_another(tokens: int, units: int) -> None:
    one = stairs(step(100))
    assert one.units(tokens) == units
    assert one.cost(tokens) == 100 * units


def test_what_several_machines_share_begins_with_the_second() -> None:
    shared = stairs(step(100), step(7, paid="several"), step(5, paid="once"))
    assert shared.cost(1000) == 100 + 5
    assert shared.cost(1001) == 2 * (100 + 7) + 5
    assert shared.break_even(Decimal("0.11")) == 955  # one machine shares nothing
    assert len(shared.bill(1000)) == 2
    assert len(shared.bill(1001)) == 3


def test_a_machine_pays_at_the_last_token_that_it_serves() -> None:
    """100 a month against 0.1 a token: just at 1,000, which is all that it serves."""
    assert stairs(step(100)).break_even(Decimal("0.1")) == 1000
    assert stairs(step("100.01")).break_even(Decimal("0.1")) is None
    assert stairs(step(100), unit_tokens=Decimal(999)).break_even(Decimal("0.1")) is None
    assert stairs(step(100), unit_tokens=None).break_even(Decimal("0.1")) == 1000


def test_what_takes_as_much_a_token_never_pays() -> None:
    same = stairs(step(100, "0.1"), unit_tokens=None)
    assert same.break_even(Decimal("0.1")) is None
    assert same.break_even(Decimal("0.2")) == 1000
    free = stairs(step(0, "0.1"), unit_tokens=None)
    assert free.break_even(Decimal("0.2")) == 1


def test_several_machines_pay_just_where_they_share_enough() -> None:
    """Of 50 shared and 75 each, at 0.1 a token: two machines take 200 for 2,000 tokens, just as much."""
    shared = stairs(step(75), step(50, paid="once"))
    assert shared.cost(1000) == 125
    assert shared.cost(2000) == 200
    assert shared.break_even(Decimal("0.1")) == 2000
    assert stairs(step(75), step("50.1", paid="once")).break_even(Decimal("0.1")) == 2751


def test_equal_is_not_dearer() -> None:
    """Ten against one a token: at ten tokens both cost the same, and neither is the dearer one."""
    flat, rising = ("flat", lambda tokens: Decimal(10)), ("rising", Decimal)
    (found,) = crossings(flat, rising, (1, 100))
    assert (found.tokens, found.cheaper, found.dearer) == (10, "flat", "rising")
    (found,) = crossings(rising, flat, (1, 100))
    assert (found.tokens, found.cheaper, found.dearer) == (11, "flat", "rising")
    for cost in range(2, 40):
        dear = ("dear", lambda tokens, cost=cost: Decimal(cost))
        assert [one.tokens for one in crossings(dear, rising, (1, 50))] == [cost]
    assert crossings(flat, ("same", lambda tokens: Decimal(10)), (1, 100)) == ()


@pytest.mark.parametrize("launch", [None, 1.0, 999.0, 1e6])
def test_a_launch_price_is_history_and_bounds_nothing(launch: float | None) -> None:
    card = machines()["rtx-5090"]
    paid = []
    for one in (card, replace(card, launch_price_usd=launch)):
        prices: list[UsedPrice] = []
        found = own._device_price(one, CostInputs(), Converter("USD", (), date(2026, 11, 30), ()), prices)
        assert found is not None
        paid.append((found, [price.value for price in prices]))
    assert paid[0] == paid[1]


@pytest.mark.parametrize("kind", RESALE_KINDS)
def test_from_the_first_year_on_the_same_share_is_lost_every_year(kind: str) -> None:
    value = {years: value_after(kind, years, "typical") for years in range(6)}
    shares = [value[years + 1] / value[years] for years in range(1, 5)]
    assert shares == pytest.approx([shares[0]] * 4, abs=Decimal("0.001"))
    assert value[0] > value[1] > value[2] > value[3]
    for row in resale_values()[kind]:
        assert value[row.year] == row.typical / 100


def test_who_computes_nothing_has_no_busiest_hour() -> None:
    """A prompt whose reading is not counted, and no answer."""
    speed = Throughput(Range(10.0, 10.0, 10.0))
    assert busiest_hour(speed, Load(tokens_out=0), 1000) is None
    assert busiest_hour(speed, Load(), 1000) is not None
    assert busiest_hour(None, Load(), 1000) is None


@pytest.mark.parametrize(
    ("value", "lower", "higher"), [("1234.5", 1230, 1240), ("0.0012345", "0.00123", "0.00124"), ("500", 500, 500)]
)
def test_what_turns_a_comparison_round_has_three_digits_away_from_the_plan(
    value: str, lower: object, higher: object
) -> None:
    assert _rounded(Decimal(value), down=True) == Decimal(str(lower))
    assert _rounded(Decimal(value), down=False) == Decimal(str(higher))


@pytest.mark.parametrize(("percent", "allowed"), [(0, True), ("99.9", True), (100, False), (-1, False)])
def test_a_surcharge_for_a_region_stays_below_the_price_itself(percent: object, allowed: bool) -> None:
    row = {
        "provider": "A", "region": "eu", "percent": str(percent), "as_of": None, "checked": "2026-11-30",
        "source": "https://example.org", "notes": "",
    }  # fmt: skip
    if allowed:
        assert Residency.model_validate(row).percent == Decimal(str(percent))
    else:
        with pytest.raises(ValidationError, match="percent"):
            Residency.model_validate(row)


def test_of_ten_draws_nine_lie_between_the_ends_and_half_below_what_is_typical() -> None:
    for about in ("energy", "device", "speed"):
        drawn = draws._between(about, Decimal(10), Decimal(20), Decimal(40))
        assert set(drawn[(drawn < 10) | (drawn > 40)]) == set()
        assert [float((drawn == 10).mean()), float((drawn == 40).mean())] == pytest.approx([0.05, 0.05], abs=0.025)
        assert float((drawn < 20).mean()) == pytest.approx(0.5, abs=0.06)
        assert float((drawn < 15).mean()) == pytest.approx(0.275, abs=0.06)
        assert float((drawn < 30).mean()) == pytest.approx(0.725, abs=0.06)


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (1.0, ("often_all", {})),
        (0.999, ("often_most", {})),
        (0.951, ("often_most", {})),
        (0.95, ("often", {"tenths": 10})),
        (0.5, ("often", {"tenths": 5})),
        (0.051, ("often", {"tenths": 1})),
        (0.049, ("often_hardly", {})),
        (0.0, ("often_hardly", {})),
    ],
)
def test_how_often_is_said_in_tenths_but_at_the_ends(share: float, said: tuple[str, dict[str, int]]) -> None:
    found = draws._often(share)
    assert (found.kind, dict(found.figures)) == said


def test_a_price_is_more_than_nothing_and_less_than_a_million() -> None:
    price: TypeAdapter[Decimal] = TypeAdapter(price_rows._Price)
    for sound in ("0.000001", "999999.99"):
        assert price.validate_python(sound) == Decimal(sound)
    for wrong in ("0", "-1", "1000000", "nan", "inf"):
        with pytest.raises(ValidationError):
            price.validate_python(wrong)


@pytest.mark.parametrize(
    ("cost", "tokens", "each"),
    [
        ("1", 1_000_000, "1.00"),
        ("0.9999", 1_000_000, "0.9999"),
        ("1.005", 1_000_000, "1.01"),
        ("0.99995", 1_000_000, "1.0000"),
        ("3", 2_000_000, "1.50"),
    ],
)
def test_a_million_tokens_are_priced_to_the_cent_from_one_on(cost: str, tokens: int, each: str) -> None:
    assert str(per_million(Decimal(cost), tokens)) == each
