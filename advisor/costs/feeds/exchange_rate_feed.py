"""What the European Central Bank says a euro buys, as rows of data/prices/exchange_rates.csv."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date

from advisor.costs.feeds.feed_rows import amount, checked
from advisor.costs.feeds.fetch import FeedError
from advisor.costs.price_rows import ExchangeRate


def ecb_rates(text: str, source: str, wanted: Collection[str], today: date) -> tuple[ExchangeRate, ...]:
    """The day's reference rates of the `wanted` currencies; raises FeedError.

    The file is XML, of which only <Cube time='2026-11-24'> and <Cube currency='USD' rate='1.14'/> matter.
    """
    day = re.search(r"<Cube\s+time=['\"](\d{4}-\d\d-\d\d)['\"]", text)
    found = dict(re.findall(r"<Cube\s+currency=['\"]([A-Z]{3})['\"]\s+rate=['\"]([^'\"]{1,20})['\"]", text))
    others = [currency for currency in wanted if currency != "EUR"]
    if day is None or not set(others) <= set(found):
        raise FeedError("ECB: the file names no day, or no rate of {others}.", others=" and ".join(others))
    rates = {"EUR": "1"} | {currency: found[currency] for currency in others}
    try:
        as_of = date.fromisoformat(day[1])
    except ValueError:
        raise FeedError("ECB: {day} is no day.", day=day[1]) from None
    return tuple(
        checked(
            ExchangeRate,
            "ECB",
            {
                "currency": currency,
                "per_eur": amount("ECB", 0, currency, rate),
                "as_of": as_of,
                "checked": today,
                "source": "by definition" if currency == "EUR" else source,
            },
        )
        for currency, rate in rates.items()
    )
