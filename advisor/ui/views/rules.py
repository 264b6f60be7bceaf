"""What the rules of thumb say, and what files and runs really take."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from advisor.answer.rules_of_thumb import (
    CONTEXT,
    EXAMPLE_7B,
    EXAMPLE_70B,
    Comparison,
    applied_to,
    article_7b,
    article_70b,
)
from advisor.foundation.units import GB, format_count
from advisor.models.lookup import find_model
from advisor.ui.asking import Reply
from advisor.ui.parts.html_table import html_table
from advisor.ui.parts.text import plain, refusal
from advisor.words import say

COLUMNS = (
    "Rule",
    "Real level",
    "Rule (GB)",
    "Real file (GB)",
    "Rule's error (%)",
    "Bits per weight",
    "To run it (GB)",
)


def draw(reply: Reply) -> None:
    """Draw the tab."""
    st.markdown(
        "Parameters × bits / 8 is how articles size a model. It is a good start for 16 and 32 bits, and too low for "
        "everything smaller: real files carry scales, and keep some weights in more bits. It also leaves out what a "
        "run needs besides the file: the last column adds the KV cache (the memory of the conversation) and scratch "
        f"space, for one user at {CONTEXT:,} tokens."
    )
    seven = find_model(EXAMPLE_7B)
    _section(
        "A 7B model",
        f"The rule speaks of 7.0 B parameters; {seven.name} has {format_count(seven.model.parameters)}.",
        article_7b(),
    )
    _section(find_model(EXAMPLE_70B).name, "The figures that are quoted most.", article_70b())
    if reply.answer is None:
        st.error(refusal(reply.error or "There is no answer."), icon=":material/error:")
        return
    chosen = reply.answer
    _section(
        f"Your model: {chosen.entry.name}",
        f"The rule with its real number of parameters, {format_count(chosen.model.parameters)}.",
        applied_to(chosen.model),
    )


def _section(title: str, what: str, rows: Sequence[Comparison]) -> None:
    st.header(plain(title), anchor=False)
    st.markdown(plain(what))
    st.html(
        html_table(
            f"{title}: {len(rows)} rules of thumb next to real file sizes",
            COLUMNS,
            [
                (
                    row.rule,
                    row.level,
                    f"{row.rule_bytes / GB:.2f}",
                    f"{row.file_bytes / GB:.2f}",
                    f"{round(row.error * 100, 1) + 0.0:+.1f}",
                    f"{row.bits_per_weight:.2f}",
                    f"{row.running_bytes / GB:.2f}",
                )
                for row in rows
            ],
            COLUMNS[2:],
        )
    )
    for row in rows:
        names = row.rule if row.rule == row.level else f"{row.rule} → {row.level}"
        st.markdown(f"- **{plain(names)}**: {plain(say(row.reason))}")
