"""Money: decimal sums, three currencies, and every price that went into an answer with its source and age.

Rates and prices are kept exact; an amount is rounded once, to the cent, where it becomes a line of a bill, and a sum is
the sum of its lines. So whatever is shown adds up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from advisor.costs.inputs import Billing
from advisor.costs.price_rows import CASES, Case, Currency
from advisor.costs.price_tables import exchange_rates, figures
from advisor.foundation.dated_rows import Seen
from advisor.foundation.message import NOTHING, Message, fact

YOUR_INPUT = fact("your_input")  # the source of a price that the user gave
# What prices are for, and how much of it.
EACH, HOUR, GPU_HOUR = fact("unit_each"), fact("unit_hour"), fact("unit_gpu_hour")
GIGABYTE, GIGABYTE_MONTH, KWH = fact("unit_gb"), fact("unit_gb_month"), fact("unit_kwh")
MILLION_TOKENS = fact("unit_million_tokens")
CENT = Decimal("0.01")
_PER_MILLION = Decimal("0.0001")
_MILLIONTH = Decimal("0.000001")

# What goes out of date: prices and rates; of figures (watts, shares) only those that are money.
Kind = Literal["price", "figure"]
# A price is old, and its range wider, so many days after the day its source speaks of, or where that is not known.
OLD_AFTER_DAYS = 90


@dataclass(frozen=True, slots=True)
class UsedPrice:
    """One figure that an answer rests on, as its source states it.

    `value` is in `currency` per `unit` (both "" where it is no money). `as_of` is the source's day and `checked` ours;
    `age_days` counts from the source's, and `is_stale` where it is old or not known. `users_own`: the user gave it, and
    `source` is empty.
    """

    label: Message
    value: Decimal
    unit: Message
    currency: str
    source: str
    as_of: date | None
    checked: date | None
    users_own: bool
    age_days: int | None
    is_stale: bool

    @property
    def is_rate(self) -> bool:
        """Whether it is an exchange rate."""
        return self.label.kind == "exchange_rate"


@dataclass(frozen=True, slots=True)
class MoneyRange:
    """An amount in whole cents: the least, the likely and the most."""

    low: Decimal
    typical: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True)
class Converter:
    """Converts into the currency of a question and notes what was used.

    Rates are euro reference rates: one unit of A is `per_eur[B] / per_eur[A]` units of B.
    """

    currency: Currency
    per_eur: tuple[tuple[str, Decimal], ...]
    today: date
    rates: tuple[tuple[str, UsedPrice], ...]

    def convert(self, amount: Decimal, currency: str) -> Decimal:
        """An amount of `currency` in that of the question; a converted one to a millionth, so it can be shown."""
        if currency == self.currency:
            return amount
        rates = dict(self.per_eur)
        return (amount * rates[self.currency] / rates[currency]).quantize(_MILLIONTH, ROUND_HALF_UP)

    def listed(
        self,
        kind: Kind,
        label: Message,
        value: Decimal,
        unit: Message,
        currency: str,
        seen: Seen,
    ) -> UsedPrice:
        """A price from the tables, with its age."""
        age = None if seen.as_of is None else (self.today - seen.as_of).days
        stale = (kind == "price" or currency != "") and self.is_old(seen.as_of)
        return UsedPrice(label, value, unit, currency, *seen, False, age, stale)

    def is_old(self, as_of: date | None) -> bool:
        """Whether a price of that day need not be today's any more."""
        return as_of is None or (self.today - as_of).days > OLD_AFTER_DAYS

    def range_of(self, low: Decimal, typical: Decimal, high: Decimal, as_of: date | None) -> dict[Case, Decimal]:
        """A price in each case: what is old may have moved since, by as much as such prices do."""
        moved = figures()["old_price"].typical / 100 if self.is_old(as_of) else Decimal(0)
        return dict(zip(CASES, (low * (1 - moved), typical, high * (1 + moved)), strict=True))

    def rates_used(self, prices: Iterable[UsedPrice]) -> tuple[UsedPrice, ...]:
        """The exchange rates that were needed to bring these prices into the currency of the question."""
        foreign = {price.currency for price in prices} - {self.currency, ""}
        needed = foreign | {self.currency} if foreign else set()
        return tuple(price for currency, price in self.rates if currency in needed)

    def given(self, label: Message, value: Decimal, unit: Message) -> UsedPrice:
        """A price of the user's, in the currency of the question."""
        return UsedPrice(label, value, unit, self.currency, "", None, None, True, None, False)


def converter_of(billing: Billing, today: date) -> Converter:
    """The converter for a question: published euro rates, where the user gives none of their own."""
    table = exchange_rates()
    per_eur = {currency: row.per_eur for currency, row in table.items()}
    converter = Converter(billing.currency, (), today, ())
    used = {
        currency: converter.listed("price", _rate(currency), row.per_eur, NOTHING, "", row.seen)
        for currency, row in table.items()
        if currency != "EUR"
    }
    if billing.eur_rate is not None:
        per_eur["USD"] = decimal(billing.eur_rate)
        used["USD"] = replace(converter.given(_rate("USD"), per_eur["USD"], NOTHING), currency="")
    if billing.chf_rate is not None:
        per_eur["CHF"] = per_eur["USD"] / decimal(billing.chf_rate)
        used["CHF"] = replace(converter.given(_rate("USD", "CHF"), decimal(billing.chf_rate), NOTHING), currency="")
    return Converter(billing.currency, tuple(per_eur.items()), today, tuple(used.items()))


def _rate(currency: str, base: str = "EUR") -> Message:
    return fact("exchange_rate", of=currency, base=base)


def decimal(number: float) -> Decimal:
    """The decimal number that a float is written as: 0.1 is 0.1."""
    return Decimal(str(number))


def vat_of(billing: Billing) -> Decimal:
    """The share of VAT that the user wants on top of net prices."""
    return decimal(billing.vat_percent) / 100


def cents(amount: Decimal) -> Decimal:
    """Rounded to whole cents, halves away from zero, as bills do."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def per_million(amount: Decimal, tokens: int) -> Decimal:
    """What a million tokens cost if `tokens` cost `amount`: to the cent, below one to a hundredth of it.

    Rounded here and nowhere after, so that paper, page and JSON write the same figure.
    """
    each = amount * 1_000_000 / tokens
    return each.quantize(CENT if each >= 1 else _PER_MILLION, ROUND_HALF_UP)


def plain(number: Decimal) -> str:
    """A number with the digits it has and no others: "0.59", "730"."""
    return f"{number.normalize():f}"


def shown(amount: Decimal, currency: str) -> str:
    """An amount as people read it: "USD 1,234.50"."""
    return f"{currency} {amount:,.2f}"
