"""Pickers for a model and a machine: type what you mean, the best match stands first, Enter takes it.

One piece of HTML each; `pickers.js` asks the server for choices while people type (`picker_routes.py`) and follows the
link of the one that was taken. So a run of the page sends no lists of names, and a picker can stand in any card.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import streamlit as st

from advisor.foundation.errors import InputError
from advisor.machines.catalogue import machine
from advisor.question.choices import CUSTOM_MACHINE
from advisor.ui.asking import CUSTOM_NAME, model_name
from advisor.ui.parts.text import refusal, small
from advisor.ui.picking import MODEL_KEYS

Choose = Callable[[str], None]
_MODEL_HINT = "Name, size, org/name or link"
_MACHINE_HINT = "Name or memory"
_UPLOAD_MB = 20  # as in .streamlit/config.toml
_PROBLEM = "other_ways_problem"
_OPEN = "other_ways"


def model_picker(chosen: str, on_choose: Choose) -> None:
    """Draw the picker of the question's model; `on_choose` is called with the id of a file that was uploaded.

    What is picked in the box itself comes back in the link.
    """
    st.html(picker_html("model", "Model", model_name(chosen)))
    _other_ways(on_choose)


def machine_picker(chosen: str, gpus: int = 1) -> None:
    """Draw the picker of the question's machine; what is picked comes back in the link."""
    st.html(picker_html("machine", "Machine", machine_label(chosen, gpus)))


def machine_label(chosen: str, gpus: int = 1) -> str:
    """What to call a machine in a picker."""
    name = CUSTOM_NAME if chosen == CUSTOM_MACHINE else machine(chosen).name
    return f"{gpus} x {name}" if gpus > 1 else name


def picker_html(key: str, label: str, chosen: str, *, href: str = "", place: str = "", hint: str = "") -> str:
    """A picker for a key of the question, showing the name of what is `chosen`.

    `href` is where to go instead of the question with that key changed, "{}" in it standing for what was picked;
    `place` tells several pickers of one key on a page apart. All text is escaped here.
    """
    models = key in MODEL_KEYS
    name = f"pick-{key}{f'-{place}' if place else ''}"
    hint = hint or (_MODEL_HINT if models else _MACHINE_HINT)
    more = f' data-href="{escape(href)}"' if href else ""
    more += ' data-config="1"' if models else ""
    return (
        f'<div class="picker" data-picker="{escape(key)}"{more}>'
        f'<label for="{escape(name)}">{escape(label)}</label>'
        f'<input id="{escape(name)}" type="text" role="combobox" value="{escape(chosen)}" placeholder="{escape(hint)}"'
        f' aria-autocomplete="list" aria-expanded="false" aria-controls="{escape(name)}-list"'
        ' autocomplete="off" autocapitalize="off" spellcheck="false" enterkeyhint="go">'
        f'<div id="{escape(name)}-list" role="listbox" aria-label="{escape(label)}" hidden></div>'
        '<div role="status" class="quiet"></div></div>'
    )


def _other_ways(on_choose: Choose) -> None:
    """An upload, or a config that is pasted as text; drawn when opened only."""
    ways = st.popover("Upload or paste a config", key=_OPEN, on_change="rerun", type="tertiary")
    if not ways.open:
        return
    with ways:
        st.file_uploader(
            "GGUF file or config.json", type=["gguf", "json"], key="upload", on_change=_take_upload, args=(on_choose,)
        )
        st.markdown(
            small(
                f"Up to {_UPLOAD_MB} MB, of which only the header is kept, for 30 days since it was last opened. "
                "Of a larger GGUF file upload the beginning: `head -c 16M model.gguf > head.gguf`."
            )
        )
        st.text_area("Or paste a config.json", key="pasted_config", height=100, max_chars=1 << 20)
        st.button("Use this config", on_click=_take_pasted, args=(on_choose,), key="use_config")
        if problem := st.session_state.get(_PROBLEM):
            st.error(small(refusal(problem)), icon=":material/error:")


def _take_upload(on_choose: Choose) -> None:
    from advisor.sources.uploads import keep_file

    given = st.session_state["upload"]
    if given is not None:
        _take(lambda: keep_file(given.getvalue(), given.name), on_choose)


def _take_pasted(on_choose: Choose) -> None:
    from advisor.sources.uploads import keep_config

    text = (st.session_state["pasted_config"] or "").strip()
    _take(lambda: keep_config(text or "{"), on_choose)


def _take(keep: Callable[[], str], on_choose: Choose) -> None:
    """Hand over what was kept, or say what is wrong with it, beside it."""
    st.session_state.pop(_PROBLEM, None)
    try:
        found = keep()
    except InputError as error:
        st.session_state[_PROBLEM] = str(error)
    else:
        on_choose(found)
