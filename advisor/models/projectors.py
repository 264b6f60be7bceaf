"""Projector files that people download (mmproj): what they measure, `data/projectors.csv`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from advisor.foundation.compiled import of_the_program
from advisor.foundation.csv_rows import Filled, read_rows
from advisor.foundation.places import data_folder
from advisor.models.tower import ProjectorType, Tower

PROJECTORS_FILE = data_folder() / "projectors.csv"
_KEY = ("model_id", "type")


class Row(BaseModel):
    """The files of one type for one model; `printed_to_bytes` is how finely their size was printed, 1: exactly."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    model_id: Filled
    type: ProjectorType
    bytes: Annotated[int, Field(gt=0)]
    printed_to_bytes: Annotated[int, Field(gt=0)]
    publisher: Filled
    files: Annotated[int, Field(gt=0)]
    source: Annotated[str, Field(pattern=r"^https://\S+$")]
    as_of: Annotated[str, Field(pattern=r"^20\d\d-(0[1-9]|1[0-2])$")]


@dataclass(frozen=True, slots=True)
class _Known:
    """What a config does not tell of an encoder: how large an image it warms up with, and what that takes."""

    patches: int = 0
    working: int = 0
    fixed_compute: int = 0
    heads: int = 0


# Gemma 4 12B has no encoder: llama.cpp's own estimate for a file of 167.0 MiB is 354.46 in all. Mistral Small 4 has
# Pixtral's eyes, Muse Glimmer warms up with 32 x 32 tokens of four patches.
_GRAPHS = {
    "gemma-4-12b-it": _Known(fixed_compute=196_570_000),
    "mistral-small-4-119b-2603": _Known(patches=1024, working=3 * 4096 + 3 * 1024, heads=16),
    "muse-glimmer-30b": _Known(patches=4096, working=8960 + 3 * 1536, heads=16),
}
# Where nothing is known, as much as the largest that was seen with flash attention.
_UNKNOWN = _Known(fixed_compute=739_000_000)


def read_projectors(path: Path) -> tuple[Row, ...]:
    """Every row; raises DataError naming a broken one."""
    return read_rows(path, Row, _KEY)


@cache
def projectors() -> tuple[Row, ...]:
    """The bundled rows, read once."""
    return read_projectors(PROJECTORS_FILE)


@cache
def _by_model() -> dict[str, tuple[tuple[ProjectorType, int], ...]]:
    def made() -> dict[str, tuple[tuple[ProjectorType, int], ...]]:
        found: dict[str, tuple[tuple[ProjectorType, int], ...]] = {}
        for row in projectors():
            found[row.model_id] = (*found.get(row.model_id, ()), (row.type, row.bytes))
        return found

    kept: dict[str, tuple[tuple[ProjectorType, int], ...]] = of_the_program("projectors", made)
    return kept


def published_tower(model_id: str) -> Tower | None:
    """The tower of a catalogue model as its published files have it; None where none is known."""
    known = _by_model().get(model_id)
    if known is None:
        return None
    graph = _GRAPHS.get(model_id, _UNKNOWN)
    return Tower(
        known=known,
        heads=graph.heads,
        patches=graph.patches,
        most_patches=graph.patches,
        image_tokens=graph.patches // 4,
        working=graph.working,
        fixed_compute=graph.fixed_compute,
    )
