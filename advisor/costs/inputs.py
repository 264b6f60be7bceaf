"""What the user says about load, terms and prices. Field names are keys of a link: names and defaults never change.

Prices the user gives are net of VAT and in the `currency` of the question; None takes the price tables' value, or where
nothing is published leaves the item out of the sum, which the answer then says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from advisor.costs.price_rows import Currency, Customer, Region, RentalTerm
from advisor.costs.price_tables import currencies, electricity_prices
from advisor.foundation.errors import ImpossibleValue, choose_one_of, nearest, one_line, resembling
from advisor.foundation.message import sentence
from advisor.foundation.numbers import exact
from advisor.foundation.parts import Composed, Part

HOURS_PER_MONTH = Decimal(730)  # 365 days x 24 hours / 12
MAX_TOKENS_PER_MONTH = 10**15
_MAX_PRICE = 1e9
_SMALLEST_PRICE = 1e-9


def _choice(what: str, *options: str) -> BeforeValidator:
    """Refuse what is not among the options, in one sentence."""
    return BeforeValidator(lambda value: _among(what, options, value))


def _among(what: str, options: Sequence[str], value: Any) -> Any:
    if isinstance(value, str) and value not in options:
        raise ImpossibleValue(
            "Unknown {what} '{value}'; {hint}", what=what, value=one_line(value), hint=choose_one_of(options)
        )
    return value


def _currency(value: Any) -> Any:
    return _among("currency", currencies(), value)


def _country(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    known = dict.fromkeys(country for country, _ in electricity_prices())
    code = value.upper()
    if code not in known:
        close = resembling(code, known)
        hint = nearest(code, known) or sentence("give electricity_price, or country=WORLD for the world's average.")
        raise ImpossibleValue(
            "No electricity price is known for country '{value}'; {hint}", close, value=one_line(value), hint=hint
        )
    return code


def _price(value: float, info: ValidationInfo) -> float:
    if value < 0:
        raise ImpossibleValue(
            "A price cannot be negative: {name}={value:exact}; leave it out for the listed price.",
            name=str(info.field_name),
            value=value,
        )
    if value > _MAX_PRICE:
        raise ImpossibleValue(
            "A price of {name}={value:exact} is not possible: at most {most:,.0f}.",
            name=str(info.field_name),
            value=value,
            most=_MAX_PRICE,
        )
    # Also keeps every division by a price within what Decimal can show.
    if 0 < value < _SMALLEST_PRICE:
        raise ImpossibleValue(
            "A price of {name}={value} is too small to count: give 0 if it is free.",
            name=str(info.field_name),
            value=one_line(exact(value)),
        )
    return value


def _paid_price(value: float, info: ValidationInfo) -> float:
    if value == 0:
        raise ImpossibleValue(
            "This price or rate cannot be 0: {name}=0; leave it out for the listed one.", name=str(info.field_name)
        )
    return value


def _hours(value: float) -> float:
    if not 0 < value <= HOURS_PER_MONTH:
        raise ImpossibleValue(
            "A machine has to run to serve anybody: hours_per_month={value:exact} must be above 0 and at most {most} "
            "(always on).",
            value=value,
            most=HOURS_PER_MONTH,
        )
    return value


def _requests(value: float) -> float:
    if not value >= 1 / 31:
        raise ImpossibleValue(
            "There is no load to compare costs for: requests_per_day={value} must be at least 0.033 (one a month).",
            value=one_line(exact(value)),
        )
    return value


Price = Annotated[float | None, AfterValidator(lambda v, info: v if v is None else _price(v, info))]
PaidPrice = Annotated[
    float | None,
    AfterValidator(lambda v, info: v if v is None else _paid_price(_price(v, info), info)),
]
Percent = Annotated[float | None, Field(ge=0, le=100)]
Watts = Annotated[float | None, Field(ge=0, le=1_000_000)]
Buyer = Literal["hobby", "small-company", "data-centre"]


class Load(Part):
    """What has to be served: `tokens_in` and `tokens_out` are per request, `peak_factor` is the busiest hour over the
    average one, `hours_per_month` is how long the machines serve (730: always). `cached_percent` of the input tokens
    were sent before: a machine of one's own reads them from its prefix cache, an API bills them as cached.
    `batch_percent` of the requests may wait for hours: they come outside the busiest hour, and at hosts' batch prices.
    """

    requests_per_day: Annotated[float, AfterValidator(_requests)] = 1000
    tokens_in: int = Field(1000, ge=0)
    tokens_out: int = Field(200, ge=0)
    peak_factor: float = Field(3, ge=1, le=1000)
    hours_per_month: Annotated[float, AfterValidator(_hours)] = 730
    cached_percent: float = Field(0, ge=0, le=100)
    batch_percent: float = Field(0, ge=0, le=100)

    @model_validator(mode="after")
    def _adds_up(self) -> Load:
        if self.tokens_in + self.tokens_out == 0:
            raise ImpossibleValue("There is no load to compare costs for: tokens_in and tokens_out are both 0.")
        if self._exact_tokens_per_month > MAX_TOKENS_PER_MONTH:
            raise ImpossibleValue(
                "This is more than 10^15 tokens a month, beyond what all providers serve together: "
                "check requests_per_day, tokens_in and tokens_out."
            )
        return self

    @property
    def tokens_per_month(self) -> int:
        """Input and output tokens of a month of 365/12 days, rounded up: the load that everything is priced for."""
        return ceil(self._exact_tokens_per_month)

    @property
    def _exact_tokens_per_month(self) -> Fraction:
        # A fraction: a twelfth of 365 days has no end as a decimal, and a float would overflow.
        return Fraction(str(self.requests_per_day)) * (self.tokens_in + self.tokens_out) * 365 / 12

    @property
    def read_percent(self) -> Decimal:
        """Of the input tokens, those that no cache has yet."""
        return 100 - Decimal(str(self.cached_percent))

    @property
    def peak(self) -> Decimal:
        """The busiest hour over the average one, where what may wait fills the others."""
        now = 1 - Decimal(str(self.batch_percent)) / 100
        return max(Decimal(1), Decimal(str(self.peak_factor)) * now)

    @property
    def input_share(self) -> Decimal:
        """Input tokens over all tokens."""
        return Decimal(self.tokens_in) / (self.tokens_in + self.tokens_out)


class Billing(Part):
    """In what money, for how long, and for whom: what nobody says of staff, support, capital and space is nothing for a
    hobby, else as usual for such a buyer (`advisor/costs/terms.py`). `eur_rate` and `chf_rate` are US dollars for one
    euro and one franc; `vat_percent` is put on top of every option.
    """

    currency: Annotated[Currency, BeforeValidator(_currency)] = "USD"
    eur_rate: PaidPrice = None
    chf_rate: PaidPrice = None
    vat_percent: float = Field(0, ge=0, le=100)
    years: int = Field(3, ge=1, le=5)
    buyer: Annotated[Buyer, _choice("buyer", "hobby", "small-company", "data-centre")] = "hobby"


class OwnTerms(Part):
    """Buying and looking after it: `device_price` is one device (as the catalogue sells it), `host_price` the computer
    around the devices of one machine; `admin_hours` (a month), `support_per_year` and `colocation_per_month` are for
    each machine; `market`: whether it is bought new or used, "any" takes used where no new price is known;
    `resale_percent` is what hardware fetches after the years of use. `spare_machines` are bought beyond
    those that the load takes, `downtime_percent` of the time a machine serves nobody. `operation_hours` (a month) keep
    the model served, however many machines do it, owned or rented.
    """

    market: Annotated[Literal["any", "new", "used"], _choice("market", "any", "new", "used")] = "any"
    device_price: Price = None
    host_price: Price = None
    resale_percent: Percent = None
    cost_of_capital_percent: Percent = None
    colocation_per_month: Price = None
    admin_hours: float | None = Field(None, ge=0, le=1000)
    admin_rate: Price = None
    support_per_year: Price = None
    operation_hours: float | None = Field(None, ge=0, le=10_000)
    spare_machines: int | None = Field(None, ge=0, le=1000)
    downtime_percent: float | None = Field(None, ge=0, le=50)

    @model_validator(mode="after")
    def _adds_up(self) -> OwnTerms:
        if self.admin_hours and self.admin_rate is None:
            raise ImpossibleValue("Give admin_rate, the price of one hour, with admin_hours.")
        return self


class PowerTerms(Part):
    """Electricity of what is owned: `*_w` are watts of one device or host, of which `power_limit_w` is set as a card's
    limit, the others are a meter's; `utilisation_percent` replaces the share of
    the hours in which the devices compute, which otherwise follows from load and speed.
    """

    country: Annotated[str, BeforeValidator(_country)] = "US"
    customer: Annotated[Customer, _choice("customer", "business", "household")] = "business"
    electricity_price: Price = None
    pue: float | None = Field(None, ge=1, le=5)
    co2_g_per_kwh: float | None = Field(None, ge=0, le=5000)
    utilisation_percent: Percent = None
    device_load_w: Watts = None
    device_idle_w: Watts = None
    host_load_w: Watts = None
    host_idle_w: Watts = None
    power_limit_w: float | None = Field(None, ge=10, le=10_000)


class RentTerms(Part):
    """Renting: where and how; `rent_gpu=any` also takes other GPUs with enough memory that are no slower to read it."""

    region: Annotated[Region, _choice("region", "ch", "eu", "us", "any")] = "any"
    term: Annotated[RentalTerm, _choice("term", "on-demand", "spot", "1-year")] = "on-demand"
    rent_gpu: Annotated[Literal["same", "any"], _choice("rent_gpu", "same", "any")] = "same"
    instance_price: PaidPrice = None
    storage_gb: float = Field(0, ge=0, le=1_000_000_000)
    storage_price: Price = None
    egress_gb: float = Field(0, ge=0, le=1_000_000_000)
    egress_price: Price = None

    @model_validator(mode="after")
    def _adds_up(self) -> RentTerms:
        if self.storage_gb and self.storage_price is None:
            raise ImpossibleValue("Give storage_price, the price of a GB a month, with storage_gb.")
        if self.egress_gb and self.egress_price is None:
            raise ImpossibleValue("Give egress_price, the price of a GB, with egress_gb.")
        return self


class ApiTerms(Part):
    """Prices of an API of the user's, per million tokens; and by how much prices of APIs fall in a year."""

    api_input_price: Price = None
    api_output_price: Price = None
    api_cached_price: Price = None
    api_decline_percent: float | None = Field(None, ge=0, le=99)

    @model_validator(mode="after")
    def _adds_up(self) -> ApiTerms:
        if (self.api_input_price is None) != (self.api_output_price is None):
            raise ImpossibleValue("Give api_input_price and api_output_price together, or neither.")
        if self.api_input_price is not None and not (self.api_input_price or self.api_output_price):
            raise ImpossibleValue(
                "An API that is free needs no comparison: api_input_price and api_output_price are both 0."
            )
        if self.api_cached_price is not None and self.api_input_price is None:
            raise ImpossibleValue("Give api_input_price and api_output_price with api_cached_price.")
        return self


@dataclass(frozen=True)
class CostInputs(Composed):
    """The load, and the terms on which it can be served. Money is in the currency of `billing`, percentages are 0 to
    100.
    """

    load: Load = field(default_factory=Load.usual)
    billing: Billing = field(default_factory=Billing.usual)
    own: OwnTerms = field(default_factory=OwnTerms.usual)
    power: PowerTerms = field(default_factory=PowerTerms.usual)
    rent: RentTerms = field(default_factory=RentTerms.usual)
    api: ApiTerms = field(default_factory=ApiTerms.usual)
