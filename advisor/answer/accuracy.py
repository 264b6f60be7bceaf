"""How right the engine is: its figures held against what others printed or measured, counted once and kept.

`data/accuracy.csv` is written by `python -m tests.support.accuracy`, from `tests/truth/` and from the evidence in
`data/`; a test counts again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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

    What keeps it from being better, where sources were kept aside: `sources` that are independent; `again` of them
    measured the very thing that another had, half of these within `apart`, nine in ten within `far_apart` (percent,
    for quality points); `unstated` rows leave out what their figure depends on.
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
    sources: _Count = None
    again: _Count = None
    apart: _Percent = None
    far_apart: _Percent = None
    unstated: _Count = None
    command: Filled
    source: Filled
    as_of: Filled


@dataclass(frozen=True)
class Aim:
    """What the estimate is to reach of what was kept aside: percent off at most, percent inside at least, and the range
    at most, high over low for speed, points for quality."""

    typical_miss: float | None
    inside: float
    range_width: float | None

    def missed(self, line: Accuracy) -> bool:
        """By the figures as they are shown: whole percent, a range to one digit."""
        wide = self.range_width is not None and round(line.range_width or 0, 1) > self.range_width
        off = self.typical_miss is not None and round(line.typical_miss or 0) > self.typical_miss
        return wide or off or round(100 * (line.inside or 0) / line.rows) < self.inside


# By what is estimated, and what was kept aside.
AIMS: Mapping[tuple[str, str], Aim] = {
    ("decode: llama.cpp, over all", "source"): Aim(7, 90, 1.8),
    ("decode: llama.cpp, over all", "device"): Aim(8, 90, None),
    ("host: part on the host", "source"): Aim(13, 90, 2.5),
    ("decode: vLLM", "source"): Aim(12, 90, 2.2),
    ("decode: vLLM, several users", "source"): Aim(18, 88, 3.0),
    ("prefill: llama.cpp, over all", "source"): Aim(20, 88, 3.0),
    ("all levels", "source"): Aim(None, 90, 4.5),
    ("2 bits", "source"): Aim(None, 85, None),
}


@cache
def accuracy() -> tuple[Accuracy, ...]:
    """Every line; raises DataError for a broken row."""
    return read_accuracy(ACCURACY_FILE)


def read_accuracy(path: Path) -> tuple[Accuracy, ...]:
    """A table of that form; raises DataError for a broken row."""
    return read_rows(path, Accuracy, KEY)
