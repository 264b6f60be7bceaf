"""Rows that were kept are those that the file holds, made one by one."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel

from advisor.costs.price_rows import CloudOffer
from advisor.costs.price_tables import CLOUD_KEY
from advisor.costs.price_tables import FOLDER as PRICES
from advisor.foundation.csv_rows import read_rows
from advisor.foundation.errors import DataError
from advisor.foundation.kept_rows import Lazily, Rows, kept_rows, places_by
from advisor.machines.catalogue import CATALOGUE, load, machines
from advisor.machines.rows import Row as MachineRow
from advisor.models.catalogue import MODELS_FOLDER, catalogue, read_catalogue
from advisor.runtimes import architectures, support
from advisor.sources.published_files import FILES, FILES_KEY, PublishedFile

TABLES: tuple[tuple[Path, type[BaseModel], tuple[str, ...]], ...] = (
    (PRICES / "cloud.csv", CloudOffer, CLOUD_KEY),  # with days and decimals
    (CATALOGUE, MachineRow, ("id",)),
    (support.TABLE, support.Row, support.KEY),  # with an enumeration
    (architectures.TABLE, architectures.Row, architectures.KEY),
    (FILES, PublishedFile, FILES_KEY),
)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_FIT_ADVISOR_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(("path", "kind", "key"), TABLES, ids=lambda value: getattr(value, "stem", ""))
def test_kept_rows_are_those_of_the_file(path: Path, kind: type[BaseModel], key: tuple[str, ...]) -> None:
    told = read_rows(path, kind, key)
    for found in (kept_rows(path, kind, key), kept_rows(path, kind, key)):  # made, then kept
        assert found == told
        assert [repr(row) for row in found] == [repr(row) for row in told]
        assert [row.model_dump_json() for row in found] == [row.model_dump_json() for row in told]


def test_entries_and_machines_are_those_of_their_files() -> None:
    told = read_catalogue(MODELS_FOLDER)
    assert list(catalogue()) == list(told)
    assert all(catalogue()[name] == entry for name, entry in told.items())
    assert dict(machines()) == dict(load(CATALOGUE))
    assert list(machines()) == list(load(CATALOGUE))


def test_what_is_looked_up_of_a_model_is_what_the_model_says() -> None:
    for entry in list(catalogue().values())[::20]:
        told = (entry.model_parameters, entry.active_parameters, entry.context_length, entry.runs)
        model = entry.model
        assert told == (model.parameters, model.active_parameters, model.context_length, not model.runtime_note)


def test_a_row_is_made_once_and_some_rows_are_rows() -> None:
    rows = kept_rows(CATALOGUE, MachineRow, ("id",))
    assert rows[3] is rows[3] is rows.only([5, 3])[1]
    assert rows[1:3] == (rows[1], rows[2])
    assert rows[-1] == list(rows)[-1]
    assert len({rows.only([1, 2]), rows.only([1, 2])}) == 1
    assert rows.only([1]) != rows.only([2])
    again: Any = pickle.loads(pickle.dumps(rows.only([4, 7])))
    assert type(again) is tuple
    assert again == (rows[4], rows[7])


def test_places_by_what_is_said_of_a_row() -> None:
    rows: Rows[CloudOffer] = kept_rows(PRICES / "cloud.csv", CloudOffer, CLOUD_KEY)
    for _ in range(2):
        found = places_by("test", rows, lambda row: row.provider if row.region == "eu" else None)
        assert {row.provider for row in rows if row.region == "eu"} == set(found)
        for provider, places in found.items():
            own = [row for row in rows if (row.provider, row.region) == (provider, "eu")]
            assert list(rows.only(places)) == own


def test_a_broken_table_is_named_and_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "cloud.csv"
    path.write_text("provider,region\nx,y\n", "utf-8")
    for _ in range(2):
        with pytest.raises(DataError, match=r"cloud\.csv, row 1, column source: the column is missing"):
            list(kept_rows(path, CloudOffer))


def test_values_are_made_when_asked_for_and_once() -> None:
    made: list[int] = []

    def make(plain: int) -> SimpleNamespace:
        made.append(plain)
        return SimpleNamespace(value=plain)

    def seen() -> Iterator[int]:
        yield from made

    found = Lazily({"a": 1, "b": 2}, make)
    assert ("a" in found, "c" in found, len(found), list(found)) == (True, False, 2, ["a", "b"])
    assert not list(seen())
    assert found["a"] is found["a"] is found.get("a")
    assert list(seen()) == [1]
    assert found.get("c") is None
    with pytest.raises(KeyError):
        found["c"]
