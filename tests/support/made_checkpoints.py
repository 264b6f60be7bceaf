"""Tiny checkpoints that the tools of publishers wrote (`tests/truth/made_checkpoints.jsonl.gz`), beside what is said of
them here. `tests/benchmarks/made_checkpoints.py` makes them anew.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from advisor.formats.safetensors_levels import find_safetensors_level
from advisor.formats.safetensors_sizes import size_safetensors_level
from advisor.models.blueprints import model_from_config
from advisor.sources.declared_size import declared_size
from advisor.sources.quantization_config import section_of
from tests.support.model_files import safetensors_file

TRUTH = Path(__file__).resolve().parents[1] / "truth"
FILE, MIRRORED_FILE = TRUTH / "made_checkpoints.jsonl.gz", TRUTH / "mirrored_checkpoints.json"
_TYPES = {"bfloat16": "BF16", "float16": "F16", "float32": "F32"}


@dataclass(frozen=True)
class Made:
    """A checkpoint: `name` is tool, architecture and scheme, `by` the tool's version, `bytes` what all of the tensors'
    data take in the files as they lay on disk.
    """

    name: str
    by: str
    bytes: int
    config: dict[str, Any]
    files: dict[str, Any]
    tensors: tuple[tuple[str, str, tuple[int, ...]], ...]

    @property
    def tool(self) -> str:
        return self.name.partition(":")[0]

    @property
    def scheme(self) -> str:
        return self.name.rpartition(":")[2]

    def repository(self) -> dict[str, Any]:
        """Its files, the weights as a header and a length."""
        return {"config.json": self.config, **self.files, "model.safetensors": safetensors_file(self.tensors)}

    def told(self) -> int | None:
        """Bytes of all tensors as the config alone tells them, None where it does not."""
        model = model_from_config(self.config)
        if section_of(self.config) is not None:
            size = declared_size(model, self.config)
            return None if size is None else size.all_bytes
        section = self.config if "dtype" in self.config else self.config["text_config"]
        level = find_safetensors_level(f"{_TYPES[section['dtype']]}-safetensors")
        tower = 0 if model.tower is None else level.bits // 8 * model.tower.parameters
        return size_safetensors_level(model, level).tensor_bytes + tower


@cache
def made_checkpoints() -> tuple[Made, ...]:
    with gzip.open(FILE, "rt", encoding="utf-8") as file:
        return tuple(_made(json.loads(line)) for line in file)


def _made(row: dict[str, Any]) -> Made:
    tensors = tuple((name, dtype, tuple(shape)) for name, dtype, shape in row["tensors"])
    return Made(row["name"], row["by"], row["bytes"], row["config"], row["files"], tensors)


@dataclass(frozen=True)
class Mirrored:
    """A published repository of which others keep a copy: bytes of its weight files, headers among them."""

    repository: str
    files_bytes: int
    config: dict[str, Any]
    source: str


def mirrored_checkpoints() -> tuple[Mirrored, ...]:
    return tuple(Mirrored(**row) for row in json.loads(MIRRORED_FILE.read_text("utf-8")))
