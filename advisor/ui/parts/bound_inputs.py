"""Widgets bound to the URL: each stands under a key of the question and starts at the question's own default."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitAPIException

from advisor.foundation.numbers import bare
from advisor.question.configuration import SEARCHED
from advisor.question.question import FIELDS

SWITCH = ("on", "off")
AUTOMATIC = "automatic"
_SMALLEST = 0.01  # inputs need a smallest value where the engine wants "more than 0"


def number(
    key: str,
    label: str,
    *,
    step: int | float,
    bounds: tuple[float, float] | None = None,
    placeholder: str | None = None,
    help: str | None = None,
    left_to: str | None = None,
) -> Any:
    """A number input; `bounds` where the question's field does not state its own.

    `left_to` says what else decides where nothing is entered: the input starts with nothing in it, and the URL holds
    whatever number is chosen, the field's default too.
    """
    field = FIELDS[key]
    kind = type(step)
    binding: dict[str, Any] = {"key": key, "bind": "query-params"}
    if kind is int and _is_endless(st.query_params.get(key, "")):
        binding = _bound_later(key)
    lowest, highest = bounds or _bounds(field)
    # Either all int or all float, as `step` says; the signature cannot tell.
    draw: Callable[..., Any] = st.number_input
    return draw(
        label,
        min_value=kind(lowest),
        max_value=kind(highest),
        value=None if left_to or _default(key) is None else kind(field.default),
        step=step,
        format="%d" if kind is int else "%.15g",
        placeholder=left_to or placeholder or (AUTOMATIC if key in SEARCHED else None),
        help=help,
        **binding,
    )


def choice(
    key: str,
    label: str,
    options: Sequence[str],
    *,
    placeholder: str | None = None,
    help: str | None = None,
    on_change: Callable[[], None] | None = None,
) -> Any:
    """A list of words (no default: nothing is chosen)."""
    default = _default(key)
    if key in SEARCHED and placeholder is None:
        placeholder = AUTOMATIC
    return st.selectbox(
        label,
        options,
        index=None if default is None else list(options).index(default),
        key=key,
        bind="query-params",
        on_change=on_change,
        placeholder=placeholder,
        help=help,
    )


def switch(key: str, label: str, *, help: str | None = None) -> Any:
    """ "on" or "off"; neither where that is searched for."""
    return choice(key, label, SWITCH, help=help)


def text(key: str, label: str, *, placeholder: str | None = None, help: str | None = None) -> str | None:
    """A line of text; None when it is empty."""
    given = st.text_input(
        label, value="", key=key, bind="query-params", max_chars=200, placeholder=placeholder, help=help
    )
    return given.strip() or None


def picker(
    key: str, label: str, names: Mapping[str, str], on_change: Any = None, help: str | None = None
) -> str | None:
    """A searchable list of names, with the id in the URL.

    A bound list writes what it shows into the URL (streamlit issue 14224), and ids such as `rtx-4090` are not found
    by typing "RTX 4090". So the bound list holds ids and is never shown; the one people see only sets it.
    """
    default = FIELDS[key].default
    shown = f"{key}_name"

    def take_over() -> None:
        st.session_state[key] = st.session_state[shown]
        if on_change is not None:
            on_change(st.session_state[shown])

    ids = list(names)
    index = None if default is None else ids.index(default)
    with st.container(key=f"link_{key}"):
        chosen = st.selectbox(f"{label} id", ids, index=index, key=key, bind="query-params")
    st.session_state[shown] = chosen
    st.selectbox(
        label,
        ids,
        index=index,
        format_func=names.__getitem__,
        key=shown,
        on_change=take_over,
        placeholder="none",
        help=help,
    )
    return chosen


def keep_in_link(held: Mapping[str, Any]) -> None:
    """Set inputs again to what they held in the last run (`held`) where the URL lacks it. Call before drawing them.

    When people move to another page, the browser takes out of the URL what none of its inputs is bound to: always
    what is in a popover that nobody has opened, and in a slow browser everything. The server forgets these values
    with it: the new page would show the right answer beside inputs at their defaults, and answer about the defaults
    at the next click.
    """
    for key, value in held.items():
        unchanged = value is not None and st.session_state.get(key) == value
        if unchanged and value != _default(key) and key not in st.query_params:
            st.session_state[key] = value


def give_first_values(values: Mapping[str, Any]) -> None:
    """Have inputs set in the next run, also those that are not drawn yet. For callbacks only."""
    st.session_state["first_values"] = st.session_state.get("first_values", {}) | dict(values)


def set_first_values() -> None:
    """Set inputs that are about to be drawn for the first time; the URL takes over later values by itself."""
    for key, value in st.session_state.pop("first_values", {}).items():
        st.session_state[key] = value
        if value is None:
            continue
        with suppress(StreamlitAPIException):  # drawn before: then the URL follows
            st.query_params[key] = bare(value) if isinstance(value, int | float) else value


def _default(key: str) -> Any:
    """What an input holds when nobody has chosen anything: nothing where that is searched for.

    Streamlit takes defaults out of the URL: an input that held one could not say that it is meant.
    """
    if key in SEARCHED:
        return None
    default = FIELDS[key].default
    return SWITCH[not default] if isinstance(default, bool) else default


def _is_endless(given: str) -> bool:
    try:
        return math.isinf(float(given))
    except ValueError:
        return False


def _bound_later(key: str) -> dict[str, Any]:
    """Arguments of a whole-number input for one run without the URL, which Streamlit 1.67 fails to read "inf" from."""
    with suppress(StreamlitAPIException):  # already bound: then it takes the value out of the URL itself
        del st.query_params[key]
    now = f"{key}_now"

    def take_over() -> None:
        give_first_values({key: st.session_state[now]})

    return {"key": now, "on_change": take_over}


def _bounds(field: Any) -> tuple[float, float]:
    """Smallest and largest value of a question's field."""
    lowest = next((rule.ge for rule in field.metadata if hasattr(rule, "ge")), _SMALLEST)
    return lowest, next(rule.le for rule in field.metadata if hasattr(rule, "le"))
