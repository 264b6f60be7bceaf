"""Which of a way's prices is the one that people mean by its price."""

from __future__ import annotations

from advisor.costs.money import UsedPrice
from advisor.costs.options import Option
from advisor.words import say


def main_price(option: Option) -> UsedPrice:
    """Of what is typically bought, rented or paid by the token."""
    name = say(option.title)
    return next((price for price in option.prices if name in say(price.label)), option.prices[0])
