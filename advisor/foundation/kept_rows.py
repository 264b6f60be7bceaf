"""Tables that come with the program, checked once and then read row by row: a question needs few of thousands."""

from __future__ import annotations

import marshal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

from pydantic import BaseModel

from advisor.foundation.caches import Shared
from advisor.foundation.compiled import compiled_folder, of_the_program, stamp_of
from advisor.foundation.csv_rows import read_rows

RowT = TypeVar("RowT", bound=BaseModel)
KeyT = TypeVar("KeyT")
PlainT = TypeVar("PlainT")
ValueT = TypeVar("ValueT")


class Rows(Sequence[RowT]):
    """The rows of a table, or some of them, each made when it is first asked for. Pickled, they are a tuple."""

    def __init__(self, table: _Table[RowT], places: Sequence[int] | None = None) -> None:
        self._table, self._chosen = table, places

    @property
    def _places(self) -> Sequence[int]:
        return range(len(self._table.rows)) if self._chosen is None else self._chosen

    @overload
    def __getitem__(self, place: int) -> RowT: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[RowT, ...]: ...
    def __getitem__(self, place: int | slice) -> RowT | tuple[RowT, ...]:
        if isinstance(place, slice):
            return tuple(map(self._table.row, self._places[place]))
        return self._table.row(self._places[place])

    def __iter__(self) -> Iterator[RowT]:
        return map(self._table.row, self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, Rows | tuple) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))

    def __reduce__(self) -> tuple[type[tuple[RowT, ...]], tuple[list[RowT]]]:
        return tuple, (list(self),)

    def only(self, places: Iterable[int]) -> Rows[RowT]:
        """Those at these places."""
        chosen = self._chosen
        return Rows(self._table, list(places) if chosen is None else [chosen[place] for place in places])


def unchecked(kind: type[RowT], values: dict[str, Any]) -> RowT:
    """A row of values that were checked before, all of them: `model_construct` without looking for what is missing."""
    found = kind.__new__(kind)
    for name, value in (
        ("__dict__", values),
        ("__pydantic_fields_set__", set(values)),
        ("__pydantic_extra__", None),
        ("__pydantic_private__", None),
    ):
        object.__setattr__(found, name, value)
    return found


class _Table(Shared, Generic[RowT]):
    """Plain values of each row by column, loaded when first asked for, and of columns of other kinds how."""

    def __init__(self, kind: type[RowT], path: Path, key: tuple[str, ...]) -> None:
        self._kind, self._path, self._key = kind, path, key
        self._made: dict[int, RowT] = {}

    @cached_property
    def _kept(self) -> tuple[list[str], dict[int, str], list[bytes]]:
        if compiled_folder() is None:
            return [], {}, [b""] * len(self._read())
        found: tuple[list[str], dict[int, str], list[bytes]] = of_the_program(
            f"rows-{self._path.stem}", lambda: _plain(self._kind, self._read()), stamp_of(self._path)
        )
        return found

    def _read(self) -> tuple[RowT, ...]:
        rows = read_rows(self._path, self._kind, self._key)
        self._made = dict(enumerate(rows))
        return rows

    @property
    def rows(self) -> list[bytes]:
        return self._kept[2]

    @cached_property
    def _others(self) -> list[tuple[int, Callable[[Any], Any]]]:
        columns, others, _ = self._kept
        make: dict[str, Any] = {"day": date.fromisoformat, "decimal": Decimal}
        kinds: dict[str, Any] = {name: field.annotation for name, field in self._kind.model_fields.items()}
        return [(at, make.get(how) or kinds[columns[at]]) for at, how in others.items()]

    def row(self, place: int) -> RowT:
        kept = self.rows[place]
        if (found := self._made.get(place)) is None:
            values: list[Any] = marshal.loads(kept)  # noqa: S302 - of a file that `compiled` has checked
            for column, made in self._others:
                if values[column] is not None:
                    values[column] = made(values[column])
            # Not validated again, which needs a schema of every table and takes longer than to read it.
            found = unchecked(self._kind, dict(zip(self._kept[0], values, strict=True)))
            found = self._made.setdefault(place, found)  # two threads that ask at once get the same
        return found


def kept_rows(path: Path, kind: type[RowT], key: tuple[str, ...] = ()) -> Rows[RowT]:
    """What `read_rows` returns of a file under data/, which is read and checked again only where it has changed, and
    not before something of it is asked for; what `read_rows` raises is raised then.
    """
    return Rows(_Table(kind, path, key))


def _plain(kind: type[BaseModel], rows: Iterable[BaseModel]) -> tuple[list[str], dict[int, str], list[bytes]]:
    columns = list(kind.model_fields)
    values = [[getattr(row, column) for column in columns] for row in rows]
    others = {
        at: how
        for at, column in enumerate(zip(*values, strict=True))
        for of_value in set(map(type, column))
        if (how := _other_kind(of_value))
    }
    for row in values:
        for at, how in others.items():
            row[at] = None if row[at] is None else row[at].value if how == "enum" else str(row[at])
    return columns, others, [marshal.dumps(row) for row in values]


def _other_kind(kind: type) -> str:
    """What values are that cannot be kept as they are."""
    if issubclass(kind, Enum):
        return "enum"
    return "day" if issubclass(kind, date) else "decimal" if issubclass(kind, Decimal) else ""


def places_by(
    name: str, rows: Sequence[RowT], key: Callable[[RowT], str | tuple[str, ...] | None]
) -> Mapping[Any, Sequence[int]]:
    """Places of the rows by what `key` says of each, in their order; those of which it says None are left out."""

    def made() -> dict[Any, list[int]]:
        found: dict[Any, list[int]] = {}
        for place, row in enumerate(rows):
            if (of_row := key(row)) is not None:
                found.setdefault(of_row, []).append(place)
        return found

    kept: Mapping[Any, Sequence[int]] = of_the_program(f"by-{name}", made)
    return kept


class Lazily(Mapping[KeyT, ValueT]):
    """A mapping whose values are made of plain ones when they are first asked for."""

    def __init__(self, plain: Mapping[KeyT, PlainT], make: Callable[[PlainT], ValueT]) -> None:
        self._plain, self._make = plain, make
        self._made: dict[KeyT, ValueT] = {}

    def __getitem__(self, key: KeyT) -> ValueT:
        if key in self._made:
            return self._made[key]
        return self._made.setdefault(key, self._make(self._plain[key]))

    def __contains__(self, key: object) -> bool:
        return key in self._plain

    def __iter__(self) -> Iterator[KeyT]:
        return iter(self._plain)

    def __len__(self) -> int:
        return len(self._plain)
