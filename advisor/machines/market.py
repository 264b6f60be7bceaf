"""What machines are sold for: data/prices/hardware.csv. New and used are two markets, and what has no row has no price.

A launch price is history (`Machine.launch_price_usd`) and stands in for none of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from advisor.foundation.csv_rows import BlankIsNone, Filled, read_rows
from advisor.foundation.dated_rows import DatedRow, Seen
from advisor.foundation.kept_rows import Lazily, kept_rows, places_by

KEY = ("machine", "market")
Market = Literal["new", "used"]
_Dollars = Annotated[float, Field(gt=0, lt=1_000_000, allow_inf_nan=False)]


class Row(DatedRow):
    """One machine on one market, as the catalogue sells it, in US dollars net of VAT."""

    machine: Filled
    market: Market
    low: Annotated[_Dollars | None, BlankIsNone]
    typical: _Dollars
    high: Annotated[_Dollars | None, BlankIsNone]
    notes: str

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if not (self.low or self.typical) <= self.typical <= (self.high or self.typical):
            raise ValueError("low, typical and high must rise")
        return self


@dataclass(frozen=True, slots=True)
class MarketPrice:
    """A price in US dollars with its range, on one market."""

    market: Market
    low: float
    typical: float
    high: float
    seen: Seen


def market_prices(path: Path) -> Mapping[str, tuple[MarketPrice, ...]]:
    """The prices of each machine, the new one first; raises DataError naming row, column and reason."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in read_rows(path, Row, KEY):
        found[row.machine].append(row)
    return {machine: _prices(rows) for machine, rows in found.items()}


def kept_market_prices(path: Path) -> Mapping[str, tuple[MarketPrice, ...]]:
    """The same of the table that comes with the program, each made when it is asked for."""
    rows = kept_rows(path, Row, KEY)
    return Lazily(places_by("hardware", rows, lambda row: row.machine), lambda places: _prices(rows.only(places)))


def _prices(rows: Iterable[Row]) -> tuple[MarketPrice, ...]:
    return tuple(
        MarketPrice(row.market, row.low or row.typical, row.typical, row.high or row.typical, row.seen)
        for row in sorted(rows, key=lambda row: row.market)
    )
