"""Charts, each from a table of advisor.ui.parts.tables."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from advisor.foundation.numbers import exact
from advisor.ui.legend import BESIDE, COMPONENTS, RECOMMENDED, SIGNS

# One colour per component, the same in light and dark: at least 3:1 against both, apart for the colour-blind.
_COLOURS = {
    "Weights": "#0072B2",
    "KV cache": "#C4890F",
    "Compute buffers": "#0B9E72",
    "Overhead": "#7F7F7F",
    BESIDE: "#B0579A",
}
_CAPACITY_COLOUR = "#D55E00"
_ROW_HEIGHT = 30  # pixels
_FRAME_HEIGHT = 150
_ROOM_FOR_TOTALS = 1.2  # of the longest bar: the figures stand in a column to its right


def _shown(table: pd.DataFrame) -> list[str]:
    """The components that a chart has bars for."""
    return [*COMPONENTS, BESIDE] if BESIDE in table and table[BESIDE].any() else list(COMPONENTS)


def memory_chart(table: pd.DataFrame, recommended: str | None, margin_percent: float, where: str) -> go.Figure:
    """Stacked bars of memory by level in GiB, against the capacity and the margin that is kept free of it."""
    names = [_bold(f"{RECOMMENDED} {level}") if level == recommended else level for level in table["level"]]
    figure = go.Figure()
    for component in _shown(table):
        figure.add_bar(
            name=component,
            x=table[component],
            y=names,
            orientation="h",
            marker={"color": _COLOURS[component], "line": {"width": 0}},
            hovertemplate=f"{component}: %{{x:.2f}} GiB<extra>%{{y}}</extra>",
        )
    capacity = table["capacity"].iloc[0]
    has_capacity = pd.notna(capacity)
    longest = max(table["total"].max(), capacity) if has_capacity else table["total"].max()
    end = longest * _ROOM_FOR_TOTALS
    figure.add_scatter(
        x=[end] * len(table),
        y=names,
        mode="text",
        text=[f"{sign} {total:,.1f}" for sign, total in zip(table["verdict"].map(SIGNS), table["total"], strict=True)],
        textposition="middle left",
        textfont={"size": 13},
        hoverinfo="skip",
        showlegend=False,
    )
    figure.add_annotation(
        x=1, xref="paper", xanchor="right", y=1, yref="paper", yanchor="bottom", showarrow=False, text="Total"
    )
    if has_capacity:
        _draw_capacity(figure, capacity, margin_percent, end)
    figure.update_layout(
        barmode="stack",
        bargap=0.25,
        height=_FRAME_HEIGHT + _ROW_HEIGHT * len(table),
        margin={"l": 0, "r": 0, "t": 44, "b": 0},
        legend={"orientation": "h", "traceorder": "normal", "y": 0, "yref": "container", "yanchor": "bottom", "x": 0},
        xaxis={
            "title": {"text": f"Memory {where} (GiB)"},
            "range": [0, end],
            "fixedrange": True,
        },
        yaxis={"autorange": "reversed", "fixedrange": True, "automargin": True, "ticks": "", "tickfont": {"size": 13}},
    )
    return figure


def _draw_capacity(figure: go.Figure, capacity: float, margin_percent: float, end: float) -> None:
    figure.add_vrect(
        x0=capacity * (1 - margin_percent / 100),
        x1=capacity,
        fillcolor=_CAPACITY_COLOUR,
        opacity=0.3,
        line_width=0,
        name=f"Margin, {exact(margin_percent)} %",
        showlegend=True,
    )
    figure.add_vline(x=capacity, line={"color": _CAPACITY_COLOUR, "width": 2})
    figure.add_annotation(
        x=capacity,
        xanchor="right" if capacity > end / 2 else "left",  # on a phone it would run into "Total"
        y=1,
        yref="paper",
        yanchor="bottom",
        showarrow=False,
        text=f"Capacity {capacity:,.1f} GiB",
    )


def _bold(text: str) -> str:
    return f"<b>{text}</b>"
