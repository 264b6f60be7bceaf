"""Machines for a model: what to buy, to rent or to pay by the token for this model, the good and cheap ones first."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import chain

import streamlit as st

from advisor.foundation.numbers import exact, money
from advisor.foundation.units import format_count, gib
from advisor.quality.tasks import task_name
from advisor.question.question import Question
from advisor.report.exports import csv_text
from advisor.ui.asking import Reply
from advisor.ui.legend import STATUS_HELP
from advisor.ui.machine_rows import MACHINES, Bill, MachineRow, Machines, key_of
from advisor.ui.parts import machine_filters, ways_to_get_it
from advisor.ui.parts.explore_html import NOTHING, figure, kept, skippable, speed, words
from advisor.ui.parts.explore_html import small as small_html
from advisor.ui.parts.html import badge, go, question_href
from advisor.ui.parts.long_table import first_or_all, in_columns, offer_csv, three_columns
from advisor.ui.parts.price_seen import seen
from advisor.ui.parts.rows import Cell, table
from advisor.ui.parts.sweep_view import found_or_progress
from advisor.ui.parts.text import plain, refusal, small, tokens, users
from advisor.words import say

_KINDS = {
    "consumer-gpu": "graphics card",
    "workstation-gpu": "workstation card",
    "datacenter-gpu": "data-centre card",
    "laptop-gpu": "laptop",
    "apple-silicon": "Mac",
    "unified-memory-pc": "PC with shared memory",
    "cpu-platform": "CPU alone",
}


def draw(reply: Reply) -> None:
    """Draw the page."""
    st.title("Machines for a model", anchor=False)
    answer = reply.answer
    if answer is None:
        st.error(refusal(reply.error or "There is no answer."), icon=":material/error:")
        return
    question, name = answer.question, answer.entry.name
    look = partial(MACHINES.look, key_of(question, answer.today))
    found = found_or_progress(look, f"Trying {name} on every machine")
    if found is None:
        return
    st.markdown(plain(_summary(found, question, name)))
    shown = machine_filters.draw(found.rows, question.costs.billing.currency)
    st.html(ways_to_get_it.cards(found, shown, question))
    if not found.rows:
        st.warning(
            "No machine of the catalogue does it, not even eight of a card: ask for less quality or context, allow "
            "more money or time, or take a smaller model.",
            icon=":material/info:",
        )
    elif not shown:
        st.info("No machine is like that: take a filter back.", icon=":material/search_off:")
    else:
        _table(shown, question, name)
        offer_csv(found.rows, "machines", "machines-for-a-model.csv", machines_csv)
    st.markdown(small(plain(" ".join((*found.assumed, _left_out(found))))))


def _summary(found: Machines, question: Question, name: str) -> str:
    load = question.costs.load
    asked = f"{tokens(question.workload.context)} of context and {users(question.workload.users)} at a time"
    good = sum(row.rank == 0 for row in found.rows)
    return (
        f"{len(found.rows)} machines of the catalogue run {name} with {asked}, {good} of them well. Money is for "
        f"{exact(load.requests_per_day)} requests a day with {load.tokens_in:,} tokens in and {load.tokens_out:,} out "
        f"({format_count(load.tokens_per_month)} tokens a month). The machine of the question does not matter here."
    )


def _left_out(found: Machines) -> str:
    if not found.too_small:
        return ""
    others = "1 other machine" if found.too_small == 1 else f"{found.too_small} other machines"
    return f"{others} of the catalogue: too small, not as required, or unable to run it."


def _table(rows: Sequence[MachineRow], question: Question, name: str) -> None:
    st.header("All that do it", anchor=False)
    drawn = first_or_all(rows, "machines")
    currency = question.costs.billing.currency
    task = say(task_name(question.requirements.task))
    heads = (
        *("Machine", "Verdict", "Level, engine", "Quality kept", "Tokens/s per user", "Room for users"),
        *(f"To buy, {currency}", "Own, a month", "Rent, a month", "Power, W", "Not in the price"),
    )
    label = f"{len(drawn)} of {len(rows)} machines that run {name}"
    common = _in_no_price(rows)
    made = table(label, heads, [(False, _cells(row, question, common)) for row in drawn])
    st.html(skippable(made, "after-machines"))
    st.markdown(
        small(
            plain(
                f"The level is the best that fits; quality is what it keeps of the 16-bit score at {task}; room is for "
                f"users with a full context each at the same time; money in {currency}; power at the wall while it "
                "computes."
            )
        )
    )
    if common:
        st.markdown(small(plain(f"In no price: {', '.join(common)}.")))
    st.markdown(small(plain(STATUS_HELP)))


def _in_no_price(rows: Sequence[MachineRow]) -> tuple[str, ...]:
    """What is said of every price, so that it need not stand in every row."""
    said = [row.own.not_included for row in rows if row.own is not None]
    return tuple(one for one in (said[0] if said else ()) if all(one in each for each in said))


def _cells(row: MachineRow, question: Question, common: Sequence[str]) -> tuple[Cell, ...]:
    own, rent, wish = row.own, row.rent, question.requirements.min_tokens_per_s
    about = " · ".join(filter(None, (row.vendor, _KINDS.get(row.kind, row.kind), str(row.released or ""))))
    where = "and more in RAM" if row.verdict == "fits with offload" else ""
    missing = () if own is None else (one for one in own.not_included if one not in common)
    return (
        Cell(go(question_href(row.query), row.name) + small_html(about)),
        Cell(badge(row.status)),
        words(row.level, row.runtime),
        kept(row.kept),
        speed(
            row.tokens_per_s,
            row.inputs_per_s,
            f"short of {exact(wish)}" if wish is not None and not row.as_fast_as_asked else "",
        ),
        figure(f"{row.users:,}", f"{gib(row.memory_bytes)}{', ' + where if where else ''}"),
        NOTHING if own is None else _priced(money(own.upfront), own, f"{own.units} machines" if own.units > 1 else ""),
        NOTHING if own is None else figure(money(own.monthly), _span(own.low, own.high)),
        NOTHING if rent is None else _priced(money(rent.monthly), rent, _span(rent.low, rent.high)),
        NOTHING if row.watts is None else figure(f"{row.watts:,.0f}"),
        words(", ".join(missing)),
    )


def _priced(amount: str, bill: Bill, about: str) -> Cell:
    """An amount with its source and month."""
    cell, said = figure(amount, about), seen(bill.price)
    return Cell(f'{cell.html}<span class="small">{said}</span>' if said else cell.html, cell.is_number)


def _span(low: float, high: float) -> str:
    return f"{money(low)} to {money(high)}" if money(low) != money(high) else ""


def machines_csv(rows: Sequence[MachineRow]) -> str:
    """Every machine that runs it; units are in the names of the columns, money is in the question's currency."""
    found = []
    for row in rows:
        line: dict[str, object] = {
            "machine": row.id,
            "name": row.name,
            "vendor": row.vendor,
            "kind": row.kind,
            "released": row.released,
            "status": row.status,
            "level": row.level,
            "runtime": row.runtime,
            "verdict": row.verdict,
            "memory_bytes": row.memory_bytes,
            "users_that_fit": row.users,
            "load_watts": row.watts,
            "query": row.query,
        }
        line |= in_columns(
            {"kept_percent": row.kept, "tokens_per_s": row.tokens_per_s, "inputs_per_s": row.inputs_per_s}
        )
        if row.own is not None:
            line |= {"own_upfront": row.own.upfront, "own_per_month": row.own.monthly, "own_machines": row.own.units}
            line |= {"not_in_the_price": ", ".join(row.own.not_included)}
        if row.rent is not None:
            line |= {"rent_per_month": row.rent.monthly, "rented": row.rent.title}
        found.append(line)
    figures = chain.from_iterable(map(three_columns, ("kept_percent", "tokens_per_s", "inputs_per_s")))
    first = ("machine", "name", "vendor", "kind", "released", "status", "level", "runtime", "verdict")
    costs = ("own_upfront", "own_per_month", "own_machines", "rent_per_month", "rented", "not_in_the_price")
    rest = ("memory_bytes", "users_that_fit", "load_watts")
    return csv_text((*first, *figures, *rest, *costs, "query"), found)
