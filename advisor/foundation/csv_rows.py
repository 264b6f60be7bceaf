"""Reading the tables in data/: each row is checked, and a broken one is named by file, row, column and reason."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from advisor.foundation.errors import DataError
from advisor.foundation.places import top_folder

_LONGEST_QUOTED = 60

RowT = TypeVar("RowT", bound=BaseModel)

# For the fields of a row: an empty cell is unknown, or must not be.
BlankIsNone = BeforeValidator(lambda cell: None if cell == "" else cell)
Filled = Annotated[str, Field(min_length=1)]


def read_rows(path: Path, kind: type[RowT], key: tuple[str, ...] = ()) -> tuple[RowT, ...]:
    """Every row of a file as `kind`; raises DataError naming file, row (the header is row 1), column and reason.

    The columns of `key`, if any, may hold the same values together only once. The header must name every field of
    `kind` and nothing else.
    """
    rows: list[RowT] = []
    named: set[tuple[object, ...]] = set()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, cells in _cells(path, file, kind):
                row = _row(path, number, cells, kind)
                name = tuple(getattr(row, column) for column in key)
                if key and name in named:
                    shown = f" ({' '.join(map(str, name))!r})"
                    raise broken_row(path, number, key[0], f"an earlier row has the same {', '.join(key)}{shown}")
                named.add(name)
                rows.append(row)
    except OSError as error:
        raise DataError(
            "{path} cannot be read: {reason}.", path=shown_path(path), reason=error.strerror or ""
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            "{path} is not a CSV file in UTF-8: {error}.", path=shown_path(path), error=str(error)
        ) from error
    if not rows:
        raise DataError("{path} holds no row.", path=shown_path(path))
    return tuple(rows)


def _cells(path: Path, file: Iterator[str], kind: type[BaseModel]) -> Iterator[tuple[int, dict[str, str]]]:
    """The number and the cells by column of every row that is not an empty line."""
    reader = csv.reader(file, strict=True)
    header = next(reader, [])
    for column in kind.model_fields:
        if header.count(column) != 1:
            raise broken_row(
                path, 1, column, "the column is there twice" if column in header else "the column is missing"
            )
    for column in header:
        if column not in kind.model_fields:
            raise broken_row(path, 1, column, "no such column is known")
    for number, cells in enumerate(reader, start=2):
        if cells and len(cells) != len(header):
            raise broken_row(path, number, None, f"it has {len(cells)} cells, but the header has {len(header)}")
        if cells:
            yield number, dict(zip(header, cells, strict=True))


def _row(path: Path, number: int, cells: dict[str, str], kind: type[RowT]) -> RowT:
    try:
        return kind.model_validate(cells)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        reason = first["msg"].removeprefix("Value error, ")
        if not first["loc"]:
            raise broken_row(path, number, None, reason) from error
        column = str(first["loc"][0])
        raise broken_row(path, number, column, f"{reason} (it is {cells[column][:_LONGEST_QUOTED]!r})") from error


def broken_row(path: Path, number: int, column: str | None, reason: str) -> DataError:
    """What is wrong with a row (the header is row 1), to be raised."""
    where = f"{shown_path(path)}, row {number}" + (f", column {column}" if column else "")
    return DataError(f"{where}: {reason}.")


def shown_path(path: Path) -> str:
    """The path as people know it, without the folders above the project."""
    return path.relative_to(top_folder()).as_posix() if path.is_relative_to(top_folder()) else path.name
