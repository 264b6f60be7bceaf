"""Memory: where the bytes of the plan lie, and how the levels around it compare."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

import streamlit as st

from advisor.answer.answer import Answer
from advisor.answer.nearby import plans_nearby
from advisor.answer.pinned import pinned_query
from advisor.sizing.plan import Plan
from advisor.ui.charts.memory_bars import Bar, bars, fullest_device
from advisor.ui.parts import memory_view
from advisor.ui.parts.html import question_href
from advisor.ui.parts.text import plain, verdict_words
from advisor.words import say


def draw(answer: Answer) -> None:
    """Draw the tab."""
    plan, margin = answer.shown.plan, answer.question.machine.margin_percent / 100
    places = [place for place in (*plan.devices, plan.host) if place.needed_bytes]
    rows = [Bar(place.name, place, "", is_chosen=False) for place in places]
    st.html(f"<h2>Where {escape(plan.level)} lies</h2>{bars(rows, margin, f'Memory of {plan.level} by place')}")
    memory_view.draw(answer, answer.shown)
    every = len(answer.search.jobs) > 1 and st.toggle("All levels", key="all_levels", persist_state="session")
    st.html(_by_level(answer, answer.plans if every else plans_nearby(answer), margin))
    _ways_out(answer)


def _by_level(answer: Answer, plans: Sequence[Plan], margin: float) -> str:
    devices = len(answer.shown.plan.devices)
    where = f"on the fullest of {devices} devices" if devices > 1 else "on the GPU" if devices else "on the host"
    if devices == 1 and answer.machine.unified:
        where = "in the shared memory"
    title = f"Levels around it, {where}"
    drawn = f"<h2>{escape(title)}</h2>{bars(list(_level_bars(answer, plans)), margin, title)}"
    if devices and any(plan.placement.offloads for plan in plans):
        host = [Bar(plan.level, plan.host, "", plan.level_id == answer.shown.level_id) for plan in plans]
        drawn += f"<h2>The same on the host</h2>{bars(host, 0.0, 'Memory on the host by level')}"
    return drawn


def _level_bars(answer: Answer, plans: Sequence[Plan]) -> Iterator[Bar]:
    for plan in plans:
        link = pinned_query(answer.runs, answer.entry, plan)
        chosen = plan.level_id == answer.shown.level_id
        yield Bar(plan.level, fullest_device(plan), verdict_words(plan.verdict), chosen, question_href(link))


def _ways_out(answer: Answer) -> None:
    """Where nothing is recommended, what would make the level that comes nearest fit."""
    if answer.chosen is not None or answer.decided.unmet:
        return
    nearest = answer.shown.plan
    if ways := nearest.ways_out:
        st.markdown(f"**What would help {nearest.level}**")
        st.markdown("\n".join(f"- {plain(say(way.message, 'page'))}" for way in ways))
