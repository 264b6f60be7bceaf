"""What the two pages that look through a catalogue do with their long tables: the first rows or all, and a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

import streamlit as st

from advisor.foundation.numbers import rounded
from advisor.foundation.ranges import Range

FIRST = 40  # rows drawn before anybody asks for all

Row = TypeVar("Row")


def first_or_all(rows: Sequence[Row], what: str) -> Sequence[Row]:
    """The rows to draw of `what`, which is also the beginning of the switch's key."""
    if len(rows) > FIRST and not st.toggle(f"All {len(rows)} {what}", key=f"{what}_all", persist_state="session"):
        return rows[:FIRST]
    return rows


def offer_csv(rows: Sequence[Row], what: str, file_name: str, written: Callable[[Sequence[Row]], str]) -> None:
    """A button that downloads all rows, written when it is clicked."""
    st.download_button(
        f"All {len(rows)} {what} as CSV",
        partial(written, rows),
        file_name=file_name,
        mime="text/csv",
        on_click="ignore",
        key=f"{what}_csv",
        icon=":material/download:",
    )


def three_columns(name: str) -> tuple[str, str, str]:
    """The columns of a figure with its range."""
    return name, f"{name}_low", f"{name}_high"


def in_columns(figures: Mapping[str, Range | None]) -> dict[str, object]:
    """What stands in them, rounded to four digits; nothing where a figure is not known."""
    return {
        column: rounded(value, 4)
        for name, found in figures.items()
        if found is not None
        for column, value in zip(three_columns(name), (found.typical, found.low, found.high), strict=True)
    }
