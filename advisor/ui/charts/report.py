"""The three charts of a report, from the same document as the PDF."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from advisor.report.document import CHART_BARS, Costs, MemoryChart, QualityRow, chart_bars
from advisor.ui.charts.memory import memory_chart
from advisor.ui.legend import COMPONENTS

_RANGE = "#2E9DD2"
_LINES = ("#0072B2", "#C4890F", "#0B9E72")
_DASHES = ("solid", "dash", "dot")
_REQUIRED = "#D55E00"
_ROW_HEIGHT, _FRAME_HEIGHT = 30, 90  # pixels


def chart_config(name: str, kind: str = "png") -> dict[str, object]:
    """A button that saves a chart as PNG or SVG under a name that says what it is, and no other buttons."""
    return {
        "displaylogo": False,
        "modeBarButtonsToRemove": ["zoom", "pan", "select", "lasso", "zoomIn", "zoomOut", "autoScale", "resetScale"],
        "toImageButtonOptions": {"format": kind, "filename": name, "scale": 3},
    }


def as_picture(figure: go.Figure) -> go.Figure:
    """The chart to be saved: a picture takes no fonts along, so it is measured and drawn with one that is everywhere.

    With the page's own font, longer letters would be cut off at the edges.
    """
    return figure.update_layout(font={"family": "sans-serif"}, margin={"l": 12, "r": 16, "b": 8})


def memory_figure(chart: MemoryChart) -> go.Figure:
    """Stacked bars against the capacity, as on the first page."""
    bars = chart_bars(chart.bars, chart.recommended, CHART_BARS)
    parts = dict(
        zip(
            COMPONENTS,
            (
                [bar.weights_gib for bar in bars],
                [bar.kv_cache_gib for bar in bars],
                [bar.compute_gib for bar in bars],
                [bar.overhead_gib for bar in bars],
            ),
            strict=True,
        )
    )
    table = pd.DataFrame(
        {
            "level": [bar.level for bar in bars],
            "verdict": [bar.verdict for bar in bars],
            **parts,
            "total": [bar.total_gib for bar in bars],
            "capacity": [chart.capacity_gib for _ in bars],
        }
    )
    return memory_chart(table, chart.recommended, chart.margin_percent, chart.where)


def quality_figure(rows: Sequence[QualityRow]) -> go.Figure:
    """One range a task with its typical value, in percent of the original's score."""
    names = [row.task for row in rows]
    figure = go.Figure()
    figure.add_bar(
        x=[row.kept_percent.high - row.kept_percent.low for row in rows],
        base=[row.kept_percent.low for row in rows],
        y=names,
        orientation="h",
        name="Range",
        marker={"color": _RANGE, "opacity": 0.45, "line": {"width": 0}},
        width=0.4,
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=[row.kept_percent.typical for row in rows],
        y=names,
        mode="markers+text",
        name="Typical",
        text=[f"{row.kept_percent.typical:.1f}" for row in rows],
        textposition="top center",
        cliponaxis=False,
        marker={"color": _LINES[0], "size": 10},
        customdata=[[row.kept_percent.low, row.kept_percent.high, row.basis] for row in rows],
        hovertemplate="%{y}: %{x:.1f} % (%{customdata[0]:.1f} to %{customdata[1]:.1f})<extra>%{customdata[2]}</extra>",
    )
    asked = [row for row in rows if row.required_percent is not None]
    if asked:
        figure.add_scatter(
            x=[row.required_percent for row in asked],
            y=[row.task for row in asked],
            mode="markers",
            name="Asked for",
            marker={"symbol": "line-ns-open", "size": 20, "line": {"width": 3, "color": _REQUIRED}},
            hovertemplate="At least %{x:.10~r} %<extra></extra>",
        )
    figure.update_layout(
        height=_FRAME_HEIGHT + (_ROW_HEIGHT + 6) * len(rows),
        margin={"l": 0, "r": 0, "t": 10, "b": 0},
        legend={"orientation": "h", "traceorder": "normal", "y": 0, "yref": "container", "yanchor": "bottom", "x": 0},
        xaxis={"title": {"text": "Quality kept (% of the original's score)"}, "fixedrange": True},
        yaxis={"autorange": "reversed", "fixedrange": True, "automargin": True, "ticks": ""},
    )
    return figure


def cost_figure(costs: Costs) -> go.Figure:
    """What each way has cost in all, month by month, with the months from which owning has cost less."""
    figure = go.Figure()
    for line, colour, dash in zip(costs.lines, _LINES, _DASHES, strict=False):
        figure.add_scatter(
            x=list(range(len(line.cumulative))),
            y=list(line.cumulative),
            mode="lines",
            name=line.name,
            line={"color": colour, "width": 3, "dash": dash},
            hovertemplate=f"{line.name}, month %{{x}}: %{{y:,.0f}} {costs.currency}<extra></extra>",
        )
    for place, mark in enumerate(costs.break_evens, start=1):
        figure.add_annotation(
            x=mark.month, y=mark.cost, text=f"<b>{place}</b>", showarrow=True, arrowhead=6, ay=-28, ax=0
        )
    figure.update_layout(
        height=320,
        margin={"l": 0, "r": 0, "t": 10, "b": 0},
        legend={"orientation": "h", "y": 0, "yref": "container", "yanchor": "bottom", "x": 0},
        xaxis={"title": {"text": "Months"}, "fixedrange": True},
        yaxis={
            "title": {"text": f"Total cost ({costs.currency})"},
            "fixedrange": True,
            "tickformat": ",",
            "rangemode": "tozero",
        },
    )
    return figure
