"""The cost page: own it, rent it or pay by the token, and where one becomes cheaper than another."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from advisor.answer.answer import Answer
from advisor.answer.candidate import Candidate
from advisor.answer.money_words import money_words
from advisor.answer.verdict import leading, verdict
from advisor.costs.break_even import BreakEven
from advisor.costs.costs import Costs
from advisor.costs.money import shown
from advisor.costs.options import Option
from advisor.costs.series import savings
from advisor.foundation.numbers import exact
from advisor.foundation.ranges import Range
from advisor.foundation.units import format_count
from advisor.report.cost_section import COMPARED_ONLY
from advisor.ui.charts.cost import cumulative_chart, is_spread, staircase_chart, tornado_chart
from advisor.ui.legend import MOST_CROSSINGS, NAMES, RECOMMENDED, crossing_words
from advisor.ui.parts import cost_details, load_inputs
from advisor.ui.parts.cost_figures import Figures, costed, figures_of
from advisor.ui.parts.cost_tables import (
    amount,
    load_table,
    paid_table,
    sensitivity_table,
    span,
    years_table,
)
from advisor.ui.parts.fold import fold
from advisor.ui.parts.text import plain, small, status_mark
from advisor.words import say, say_all, told

_CHEAPEST = {"own": "Owning costs least", "rent": "Renting costs least", "api": "An API costs least"}
_TILE = 230  # pixels
_MILLION = 1_000_000
_NO_TOOLS = {"displayModeBar": False}
BEHIND_MORE = "More, “Load and money”"


def draw(answer: Answer) -> None:
    """Draw the tab."""
    candidate = costed(answer)
    figures = None if candidate is None else figures_of(answer, candidate)
    if candidate is None:
        _nothing_to_price(answer)
    elif figures is None:
        st.info(
            plain(f"{answer.machine_name} cannot be priced: {answer.machine.name} is not sold in this number."),
            icon=":material/info:",
        )
    else:
        _priced(answer, candidate, figures)
    fold("Closed models for the same load", "fold_closed", cost_details.closed_models, answer)
    fold("A claim, worked through", "fold_claim", cost_details.worked_claim, answer)


def _nothing_to_price(answer: Answer) -> None:
    said = plain(f"There is nothing to price yet. {say(verdict(answer), 'page')}")
    if (instead := leading(answer)) is not None:
        said = f"{said} [What {plain(instead.entry.name)} costs](./?tab=Cost&{instead.found.question.to_query()})"
    st.info(said, icon=":material/info:")


def _priced(answer: Answer, candidate: Candidate, figures: Figures) -> None:
    costs = figures.costs
    _decision(answer)
    _verdict(answer, candidate, costs)
    if not costs.options:
        cost_details.what_is_missing(costs)
        return
    _over_time(figures)
    cost_details.what_is_missing(costs)
    fold("The same as tables, and by years of use", "fold_paid", _paid_tables, figures)
    fold("Cost against load", "fold_load", _by_load, figures)
    if figures.sensitivities and savings(costs) is not None:
        fold("What matters most", "fold_sensitivity", _sensitivity, figures)
    fold("The bill, line by line", "fold_bills", cost_details.bills, costs)
    fold(cost_details.prices_title(costs), "fold_prices", cost_details.prices, costs)


def _decision(answer: Answer) -> None:
    """Money does not make a plan good: where the decision is against it, that comes first."""
    instead = leading(answer)
    if answer.status in ("good", "limited") and instead is None:
        return
    said = plain(say(verdict(answer), "page"))
    if instead is not None:
        link = f"/?tab=Cost&{instead.found.question.to_query()}"
        said = f"{said} [What {plain(instead.entry.name)} costs](.{link})"
    st.warning(said, icon=":material/info:")


def _verdict(answer: Answer, candidate: Candidate, costs: Costs) -> None:
    question = answer.question
    keeps_data = question.requirements.own_hardware
    best = costs.best(keeps_data)
    with st.container(border=True, key="cost_verdict"):
        st.markdown(f"{small(plain(f'{candidate.level}, {_load(costs)}'))} {status_mark(answer.status)}")
        st.header(_headline(costs, best, keeps_data), anchor=False)
        st.markdown(plain(" ".join(say_all(money_words(candidate), "page"))))
        if keeps_data:
            st.markdown(told(COMPARED_ONLY))
        columns = st.columns(3)
        for column, name in zip(columns, NAMES, strict=True):
            with column.container(border=True, height="stretch"):
                _option(costs, name, is_best=best is not None and best.name == name)
        _further_tiles(costs)
    with st.container(horizontal=True, key="cost_load"):
        load_inputs.draw_first("cost")
    if question.machine.other_machine is not None:
        st.info(
            "Cards of different kinds: price and watts of one device are the mean of all; such a mix is not for rent."
        )


def _headline(costs: Costs, best: Option | None, keeps_data: bool) -> str:
    if best is not None:
        return "Owning, as data must stay" if keeps_data else _CHEAPEST[best.name]
    return "Nothing to compare" if costs.options else "No price is known"


def _load(costs: Costs) -> str:
    load, years = costs.inputs.load, costs.inputs.billing.years
    return (
        f"{exact(load.requests_per_day)} requests a day with {load.tokens_in:,} tokens in and "
        f"{load.tokens_out:,} out ({format_count(costs.tokens_per_month)} tokens a month), used for {years} "
        f"year{'' if years == 1 else 's'}"
    )


def _option(costs: Costs, name: str, is_best: bool) -> None:
    option: Option | None = getattr(costs, name)
    label = f"{RECOMMENDED} {NAMES[name]}, a month" if is_best else f"{NAMES[name]}, a month"
    if option is None:
        st.metric(label, "–")
        why = dict(costs.missing).get(name)
        st.markdown(small(plain(say(why, "page"))) if why else "")
        return
    monthly = option.monthly.typical
    whole = f"{costs.currency} {monthly:,.0f}"  # beyond a million cents do not matter, and there is no room for them
    st.metric(label, whole if monthly >= _MILLION else shown(monthly, costs.currency))
    per_token = option.per_million_tokens
    lines = [
        f"**{span(option.monthly)}** a month, low to high",
        f"**{costs.currency} {amount(per_token.typical, 4)}** per million tokens ({span(per_token, 4)})",
        plain(say(option.title)),
    ]
    if option.offers > 1:
        lines.append(f"The median of {option.offers} providers")
    st.markdown("  \n".join(small(line) for line in lines))


def _further_tiles(costs: Costs) -> None:
    row = st.container(horizontal=True)
    even = costs.own_against_api
    row.metric(
        "Own beats API, tokens a month",
        "–" if even is None else _tokens(even.typical),
        help=_even_words(even) if even else "There is nothing to compare.",
        width=_TILE,
    )
    why = "The power of this machine is not known."
    _tile(row, "Energy a month", costs.energy_kwh_per_month, ("kWh", "MWh"), why)
    _tile(row, "CO2 a month", costs.co2_kg_per_month, ("kg", "t"), f"Give “CO2 (g per kWh)” under {BEHIND_MORE}.")


def _tile(row: DeltaGenerator, label: str, values: Range | None, units: tuple[str, str], why: str) -> None:
    """A figure with its range; the second unit is a thousand of the first."""
    if values is None:
        row.metric(label, "–", help=why, width=_TILE)
        return
    is_large = values.typical >= _MILLION
    shown_as, unit = (values.scaled(0.001), units[1]) if is_large else (values, units[0])
    help_text = f"{shown_as.low:,.1f} to {shown_as.high:,.1f} {unit}, when owned."
    row.metric(label, f"{shown_as.typical:,.1f} {unit}", help=help_text, width=_TILE)


def _tokens(count: int | None) -> str:
    return "never" if count is None else format_count(count)


def _even_words(even: BreakEven) -> str:
    return (
        f"Above so many tokens a month owning is cheaper: {_tokens(even.low)} at best, {_tokens(even.high)} at worst."
    )


def _over_time(figures: Figures) -> None:
    costs = figures.costs
    years = costs.inputs.billing.years
    st.subheader(f"What has been paid over {years} year{'' if years == 1 else 's'}", anchor=False)
    st.markdown("\n".join(f"- {plain(sentence)}" for sentence in _paid_back(costs)))
    st.plotly_chart(
        cumulative_chart(costs),
        key="cumulative",
        config=_NO_TOOLS,
        alt=f"Money paid so far, month by month over {years} years, for {_named(costs.options)}, each with its range. "
        "The tables below have the same figures by year.",
    )


def _paid_tables(figures: Figures) -> None:
    costs = figures.costs
    st.table(paid_table(costs), hide_index=True, border="horizontal")
    if costs.own is None:
        return
    st.markdown("**By years of use**, a month and in brackets a million tokens: longer use spreads the purchase.")
    st.table(years_table(figures.by_years), hide_index=True, border="horizontal")


def _paid_back(costs: Costs) -> list[str]:
    found = []
    for other, name, months in (
        (costs.api, "the API", costs.months_against_api),
        (costs.rent, "renting", costs.months_against_rent),
    ):
        if costs.own is None or other is None:
            continue
        if months is None:
            found.append(f"Owning never comes out cheaper than {name} at this load.")
            continue
        beyond = " (beyond this chart)" if months > 12 * costs.inputs.billing.years else ""
        when = f"after {months:,} month{'' if months == 1 else 's'}{beyond}"
        found.append(f"Owning has cost less than {name} {when}, before the machine is sold again.")
    if costs.rent_against_api is not None:
        even = costs.rent_against_api
        found.append(
            f"Renting beats the API: {'from ' if even.typical else ''}{_tokens(even.typical)}"
            f"{' tokens a month' if even.typical else ' at typical prices'}."
        )
    return found


def _by_load(figures: Figures) -> None:
    costs, crossings = figures.costs, figures.crossings
    points = "; ".join(
        f"{crossing_words(each)} above {format_count(each.tokens)}" for each in crossings[:MOST_CROSSINGS]
    )
    more = len(crossings) - MOST_CROSSINGS
    also = f", and {more} more points where a machine is added" if more > 0 else ""
    scale = " Both axes are logarithmic." if is_spread(costs, figures.curve) else ""
    sentence = f"{points}{also}." if points else "Nothing changes places in this range."
    if len(costs.options) > 1:
        st.markdown(plain(f"Machines and instances come whole, so their cost is a staircase. {sentence}{scale}"))
    st.plotly_chart(
        staircase_chart(costs, figures.curve, crossings),
        key="staircase",
        config=_NO_TOOLS,
        alt=f"A month's cost against tokens a month for {_named(costs.options)}, with your plan of "
        f"{format_count(costs.tokens_per_month)} tokens and {len(crossings)} crossing points. "
        "The table below has figures for several loads.",
    )
    st.table(load_table(costs, crossings), hide_index=True, border="horizontal")


def _sensitivity(figures: Figures) -> None:
    costs, found = figures.costs, figures.sensitivities
    saved = savings(costs)
    if not found or saved is None:
        return
    verb = "saves" if saved >= 0 else "costs"
    st.markdown(
        plain(
            f"As planned owning {verb} {shown(abs(saved), costs.currency)} a month {'' if saved >= 0 else 'more '}"
            "against the cheapest other option. Each bar changes one input to half of it, and to half as much again."
        )
    )
    st.plotly_chart(
        tornado_chart(found, saved, costs.currency),
        key="tornado",
        config=_NO_TOOLS,
        alt=f"What owning saves a month when one of {len(found)} inputs is half or half as much again; "
        f"{say(found[0].label)} matters most. The table below has the same figures.",
    )
    st.table(sensitivity_table(found, costs.currency), hide_index=True, border="horizontal")


def _named(options: Sequence[Option]) -> str:
    return ", ".join(NAMES[option.name] for option in options)
