"""What the estimates are to reach, and which evidence is missing where they do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from advisor.answer.accuracy import AIMS, Accuracy, Aim
from advisor.foundation.numbers import approx
from advisor.speed.calibrate import by_chance
from advisor.ui.parts.html_table import html_table

_NAMES: Mapping[tuple[str, str], str] = {
    ("decode: llama.cpp, over all", "source"): "Writing, llama.cpp",
    ("decode: llama.cpp, over all", "device"): "Writing, llama.cpp, on a machine that nobody measured",
    ("host: part on the host", "source"): "Writing, a card and RAM together",
    ("decode: vLLM", "source"): "Writing, vLLM, one user",
    ("decode: vLLM, several users", "source"): "Writing, vLLM, several users",
    ("prefill: llama.cpp, over all", "source"): "Reading a prompt, llama.cpp",
    ("all levels", "source"): "Quality, all levels",
    ("2 bits", "source"): "Quality, 2 bits",
}
_THAT_STATE: Mapping[str, str] = {
    "host: part on the host": " that state the speed of the RAM and which layers lay in it"
}
_LEAST = 10  # sources, of which a range is hardly widened by chance
_UNSTATED: Mapping[str, str] = {
    "prefill: llama.cpp, over all": "the release or how much was read at once",
    "decode: vLLM, several users": "the release or the lengths of what was read and written",
}


def draw(lines: Sequence[Accuracy]) -> None:
    """Draw the section: each aim beside what was reached with a source kept aside, and what would bring it nearer."""
    found = _by_aim(lines)
    st.header("What is aimed at, and what evidence is missing", anchor=False)
    st.markdown(
        "Each time everything of one source was kept aside; for machines that nobody measured, everything of one "
        f"machine. {reached(lines)} of {len(AIMS)} aims are reached. Where one is missed, the last column says what "
        "sources would have to tell; until they do, the range stays as wide as their figures lie apart."
    )
    columns = ("What", "Typical miss (aim)", "Inside (aim)", "Range (aim)", "What is missing")
    rows = [
        (
            _NAMES[name],
            *_beside(aim, found[name]),
            missing(found[name], lines) if aim.missed(found[name]) else "reached",
        )
        for name, aim in AIMS.items()
    ]
    st.html(html_table("Aims of the estimates, what they reach and what is missing", columns, rows, columns[1:4]))


def reached(lines: Sequence[Accuracy]) -> int:
    """How many aims are."""
    found = _by_aim(lines)
    return sum(not aim.missed(found[name]) for name, aim in AIMS.items())


def _by_aim(lines: Sequence[Accuracy]) -> Mapping[tuple[str, str], Accuracy]:
    return {(line.what, line.left_out): line for line in lines}


def _beside(aim: Aim, line: Accuracy) -> tuple[str, str, str]:
    miss, unit = ("%", " ×") if line.kind == "speed" else (" points", " points")
    typical = f"{approx(line.typical_miss or 0, 2)}{' ' if miss == '%' else ''}{miss}"
    wide = f"{line.range_width or 0:.1f}{unit}"
    return (
        typical if aim.typical_miss is None else f"{typical} ({aim.typical_miss:.0f})",
        f"{100 * (line.inside or 0) / line.rows:.0f} % ({aim.inside:.0f})",
        wide if aim.range_width is None else f"{wide} ({aim.range_width:.1f})",
    )


def missing(line: Accuracy, lines: Sequence[Accuracy]) -> str:
    """What sources would have to tell for this aim to be reached, by what they tell today (all `lines`)."""
    said, unit = [], "%" if line.kind == "speed" else "points"
    sources, again, unstated = line.sources or 0, line.again or 0, line.unstated or 0
    if sources < _LEAST:
        wider = 100 * (by_chance(sources) - 1)
        named = _THAT_STATE.get(line.what, "")
        said.append(
            f"More sources{named}: {line.rows:,} figures are of {sources}, and a range from so few is {wider:.0f} % "
            "wider by chance alone."
        )
    if again:
        said.append(
            f"Sources that agree: {again} measured the very thing that another had; half of them lie within "
            f"{approx(line.apart or 0, 2)} {unit}, one in ten beyond {approx(line.far_apart or 0, 2)}."
        )
    else:
        said.append("Sources to compare: no two of them measured the very same.")
    if line.kind == "quality":
        eight = _by_aim(lines)["8 bits", "source"]
        held, wide = 100 * (eight.inside or 0) / eight.rows, eight.range_width or 0
        said.append(
            f"Tests of more questions: 8 bits lose next to nothing, and still a range that holds {held:.0f} % of their "
            f"scores is {wide:.1f} points wide."
        )
    if unstated:
        what = _UNSTATED.get(line.what, "the engine's release")
        said.append(f"Settings: {100 * unstated / line.rows:.0f} % of the figures do not state {what}.")
    return " ".join(said)
