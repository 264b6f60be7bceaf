"""What LiteLLM's price table and the package genai-prices say, as rows of data/prices/api.csv."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from advisor.costs.api_prices import GENAI_PRICES, packaged_context, packaged_price, packaged_since
from advisor.costs.feeds.feed_models import families, family_meant
from advisor.costs.feeds.feed_rows import amount, checked
from advisor.costs.feeds.fetch import FeedError
from advisor.costs.price_rows import ApiOffer

_MILLION = 1_000_000
_NEW_DAYS = 365  # a price of longer ago says nothing of today's
_PACKAGE = "https://github.com/pydantic/genai-prices"


def litellm_offers(models: dict[str, Any], rows: Iterable[ApiOffer], today: date) -> tuple[ApiOffer, ...]:
    """Our rows with today's prices; a model that is gone or has passed its last day is left out. Raises FeedError."""
    if "sample_spec" not in models:
        raise FeedError("LiteLLM: the entry 'sample_spec' is missing, so this is not its price table.")
    found = []
    for row in rows:
        entry = models.get(row.feed_key)
        if not isinstance(entry, dict):
            continue
        prices = {
            column: _per_million(row.feed_key, entry.get(key))
            for column, key in (
                ("input_per_mtok", "input_cost_per_token"),
                ("output_per_mtok", "output_cost_per_token"),
                ("cached_per_mtok", "cache_read_input_token_cost"),
            )
        }
        if not prices["input_per_mtok"] or not prices["output_per_mtok"]:
            raise FeedError("LiteLLM: {feed_key} has no price for input or output tokens.", feed_key=row.feed_key)
        last_day = entry.get("deprecation_date")
        retires = last_day if isinstance(last_day, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", last_day) else None
        offer = checked(
            ApiOffer,
            "LiteLLM",
            {
                **row.model_dump(),
                **prices,
                "as_of": today,
                "checked": today,
                "retires_on": retires or row.retires_on,
                "source": row.source.partition(" (")[0],
            },
        )
        if offer.retires_on is None or today < offer.retires_on:
            found.append(offer)
    return tuple(found)


def packaged_offers(rows: Iterable[ApiOffer], version: str, today: date) -> tuple[ApiOffer, ...]:
    """Our rows with the prices of the installed genai-prices; one it does not know any more keeps what it has."""
    found = []
    for row in rows:
        try:
            prices = packaged_price(row.feed_key, datetime.combine(today, time(12), UTC))
        except LookupError:
            found.append(row)
            continue
        if prices == (row.input_per_mtok, row.output_per_mtok, row.cached_per_mtok):
            found.append(row.model_copy(update={"checked": today}))
            continue
        changed = {
            "input_per_mtok": prices[0],
            "output_per_mtok": prices[1],
            "cached_per_mtok": prices[2],
            "as_of": None,  # the package does not say when it looked
            "checked": today,
            "source": f"{row.source.partition(' (')[0]} (package {version})",
        }
        found.append(checked(ApiOffer, GENAI_PRICES, {**row.model_dump(), **changed}))
    return tuple(found)


def unlisted_offers(rows: Iterable[ApiOffer], version: str, today: date) -> tuple[ApiOffer, ...]:
    """What hosts of the table ask for further open models of the catalogue, where genai-prices knows since when."""
    rows = tuple(rows)
    keys, known = {row.feed_key for row in rows}, families(rows)
    hosts = {row.feed_key.partition("/")[0]: row.provider for row in rows if row.feed == GENAI_PRICES}
    listed = {(row.provider, row.model) for row in rows}
    found = []
    for key, since in sorted(packaged_since(today).items()):
        host, _, name = key.partition("/")
        family = family_meant(name, known)
        if key in keys or host not in hosts or family is None or (today - since).days > _NEW_DAYS:
            continue
        try:
            prices = packaged_price(key, datetime.combine(today, time(12), UTC))
        except LookupError:  # a price that is nothing
            continue
        if (hosts[host], name) in listed:
            continue
        values = {
            "provider": hosts[host],
            "model": name,
            "family": family,
            "open_weights": "yes",
            "input_per_mtok": prices[0],
            "output_per_mtok": prices[1],
            "cached_per_mtok": prices[2],
            "context_tokens": packaged_context(key),
            "as_of": since,
            "checked": today,
            "retires_on": None,
            "source": f"{_PACKAGE} (package {version})",
            "feed": GENAI_PRICES,
            "feed_key": key,
            "notes": "",
        }
        found.append(checked(ApiOffer, GENAI_PRICES, values))
    return tuple(found)


def _per_million(model: str, cost: object) -> Decimal | None:
    if cost is None:
        return None
    if isinstance(cost, bool) or not isinstance(cost, int | float | str):
        raise FeedError("LiteLLM: a price of {model} is no number.", model=model)
    # Costs a token are floats such as 1.5e-07; eight digits are what a price list has.
    return round(amount("LiteLLM", 0, model, str(cost)) * _MILLION, 8).normalize()
