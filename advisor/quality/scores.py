"""The published scores of models in data/model_scores.csv: what a row must hold, and which row is broken why."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from advisor.foundation.csv_rows import Filled, read_rows
from advisor.foundation.kept_rows import Rows, kept_rows
from advisor.foundation.places import data_folder

SCORES_FILE = data_folder() / "model_scores.csv"

DATE = r"^20\d\d(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?$"
Mode = Literal["direct", "thinking"]
# What scores tell apart: the tasks that quality is asked for, and use of tools, which nobody can ask for yet.
ScaleTask = Literal[
    "chat", "knowledge", "reasoning", "math", "code", "instruction", "long_context", "multilingual", "agent"
]
# The least and most that a score can be, by its unit; "mean rank" is better the lower it is.
_BOUNDS = {
    "%": (0, 100),
    "Elo": (500, 2500),
    "index": (0, 200),
    "of 10": (0, 10),
    "mean rank": (1, 100),
    "IPS": (-1, 1),
}


class Score(BaseModel):
    """One published score of a model of the catalogue, at 16 bits or as its publisher serves it.

    `kind` is who measured: the model's publisher, somebody independent, or a leaderboard that publishes what it
    measured. `source` names them, `as_of` is the date of the source. `fit` is "no" for what must not place the model,
    such as averages of other rows and suspected faults of a harness; `note` then says why.
    """

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    model_id: Filled
    mode: Literal["direct", "thinking", "low effort"]
    benchmark: Filled
    task: ScaleTask
    score: Annotated[float, Field(allow_inf_nan=False)]
    unit: Literal["%", "Elo", "index", "of 10", "mean rank", "IPS"]
    kind: Literal["publisher", "independent", "leaderboard"]
    source: Filled
    source_url: Annotated[str, Field(pattern=r"^https://\S+$")]
    as_of: Annotated[str, Field(pattern=DATE)]
    fit: Literal["yes", "no"]
    setting: str
    note: str

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        low, high = _BOUNDS[self.unit]
        if not low <= self.score <= high:
            raise ValueError(f"a score in {self.unit} must lie between {low} and {high}")
        if self.mode == "low effort" and self.fit == "yes":
            raise ValueError("a run at low effort says nothing about the model's best and cannot be fitted")
        return self

    @property
    def lower_is_better(self) -> bool:
        return self.unit == "mean rank"

    @property
    def composite(self) -> bool:
        """Whether it is an index over several tasks."""
        return self.unit == "index" and "Index" in self.benchmark


def read_scores(path: Path) -> tuple[Score, ...]:
    """Every row of the file; raises DataError naming file, row (the header is row 1), column and reason."""
    return read_rows(path, Score)


@cache
def scores() -> Rows[Score]:
    """The bundled scores, each made when first asked for."""
    return kept_rows(SCORES_FILE, Score)
