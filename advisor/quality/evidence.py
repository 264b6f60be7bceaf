"""The published measurements in data/quality.csv: what a row must hold, and which row is broken why."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from advisor.foundation.csv_rows import BlankIsNone, Filled, read_rows
from advisor.foundation.kept_rows import Rows, kept_rows
from advisor.foundation.places import data_folder
from advisor.quality.tasks import DIVERGENCE, PERPLEXITY, TASKS

QUALITY_FILE = data_folder() / "quality.csv"


def _known_task(task: str) -> str:
    if task not in TASKS:
        raise ValueError(f"the task must be one of {', '.join(TASKS)}")
    return task


_Billions = Annotated[float, Field(gt=0.01, lt=20_000, allow_inf_nan=False)]
_Score = Annotated[float, Field(ge=-1, le=1e6, allow_inf_nan=False)]

Variant = Literal["base", "instruct", "reasoning"]


class Evidence(BaseModel):
    """One published measurement.

    `level` is the publisher's word, `level_id` the level of ours it is (blank: none) and `stock` whether it is
    made by that level's usual recipe. Scores are in percent; `retention_percent` is quantized / 16 bit. For
    perplexity the file holds `ppl_ratio` = quantized / 16 bit; for divergence `quantized_value` in nats.
    """

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    model: Filled
    model_id: str
    family: Filled
    parameters_b: _Billions
    active_parameters_b: Annotated[_Billions | None, BlankIsNone]
    variant: Variant
    format: Literal["gguf", "gptq", "awq", "fp8", "int8", "nvfp4", "mxfp4", "bnb", "mlx", "exl2", "other"]
    level: Filled
    level_id: str
    stock: Literal["yes", "no", ""]
    imatrix: Literal["yes", "no", "unknown"]
    benchmark: Filled
    task: Annotated[str, BeforeValidator(_known_task)]
    baseline_value: Annotated[_Score | None, BlankIsNone]
    quantized_value: Annotated[_Score | None, BlankIsNone]
    retention_percent: Annotated[Annotated[float, Field(ge=0, le=125)] | None, BlankIsNone]
    ppl_ratio: Annotated[Annotated[float, Field(gt=0.9, lt=1000)] | None, BlankIsNone]
    source: Filled
    source_url: Annotated[str, Field(pattern=r"^https://\S+$")]
    locator: Filled
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
    return read_rows(path, Evidence)


@cache
def evidence() -> Rows[Evidence]:
    """The bundled measurements, each made when first asked for."""
    return kept_rows(QUALITY_FILE, Evidence)
