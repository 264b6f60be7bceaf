"""A comparison as a PDF: one table on landscape paper, tagged and archivable as the report is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time
from itertools import groupby
from typing import Any

from advisor.answer.answer import Answer
from advisor.foundation.version import VERSION
from advisor.report.comparison import LETTERS, Row, compare
from advisor.report.glyphs import BOX, drawable_all
from advisor.report.headings import PRODUCT, headings
from advisor.report.payload import Paper, paper_name, qr_code, tongue
from advisor.report.pdf import typeset
from advisor.words import to_tell, told, written_day

EXPLAINED = to_tell(
    "The best of a row is marked. Figures that nobody would tell apart share the mark or go without: 0.3 points of "
    "quality, a tenth of a speed, a wait or a price. Quality kept is of each model's own 16-bit score: it compares "
    "levels, not models."
)
_MARK = "\u2713"  # the sign that the report's fonts have


def comparison_pdf(answers: Sequence[Answer], letters: str = LETTERS, link: str = "", paper: Paper = "a4") -> bytes:
    """The comparison of up to four answers as a PDF file; raises ReportError, and InputError for more of them.

    `letters` call the columns; `link` is the full address of the comparison, where there is one.
    """
    payload = _payload(answers, letters, link, paper)
    moment = int(datetime.combine(answers[0].today, time(), UTC).timestamp())
    return typeset("comparison.typ", payload, moment)


def _payload(answers: Sequence[Answer], letters: str, link: str, paper: Paper) -> dict[str, Any]:
    day = answers[0].today
    rows = compare(answers, letters)
    title = told("{count} ways compared", count=len(answers))
    payload: dict[str, Any] = drawable_all(
        {
            **tongue(),
            "paper": paper_name(paper),
            "labels": headings(),
            "title": title,
            "author": PRODUCT,
            "date": [day.year, day.month, day.day],
            "footer": f"{PRODUCT} {VERSION} \u00b7 {title} \u00b7 {written_day(day)}",
            "explained": told(EXPLAINED),
            "columns": [
                told("{letter}: {names}", letter=letter, names=names_of(one))
                for letter, one in zip(letters, answers, strict=False)
            ],
            "groups": [
                {"name": name, "rows": [_row(row) for row in those]}
                for name, those in groupby(rows, key=lambda row: row.group)
            ],
            "notes": [],
            "live": told("The same comparison with today's data and prices:"),
            "link": link,
        }
    )
    if BOX in str(payload):
        payload["notes"].append(told("{box} stands for a sign that none of this report's fonts can draw.", box=BOX))
    return payload | {"qr": qr_code(link)}


def names_of(one: Answer) -> str:
    """What a column is about: "Qwen3 32B on GeForce RTX 4090"."""
    return told("{model} on {machine}", model=one.entry.name, machine=one.machine_name)


def _row(row: Row) -> dict[str, Any]:
    cells = [
        {"text": cell.text, "mark": f"{_MARK} {row.mark}" if place in row.best else ""}
        for place, cell in enumerate(row.cells)
    ]
    return {"name": row.name, "cells": cells}
