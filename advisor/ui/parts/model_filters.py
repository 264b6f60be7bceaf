"""Filters over the models of a machine: they hide rows and ask the engine nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import streamlit as st

from advisor.quality import SCORED_TASKS
from advisor.quality.tasks import task_name
from advisor.ui import state
from advisor.ui.model_rows import ModelRow
from advisor.words import say

_SPEEDS = (8, 15, 30, 60)  # tokens/s, at least
_LICENCES = {"allowed": "Commercial use", "with conditions": "Commercial, with conditions"}
_VARIANTS = {
    "instruct": "General",
    "reasoning": "Reasoning",
    "vision": "Reads images",
    "embedding": "Embeddings",
    "base": "Base",
}
_FIRST_YEAR = 2024  # older ones are one pill
_KEPT: dict[str, Any] = {"persist_state": "session"}

Choice = TypeVar("Choice")


def draw(rows: Sequence[ModelRow], task: str) -> list[ModelRow]:
    """The rows that the filters leave; what the models should be good at is a key of the question, and asked anew."""
    st.session_state["models_task"] = task
    years = sorted({max(row.year, _FIRST_YEAR - 1) for row in rows}, reverse=True)
    with st.container(horizontal=True, gap="medium"):
        st.pills(
            "Good at",
            SCORED_TASKS,
            format_func=_task,
            key="models_task",
            on_change=_ask_for_task,
            required=True,
            help="Quality and order are about this task. Another one is asked anew.",
        )
        uses = _several("Licence", list(_LICENCES), "models_use", _LICENCES.__getitem__)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        words = st.text_input(
            "Find", key="models_words", placeholder="such as qwen 32b", max_chars=100, width=220, **_KEPT
        )
        kinds = _several("Kind", list(_VARIANTS), "models_kind", _VARIANTS.__getitem__)
        least = st.pills(
            "Tokens/s, at least", _SPEEDS, key="models_speed", help="Typical speed for each user.", **_KEPT
        )
        chosen_years = _several("Released", years, "models_year", _year)
    return [
        row
        for row in rows
        if _has_words(row, words or "")
        and (least is None or _is_as_fast(row, least))
        and (not uses or row.use in uses)
        and (not chosen_years or max(row.year, _FIRST_YEAR - 1) in chosen_years)
        and (not kinds or row.variant in kinds)
    ]


def _several(label: str, options: Sequence[Choice], key: str, name: Callable[[Choice], str]) -> list[Choice]:
    return list(st.pills(label, options, format_func=name, selection_mode="multi", key=key, **_KEPT) or ())


def _task(name: str) -> str:
    words = say(task_name(name))
    return f"{words[:1].upper()}{words[1:]}"


def _ask_for_task() -> None:
    chosen = st.session_state["models_task"]
    state.change(task=None if chosen == SCORED_TASKS[0] else chosen)


def _year(year: int) -> str:
    return str(year) if year >= _FIRST_YEAR else f"before {_FIRST_YEAR}"


def _has_words(row: ModelRow, words: str) -> bool:
    text = f"{row.id} {row.name} {row.publisher}".lower()
    return all(word in text for word in words.lower().split())


def _is_as_fast(row: ModelRow, least: float) -> bool:
    speed = None if row.running is None else row.running.tokens_per_s
    return speed is not None and speed.typical >= least
