"""The measurements in data/quality.csv: schema, plausibility, and errors that name the broken place."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from advisor.foundation.errors import DataError
from advisor.models.catalogue import catalogue
from advisor.quality.evidence import QUALITY_FILE, evidence, read_evidence
from advisor.quality.level_groups import known_level
from advisor.quality.lineage import slug
from advisor.quality.tasks import SCORED_TASKS, TASKS


def test_there_is_evidence_for_every_task_and_from_many_sources() -> None:
    rows = evidence()
    assert len(rows) > 3000
    assert {row.task for row in rows} == set(TASKS)
    assert len({row.source_url for row in rows}) > 100


def test_model_ids_are_of_the_catalogue_and_of_the_same_size() -> None:
    for row in evidence():
        if row.model_id:
            entry = catalogue()[row.model_id]
            assert row.parameters_b == pytest.approx(entry.parameters.counted / 1e9, rel=0.08), row.model


def test_models_that_the_catalogue_has_carry_its_id() -> None:
    missing = {row.model for row in evidence() if not row.model_id and slug(row.model) in catalogue()}
    assert not missing


def test_level_ids_are_what_the_engine_makes_of_the_publishers_words() -> None:
    for row in evidence():
        level = known_level(row.level)
        assert row.level_id == (level.name if level else ""), row.level
        assert row.stock == ("" if level is None else "yes" if level.stock else "no"), row.level


def test_a_model_has_one_size_family_and_variant() -> None:
    facts = {(row.model, row.parameters_b, row.active_parameters_b, row.family, row.variant) for row in evidence()}
    assert [name for name, count in Counter(fact[0] for fact in facts).items() if count > 1] == []


def test_no_measurement_is_there_twice() -> None:
    rows = [row.model_dump_json() for row in evidence()]
    assert len(rows) == len(set(rows))


def test_no_baseline_is_near_chance_or_zero() -> None:
    guessing = {"mmlu": 25, "arc-e": 25, "hellaswag": 25, "winogrande": 50, "piqa": 50, "boolq": 50, "mmlu-pro": 10}
    for row in evidence():
        if row.task in SCORED_TASKS and row.baseline_value is not None:
            assert row.baseline_value >= guessing.get(row.benchmark, 0) + 10, (row.model, row.benchmark)


def test_scores_of_fewer_bits_are_lower_on_the_whole() -> None:
    kept: dict[int, list[float]] = {}
    for row in evidence():
        if (level := known_level(row.level)) and row.retention_percent is not None:
            kept.setdefault(level.bits, []).append(row.retention_percent)
    means = [sum(kept[bits]) / len(kept[bits]) for bits in (8, 4, 3, 2)]
    assert means == sorted(means, reverse=True)


@pytest.fixture
def table() -> list[list[str]]:
    with QUALITY_FILE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    return [rows[0], *(row for row in rows[1:] if row[rows[0].index("retention_percent")])][:4]


def _written(folder: Path, rows: list[list[str]]) -> Path:
    path = folder / "quality.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("retention_percent", "194", "less than or equal to 125"),
        ("retention_percent", "", "needs retention_percent"),
        ("retention_percent", "50", "must be quantized / baseline"),
        ("task", "poetry", "the task must be one of"),
        ("variant", "unknown", "'base', 'instruct' or 'reasoning'"),
        ("source", "", "at least 1 character"),
        ("source_url", "example.org", "pattern"),
        ("parameters_b", "nan", "finite"),
        ("active_parameters_b", "9999", "must not exceed"),
        ("stock", "", "together"),
    ],
)
def test_a_broken_cell_is_named(tmp_path: Path, table: list[list[str]], column: str, value: str, reason: str) -> None:
    table[2][table[0].index(column)] = value
    with pytest.raises(DataError) as error:
        read_evidence(_written(tmp_path, table))
    text = str(error.value)
    assert "quality.csv, row 3" in text
    assert reason in text
    assert "\n" not in text
    assert str(tmp_path) not in text


def test_a_broken_file_is_named(tmp_path: Path, table: list[list[str]]) -> None:
    for rows, reason in (
        ([table[0]], "holds no row"),
        ([table[0][1:]], "the column is missing"),
        ([[*table[0], "model"]], "twice"),
        ([[*table[0], "mood"]], "no such column"),
        ([table[0], table[1][:-1]], "cells"),
    ):
        with pytest.raises(DataError, match=reason):
            read_evidence(_written(tmp_path, rows))
    with pytest.raises(DataError, match="cannot be read"):
        read_evidence(tmp_path / "absent.csv")
    (tmp_path / "quality.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="not a CSV file"):
        read_evidence(tmp_path / "quality.csv")
