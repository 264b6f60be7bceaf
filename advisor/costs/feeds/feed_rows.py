"""What all feeds share: rows of a CSV, an amount, a row of ours; each refused in one sentence that names the feed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from advisor.costs.feeds.fetch import FeedError

_MOST_ROWS = 500_000

ModelT = TypeVar("ModelT", bound=BaseModel)


def csv_rows(name: str, text: str, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row with its number (the header is row 1); raises FeedError if a column is missing or a row is cut short."""
    reader = csv.DictReader(io.StringIO(text, newline=""))
    missing = [column for column in columns if column not in (reader.fieldnames or ())]
    if missing:
        raise FeedError("{name}: the column {missing} is missing.", name=name, missing=missing[0])
    try:
        for number, row in enumerate(reader, start=2):
            if number > _MOST_ROWS:
                raise FeedError(
                    "{name}: more than {most_rows:,} rows, which is not expected.", name=name, most_rows=_MOST_ROWS
                )
            if any(row[column] is None for column in columns):
                raise FeedError("{name}, row {number}: it is shorter than the header.", name=name, number=number)
            yield number, row
    except csv.Error as error:
        raise FeedError(f"{name}: {error}.") from None


def amount(name: str, row: int, column: str, cell: str) -> Decimal:
    """A price or count that is not negative; raises FeedError. `row` 0 is left out of the sentence."""
    try:
        found = Decimal(cell)
    except InvalidOperation:
        found = Decimal("nan")
    if not found.is_finite() or found < 0:
        where = f", row {row}" if row else ""
        raise FeedError(
            "{name}{where}, {column}: {cell} is no amount.", name=name, where=where, column=column, cell=repr(cell[:40])
        )
    return found


def checked(kind: type[ModelT], name: str, values: dict[str, Any]) -> ModelT:
    """A row of one of our tables; raises FeedError where a value does not belong there."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = first["loc"][0] if first["loc"] else "row"
        raise FeedError(
            "{name}: {where} {given} is not possible: {reason}.",
            name=name,
            where=where,
            given=repr(str(first["input"])[:40]),
            reason=first["msg"],
        ) from None
