"""What to buy or rent: the machines that run this model as required, the good and cheap ones first."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from advisor.answer.machines_for_model import FittingMachine, Shopping, machines_for
from advisor.answer.plans import runtime_name
from advisor.foundation.errors import InputError
from advisor.foundation.numbers import approx, exact, rounded
from advisor.foundation.ranges import Range
from advisor.foundation.units import GIB
from advisor.ui.asking import Reply
from advisor.ui.legend import RECOMMENDED, STATUS_HELP
from advisor.ui.parts.text import plain, refusal, small, status_mark, status_words, tokens, users
from advisor.words import say_all

_DRAWN = 15  # the first
_OWN, _RENT = "#0072B2", "#C4890F"
_ROW_HEIGHT = 28  # pixels


def draw(reply: Reply) -> None:
    """Draw the page."""
    st.title("What to buy or rent", anchor=False)
    answer = reply.answer
    if answer is None:
        st.error(refusal(reply.error or "There is no answer."), icon=":material/error:")
        return
    question = answer.question
    try:
        with st.spinner(f"Trying {plain(answer.entry.name)} on every machine …"):
            found = machines_for(question, answer.today)
    except InputError as error:
        st.error(refusal(str(error)), icon=":material/error:")
        return
    asked = f"{tokens(question.workload.context)} of context and {users(question.workload.users)}"
    st.markdown(plain(f"For {answer.entry.name} with {asked}; the machine chosen on the left does not matter here."))
    st.markdown("\n".join(f"- {plain(sentence)}" for sentence in say_all(found.assumed, "page")))
    if not found.machines:
        st.warning(
            "No machine of the catalogue does it, not even eight of a card: ask for less quality or context, allow "
            "more money or time, or take a smaller model.",
            icon=":material/info:",
        )
        return
    _cheapest(found, question.costs.billing.currency)
    _chart(found, question.costs.billing.currency)
    _table(found, question.costs.billing.currency)
    _open(found.machines)


def _cheapest(found: Shopping, currency: str) -> None:
    best = found.cheapest
    with st.container(border=True, key="cheapest"):
        if best is None or best.monthly is None:
            st.markdown("No price is known for any of them.")
            return
        chosen = best.chosen
        how = "to own" if chosen.own_monthly == best.monthly else "to rent"
        st.markdown(small(plain(_place(found, best))))
        name = plain(f"{best.name}: {best.monthly:,.0f} {currency} a month {how}")
        st.header(f"{name} {status_mark(best.option.status)}", anchor=False)
        facts = [f"runs {chosen.level} in {runtime_name(chosen.plan.runtime)}"]
        if chosen.kept is not None:
            facts.append(f"keeps about {chosen.kept.typical:.1f} % of the 16-bit score")
        if chosen.tokens_per_s is not None:
            facts.append(f"writes about {approx(chosen.tokens_per_s.typical)} tokens/s for each user")
        if chosen.inputs_per_s is not None:
            facts.append(f"turns about {approx(chosen.inputs_per_s.typical)} inputs a second into vectors")
        st.markdown(plain(f"It {', '.join(facts)}, and needs {_memory_gib(best):,.1f} GiB."))
        if not best.as_fast_as_asked:
            wish = exact(best.question.requirements.min_tokens_per_s or 0)
            st.markdown(f"No machine with a known price is typically as fast as the {wish} tokens/s asked for.")


def _place(found: Shopping, best: FittingMachine) -> str:
    """What the machine is the cheapest of: those that run it as well."""
    alike = [row for row in found.machines if row.option.status == best.option.status]
    if best.option.status == "good":
        several = f"The cheapest of {len(alike)} that run it well"
    else:
        several = f"No machine with a known price runs it well; the cheapest of {len(alike)} that come nearest"
    cheaper = any(row.monthly is not None and row.monthly < (best.monthly or 0) for row in alike)
    return f"{several} with all of it on the GPU; cheaper ones leave a part to the CPU" if cheaper else several


def _memory_gib(row: FittingMachine) -> float:
    plan = row.chosen.plan
    on_host = plan.host.needed_bytes if plan.verdict == "fits with offload" else 0
    return (plan.needed_bytes + on_host) / GIB


def _chart(found: Shopping, currency: str) -> None:
    drawn = [row for row in found.machines if row.monthly is not None][:_DRAWN]
    if not drawn:
        return
    st.header("Cost a month", anchor=False)
    st.markdown(
        small(
            "Own: the purchase written off, and power. Rent: the median provider's offer. Prices and load: at the left."
        )
    )
    names = [f"<b>{RECOMMENDED} {row.name}</b>" if row is found.cheapest else row.name for row in drawn]
    figure = go.Figure()
    hover = f"%{{x:,.0f}} {currency} a month<extra>%{{y}}</extra>"
    figure.add_bar(
        x=[row.chosen.own_monthly for row in drawn],
        y=names,
        name="Own",
        orientation="h",
        marker={"color": _OWN},
        hovertemplate=f"Own: {hover}",
    )
    figure.add_scatter(
        x=[row.chosen.rent_monthly for row in drawn],
        y=names,
        name="Rent",
        mode="markers",
        marker={"color": _RENT, "symbol": "diamond", "size": 12},
        hovertemplate=f"Rent: {hover}",
    )
    figure.update_layout(
        bargap=0.35,
        height=110 + _ROW_HEIGHT * len(drawn),
        margin={"l": 0, "r": 10, "t": 10, "b": 0},
        legend={"orientation": "h", "y": 0, "yref": "container", "yanchor": "bottom", "x": 0, "traceorder": "normal"},
        xaxis={"title": {"text": f"{currency} a month"}, "fixedrange": True},
        yaxis={
            "autorange": "reversed",
            "fixedrange": True,
            "automargin": True,
            "tickfont": {"size": 12},
            "categoryarray": names,
        },
    )
    st.plotly_chart(
        figure,
        key="machines_cost",
        config={"displayModeBar": False},
        alt=f"Monthly cost of the first {len(drawn)} machines, owned and rented. The table below has the figures.",
    )


def _table(found: Shopping, currency: str) -> None:
    st.header("All that do it", anchor=False)
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    st.dataframe(
        machines_table(found),
        hide_index=True,
        height=420,
        key="machines_table",
        placeholder="–",
        alt=f"{len(found.machines)} machines that do it, with level, status, quality, speed and monthly cost, "
        "the good ones first and of those the cheapest",
        column_config={
            "machine": text("Machine", pinned=True, width=210, help=f"{RECOMMENDED} marks what to buy."),
            "own": number(f"Own ({currency}/month)", format="localized"),
            "rent": number(f"Rent ({currency}/month)", format="localized", help="Empty: no offer with it is listed."),
            "level": text("Level"),
            "status": text("Status", width=110, help=STATUS_HELP),
            "runtime": text("Runtime", width=90),
            "how": text("How", width=130, help="With offload: part of it lies on the host, which is slower."),
            "kept": number("Quality (%)", format="%.1f", help="Of the 16-bit score kept, typical value."),
            "tokens_per_s": number("Tokens/s", format="localized", help="For each user, typical value."),
            "memory_gib": number("Memory (GiB)", format="%.1f", help="On all devices, and where used on the host."),
            "released": number("Released", format="%d"),
        },
    )
    if found.too_small:
        others = "1 other machine" if found.too_small == 1 else f"{found.too_small} other machines"
        st.markdown(small(f"{others} of the catalogue: too small, not as required, or unable to run it."))


def _speed(found: Range | None) -> float | None:
    return None if found is None else rounded(found.typical)


def machines_table(found: Shopping) -> pd.DataFrame:
    """One row for each machine: the good ones first, and of those the cheapest."""
    return pd.DataFrame(
        [
            {
                "machine": f"{RECOMMENDED} {row.name}" if row is found.cheapest else row.name,
                "status": status_words(row.option.status),
                "own": _rounded(row.chosen.own_monthly),
                "rent": _rounded(row.chosen.rent_monthly),
                "level": row.chosen.level,
                "runtime": runtime_name(row.chosen.plan.runtime),
                "how": row.chosen.verdict,
                "kept": row.chosen.kept.typical if row.chosen.kept is not None else None,
                "tokens_per_s": _speed(row.chosen.tokens_per_s),
                "memory_gib": _memory_gib(row),
                "released": row.machine.release_year,
            }
            for row in found.machines
        ]
    )


def _rounded(cost: float | None) -> float | None:
    return None if cost is None else round(cost)


def _open(rows: Sequence[FittingMachine]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        names = [row.name for row in rows]
        place = st.selectbox("Look closer at", range(len(rows)), format_func=names.__getitem__, key="machines_open")
        st.link_button("Open in Fit", f"./?{rows[place or 0].question.to_query()}")
