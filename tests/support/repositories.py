"""Checkpoints that were published, of the catalogue's shapes, beside what their model's config says of them."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from advisor.formats.kept_layers import published_form
from advisor.formats.safetensors_levels import SafetensorsLevel, Scheme, find_safetensors_level
from advisor.formats.safetensors_sizes import size_safetensors_level, stored_weights
from advisor.models.catalogue import catalogue
from advisor.models.model import Model
from advisor.sources.checkpoint_sizes import checkpoint_range

FILE = Path(__file__).resolve().parents[1] / "truth" / "published_checkpoints.csv"
_SCALES = ("scale", "scales", "qzeros", "g_idx", "zero_point", "weight_shape")
_WORD = 32


@dataclass(frozen=True, slots=True)
class Row:
    """`counted` says what `value` is: "bytes" of all files, or by the headers "elements" of all tensors, those "without
    scales", or "weights" as before they were packed.
    """

    repo: str
    shape: str
    level: str
    counted: str
    value: int

    @property
    def publisher(self) -> str:
        return self.repo.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Held:
    """A repository of `bytes` and what is stated of it, all in bytes."""

    row: Row
    low: int
    typical: int
    high: int

    @property
    def error(self) -> float:
        return self.typical / self.row.value - 1

    @property
    def inside(self) -> bool:
        return self.low <= self.row.value <= self.high


@cache
def rows() -> tuple[Row, ...]:
    with FILE.open(encoding="utf-8", newline="") as file:
        return tuple(
            Row(row["repo"], row["shape"], row["level"], row["counted"], int(row["value"]))
            for row in csv.DictReader(file)
        )


def held_bytes() -> Iterator[Held]:
    """Every repository whose bytes are known."""
    for row in rows():
        if row.counted == "bytes":
            entry = catalogue()[row.shape]
            sized = size_safetensors_level(entry.model, find_safetensors_level(row.level))
            found = checkpoint_range(entry, entry.model, sized)
            yield Held(row, found.low, found.typical, found.high)


def held_elements() -> Iterator[tuple[Row, float]]:
    """Every repository whose headers were counted, and by what share our count is off: of the layout that publishers of
    the level make, with a second copy of a tied embedding or without, and with the layers that draft or without.
    """
    for row in rows():
        if row.counted == "bytes":
            continue
        model, level = catalogue()[row.shape].model, find_safetensors_level(row.level)
        copy = model.width * model.vocabulary if model.tied_embeddings else 0
        ours = counted(model, published_form(model, level), row.counted)
        offs = [(ours + more - row.value) / row.value for more in {0, copy, model.mtp_parameters}]
        yield row, min(offs, key=abs)


def counted(model: Model, level: SafetensorsLevel, what: str) -> int:
    """Elements of all tensors of a checkpoint, as the Hub counts them."""
    total = 0
    for blocks, stored in stored_weights(model, level):
        for tensor in stored.tensors:
            if what != "elements" and tensor.suffix.endswith(_SCALES):
                continue
            packed = what == "weights" and level.scheme in (Scheme.GPTQ, Scheme.AWQ) and tensor.suffix == "qweight"
            total += (blocks or 1) * stored.copies * tensor.elements * (_WORD // level.bits if packed else 1)
    return total
