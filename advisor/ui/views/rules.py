"""The second page: what the rules of thumb say, and what files and runs really take."""

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
from advisor.foundation.units import format_count
from advisor.models.lookup import find_model
from advisor.ui.asking import Reply
from advisor.ui.parts.tables import rules_table
from advisor.ui.parts.text import plain, refusal
from advisor.words import say


def draw(reply: Reply) -> None:
    """Draw the page."""
    st.title("Rules of thumb", anchor=False)
    st.markdown(
        "Parameters × bits / 8 is how articles size a model. It is a good start for 16 and 32 bits, and too low for "
        "everything smaller, because real files carry scales and keep sensitive tensors in more bits. It also leaves "
        "out what a run needs besides the file: the last column adds KV cache and buffers for one user at "
        f"{CONTEXT:,} tokens."
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
    number = st.column_config.NumberColumn
    text = st.column_config.TextColumn
    st.dataframe(
        rules_table(rows),
        hide_index=True,
        height="content",
        key=f"rules_{title}",
        alt=f"{title}: {len(rows)} rules of thumb next to real file sizes",
        column_config={
            "rule": text("Rule", pinned=True),
            "level": text("Real level", help="The GGUF level nearest to what the rule means."),
            "rule_gb": number("Rule (GB)", format="%.2f", help="1 GB is 1000³ bytes."),
            "file_gb": number("Real file (GB)", format="%.2f"),
            "error_percent": number("Rule's error (%)", format="%+.1f", help="Negative: the rule is too low."),
            "bits_per_weight": number("Bits per weight", format="%.2f"),
            "running_gb": number(
                "To run it (GB)",
                format="%.2f",
                help=f"Weights, KV cache and buffers, one user at {rows[0].context:,} tokens.",
            ),
        },
        column_order=["rule", "level", "rule_gb", "file_gb", "error_percent", "bits_per_weight", "running_gb"],
    )
    for row in rows:
        names = row.rule if row.rule == row.level else f"{row.rule} → {row.level}"
        st.markdown(f"- **{plain(names)}**: {plain(say(row.reason))}")
