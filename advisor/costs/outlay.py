"""What one way takes over the years: at once, month by month, and back at the end; and what that is worth today."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache

from advisor.costs.money import cents

_NEVER_MONTHS = 1200


@dataclass(frozen=True, slots=True)
class Outlay:
    """What one case takes: at once, then every month without depreciation; and what comes back at the end.

    `capital` is what of a month is the cost of capital, which nobody is paid. Where `decline` is not 0 the price falls
    by that share each year, and `monthly` is the mean of `months`, the whole time.
    """

    upfront: Decimal
    monthly: Decimal
    resale: Decimal
    months: int
    capital: Decimal = Decimal(0)
    decline: Decimal = Decimal(0)

    def paid(self, months: int) -> Decimal:
        """What has been paid after so many months, before anything is sold again."""
        if not self.decline:
            return self.upfront + months * self.monthly
        share = sum(_falling(self.decline, months), Decimal(0)) / sum(_falling(self.decline, self.months), Decimal(0))
        return self.upfront + cents(self.monthly * self.months * share)

    @property
    def total(self) -> Decimal:
        """After all of the time, and after resale."""
        return self.paid(self.months) - self.resale

    def present_value(self, rate: Decimal) -> Decimal:
        """All payments and the resale, discounted to today at a rate a year: those of a month at its end.

        The cost of capital is left out: the rate stands for it.
        """
        if not rate:
            return self.total - self.months * self.capital
        each = self.monthly - self.capital
        falls = _falling(self.decline, self.months)
        mean = sum(falls, Decimal(0)) / self.months
        discounts = _discounts(rate, self.months)
        running = sum((each * fall / mean * worth for fall, worth in zip(falls, discounts, strict=True)), Decimal(0))
        return cents(self.upfront + running - self.resale * discounts[-1])


def months_until(bought: Outlay, other: Outlay) -> int | None:
    """After how many months a purchase has cost no more than something else, without counting on a resale."""
    if other.decline:
        found = (month for month in range(1, other.months + 1) if bought.paid(month) <= other.paid(month))
        return next(found, None)
    saved = other.monthly - bought.monthly
    if saved <= 0:
        return None
    months = int((bought.upfront / saved).to_integral_value(ROUND_CEILING))
    return months if months <= _NEVER_MONTHS else None


@lru_cache(maxsize=256)
def _falling(decline: Decimal, months: int) -> tuple[Decimal, ...]:
    """The price of each month over the first one's."""
    return tuple((1 - decline) ** (Decimal(month) / 12) for month in range(months))


@lru_cache(maxsize=256)
def _discounts(rate: Decimal, months: int) -> tuple[Decimal, ...]:
    """What a payment at the end of each month is worth today."""
    return tuple((1 + rate) ** (-Decimal(month) / 12) for month in range(1, months + 1))


@lru_cache(maxsize=256)
def mean_price(decline: Decimal, months: int) -> Decimal:
    """The mean of a price over so many months, over today's, where it falls by a share each year."""
    return round(sum(_falling(decline, months), Decimal(0)) / months, 4)
