"""Which repository on the Hub is known to hold a model at a level, and whose repositories are gated.

`data/published_files.csv` has a row for each file that was seen in a list of a repository's files, those to name first
on top; `data/published_repositories.csv` has repositories that hold GGUF files of a model, whose lists nobody read;
`data/gated.csv` has the owners whose models are given only to those who accept their terms. What is in none of them is
not known, which says nothing about whether it exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from advisor.formats.level_id import GGUF, LevelId
from advisor.foundation.csv_rows import BlankIsNone, Filled, read_rows
from advisor.foundation.kept_rows import Lazily, Rows, kept_rows, places_by
from advisor.foundation.places import data_folder
from advisor.models.catalogue import Entry

FILES = data_folder() / "published_files.csv"
FILES_KEY = ("model", "format", "level", "repo")
REPOSITORIES = data_folder() / "published_repositories.csv"
REPOSITORIES_KEY = ("model", "repo")
GATED = data_folder() / "gated.csv"
GATED_KEY = ("owner", "license")
_HUB = "https://huggingface.co"
_ONE_FILE_BYTES = 50 * 10**9  # the Hub takes larger ones in parts only
# The levels in the lists of their repositories that were read: whoever of them publishes a model offers these.
USUAL = {
    "bartowski": "Q8_0 Q6_K Q5_K_M Q5_K_S Q4_K_M Q4_K_S Q4_0 IQ4_XS IQ4_NL Q3_K_L Q3_K_M Q3_K_S IQ3_M IQ3_XS Q2_K",
    "unsloth": "BF16 Q8_0 Q6_K Q5_K_M Q5_K_S Q4_K_M Q4_K_S Q4_1 Q4_0 IQ4_XS IQ4_NL Q3_K_M Q3_K_S",
    "mradermacher": "Q8_0 Q6_K Q5_K_M Q5_K_S Q4_K_M Q4_K_S IQ4_XS Q3_K_L Q3_K_M Q3_K_S Q2_K",
}
_CUT_BY_HAND = "mradermacher"  # whose parts of large files only fit together once they are joined

_Repository = Annotated[str, Field(pattern=r"^[\w][\w.\-]*/[\w][\w.\-]*$")]
_Address = Annotated[str, Field(pattern=r"^https://\S+$")]
_Day = Annotated[str, Field(pattern=r"^20\d\d-[01]\d-[0-3]\d$")]


class PublishedFile(BaseModel):
    """A file that somebody offers. Its `bytes` are exact or `within` so many of what its source rounded, None where it
    gave none; `split` says whether the file lies there in several parts. `published` is the day of the repository,
    where that is known, `read` the day on which the source was read.
    """

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    model: Filled
    format: Filled
    level: Filled
    repo: _Repository
    bytes: Annotated[Annotated[int, Field(gt=0)] | None, BlankIsNone]
    within: Annotated[Annotated[int, Field(ge=0)] | None, BlankIsNone]
    split: Literal["yes", "no"]
    published: Annotated[_Day | None, BlankIsNone]
    source: _Address
    read: _Day

    @property
    def owner(self) -> str:
        return self.repo.partition("/")[0]

    @property
    def loads(self) -> bool:
        """Whether a program loads it from there; parts that were cut by hand only fit together once they are joined."""
        return self.owner != _CUT_BY_HAND or (self.bytes or 0) <= _ONE_FILE_BYTES


class PublishedRepository(BaseModel):
    """A repository with GGUF files of a model, whose list of files was not read."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    model: Filled
    repo: _Repository
    source: _Address
    read: _Day

    @property
    def owner(self) -> str:
        return self.repo.partition("/")[0]


class GatedOwner(BaseModel):
    """Whose models are gated: all of theirs, or those under one licence."""

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    owner: Filled
    license: str
    source: _Address
    read: _Day


def read_published_files(path: Path) -> tuple[PublishedFile, ...]:
    """The rows; raises DataError naming the broken one."""
    return read_rows(path, PublishedFile, FILES_KEY)


def read_published_repositories(path: Path) -> tuple[PublishedRepository, ...]:
    """The rows; raises DataError naming the broken one."""
    return read_rows(path, PublishedRepository, REPOSITORIES_KEY)


def read_gated(path: Path) -> tuple[GatedOwner, ...]:
    """The rows; raises DataError naming the broken one."""
    return read_rows(path, GatedOwner, GATED_KEY)


def published_file(entry: Entry | None, level: LevelId, publisher: str | None = None) -> PublishedFile | None:
    """The file to name for a model of the catalogue at a level, of any publisher or of one; None: none is known.

    A file of weights that were trained for the level is named only to those who ask for its publisher's.
    """
    if entry is None:
        return None
    offered = stock_files(entry, level) if publisher is None else published_files(entry.id).get(level, ())
    wanted = None if publisher is None else publisher.lower()
    return next((row for row in offered if row.loads and wanted in (None, row.owner.lower())), None)


def stock_files(entry: Entry, level: LevelId) -> tuple[PublishedFile, ...]:
    """The files that are known of a level, without those of weights that were trained for it afterwards."""
    trained = {file.repo for file in entry.own_files if file.kind == "qat"}
    return tuple(row for row in published_files(entry.id).get(level, ()) if row.repo not in trained)


@lru_cache(maxsize=512)
def published_files(model: str) -> Mapping[LevelId, tuple[PublishedFile, ...]]:
    """Every file that is known of a model of the catalogue, by its level, those to name first in front."""
    found: dict[LevelId, tuple[PublishedFile, ...]] = {}
    for row in _files().get(model, ()):
        level = LevelId(row.format, row.level)
        found[level] = (*found.get(level, ()), row)
    return found


def likely_repository(entry: Entry | None, level: LevelId, file_bytes: int) -> PublishedRepository | None:
    """A repository that is likely to hold a model at a GGUF level, as its owner usually offers that level."""
    if entry is None or level.format != GGUF:
        return None
    for row in _repositories().get(entry.id, ()):
        loads = row.owner != _CUT_BY_HAND or file_bytes <= _ONE_FILE_BYTES
        if loads and level.name in USUAL.get(row.owner, "").split():
            return row
    return None


def is_in_parts(file_bytes: int) -> bool:
    """Whether a file of this size has to lie on the Hub in several parts."""
    return file_bytes > _ONE_FILE_BYTES


def address_of(repository: str) -> str:
    """Where people read about a repository, and accept its terms."""
    return f"{_HUB}/{repository}"


def is_gated(repository: str, license: str) -> bool:
    """Whether a repository is known to be given only to those who accept its terms; `license` is its model's."""
    owner = repository.partition("/")[0].lower()
    return any(row.owner.lower() == owner and row.license in ("", license) for row in _gated())


@cache
def _files() -> Mapping[str, Rows[PublishedFile]]:
    rows = kept_rows(FILES, PublishedFile, FILES_KEY)
    return Lazily(places_by("files", rows, lambda row: row.model), rows.only)


@cache
def _repositories() -> Mapping[str, Rows[PublishedRepository]]:
    rows = kept_rows(REPOSITORIES, PublishedRepository, REPOSITORIES_KEY)
    return Lazily(places_by("repositories", rows, lambda row: row.model), rows.only)


@cache
def _gated() -> tuple[GatedOwner, ...]:
    return read_gated(GATED)
