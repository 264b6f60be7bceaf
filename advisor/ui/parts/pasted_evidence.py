"""Measurements that were pasted and are to be kept: rows of the evidence table, for this visit, to download.

Nothing is stored here: what becomes evidence for everybody comes in with an address where others can read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from advisor.answer.beside_measured import evidence_rows, with_source
from advisor.foundation.errors import InputError
from advisor.machines.catalogue import machine
from advisor.models.catalogue import catalogue
from advisor.report.paste_output import csv_of
from advisor.sources.pastes.measured import PastedRun
from advisor.ui.link import Written
from advisor.ui.parts.html_table import html_table
from advisor.ui.parts.text import refusal, small

_KEPT, _SOURCE = "pasted_evidence", "pasted_source"
_MOST = 200
_COLUMNS = ("Model", "Level", "Machine", "Backend", "Test", "Tokens/s", "Version", "Date")

Row = Mapping[str, Any]


def draw_keeping(run: PastedRun, asked: Written, number: int) -> None:
    """A button that keeps what a run measured, or why there is nothing to keep. The `number` tells runs apart."""
    if not run.rates:
        return
    try:
        rows = evidence_rows(run, asked, "", datetime.now(UTC).date())
    except InputError as error:
        st.markdown(small(f"No row of evidence: {refusal(str(error))}"))
        return
    fresh = [row for row in rows if row not in _kept()]
    if not fresh:
        st.markdown(small("✔ Kept below."))
    elif len(_kept()) + len(fresh) > _MOST:
        st.markdown(small(f"At most {_MOST} rows are kept: download them and forget them first."))
    else:
        st.button(
            "Keep as evidence",
            on_click=_keep,
            args=(fresh,),
            key=f"keep_pasted_{number}",
            help="For this visit, as rows of data/speed_measurements.csv.",
        )


def draw_kept() -> None:
    """What is kept, and a way to take it along."""
    rows = _kept()
    if not rows:
        return
    st.subheader("Kept as evidence", anchor=False)
    drawn = [
        (
            catalogue()[row["model_id"]].name,
            str(row["level"] or row["quant"]),
            _machine(row),
            str(row["backend"]),
            str(row["test"]),
            f"{round(row['tokens_per_s'], 1):,}",
            str(row["version"]),
            str(row["date"]),
        )
        for row in rows
    ]
    st.html(html_table("Kept as evidence", _COLUMNS, drawn, numbers=("Tokens/s",)))
    source = st.text_input(
        "Where others can read the output",
        key=_SOURCE,
        placeholder="https://…",
        help="Goes into every row; a row without it is not taken into the evidence table.",
        width=480,
    )
    try:
        made = csv_of(with_source(rows, (source or "").strip()))
    except InputError as error:
        st.markdown(refusal(str(error)))
        return
    with st.container(horizontal=True):
        st.download_button(
            f"{len(rows)} {'row' if len(rows) == 1 else 'rows'} for the evidence table (CSV)",
            made,
            file_name="measured.csv",
            mime="text/csv",
            on_click="ignore",
            key="download_pasted_evidence",
        )
        st.button("Forget", key="forget_pasted_evidence", on_click=_forget)


def _machine(row: Row) -> str:
    name = machine(row["machine"]).name
    return f"{row['devices']} x {name}" if row["devices"] > 1 else name


def _kept() -> list[Row]:
    found: list[Row] = st.session_state.get(_KEPT, [])
    return found


def _keep(rows: list[Row]) -> None:
    st.session_state[_KEPT] = [*_kept(), *rows]


def _forget() -> None:
    st.session_state.pop(_KEPT, None)
