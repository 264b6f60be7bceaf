"""Boxes for pasted output: of tools that describe a machine, and of runs that measured something."""

from __future__ import annotations

from functools import lru_cache
from html import escape

import streamlit as st

from advisor.answer.beside_measured import Beside
from advisor.foundation.errors import InputError
from advisor.report.paste_output import compared, measured_words, predicted_words
from advisor.sources.pastes.described_machine import PastedMachine, pasted_machine
from advisor.sources.pastes.measured import PastedRun, pasted_runs
from advisor.sources.pastes.read import read_paste
from advisor.sources.pastes.text import LONGEST
from advisor.ui import state
from advisor.ui.link import Written
from advisor.ui.parts import pasted_evidence
from advisor.ui.parts.rows import cell, number_cell, table
from advisor.ui.parts.text import plain, refusal, small
from advisor.ui.parts.this_machine import CLEARED
from advisor.words import say

_MACHINE_TEXT, _MACHINE_FOUND, _RUN_TEXT = "pasted_machine", "pasted_machine_found", "pasted_run"
_KEPT = 64  # comparisons, which ask the engine once for each rate


def draw_machine() -> None:
    """A box whose text becomes the machine of the question."""
    st.text_area(
        "Paste what describes it",
        key=_MACHINE_TEXT,
        on_change=_take_machine,
        max_chars=LONGEST,
        height=100,
        placeholder="nvidia-smi, rocm-smi, amd-smi, xpu-smi, lspci, lscpu, free, system_profiler, dxdiag",
        help="Several outputs one after the other are read together. Nothing is executed or kept.",
    )
    found: PastedMachine | str | None = st.session_state.get(_MACHINE_FOUND)
    if isinstance(found, str):
        st.markdown(small(refusal(found)))
    elif found is not None:
        for note in found.detected.notes:
            st.markdown(small(plain(say(note))))


def _take_machine() -> None:
    text = str(st.session_state.get(_MACHINE_TEXT) or "")
    st.session_state.pop(_MACHINE_FOUND, None)
    if not text.strip():
        return
    try:
        found = pasted_machine(read_paste(text))
    except InputError as error:
        st.session_state[_MACHINE_FOUND] = str(error)
        return
    if found is None:
        st.session_state[_MACHINE_FOUND] = "This is a measurement and no machine: paste it on the page Prove it."
        return
    st.session_state[_MACHINE_FOUND] = found
    if "machine" in found.values:
        state.change(**CLEARED | found.values)
    elif found.values:
        state.change(**found.values)


def draw_measured() -> None:
    """A box whose text is put beside what is predicted, for the question where the text does not say, and what was
    kept of earlier ones."""
    st.header("Measured by yourself", anchor=False)
    _draw_pasted()
    pasted_evidence.draw_kept()


def _draw_pasted() -> None:
    text = st.text_area(
        "Paste what you measured",
        key=_RUN_TEXT,
        max_chars=LONGEST,
        height=120,
        placeholder="llama-bench, a log of llama-server, Ollama or vLLM, or what vllm bench serve prints",
        help="What the text does not name, model or machine, is taken from the question above. Nothing is stored.",
    )
    if not text.strip():
        return
    try:
        readings = read_paste(text)
    except InputError as error:
        st.markdown(refusal(str(error)))
        return
    runs, machine = pasted_runs(readings), pasted_machine(readings)
    if not runs:
        st.markdown("This describes a machine: paste it under More, Memory and placement.")
    here = machine.values if machine is not None and "machine" in machine.values else {}
    for number, run in enumerate(runs):
        _draw_run(run, {**state.written(), **{key: str(given) for key, given in here.items()}}, number)


def _draw_run(run: PastedRun, asked: Written, number: int) -> None:
    rows, why = _compared(_Asked(run, asked))
    named = " · ".join(filter(None, (run.tool, run.model, run.quant, ", ".join(run.devices))))
    said = f"<p>{escape(why)}</p>" if why else ""
    st.html(f"<p><strong>{escape(named)}</strong></p>{said}{_table(rows)}")
    pasted_evidence.draw_keeping(run, asked, number)


def _table(rows: tuple[Beside, ...]) -> str:
    drawn = [
        (
            False,
            [
                cell(row.what.replace("_", " ")),
                number_cell(measured_words(row)),
                cell(predicted_words(row).removeprefix("; ").capitalize()),
            ],
        )
        for row in rows
    ]
    return table("Measured beside predicted", ("Test", "Measured", "Prediction"), drawn)


class _Asked:
    """A run and what it is asked with, as a key of a cache."""

    def __init__(self, run: PastedRun, asked: Written) -> None:
        self.run, self.asked = run, asked
        self._key = (repr(run), tuple(sorted(asked.items())))

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Asked) and self._key == other._key


@lru_cache(_KEPT)
def _compared(about: _Asked) -> tuple[tuple[Beside, ...], str]:
    return compared(about.run, about.asked)
