"""How a country spells what its language's catalogue holds: rules, so that a country needs no catalogue of its own.

Catalogues are written with plain spaces and, in German, as Germany spells.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from babel.core import Locale

# A language has one catalogue for all of these; the first is taken where a link names none.
COUNTRIES = {"de": ("DE", "CH"), "en": ("US", "GB"), "fr": ("FR", "CH", "BE", "CA")}
IN_CURRENCY = " in currency"  # the end of a way to write an amount: in that of the figure `currency`

_SPACE = "\u00a0"  # where a line is not broken
_NARROW = "\u202f"
_AMOUNT = re.compile(r"\{(\w+)(?::([^{}]*))?\} \{currency\}")
_DECIMAL = re.compile(r"(?<=\d),(?=\d)")
_SIGN = re.compile(r"(?<=\S) (?=[%€])")
# Spaces before such signs, and the one that a text which begins with a semicolon lacks, or one of figures alone.
_FRENCH = re.compile(r"(?<=\S) (?=[:;!?»%])|(?<=«) |^(?=; )|(?<=\})(?=: \{)")


@lru_cache(maxsize=4096)
def spelled(text: str, locale: Locale) -> str:
    """A text of the catalogue as people of the locale's country write it; English stays as it is."""
    if locale.language == "en" or not text:
        return text
    text = _AMOUNT.sub(rf"{{\1:\2{IN_CURRENCY}}}", text)
    if locale.language == "fr":
        return _FRENCH.sub(_SPACE, text)
    if locale.language == "de" and locale.territory == "CH":
        text = text.replace("ß", "ss").replace("„", "«").replace("“", "»")
        text = _DECIMAL.sub(".", text)
    return _SIGN.sub(_SPACE, text)


@lru_cache(maxsize=256)
def country(name: str, locale: Locale) -> str:
    """A country, or one and a part of it ("United States - Ohio"), as the locale calls it; another name stays."""
    whole, _, part = name.partition(" - ")
    code = _codes().get(whole) if locale.language != "en" else None
    return name if code is None else ", ".join(filter(None, (str(locale.territories[code]), part)))


@cache
def _codes() -> dict[str, str]:
    return {str(name): code for code, name in Locale("en").territories.items()}


def before_unit(locale: Locale) -> str:
    """What stands between a figure and its unit."""
    return " " if locale.language == "en" else _SPACE


def in_currency(written: str, currency: str, locale: Locale) -> str:
    """An amount, or a range of them, with its currency: "36 USD", "36 €", "CHF 1'234.50"."""
    if locale.language == "en":
        return f"{written} {currency}"
    if locale.territory == "CH":  # the currency before the amount
        return f"{currency}{_SPACE}{with_sign_of_money(written, locale)}"
    return f"{written}{_SPACE}{locale.currency_symbols.get(currency, currency)}"


def with_sign_of_money(written: str, locale: Locale) -> str:
    """An amount with the decimal sign that money has: in Switzerland a point in French too."""
    return written.replace(",", ".") if locale.territory == "CH" else written
