"""Whether every file under data/ can be relied on, looked at before anybody is served.

Each file is read by its own reader, which checks the rows. Checked here is what no row can know: that what a row names
exists, and that the rows which calculations count on are there.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import get_args

from advisor.answer.accuracy import ACCURACY_FILE, read_accuracy
from advisor.costs import price_rows
from advisor.costs import price_tables as prices
from advisor.formats.levels import find_level
from advisor.foundation.csv_rows import broken_row, read_rows, shown_path
from advisor.foundation.errors import DataError, InputError
from advisor.foundation.places import data_folder
from advisor.machines.catalogue import load as read_machines
from advisor.models.catalogue import read_catalogue
from advisor.models.checked import CHECKED_FILE, read_checked
from advisor.models.names import OLLAMA_FILE, read_ollama_names
from advisor.models.not_sized import NOT_SIZED_FILE, read_not_sized
from advisor.models.projectors import PROJECTORS_FILE, read_projectors
from advisor.quality.evidence import read_evidence
from advisor.quality.kv_evidence import KV_FILE, read_kv_evidence
from advisor.quality.scale import SCALE_FILE, read_scale
from advisor.quality.scores import SCORES_FILE, read_scores
from advisor.runtimes.architectures import KEY as ARCHITECTURES_KEY
from advisor.runtimes.architectures import TABLE as ARCHITECTURES_TABLE
from advisor.runtimes.architectures import Row as ArchitectureRow
from advisor.runtimes.registry import ENGINES
from advisor.runtimes.support import KEY as SUPPORT_KEY
from advisor.runtimes.support import TABLE as SUPPORT_TABLE
from advisor.runtimes.support import Row as SupportRow
from advisor.sources.published_files import FILES as PUBLISHED_FILE
from advisor.sources.published_files import GATED as GATED_FILE
from advisor.sources.published_files import REPOSITORIES as REPOSITORIES_FILE
from advisor.sources.published_files import read_gated, read_published_files, read_published_repositories
from advisor.speed.constants import read_constants
from advisor.speed.draft_evidence import DRAFTING_FILE, read_draft_evidence
from advisor.speed.measurements import read_measurements

DATA = data_folder()


def check_data(folder: Path = DATA) -> None:
    """Raise DataError naming the first file that is broken, its row or field, and the reason."""
    machines = read_machines(folder / "machines.csv", folder / "prices" / "hardware.csv")
    _must_exist(folder / "prices" / "hardware.csv", "machine", machines, "machine")
    read_evidence(folder / "quality.csv")
    read_kv_evidence(folder / KV_FILE.name)
    read_constants(folder / "speed_constants.csv")
    read_draft_evidence(folder / DRAFTING_FILE.name)
    measured = folder / "speed_measurements.csv"
    read_measurements(measured)
    _must_exist(measured, "machine", machines, "machine")
    support = read_rows(folder / SUPPORT_TABLE.name, SupportRow, SUPPORT_KEY)
    _must_have(folder / SUPPORT_TABLE.name, [one.id for one in ENGINES], {row.runtime for row in support})
    read_rows(folder / ARCHITECTURES_TABLE.name, ArchitectureRow, ARCHITECTURES_KEY)
    read_checked(folder / CHECKED_FILE.name)
    read_ollama_names(folder / OLLAMA_FILE.name)
    read_not_sized(folder / NOT_SIZED_FILE.name)
    read_accuracy(folder / ACCURACY_FILE.name)
    _check_prices(folder / "prices")
    scored, scale = folder / SCORES_FILE.name, folder / SCALE_FILE.name
    read_scores(scored)
    read_scale(scale)
    models = read_catalogue(folder / "models")
    read_projectors(folder / PROJECTORS_FILE.name)
    for table in (measured, scored, scale, folder / PROJECTORS_FILE.name, folder / DRAFTING_FILE.name):
        _must_exist(table, "model_id", models, "model")
    published = folder / PUBLISHED_FILE.name
    for number, row in enumerate(read_published_files(published), start=2):
        try:
            find_level(f"{row.format}:{row.level}")
        except InputError as error:
            raise broken_row(published, number, "level", str(error)) from error
    read_published_repositories(folder / REPOSITORIES_FILE.name)
    for table in (published, folder / REPOSITORIES_FILE.name):
        _must_exist(table, "model", models, "model")
    read_gated(folder / GATED_FILE.name)
    for entry in models.values():
        try:
            _ = entry.model
        except (InputError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                "Model file {entry}.json: field 'config': {error}", entry=entry.id, error=str(error)
            ) from error
        for file in entry.own_files:
            try:
                find_level(f"{file.format}:{file.level}")
            except InputError as error:
                raise DataError(
                    "Model file {entry}.json: field 'own_files': {error}", entry=entry.id, error=str(error)
                ) from error


def _check_prices(folder: Path) -> None:
    read_rows(folder / "cloud.csv", price_rows.CloudOffer, prices.CLOUD_KEY)
    read_rows(folder / "api.csv", price_rows.ApiOffer, prices.API_KEY)
    tariffs = read_rows(folder / "electricity.csv", price_rows.ElectricityPrice, prices.ELECTRICITY_KEY)
    for kind in get_args(price_rows.Customer):
        typical = {row.country for row in tariffs if row.case == "typical" and row.kind == kind}
        _must_exist(folder / "electricity.csv", "country", typical, "typical tariff", {"kind": kind})
    read_rows(folder / "grid.csv", price_rows.Grid, prices.GRID_KEY)
    read_rows(folder / "residency.csv", price_rows.Residency, prices.RESIDENCY_KEY)
    rates = {row.currency for row in read_rows(folder / "exchange_rates.csv", price_rows.ExchangeRate, ("currency",))}
    _must_have(folder / "exchange_rates.csv", ("EUR", "USD", "CHF"), rates)
    for table, column in (("electricity.csv", "currency"), ("cloud.csv", "currencies")):
        _must_exist(folder / table, column, rates, "exchange rate for")
    figures = {row.parameter for row in read_rows(folder / "tco.csv", price_rows.Figure, ("parameter",))}
    _must_have(folder / "tco.csv", prices.NEEDED_FIGURES, figures)
    hosts = {row.host for row in read_rows(folder / "hosts.csv", price_rows.Host, ("host",))}
    _must_have(folder / "hosts.csv", prices.NEEDED_HOSTS, hosts)
    read_rows(folder / "power.csv", price_rows.MeasuredPower, ("machines",))
    kinds = {row.kind for row in read_rows(folder / "resale.csv", price_rows.Resale, prices.RESALE_KEY)}
    _must_have(folder / "resale.csv", prices.RESALE_KINDS, kinds)
    read_rows(folder / "discounts.csv", price_rows.Discount, prices.DISCOUNT_KEY)


def _must_exist(
    path: Path, column: str, known: Collection[str], what: str, where: Mapping[str, str] | None = None
) -> None:
    """Every cell of a column that is not empty names something known, in the rows with these other cells."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            if any(row[other] != cell for other, cell in (where or {}).items()):
                continue
            for name in row[column].split():
                if name not in known:
                    raise broken_row(path, number, column, f"there is no {what} '{name}'")


def _must_have(path: Path, needed: Collection[str], found: Collection[str]) -> None:
    for name in needed:
        if name not in found:
            raise DataError("{path}: the row for {name} is missing.", path=shown_path(path), name=name)
