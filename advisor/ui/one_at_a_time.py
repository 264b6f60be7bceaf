"""One page is worked out at a time: the entry script, the start page and downloads take turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from advisor.foundation.errors import AdvisorError
from advisor.foundation.turns import PAGES
from advisor.ui.visitor import presence

MOST_WAITING = 100  # pages of a tenth of a second or two

Made = TypeVar("Made")


class VisitorLeft(AdvisorError):
    """Nobody waits for this any more."""


@contextmanager
def turn() -> Iterator[None]:
    """The turn of this process. A visitor who leaves or asks something else gives his place up, or what is begun.

    Raises TooManyWaiting where the queue is full.
    """
    with PAGES.turn(_give_way, MOST_WAITING):
        yield


def _give_way() -> None:
    # Looking into the session is where Streamlit ends a run that nobody waits for any more.
    if get_script_run_ctx(suppress_warning=True) is not None:
        _ = "turn" in st.session_state


def in_turn(make: Callable[[], Made]) -> Callable[[], Made]:
    """`make` for a download, which no script runs: in its turn, and given up once its visitor has left."""
    is_there = presence()

    def look() -> None:
        if not is_there():
            raise VisitorLeft("The visitor left.")

    def made() -> Made:
        with PAGES.turn(look, MOST_WAITING):
            look()
            return make()

    return made
