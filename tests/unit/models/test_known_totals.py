"""Real configs of other classes than the catalogue's: as many weights as are published."""

from __future__ import annotations

from typing import Any

import pytest

from advisor.formats.gguf_levels import LEVELS
from advisor.foundation.units import MIB
from advisor.models.blueprints import model_from_config
from advisor.models.model import Model
from advisor.runtimes.llama_cpp.compute.assumed import assumed_compute
from advisor.runtimes.llama_cpp.compute.buffer import compute_buffer_bytes
from advisor.runtimes.llama_cpp.kv_cache import layer_cache_bytes
from advisor.runtimes.llama_cpp.weights import level_weights
from advisor.sizing.placement import HOST, place
from tests.support.known_totals import LEVEL, SETTINGS, rows

ROWS = rows()


def _model(name: str) -> Model:
    return model_from_config(next(row["config"] for row in ROWS if row["name"] == name))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row["name"]))
def test_a_real_config_has_the_published_number_of_weights(row: dict[str, Any]) -> None:
    assert model_from_config(row["config"]).parameters == row["parameters"]


@pytest.mark.parametrize("row", [row for row in ROWS if "told" in row], ids=lambda row: str(row["name"]))
def test_weights_cache_and_compute_are_those_of_llama_cpp_s_planner(row: dict[str, Any]) -> None:
    model = model_from_config(row["config"])
    placement = place(len(model.layers), ())
    weights, cache, compute = row["told"]
    assert level_weights(model, LEVELS[LEVEL]).on_devices(placement)[HOST] // MIB == weights
    assert sum(layer_cache_bytes(model, SETTINGS)) // MIB == cache
    if model.wiring.assumed:
        span = assumed_compute(model, SETTINGS, placement)[HOST]
        assert span.low / MIB - 1 <= compute <= span.high / MIB
    else:
        assert abs(compute_buffer_bytes(model, SETTINGS, placement)[HOST] / MIB - compute) <= max(1, compute / 100)


def test_parts_beside_the_text_model_are_named_where_they_are_not_counted() -> None:
    assert [note.kind for note in _model("LLaVA-1.5-7B, text part").notes] == ["parts_left_out"]
    pixtral = _model("Pixtral-12B, text part")
    assert pixtral.tower is not None
    assert not pixtral.notes


def test_a_reward_model_does_not_write() -> None:
    assert not _model("Skywork-Reward-Llama-3.1-8B").writes
    assert _model("Pixtral-12B, text part").writes
