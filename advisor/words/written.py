"""Figures outside sentences, such as those of tiles and tables, in the language that is spoken.

The same names and rounding as in foundation/numbers.py and units.py, which write English; other languages change the
signs, the units and the order.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from advisor.foundation import numbers, units
from advisor.words import in_use
from advisor.words.figures import signed, write
from advisor.words.language import ENGLISH, Language, language
from advisor.words.spelling import in_currency


def approx(value: float, digits: int = numbers.ESTIMATE) -> str:
    """As `numbers.approx`: "2,680", "2.680"."""
    return _signed(numbers.approx(value, digits))


def rough(value: float) -> str:
    """As `numbers.rough`."""
    return _signed(numbers.rough(value))


def exact(value: float) -> str:
    """As `numbers.exact`."""
    return _signed(numbers.exact(value))


def money(amount: float | Decimal) -> str:
    """As `numbers.money`."""
    return _signed(numbers.money(amount)) if _other() is None else number(amount, "money")


def span(values: numbers.Span, each: Callable[[Any], str] = approx) -> str:
    """A range in words: "120 to 180"; one number where both ends read the same. `each` is of this module."""
    low, high = each(values.low), each(values.high)
    return low if low == high else language(in_use()).between(low, high)


def number(value: float | Decimal, style: str) -> str:
    """As Python's `format` with a style such as ",.1f"."""
    spoken = _other()
    return format(value, style) if spoken is None else write(value, style, spoken.locale, spoken.word)


def amount(written: str, currency: str) -> str:
    """An amount that is written already, or a range of them, with its currency."""
    return in_currency(written, currency, language(in_use()).locale)


def gb(n: float) -> str:
    """As `units.gb`."""
    return _with_unit(n, "gb", units.gb)


def gib(n: float) -> str:
    """As `units.gib`."""
    return _with_unit(n, "gib", units.gib)


def format_count(n: float) -> str:
    """As `units.format_count`."""
    return _with_unit(n, "count", units.format_count)


def _other() -> Language | None:
    """The language that is spoken; None for English, which needs nobody's signs."""
    name = in_use()
    return None if name.partition("-")[0] == ENGLISH else language(name)


def _signed(text: str) -> str:
    spoken = _other()
    return text if spoken is None else signed(text, spoken.locale)


def _with_unit(n: float, way: str, english: Callable[[float], str]) -> str:
    spoken = _other()
    return english(n) if spoken is None else write(n, way, spoken.locale, spoken.word)
