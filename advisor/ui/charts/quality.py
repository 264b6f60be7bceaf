"""Charts of quality: against memory for the levels of one model, and level by model for a whole machine."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from advisor.ui.legend import RECOMMENDED

_DOT = "#0072B2"
_FRONTIER = "#0B9E72"
_CAPACITY = "#D55E00"
_ROW_HEIGHT = 22  # pixels
_FRAME_HEIGHT = 145
_LONGEST_NAME = 22
_HIGHEST = 103  # percent of the 16-bit score
_NAME_WIDTH, _NAME_HEIGHT = 0.24, 0.07  # of a level, as shares of the chart on a phone


def pareto_chart(table: pd.DataFrame, capacity_gib: float | None, recommended: str | None, task: str) -> go.Figure:
    """Quality kept against memory, one point per level with its range, the frontier joined.

    `table` has level, memory_gib, low, typical, high (percent of the 16-bit score), frontier (bool) and evidence.
    """
    figure = go.Figure()
    frontier = table[table["frontier"]].sort_values("memory_gib")
    lowest = max(0.0, float(table["typical"].min()) - 8) if len(table) else 0.0
    reach = _NAME_WIDTH * float(table["memory_gib"].max() - table["memory_gib"].min()) if len(table) else 0.0
    named = _with_room(frontier, recommended, capacity_gib, reach, _HIGHEST - lowest)
    figure.add_scatter(
        x=frontier["memory_gib"],
        y=frontier["typical"],
        mode="lines",
        name="Best for its memory",
        line={"color": _FRONTIER, "width": 2, "shape": "hv"},
        hoverinfo="skip",
    )
    for name, rows, symbol in (
        ("On the frontier", frontier, "circle"),
        ("Others", table[~table["frontier"]], "circle-open"),
    ):
        figure.add_scatter(
            x=rows["memory_gib"],
            y=rows["typical"],
            error_y={
                "type": "data",
                "symmetric": False,
                "array": rows["high"] - rows["typical"],
                "arrayminus": rows["typical"] - rows["low"],
                "thickness": 1,
                "width": 0,
                "color": "rgba(127,127,127,0.6)",
            },
            mode="markers+text",
            name=name,
            text=[_label(level, recommended, level in named) for level in rows["level"]],
            textposition=[_beside(memory, capacity_gib, reach) for memory in rows["memory_gib"]],
            textfont={"size": 11},
            marker={
                "color": _DOT,
                "symbol": symbol,
                "size": [15 if level == recommended else 9 for level in rows["level"]],
                "line": {"width": 1.5, "color": _DOT},
            },
            customdata=rows[["level", "low", "high", "evidence"]],
            hovertemplate=(
                "<b>%{customdata[0]}</b><br>%{y:.1f} % (%{customdata[1]:.1f} to %{customdata[2]:.1f})"
                "<br>%{x:.1f} GiB<br>%{customdata[3]}<extra></extra>"
            ),
        )
    if capacity_gib is not None:
        figure.add_vline(x=capacity_gib, line={"color": _CAPACITY, "width": 2})
        figure.add_annotation(
            x=capacity_gib,
            y=1,
            yref="paper",
            yanchor="bottom",
            showarrow=False,
            text=f"Capacity {capacity_gib:,.1f} GiB",
        )
    figure.update_layout(
        height=460,
        margin={"l": 0, "r": 10, "t": 44, "b": 0},
        legend={"orientation": "h", "y": 0, "yref": "container", "yanchor": "bottom", "x": 0},
        xaxis={"title": {"text": "Memory needed (GiB)"}, "fixedrange": True},
        yaxis={
            "title": {"text": f"16-bit score kept, {task} (%)"},
            "range": [lowest, _HIGHEST],
            "fixedrange": True,
            "automargin": True,
        },
    )
    return figure


def _label(level: str, recommended: str | None, named: bool) -> str:
    if level == recommended:
        return f"<b>{RECOMMENDED} {level}</b>"
    return level if named else ""


def _beside(memory_gib: float, capacity_gib: float | None, reach: float) -> str:
    """Where the name of a point stands: not across the line of the capacity."""
    crosses = capacity_gib is not None and memory_gib <= capacity_gib < memory_gib + reach
    return "bottom left" if crosses else "bottom right"


def _with_room(
    frontier: pd.DataFrame, recommended: str | None, capacity_gib: float | None, reach: float, height: float
) -> set[str]:
    """Levels of the frontier whose names do not run into each other; the recommended one keeps its place."""
    taken: list[tuple[float, float]] = []
    named: set[str] = set()
    first = frontier["level"] == recommended
    for row in pd.concat([frontier[first], frontier[~first]]).itertuples():
        memory, kept = float(row.memory_gib), float(row.typical)  # type: ignore[arg-type]
        start = memory - reach * (_beside(memory, capacity_gib, reach) == "bottom left")
        if all(abs(start - x) > reach or abs(kept - y) > _NAME_HEIGHT * height for x, y in taken):
            taken.append((start, kept))
            named.add(str(row.level))
    return named


def heat_map(values: pd.DataFrame, words: pd.DataFrame, colour_title: str) -> go.Figure:
    """Models (rows) by levels (columns); `values` is drawn in colour (empty: does not run), `words` on hover."""
    rows = list(range(len(values)))
    figure = go.Figure(
        go.Heatmap(
            z=values.to_numpy(dtype=float),
            x=list(values.columns),
            y=rows,
            customdata=words.to_numpy(),
            colorscale="Viridis",
            zmin=80,
            zmax=100,
            xgap=1,
            ygap=1,
            hoverongaps=False,
            colorbar={
                "orientation": "h",
                "title": {"text": colour_title, "side": "top"},
                "thickness": 10,
                "len": 1,
                "yref": "container",
                "y": 0,
                "yanchor": "bottom",
                "tickvals": [80, 85, 90, 95, 100],
                "ticktext": ["80 and less", "85", "90", "95", "100"],
            },
            hovertemplate="%{customdata}<extra></extra>",
        )
    )
    figure.update_layout(
        height=_FRAME_HEIGHT + _ROW_HEIGHT * len(values),
        margin={"l": 0, "r": 0, "t": 70, "b": 70},
        xaxis={"side": "top", "fixedrange": True, "tickangle": -90, "dtick": 1, "tickfont": {"size": 10}},
        yaxis={
            "autorange": "reversed",
            "fixedrange": True,
            "automargin": True,
            "showgrid": False,
            "tickfont": {"size": 12},
            "tickvals": rows,
            "ticktext": [_short(str(name)) for name in values.index],
        },
    )
    return figure


def _short(name: str) -> str:
    """A name that leaves room for the levels on a phone; the whole one is in the table and on hover."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1].rstrip()}…"
