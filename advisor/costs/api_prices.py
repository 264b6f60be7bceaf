"""What hosts ask for a model's tokens: the package genai-prices where it knows the model, else our table.

The package ships its prices and works offline. Its ids are not ours, so each row of data/prices/api.csv names the
package's provider and model; a row the package does not know (any more) keeps the table's price.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any

from advisor.costs.price_rows import ApiOffer
from advisor.costs.price_tables import api_offers
from advisor.foundation.compiled import of_the_program
from advisor.foundation.dated_rows import Seen
from advisor.foundation.kept_rows import Lazily, Rows, places_by

GENAI_PRICES = "genai-prices"
_PACKAGE = "https://github.com/pydantic/genai-prices (the installed package)"
_SAME_MODEL = re.compile(r"(-(instruct|it|thinking|chat|\d{4}|gguf|awq|gptq|fp8|int8|int4|mlx|4bit|8bit))*")
# Catalogue models whose id is not their family's name with a suffix.
_FAMILIES = {
    "deepseek-r1": "deepseek-r1-671b",
    "deepseek-r1-0528": "deepseek-r1-671b",
    "deepseek-v3": "deepseek-v3-671b",
    "deepseek-v3-0324": "deepseek-v3-671b",
    "deepseek-v3.1": "deepseek-v3.1-671b",
    "deepseek-v3.2": "deepseek-v3.2-685b",
    "llama-4-maverick-17b-128e-instruct": "llama-4-maverick-400b-a17b",
    "llama-4-scout-17b-16e-instruct": "llama-4-scout-109b-a17b",
    "mistral-nemo-instruct-2407": "mistral-nemo-12b",
    "mistral-small-3.1-24b-instruct-2503": "mistral-small-24b",
    "mistral-small-3.2-24b-instruct-2506": "mistral-small-24b",
    "mistral-small-24b-instruct-2501": "mistral-small-24b",
    "phi-4": "phi-4-14b",
    "phi-4-mini-instruct": "phi-4-mini-3.8b",
}


@dataclass(frozen=True, slots=True)
class ApiPrice:
    """US dollars for a million tokens; `cached` is asked for input that a host still has, if it says so."""

    provider: str
    model: str
    family: str
    open_weights: bool
    input: Decimal
    output: Decimal
    cached: Decimal | None
    seen: Seen

    @property
    def precision(self) -> str | None:
        """In how many bits the host says it stores the weights, such as "FP8"; None where it does not say."""
        stated = re.search(r"[-_](fp8|nvfp4|mxfp4|fp4|int8|int4|awq|gptq|bf16)(?![a-z0-9])", self.model.lower())
        return None if stated is None else stated[1].upper()

    @property
    def region(self) -> str | None:
        """Where the host says it computes: "eu" of "Mistral (EU)"; None where it does not say."""
        stated = re.search(r"\((EU|US|CH)\)$", self.provider)
        return None if stated is None else stated[1].lower()


@cache
def family_of(model_id: str) -> str | None:
    """The family under which hosts' prices for a model are filed; None if nobody is known to serve it.

    `model_id` is a catalogue id, or a Hub repository: its name must be the family's with suffixes that do not change
    what a host would serve, so a fine-tune is not priced as the model it was made from.
    """
    name = model_id.rpartition("/")[2].lower()
    if name in _FAMILIES:
        return _FAMILIES[name]
    fitting = [
        family for family in _by_family() if name.startswith(family) and _SAME_MODEL.fullmatch(name, len(family))
    ]
    return max(fitting, key=len, default=None)


@lru_cache(maxsize=512)
def prices_of(family: str, on: date) -> tuple[ApiPrice, ...]:
    """What each host asks on a day for an open-weight model of this family, without those that have retired it."""
    return tuple(_current(row, on) for row in _by_family().get(family, ()) if _is_offered(row, on))


@lru_cache(maxsize=4)
def closed_prices(on: date) -> tuple[ApiPrice, ...]:
    """Models whose weights are not to be had, which people compare with."""
    rows = (row for row in api_offers() if row.open_weights == "no" and _is_offered(row, on))
    return tuple(_current(row, on) for row in rows)


@cache
def _by_family() -> Mapping[str, Rows[ApiOffer]]:
    """Offers of open-weight models."""
    rows = api_offers()
    return Lazily(places_by("api", rows, lambda row: row.family if row.open_weights == "yes" else None), rows.only)


def _is_offered(row: ApiOffer, on: date) -> bool:
    return row.retires_on is None or on < row.retires_on


def _current(row: ApiOffer, on: date) -> ApiPrice:
    """The row with the package's price, where the package knows it."""
    listed = (row.input_per_mtok, row.output_per_mtok, row.cached_per_mtok)
    found = listed
    if row.feed == GENAI_PRICES:
        try:
            found = _packaged_on(on)[row.feed_key]
        except KeyError:
            found = listed
    return ApiPrice(
        provider=row.provider,
        model=row.model,
        family=row.family,
        open_weights=row.open_weights == "yes",
        input=found[0],
        output=found[1],
        cached=found[2],
        seen=row.seen if found[:2] == listed[:2] else row.seen._replace(source=_PACKAGE),
    )


