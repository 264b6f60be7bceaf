"""Parts of a page that are worked out only when somebody opens them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st


def fold(label: str, key: str, draw: Callable[..., None], *args: Any) -> None:
    """A heading that opens; `draw` is called with `args` while it is open."""
    part = st.expander(label, key=key, on_change="rerun")
    if part.open:
        with part:
            draw(*args)
