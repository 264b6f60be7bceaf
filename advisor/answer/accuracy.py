"""How right the engine is: its figures held against what others printed or measured, counted once and kept.

`data/accuracy.csv` is written by `python -m tests.support.accuracy`, from `tests/truth/` and from the evidence in
`data/`; a test counts again.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveFloat, PositiveInt

from advisor.foundation.csv_rows import BlankIsNone, Filled, read_rows
from advisor.foundation.places import data_folder

ACCURACY_FILE = data_folder() / "accuracy.csv"
KEY = ("kind", "what", "left_out")

_Count = Annotated[NonNegativeInt | None, BlankIsNone]
_Percent = Annotated[float | None, BlankIsNone]


class Accuracy(BaseModel):
    """One line of the proof. None where it makes no sense for the kind.

    `rows` were compared, of `models` models; `equal` of them are the very figure, `inside` of them lie in the stated
    range. `typical_miss` is the median distance to the typical value, `lowest` and `highest` the worst misses of the
    engine's figure below and above the true one: percent, for quality points of percent kept. `range_width` is the
    median width of the range: high over low for speed, points for quality. `left_out` says what was kept aside each
    time: the range was made without it.
    """

    model_config = ConfigDict(defer_build=True, frozen=True)

    kind: Literal["sizes", "memory", "speed", "quality"]
    what: Filled
    left_out: str
    models: Annotated[PositiveInt | None, BlankIsNone]
    rows: PositiveInt
    equal: _Count
    inside: _Count
    typical_miss: _Percent
    lowest: _Percent
    highest: _Percent
    range_width: Annotated[PositiveFloat | None, BlankIsNone]
    command: Filled
    source: Filled
    as_of: Filled


@cache
def accuracy() -> tuple[Accuracy, ...]:
    """Every line; raises DataError for a broken row."""
    return read_accuracy(ACCURACY_FILE)


def read_accuracy(path: Path) -> tuple[Accuracy, ...]:
    """A table of that form; raises DataError for a broken row."""
    return read_rows(path, Accuracy, KEY)
