"""Charts of cost: over time, against the load, and by what each input changes."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import log
from textwrap import wrap

import plotly.graph_objects as go

from advisor.costs.costs import Costs
from advisor.costs.sensitivity import Sensitivity
from advisor.costs.series import CurvePoint, paid_after
from advisor.costs.staircase import Crossing
from advisor.foundation.units import format_count
from advisor.ui.legend import MOST_CROSSINGS, NAMES, crossing_words, number
from advisor.words import say

# The same in light and dark, apart for the colour-blind; the dash says it once more.
_COLOURS = {"own": "#0072B2", "rent": "#C4890F", "api": "#0B9E72"}
_BANDS = {"own": "rgba(0,114,178,0.16)", "rent": "rgba(196,137,15,0.16)", "api": "rgba(11,158,114,0.16)"}
_DASHES = {"own": "solid", "rent": "dash", "api": "dot"}
_MARK = "#D55E00"
_LESS, _MORE = "#0072B2", "#C4890F"
_HEIGHT = 380  # pixels
_ROW_HEIGHT = 52
_LABEL_WIDTH = 16  # letters
_FAR_APART = 20  # times: from there on a linear axis would hide the smaller
_NAMED = 2  # crossings with words in the chart; all are in the table


def cumulative_chart(costs: Costs) -> go.Figure:
    """What has been paid after each month, from low to high, with the months in which owning has paid back."""
    months = list(range(12 * costs.inputs.billing.years + 1))
    figure = go.Figure()
    for option in costs.options:
        paid = [paid_after(option, month) for month in months]
        figure.add_scatter(
            x=months + months[::-1],
            y=_floats([each.high for each in paid] + [each.low for each in paid[::-1]]),
            fill="toself",
            fillcolor=_BANDS[option.name],
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
        )
    for option in costs.options:
        figure.add_scatter(
            x=months,
            y=_floats([paid_after(option, month).typical for month in months]),
            mode="lines",
            name=NAMES[option.name],
            line={"color": _COLOURS[option.name], "dash": _DASHES[option.name], "width": 2.5},
            hovertemplate=f"{NAMES[option.name]}: {costs.currency} %{{y:,.2f}} after %{{x}} months<extra></extra>",
        )
    marks: list[tuple[float, Decimal, str]] = []
    if costs.own is not None:
        for name, month in (("Rent", costs.months_against_rent), ("API", costs.months_against_api)):
            if month is not None and month <= months[-1]:
                words = f"Own cheaper than {name}<br>from month {month}"
                marks.append((month, paid_after(costs.own, month).typical, words))
        if costs.own.resale:
            _add_resale(figure, costs, months[-1])
    _add_marks(figure, marks, [month / months[-1] for month, _, _ in marks])
    most = max(paid_after(option, months[-1]).typical for option in costs.options)
    figure.update_layout(
        **_frame(),
        xaxis={"title": {"text": "Months"}, "dtick": 6 if months[-1] <= 36 else 12, "fixedrange": True},
        yaxis=_money_axis(costs.currency, "paid so far") | {"range": [0, 1.3 * float(most or 1)]},
    )
    return figure


def _add_resale(figure: go.Figure, costs: Costs, last: int) -> None:
    if costs.own is None:
        return
    before = paid_after(costs.own, last).typical
    figure.add_scatter(
        x=[last, last],
        y=_floats([before, before - costs.own.resale]),
        mode="lines+markers",
        name="Resale",
        line={"color": _COLOURS["own"], "dash": "dot", "width": 1.5},
        marker={"symbol": ["circle", "triangle-down"], "size": [1, 10]},
        hovertemplate=f"Own, after resale: {costs.currency} %{{y:,.2f}}<extra></extra>",
    )


def is_spread(costs: Costs, curve: Sequence[CurvePoint]) -> bool:
    """Whether costs or loads lie so far apart that only logarithmic axes show them all."""
    planned = [float(option.monthly.typical) for option in costs.options if option.monthly.typical]
    apart = max(planned, default=1) > _FAR_APART * min(planned, default=1)
    return apart or curve[-1].tokens > _FAR_APART * costs.tokens_per_month


def staircase_chart(costs: Costs, curve: Sequence[CurvePoint], crossings: Sequence[Crossing]) -> go.Figure:
    """A month's cost against the month's tokens, with the planned load and the points where options change places."""
    logarithmic = is_spread(costs, curve)
    first = max(1, costs.tokens_per_month // 50) if logarithmic else 1
    shown = [point for point in curve if point.tokens >= first]
    figure = go.Figure()
    heights: list[Decimal] = []
    for option in costs.options:
        points = [(first, option.typical.cost(first))]
        points += [(point.tokens, cost) for point in shown if (cost := getattr(point, option.name)) is not None]
        if logarithmic:
            points = [(tokens, cost) for tokens, cost in points if cost]
        heights += [cost for _, cost in points]
        figure.add_scatter(
            x=[tokens for tokens, _ in points],
            y=_floats([cost for _, cost in points]),
            mode="lines",
            name=NAMES[option.name],
            line={"color": _COLOURS[option.name], "dash": _DASHES[option.name], "width": 2.5},
            hovertemplate=f"{NAMES[option.name]}: {costs.currency} %{{y:,.2f}} for %{{x:,}} tokens<extra></extra>",
        )
    top = float(max(heights, default=Decimal(1))) * (2 if logarithmic else 1.15)
    bottom = float(min(heights, default=Decimal(1))) if logarithmic else 0
    figure.add_scatter(
        x=[costs.tokens_per_month] * 2,
        y=[bottom, top],
        mode="lines",
        name=f"Your plan: {format_count(costs.tokens_per_month)}",
        line={"color": "#7F7F7F", "width": 2},
        hoverinfo="skip",
    )
    named = [
        (crossing.tokens, _cost_at(costs, crossing), f"{crossing_words(crossing)}<br>above "
         f"{format_count(crossing.tokens)}" if place < _NAMED else "")
        for place, crossing in enumerate(crossings[:MOST_CROSSINGS])
        if crossing.tokens >= first
    ]  # fmt: skip
    _add_marks(figure, named, [_place(tokens, first, curve[-1].tokens, logarithmic) for tokens, _, _ in named])
    kind = {"type": "log", "dtick": 1} if logarithmic else {"rangemode": "tozero"}
    figure.update_layout(
        **_frame(),
        xaxis={"title": {"text": "Tokens a month"}, "fixedrange": True, "exponentformat": "B"} | kind,
        yaxis=_money_axis(costs.currency, "a month") | kind,
    )
    return figure


def _cost_at(costs: Costs, crossing: Crossing) -> Decimal:
    return next(o.typical.cost(crossing.tokens) for o in costs.options if o.name == crossing.cheaper)


def tornado_chart(sensitivities: Sequence[Sensitivity], base: Decimal, currency: str) -> go.Figure:
    """What owning saves a month when one input at a time is half, and half as much again; most telling input first."""
    labels = ["<br>".join(wrap(say(each.label), _LABEL_WIDTH)) for each in sensitivities]
    figure = go.Figure()
    for name, colour, values, saved in (
        ("Half of it", _LESS, [s.from_value for s in sensitivities], [s.saves_from for s in sensitivities]),
        ("Half as much again", _MORE, [s.to_value for s in sensitivities], [s.saves_to for s in sensitivities]),
    ):
        figure.add_bar(
            name=name,
            x=_floats([each - base for each in saved]),
            base=float(base),
            y=labels,
            orientation="h",
            marker={"color": colour, "line": {"width": 0}},
            customdata=[[number(value), f"{each:,.2f}"] for value, each in zip(values, saved, strict=True)],
            hovertemplate=f"at %{{customdata[0]}}: saves {currency} %{{customdata[1]}}<extra>%{{y}}</extra>",
        )
    figure.add_vline(x=0, line={"color": _MARK, "width": 2})
    ends = _floats([value for s in sensitivities for value in (s.saves_from, s.saves_to)] + [base, Decimal(0)])
    room = 0.08 * (max(ends) - min(ends) or 1)
    place = (room - min(ends)) / (max(ends) - min(ends) + 2 * room)
    figure.add_annotation(
        x=0,
        xanchor="left" if place < 0.3 else "right" if place > 0.7 else "center",
        y=1,
        yref="paper",
        yanchor="bottom",
        showarrow=False,
        text="Owning pays right of this line",
    )
    figure.update_layout(
        **_frame(),
        barmode="overlay",
        bargap=0.3,
        xaxis={
            "title": {"text": f"Owning saves, {currency} a month"},
            "range": [min(ends) - room, max(ends) + room],
            "fixedrange": True,
            "separatethousands": True,
            "zeroline": False,
        },
        yaxis={"autorange": "reversed", "fixedrange": True, "automargin": True, "ticks": "", "tickfont": {"size": 13}},
    )
    figure.update_layout(height=150 + _ROW_HEIGHT * len(sensitivities))
    return figure


def _place(tokens: int, first: int, last: int, logarithmic: bool) -> float:
    """Where on the horizontal axis, from 0 to 1."""
    return log(tokens / first) / log(last / first) if logarithmic else tokens / last


def _add_marks(figure: go.Figure, marks: Sequence[tuple[float, Decimal, str]], places: Sequence[float]) -> None:
    """Points with words; of two the first has them on its left, where there is room. `places`: from 0 to 1."""
    if not marks:
        return
    figure.add_scatter(
        x=[x for x, _, _ in marks],
        y=_floats([y for _, y, _ in marks]),
        mode="markers+text",
        text=[words for _, _, words in marks],
        textposition=[
            "top left" if place > (0.3 if nth == 0 else 0.7) else "top right" for nth, place in enumerate(places)
        ],
        textfont={"size": 12},
        cliponaxis=False,
        marker={"color": _MARK, "symbol": "diamond", "size": 11},
        name="Break-even",
        hoverinfo="skip",
    )


def _frame() -> dict[str, object]:
    return {
        "height": _HEIGHT,
        "margin": {"l": 0, "r": 10, "t": 40, "b": 0},
        "legend": {
            "orientation": "h", "traceorder": "normal", "y": 0, "yref": "container", "yanchor": "bottom", "x": 0
        },
    }  # fmt: skip


def _money_axis(currency: str, what: str) -> dict[str, object]:
    return {
        "title": {"text": f"{currency} {what}"},
        "fixedrange": True,
        "automargin": True,
        "separatethousands": True,
        "exponentformat": "B",
    }


def _floats(amounts: Sequence[Decimal]) -> list[float]:
    return [float(amount) for amount in amounts]
