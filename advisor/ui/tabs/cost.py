"""The cost page: own it, rent it or pay by the token, and where one becomes cheaper than another."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from advisor.answer.answer import Answer
from advisor.answer.candidate import Candidate
from advisor.answer.money_words import money_words
from advisor.answer.verdict import leading, verdict
from advisor.costs.costs import Costs
from advisor.costs.money import shown
from advisor.costs.options import Option
from advisor.costs.sensitivity import savings
from advisor.foundation.numbers import exact, plural
from advisor.foundation.units import format_count
from advisor.report.cost_section import COMPARED_ONLY
from advisor.ui.charts.cost import cumulative_chart, is_spread, staircase_chart, tornado_chart
from advisor.ui.legend import MOST_CROSSINGS, NAMES, crossing_words
from advisor.ui.parts import cost_cards, cost_details, load_inputs
from advisor.ui.parts.cost_figures import Figures, costed, figures_of
from advisor.ui.parts.cost_tables import (
    load_table,
    paid_table,
    sensitivity_table,
    years_table,
)
from advisor.ui.parts.fold import fold
from advisor.ui.parts.html import words
from advisor.ui.parts.text import plain, status_mark
from advisor.ui.tongue import with_language
from advisor.words import say, say_all, told

_NO_TOOLS = {"displayModeBar": False}


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
        there = with_language(instead.found.question.to_query())
        said = f"{said} [What {plain(instead.entry.name)} costs](./?tab=Cost&{there})"
    st.info(said, icon=":material/info:")


def _priced(answer: Answer, candidate: Candidate, figures: Figures) -> None:
    costs = figures.costs
    _decision(answer)
    keeps_data = answer.question.requirements.own_hardware
    best = costs.best(keeps_data)
    with st.container(key="cost_verdict"):
        st.html(f"<h2>{escape(cost_cards.headline(candidate, costs, best, keeps_data))}</h2>")
        said = [*say_all(money_words(candidate), "page"), *[told(COMPARED_ONLY)] * keeps_data, _load(costs)]
        st.markdown(plain(" ".join(said)))
        st.html(
            f'<div class="ways">{"".join(cost_cards.way_card(candidate, costs, name, best) for name in NAMES)}</div>'
        )
    chart, load = st.columns((3, 1), gap="medium")
    with load, st.container(key="cost_load"):
        load_inputs.draw_first("cost")
        beside = (cost_cards.busiest(costs.peak), " ".join(cost_cards.power(costs)), cost_cards.rates(costs))
        st.html("".join(f'<p class="quiet">{words(said)}</p>' for said in beside if said))
    with chart:
        _over_time(figures)
    if answer.question.machine.other_machine is not None:
        st.info(
            "Cards of different kinds: price and watts of one device are the mean of all; such a mix is not for rent."
        )
    if costs.notes or costs.not_included:
        title = f"Not included: {plural(len(costs.not_included), 'thing')}, and what to keep in mind"
        fold(title, "fold_notes", cost_details.notes, costs)
    if not costs.options:
        return
    fold("The same as tables, and by years of use", "fold_paid", _paid_tables, figures)
    fold("Cost against load", "fold_load", _by_load, figures)
    if figures.sensitivities and savings(costs) is not None:
        fold("What matters most, and where it turns round", "fold_sensitivity", _sensitivity, figures)
    fold("The bill, line by line", "fold_bills", cost_details.bills, costs)
    fold(cost_details.prices_title(costs), "fold_prices", cost_details.prices, costs)


def _decision(answer: Answer) -> None:
    """Money does not make a plan good: where the decision is against it, that comes first."""
    instead = leading(answer)
    if answer.status in ("good", "limited") and instead is None:
        return
    said = plain(say(verdict(answer), "page"))
    if instead is not None:
        link = f"/?tab=Cost&{with_language(instead.found.question.to_query())}"
        said = f"{said} [What {plain(instead.entry.name)} costs](.{link})"
    st.warning(f"{status_mark(answer.status)} {said}", icon=":material/info:")


def _load(costs: Costs) -> str:
    load, years = costs.inputs.load, costs.inputs.billing.years
    return (
        f"For {exact(load.requests_per_day)} requests a day with {load.tokens_in:,} tokens in and "
        f"{load.tokens_out:,} out, used for {plural(years, 'year')}."
    )


def _tokens(count: int | None) -> str:
    return "never" if count is None else format_count(count)


def _over_time(figures: Figures) -> None:
    costs = figures.costs
    if not costs.options:
        return
    years = costs.inputs.billing.years
    st.html(f"<h2>What has been paid over {plural(years, 'year')}</h2><p>{words(' '.join(_paid_back(costs)))}</p>")
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
    if (even := costs.own_against_api) is not None and even.low is not None:
        found.append(
            f"Owning beats the API above {_tokens(even.low)} tokens a month at best, {_tokens(even.high)} at worst."
        )
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
            "against the cheapest other option. Each bar changes one input to half of it, and to half as much again; "
            "the table says from which value on another way is the cheapest, within a tenth and ten times of it."
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
