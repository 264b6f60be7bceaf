"""The price tables of a folder while feeds update them: read before the first feed is asked, replaced one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from advisor.costs.feeds.price_changes import (
    cloud_prices,
    compare,
    is_history,
    rows_by_provider,
    tariffs_by_band,
    token_prices,
)
from advisor.costs.price_rows import ApiOffer, CloudOffer, Customer, ElectricityPrice, ExchangeRate, Grid
from advisor.costs.price_tables import API_KEY, CLOUD_KEY, ELECTRICITY_KEY, GRID_KEY, write_table
from advisor.foundation.csv_rows import read_rows
from advisor.foundation.errors import InputError

RowT = TypeVar("RowT", CloudOffer, ApiOffer, ElectricityPrice, ExchangeRate, Grid)
_RATES = ("currency",)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one feed did: `changes` to read, and why it was not taken over, if it was not."""

    feed: str
    changes: tuple[str, ...]
    problem: str | None


class Tables:
    """The files, read before the first feed is asked, and replaced one by one."""

    def __init__(self, folder: Path, today: date, accept: bool, dry_run: bool):
        self.folder, self.today, self.accept, self.dry_run = folder, today, accept, dry_run
        self.cloud = read_rows(folder / "cloud.csv", CloudOffer, CLOUD_KEY)
        self.api = read_rows(folder / "api.csv", ApiOffer, API_KEY)
        self.electricity = read_rows(folder / "electricity.csv", ElectricityPrice, ELECTRICITY_KEY)
        self.rates = read_rows(folder / "exchange_rates.csv", ExchangeRate, _RATES)
        self.grid = read_rows(folder / "grid.csv", Grid, GRID_KEY)

    def _write(self, name: str, rows: tuple[RowT, ...], kind: type[RowT], key: tuple[str, ...]) -> tuple[RowT, ...]:
        """Replace a file, unless it is only looked at what would change."""
        return rows if self.dry_run else _replace(self.folder / name, rows, kind, key)

    def update_cloud(self, feed: str, new: tuple[CloudOffer, ...], replaced: Callable[[CloudOffer], bool]) -> Outcome:
        """Put `new` in the place of the rows that are `replaced`."""
        old = tuple(row for row in self.cloud if replaced(row))
        changes, doubts = compare(cloud_prices(old), cloud_prices(new), rows_by_provider(old), rows_by_provider(new))
        if doubts and not self.accept:
            return _refused(feed, changes, doubts)
        rows = (*(row for row in self.cloud if not replaced(row)), *new)
        self.cloud = self._write("cloud.csv", rows, CloudOffer, CLOUD_KEY)
        return Outcome(feed, tuple(changes), None)

    def update_api(self, feed: str, new: tuple[ApiOffer, ...]) -> Outcome:
        """Put `new` in the place of the rows that come from this feed."""
        old = tuple(row for row in self.api if row.feed == feed)
        changes, doubts = compare(token_prices(old), token_prices(new), rows_by_provider(old), rows_by_provider(new))
        if doubts and not self.accept:
            return _refused(feed, changes, doubts)
        fresh = {(row.provider, row.model): row for row in new}
        rows = tuple(
            fresh.pop((row.provider, row.model)) if row.feed == feed else row
            for row in self.api
            if row.feed != feed or (row.provider, row.model) in fresh
        )
        rows = (*rows, *fresh.values())
        self.api = self._write("api.csv", rows, ApiOffer, API_KEY)
        return Outcome(feed, tuple(changes), None)

    def drop_history(self) -> list[Outcome]:
        """Drop offers of more than a year ago; a table that would lose half of its rows is left as it is."""
        rents = tuple(row for row in self.cloud if is_history(row, self.today))
        apis = tuple(row for row in self.api if is_history(row, self.today))
        outcomes = []
        if rents:
            outcomes.append(self._history("rents", cloud_prices(rents), len(rents), len(self.cloud)))
            if outcomes[-1].problem is None:
                kept = tuple(row for row in self.cloud if not is_history(row, self.today))
                self.cloud = self._write("cloud.csv", kept, CloudOffer, CLOUD_KEY)
        if apis:
            outcomes.append(self._history("APIs", token_prices(apis), len(apis), len(self.api)))
            if outcomes[-1].problem is None:
                left = tuple(row for row in self.api if not is_history(row, self.today))
                self.api = self._write("api.csv", left, ApiOffer, API_KEY)
        return outcomes

    def _history(self, what: str, prices: Mapping[str, Decimal], old: int, of: int) -> Outcome:
        name = f"{what} of more than a year ago"
        changes = [f"{offer}: gone, was {price}" for offer, price in prices.items()]
        if 2 * old > of and not self.accept:
            return _refused(name, changes, [f"{old} of {of} rows would go"])
        return Outcome(name, tuple(changes), None)

    def update_electricity(self, feed: str, kind: Customer, new: tuple[ElectricityPrice, ...]) -> Outcome:
        """Put `new` in the place of the rows of the same country, kind of customer and case; no other row goes."""
        names = {row.country: row.name for row in self.electricity}
        named = [row.model_copy(update={"name": names.get(row.country, row.name)}) for row in new]
        fresh = {(row.country, row.case): row for row in named}
        # A country needs its typical tariff, and a case of another source must not stand beside a new one.
        typical = {country for country, case in fresh if case == "typical"}
        fresh = {key: row for key, row in fresh.items() if key[0] in typical}
        served = tuple(row for row in self.electricity if row.kind == kind)
        old = tuple(row for row in served if (row.country, row.case) in fresh)
        kept = tuple(row for row in self.electricity if row.kind != kind or row.country not in typical)
        before = tuple(row for row in served if row.feed == "eurostat")
        after = (*(row for row in before if row.country not in typical), *fresh.values())
        changes, doubts = compare(
            tariffs_by_band(old),
            tariffs_by_band(fresh.values()),
            Counter(Eurostat=len(before)),
            Counter(Eurostat=len(after)),
        )
        if doubts and not self.accept:
            return _refused(feed, changes, doubts)
        rows = (*fresh.values(), *kept)
        self.electricity = self._write("electricity.csv", rows, ElectricityPrice, ELECTRICITY_KEY)
        return Outcome(feed, tuple(changes), None)

    def update_grid(self, feed: str, new: tuple[Grid, ...]) -> Outcome:
        """Put the new figures in the place of the old."""
        old_grams, new_grams = (
            {f"{row.country}, g per kWh": row.g_per_kwh for row in rows} for rows in (self.grid, new)
        )
        changes, doubts = compare(old_grams, new_grams, {}, {})
        if doubts and not self.accept:
            return _refused(feed, changes, doubts)
        self.grid = self._write("grid.csv", new, Grid, GRID_KEY)
        return Outcome(feed, tuple(changes), None)

    def update_rates(self, feed: str, new: tuple[ExchangeRate, ...]) -> Outcome:
        """Put the new rates in the place of the old."""
        old_rates, new_rates = (
            {f"{row.currency} for one EUR": row.per_eur for row in rows} for rows in (self.rates, new)
        )
        changes, doubts = compare(old_rates, new_rates, {}, {})
        if doubts and not self.accept:
            return _refused(feed, changes, doubts)
        self.rates = self._write("exchange_rates.csv", new, ExchangeRate, _RATES)
        return Outcome(feed, tuple(changes), None)


def _refused(feed: str, changes: list[str], doubts: list[str]) -> Outcome:
    more = f", and {len(doubts) - 3} more" if len(doubts) > 3 else ""
    return Outcome(feed, tuple(changes), f"Refused: {'; '.join(doubts[:3])}{more}. If it is right, run with --accept.")


def _replace(path: Path, rows: tuple[RowT, ...], kind: type[RowT], key: tuple[str, ...]) -> tuple[RowT, ...]:
    """Write a table beside the old one, read it back, and only then put it in its place."""
    new = path.with_name(f".{path.name}.new")
    try:
        write_table(new, rows, tuple(_columns(path)))
        found = read_rows(new, kind, key)
        new.replace(path)
    except OSError as error:
        raise InputError(
            "{path} cannot be replaced: {reason}; run it as who installed it.",
            path=path.name,
            reason=error.strerror or "",
        ) from None
    finally:
        new.unlink(missing_ok=True)
    return found


def _columns(path: Path) -> list[str]:
    """The columns in the order in which they stand in the file, so that a refresh changes only what changed."""
    with path.open(encoding="utf-8-sig") as file:
        return file.readline().strip().split(",")
