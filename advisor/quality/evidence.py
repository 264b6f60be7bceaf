"""The published measurements in data/quality.csv: what a row must hold, and which row is broken why."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from advisor.errors import DataError
from advisor.quality.tasks import DIVERGENCE, PERPLEXITY, TASKS

ROOT = Path(__file__).resolve().parents[2]
QUALITY_FILE = ROOT / "data" / "quality.csv"
_LONGEST_QUOTED = 60


def _blank_is_none(cell: object) -> object:
    return None if cell == "" else cell


def _known_task(task: str) -> str:
    if task not in TASKS:
        raise ValueError(f"the task must be one of {', '.join(TASKS)}")
    return task


_Blank = BeforeValidator(_blank_is_none)
_Billions = Annotated[float, Field(gt=0.01, lt=20_000, allow_inf_nan=False)]
_Score = Annotated[float, Field(ge=-1, le=1e6, allow_inf_nan=False)]
_Filled = Annotated[str, Field(min_length=1)]

Variant = Literal["base", "instruct", "reasoning"]


class Evidence(BaseModel):
    """One published measurement.

    `level` is the publisher's word, `level_id` the level of ours it is (blank: none) and `stock` whether it is
    made by that level's usual recipe. Scores are in percent; `retention_percent` is quantized / 16 bit. For
    perplexity the file holds `ppl_ratio` = quantized / 16 bit; for divergence `quantized_value` in nats.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: _Filled
    model_id: str
    family: _Filled
    parameters_b: _Billions
    active_parameters_b: Annotated[_Billions | None, _Blank]
    variant: Variant
    format: Literal["gguf", "gptq", "awq", "fp8", "int8", "nvfp4", "mxfp4", "bnb", "mlx", "exl2", "other"]
    level: _Filled
    level_id: str
    stock: Literal["yes", "no", ""]
    imatrix: Literal["yes", "no", "unknown"]
    benchmark: _Filled
    task: Annotated[str, BeforeValidator(_known_task)]
    baseline_value: Annotated[_Score | None, _Blank]
    quantized_value: Annotated[_Score | None, _Blank]
    retention_percent: Annotated[Annotated[float, Field(ge=0, le=125)] | None, _Blank]
    ppl_ratio: Annotated[Annotated[float, Field(gt=0.9, lt=1000)] | None, _Blank]
    source: _Filled
    source_url: Annotated[str, Field(pattern=r"^https://\S+$")]
    locator: _Filled
    as_of: Annotated[str, Field(pattern=r"^20\d\d-(0[1-9]|1[0-2])$")]
    notes: str

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if self.task not in (DIVERGENCE, PERPLEXITY) and self.retention_percent is None:
            raise ValueError("a task's score needs retention_percent")
        if (self.level_id == "") != (self.stock == ""):
            raise ValueError("level_id and stock must be given together")
        if self.baseline_value and self.quantized_value is not None and self.retention_percent is not None:
            kept = 100 * self.quantized_value / self.baseline_value
            if abs(kept - self.retention_percent) > 0.2:
                raise ValueError(f"retention_percent must be quantized / baseline, which is {kept:.2f}")
        if self.active_parameters_b is not None and self.active_parameters_b > self.parameters_b:
            raise ValueError("active_parameters_b must not exceed parameters_b")
        return self

    @property
    def value(self) -> str:
        """The figure as a reader wants to see it."""
        if self.retention_percent is not None:
            return f"{self.retention_percent:.1f} % of 16 bit"
        if self.ppl_ratio is not None:
            return f"perplexity x {self.ppl_ratio:.4f}"
        return f"{self.benchmark} {self.quantized_value}"


def read_evidence(path: Path) -> tuple[Evidence, ...]:
    """Every row of the file; raises DataError naming file, row (the header is row 1), column and reason."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = tuple(_row(path, number, cells) for number, cells in _cells(path, file))
    except OSError as error:
        raise DataError(f"{_shown(path)} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{_shown(path)} is not a CSV file in UTF-8: {error}.") from error
    if not rows:
        raise DataError(f"{_shown(path)} holds no measurement.")
    return rows


@cache
def evidence() -> tuple[Evidence, ...]:
    """The bundled measurements, read when first asked for."""
    return read_evidence(QUALITY_FILE)


def _cells(path: Path, file: Iterator[str]) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.reader(file, strict=True)
    header = next(reader, [])
    for column in Evidence.model_fields:
        if header.count(column) != 1:
            raise _broken(path, 1, column, "the column is there twice" if column in header else "the column is missing")
    for column in header:
        if column not in Evidence.model_fields:
            raise _broken(path, 1, column, "no such column is known")
    for number, cells in enumerate(reader, start=2):
        if cells and len(cells) != len(header):
            raise _broken(path, number, None, f"it has {len(cells)} cells, but the header has {len(header)}")
        if cells:
            yield number, dict(zip(header, cells, strict=True))


def _row(path: Path, number: int, cells: dict[str, str]) -> Evidence:
    try:
        return Evidence.model_validate(cells)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        reason = first["msg"].removeprefix("Value error, ")
        if not first["loc"]:
            raise _broken(path, number, None, reason) from error
        column = str(first["loc"][0])
        raise _broken(path, number, column, f"{reason} (it is {cells[column][:_LONGEST_QUOTED]!r})") from error


def _broken(path: Path, number: int, column: str | None, reason: str) -> DataError:
    where = f"{_shown(path)}, row {number}" + (f", column {column}" if column else "")
    return DataError(f"{where}: {reason}.")


def _shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
