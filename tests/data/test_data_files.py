"""A broken file under data/ stops the start, named with row and reason, whichever file it is."""

from __future__ import annotations

import csv
import json
import random
import re
import shutil
from pathlib import Path

import pytest

from advisor.answer import data_check as data_files
from advisor.answer.data_check import DATA, check_data
from advisor.foundation.errors import DataError
from advisor.ui import server
from tests.support.own_loop import in_own_loop

TABLES = sorted(path.relative_to(DATA).as_posix() for path in (*DATA.glob("*.csv"), *DATA.glob("prices/*.csv")))
# A column of each table that must hold a number or a date.
NUMBERS = {
    "accuracy.csv": "rows",
    "checked_architectures.csv": "models",
    "gated.csv": "read",
    "kv_quality.csv": "value",
    "ollama_names.csv": "read",
    "models_not_sized.csv": "read",
    "published_files.csv": "bytes",
    "projectors.csv": "bytes",
    "published_repositories.csv": "read",
    "runtime_support.csv": "bits",
    "runtime_architectures.csv": "loads",
    "machines.csv": "devices",
    "model_scale.csv": "value",
    "model_scores.csv": "score",
    "quality.csv": "parameters_b",
    "speed_constants.csv": "value",
    "drafting.csv": "drafted",
    "speed_measurements.csv": "tokens_per_s",
    "prices/api.csv": "input_per_mtok",
    "prices/hardware.csv": "typical",
    "prices/grid.csv": "g_per_kwh",
    "prices/residency.csv": "percent",
    "prices/cloud.csv": "price_per_hour",
    "prices/electricity.csv": "price_per_kwh",
    "prices/exchange_rates.csv": "per_eur",
    "prices/hosts.csv": "price_typical",
    "prices/power.csv": "load_w",
    "prices/tco.csv": "typical",
    "prices/resale.csv": "typical",
    "prices/discounts.csv": "percent",
}


OWN_FILE = {
    "format": "GGUF", "level": "Q4_0", "repo": "example/Example-8B-qat", "kind": "qat", "loss_share": 0.5,
    "source": "https://example.org/qat", "as_of": "2026-11", "note": "",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the data that may be broken."""
    shutil.copytree(DATA, tmp_path / "data", ignore=shutil.ignore_patterns("fonts", "tinylm", "*.png"))
    return tmp_path / "data"


def rows_of(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def write(path: Path, rows: list[list[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def reason(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        check_data(folder)
    assert "\n" not in str(caught.value)
    assert str(folder.parent) not in str(caught.value)
    return str(caught.value)


def test_the_data_of_this_release_is_sound() -> None:
    check_data()


def test_every_table_is_looked_at() -> None:
    assert set(TABLES) == set(NUMBERS)


@pytest.mark.parametrize("table", TABLES)
def test_a_broken_cell_is_named_with_file_row_and_reason(folder: Path, table: str) -> None:
    rows = rows_of(folder / table)
    number = random.Random(table).randrange(1, len(rows))
    rows[number][rows[0].index(NUMBERS[table])] = "a lot"
    write(folder / table, rows)
    said = reason(folder)
    assert re.search(rf"{Path(table).name}, row {number + 1}, column {NUMBERS[table]}: .*a lot", said)


@pytest.mark.parametrize("table", TABLES)
def test_a_row_cut_short_and_a_file_that_is_no_text_are_named(folder: Path, table: str) -> None:
    path, sound = folder / table, (folder / table).read_bytes()
    rows = rows_of(path)
    write(path, [*rows[:-1], rows[-1][:-2]])
    assert re.search(rf"{path.name}, row {len(rows)}: it has {len(rows[0]) - 2} cells", reason(folder))
    path.write_bytes(sound[:-1] + b"\xff\xfe\n")
    assert f"{path.name} is not a CSV file in UTF-8" in reason(folder)
    path.unlink()
    assert f"{path.name} cannot be read" in reason(folder)


@pytest.mark.parametrize(
    ("table", "column", "value", "said"),
    [
        ("speed_measurements.csv", "machine", "rtx-9999", "there is no machine 'rtx-9999'"),
        ("speed_measurements.csv", "model_id", "llama-99", "there is no model 'llama-99'"),
        ("model_scores.csv", "model_id", "llama-99", "there is no model 'llama-99'"),
        ("model_scale.csv", "model_id", "llama-99", "there is no model 'llama-99'"),
        ("published_files.csv", "model", "llama-99", "there is no model 'llama-99'"),
        ("published_repositories.csv", "model", "llama-99", "there is no model 'llama-99'"),
        ("published_files.csv", "level", "Q4_K_X", ".*Q4_K_X"),
        ("prices/hardware.csv", "machine", "rtx-9999", "there is no machine 'rtx-9999'"),
        ("prices/electricity.csv", "currency", "XYZ", "there is no exchange rate for 'XYZ'"),
        ("prices/cloud.csv", "currencies", "XYZ", "there is no exchange rate for 'XYZ'"),
    ],
)
def test_a_row_about_something_unknown_is_named(folder: Path, table: str, column: str, value: str, said: str) -> None:
    rows = rows_of(folder / table)
    rows[7][rows[0].index(column)] = value
    write(folder / table, rows)
    assert re.search(rf"{Path(table).name}, row 8, column {column}: {said}", reason(folder))


@pytest.mark.parametrize(
    ("table", "column", "name"),
    [
        ("prices/tco.csv", "parameter", "pue"),
        ("prices/exchange_rates.csv", "currency", "CHF"),
        ("runtime_support.csv", "runtime", "vllm"),
    ],
)
def test_a_missing_row_that_is_counted_on_is_named(folder: Path, table: str, column: str, name: str) -> None:
    rows = rows_of(folder / table)
    place = rows[0].index(column)
    write(folder / table, [row for row in rows if row[place] != name])
    assert f"{Path(table).name}: the row for {name} is missing" in reason(folder)


def test_a_country_without_a_typical_tariff_is_named(folder: Path) -> None:
    path = folder / "prices" / "electricity.csv"
    rows = rows_of(path)
    country, case = rows[0].index("country"), rows[0].index("case")
    write(path, [row for row in rows if (row[country], row[case]) != ("CH", "typical")])
    said = reason(folder) if any(row[country] == "CH" and row[case] != "typical" for row in rows) else None
    assert said is None or "there is no typical tariff 'CH'" in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"released": 7}, "released"),
        ({"config": {"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"]}}, "config"),
        ({"own_files": [OWN_FILE | {"level": "Q4_9"}]}, "own_files.*Q4_9"),
        ({"own_files": [OWN_FILE | {"source": "a friend"}]}, "own_files.0.source"),
        (None, "is not valid JSON"),
    ],
)
def test_a_broken_model_is_named_with_its_field(folder: Path, change: dict[str, object] | None, said: str) -> None:
    path = folder / "models" / "qwen3-8b.json"
    sound = path.read_text("utf-8")
    path.write_text("{" if change is None else json.dumps(json.loads(sound) | change), "utf-8")
    assert re.search(rf"qwen3-8b\.json.*{said}", reason(folder))


def test_a_broken_file_stops_the_start(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of(folder / "prices" / "cloud.csv")
    rows[3][rows[0].index("price_per_hour")] = "-1"
    write(folder / "prices" / "cloud.csv", rows)
    monkeypatch.setattr(data_files.check_data, "__defaults__", (folder,))

    async def start() -> None:
        async with server.lifespan(None):  # type: ignore[arg-type]
            raise AssertionError("started")

    with pytest.raises(DataError, match=r"cloud\.csv, row 4, column price_per_hour"):
        in_own_loop(start())
