"""The scores in data/model_scores.csv and the scale fitted to them: schema, plausibility, and the refit."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from advisor.foundation.errors import DataError
from advisor.models.catalogue import catalogue
from advisor.quality.scale import SCALE_FILE, read_scale
from advisor.quality.scores import SCORES_FILE, read_scores, scores
from advisor.quality.tasks import SCORED_TASKS

LANGUAGE_MODELS = {id for id, entry in catalogue().items() if entry.variant != "embedding"}


def test_there_are_scores_for_nearly_every_model_and_every_task() -> None:
    rows = scores()
    assert len(rows) > 6000
    assert set(SCORED_TASKS) <= {row.task for row in rows}
    assert {row.model_id for row in rows} <= LANGUAGE_MODELS
    assert len({row.model_id for row in rows}) > 0.9 * len(LANGUAGE_MODELS)


def test_no_score_is_there_twice() -> None:
    assert not [row for row, count in Counter(row.model_dump_json() for row in scores()).items() if count > 1]


def test_a_benchmark_has_one_task_and_one_unit() -> None:
    units = {(row.benchmark, row.task, row.unit) for row in scores()}
    assert [name for name, count in Counter(name for name, *_ in units).items() if count > 1] == []


def test_percentages_are_no_fractions() -> None:
    most: dict[str, float] = defaultdict(float)
    for row in scores():
        if row.unit == "%":
            most[row.benchmark] = max(most[row.benchmark], row.score)
    assert [name for name, score in most.items() if score <= 1] == []


def test_what_must_not_be_fitted_says_why() -> None:
    assert all(row.note or row.mode == "low effort" for row in scores() if row.fit == "no")


def test_the_scale_has_every_language_model_at_every_task() -> None:
    rows = read_scale(SCALE_FILE)
    assert {row.model_id for row in rows} == LANGUAGE_MODELS
    by_mode = Counter((row.model_id, row.mode) for row in rows)
    assert set(by_mode.values()) == {len({row.task for row in rows})}


def test_models_without_rows_of_a_task_are_less_sure() -> None:
    deviations: dict[str, list[float]] = defaultdict(list)
    for row in read_scale(SCALE_FILE):
        deviations[row.basis].append(row.sd)
    means = [
        sum(deviations[basis]) / len(deviations[basis]) for basis in ("rows", "few rows", "other tasks", "no rows")
    ]
    assert means == sorted(means)


def test_the_scale_is_what_the_scores_give(tmp_path: Path) -> None:
    again = tmp_path / "model_scale.csv"
    code = "import sys, pathlib; from advisor.quality.fit_scale import write; write(pathlib.Path(sys.argv[1]))"
    # In a process of its own, as small matrices gain nothing from threads, and numpy asks for their number only once.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", code, str(again)], check=True, env=environment)
    shipped, fitted = read_scale(SCALE_FILE), read_scale(again)
    for known, found in zip(shipped, fitted, strict=True):
        rounded = {"value": pytest.approx(found.value, abs=0.005), "sd": pytest.approx(found.sd, abs=0.005)}
        assert known.model_dump() == found.model_dump() | rounded


@pytest.mark.parametrize(
    ("table", "column", "value", "reason"),
    [
        (SCORES_FILE, "score", "a lot", "a lot"),
        (SCORES_FILE, "score", "-7", "must lie between"),
        (SCORES_FILE, "task", "poetry", "poetry"),
        (SCORES_FILE, "source_url", "example.org", "pattern"),
        (SCORES_FILE, "source", "", "at least 1 character"),
        (SCORES_FILE, "as_of", "2026-13", "pattern"),
        (SCORES_FILE, "mode", "low effort", "low effort"),
        (SCALE_FILE, "value", "nan", "nan"),
        (SCALE_FILE, "sd", "0", "greater than 0"),
        (SCALE_FILE, "basis", "no rows", "the basis must be"),
        (SCALE_FILE, "rows_of_task", "99999", "must not exceed"),
        (SCALE_FILE, "as_of", "soon", "pattern"),
    ],
)
def test_a_broken_cell_is_named(tmp_path: Path, table: Path, column: str, value: str, reason: str) -> None:
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    head = rows[0]
    sound = next(row for row in rows[1:] if row[head.index("fit" if "fit" in head else "basis")] in ("yes", "rows"))
    broken = [*sound]
    broken[head.index(column)] = value
    path = tmp_path / table.name
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([head, rows[-1], broken])
    with pytest.raises(DataError) as error:
        (read_scores if table == SCORES_FILE else read_scale)(path)
    text = str(error.value)
    assert f"{table.name}, row 3" in text
    assert reason in text
    assert str(tmp_path) not in text
