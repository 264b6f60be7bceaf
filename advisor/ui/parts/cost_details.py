"""The lower half of the cost page: bills, prices, what is left out, the claim, and closed models."""

from __future__ import annotations

import streamlit as st

from advisor.answer.answer import Answer
from advisor.costs.article import LINK
from advisor.costs.costs import Costs
from advisor.costs.money import OLD_AFTER_DAYS, shown
from advisor.costs.options import Option
from advisor.costs.price_rows import REGION_NAMES
from advisor.foundation.numbers import approx, exact
from advisor.ui.legend import NAMES
from advisor.ui.parts.cost_figures import claim, closed
from advisor.ui.parts.cost_tables import amount, bill_table, closed_table, prices_table
from advisor.ui.parts.html import go, question_href
from advisor.ui.parts.text import plain
from advisor.words import say, say_all

_CLAIM = "A quantized 70B on a $2,000 workstation can match APIs that cost thousands a month."
_FLAG = (
    "price of: of more than 90 days ago by its source. no date: its source gives none. Both count with a wider range. "
    "yours: given by you."
)


def bills(costs: Costs) -> None:
    """A typical month of each option, so that every figure can be worked out again by hand."""
    inputs = costs.inputs
    st.markdown(
        plain(
            f"Load: {exact(inputs.load.requests_per_day)} requests a day × 365 / 12 × ({inputs.load.tokens_in:,} + "
            f"{inputs.load.tokens_out:,}) tokens = {costs.tokens_per_month:,} tokens a month. "
            "Amounts are rounded once, to the cent, line by line."
        )
    )
    for option in costs.options:
        st.markdown(f"**{NAMES[option.name]}**: {plain(say(option.title))}")
        st.table(bill_table(option, costs.currency), hide_index=True, border="horizontal")
        if remarks := _remarks(costs, option):
            st.markdown("\n".join(f"- {plain(remark)}" for remark in remarks))


def _remarks(costs: Costs, option: Option) -> list[str]:
    inputs, remarks = costs.inputs, []
    served = option.typical.unit_tokens
    if served is not None:
        kind = "machine" if option.name == "own" else "instance"
        count = option.units[1]
        remarks.append(
            f"One {kind} serves up to {int(served):,} tokens a month with a busiest hour of "
            f"{exact(float(inputs.load.peak))} × the average, so it takes {count:,} {kind}{'' if count == 1 else 's'}"
            + (f", computing {100 * option.utilisation:.1f} % of the time." if option.utilisation is not None else ".")
        )
    if option.name == "own" and served:
        both = inputs.load.tokens_in + inputs.load.tokens_out
        seconds = inputs.load.hours_per_month * 3600 * both / (float(inputs.load.peak) * float(served))
        remarks.append(
            f"That is {exact(inputs.load.hours_per_month)} h × 3,600 × {both:,} tokens / "
            f"({exact(float(inputs.load.peak))} × {approx(seconds, 6)} s for each request)"
            + (f", as it works on {costs.peak.places:,} at once." if costs.peak and costs.peak.places > 1 else ".")
        )
    if option.upfront:
        remarks.append(
            f"Bought for {shown(option.upfront, costs.currency)}, sold again after {inputs.billing.years} "
            f"year{'' if inputs.billing.years == 1 else 's'} for {shown(option.resale, costs.currency)}."
        )
    return remarks


def notes(costs: Costs) -> None:
    """What no bill has in it, and what else to know."""
    for title, said in (("Not included", costs.not_included), ("To keep in mind", costs.notes)):
        if said:
            lines = "\n".join(f"- {plain(note)}" for note in say_all(said, "page"))
            st.markdown(f"**{title}**\n\n{lines}")


def prices_title(costs: Costs) -> str:
    """ "Prices used: 9, 2 of them old"."""
    old = len(costs.stale_prices)
    return f"Prices used: {len(costs.prices)}" + (
        f", {old} of them of more than {OLD_AFTER_DAYS} days ago, or of no known day" if old else ""
    )


def prices(costs: Costs) -> None:
    """Every price that went into the answer, with source and age."""
    table = prices_table(costs.prices)
    st.markdown(
        f"All {len(table)} of them, net of VAT, as their sources state them. Put your own instead: More, "
        "“Load and money”, “Own prices and figures”. They go into the link and are marked as yours here."
    )
    text, whole = st.column_config.TextColumn, st.column_config.NumberColumn
    st.dataframe(
        table,
        hide_index=True,
        height="content",
        key="prices",
        placeholder="–",
        alt=f"{len(table)} prices used, with source, date and age",
        column_config={
            "label": text("Price of", width=260),
            "value": text("Value", alignment="right", width=80),
            "unit": text("Unit", width=190),
            "flag": text("Flag", width=150, help=_FLAG),
            "age_days": whole("Age (days)", format="%d", width=85),
            "as_of": st.column_config.DateColumn("Source's day", width=95),
            "checked": st.column_config.DateColumn("Read on", width=95),
            "source": st.column_config.LinkColumn("Source", display_text=r"https?://([^/]+)", width=170),
        },
    )


def worked_claim(answer: Answer) -> None:
    """A claim that is often read, worked through."""
    found = claim(answer.today)
    st.markdown(f"> {plain(_CLAIM)}")
    st.markdown(plain(say(found.result, "page")))
    st.markdown(
        "Two used RTX 3090 at USD 800, a computer for USD 400, Q4\\_K\\_M at the speed measured on them, and as many "
        "requests as they serve without any pause."
    )
    opened = go(question_href(LINK), "Open it as a scenario")
    st.html(f'<p class="about">{opened}, with this page\'s own estimate of the speed.</p>')


def closed_models(answer: Answer) -> None:
    """What models that can only be had by the token would ask for this load."""
    inputs = answer.question.costs
    tokens = inputs.load.tokens_per_month
    hosts = closed(inputs, answer.today)
    if not hosts:
        there = say(REGION_NAMES[inputs.rent.region], "page")
        st.markdown(plain(f"No host of such a model says that it computes there: {there}."))
        return
    least, most = hosts[0].bill().cost(tokens), hosts[-1].bill().cost(tokens)
    st.markdown(
        plain(
            f"Models that can only be had by the token ask {shown(least, inputs.billing.currency)} to {amount(most)} "
            "a month for this load. They are other models: compare their quality too."
        )
    )
    money = st.column_config.NumberColumn
    st.dataframe(
        closed_table(hosts, tokens),
        hide_index=True,
        key="closed_models",
        placeholder="–",
        alt=f"{len(hosts)} closed models with what they cost for this load",
        column_config={
            "model": st.column_config.TextColumn("Model", width=240),
            "monthly": money(f"{inputs.billing.currency} a month", format="accounting"),
            "per_million": money(
                f"{inputs.billing.currency} per million", format="%.4f", help="An average token of this load."
            ),
            "input": money("Input (USD)", format="%.2f", help="Per million tokens."),
            "output": money("Output (USD)", format="%.2f", help="Per million tokens."),
            "flag": st.column_config.TextColumn("Flag", width=150, help=_FLAG),
            "as_of": st.column_config.DateColumn("Source's day", width=95),
            "checked": st.column_config.DateColumn("Read on", width=95),
            "source": st.column_config.LinkColumn("Source", display_text=r"https?://([^/]+)", width=170),
        },
    )
