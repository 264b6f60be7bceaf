"""The price tables in data/prices/: read once, and what must be in them.

Every row names its source and two days, blank where not known: the source's own (`as_of`, of a month its first day)
and ours (`checked`). Prices are net of VAT, in the currency named.
"""

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from advisor.costs.price_rows import (
    ApiOffer,
    Case,
    CloudOffer,
    Customer,
    Discount,
    ElectricityPrice,
    ExchangeRate,
    Figure,
    Grid,
    Host,
    MeasuredPower,
    Resale,
    Residency,
)
from advisor.foundation.dated_rows import DatedRow
from advisor.foundation.kept_rows import Rows, kept_rows
from advisor.foundation.places import data_folder

FOLDER = data_folder() / "prices"

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

RowT = TypeVar("RowT", bound=DatedRow)


@cache
def cloud_offers() -> Rows[CloudOffer]:
    """Every offer of a GPU by the hour."""
    return kept_rows(FOLDER / "cloud.csv", CloudOffer, CLOUD_KEY)


@cache
def api_offers() -> Rows[ApiOffer]:
    """Every offer of a model by the token."""
    return kept_rows(FOLDER / "api.csv", ApiOffer, API_KEY)


@cache
def electricity_prices(kind: Customer = "business") -> Mapping[tuple[str, Case], ElectricityPrice]:
    """Tariffs by country code and case for a kind of customer, those of the other kind where a country has no others;
    it always has the typical one.
    """
    rows = kept_rows(FOLDER / "electricity.csv", ElectricityPrice, ELECTRICITY_KEY)
    served = {row.country for row in rows if row.kind == kind}
    return MappingProxyType(
        {(row.country, row.case): row for row in rows if row.kind == kind or row.country not in served}
    )


@cache
def grids() -> Mapping[str, Grid]:
    """What a country's electricity emits, by its code."""
    return MappingProxyType({row.country: row for row in kept_rows(FOLDER / "grid.csv", Grid, GRID_KEY)})


@cache
def residency() -> Mapping[tuple[str, str], Residency]:
    """Surcharges by host and region."""
    rows = kept_rows(FOLDER / "residency.csv", Residency, RESIDENCY_KEY)
    return MappingProxyType({(row.provider, row.region): row for row in rows})


@cache
def figures() -> Mapping[str, Figure]:
    """Published figures by parameter."""
    return MappingProxyType({row.parameter: row for row in kept_rows(FOLDER / "tco.csv", Figure, ("parameter",))})


@cache
def hosts() -> Mapping[str, Host]:
    """Computers around GPUs by class."""
    return MappingProxyType({row.host: row for row in kept_rows(FOLDER / "hosts.csv", Host, ("host",))})


@cache
def measured_power() -> Rows[MeasuredPower]:
    """Whole machines as a meter showed them."""
    return kept_rows(FOLDER / "power.csv", MeasuredPower, ("machines",))


@cache
def resale_values() -> Mapping[str, tuple[Resale, ...]]:
    """What machines of a kind fetch, by rising years."""
    rows = sorted(kept_rows(FOLDER / "resale.csv", Resale, RESALE_KEY), key=lambda row: row.year)
    return MappingProxyType({kind: tuple(row for row in rows if row.kind == kind) for kind in RESALE_KINDS})


@cache
def discounts() -> Mapping[tuple[str, str], Discount]:
    """Discounts by host and kind."""
    rows = kept_rows(FOLDER / "discounts.csv", Discount, DISCOUNT_KEY)
    return MappingProxyType({(row.provider, row.kind): row for row in rows})


@cache
def exchange_rates() -> Mapping[str, ExchangeRate]:
    """Rates by currency."""
    rows = kept_rows(FOLDER / "exchange_rates.csv", ExchangeRate, ("currency",))
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
