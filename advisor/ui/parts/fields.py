"""Inputs for keys of the question: each shows what the link says, and a change asks the new question."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import streamlit as st

from advisor.question.configuration import PINNED
from advisor.question.question import FIELDS
from advisor.ui import state
from advisor.ui.link import as_written

Width = int | Literal["stretch"]  # pixels, or all there is

AUTOMATIC = "automatic"
_SMALLEST = 0.01  # inputs need a smallest value where the engine wants "more than 0"
_SWITCH = {"on": "On", "off": "Off"}


def number(
    key: str,
    label: str,
    *,
    step: int | float,
    bounds: tuple[float, float] | None = None,
    placeholder: str | None = None,
    help: str | None = None,
    left_to: str | None = None,
    width: Width = "stretch",
    place: str = "",
) -> None:
    """A number; `bounds` where the question's field does not state its own, `left_to` who else has a default.

    Empty means the default, which is shown where there is one and nobody else decides. `place` names this input where
    the page has another for the same key.
    """
    field, kind = FIELDS[key], type(step)
    lowest, highest = bounds or _bounds(field)
    held = state.value(key) if key in state.written() or not _is_open(key, left_to) else None
    name = widget(key, place)
    st.session_state[name] = None if held is None else kind(min(max(held, kind(lowest)), kind(highest)))
    # Either all int or all float, as `step` says; the signature cannot tell.
    draw: Callable[..., Any] = st.number_input
    draw(
        label,
        min_value=kind(lowest),
        max_value=kind(highest),
        value=None,
        step=step,
        format="%d" if kind is int else "%.15g",
        placeholder=left_to or placeholder or (AUTOMATIC if key in PINNED else None),
        help=help,
        key=name,
        on_change=_take,
        args=(key, place),
        width=width,
    )


def choice(
    key: str,
    label: str,
    options: Sequence[str],
    *,
    names: Mapping[str, str] | None = None,
    placeholder: str | None = None,
    help: str | None = None,
    width: Width = "stretch",
) -> None:
    """One of some words, shown by their `names`; nothing chosen means the default."""
    named = names or {}
    held = state.value(key) if key in state.written() or not _is_open(key, None) else None
    shown = None if held is None else as_written(held)
    name = widget(key)
    st.session_state[name] = shown
    st.selectbox(
        label,
        options if shown is None or shown in options else (*options, shown),
        index=None,
        format_func=lambda option: named.get(option, option),
        key=name,
        on_change=_take,
        args=(key,),
        placeholder=placeholder or (AUTOMATIC if key in PINNED else None),
        help=help,
        width=width,
    )


def switch(key: str, label: str, *, help: str | None = None) -> None:
    """On or off; where that is searched for, also neither."""
    if key in PINNED:
        choice(key, label, tuple(_SWITCH), names=_SWITCH, help=help)
        return
    name = widget(key)
    st.session_state[name] = bool(state.value(key))
    st.toggle(label, key=name, on_change=_take, args=(key,), help=help)


def text(key: str, label: str, *, placeholder: str | None = None, help: str | None = None) -> None:
    """A line of text; empty means the default."""
    name = widget(key)
    st.session_state[name] = state.written().get(key, "")
    st.text_input(label, key=name, max_chars=200, placeholder=placeholder, help=help, on_change=_take, args=(key,))


def widget(key: str, place: str = "") -> str:
    """The name of the input for a key."""
    return f"in_{key}_{place}" if place else f"in_{key}"


def _take(key: str, place: str = "") -> None:
    given = st.session_state.get(widget(key, place))
    state.change(**{key: None if given in (None, "") else given})


def _is_open(key: str, left_to: str | None) -> bool:
    """Whether an input nobody touched is empty: something else decides, or there is no default."""
    return left_to is not None or key in PINNED or FIELDS[key].default is None


def _bounds(field: Any) -> tuple[float, float]:
    """Smallest and largest value of a question's field."""
    lowest = next((rule.ge for rule in field.metadata if hasattr(rule, "ge")), _SMALLEST)
    return lowest, next(rule.le for rule in field.metadata if hasattr(rule, "le"))
