"""The price tables in data/prices/: what a row must hold, and which row is broken why.

Every row names its source and two days, blank where not known: the source's own (`as_of`, of a month its first day)
and ours (`checked`). Prices are net of VAT, in the currency named.
"""

import csv
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, model_validator

from advisor.foundation.csv_rows import BlankIsNone, Filled, read_rows
from advisor.foundation.dated_rows import DatedRow, Day, Link, Seen
from advisor.foundation.message import Message, fact
from advisor.foundation.places import data_folder

FOLDER = data_folder() / "prices"

# A currency is a row of exchange_rates.csv and nothing else: `currencies` lists them.
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Region = Literal["ch", "eu", "us", "any"]
REGION_NAMES: dict[Region, Message] = {
    "ch": fact("region_ch"),
    "eu": fact("region_eu"),
    "us": fact("region_us"),
    "any": fact("region_any"),
}
RentalTerm = Literal["on-demand", "spot", "1-year"]
Customer = Literal["business", "household"]
Case = Literal["low", "typical", "high"]
CASES: tuple[Case, ...] = ("low", "typical", "high")

# What tells rows apart.
CLOUD_KEY = ("provider", "region", "instance", "gpu_id", "term")
API_KEY = ("provider", "model")
ELECTRICITY_KEY = ("country", "kind", "case")
GRID_KEY = ("country",)
RESIDENCY_KEY = ("provider", "region")
RESALE_KEY = ("kind", "year")
DISCOUNT_KEY = ("provider", "kind")
# Parameters of tco.csv that costs are computed with.
NEEDED_FIGURES = (
    "gpu_utilisation_in_practice",
    "pue",
    "card_power_writing",
    "card_power_reading",
    "card_power_idle_loaded",
    "module_power_idle_loaded",
    "ram_udimm",
    "ram_rdimm",
    "cost_of_capital",
    "admin_hours_per_server_month",
    "staff_rate",
    "operation_hours",
    "hardware_repairs",
    "support_contract",
    "colocation_per_kw_month",
    "downtime",
    "network",
    "api_price_decline",
    "old_price",
)

# Kinds of resale.csv that machines are sold again as.
RESALE_KINDS = ("card", "data-centre", "mac")
# Classes of hosts.csv that plans are bought with.
NEEDED_HOSTS = ("desktop", "workstation-2", "workstation-4", "server-8", "board-8", "rack-cpu")

_Price = Annotated[Decimal, Field(gt=0, lt=1_000_000, allow_inf_nan=False)]


class CloudOffer(DatedRow):
    """What one provider asks an hour, under one term, for an instance or for a single GPU of a larger server.

    `sold_by` "gpu": any number of GPUs up to a server's eight at this price each; "instance": only whole instances
    with `gpus` GPUs. `currencies`: where the provider asks the same number in several currencies, all of them.
    `feed`: what `refresh` can update it from.
    """

    provider: Filled
    region: Region
    instance: Filled
    gpu_id: Filled
    gpus: Annotated[int, Field(ge=1, le=64)]
    sold_by: Literal["instance", "gpu"]
    term: RentalTerm
    price_per_hour: _Price
    currencies: Annotated[str, Field(pattern=r"^[A-Z]{3}( [A-Z]{3})*$")]
    feed: str
    notes: str

    @model_validator(mode="after")
    def _one_gpu_at_a_time(self) -> Self:
        if self.sold_by == "gpu" and self.gpus != 1:
            raise ValueError("what is sold by the GPU must be listed for one")
        return self


class ApiOffer(DatedRow):
    """What a host asks for a model's tokens, in US dollars per million. `retires_on`: the day announced as its last."""

    provider: Filled
    model: Filled
    family: Filled
    open_weights: Literal["yes", "no"]
    input_per_mtok: _Price
    output_per_mtok: _Price
    cached_per_mtok: Annotated[_Price | None, BlankIsNone]
    context_tokens: Annotated[Annotated[int, Field(gt=0)] | None, BlankIsNone]
    retires_on: Annotated[date | None, BlankIsNone]
    feed: Literal["", "genai-prices", "litellm"]
    feed_key: Annotated[str, Field(pattern=r"^([^/]+/.+)?$")]
    notes: str

    @model_validator(mode="after")
    def _named_there(self) -> Self:
        if bool(self.feed) != bool(self.feed_key):
            raise ValueError("feed and feed_key must be given together")
        return self


