"""The measurements in data/kv_quality.csv: whose they are, and errors that name the broken place."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from advisor.foundation.errors import DataError
from advisor.models.catalogue import catalogue
from advisor.quality.kv_evidence import KV_FILE, kv_evidence, read_kv_evidence


def test_families_are_spelled_as_in_the_catalogue() -> None:
    assert {row.family for row in kv_evidence()} <= {entry.family for entry in catalogue().values()}


def test_each_type_that_may_be_chosen_by_itself_is_measured_by_more_than_one_source() -> None:
    for kind in ("q8_0", "q4_0"):
        assert len({row.source_url for row in kv_evidence() if row.kind_k == row.kind_v == kind}) >= 3
    assert any(row.engine == "vllm" for row in kv_evidence())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind_k": "turbo3"}, "row 2, column kind_k: the type must be one of .*turbo3"),
        ({"kind_k": "f16", "kind_v": "f16"}, "row 2: keys or values must be in a type that loses something"),
        ({"kind_v": "fp8"}, "row 2: llama.cpp has no cache in fp8"),
        ({"task": "vibes"}, "row 2, column task: the task must be one of"),
        ({"benchmark": "ppl"}, "row 2: divergence, and nothing else"),
        ({"value": "0.0001"}, "row 2: a divergence must exceed"),
        ({"benchmark": "mmlu", "task": "knowledge", "baseline": "0"}, "row 2: a score or perplexity needs"),
        ({"benchmark": "ppl", "task": "perplexity", "value": "0.5"}, "row 2: perplexity is 1 or more"),
        ({"source_url": "a friend"}, "row 2, column source_url"),
        ({"published": "last spring"}, "row 2, column published"),
        ({"family": ""}, "row 2, column family"),
    ],
)
def test_a_broken_row_is_named_with_its_reason(tmp_path: Path, changes: dict[str, str], said: str) -> None:
    with KV_FILE.open(encoding="utf-8", newline="") as file:
        row = next(csv.DictReader(file)) | changes
    path = tmp_path / KV_FILE.name
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, row)
        table.writeheader()
        table.writerow(row)
    with pytest.raises(DataError, match=rf"^kv_quality\.csv, {said}"):
        read_kv_evidence(path)


def test_no_measurement_is_there_twice(tmp_path: Path) -> None:
    path = tmp_path / KV_FILE.name
    lines = KV_FILE.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join([*lines, lines[5]]), "utf-8")
    with pytest.raises(DataError, match=rf"row {len(lines) + 1}, column source_url: an earlier row"):
        read_kv_evidence(path)
