"""Models that people ask for by name and that are not in the catalogue, as their config could not be read for it.

`data/models_not_sized.csv` names them with their repository on the Hub, from which their config is read when it is
pasted. Nothing about their size is guessed here.
"""

from __future__ import annotations

import re
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from advisor.foundation.csv_rows import Filled, read_rows
from advisor.foundation.places import data_folder
from advisor.models.host_names import spellings
from advisor.models.names import FORMS, words_of

_SIZE = re.compile(r"a?\d+(\.\d+)?[bmt]")
NOT_SIZED_FILE = data_folder() / "models_not_sized.csv"


class NotSized(BaseModel):
    """A model by name; `said` is what its publisher says of its size, `source` where that and the name were read."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    name: Filled
    publisher: Filled
    repo: Annotated[str, Field(pattern=r"^[\w][\w.\-]*/[\w][\w.\-]*$")]
    said: str
    source: Annotated[str, Field(pattern=r"^https://\S+$")]
    read: date


def read_not_sized(path: Path) -> tuple[NotSized, ...]:
    """All rows; raises DataError for a broken one."""
    return read_rows(path, NotSized, ("name",))


def not_sized(name: str) -> NotSized | None:
    """The model that a name means among those which are known and not sized: it has all words of that name but its
    size, and no other."""
    for text in (name, *spellings(name)):
        words = {word for word in words_of(text[:200].rpartition("/")[2]) if word not in FORMS}
        for row in _rows():
            own = set(words_of(row.name)) | set(words_of(row.repo.rpartition("/")[2]))
            if words and words <= own and _needed(row.name) <= words:
                return row
    return None


def _needed(name: str) -> set[str]:
    """The words that tell it from others: all of its name but sizes, dates and forms."""
    return {word for word in words_of(name) if word not in FORMS and not word.isdigit() and not _SIZE.fullmatch(word)}


@cache
def _rows() -> tuple[NotSized, ...]:
    return read_not_sized(NOT_SIZED_FILE)
