"""The machine the advisor runs on, as a choice."""

from __future__ import annotations

import streamlit as st

from advisor.foundation.units import gib
from advisor.machines.detect import SERVER_NOTE, detect, question_values
from advisor.machines.detect_records import Detected
from advisor.ui import state
from advisor.ui.parts.text import plain, small
from advisor.words import say

_SHOWN = "detected"
# What a machine that was chosen before may have left behind.
CLEARED = {
    "memory_gib": None,
    "host_memory_gib": None,
    "other_machine": None,
    "use_gpus": None,
    "overhead_mib": None,
    "used_mib": None,
    "host_used_mib": None,
    "gpus": None,
    "ram_type": None,
    "ram_channels": None,
    "ram_sockets": None,
}


def draw() -> None:
    """A button that looks, and what was found."""
    st.button("Use this machine", on_click=_take, key="use_this_machine", help=say(SERVER_NOTE), width="stretch")
    found: Detected | None = st.session_state.get(_SHOWN)
    if found is not None:
        st.markdown(small(plain(f"Found: {_words(found)}. {say(SERVER_NOTE)}")))
        for note in found.notes:
            st.markdown(small(plain(say(note))))


def _take() -> None:
    found = detect()
    st.session_state[_SHOWN] = found
    state.change(**CLEARED | question_values(found))


def _words(found: Detected) -> str:
    ram = f"{gib(found.ram_total_bytes)} of RAM"
    names = [gpu.name for gpu in found.gpus]
    return ", ".join([*names, found.cpu.model, ram]) if names else f"{found.cpu.model}, {ram}"
