"""What goes beside a model that is being read, or could not be: how long, why not, and what to do about it."""

from __future__ import annotations

from urllib.parse import urlencode

import streamlit as st

from advisor.models.catalogue import catalogue
from advisor.sources.resolve import READING, check_model
from advisor.ui import state
from advisor.ui.asking import Reply, model_name
from advisor.ui.link import changed_link
from advisor.ui.parts.html import go, question_href
from advisor.ui.picking import nearest_in_catalogue

_MOST_OFFERED = 3


def choose(text: str) -> None:
    """Ask about another model. For callbacks only."""
    state.change(model=check_model(text))


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


def ways_on(reply: Reply) -> None:
    """Below the one sentence that says why a model could not be read: models to take instead, and another try."""
    if reply.model_error is None:
        return
    if links := " · ".join(go(href_of(model), f"Use {name}") for model, name in instead_of(reply).items()):
        st.html(f'<p class="about">{links}</p>')
    st.button("Try again", on_click=READING.forget, args=(reply.model,), key="try_again")
    if reply.needs_token:
        explain_token()


def instead_of(reply: Reply) -> dict[str, str]:
    """Names of models to take instead, by what the link would hold: what the error suggests, else the nearest."""
    if reply.model_error is None:
        return {}
    suggested = reply.model_error.suggestions[:_MOST_OFFERED]
    if not suggested and (nearest := nearest_in_catalogue(reply.model)) is not None:
        suggested = (nearest.id,)
    return {model: f"{model_name(model)} from the catalogue" if model in catalogue() else model for model in suggested}


def href_of(model: str) -> str:
    """The same question about another model."""
    return question_href(urlencode(changed_link(state.written(), {"model": model})))
