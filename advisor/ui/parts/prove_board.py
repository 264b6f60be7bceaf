"""All sessions' runs: what is at work, what waits, how each ended. The rows of the database are the truth."""

from __future__ import annotations

import math
from collections.abc import Sequence

import streamlit as st

from advisor.foundation.errors import AdvisorError
from advisor.quantize.runs import Run, Runs, State
from advisor.store.database import default_url
from advisor.store.errors import StoreUnavailable
from advisor.ui import login
from advisor.ui.parts.html_table import html_table
from advisor.ui.parts.text import plain, refusal, small

_MOST = 30
_MOST_SHOWN = 10  # of those that ended; the results below name all
_EVERY_S = 1.0
_STATES: dict[State, str] = {
    "queued": "◌ queued",
    "running": "▶ running",
    "done": "✔ done",
    "failed": "✖ failed",
    "cancelled": "■ cancelled",
}


@st.cache_resource(show_spinner=False)
def _opened(url: str) -> Runs:
    return Runs.open(url)


def opened_runs() -> Runs:
    """The runs in the database that the settings name; raises StoreUnavailable."""
    return _opened(default_url())


def draw(owner: str) -> tuple[Run, ...]:
    """Draw the board; returns the runs with something to show, newest first."""
    st.header("Runs", anchor=False)
    try:
        found = opened_runs().newest(_MOST)
    except StoreUnavailable as error:
        _say(error)
        return ()
    at_work = any(not run.ended for run in found)
    # Looked at again and again only while something can change.
    st.fragment(_board, run_every=_EVERY_S if at_work else None)(owner, at_work)
    return tuple(run for run in found if run.ended and run.result)


def _say(error: AdvisorError) -> None:
    st.warning(refusal(str(error)), icon=":material/cloud_off:")
    st.button("Look again", key="look_again")


def _board(owner: str, was_at_work: bool) -> None:
    try:
        login.require("quantize")  # it is drawn again by itself, long after its page was
        found, own = opened_runs().newest(_MOST), opened_runs().own_ids(owner)
    except AdvisorError as error:
        _say(error)
        return
    active = [run for run in found if not run.ended]
    if was_at_work and not active:
        st.rerun()  # the whole page: results have come, and nothing is left to look at
    if not found:
        st.markdown("None yet. Start one above; it goes on when this page is closed.")
        return
    waiting = [run.id for run in reversed(active) if run.state == "queued"]
    for run in active:
        _card(run, waiting, owner if run.id in own else None)
    if over := [run for run in found if run.ended]:
        _table(over)


def _card(run: Run, waiting: Sequence[str], owner: str | None) -> None:
    with st.container(border=True, key=f"run_{run.id}"):
        st.markdown(f"**{_title(run)}** {_STATES[run.state]}")
        if run.state == "queued":
            place = waiting.index(run.id) + 1
            st.markdown(f"Number {place} in line." if place > 1 else "Next in line; a worker takes it shortly.")
        else:
            again = f" (attempt {run.attempt})" if run.attempt > 1 else ""
            st.progress(min(1.0, max(0.0, run.progress)), text=plain(f"{run.stage}{again}, {run.progress:.0%}"))
            st.markdown(small(f"{_times(run)}{len(run.result)} of {len(run.request.levels)} levels finished."))
        if run.cancel:
            st.markdown("Is being cancelled.")
        elif owner is not None:
            st.button("Cancel", key=f"cancel_{run.id}", on_click=_cancel, args=(run.id, owner))


def _times(run: Run) -> str:
    """ "Running for 1 min 20 s, about 2 min left. "; nothing where that is not known."""
    if run.elapsed_s is None:
        return ""
    left = f", about {duration(run.remaining_s, rough=True)} left" if run.remaining_s is not None else ""
    return f"Running for {duration(run.elapsed_s)}{left}. "


def duration(seconds: float, rough: bool = False) -> str:
    """ "45 s", "1 min 20 s", "2 h 5 min"; `rough` rounds to what a guess can know."""
    if rough:
        step = 5 if seconds < 60 else 60
        seconds = max(step, step * math.ceil(seconds / step))
    hours, rest = divmod(round(seconds), 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    if not minutes:
        return f"{left} s"
    return f"{minutes} min {left} s" if left and not rough else f"{minutes} min"


def _cancel(id: str, owner: str) -> None:
    try:
        login.require("quantize")
        opened_runs().cancel(id, owner)
    except AdvisorError as error:
        st.toast(refusal(str(error)))


def _table(ended: Sequence[Run]) -> None:
    rows = [
        (
            _STATES[run.state],
            run.request.name,
            ", ".join(run.request.levels),
            "–" if run.elapsed_s is None else duration(run.elapsed_s),
            f"{run.changed_at:%Y-%m-%d %H:%M}",
            run.message or f"{len(run.result)} of {len(run.request.levels)} levels finished.",
        )
        for run in ended[:_MOST_SHOWN]
    ]
    st.html(
        html_table(
            f"{len(rows)} ended runs with state, model, levels, how long they took and how they ended",
            ("State", "Model", "Levels", "Took", "Ended (UTC)", "How it ended"),
            rows,
        )
    )


def _title(run: Run) -> str:
    return plain(f"{run.request.name}: {', '.join(run.request.levels)}")
