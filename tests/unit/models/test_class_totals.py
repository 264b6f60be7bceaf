"""Each class of llama.cpp's converter has as many weights as PyTorch or a publisher counts, from a config alone."""

from __future__ import annotations

from typing import Any

import pytest

from advisor.models.blueprints import model_from_config
from advisor.models.refused import REFUSED
from tests.support.class_totals import config_of, rows
from tests.support.converter_classes import CLASSES

ROWS = rows()


def test_all_classes_but_the_refused_have_a_row_with_its_source() -> None:
    assert {row["class"] for row in ROWS} >= set(CLASSES) - set(REFUSED)
    assert len(set(CLASSES) - set(REFUSED)) >= 200
    assert all(row["source"] for row in ROWS)


def test_most_totals_are_pytorchs() -> None:
    assert len({row["class"] for row in ROWS if row["source"].startswith("transformers ")} & set(CLASSES)) >= 160


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['class']}, {row['origin']}")
def test_a_config_has_all_the_weights_of_its_text_model_and_no_others(row: dict[str, Any]) -> None:
    assert row["parameters"] == row["total"] - sum(row["beside"].values()) + sum(row["held"].values())
    assert model_from_config(config_of(row)).parameters == row["parameters"]
