"""What Eurostat says about electricity tariffs, as rows of data/prices/electricity.csv."""

from __future__ import annotations

import calendar
import re
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from advisor.costs.feeds.feed_rows import checked
from advisor.costs.feeds.fetch import FeedError
from advisor.costs.price_rows import Case, Customer, ElectricityPrice

_BANDS: dict[Customer, dict[str, Case]] = {
    "business": {"MWH500-1999": "low", "MWH20-499": "typical", "MWH_LT20": "high"},
    "household": {"KWH2500-4999": "typical"},
}
# A business gets its VAT back; a household pays everything.
_TABLES: dict[Customer, tuple[str, str]] = {"business": ("nrg_pc_205", "X_VAT"), "household": ("nrg_pc_204", "I_TAX")}
_BAND_NAMES: dict[Case, str] = {
    "low": "500-1999 MWh/yr (band IC)",
    "typical": "20-499 MWh/yr (band IB)",
    "high": "under 20 MWh/yr (band IA)",
}
_COUNTRIES = {"EL": "GR", "EU27_2020": "EU27"}


def eurostat_link(base: str, kind: Customer) -> str:
    """Where a kind of customer's tariffs are, below the address of Eurostat's data."""
    table, tax = _TABLES[kind]
    bands = "".join(f"&nrg_cons={band}" for band in _BANDS[kind])
    return f"{base}/{table}?format=JSON&lang=EN&siec=E7000&unit=KWH&tax={tax}&currency=EUR&lastTimePeriod=1{bands}"


def eurostat_prices(data: dict[str, Any], source: str, kind: Customer, today: date) -> tuple[ElectricityPrice, ...]:
    """Tariffs of the newest half-year that each country and band has. Raises FeedError."""
    try:
        ids, sizes, values = data["id"], data["size"], data["value"]
        codes = [
            sorted(data["dimension"][name]["category"]["index"], key=data["dimension"][name]["category"]["index"].get)
            for name in ids
        ]
        names = data["dimension"]["geo"]["category"]["label"]
        band_at, geo_at, time_at = (ids.index(name) for name in ("nrg_cons", "geo", "time"))
        rows: dict[tuple[str, Case], tuple[str, Decimal]] = {}
        for index, value in values.items():
            at = _coordinates(int(index), sizes)
            band, geo, period = (codes[which][at[which]] for which in (band_at, geo_at, time_at))
            country = _COUNTRIES.get(geo, geo)
            # EA is the euro area, whose members change.
            if band not in _BANDS[kind] or value is None or not re.fullmatch(r"(?!EA)[A-Z]{2}|EU27", country):
                continue
            case = _BANDS[kind][band]
            if (country, case) not in rows or rows[country, case][0] < period:
                rows[country, case] = period, Decimal(str(value))
        labels = {_COUNTRIES.get(geo, geo): str(label) for geo, label in names.items()}
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, InvalidOperation):
        raise FeedError("Eurostat: the answer has not the shape of JSON-stat with nrg_cons, geo and time.") from None
    return tuple(
        checked(
            ElectricityPrice,
            "Eurostat",
            {
                "country": country,
                "name": labels[country],
                "kind": kind,
                "case": case,
                "price_per_kwh": price,
                "currency": "EUR",
                "period": period,
                "as_of": _last_day(period),
                "checked": today,
                "customer": f"business, {_BAND_NAMES[case]}, excl. VAT and recoverable levies"
                if kind == "business"
                else "household, 2500-4999 kWh/yr (Eurostat band DC), incl. taxes and VAT",
                "source": source,
                "feed": "eurostat",
            },
        )
        for (country, case), (period, price) in rows.items()
    )


def _coordinates(index: int, sizes: list[int]) -> list[int]:
    """A JSON-stat index as one position in each dimension; the last dimension runs fastest."""
    at = []
    for size in reversed(sizes):
        index, position = divmod(index, size)
        at.append(position)
    return at[::-1]


def _last_day(period: str) -> date:
    year, _, half = period.partition("-S")
    month = 6 if half == "1" else 12
    return date(int(year), month, calendar.monthrange(int(year), month)[1])
