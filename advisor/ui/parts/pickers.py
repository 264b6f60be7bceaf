"""Lists to choose a model and a machine from."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from advisor.models.catalogue import catalogue
from advisor.ui.asking import machine_names, model_name, model_names


def model_picker(chosen: str, on_choose: Callable[[str], None]) -> None:
    """The model."""
    names = {chosen: model_name(chosen)} | model_names() if chosen not in catalogue() else model_names()
    st.session_state["model_name"] = chosen
    st.selectbox(
        "Model",
        list(names),
        format_func=lambda text: names.get(text, text),
        key="model_name",
        on_change=lambda: on_choose(st.session_state["model_name"]),
        accept_new_options=True,
    )


def machine_picker(chosen: str, on_choose: Callable[[str], None]) -> None:
    """The machine."""
    names = machine_names()
    st.session_state["machine_name"] = chosen
    st.selectbox(
        "Machine",
        list(names),
        format_func=names.__getitem__,
        key="machine_name",
        on_change=lambda: on_choose(st.session_state["machine_name"]),
    )
