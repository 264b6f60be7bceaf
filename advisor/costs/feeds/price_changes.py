"""What a feed would change, in sentences, and which of it is doubtful: a large move, or a provider losing its rows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal

from advisor.costs.price_rows import ApiOffer, CloudOffer, ElectricityPrice

_LARGEST_MOVE = Decimal("0.4")
_KEPT_DAYS = 365


def compare(
    old: Mapping[str, Decimal], new: Mapping[str, Decimal], old_rows: Mapping[str, int], new_rows: Mapping[str, int]
) -> tuple[list[str], list[str]]:
    """What changed, in sentences, and which of it is doubtful: prices by name, numbers of rows by provider."""
    changes, doubts = [], []
    for provider, before in old_rows.items():
        after = new_rows.get(provider, 0)
        if 2 * after < before:
            doubts.append(f"{provider} would keep {after} of {before} rows")
    for name, price in new.items():
        before_price = old.get(name)
        if before_price is None:
            changes.append(f"{name}: new, {price}")
        elif price != before_price:
            move = (price - before_price) / before_price
            changes.append(f"{name}: {before_price} -> {price} ({move:+.1%})")
            if abs(move) > _LARGEST_MOVE:
                doubts.append(f"{name} would move from {before_price} to {price} ({move:+.0%})")
    changes += [f"{name}: gone, was {price}" for name, price in old.items() if name not in new]
    return changes, doubts


def is_history(row: CloudOffer | ApiOffer, today: date) -> bool:
    """Of more than a year ago by its source, or where that is silent by whoever read it last: nobody's price today."""
    seen = row.as_of or row.checked
    return seen is not None and (today - seen).days > _KEPT_DAYS


def rows_by_provider(rows: Iterable[CloudOffer] | Iterable[ApiOffer]) -> Counter[str]:
    """How many rows each provider has."""
    return Counter(row.provider for row in rows)


def cloud_prices(rows: Iterable[CloudOffer]) -> dict[str, Decimal]:
    """The cheapest price by what is rented: instances are called differently from feed to feed."""
    prices: dict[str, Decimal] = {}
    for row in rows:
        name = f"{row.provider}, {row.gpus} x {row.gpu_id}, {row.region}, {row.term}"
        prices[name] = min(row.price_per_hour, prices.get(name, row.price_per_hour))
    return prices


def token_prices(rows: Iterable[ApiOffer]) -> dict[str, Decimal]:
    """Input and output prices by host and model."""
    return {
        f"{row.provider}, {row.model}, {what}": price
        for row in rows
        for what, price in (("input", row.input_per_mtok), ("output", row.output_per_mtok))
    }


def tariffs_by_band(rows: Iterable[ElectricityPrice]) -> dict[str, Decimal]:
    """By the consumption band where one is named: what counts as a country's typical tariff may be another band now."""
    tariffs = {}
    for row in rows:
        band = re.search(r"band I[A-Z]", row.customer)
        tariffs[f"{row.name}, {row.kind}, {band[0] if band else row.case}"] = row.price_per_kwh
    return tariffs
