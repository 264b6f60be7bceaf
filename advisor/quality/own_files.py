"""Levels in which a publisher offers its model itself: published so, or trained for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from advisor.formats.level_id import LevelId
from advisor.foundation.message import fact
from advisor.foundation.ranges import Range
from advisor.models.catalogue import Entry, OwnFile, catalogue
from advisor.quality.estimator import AS_PUBLISHED, Quality
from advisor.quality.tasks import DIVERGENCE


def own_level(entry: Entry | None, level: LevelId) -> OwnFile | None:
    """The publisher's own file at a level of its model, where there is one; None for a model outside the catalogue."""
    files = () if entry is None else entry.own_files
    return next((file for file in files if (file.format, file.level) == level), None)


def native_file(entry: Entry | None, level: LevelId) -> OwnFile | None:
    """The publisher's own file, where the level of its model is how it was published: any file of the level is that.

    One that was trained for a level later is another file than stock tools make, of other bytes too: whoever means it
    asks for its repository.
    """
    file = own_level(entry, level)
    return file if file is not None and file.kind == "native" else None


def own_file_in(repository: str, level: LevelId | None = None) -> OwnFile | None:
    """The same by the repository's name on the Hub, whatever its case; any level where none is given."""
    return next((file for file in _by_repository().get(repository.lower(), ()) if level in (None, _level(file))), None)


def is_native(entry: Entry | None, level: LevelId) -> bool:
    """Whether the model was published in this level: no compromise, however few its bits are."""
    return native_file(entry, level) is not None


def with_own_file(quality: Quality, file: OwnFile, task: str) -> Quality:
    """The quality of a level in the publisher's own file; `quality` is that of any other file of the level.

    Training for a level changes what is typically lost. How far one score scatters around that it does not.
    """
    if file.kind == "native":
        whole = None if task == DIVERGENCE else Range(100.0, 100.0, 100.0)
        return Quality(whole, "measured", 0, Range(0.0, 0.0, 0.0), (), (AS_PUBLISHED,))
    if file.kind == "published":
        return quality
    kept, share = quality.kept, file.loss_share
    if kept is not None:
        gain = (1 - share) * (100 - kept.typical)
        kept = Range(kept.low + gain, kept.typical + gain, kept.high + gain)
    return replace(
        quality,
        kept=kept,
        kld=None if quality.kld is None else quality.kld.scaled(share),
        remarks=(*quality.remarks, fact("trained_for_level", file=file.repo, level=file.level, share=100 * share)),
    )


def _level(file: OwnFile) -> LevelId:
    return LevelId(file.format, file.level)


@cache
def _by_repository() -> Mapping[str, tuple[OwnFile, ...]]:
    found: dict[str, tuple[OwnFile, ...]] = {}
    for entry in catalogue().values():
        for file in entry.own_files:
            found[file.repo.lower()] = (*found.get(file.repo.lower(), ()), file)
    return found