class ElectricityPrice(DatedRow):
    """A tariff per kWh: of a business without VAT, of a household with what it pays, as `customer` says; `case` low and
    high are the bands of larger and smaller users.
    """

    country: Annotated[str, Field(pattern=r"^[A-Z0-9]{2,8}(-[A-Z]{2})?$")]
    name: Filled
    kind: Customer
    case: Case
    price_per_kwh: Annotated[_Price, Field(lt=5)]
    currency: Currency
    period: Filled
    customer: Filled
    feed: Literal["", "eurostat"]


class Grid(DatedRow):
    """Grams of CO2 (with other gases as their equivalent) for a kWh made in a country, over a year.

    `feed_key`: its name in co2.js.
    """

    country: Annotated[str, Field(pattern=r"^[A-Z0-9]{2,8}$")]
    g_per_kwh: Annotated[Decimal, Field(ge=0, le=2000)]
    year: Annotated[int, Field(ge=2020, le=2100)]
    feed_key: Filled
    notes: str


class Residency(DatedRow):
    """What a host adds, in %, for computing in a region only."""

    provider: Filled
    region: Region
    percent: Annotated[Decimal, Field(ge=0, lt=100)]
    notes: str


class Figure(DatedRow):
    """A published figure about running hardware, in `unit`; only the typical one is always there."""

    parameter: Filled
    low: Annotated[_Price | None, BlankIsNone]
    typical: _Price
    high: Annotated[_Price | None, BlankIsNone]
    unit: Filled
    notes: str

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if not (self.low or self.typical) <= self.typical <= (self.high or self.typical):
            raise ValueError("low, typical and high must rise")
        return self

    @property
    def cases(self) -> tuple[Decimal, Decimal, Decimal]:
        """Low, typical and high; the typical one where no other is known."""
        return self.low or self.typical, self.typical, self.high or self.typical

    def value(self, case: Case) -> Decimal:
        """The figure in this case."""
        return self.cases[CASES.index(case)]


class Host(DatedRow):
    """A class of computers without their GPUs, in US dollars and watts behind the power supply.

    `ram_gb` is in its price, `ram_usual_gb` what one has at least; `load_w` while its GPUs compute.
    """

    host: Filled
    name: Filled
    slots: Annotated[int, Field(ge=0, le=16)]
    price_low: _Price
    price_typical: _Price
    price_high: _Price
    ram_gb: Annotated[Decimal, Field(ge=0)]
    ram_usual_gb: Annotated[Decimal, Field(gt=0)]
    ram_type: Literal["udimm", "rdimm"]
    load_w_low: _Price
    load_w_typical: _Price
    load_w_high: _Price
    idle_w: _Price
    psu_efficiency: Annotated[Decimal, Field(gt=Decimal("0.5"), le=1)]
    power_as_of: Day
    power_source: Link
    notes: str

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if not self.price_low <= self.price_typical <= self.price_high:
            raise ValueError("price_low, price_typical and price_high must rise")
        if not self.idle_w <= self.load_w_low <= self.load_w_typical <= self.load_w_high:
            raise ValueError("idle_w, load_w_low, load_w_typical and load_w_high must rise")
        return self

    @property
    def power_seen(self) -> Seen:
        return Seen(self.power_source, self.power_as_of, self.checked)

    @property
    def prices(self) -> tuple[Decimal, Decimal, Decimal]:
        """Low, typical and high."""
        return self.price_low, self.price_typical, self.price_high

    def load_w(self, case: Case) -> Decimal:
        return {"low": self.load_w_low, "typical": self.load_w_typical, "high": self.load_w_high}[case]


class MeasuredPower(DatedRow):
    """What machines that are sold whole take at the wall. `machines` is a pattern of ids ("dgx-spark-*")."""

    machines: Filled
    load_w: _Price
    idle_w: _Price
    notes: str


