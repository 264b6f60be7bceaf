"""Rows of a table of prices: each names its source and two days, blank where not known.

`as_of` is the day that the source speaks of, of a month its first; `checked` the day on which somebody here read it.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from advisor.foundation.csv_rows import BlankIsNone

Link = Annotated[str, Field(pattern=r"^(https?://\S+|by definition)")]
Day = Annotated[date | None, BlankIsNone]


class Seen(NamedTuple):
    """Where a price stands, the day it is of, and the day on which it was read."""

    source: str
    as_of: date | None
    checked: date | None


class DatedRow(BaseModel):
    """What every such row has."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True, str_strip_whitespace=True)

    source: Link
    as_of: Day
    checked: Day

    @field_validator("as_of", "checked")
    @classmethod
    def _a_past_day(cls, day: date | None) -> date | None:
        # Not "today": whether a file is sound must not depend on the day it is read.
        if day is not None and not date(2020, 1, 1) <= day <= date(2100, 1, 1):
            raise ValueError("the day must lie between 2020 and 2100")
        return day

    @model_validator(mode="after")
    def _dated(self) -> Self:
        if self.as_of is None and self.checked is None:
            raise ValueError("as_of or checked must be given")
        return self

    @property
    def seen(self) -> Seen:
        return Seen(self.source, self.as_of, self.checked)
