"""What files that people download measure: where known those of a model, else what publishers' mixes do to a level."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

from advisor.formats.gguf_levels import Level
from advisor.formats.gguf_sizes import size_level
from advisor.formats.kept_layers import kept_bytes, published_form
from advisor.formats.level_id import GGUF, LevelId
from advisor.formats.published_spread import published_spread
from advisor.formats.safetensors_levels import SafetensorsLevel
from advisor.foundation.errors import InputError, choose_one_of, nearest, one_line, resembling
from advisor.foundation.message import Message, sentence
from advisor.models.catalogue import Entry, catalogue
from advisor.models.model import Model
from advisor.sources.published_files import PublishedFile, published_file, published_files, stock_files
from advisor.sources.resolved import ResolvedModel

STOCK = "stock"
_OWN_MIXES_SINCE = "2025-12"
_PACKED_WHILE_LOADING = ("FP8-dynamic", "FP8-block128", "MXFP8")  # where a command tells vLLM to do so


@dataclass(frozen=True, slots=True)
class PublishedRange:
    """Bytes of nine files of ten that are published of a level, and what is known of single ones.

    `files` are those of this very model, whose bytes are known: `typical` is their median, else that of stock.
    """

    low: int
    typical: int
    high: int
    files: tuple[PublishedFile, ...]

    @property
    def uploaders(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row.owner for row in self.files))


@dataclass(frozen=True, slots=True)
class PublishedSizes:
    """The published files of one model. `entry_id` is None for a model outside the catalogue, of which none is known.

    `own_mixes`: it may have been published since large publishers choose types of their own. `publisher` is whose files
    are asked for, "stock" for those that stock tools make. `listed` are levels and bytes of the files in the repository
    that was asked about, which its commands fetch.
    """

    entry_id: str | None
    own_mixes: bool = True
    publisher: str = STOCK
    listed: tuple[tuple[str, int], ...] = ()

    def file_of(self, level: Level) -> PublishedFile | None:
        """The file that a plan of this level is of; None: of what stock tools make.

        Raises InputError where a publisher's file is asked for and not known.
        """
        if self.publisher == STOCK and not level.like:
            return None
        wanted = None if self.publisher == STOCK else self.publisher
        row = published_file(self._entry, level.id, wanted)
        if row is None or row.bytes is None:
            raise InputError(
                "The size of {whose} at {level} is not known{known}.",
                whose=self._whose,
                level=level.name,
                known=self._known(level),
            )
        return row

    def has(self, level: Level) -> bool:
        """Whether a plan of this level can be made."""
        try:
            self.file_of(level)
        except InputError:
            return False
        return True

    def levels(self) -> tuple[LevelId, ...]:
        """The GGUF levels of which the publisher's files are known, largest first."""
        rows = [
            row
            for level, offered in published_files(self.entry_id or "").items()
            for row in offered
            if level.format == GGUF and row.owner == self.publisher and row.bytes is not None and row.loads
        ]
        return tuple(dict.fromkeys(LevelId(GGUF, row.level) for row in sorted(rows, key=lambda row: -(row.bytes or 0))))

    def most_bytes(self, model: Model, level: Level, imatrix: bool) -> int:
        """What the file may measure that whoever follows a plan of stock bytes downloads."""
        row = published_file(self._entry, level.id)
        fetched = dict(self.listed).get(level.name) or (None if row is None else row.bytes)
        return fetched or published_spread(model, level, self.own_mixes).high

    def form(self, model: Model, level: SafetensorsLevel) -> SafetensorsLevel:
        """The level as publishers of such models make it: its own where the model was published in it."""
        return level if self._as_it_is(level) else published_form(model, level)

    def kept_bytes(self, model: Model, level: SafetensorsLevel) -> int:
        """How much more than that a checkpoint may take whose publisher left more layers in 16 bit.

        Nothing where the model was published in this level, or is packed by its runtime while it loads.
        """
        if self._as_it_is(level):
            return 0
        kept = kept_bytes(model, level)
        return kept.most - kept.usual

    def _as_it_is(self, level: SafetensorsLevel) -> bool:
        files = () if self._entry is None else self._entry.own_files
        return level.name in _PACKED_WHILE_LOADING or any(LevelId(one.format, one.level) == level.id for one in files)

    def range_of(self, model: Model, level: Level, imatrix: bool = False) -> PublishedRange:
        """What published files of a stock level measure."""
        rule, stock = published_spread(model, level, self.own_mixes), size_level(model, level, imatrix).file_bytes
        of_level = () if self._entry is None else stock_files(self._entry, level.id)
        files = tuple(sorted((row for row in of_level if row.bytes is not None), key=lambda row: row.bytes or 0))
        sizes = [row.bytes or 0 for row in files]
        typical = sizes[(len(sizes) - 1) // 2] if sizes else min(max(stock, rule.low), rule.high)
        return PublishedRange(min(rule.low, *sizes, typical), typical, max(rule.high, *sizes, typical), files)

    @property
    def _entry(self) -> Entry | None:
        return None if self.entry_id is None else catalogue()[self.entry_id]

    @property
    def _whose(self) -> Message:
        if self.publisher == STOCK:
            return sentence("a publisher's file")
        return sentence("the file of {publisher}", publisher=self.publisher)

    def _known(self, level: Level) -> Message:
        """What is known instead."""
        every = published_files(self.entry_id or "")
        if owners := sorted({row.owner for row in every.get(level.id, ()) if row.bytes is not None}):
            return sentence("; known is that of {names}", names=", ".join(owners))
        names = sorted({known.name for known, rows in every.items() if any(row.bytes for row in rows)})
        if not names:
            return sentence("; none of this model's is")
        return sentence("; known are {names}", names=", ".join(names))


@cache
def publishers() -> tuple[str, ...]:
    """Stock, and everybody a file of whose is known, those with the most first."""
    owners = Counter(
        row.owner
        for model in catalogue()
        for rows in published_files(model).values()
        for row in rows
        if row.format == GGUF and row.bytes is not None
    )
    return (STOCK, *(owner for owner, _ in owners.most_common()))


@lru_cache(maxsize=256)
def published_sizes(
    entry_id: str | None, own_mixes: bool, publisher: str = STOCK, listed: tuple[tuple[str, int], ...] = ()
) -> PublishedSizes:
    """One object for all plans of a model."""
    return PublishedSizes(entry_id, own_mixes, publisher, listed)


def published_sizes_of(found: ResolvedModel, publisher: str = STOCK) -> PublishedSizes:
    """The published files of a model, wherever it was found; raises InputError for a publisher of none of them."""
    entry = _entry_of(found)
    publisher = STOCK if publisher.lower() == STOCK else _owner(entry, found.name, publisher)
    models = () if found.repository is None else found.repository.models
    listed = tuple((file.level, file.bytes) for file in models if file.level and file.bytes and file.complete)
    if entry is not None:
        return published_sizes(entry.id, has_own_mixes(entry), publisher, listed)
    return published_sizes(None, found.size_range is None and _as_new(found.model), publisher, listed)


def has_own_mixes(entry: Entry) -> bool:
    """Whether a model was published after large publishers began to choose types of their own."""
    return entry.released >= _OWN_MIXES_SINCE


def _as_new(model: Model | None) -> bool:
    """The same for a model that is not in the catalogue: as those that have its shape, and where none has it may be."""
    alike = () if model is None else _by_size().get(model.parameters, ())
    return not alike or any(has_own_mixes(entry) for entry in alike)


@cache
def _by_size() -> Mapping[int, tuple[Entry, ...]]:
    found: dict[int, tuple[Entry, ...]] = {}
    for entry in catalogue().values():
        found[entry.parameters.counted] = (*found.get(entry.parameters.counted, ()), entry)
    return found


def _owner(entry: Entry | None, name: str, publisher: str) -> str:
    """A publisher as its repositories are called."""
    files = {} if entry is None else published_files(entry.id)
    owners = sorted({row.owner for rows in files.values() for row in rows if row.bytes is not None})
    for owner in owners:
        if owner.lower() == publisher.lower():
            return owner
    if not owners:
        raise InputError("publisher: no published file of {model} is known; leave it out.", model=name)
    raise InputError(
        "publisher: no file of '{publisher}' is known of {model}; {hint}",
        resembling(publisher, owners),
        publisher=one_line(publisher),
        model=name,
        hint=nearest(publisher, owners) or choose_one_of((*owners, STOCK)),
    )


def _entry_of(found: ResolvedModel) -> Entry | None:
    """The model of the catalogue, also where its repository was asked about."""
    if found.entry is not None or found.repository is None:
        return found.entry
    asked = found.repository.id.lower()
    return next((entry for entry in catalogue().values() if entry.hf_repo.lower() == asked), None)
