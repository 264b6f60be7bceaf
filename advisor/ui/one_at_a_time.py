"""One page is worked out at a time: the entry script and the start page take turns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from advisor.foundation.turns import PAGES


@contextmanager
def turn() -> Iterator[None]:
    """The turn of this process. A visitor who leaves or asks something else gives his place in the queue up."""
    with PAGES.turn(_give_way):
        yield


def _give_way() -> None:
    # Looking into the session is where Streamlit ends a run that nobody waits for any more.
    if get_script_run_ctx(suppress_warning=True) is not None:
        _ = "turn" in st.session_state
