"""Paying a host for each token."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from advisor.costs.api_prices import ApiPrice, closed_prices, family_of, prices_of
from advisor.costs.inputs import CostInputs
from advisor.costs.money import Converter, UsedPrice, decimal, plain, vat_of
from advisor.costs.price_tables import REGION_NAMES, Region
from advisor.costs.staircase import Staircase, Step
from advisor.foundation.message import Message, fact

_MILLION = 1_000_000


class TokenPrices(NamedTuple):
    """Of a million tokens: sent, written, and sent again where the host still has them (None: no price for that)."""

    input: Decimal
    output: Decimal
    cached: Decimal | None


@dataclass(frozen=True, slots=True)
class Hosted:
    """One host's offer with its bill."""

    provider: str
    name: str
    bill: Staircase
    typical_inputs: tuple[tuple[str, Decimal], ...]
    prices: tuple[UsedPrice, ...]
    region: str | None = None

    @property
    def per_token(self) -> Decimal:
        """What an average token of the load costs, VAT included."""
        return self.bill.per_token


@lru_cache(maxsize=64)
def pay_per_token(
    model_id: str | None, inputs: CostInputs, converter: Converter, today: date
) -> tuple[tuple[Hosted, ...], Message | None]:
    """Every host of the model; and where there is none, why. Remembered: all plans of a model share it."""
    if inputs.api.api_input_price is not None and inputs.api.api_output_price is not None:
        cached = None if inputs.api.api_cached_price is None else decimal(inputs.api.api_cached_price)
        given = TokenPrices(decimal(inputs.api.api_input_price), decimal(inputs.api.api_output_price), cached)
        prices = tuple(
            converter.given(f"API, {what}", price, "million tokens") for what, price in _charged(given, inputs)
        )
        return (_hosted_at("you", "your API", given, prices, inputs, inputs.rent.region),), None
    family = None if model_id is None else family_of(model_id)
    offers = () if family is None else prices_of(family, today)
    if not offers:
        return (), fact("no_host")
    hosts = tuple(_hosted(offer, inputs, converter) for offer in _in_region(offers, inputs.rent.region))
    if not hosts:
        return (), fact("no_host_there", region=REGION_NAMES[inputs.rent.region])
    return hosts, None


def _in_region(offers: tuple[ApiPrice, ...], region: Region) -> tuple[ApiPrice, ...]:
    """Those that state this region; where none does, those that state none, which the answer then says."""
    if region == "any":
        return offers
    stated = tuple(offer for offer in offers if offer.region == region)
    return stated or tuple(offer for offer in offers if offer.region is None)


def closed_models(inputs: CostInputs, converter: Converter, today: date) -> tuple[Hosted, ...]:
    """Models that can only be had by the token, cheapest first for this load."""
    tokens = inputs.load.tokens_per_month
    found = (_hosted(offer, inputs, converter) for offer in closed_prices(today))
    return tuple(sorted(found, key=lambda hosted: (hosted.bill.cost(tokens), hosted.name)))


def _hosted(offer: ApiPrice, inputs: CostInputs, converter: Converter) -> Hosted:
    name = f"{offer.provider}, {offer.model}"
    listed = TokenPrices(offer.input, offer.output, offer.cached)
    prices = tuple(
        converter.listed("api", f"{name}, {what}", price, "million tokens", "USD", offer.source, offer.seen_on)
        for what, price in _charged(listed, inputs)
    )
    converted = TokenPrices(
        converter.convert(offer.input, "USD"),
        converter.convert(offer.output, "USD"),
        None if offer.cached is None else converter.convert(offer.cached, "USD"),
    )
    return _hosted_at(offer.provider, name, converted, prices, inputs, offer.region)


def _charged(prices: TokenPrices, inputs: CostInputs) -> Iterator[tuple[str, Decimal]]:
    """The prices that a load is charged, with what each is for."""
    yield from (("input", prices.input), ("output", prices.output))
    if prices.cached is not None and inputs.load.cached_percent:
        yield "cached input", prices.cached


def _hosted_at(
    provider: str,
    name: str,
    per_million: TokenPrices,
    prices: tuple[UsedPrice, ...],
    inputs: CostInputs,
    region: str | None,
) -> Hosted:
    given = [("api_input_price", per_million.input), ("api_output_price", per_million.output)]
    if per_million.cached is not None:
        given.append(("api_cached_price", per_million.cached))
    return Hosted(provider, name, _bill(per_million, inputs), tuple(given), prices, region)


def _bill(per_million: TokenPrices, inputs: CostInputs) -> Staircase:
    """Input that a host has in its cache costs less where it has a price for that."""
    percent = decimal(inputs.load.cached_percent) if per_million.cached is not None else Decimal(0)
    share, cached = inputs.load.input_share, percent / 100
    both = inputs.load.tokens_in + inputs.load.tokens_out
    steps = []
    for label, part, price, how in (
        (
            "Input tokens",
            share * (1 - cached),
            per_million.input,
            f"{plain(100 - percent)} % of {inputs.load.tokens_in}/{both}",
        ),
        (
            "Cached input tokens",
            share * cached,
            per_million.cached or Decimal(0),
            f"{plain(percent)} % of {inputs.load.tokens_in}/{both}",
        ),
        ("Output tokens", 1 - share, per_million.output, f"{inputs.load.tokens_out}/{both}"),
    ):
        if part:
            how = f"{how} of the tokens at {plain(price)} a million"
            steps.append(Step(label, Decimal(0), part * price / _MILLION, how))
    return Staircase(tuple(steps), None, vat_of(inputs.billing), has_units=False)
