"""What a row of each table in data/prices/ must hold, and which row is broken why. Prices are net of VAT."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from advisor.foundation.csv_rows import BlankIsNone, Filled
from advisor.foundation.dated_rows import DatedRow, Day, Link, Seen
from advisor.foundation.message import Message, fact

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
