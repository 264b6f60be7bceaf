"""Figures as a language writes them: by the rules of foundation/numbers.py and units.py, with the signs of the locale.

A text of the catalogue asks for a way of writing by its name: "{missing:gib}".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import copy
from decimal import Decimal, localcontext
from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING

from babel.core import Locale

from advisor.foundation import numbers
from advisor.foundation.message import WAYS
from advisor.words.spelling import before_unit, with_sign_of_money

if TYPE_CHECKING:
    from babel.numbers import NumberPattern

Word = Callable[[str, str], str]  # a word, in a context, as the catalogue has it
Number = float | Decimal

_PYTHON = re.compile(r"(\+?)(,?)(\.\d[f%])?")  # of the ways that Python has, those that texts use
_ENGLISH = re.compile(r"[-+]?\d[\d,]*(\.\d+)?")
_QUOTE = "'"
_THOUSANDS = re.compile(r"(?<=\d)(?=(?:\d{3})+$)")
_MOST_DIGITS = 400  # of any float, all of them
_ROUNDED = ("approx", "rough", "exact", "money", "price")
_WITH_UNIT = ("gb", "gib", "count")


def write(figure: Number, way: str, locale: Locale, word: Word) -> str:
    """A number as `way` says: approx, rough, exact, plain (for a calculation), money, price, gb, gib, count, or one of
    Python's: ",", ".1f", "+.0%".

    Raises ValueError for a way there is not.
    """
    if not isfinite(figure):
        return str(figure)  # what somebody gave, and is told that it is not possible
    if way in _ROUNDED:
        rounded = signed(WAYS[way](float(figure)), locale)
        return with_sign_of_money(rounded, locale) if way in ("money", "price") else rounded
    if way == "plain":
        return signed(WAYS[way](figure), locale, grouped=False)
    if way in _WITH_UNIT:
        number, _, unit = WAYS[way](float(figure)).partition(" ")
        written = signed(number, locale)
        return f"{written}{before_unit(locale)}{word('unit' if way != 'count' else 'count', unit)}" if unit else written
    found = _PYTHON.fullmatch(way)
    if found is None:
        raise ValueError(f"numbers are not written as {way!r}")
    text = format(figure, way.replace(",", ""))
    share = percent(locale) * text.endswith("%")
    sign = {"+": "+", "-": "−" if found[1] else "-"}.get(text[0], "")  # beside a plus a minus as wide
    return f"{sign}{signed(text.strip('+-%'), locale, bool(found[2]))}{share}"


def percent(locale: Locale) -> str:
    """The sign as it stands behind a figure."""
    return f"{before_unit(locale)}%"


def apart(value: float, limit: float, locale: Locale) -> str:
    """A value so exact that it does not read as the limit it misses."""
    return signed(numbers.apart(value, limit), locale)


@lru_cache(maxsize=4096)
def signed(text: str, locale: Locale, grouped: bool = True) -> str:
    """A number that is written the English way ("1,234.50"), with the locale's signs and as many decimals."""
    if locale.language == "en" and _ENGLISH.fullmatch(text):
        # As its locales write it, whose data take longer to load than an answer to write.
        return format(Decimal(text.replace(",", "")), ",f" if grouped else "f")
    return localized(text, locale, grouped)


def localized(text: str, locale: Locale, grouped: bool = True) -> str:
    """The same by the locale's own pattern and signs."""
    pattern = _pattern(locale, len(text.partition(".")[2]))
    signs = locale.number_symbols["latn"]
    quoted = grouped and signs["group"] == _QUOTE  # two of which Babel takes for quotes of the pattern
    with localcontext(prec=_MOST_DIGITS):
        found = str(pattern.apply(Decimal(text.replace(",", "")), locale, group_separator=grouped and not quoted))
    if not quoted:
        return found
    whole, point, decimals = found.partition(signs["decimal"])
    return f"{_THOUSANDS.sub(_QUOTE, whole)}{point}{decimals}"


@lru_cache(maxsize=64)
def _pattern(locale: Locale, decimals: int) -> NumberPattern:
    """The locale's own, with that many decimals."""
    pattern: NumberPattern = copy(locale.decimal_formats[None])
    pattern.frac_prec = (decimals, decimals)
    return pattern
