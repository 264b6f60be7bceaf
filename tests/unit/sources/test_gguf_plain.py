"""GGUF files of the architectures whose blueprints are rows of a table: their headers lead back to the same model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from advisor.formats.gguf_levels import LEVELS
from advisor.models.blueprints import model_from_config
from advisor.quantize.header_only import write_header_only
from advisor.sources.gguf_header import read_gguf_header
from advisor.sources.gguf_model import model_of
from advisor.sources.gguf_plain import PLAIN
from advisor.sources.reading import read_from_path
from tests.support.known_totals import metadata, rows

_ROWS = [row for row in rows() if "told" in row and model_from_config(row["config"]).architecture in PLAIN]


@pytest.mark.parametrize("row", _ROWS, ids=lambda row: str(row["name"]))
def test_a_header_leads_back_to_the_model(row: dict[str, Any], tmp_path: Path) -> None:
    model, path = model_from_config(row["config"]), tmp_path / "x.gguf"
    write_header_only(path, model, LEVELS["Q8_0"], metadata(model, row.get("metadata", {})))
    found = model_of(read_gguf_header(read_from_path(path), "x.gguf"))
    assert found.model is not None
    assert found.comparison is not None
    assert found.comparison.agrees
    assert found.model.wiring == model.wiring
    assert [layer.mixers for layer in found.model.layers] == [layer.mixers for layer in model.layers]


def test_a_ranker_s_head_is_read_from_its_file(tmp_path: Path) -> None:
    row = next(row for row in rows() if row["name"] == "ERNIE-4.5-0.3B")
    model, path = model_from_config(row["config"]).with_scores(2), tmp_path / "x.gguf"
    write_header_only(path, model, LEVELS["Q8_0"], metadata(model, row.get("metadata", {})))
    found = model_of(read_gguf_header(read_from_path(path), "x.gguf"))
    assert found.model is not None
    assert found.comparison is not None
    assert found.comparison.agrees
    assert not found.model.writes
