"""Tables that come with the program, checked once and then read row by row: a question needs few of thousands."""

from __future__ import annotations

import marshal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

from pydantic import BaseModel

from advisor.foundation.compiled import of_the_program
from advisor.foundation.csv_rows import read_cells, read_rows

RowT = TypeVar("RowT", bound=BaseModel)
KeyT = TypeVar("KeyT")
PlainT = TypeVar("PlainT")
ValueT = TypeVar("ValueT")


class Rows(Sequence[RowT]):
    """The rows of a table, or some of them, each made when it is first asked for. Pickled, they are a tuple."""

    def __init__(self, table: _Table[RowT], places: Sequence[int]) -> None:
        self._table, self._places = table, places

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
        return Rows(self._table, [self._places[place] for place in places])


class _Table(Generic[RowT]):
    def __init__(self, kind: type[RowT], columns: Sequence[str], cells: Sequence[bytes]) -> None:
        self._kind, self._columns, self._cells = kind, columns, cells
        self._made: dict[int, RowT] = {}

    def row(self, place: int) -> RowT:
        if (found := self._made.get(place)) is None:
            cells = marshal.loads(self._cells[place])  # noqa: S302 - of a file that `compiled` has checked
            row = self._kind.model_validate(dict(zip(self._columns, cells, strict=True)))
            found = self._made.setdefault(place, row)  # two threads that ask at once get the same
        return found


def kept_rows(path: Path, kind: type[RowT], key: tuple[str, ...] = ()) -> Rows[RowT]:
    """What `read_rows` returns of a file under data/, which is read and checked again only where it has changed."""

    def checked() -> tuple[list[str], list[bytes]]:
        read_rows(path, kind, key)
        columns, rows = read_cells(path, kind)
        return columns, [marshal.dumps(cells) for cells in rows]

    columns, cells = of_the_program(f"rows-{path.stem}", checked)
    return Rows(_Table(kind, columns, cells), range(len(cells)))


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
