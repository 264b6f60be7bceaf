"""Models for a machine: every model of the catalogue as it is best run there, the good ones first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from itertools import chain

import pandas as pd
import streamlit as st

from advisor.foundation.numbers import exact
from advisor.foundation.units import GIB, format_count, gib
from advisor.quality.tasks import task_name
from advisor.question.question import Question
from advisor.report.exports import csv_text
from advisor.runtimes.registry import ENGINES
from advisor.ui.asking import Reply
from advisor.ui.charts.quality import heat_map
from advisor.ui.legend import STATUS_HELP
from advisor.ui.model_rows import LEVELS, ROWS, LevelCell, ModelRow, key_of
from advisor.ui.parts import model_filters
from advisor.ui.parts.explore_html import figure, kept, skippable, speed, words
from advisor.ui.parts.explore_html import small as small_html
from advisor.ui.parts.fold import fold
from advisor.ui.parts.html import badge, go, question_href
from advisor.ui.parts.long_table import FIRST, first_or_all, in_columns, offer_csv, three_columns
from advisor.ui.parts.rows import Cell, cell, table
from advisor.ui.parts.sweep_view import found_or_progress
from advisor.ui.parts.text import plain, refusal, small, tokens, users
from advisor.words import say

_COMMON = (*(level.name for one in ENGINES for level in (*one.ladder.usual, *one.ladder.whole)),)
_USE = {"with conditions": "with conditions", "not allowed": "not commercial", "unknown": "not known"}


def draw(reply: Reply) -> None:
    """Draw the page."""
    st.title("Models for a machine", anchor=False)
    answer = reply.answer
    if answer is None:
        st.error(refusal(reply.error or "There is no answer."), icon=":material/error:")
        return
    question, machine = answer.question, answer.machine_name
    rows = found_or_progress(partial(ROWS.look, key_of(question, answer.today)), f"Trying every model on {machine}")
    if rows is None:
        return
    st.markdown(plain(_summary(rows, question, machine)))
    shown = model_filters.draw(rows, question.requirements.task)
    running = [row for row in shown if row.running is not None]
    if not shown:
        st.info("No model of the catalogue is like that: take a filter back.", icon=":material/search_off:")
    elif not running:
        st.info(plain(f"None of these {len(shown)} runs on {machine} as asked."), icon=":material/info:")
    else:
        _table(running, question, machine)
    offer_csv(rows, "models", "models-for-a-machine.csv", models_csv)
    if running:
        fold("Quality kept, level by level", "models_map_open", _map, running, question, answer.today, machine)
    if others := [row for row in shown if row.running is None]:
        fold(f"{len(others)} models that do not run, and why", "models_others_open", _not_running, others)


def _summary(rows: Sequence[ModelRow], question: Question, machine: str) -> str:
    running = [row.running for row in rows if row.running is not None]
    good = [row.running for row in rows if row.running is not None and row.status == "good"]
    asked = question.requirements
    fixed = (asked.least_percent, asked.max_first_token_s, asked.max_cost_per_month)
    required = ", as is required" if asked.commercial or any(one is not None for one in fixed) else ""
    load = f"{tokens(question.workload.context)} of context and {users(question.workload.users)}"
    wish = asked.min_tokens_per_s
    fast = sum(one.as_fast_as_asked for one in good)
    of_them = "" if wish is None else f", {fast} of these with the {exact(wish)} tokens/s asked for"
    return (
        f"{len(running)} of {len(rows)} models run on {machine} with {load}{required}; {len(good)} run well{of_them}. "
        f"These come first, the most able at {say(task_name(asked.task))} first among them, as published scores of "
        "the originals tell; models without such scores follow by size."
    )


def _table(rows: Sequence[ModelRow], question: Question, machine: str) -> None:
    drawn = first_or_all(rows, "models")
    task = say(task_name(question.requirements.task))
    heads = (
        *("Model", "Verdict", "Level, engine", "Quality kept", "Tokens/s per user", "Memory, all devices"),
        *("Licence, commercial use", "Released"),
    )
    name = f"{len(drawn)} of {len(rows)} models that run on {machine}"
    st.html(skippable(table(name, heads, [(False, _cells(row, question)) for row in drawn]), "after-models"))
    st.markdown(small(plain(f"{STATUS_HELP} Quality kept: of the 16-bit score at {task}.")))


def _cells(row: ModelRow, question: Question) -> tuple[Cell, ...]:
    run, wish = row.running, question.requirements.min_tokens_per_s
    if run is None:
        raise ValueError("only models that run are in the table")
    size = format_count(row.parameters)
    if row.active_parameters != row.parameters:
        size += f", {format_count(row.active_parameters)} active"
    shorter = f"{row.context:,} tokens at most" if row.context < question.workload.context else ""
    about = f"{row.publisher} · {size}" + (f" · {shorter}" if shorter else "")
    short_of = f"short of {exact(wish)}" if wish is not None and not run.as_fast_as_asked else ""
    where = "and more in RAM" if run.verdict == "fits with offload" else ""
    return (
        Cell(go(question_href(row.query), row.name) + small_html(about)),
        Cell(badge(row.status)),
        words(run.level, run.runtime),
        kept(run.kept),
        speed(run.tokens_per_s, run.inputs_per_s, short_of),
        figure(gib(run.needed_bytes), where),
        words(row.licence or "not stated", _USE.get(row.use, "")),
        figure(str(row.year)),
    )


def models_csv(rows: Sequence[ModelRow]) -> str:
    """Every model, also those that do not run; units are in the names of the columns."""
    found = []
    for row in rows:
        line: dict[str, object] = {
            "model": row.id,
            "name": row.name,
            "publisher": row.publisher,
            "parameters": row.parameters,
            "active_parameters": row.active_parameters,
            "licence": row.licence,
            "commercial_use": row.use,
            "released": row.released,
            "status": row.status,
            "context_tokens": row.context,
            "reason": row.reason,
            "query": row.query,
        }
        if (run := row.running) is not None:
            line |= {"level": run.level, "runtime": run.runtime, "verdict": run.verdict}
            line |= {"memory_bytes": run.needed_bytes}
            line |= in_columns(
                {"kept_percent": run.kept, "tokens_per_s": run.tokens_per_s, "inputs_per_s": run.inputs_per_s}
            )
        found.append(line)
    figures = chain.from_iterable(map(three_columns, ("kept_percent", "tokens_per_s", "inputs_per_s")))
    columns = ("model", "name", "status", "level", "runtime", "verdict", *figures, "memory_bytes", "context_tokens")
    rest = ("publisher", "parameters", "active_parameters", "licence", "commercial_use", "released", "reason", "query")
    return csv_text((*columns, *rest), found)


def _map(rows: Sequence[ModelRow], question: Question, today: date, machine: str) -> None:
    """Worked out for the whole catalogue when somebody opens it, so that no filter asks again."""
    levels = found_or_progress(partial(LEVELS.look, key_of(question, today)), f"Trying every level on {machine}")
    if levels is None:
        return
    st.markdown(small("Coloured where the level runs on this machine, blank where it does not."))
    with st.container(horizontal=True):
        every_level = st.toggle("All levels", key="models_map_levels", persist_state="session")
        every_model = len(rows) <= FIRST or st.toggle(
            f"All {len(rows)} models", key="models_map_all", persist_state="session"
        )
    drawn = rows if every_model else rows[:FIRST]
    values, words = quality_map(drawn, levels, question.requirements.task, every_level)
    st.plotly_chart(
        heat_map(values, words, "Kept (%)"),
        key="models_map",
        config={"displayModeBar": False},
        alt=f"What {len(values.columns)} levels of {len(drawn)} models keep of the 16-bit score on {machine}. "
        "The same figures stand in the table below.",
    )
    values.index.name = "Model"
    st.dataframe(
        values.round(1), key="models_map_table", placeholder="–", height=400, alt="Percent kept by model and level"
    )


def quality_map(
    rows: Sequence[ModelRow], levels: dict[str, tuple[LevelCell, ...]], task: str, every_level: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Percent kept by model and level (empty where it does not run), and the words for each."""
    order = list(dict.fromkeys(one.level for row in rows for one in levels[row.id]))
    columns = [level for level in order if every_level or level in _COMMON]
    values, words = [], []
    for row in rows:
        by_level = {one.level: one for one in levels[row.id]}
        found = [by_level.get(level) for level in columns]
        values.append([one.kept.typical if one is not None and one.runs and one.kept else None for one in found])
        words.append(["" if one is None else _words(row.name, one, task) for one in found])
    names = [row.name for row in rows]
    return (
        pd.DataFrame(values, index=names, columns=columns, dtype=float),
        pd.DataFrame(words, index=names, columns=columns),
    )


def _words(model: str, one: LevelCell, task: str) -> str:
    said = [f"<b>{model}</b> at {one.level}"]
    if one.kept is not None:
        high = min(one.kept.high, 100)
        said.append(f"{one.kept.typical:.1f} % at {say(task_name(task))} ({one.kept.low:.0f} to {high:.0f})")
    said.append(f"{one.needed_bytes / GIB:,.1f} GiB, {one.verdict}")
    return "<br>".join(said)


def _not_running(rows: Sequence[ModelRow]) -> None:
    cells = [(False, (Cell(go(question_href(row.query), row.name)), cell(row.reason))) for row in rows]
    made = table(f"{len(rows)} models that do not run and why", ("Model", "Why"), cells)
    st.html(skippable(made, "after-others"))
