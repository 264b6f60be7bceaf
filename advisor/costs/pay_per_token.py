"""Paying a host for each token."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from advisor.costs.api_prices import ApiPrice, closed_prices, family_of, prices_of
from advisor.costs.inputs import CostInputs
from advisor.costs.money import MILLION_TOKENS, Converter, decimal, vat_of
from advisor.costs.offer import Offer, Offers
from advisor.costs.outlay import mean_price
from advisor.costs.price_rows import CASES, REGION_NAMES, Case, Discount, Region
from advisor.costs.price_tables import discounts, residency
from advisor.costs.staircase import Staircase, Step
from advisor.costs.terms import api_decline, decline_used
from advisor.foundation.message import Message, as_it_is, fact

_MILLION = 1_000_000


class TokenPrices(NamedTuple):
    """Of a million tokens: sent, written, and sent again where the host still has them (None: no price for that).

    `batch_off` is the share that the host takes off what may wait.
    """

    input: Decimal
    output: Decimal
    cached: Decimal | None
    batch_off: Decimal = Decimal(0)

    def times(self, factor: Decimal) -> TokenPrices:
        """The same prices so many times as high."""
        cached = None if self.cached is None else self.cached * factor
        return TokenPrices(self.input * factor, self.output * factor, cached, self.batch_off)


@lru_cache(maxsize=64)
def pay_per_token(model_id: str | None, inputs: CostInputs, converter: Converter, today: date) -> Offers:
    """Every host of the model; or why there is none. Remembered: all plans of a model share it."""
    if inputs.api.api_input_price is not None and inputs.api.api_output_price is not None:
        cached = None if inputs.api.api_cached_price is None else decimal(inputs.api.api_cached_price)
        given = TokenPrices(decimal(inputs.api.api_input_price), decimal(inputs.api.api_output_price), cached)
        prices = tuple(
            converter.given(fact("price_tokens", of="API", what=what), price, MILLION_TOKENS)
            for what, price in _charged(given, inputs)
        )
        bills, typical = _bills(given, inputs, dict.fromkeys(CASES, Decimal(1))), _typical(given, inputs)
        prices += tuple(decline_used(inputs, converter))
        return (Offer("you", "", fact("your_api"), bills, prices, typical, region=inputs.rent.region),)
    family = None if model_id is None else family_of(model_id)
    offers = () if family is None else prices_of(family, today)
    if not offers:
        return fact("no_host")
    hosts = tuple(_hosted(offer, inputs, converter) for offer in _in_region(offers, inputs.rent.region))
    if not hosts:
        return fact("no_host_there", region=REGION_NAMES[inputs.rent.region])
    return hosts


def _in_region(offers: tuple[ApiPrice, ...], region: Region) -> tuple[ApiPrice, ...]:
    """Those that state this region; where none does, those that state none, which the answer then says."""
    if region == "any":
        return offers
    stated = tuple(offer for offer in offers if _computes_in(offer, region))
    return stated or tuple(offer for offer in offers if offer.region is None)


def _computes_in(offer: ApiPrice, region: Region) -> bool:
    """Whether its host says that it computes there, always or for a surcharge."""
    return offer.region == region or (offer.provider, region) in residency()


def closed_models(inputs: CostInputs, converter: Converter, today: date) -> tuple[Offer, ...]:
    """Models that can only be had by the token, cheapest first for this load: in a region, from who computes there."""
    tokens, region = inputs.load.tokens_per_month, inputs.rent.region
    there = (offer for offer in closed_prices(today) if region == "any" or _computes_in(offer, region))
    found = (_hosted(offer, inputs, converter) for offer in there)
    return tuple(sorted(found, key=lambda hosted: (hosted.bill().cost(tokens), hosted.name)))


def _hosted(offer: ApiPrice, inputs: CostInputs, converter: Converter) -> Offer:
    name = f"{offer.provider}, {offer.model}"
    resident = None if offer.region is not None else residency().get((offer.provider, inputs.rent.region))
    cached, batch = _discount(offer, "cached", inputs), _discount(offer, "batch", inputs)
    again = offer.cached
    if again is None and cached is not None:
        again = offer.input * (1 - cached.percent / 100)
    listed = TokenPrices(offer.input, offer.output, offer.cached)
    prices = [
        converter.listed(
            "price",
            fact("price_tokens", of=name, what=what),
            price,
            MILLION_TOKENS,
            "USD",
            offer.seen,
        )
        for what, price in _charged(listed, inputs)
    ]
    for kind, found in (("cached", cached if offer.cached is None else None), ("batch", batch)):
        if found is not None:
            label = fact("discount_cached", of=name) if kind == "cached" else fact("discount_batch", of=name)
            prices.append(converter.listed("figure", label, found.percent, as_it_is("%"), "", found.seen))
    if resident is not None:
        label = fact("surcharge_region", of=offer.provider, region=REGION_NAMES[inputs.rent.region])
        prices.append(converter.listed("figure", label, resident.percent, as_it_is("%"), "", resident.seen))
    converted = TokenPrices(
        converter.convert(offer.input, "USD"),
        converter.convert(offer.output, "USD"),
        None if again is None else converter.convert(again, "USD"),
        Decimal(0) if batch is None else batch.percent / 100,
    ).times(1 + (Decimal(0) if resident is None else resident.percent / 100))
    moved = converter.range_of(Decimal(1), Decimal(1), Decimal(1), offer.seen.as_of)
    bills, typical = _bills(converted, inputs, moved), _typical(converted, inputs)
    prices += decline_used(inputs, converter)
    return Offer(
        offer.provider,
        name,
        as_it_is(name),
        bills,
        tuple(prices),
        typical,
        notes=_not_reduced(again, batch, inputs),
        region=offer.region if resident is None else resident.region,
        precision=offer.precision,
    )


def _discount(offer: ApiPrice, kind: str, inputs: CostInputs) -> Discount | None:
    asked = inputs.load.cached_percent if kind == "cached" else inputs.load.batch_percent
    return discounts().get((offer.provider, kind)) if asked else None


def _not_reduced(cached: Decimal | None, batch: Discount | None, inputs: CostInputs) -> tuple[Message, ...]:
    """What is counted in full because the host lists nothing less for it."""
    found = []
    if cached is None and inputs.load.cached_percent:
        found.append(fact("cached_in_full"))
    if batch is None and inputs.load.batch_percent:
        found.append(fact("batch_in_full"))
    return tuple(found)


def _charged(prices: TokenPrices, inputs: CostInputs) -> Iterator[tuple[Message, Decimal]]:
    """The prices that a load is charged, with what each is for."""
    yield from ((fact("tokens_input"), prices.input), (fact("tokens_output"), prices.output))
    if prices.cached is not None and inputs.load.cached_percent:
        yield fact("tokens_cached"), prices.cached


def _typical(per_million: TokenPrices, inputs: CostInputs) -> tuple[tuple[str, Decimal], ...]:
    """The prices by the keys under which a user would give them, with what is taken off what may wait."""
    given = [("api_input_price", per_million.input), ("api_output_price", per_million.output)]
    if per_million.cached is not None:
        given.append(("api_cached_price", per_million.cached))
    reduced = _reduced(per_million, inputs)
    return tuple((key, price * reduced) for key, price in given)


def _reduced(per_million: TokenPrices, inputs: CostInputs) -> Decimal:
    return 1 - decimal(inputs.load.batch_percent) / 100 * per_million.batch_off


def _bills(
    per_million: TokenPrices, inputs: CostInputs, moved: dict[Case, Decimal]
) -> tuple[tuple[Case, Staircase], ...]:
    """The bill in each case, by how far the prices may have `moved` since they were seen."""
    return tuple((case, _bill(per_million.times(moved[case]), inputs)) for case in CASES)


def _bill(per_million: TokenPrices, inputs: CostInputs) -> Staircase:
    """Input that a host has in its cache costs less where it has a price for that, and so does what may wait. Prices
    that fall are counted with their mean over the years of use.
    """
    load = inputs.load
    percent = decimal(load.cached_percent) if per_million.cached is not None else Decimal(0)
    share, cached = load.input_share, percent / 100
    tokens_in, tokens_out = load.tokens_in, load.tokens_out
    both = tokens_in + tokens_out
    reduced = _reduced(per_million, inputs)
    fallen = mean_price(api_decline(inputs), 12 * inputs.billing.years)
    steps = []
    for label, part, price, how in (
        (
            fact("bill_input"),
            share * (1 - cached),
            per_million.input,
            fact("how_share", percent=100 - percent, tokens=tokens_in, all=both),
        ),
        (
            fact("bill_cached_input"),
            share * cached,
            per_million.cached or Decimal(0),
            fact("how_share", percent=percent, tokens=tokens_in, all=both),
        ),
        (fact("bill_output"), 1 - share, per_million.output, fact("how_part", tokens=tokens_out, all=both)),
    ):
        if part:
            of_price = fact("how_tokens", share=how, price=price)
            if reduced < 1:
                waiting = decimal(load.batch_percent) / 100
                of_price = fact("how_batch", how=of_price, share=waiting, off=per_million.batch_off)
            if fallen < 1:
                of_price = fact("how_fallen", how=of_price, mean=fallen)
            steps.append(Step(label, Decimal(0), part * price * reduced * fallen / _MILLION, of_price))
    return Staircase(tuple(steps), None, vat_of(inputs.billing), has_units=False)
