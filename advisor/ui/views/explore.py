"""What runs here: every model of the catalogue on this machine, and what each of its levels keeps."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from advisor.answer.level_map import LevelSeen, levels_of
from advisor.answer.models_for_machine import RunnableModel, models_on
from advisor.answer.plans import runtime_name
from advisor.foundation.errors import InputError
from advisor.foundation.numbers import rounded
from advisor.foundation.units import GIB, format_count
from advisor.quality.tasks import task_name
from advisor.runtimes.registry import ENGINES
from advisor.ui.asking import Reply
from advisor.ui.charts.quality import heat_map
from advisor.ui.legend import STATUS_HELP
from advisor.ui.parts.text import plain, refusal, small, status_words, tokens, users
from advisor.words import say

_FIRST = 40  # models drawn before anybody asks for all
_COMMON = (*(level.name for one in ENGINES for level in (*one.ladder.usual, *one.ladder.whole)),)


def draw(reply: Reply) -> None:
    """Draw the page."""
    st.title("What runs here", anchor=False)
    answer = reply.answer
    if answer is None:
        st.error(refusal(reply.error or "There is no answer."), icon=":material/error:")
        return
    question = answer.question
    try:
        with st.spinner(f"Trying every model on {plain(answer.machine_name)} …"):
            rows = models_on(question, answer.today)
    except InputError as error:
        st.error(refusal(str(error)), icon=":material/error:")
        return
    running = [row for row in rows if row.chosen is not None]
    good = sum(row.status == "good" for row in running)
    asked = f"{tokens(question.workload.context)} of context and {users(question.workload.users)}"
    st.markdown(
        plain(
            f"{len(running)} of {len(rows)} models run on {answer.machine_name} with {asked}"
            + (", as is required" if _requires(rows) else "")
            + f"; {good} of them run well. These come first, the most able models first among them, as published "
            "scores of the originals tell."
        )
    )
    words = st.text_input(
        "Filter by name", key="explore_filter", placeholder="such as qwen 32b", max_chars=100, persist_state="session"
    )
    shown = [row for row in rows if _matches(row, words or "")]
    if not shown:
        st.info("No model of the catalogue has such a name.", icon=":material/search_off:")
        return
    _table([row for row in shown if row.chosen is not None], question.requirements.task, answer.machine_name)
    _open([row for row in shown if row.chosen is not None])
    _map([row for row in shown if row.chosen is not None], question.requirements.task, answer.machine_name)
    _not_running([row for row in shown if row.chosen is None])


def _requires(rows: Sequence[RunnableModel]) -> bool:
    asked = rows[0].question.requirements
    figures = (asked.least_percent, asked.max_first_token_s, asked.max_cost_per_month)
    return asked.commercial or any(figure is not None for figure in figures)


def _matches(row: RunnableModel, words: str) -> bool:
    text = f"{row.entry.id} {row.entry.name} {row.entry.publisher}".lower()
    return all(word in text for word in words.lower().split())


def _table(rows: Sequence[RunnableModel], task: str, machine: str) -> None:
    if not rows:
        st.info(plain(f"None of them runs on {machine} as required."), icon=":material/info:")
        return
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    st.dataframe(
        models_table(rows),
        hide_index=True,
        height=420,
        key="explore_models",
        placeholder="–",
        alt=f"{len(rows)} models that run on {machine} with level, quality, speed, memory and licence",
        column_config={
            "model": text("Model", pinned=True, width=190),
            "parameters": text("Parameters", help="In brackets: active for each token."),
            "level": text("Level", help="The recommended one."),
            "status": text("Status", width=110, help=STATUS_HELP),
            "runtime": text("Runtime", width=90),
            "how": text("How", width=130, help="With offload: part of it lies on the host, which is slower."),
            "kept": number(
                "Quality (%)", format="%.1f", help=f"Of the 16-bit score kept at {say(task_name(task))}, typical value."
            ),
            "tokens_per_s": number("Tokens/s", format="localized", help="For each user, typical value."),
            "memory_gib": number("Memory (GiB)", format="%.1f", help="On all devices together."),
            "context": number("Context", format="localized", help="Tokens per user; at most what it was trained for."),
            "licence": text("Licence"),
        },
    )


def models_table(rows: Sequence[RunnableModel]) -> pd.DataFrame:
    """One row for each model that runs."""
    found = []
    for row in rows:
        chosen = row.chosen
        if chosen is None:
            continue
        speed = chosen.tokens_per_s
        model = row.entry.model
        active = f" ({format_count(model.active_parameters)})" if model.experts else ""
        found.append(
            {
                "model": row.entry.name,
                "status": status_words(row.status),
                "parameters": f"{format_count(model.parameters)}{active}",
                "level": chosen.level,
                "runtime": runtime_name(chosen.plan.runtime),
                "how": chosen.verdict,
                "kept": chosen.kept.typical if chosen.kept is not None else None,
                "tokens_per_s": rounded(speed.typical) if speed is not None else None,
                "memory_gib": chosen.plan.needed_bytes / GIB,
                "context": row.question.workload.context,
                "licence": row.entry.license,
            }
        )
    return pd.DataFrame(found)


def _open(rows: Sequence[RunnableModel]) -> None:
    if not rows:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        names = {row.entry.id: row.entry.name for row in rows}
        chosen = st.selectbox("Look closer at", list(names), format_func=names.__getitem__, key="explore_open")
        row = next((row for row in rows if row.entry.id == chosen), rows[0])
        st.link_button(
            "Open in Fit", f"./?{row.question.to_query()}", help="Its levels, memory, speed and cost on this machine."
        )


def _map(rows: Sequence[RunnableModel], task: str, machine: str) -> None:
    if not rows:
        return
    st.header("Quality kept, level by level", anchor=False)
    st.markdown(small("Coloured where the level runs on this machine, blank where it does not."))
    with st.container(horizontal=True):
        every_level = st.toggle("All levels", key="explore_all_levels", persist_state="session")
        every_model = len(rows) <= _FIRST or st.toggle(
            f"All {len(rows)} models", key="explore_all_models", persist_state="session"
        )
    drawn = rows if every_model else rows[:_FIRST]
    values, words = quality_map(drawn, task, every_level)
    st.plotly_chart(
        heat_map(values, words, "Kept (%)"),
        key="explore_map",
        config={"displayModeBar": False},
        alt=f"What {len(values.columns)} levels of {len(drawn)} models keep of the 16-bit score on {machine}. "
        "The table above names the recommended level of each.",
    )
    with st.expander("The same as a table"):
        table = values.round(1)
        table.index.name = "Model"
        st.dataframe(table, key="explore_map_table", placeholder="–", height=400, alt="Percent kept by model and level")


def quality_map(rows: Sequence[RunnableModel], task: str, every_level: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Percent kept by model and level (empty where it does not run), and the words for each."""
    order = list(dict.fromkeys(one.level for row in rows for one in levels_of(row)))
    columns = [level for level in order if every_level or level in _COMMON]
    values, words = [], []
    for row in rows:
        by_level = {one.level: one for one in levels_of(row)}
        kept: list[float | None] = []
        said: list[str] = []
        for level in columns:
            one = by_level.get(level)
            kept.append(one.kept.typical if one is not None and one.runs and one.kept is not None else None)
            said.append("" if one is None else _words(row.entry.name, one, task))
        values.append(kept)
        words.append(said)
    names = [row.entry.name for row in rows]
    return (
        pd.DataFrame(values, index=names, columns=columns, dtype=float),
        pd.DataFrame(words, index=names, columns=columns),
    )


def _words(model: str, one: LevelSeen, task: str) -> str:
    needed = f"{one.on_machine.needed_bytes / GIB:,.1f} GiB, {one.on_machine.verdict}"
    if one.kept is None:
        return f"<b>{model}</b> at {one.level}<br>{needed}"
    kept = f"{one.kept.typical:.1f} % at {say(task_name(task))} ({one.kept.low:.0f} to {one.kept.high:.0f})"
    return f"<b>{model}</b> at {one.level}<br>{kept}<br>{needed}"


def _not_running(rows: Sequence[RunnableModel]) -> None:
    if not rows:
        return
    with st.expander(f"{len(rows)} models that do not run, and why"):
        st.dataframe(
            pd.DataFrame(
                {
                    "Model": [row.entry.name for row in rows],
                    "Why": [say(row.reason, "page") if row.reason else "" for row in rows],
                }
            ),
            hide_index=True,
            key="explore_not_running",
            height=300,
            alt=f"{len(rows)} models that do not run and the reason for each",
            column_config={"Why": st.column_config.TextColumn("Why", width="large")},
        )
