"""Real configs of other classes than the catalogue's: as many weights as are published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from advisor.models.blueprints import model_from_config
from advisor.models.model import Model
from tests.support.reference import TRUTH

ROWS: list[dict[str, Any]] = json.loads((Path(TRUTH) / "known_totals.json").read_text("utf-8"))


def _model(name: str) -> Model:
    return model_from_config(next(row["config"] for row in ROWS if row["name"] == name))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row["name"]))
def test_a_real_config_has_the_published_number_of_weights(row: dict[str, Any]) -> None:
    assert model_from_config(row["config"]).parameters == row["parameters"]


def test_parts_beside_the_text_model_are_named_where_they_are_not_counted() -> None:
    assert [note.kind for note in _model("LLaVA-1.5-7B, text part").notes] == ["parts_left_out"]
    pixtral = _model("Pixtral-12B, text part")
    assert pixtral.tower is not None
    assert not pixtral.notes


def test_a_reward_model_does_not_write() -> None:
    assert not _model("Skywork-Reward-Llama-3.1-8B").writes
    assert _model("Pixtral-12B, text part").writes
