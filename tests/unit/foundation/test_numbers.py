"""The one way in which numbers are written for people."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

import advisor
from advisor.foundation.numbers import apart, approx, bare, differ, exact, money, percent, price, rough, rounded, span
from advisor.foundation.ranges import Range

anything = st.floats(-1e18, 1e18).filter(lambda value: value == 0 or abs(value) > 1e-300)
rates = st.floats(min_value=1e-6, max_value=1e12)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (2684.2, "2,680"),
        (138.4, "138"),
        (58.12, "58.1"),
        (77.0, "77"),
        (5.0, "5"),
        (0.0421, "0.0421"),
        (0.00000123, "0.00000123"),
        (999.6, "1,000"),
        (1_254_000, "1,250,000"),
        (0, "0"),
        (-0.0, "0"),
        (-58.12, "-58.1"),
    ],
)
def test_estimates_have_three_significant_digits(value: float, shown: str) -> None:
    assert approx(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (4.0, "4"),
        (0.25, "0.25"),
        (1234.5, "1,234.5"),
        (0.1, "0.1"),
        (1e6, "1,000,000"),
        (10**15, "1,000,000,000,000,000"),
    ],
)
def test_what_was_given_keeps_its_digits(value: float, shown: str) -> None:
    assert exact(value) == shown
    assert bare(value) == shown.replace(",", "")


def test_ranges_and_shares() -> None:
    assert span(Range(120.4, 150.0, 180.2)) == "120 to 180"
    assert span(Range(1999, 2100, 2684)) == "2,000 to 2,680"
    assert span(Range(58.11, 58.12, 58.13)) == "58.1"
    assert span(Range(6.69, 16.4, 23.4), rough) == "6.7 to 23"
    assert [rough(value) for value in (128, 2680, 0.0419)] == ["130", "2,700", "0.042"]
    assert percent(99.93) == "99.9 %"
    assert percent(99.97) == "100 %"
    assert not differ(99.93, 99.94)
    assert differ(99.93, 99.81)


@drawn(anything, st.integers(1, 15))
def test_there_is_never_an_exponent_and_the_digits_are_right(value: float, digits: int) -> None:
    text = approx(value, digits)
    assert re.fullmatch(r"-?\d{1,3}(,\d{3})*(\.\d*[1-9])?", text)
    assert text != "-0"
    significant = text.replace(",", "").replace(".", "").lstrip("-0")
    assert len(significant.rstrip("0")) <= digits
    assert float(text.replace(",", "")) == rounded(value, digits) == pytest.approx(value, rel=0.5 * 10 ** (1 - digits))


@drawn(rates, rates)
def test_a_larger_number_never_reads_as_a_smaller_one(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert float(approx(low).replace(",", "")) <= float(approx(high).replace(",", ""))


@drawn(rates)
def test_given_numbers_are_read_back(value: float) -> None:
    assert float(bare(value)) == pytest.approx(value, rel=1e-14)
    assert exact(value).replace(",", "") == bare(value)


@drawn(rates)
def test_what_misses_a_limit_never_reads_as_the_limit(value: float) -> None:
    assert apart(98.97, 99) == "98.97"
    assert apart(98.2, 99) == "98.2"
    assert apart(value, 1.0000001 * value) != exact(1.0000001 * value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_never_shown(value: float) -> None:
    with pytest.raises(ValueError, match="not a number to show"):
        approx(value)


def test_nothing_is_written_with_an_exponent_of_python() -> None:
    """A format of "g" turns 2,680 into 2.68e+03."""
    written = re.compile(r":[,+ ]?(?:\.\d+)?[gGeE]\}|%\.?\d*[gG]\b")
    allowed = {"numbers.py", "workload.py", "fields.py"}  # the formatter, a Decimal, what people type
    wrong = [
        f"{path.name}: {line.strip()}"
        for path in Path(advisor.__path__[0]).rglob("*.py")
        if path.name not in allowed
        for line in path.read_text("utf-8").splitlines()
        if written.search(line)
    ]
    assert wrong == []


def test_ten_cents_read_alike_before_and_after_rounding() -> None:
    """A card said "0.05 to 0.1" where the report said "0.05 to 0.10" of the same month."""
    assert [money(amount) for amount in (0.0994, 0.0996, 0.1, 0.104)] == ["0.099", "0.10", "0.10", "0.10"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.037, "0.037"),
        (0.5, "0.50"),
        (1.44, "1.44"),
        (5, "5.00"),
        (10.6, "10.60"),
        (11, "11"),
        (1207.4, "1,207"),
    ],
)
def test_prices_have_cents_where_those_matter(value: float, shown: str) -> None:
    assert price(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(0, "0.00"), (0.0603, "0.06"), (0.0233, "0.023"), (8.06, "8.06"), (24.3, "24")]
)
def test_small_amounts_have_two_digits(value: float, shown: str) -> None:
    assert money(value) == shown