class Resale(DatedRow):
    """What a kind of machine fetches so many years after it was bought, in % of its price then."""

    kind: Filled
    year: Annotated[int, Field(ge=1, le=10)]
    low: _Price
    typical: _Price
    high: Annotated[_Price, Field(le=100)]
    notes: str

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if not self.low <= self.typical <= self.high:
            raise ValueError("low, typical and high must rise")
        return self

    def value(self, case: Case) -> Decimal:
        return {"low": self.low, "typical": self.typical, "high": self.high}[case]


class Discount(DatedRow):
    """What a host takes off: of everything that may wait for hours, or of input that it still has in its cache."""

    provider: Filled
    kind: Literal["batch", "cached"]
    percent: Annotated[Decimal, Field(gt=0, lt=100)]
    notes: str


class ExchangeRate(DatedRow):
    """How much of a currency one euro buys."""

    currency: Currency
    per_eur: _Price


RowT = TypeVar("RowT", bound=DatedRow)


@cache
def cloud_offers() -> tuple[CloudOffer, ...]:
    """Every offer of a GPU by the hour."""
    return read_rows(FOLDER / "cloud.csv", CloudOffer, CLOUD_KEY)


@cache
def api_offers() -> tuple[ApiOffer, ...]:
    """Every offer of a model by the token."""
    return read_rows(FOLDER / "api.csv", ApiOffer, API_KEY)


@cache
def electricity_prices(kind: Customer = "business") -> Mapping[tuple[str, Case], ElectricityPrice]:
    """Tariffs by country code and case for a kind of customer, those of the other kind where a country has no others;
    it always has the typical one.
    """
    rows = read_rows(FOLDER / "electricity.csv", ElectricityPrice, ELECTRICITY_KEY)
    served = {row.country for row in rows if row.kind == kind}
    return MappingProxyType(
        {(row.country, row.case): row for row in rows if row.kind == kind or row.country not in served}
    )


@cache
def grids() -> Mapping[str, Grid]:
    """What a country's electricity emits, by its code."""
    return MappingProxyType({row.country: row for row in read_rows(FOLDER / "grid.csv", Grid, GRID_KEY)})


@cache
def residency() -> Mapping[tuple[str, str], Residency]:
    """Surcharges by host and region."""
    rows = read_rows(FOLDER / "residency.csv", Residency, RESIDENCY_KEY)
    return MappingProxyType({(row.provider, row.region): row for row in rows})


@cache
def figures() -> Mapping[str, Figure]:
    """Published figures by parameter."""
    return MappingProxyType({row.parameter: row for row in read_rows(FOLDER / "tco.csv", Figure, ("parameter",))})


@cache
def hosts() -> Mapping[str, Host]:
    """Computers around GPUs by class."""
    return MappingProxyType({row.host: row for row in read_rows(FOLDER / "hosts.csv", Host, ("host",))})


@cache
def measured_power() -> tuple[MeasuredPower, ...]:
    """Whole machines as a meter showed them."""
    return read_rows(FOLDER / "power.csv", MeasuredPower, ("machines",))


@cache
def resale_values() -> Mapping[str, tuple[Resale, ...]]:
    """What machines of a kind fetch, by rising years."""
    rows = sorted(read_rows(FOLDER / "resale.csv", Resale, RESALE_KEY), key=lambda row: row.year)
    return MappingProxyType({kind: tuple(row for row in rows if row.kind == kind) for kind in RESALE_KINDS})


@cache
def discounts() -> Mapping[tuple[str, str], Discount]:
    """Discounts by host and kind."""
    rows = read_rows(FOLDER / "discounts.csv", Discount, DISCOUNT_KEY)
    return MappingProxyType({(row.provider, row.kind): row for row in rows})


@cache
def exchange_rates() -> Mapping[str, ExchangeRate]:
    """Rates by currency."""
    rows = read_rows(FOLDER / "exchange_rates.csv", ExchangeRate, ("currency",))
    return MappingProxyType({row.currency: row for row in rows})


def currencies() -> tuple[str, ...]:
    """What a question may be answered in, the dollar first: what prices are listed in most."""
    return tuple(sorted(exchange_rates(), key=lambda currency: (currency != "USD", currency != "EUR", currency)))


def write_table(path: Path, rows: tuple[RowT, ...], columns: tuple[str, ...]) -> None:
    """Write rows as `read_rows` reads them."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            values = row.model_dump(mode="json")
            writer.writerow("" if values[column] is None else values[column] for column in columns)
