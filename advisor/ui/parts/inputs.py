"""The inputs. Each is bound to the URL under the question's own key and starts at the question's own default.

They are drawn by the entry script, before any page: inputs drawn inside a page lose value and URL when people move
to another page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

from advisor.foundation.units import gib
from advisor.machines.catalogue import machine
from advisor.question.configuration import CUSTOM_MACHINE
from advisor.ui.asking import Reply, ask, machine_names, model_name, needs_memory
from advisor.ui.parts import load_inputs, local_evidence, model_input, requirement_inputs, runtime_inputs, this_machine
from advisor.ui.parts.bound_inputs import give_first_values, keep_in_link, number, picker, set_first_values
from advisor.ui.parts.text import plain, small

_CONTEXTS = (4096, 8192, 16384, 32768, 65536, 131072)
# What a machine without a size of its own starts with, so that there is an answer at once. It goes into the URL.
_FIRST_MEMORY_GIB = {"custom": 24.0, "cpu": 64.0}


@dataclass(frozen=True)
class Inputs:
    """What the inputs hold, beside what the link asked for and what they held in the last run."""

    values: dict[str, Any]
    link: dict[str, list[str]]
    before: dict[str, Any]
    model: model_input.ModelInput

    def ask(self) -> Reply:
        """Answer what they hold."""
        with st.spinner(f"Reading {plain(model_name(self.model.model))}: metadata and file headers, no weights …"):
            reply = ask(self.values, self.link, self.before, local_evidence.kept())
        self.model.show_about(reply)
        return reply


def draw() -> Inputs:
    """Draw all inputs."""
    link = {key: st.query_params.get_all(key) for key in st.query_params}
    # In a run that a button or a list started, the URL still says what the inputs held before.
    before = st.session_state.get("held", {})
    keep_in_link(before)
    with st.sidebar:
        st.markdown("**LLM Fit Advisor**")
        model = model_input.draw()
        values = {"model": model.model} | _main()
        values |= requirement_inputs.draw() | load_inputs.draw() | runtime_inputs.draw(values["machine"])
    st.session_state["held"] = values
    return Inputs(values, link, before, model)


def _main() -> dict[str, Any]:
    chosen = str(picker("machine", "Machine", machine_names(), on_change=_give_memory))
    set_first_values()
    this_machine.draw()
    values: dict[str, Any] = {"machine": chosen}
    if needs_memory(chosen):
        what = "Memory (GiB)" if chosen == CUSTOM_MACHINE else "RAM (GiB)"
        values["memory_gib"] = number("memory_gib", what, step=8.0, help="As the driver or the system reports it.")
    if chosen == CUSTOM_MACHINE:
        values["bandwidth_gb_s"] = number(
            "bandwidth_gb_s", "Memory bandwidth (GB/s)", step=50.0, placeholder="not given", help="For speed only."
        )
    elif not needs_memory(chosen):
        st.markdown(small(plain(_capacity(chosen))))
    if runtime_inputs.takes_several(chosen):
        values["gpus"] = number(
            "gpus", "How many of it", step=1, help="Equal devices in one host; layers are split evenly."
        )
    values["context"] = _context()
    values["users"] = number(
        "users",
        "Users at the same time",
        step=1,
        left_to=runtime_inputs.frontends_own(),
        help="Each has a KV cache of the context above.",
    )
    return values


def _context() -> int | None:
    """Context length: a number, and the usual ones to tap."""
    value = number(
        "context",
        "Context per user (tokens)",
        step=1024,
        left_to=runtime_inputs.frontends_own(),
        help="Prompt and answer together; `-c` is this × users.",
    )
    st.session_state["usual_context"] = value if value in _CONTEXTS else None

    def take_over() -> None:
        if st.session_state["usual_context"] is not None:
            st.session_state["context"] = st.session_state["usual_context"]

    st.pills(
        "Usual context lengths",
        _CONTEXTS,
        format_func=lambda count: f"{count // 1024}k",
        key="usual_context",
        on_change=take_over,
        label_visibility="collapsed",
    )
    return None if value is None else int(value)


def _give_memory(machine_id: str) -> None:
    if needs_memory(machine_id) and st.session_state.get("memory_gib") is None:
        gib_given = _FIRST_MEMORY_GIB["custom" if machine_id == CUSTOM_MACHINE else "cpu"]
        give_first_values({"memory_gib": gib_given})


def _capacity(machine_id: str) -> str:
    found = machine(machine_id)
    per_device = (
        f"{found.count} devices with {gib(found.capacity_bytes)} each" if found.count > 1 else gib(found.capacity_bytes)
    )
    return f"{found.vendor} · {per_device} usable"
