"""Files of a model that somebody published, as far as their sizes are known, beside what stock tools make."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

import streamlit as st

from advisor.answer.answer import Answer
from advisor.answer.run_files import sizes_of
from advisor.answer.run_it import measured
from advisor.formats.gguf_levels import LEVELS, Level
from advisor.formats.gguf_sizes import size_level
from advisor.formats.levels import find_level, written
from advisor.foundation.numbers import plural
from advisor.foundation.units import gb
from advisor.sources.published_files import PublishedFile, published_files
from advisor.ui.parts.html import go, question_href
from advisor.ui.parts.rows import Cell, cell, number_cell, table
from advisor.words import say

_HEADS = ("Level", "Publisher", "Size", "Against llama-quantize", "Published", "Plan")


def draw(answer: Answer) -> None:
    """Draw what files of the shown level measure, and every file whose size is known; nothing where none is."""
    sizes = sizes_of(answer, answer.shown)
    said = "" if sizes is None else f"<p>{escape(say(measured(sizes), 'page'))}</p>"
    rows = [(row.level == answer.shown.level, list(_cells(answer, row))) for row in _rows(answer)]
    count, drawn = plural(len(rows), "file"), table("Known files", _HEADS, rows)
    listed = f"<details><summary>{count} of known size</summary>{drawn}</details>"
    if said or rows:
        st.html(said + (listed if rows else ""))


def _rows(answer: Answer) -> list[PublishedFile]:
    entry = answer.entry.entry
    offered = published_files(entry.id) if entry is not None else {}
    order = list(LEVELS)
    rows = [row for files in offered.values() for row in files if row.bytes is not None and _level(row) is not None]
    return sorted(rows, key=lambda row: (order.index(_stock(row).name), row.level, row.bytes or 0))


def _level(row: PublishedFile) -> Level | None:
    level = find_level(f"{row.format}:{row.level}")
    return level if isinstance(level, Level) else None


def _stock(row: PublishedFile) -> Level:
    level = _level(row)
    return LEVELS[row.level] if level is None else level.stock


def _cells(answer: Answer, row: PublishedFile) -> Iterator[Cell]:
    size, level = row.bytes or 0, _level(row)
    own = level is None or bool(level.like)
    stock = size_level(answer.model, _stock(row), answer.question.model.imatrix).file_bytes
    yield cell(row.level)
    yield cell(row.owner)
    yield number_cell(gb(size))
    yield number_cell("a mix of its own" if own else f"{round(100 * (size / stock - 1), 1) + 0.0:+.1f} %")
    yield cell(row.published or "")
    if level is None or not row.loads:
        yield cell("")
        return
    question = answer.question.with_values(level=written(level.id), publisher=row.owner)
    yield Cell(go(question_href(question.to_query()), f"Plan {row.level} of {row.owner}"))
