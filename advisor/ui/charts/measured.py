"""All levels of a run in one picture: predicted ranges as bars, what was measured as points. Plain HTML."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

from advisor.quantize.predicted import Row

_MARGIN = 0.04  # of the width, left free at both ends
_SHAPES = {"within the range": "inside", "outside the range": "outside", "no prediction": "alone"}
_LEGEND = (
    '<div class="legend"><span><i class="band"></i> predicted range</span>'
    '<span><i class="point inside"></i> measured, inside</span>'
    '<span><i class="point outside"></i> measured, outside</span>'
    '<span><i class="point alone"></i> measured, nothing predicted</span></div>'
)


def picture(levels: Mapping[str, Sequence[Row]], titles: Mapping[str, str], write: Callable[[float, Row], str]) -> str:
    """Every figure that is an estimate with a line for each level; "" where there is none.

    `titles` says what a figure means, `write` a value of it. What promises exactness needs no picture.
    """
    figures: dict[str, dict[str, Row]] = {}
    for level, rows in levels.items():
        for row in rows:
            if row.agreement in _SHAPES:
                figures.setdefault(row.figure, {})[level] = row
    if not figures:
        return ""
    inside = sum(row.agreement == "within the range" for found in figures.values() for row in found.values())
    predicted = sum(row.predicted is not None for found in figures.values() for row in found.values())
    name = (
        f"Chart: {len(figures)} figures of {len(levels)} levels, predicted ranges as bars, measured values as points; "
        f"{inside} of {predicted} lie inside. The table beside it has the numbers."
    )
    panels = "".join(_panel(titles.get(figure, figure), found, write) for figure, found in figures.items())
    return f'<div class="measured" role="img" aria-label="{escape(name, quote=True)}">{panels}{_LEGEND}</div>'


def _panel(title: str, rows: Mapping[str, Row], write: Callable[[float, Row], str]) -> str:
    values = [value for row in rows.values() for value in (row.measured, *_ends(row))]
    place = _scale(min(values), max(values))
    lines = "".join(_line(level, row, place) for level, row in rows.items())
    some = next(iter(rows.values()))
    ends = f"<span>{escape(write(min(values), some))}</span><span>{escape(write(max(values), some))}</span>"
    return f'<div class="panel"><b>{escape(title)}</b>{lines}<div class="ends">{ends}</div></div>'


def _line(level: str, row: Row, place: Callable[[float], float]) -> str:
    band = ""
    if row.predicted is not None:
        low, high = place(row.predicted.low), place(row.predicted.high)
        band = f'<i class="band" style="left:{low:.2f}%;width:{max(0.5, high - low):.2f}%"></i>'
    point = f'<i class="point {_SHAPES[row.agreement]}" style="left:{place(row.measured):.2f}%"></i>'
    return f'<div class="line"><span>{escape(level)}</span><span class="track">{band}{point}</span></div>'


def _ends(row: Row) -> tuple[float, ...]:
    return () if row.predicted is None else (row.predicted.low, row.predicted.high)


def _scale(low: float, high: float) -> Callable[[float], float]:
    """Percent of the width; by ratios where all are positive and far apart."""
    by_ratio = low > 0 and high > 20 * low

    def shown(value: float) -> float:
        return math.log(value) if by_ratio else value

    first, span = shown(low), shown(high) - shown(low)
    if span <= 0:
        return lambda _: 50.0
    return lambda value: 100 * (_MARGIN + (1 - 2 * _MARGIN) * (shown(value) - first) / span)
