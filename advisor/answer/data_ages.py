"""How old the data is: of every table the days its sources speak of, and the days on which somebody here looked."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path

from advisor.costs.money import OLD_AFTER_DAYS
from advisor.foundation.places import data_folder
from advisor.models.catalogue import catalogue

MODELS = "models/"


@dataclass(frozen=True, slots=True)
class DataTable:
    """Where a table has its days: `source` is the column of the source's own, `seen` that of ours; "" has none.

    `limit_days`: after so many a price counts as old; None where nothing grows old by itself.
    """

    file: str
    source: str = ""
    seen: str = ""
    limit_days: int | None = None


TABLES: tuple[DataTable, ...] = (
    *(
        DataTable(f"prices/{table}.csv", "as_of", "checked", OLD_AFTER_DAYS)
        for table in ("hardware", "api", "cloud", "electricity", "exchange_rates", "hosts")
    ),
    *(
        DataTable(f"prices/{table}.csv", "as_of", "checked")
        for table in ("power", "tco", "resale", "discounts", "grid", "residency")
    ),
    DataTable("machines.csv", seen="as_of"),
    DataTable(MODELS, seen="as_of"),
    DataTable("ollama_names.csv", seen="read"),
    DataTable("models_not_sized.csv", seen="read"),
    DataTable("published_files.csv", seen="read"),
    DataTable("published_repositories.csv", seen="read"),
    DataTable("gated.csv", seen="read"),
    DataTable("projectors.csv", source="as_of"),
    DataTable("runtime_support.csv", seen="as_of"),
    DataTable("runtime_architectures.csv", seen="as_of"),
    DataTable("checked_architectures.csv", seen="as_of"),
    DataTable("accuracy.csv", seen="as_of"),
    DataTable("quality.csv", seen="as_of"),
    DataTable("kv_quality.csv", source="published", seen="as_of"),
    DataTable("model_scores.csv", source="as_of"),
    DataTable("model_scale.csv", source="as_of"),
    DataTable("speed_measurements.csv", source="date"),
    DataTable("speed_constants.csv"),
    DataTable("drafting.csv", source="published", seen="as_of"),
)


@dataclass(frozen=True, slots=True)
class TableAge:
    """Oldest and newest day of a table's rows, as it writes them (a year, a month or a day); None where it has none.

    `old` rows have a price of longer ago than `table.limit_days`, or of a day that nobody knows.
    """

    table: DataTable
    rows: int
    source: tuple[str, str] | None
    seen: tuple[str, str] | None
    old: int


def data_ages(today: date, folder: Path | None = None) -> tuple[TableAge, ...]:
    """Every table of the data release, prices first."""
    return tuple(_age(table, _days(table, folder or data_folder()), today) for table in TABLES)


def _age(table: DataTable, days: Sequence[tuple[str, str]], today: date) -> TableAge:
    old = 0
    if table.limit_days is not None:
        last = today - timedelta(days=table.limit_days)
        old = sum(not source or _first_day(source) < last for source, _ in days)
    return TableAge(table, len(days), _ends([row[0] for row in days]), _ends([row[1] for row in days]), old)


@cache
def _days(table: DataTable, folder: Path) -> tuple[tuple[str, str], ...]:
    """The source's day and ours of each row; "" where it has none."""
    if table.file == MODELS:
        return tuple(("", entry.as_of) for entry in catalogue().values())
    with (folder / table.file).open(encoding="utf-8-sig", newline="") as file:
        return tuple((row.get(table.source, ""), row.get(table.seen, "")) for row in csv.DictReader(file))


def _ends(days: Sequence[str]) -> tuple[str, str] | None:
    found = [day for day in days if day]
    return (min(found), max(found)) if found else None


def _first_day(text: str) -> date:
    """The day of "2026-11-09", the first one of "2026-11" and "2026"."""
    year, month, day = (*map(int, text.split("-")), 1, 1)[:3]
    return date(year, month, day)
