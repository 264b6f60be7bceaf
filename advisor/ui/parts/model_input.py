"""The model: one box for a name, a Hub repository, a link or a size; a search of the Hub; a file to upload.

What was chosen is in the URL, by way of a text field that is never shown (ids are no names: see `inputs._picker`);
the box only sets it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from advisor.foundation.errors import InputError
from advisor.foundation.units import format_count
from advisor.models.catalogue import catalogue
from advisor.question.question import FIELDS
from advisor.sources.resolve import READING, check_model
from advisor.ui.asking import Reply, matching_models, model_name, model_names
from advisor.ui.parts import hub_search
from advisor.ui.parts.text import plain, refusal, small

_KEY = "model"
_SHOWN = "model_name"
_PROBLEM = "model_problem"
_WORDS = re.compile(r"[^/\\:{}@]{1,100}")
_LONGEST = next(rule.max_length for rule in FIELDS[_KEY].metadata if hasattr(rule, "max_length"))
_UPLOAD_MB = 20  # as in .streamlit/config.toml
_HELP = (
    "Type to search the catalogue. Or paste a Hub repository (org/name), any huggingface.co link, the https link of a "
    "GGUF file, or a size such as 70B, 8x7B or 30B-A3B. Other words followed by Enter search the Hub."
)
_UPLOAD_HELP = (
    f"Up to {_UPLOAD_MB} MB; only the header is kept, for 30 days since it was last opened. The beginning of a larger "
    "GGUF file is enough: `head -c 16M model.gguf > head.gguf`. Or give its link, its config.json, or use the "
    "command line, which reads local files."
)


@dataclass(frozen=True)
class ModelInput:
    """`model` is its name as links hold it; the places are filled when more is known."""

    model: str
    about: DeltaGenerator
    results: DeltaGenerator | None

    def show_about(self, reply: Reply) -> None:
        """Say next to the input what the model is, or why it could not be read."""
        with self.about:
            if reply.model_error is not None and not reply.waiting:
                st.error(small(refusal(str(reply.model_error))), icon=":material/error:")
                st.button("Try again", on_click=READING.forget, args=(self.model,), key="try_again")
            elif reply.waiting:
                st.markdown(small("Reading …"))
            elif reply.found is not None and reply.found.model is not None:
                model = reply.found.model
                limit = model.context_length
                reach = f"up to {limit:,} tokens" if limit else "context limit not published"
                parts = [reply.found.publisher, f"{format_count(model.parameters)} parameters", reach]
                st.markdown(small(plain(" · ".join(part for part in parts if part))))

    def show_results(self) -> None:
        """Draw what a search found; it may take a moment, so call it last."""
        if self.results is not None:
            hub_search.fill(self.results, choose)


def draw() -> ModelInput:
    """Draw the input."""
    default = str(FIELDS[_KEY].default)
    chosen = _repaired_link()
    if chosen is None:
        with st.container(key="link_model"):
            chosen = st.text_input("Model id", value=default, key=_KEY, bind="query-params", max_chars=_LONGEST)
    chosen = chosen or default
    st.session_state[_SHOWN] = chosen
    names = {chosen: model_name(chosen)} | model_names() if chosen not in catalogue() else model_names()
    st.selectbox(
        "Model",
        list(names),
        format_func=lambda text: names.get(text, text),
        key=_SHOWN,
        on_change=lambda: choose(st.session_state[_SHOWN]),
        accept_new_options=True,
        help=_HELP,
    )
    about = st.container()
    if problem := st.session_state.get(_PROBLEM):
        st.error(small(refusal(problem)), icon=":material/error:")
    results = hub_search.place()
    _other_ways()
    return ModelInput(chosen, about, results)


def choose(text: str | None) -> None:
    """Make `text` the model where it can be one, search for it otherwise. For callbacks only."""
    text = (text or "").strip()
    hub_search.close()
    if text:
        _take(lambda: _kept_config(text) if text.startswith("{") else _known(text))


def search(words: str) -> None:
    """Search for `words`. For callbacks only."""
    hub_search.open_for(words)


@st.fragment(run_every="1s")
def wait(model: str) -> None:
    """Draw the page again as soon as the model has been read."""
    if READING.settled(model):
        st.rerun()


def explain_token() -> None:
    """How the operator of this server lets it read gated models."""
    with st.expander("How to give access"):
        st.markdown(
            "1. Accept the model's terms on its page on the Hub.\n"
            "2. In your Hub settings, make an access token that may read.\n"
            "3. Start this server with the environment variable `HF_TOKEN` set to it, or run `hf auth login` there.\n\n"
            "The token goes to the Hub only: never into a link, a page or a message."
        )


def _repaired_link() -> str | None:
    """The model of a link that does not hold one as links should; None where there is nothing to repair.

    A bound field cannot be kept from taking over what the first run's link says, so that run goes without it.
    """
    given = st.query_params.get(_KEY)
    if given is None or _KEY in st.session_state:
        return None
    try:
        wanted = check_model(given) if len(given) <= _LONGEST else ""
    except InputError:
        wanted = ""
    if wanted and wanted == given:
        return None
    if wanted:
        st.query_params[_KEY] = wanted
    else:
        del st.query_params[_KEY]
    return wanted


def _known(text: str) -> str | None:
    """The model that `text` names; None where it is words to search for."""
    if _WORDS.fullmatch(text) and not text.lower().endswith((".gguf", ".json", ".safetensors")):
        try:
            return check_model(text)
        except InputError:
            matching = matching_models(text)
        if len(matching) == 1:
            return matching[0]
        hub_search.open_for(text)
        return None
    return check_model(text)


def _kept_config(text: str) -> str:
    from advisor.sources.uploads import keep_config

    return keep_config(text)


def _take(find: Callable[[], str | None]) -> None:
    """Set the model to what `find` returns, if anything, or say what is wrong next to the input."""
    st.session_state.pop(_PROBLEM, None)
    try:
        found = find()
    except InputError as error:
        st.session_state[_PROBLEM] = str(error)
    else:
        if found is not None:
            if _KEY not in st.session_state:  # see _repaired_link
                st.query_params[_KEY] = found
            st.session_state[_KEY] = found


def _other_ways() -> None:
    with st.expander("Upload a file, paste a config, browse the Hub"):
        st.file_uploader(
            "GGUF file or config.json",
            type=["gguf", "json"],
            key="upload",
            on_change=_take_upload,
            help=_UPLOAD_HELP,
        )
        st.markdown(small("Of a GGUF file over 20 MB, upload the beginning: `head -c 16M model.gguf > head.gguf`."))
        st.text_area("Or paste a config.json", key="pasted_config", height=100, max_chars=1 << 20)
        st.button("Use this config", on_click=_take_pasted, key="use_config")
        st.button("Trending models on the Hub", on_click=lambda: hub_search.open_for(""), key="trending")


def _take_upload() -> None:
    from advisor.sources.uploads import keep_file

    given = st.session_state["upload"]
    if given is not None:
        _take(lambda: keep_file(given.getvalue(), given.name))


def _take_pasted() -> None:
    text = (st.session_state["pasted_config"] or "").strip()
    _take(lambda: _kept_config(text or "{"))
