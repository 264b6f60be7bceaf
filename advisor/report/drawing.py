"""Charts as the template draws them: positions as fractions of an axis, labels and alternative texts in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from advisor.report.document import CHART_BARS, CostLine, Costs, MemoryBar, MemoryChart, QualityRow, chart_bars
from advisor.words import told, written
from advisor.words.written import approx, money, span

_LABEL_GAP = 0.1  # of the chart's height: the least distance of two names beside their lines
_MINUS = "\u2212"
# What fits beside a chart, in characters; longer texts are cut there and told in full elsewhere.
_TASK, _BASIS, _OPTION, _BAR = 22, 44, 28, 46
_LETTER_PT, _BOLD_PT = 4.2, 4.9  # the widest mean of a letter at 8.5 pt


def number(value: float, digits: int = 0) -> str:
    """A figure with a real minus sign: "−1,234.5"."""
    text = written.number(value, f",.{digits}f")
    return _MINUS + text[1:] if text.startswith("-") and any(sign in "123456789" for sign in text) else text.lstrip("-")


def cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "\u2026"


# Ticks are rounded to ten places; an axis shorter than this would repeat its start.
_SMALLEST_SPAN = 1e-8


def ticks(end: float, count: int = 5, start: float = 0.0) -> list[float]:
    """Round numbers from `start` to `end`, about `count` of them; `start` alone where the two are as good as equal."""
    span = end - start
    if not span > _SMALLEST_SPAN or not math.isfinite(span):
        return [start]
    power = 10.0 ** math.floor(math.log10(span / count))
    step = next(step for factor in (1, 2, 2.5, 5, 10) if span / (step := factor * power) <= count + 0.5)
    first = math.ceil(start / step - 1e-9)
    return [round(i * step, 10) for i in range(first, math.floor(end / step + 1e-9) + 1)]


def _axis(values: Sequence[float], start: float, end: float) -> list[dict[str, Any]]:
    steps = [b - a for a, b in pairwise(values)]
    digits = 0 if not steps or (steps[0] >= 1 and steps[0] == int(steps[0])) else 1 if steps[0] >= 0.1 else 2
    return [{"at": (value - start) / (end - start or 1), "label": number(value, digits)} for value in values]


def bar_name(bar: MemoryBar) -> str:
    """ "Q4_K_M (chosen)"."""
    return told("{level} ({note})", level=bar.level, note=bar.note) if bar.note else cut(bar.level, _BAR)


def _name_pt(bar: MemoryBar, bold: bool) -> float:
    return len(bar_name(bar)) * (_BOLD_PT if bold else _LETTER_PT)


def memory_payload(chart: MemoryChart, most: int = CHART_BARS) -> dict[str, Any] | None:
    """At most so many bars around the recommended level; None where there are none."""
    bars = chart_bars(chart.bars, chart.recommended, most)
    if not bars:
        return None
    capacity = chart.capacity_gib
    end = 1.04 * max([bar.total_gib for bar in bars] + ([capacity] if capacity else [])) or 1.0
    where = f" {chart.where}" if chart.where else ""
    limit = told(", capacity {capacity} GiB", capacity=number(capacity, 1)) if capacity else ""
    shown = (
        ""
        if len(bars) == len(chart.bars)
        else told("{shown} of {all} levels; all are in the appendix. ", shown=len(bars), all=len(chart.bars))
    )
    return {
        "unit": told("GiB"),
        "heading": told("Memory by level{where}", where=where),
        "alt": told("Memory by level{where}{limit}: ", where=where, limit=limit)
        + "; ".join(
            told(
                "{level} {total_gib} GiB, {verdict}",
                level=bar_name(bar),
                total_gib=number(bar.total_gib, 1),
                verdict=told(bar.verdict),
            )
            for bar in bars
        ),
        "caption": told("{shown}GiB = 1024³ bytes. A level fits when its bar ends before the margin.", shown=shown),
        "bars": [
            {
                "level": bar_name(bar),
                "recommended": bar.level == chart.recommended,
                "weights": bar.weights_gib / end,
                "kv_cache": bar.kv_cache_gib / end,
                "compute": bar.compute_gib / end,
                "overhead": bar.overhead_gib / end,
                "total": number(bar.total_gib, 1),
                "verdict": told(bar.verdict),
                "tone": bar.tone,
            }
            for bar in bars
        ],
        "names_pt": min(200.0, max(52.0, 10 + max(_name_pt(bar, bar.level == chart.recommended) for bar in bars))),
        "ticks": _axis(ticks(end), 0, end),
        "capacity": capacity / end if capacity else None,
        "capacity_label": told("Capacity {capacity} GiB", capacity=number(capacity, 1)) if capacity else "",
        "margin": capacity * chart.margin_percent / 100 / end if capacity else 0,
        "margin_label": told("Margin, {margin_percent:exact} %", margin_percent=chart.margin_percent),
    }


def quality_payload(rows: Sequence[QualityRow]) -> dict[str, Any] | None:
    """One range a task, on an axis that starts where the data needs it to."""
    if not rows:
        return None
    marks = [mark for row in rows for mark in (row.kept_percent.low, row.kept_percent.high, row.required_percent)]
    known = [mark for mark in marks if mark is not None]
    start = max(0.0, 5 * math.floor((min(known) - 2) / 5))
    end = max(100.0, max(known)) + 1
    required = any(row.required_percent is not None for row in rows)
    return {
        "alt": told("Quality kept of the unquantized model: ")
        + "; ".join(
            f"{row.task} {approx(row.kept_percent.typical)} % ({span(row.kept_percent)}), {row.basis}" for row in rows
        ),
        "caption": told("Share of the unquantized model's score, typical value and range.")
        + (told(" Vertical strokes: what you asked for.") if required else "")
        + (told(" The axis starts at {start} %.", start=number(start)) if start else ""),
        "rows": [
            {
                "name": cut(row.task, _TASK),
                "low": (row.kept_percent.low - start) / (end - start),
                "typical": (row.kept_percent.typical - start) / (end - start),
                "high": (row.kept_percent.high - start) / (end - start),
                "required": None if row.required_percent is None else (row.required_percent - start) / (end - start),
                "value": f"{number(row.kept_percent.typical, 1)} %",
                "basis": cut(row.basis, _BASIS),
            }
            for row in rows
        ],
        "in_full": [
            told("{task}: {basis}", task=row.task, basis=row.basis)
            for row in rows
            if len(row.basis) > _BASIS or len(row.task) > _TASK
        ],
        "ticks": [{**tick, "label": f"{tick['label']} %"} for tick in _axis(ticks(end, 5, start), start, end)],
    }


def costs_payload(costs: Costs) -> dict[str, Any]:
    """The options as rows, and the chart of their totals where lines are given."""
    return {
        "rows": [
            {
                "name": option.name,
                "upfront": number(option.upfront),
                "monthly": span(option.monthly, money),
                "per_million": "–" if option.per_million_tokens is None else span(option.per_million_tokens, money),
                "basis": option.basis,
            }
            for option in costs.options
        ],
        "chosen": next((i for i, option in enumerate(costs.options) if option.chosen), None),
        "note": " ".join(part for part in (told("Money in {currency}.", currency=costs.currency), costs.note) if part),
        "chart": _cost_chart(costs) if costs.lines else None,
    }


def _cost_chart(costs: Costs) -> dict[str, Any]:
    months = max(len(line.cumulative) for line in costs.lines) - 1 or 1
    highest = max(max(line.cumulative) for line in costs.lines)
    end = highest * 1.05 if highest > 0 else 1.0
    crossings = [mark for mark in costs.break_evens if 0 <= mark.month <= months and 0 <= mark.cost <= end]
    return {
        "alt": told("Total cost in {currency} after {months} months: ", currency=costs.currency, months=months)
        + "; ".join(f"{line.name} {number(line.cumulative[-1])}" for line in costs.lines)
        + "".join(f". {mark.label}" for mark in costs.break_evens),
        "heading": told("What has been paid after so many months"),
        "y_name": told("Total cost ({currency})", currency=costs.currency),
        "x_name": told("Months"),
        "lines": [
            {
                "name": cut(line.name, _OPTION),
                "points": [[month / months, cost / end] for month, cost in enumerate(line.cumulative)],
                "label_at": place,
            }
            for line, place in zip(costs.lines, _label_places(costs.lines, end), strict=True)
        ],
        "crossings": [
            {"mark": str(place), "x": mark.month / months, "y": mark.cost / end, "label": mark.label}
            for place, mark in enumerate(crossings, start=1)
        ],
        "x_ticks": _axis(ticks(months, 6), 0, months),
        "y_ticks": _axis(ticks(end, 4), 0, end),
    }


def _label_places(lines: Sequence[CostLine], end: float) -> list[float]:
    """Heights of the names beside the lines' ends, moved apart where they would overlap."""
    order = sorted(range(len(lines)), key=lambda i: lines[i].cumulative[-1])
    places = [0.0] * len(lines)
    below = -math.inf
    for i in order:
        below = places[i] = max(lines[i].cumulative[-1] / end, below + _LABEL_GAP)
    excess = max(places) - 1.05
    return [place - excess for place in places] if excess > 0 else places
