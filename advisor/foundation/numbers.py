"""Numbers as people read them, on every page, in every report and in the terminal: never with an exponent.

What has a range beside it deserves two significant digits ("2,700", "58"), other estimates three ("2,680", "58.1",
"0.042"), what somebody gave all of its own ("1,234.5").
Bytes and counts of parameters have units of their own (advisor/foundation/units.py), money has cents
(advisor/costs/money.py).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from math import isfinite
from typing import Any, Protocol

ESTIMATE = 3  # significant digits
ROUGH = 2
_EVERY = 15  # a float's own
_TEN_CENTS = 0.0995  # from here on two digits read as 0.10


class Span(Protocol):
    """Two ends: any range of the engine's."""

    @property
    def low(self) -> float | Decimal: ...
    @property
    def high(self) -> float | Decimal: ...


def approx(value: float, digits: int = ESTIMATE) -> str:
    """Rounded to so many significant digits, thousands set apart, no zeros at the end: "2,680", "141", "58.1", "5"."""
    return _written(value, digits, ",f")


def rough(value: float) -> str:
    """An estimate that is off by some percent or more, such as a speed: "2,700", "140", "58", "0.042"."""
    return approx(value, ROUGH)


def exact(value: float) -> str:
    """A number with the digits it has: "4", "0.25", "1,234.5"."""
    return approx(value, _EVERY)


def given(value: float) -> str:
    """A number as somebody gave it, for a sentence that refuses it: even one that is none ("nan", "inf")."""
    return exact(value) if isfinite(value) else str(value)


def bare(value: float) -> str:
    """The same for links and commands, thousands not set apart: "1234.5"."""
    return _written(value, _EVERY, "f")


def money(amount: float | Decimal) -> str:
    """An amount in a sentence: whole from ten on, cents below, two digits of less: "1,276", "8.06", "0.023"."""
    if amount >= 10:
        return f"{amount:,.0f}"
    # What reads as ten cents is written so, whether it was rounded before or is here.
    return f"{amount:.2f}" if amount >= _TEN_CENTS or not amount else rough(float(amount))


def price(amount: float | Decimal) -> str:
    """A price by the unit, as lists have it: whole from a hundred on, below with two decimals at least, but for whole
    ones from ten on: "1,207", "10.60", "11", "0.145"."""
    if amount >= 100:
        return f"{amount:,.0f}"
    whole, point, decimals = approx(float(amount), ESTIMATE + (amount >= 10)).partition(".")
    return f"{whole}.{decimals:0<2}" if point or amount < 10 else whole


def span(values: Span, write: Callable[[Any], str] = approx) -> str:
    """A range in words: "120 to 180"; one number where both ends read the same."""
    low, high = write(values.low), write(values.high)
    return low if low == high else f"{low} to {high}"


def percent(value: float) -> str:
    """ "99.9 %"."""
    return f"{approx(value)} %"


def plural(count: int, one: str) -> str:
    """ "1 user", "4 users"."""
    return f"{count:,} {one}{'' if count == 1 else 's'}"


def rounded(value: float, digits: int = ESTIMATE) -> float:
    """The value that `approx` shows, for columns that are sorted as numbers."""
    return float(f"{value:.{digits - 1}e}")


def differ(one: float, other: float, digits: int = ESTIMATE) -> bool:
    """Whether a reader sees a difference: a comparison of figures that read the same is not made."""
    return approx(one, digits) != approx(other, digits)


def apart(value: float, limit: float) -> str:
    """A value with so many digits that it does not read as the limit it misses: "98.97" of at least 99."""
    shown = (approx(value, digits) for digits in range(ESTIMATE, _EVERY))
    return next((text for text in shown if text != exact(limit)), exact(value))


def _written(value: float, digits: int, style: str) -> str:
    if not isfinite(value):
        raise ValueError(f"{value} is not a number to show")
    text = format(Decimal(f"{value:.{digits - 1}e}"), style)  # a Decimal in "f" never has an exponent
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text
