"""The part of a page that says where its numbers come from, and how to get them elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from advisor.answer.answer import Answer
from advisor.formats.gguf_levels import LLAMA_CPP_RULES
from advisor.foundation.message import fact
from advisor.foundation.numbers import exact
from advisor.ui.parts.text import plain
from advisor.words import say

_EXACT = "the bytes of every tensor at every level, and the KV cache."
_MODELLED = "compute buffers, by laying out the network's steps in memory as llama.cpp does."
_ESTIMATED = "header and tokenizer of the file, and what driver, runtime and screen take."


def draw(answer: Answer) -> None:
    """Draw sources and the same question as a command and a link."""
    entry, machine = answer.entry, answer.machine
    st.header("Where the numbers come from", anchor=False)
    st.markdown(
        f"- **Exact:** {_EXACT} The rules are those of {LLAMA_CPP_RULES}.\n"
        f"- **Modelled:** {_MODELLED}\n"
        f"- **Estimated, on the safe side:** {_ESTIMATED}\n"
        f"- **Model:** {plain(entry.name)} by {plain(entry.publisher)}, licence {plain(entry.license)}, "
        f"{entry.confidence} in {entry.as_of}: {_links(entry.sources) or 'no public source'}\n"
        f"- **Capacity:** {plain(say(machine.capacity_basis))} ({machine.confidence}, {machine.as_of or 'today'}: "
        f"{_links([s for s in (machine.source, machine.second_source) if s]) or say(fact('your_input'))})\n"
        f"- **Overhead:** {_overhead(answer)}"
    )
    if answer.measured_here:
        st.markdown(f"- **Measured here:** {_own(answer)}")
    st.header("The same question elsewhere", anchor=False)
    query = answer.question.to_query()
    st.markdown("On the command line:")
    st.code(f'python -m advisor plan "{query}"', language=None, wrap_lines=True)
    st.markdown("As a link, after this page's address:")
    st.code(f"/?{query}", language=None, wrap_lines=True)


def _own(answer: Answer) -> str:
    """The evidence that no data release holds."""
    levels = ", ".join(sorted({row.level for row in answer.measured_here}))
    days = sorted({row.measured_on for row in answer.measured_here})
    return plain(f"divergence, perplexity and speed of {levels}, kept on the page Prove it ({', '.join(days)}).")


def _overhead(answer: Answer) -> str:
    given = answer.question.machine.overhead_mib
    return plain(
        say(answer.machine.overhead_basis) if given is None else f"{exact(given)} MiB per device, as you gave it."
    )


def _links(sources: Sequence[str]) -> str:
    """Sources as links named by their host; what is no address stays text."""
    return ", ".join(
        f"[{plain(source.split('/')[2])}](<{source}>)" if source.startswith("https://") else plain(source)
        for source in sources
    )