@lru_cache(maxsize=4)
def _packaged_on(day: date) -> Mapping[str, tuple[Decimal, Decimal, Decimal | None]]:
    """The package's prices of our rows on a day, by their keys, without those that it does not know.

    Loading the package takes as long as all else of a question, so they are kept.
    """

    def made() -> dict[str, list[str | None]]:
        return _written(sorted({row.feed_key for row in api_offers() if row.feed == GENAI_PRICES}), day)

    kept = of_the_program("api-prices", made, day.isoformat())
    return MappingProxyType(
        {
            key: (Decimal(asked), Decimal(written), None if cached is None else Decimal(cached))
            for key, (asked, written, cached) in kept.items()
        }
    )


def _written(keys: Iterable[str], day: date) -> dict[str, list[str | None]]:
    found: dict[str, list[str | None]] = {}
    at = datetime.combine(day, time(12), UTC)
    for key in keys:
        with suppress(LookupError):
            found[key] = [None if price is None else str(price) for price in packaged_price(key, at)]
    return found


def packaged_price(key: str, at: datetime) -> tuple[Decimal, Decimal, Decimal | None]:
    """Input, output and cached-input price of "provider/model" at a time; raises LookupError if it is not known.

    Where a price rises with the length of the prompt it is the first tier's.
    """
    provider, _, model = key.partition("/")
    found = _packaged_models().get((provider, model))
    if found is None:
        raise LookupError(key)
    prices = found.get_prices(at)
    values = [
        getattr(price, "base", price)
        for price in (getattr(prices, name, None) for name in ("input_mtok", "output_mtok", "cache_read_mtok"))
    ]
    if not values[0] or not values[1]:
        raise LookupError(key)
    return Decimal(values[0]), Decimal(values[1]), None if values[2] is None else Decimal(values[2])


def packaged_since(day: date) -> Mapping[str, date]:
    """Since when the package's price of "provider/model" holds, of models that it says are still offered; without
    prices whose first day it does not say.
    """
    found = {}
    for (provider, name), model in _packaged_models().items():
        prices = model.prices if isinstance(model.prices, list) else []
        starts = [getattr(price.constraint, "start_date", None) for price in prices]
        begun = [start for start in starts if start is not None and start <= day]
        if begun and not model.deprecated:
            found[f"{provider}/{name}"] = max(begun)
    return MappingProxyType(found)


def packaged_context(key: str) -> int | None:
    """The longest context of "provider/model" that the package knows."""
    provider, _, model = key.partition("/")
    found = _packaged_models().get((provider, model))
    return None if found is None else found.context_window


@cache
def _packaged_models() -> Mapping[tuple[str, str], Any]:
    # Imported late: the package's data takes 0.2 s to load, which a question without an API need not wait for.
    from genai_prices.data_snapshot import get_snapshot

    return {(provider.id, model.id): model for provider in get_snapshot().providers for model in provider.models}
