"""The head of a comparison: what each column beside the first asks, to change, take away and add."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from advisor.foundation.errors import InputError
from advisor.question.question import Question
from advisor.report.columns import (
    COLUMNS_KEY,
    MOST_BESIDE,
    Changes,
    changes_of,
    write_columns,
)
from advisor.report.comparison import LETTERS, question_of_link
from advisor.runtimes.registry import ENGINES
from advisor.ui import state
from advisor.ui.asking import model_name
from advisor.ui.column_changes import with_change
from advisor.ui.parts.pickers import machine_label, picker_html
from advisor.ui.parts.placement_inputs import takes_several
from advisor.ui.parts.text import plain, refusal, small

_LINK, _REFUSED = "compare_link", "compare_refused"
_COUNTS = (1, 2, 4, 8)
_BEST = ""  # the best level that fits
_LEVELS = (*(level.name for one in ENGINES for level in (*one.ladder.usual, *one.ladder.whole)),)


def draw(base: Question, columns: Sequence[Changes], asked: Sequence[Question | InputError], first: str) -> None:
    """Pickers for every column; `asked` is the question of each, or why there is none; `first` names the first one."""
    places = st.columns(len(columns) + 1)
    with places[0].container(border=True, height="stretch"):
        st.markdown(f"**{LETTERS[0]}: the question above**")
        st.markdown(small(f"{plain(first)}. Change it in the bar; context, users and goal hold for every column."))
    for place, one in enumerate(asked):
        with places[place + 1].container(border=True, height="stretch", key=f"column_{place}"):
            with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
                letter = LETTERS[place + 1]
                st.markdown(f"**{letter}**")
                st.button(
                    f"Remove {letter}",
                    key=f"compare_{place}_remove",
                    on_click=_keep,
                    args=([*columns[:place], *columns[place + 1 :]],),
                    type="tertiary",
                )
            if isinstance(one, InputError):
                st.markdown(refusal(str(one)))
            else:
                _pickers(base, columns, place, one)


def _pickers(base: Question, columns: Sequence[Changes], place: int, asked: Question) -> None:
    def choose(key: str, label: str, options: dict[Any, str], value: Any, **more: Any) -> None:
        held = f"compare_{place}_{key}"
        st.session_state[held] = value
        st.selectbox(
            label,
            list({value: None} | options),
            format_func=lambda one: options.get(one, str(one)),
            key=held,
            on_change=_change,
            args=(base, columns, place, key),
            **more,
        )

    st.html(picker_html("model", "Model", model_name(asked.model.name), column=place))
    st.html(picker_html("machine", "Machine", machine_label(asked.machine.name), column=place))
    with st.container(horizontal=True):
        if takes_several(asked.machine.name):
            counts = {count: f"{count}" for count in sorted({*_COUNTS, asked.machine.gpus})}
            choose("gpus", "Cards", counts, asked.machine.gpus, width=90)
        levels = {_BEST: "Best that fits"} | {level: level for level in _LEVELS}
        choose("level", "Level", levels, asked.model.level or _BEST, width=170)


def _change(base: Question, columns: Sequence[Changes], place: int, key: str) -> None:
    """Write into the link what a picker of a column holds."""
    chosen = st.session_state[f"compare_{place}_{key}"]
    try:
        _keep(with_change(base, columns, place, {key: None if chosen == _BEST else chosen}))
    except InputError as error:
        st.session_state[_REFUSED] = str(error)


def _keep(columns: Sequence[Changes]) -> None:
    state.show(**{COLUMNS_KEY: write_columns(columns) or None})


def add(base: Question, columns: Sequence[Changes]) -> None:
    """One more column: the question above as it is now, or that of a link."""
    if len(columns) == MOST_BESIDE:
        st.markdown(small(f"{MOST_BESIDE + 1} questions fit side by side: remove one to add another."))
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.button(
            "Add the question above",
            key="compare_add",
            on_click=_keep,
            args=([*columns, changes_of(base, base)],),
            icon=":material/add:",
            help="As a column of its own, to change here; the bar then changes the first one.",
        )
        st.text_input(
            "Add by link",
            key=_LINK,
            on_change=_add_link,
            args=(base, columns),
            placeholder="A link of this page",
            max_chars=20_000,
            width=340,
        )
    if refused := st.session_state.pop(_REFUSED, None):
        st.warning(refusal(refused), icon=":material/link_off:")


def _add_link(base: Question, columns: Sequence[Changes]) -> None:
    given = (st.session_state.get(_LINK) or "").strip()
    if not given:
        return
    try:
        changes = changes_of(question_of_link(given), base)
    except InputError as error:
        st.session_state[_REFUSED] = str(error)
        return
    st.session_state[_LINK] = ""
    _keep([*columns, changes])
