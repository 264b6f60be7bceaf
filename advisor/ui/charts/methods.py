"""Pictures of how methods quantize: GPTQ and AWQ as drawings, GGUF with the bits of a real file."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from advisor.answer.cases_of_methods import Spent

# Each has 3:1 to white and to the dark background, and all stay apart for people who see fewer colours.
_DONE, _NOW, _LEFT = "#0072B2", "#D55E00", "#7F7F7F"
_ROWS, _COLUMNS, _AT = 6, 12, 5
_LARGE = (3, 8)  # the inputs that stand out in the drawing
_INPUTS = (0.5, 0.8, 0.4, 3.6, 0.6, 0.7, 0.3, 0.5, 2.9, 0.6, 0.8, 0.4)
_STILL: dict[str, Any] = {"showticklabels": False, "fixedrange": True, "showgrid": False, "zeroline": False}


def gptq_picture() -> go.Figure:
    """A layer's weights: columns that are rounded, the one being rounded, and those that take up its error."""
    figure = go.Figure(_cells([0 if x < _AT else 1 if x == _AT else 2 for x in range(_COLUMNS)], (_DONE, _NOW, _LEFT)))
    for x, text in (((_AT - 1) / 2, "rounded"), ((_AT + _COLUMNS) / 2, "moved to make up for it")):
        figure.add_annotation(x=x, y=_ROWS - 0.4, text=text, showarrow=False, yanchor="bottom")
    figure.add_annotation(x=_AT, y=-0.6, text="rounded now", showarrow=False, yanchor="top")
    for row in (1, 4):
        figure.add_annotation(
            x=_COLUMNS - 1.5, y=row, ax=_AT + 0.6, ay=row, xref="x", yref="y", axref="x", ayref="y", text="",
            showarrow=True, arrowhead=2, arrowwidth=2, arrowcolor=_NOW,
        )  # fmt: skip
    figure.update_xaxes(**_STILL, range=[-0.6, _COLUMNS - 0.4])
    figure.update_yaxes(**_STILL, range=[-1.6, _ROWS + 0.6])
    return _framed(figure)


def awq_picture() -> go.Figure:
    """Above the inputs of a layer, two of them large; below its weights, with the columns they meet scaled up."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.45, 0.55], vertical_spacing=0.04)
    places = list(range(_COLUMNS))
    figure.add_bar(
        x=places, y=list(_INPUTS), marker={"color": [_NOW if x in _LARGE else _LEFT for x in places]},
        hoverinfo="skip", showlegend=False, row=1, col=1,
    )  # fmt: skip
    cells = _cells([1 if x in _LARGE else 0 for x in places], (_LEFT, _NOW))
    figure.add_trace(cells, row=2, col=1)
    middle = (_COLUMNS - 1) / 2
    figure.add_annotation(x=middle, y=max(_INPUTS), text="size of inputs", showarrow=False, row=1, col=1)
    figure.add_annotation(
        x=middle, y=-0.6, text="weights: scaled up where inputs are large", showarrow=False, yanchor="top",
        row=2, col=1,
    )  # fmt: skip
    figure.update_xaxes(**_STILL, range=[-0.6, _COLUMNS - 0.4])
    figure.update_yaxes(**_STILL)
    figure.update_yaxes(range=[-1.8, _ROWS - 0.4], row=2, col=1)
    return _framed(figure)


def gguf_picture(spent: Spent) -> go.Figure:
    """Bits a weight of each tensor (rows) in each layer (columns)."""
    names = [name for name, _ in spent.rows]
    figure = go.Figure(
        go.Heatmap(
            z=[list(bits) for _, bits in spent.rows],
            y=names,
            colorscale="Viridis",
            ygap=2,
            colorbar={"orientation": "h", "thickness": 10, "len": 1, "yref": "container", "y": 0, "yanchor": "bottom"},
            hovertemplate="%{y}, layer %{x}: %{z:.2f} bits<extra></extra>",
        )
    )
    figure.update_xaxes(title={"text": "Layer; the colour is bits a weight"}, fixedrange=True, showgrid=False)
    figure.update_yaxes(autorange="reversed", fixedrange=True, automargin=True, showgrid=False)
    figure.update_layout(height=330, margin={"l": 0, "r": 0, "t": 10, "b": 90})
    return figure


def _cells(kinds: list[int], colours: tuple[str, ...]) -> go.Heatmap:
    """A block of weights whose columns are of some kinds."""
    last = len(colours) - 1
    scale = [
        step
        for n, colour in enumerate(colours)
        for step in ([n / len(colours), colour], [(n + 1) / len(colours), colour])
    ]
    return go.Heatmap(
        z=[kinds] * _ROWS, zmin=-0.5, zmax=last + 0.5, colorscale=scale, xgap=2, ygap=2, showscale=False,
        hoverinfo="skip",
    )  # fmt: skip


def _framed(figure: go.Figure) -> go.Figure:
    figure.update_layout(height=230, margin={"l": 0, "r": 0, "t": 10, "b": 10}, showlegend=False)
    return figure
