"""Pickers for a model and a machine: type what you mean, the best match stands first, Enter takes it.

One piece of HTML each; `pickers.js` asks the server for choices while people type (`picker_routes.py`) and follows the
link of the one that was taken. So a run of the page sends no lists of names, and a picker can stand in any card.
"""

from __future__ import annotations

from html import escape

import streamlit as st

from advisor.machines.catalogue import machine
from advisor.question.configuration import CUSTOM_MACHINE
from advisor.ui.asking import CUSTOM_NAME, model_name
from advisor.ui.picking import MODEL_KEYS

_MODEL_HINT = "Name, size, org/name or link"
_MACHINE_HINT = "Name or memory"


def model_picker(chosen: str) -> None:
    """Draw the picker of the question's model; what is picked, pasted or uploaded comes back in the link."""
    st.html(picker_html("model", "Model", model_name(chosen)))


def machine_picker(chosen: str, gpus: int = 1) -> None:
    """Draw the picker of the question's machine; what is picked comes back in the link."""
    st.html(picker_html("machine", "Machine", machine_label(chosen, gpus)))


def draft_picker(chosen: str | None) -> None:
    """Draw the picker of a small model that drafts for the question's."""
    name = "" if chosen is None else model_name(chosen)
    st.html(picker_html("draft", "Draft model", name, hint="none; a small one of the same family"))


def machine_label(chosen: str, gpus: int = 1) -> str:
    """What to call a machine in a picker."""
    name = CUSTOM_NAME if chosen == CUSTOM_MACHINE else machine(chosen).name
    return f"{gpus} x {name}" if gpus > 1 else name


def picker_html(key: str, label: str, chosen: str, *, column: int | None = None, hint: str = "") -> str:
    """A picker for a key of the question, or of one compared with it in that `column`, showing the name of what is
    `chosen`. All text is escaped here.
    """
    models = key in MODEL_KEYS
    name = f"pick-{key}" if column is None else f"pick-{key}-{column}"
    hint = hint or (_MODEL_HINT if models else _MACHINE_HINT)
    more = "" if column is None else f' data-column="{column}"'
    files = ' data-files="1"' if models else ""
    upload = (
        f'<input id="{escape(name)}-file" type="file" accept=".gguf,.json">'
        f'<label for="{escape(name)}-file" class="upload">Upload a GGUF file or config.json</label>'
    )
    if key != "model" or column is not None:  # narrow ones have no room for its words
        upload = ""
    return (
        f'<div class="picker" data-picker="{escape(key)}"{more}>'
        f'<label for="{escape(name)}">{escape(label)}</label>'
        f'<input id="{escape(name)}" type="text" role="combobox" value="{escape(chosen)}" placeholder="{escape(hint)}"'
        f' aria-autocomplete="list" aria-expanded="false" aria-controls="{escape(name)}-list"'
        f' autocomplete="off" autocapitalize="off" spellcheck="false" enterkeyhint="go"{files}>'
        '<div role="status"></div>'
        '<div data-panel="1" hidden><p data-said="1" aria-hidden="true"></p>'
        f'<div id="{escape(name)}-list" role="listbox" aria-label="{escape(label)}"></div></div>'
        f"{upload}</div>"
    )


def search_button(words: str, label: str) -> str:
    """A button that searches the Hub in the picker of the question's model."""
    return f'<button type="button" class="search" data-search="{escape(words)}">{escape(label)}</button>'
