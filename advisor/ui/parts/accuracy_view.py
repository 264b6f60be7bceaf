"""How right the figures are: what is exact, and how often the ranges hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from advisor.answer.accuracy import AIMS, Accuracy, accuracy
from advisor.foundation.numbers import approx
from advisor.models.checked import checked_architectures
from advisor.ui.parts import aims_view
from advisor.ui.parts.html_table import html_table
from advisor.ui.parts.text import plain, small

_EXACT = {
    "tensors": "Bytes of all weights in a file, at every level",
    "weights": "Weights on each GPU and on the host",
    "KV cache": "KV cache (the memory of the conversation)",
    "compute buffers": "Compute buffers (scratch space)",
}
_SPEEDS = {
    "llama.cpp, over all": "llama.cpp, all together",
    "llama.cpp, single NVIDIA": "llama.cpp, one NVIDIA GPU",
    "llama.cpp, single Apple": "llama.cpp, one Apple machine",
    "llama.cpp, single other": "llama.cpp, one other machine",
    "llama.cpp, layer split": "llama.cpp, several devices, layer by layer",
    "llama.cpp, tensor split": "llama.cpp, several devices, every tensor shared",
    "llama.cpp, far into a context": "llama.cpp, a prompt after more than 8,192 tokens",
    "part on the host": "llama.cpp, a card and RAM together",
    "llama.cpp, several users": "llama.cpp, several users",
    "MLX": "MLX",
    "vLLM": "vLLM",
    "vLLM, several users": "vLLM, several users",
    "builds before September 2025": "llama.cpp, builds before September 2025",
    "not in the machine catalogue": "Machines that the catalogue lacks",
}
_MEANT = 90  # percent that a range is meant to hold


def draw() -> None:
    """Draw the tab."""
    lines = accuracy()
    st.markdown(
        "Sizes and memory follow from a model's shape, so they can be exact. Speed and quality are estimates from "
        "published measurements, so they come as ranges. Here both are held against what others printed and measured. "
        f"{aims_view.reached(lines)} of {len(AIMS)} aims of the estimates are reached; the last section says which "
        "evidence is missing for the others."
    )
    _exact([line for line in lines if line.kind in ("sizes", "memory")])
    _speed([line for line in lines if line.kind == "speed"])
    _quality([line for line in lines if line.kind == "quality"])
    aims_view.draw(lines)
    commands = " and ".join(sorted({f"`{line.command}`" for line in lines}))
    days = sorted({line.as_of for line in lines})
    sources = ", ".join(sorted({line.source for line in lines}))
    st.markdown(small(plain(f"Counted in {' and '.join(days)} from {sources}, by") + f" {commands}."))


def _exact(lines: Sequence[Accuracy]) -> None:
    st.header("Sizes and memory", anchor=False)
    st.markdown(
        "llama.cpp, the program that runs these files, was asked the same: what the files would weigh, and what each "
        f"device would hold. It was asked about models of {len(checked_architectures())} architectures (families that "
        "are built alike)."
    )
    st.html(
        html_table(
            "Sizes and memory against what llama.cpp itself says",
            ("What", "Models", "Compared", "The very figure", "Furthest off"),
            [
                (
                    _EXACT[line.what],
                    f"{line.models:,}",
                    f"{line.rows:,}",
                    _share(line.equal or 0, line.rows),
                    _furthest(line),
                )
                for line in lines
            ],
            ("Models", "Compared", "The very figure", "Furthest off"),
        )
    )
    st.markdown(
        small(
            "Sizes are compared to the byte, memory to the whole MiB that llama.cpp prints. Rules for compute buffers "
            "were made with these rows; how well they carry over to a new architecture is not measured."
        )
    )


def _furthest(line: Accuracy) -> str:
    if line.equal == line.rows:
        return "0"
    return " / ".join(f"{end:+.1f} %" for end in (line.lowest, line.highest) if end)


def _speed(lines: Sequence[Accuracy]) -> None:
    st.header("Speed", anchor=False)
    st.markdown(
        "Measurements were kept aside, the estimate was made from all others, and then held against those kept aside: "
        "once everything of one source (whoever measured), once everything of one model on one machine, and once "
        "everything of one machine, which the last section tells of."
    )
    for kinds, title in ((("decode", "host"), "Writing"), (("prefill",), "Reading a prompt")):
        found = [line for line in lines if line.what.split(": ")[0] in kinds]
        st.subheader(title, anchor=False)
        st.markdown(_how_often([line for line in found if "over all" in line.what], found))
        named = {f"{kind}: {what}": name for what, name in _SPEEDS.items() for kind in kinds}
        _ranges(title, found, named, ("source", "device and model"), "Range, high / low", " ×")


def _quality(lines: Sequence[Accuracy]) -> None:
    st.header("Quality", anchor=False)
    st.markdown(
        "The same with scores of benchmarks (tests of what a model can do): how many percent of the unquantized "
        "model's score are left. Kept aside was once everything of one source, once everything of one model. "
        + _how_often([line for line in lines if line.what == "all levels"], lines)
    )
    named = {line.what: line.what.capitalize() for line in lines}
    _ranges("Quality", lines, named, ("source", "network"), "Range, points", "")


def _how_often(together: Sequence[Accuracy], lines: Sequence[Accuracy]) -> str:
    """The whole in a sentence, and where it is worst."""
    shares = sorted(_percent(line) for line in together)
    worst = min(lines, key=_percent)
    name = _SPEEDS.get(worst.what.split(": ")[-1], worst.what)
    return (
        f"A range is meant to hold {_MEANT} %. All together it holds {shares[0]:.0f} to {shares[-1]:.0f} %; "
        f"where it holds least, {plain(name)}, {_percent(worst):.0f} % of {worst.rows:,}."
    )


def _ranges(
    name: str, lines: Sequence[Accuracy], named: Mapping[str, str], aside: tuple[str, str], width: str, unit: str
) -> None:
    """A row for each of `named`; how often its range holds and how far off the estimate is, for each kept aside."""
    found = {(line.what, line.left_out): line for line in lines}
    miss = "points" if unit == "" else "%"
    other = "model aside"
    columns = (
        *("What", "Measured", "Inside, source aside", f"Inside, {other}"),
        *(f"Typical miss ({miss}), source aside", f"Typical miss ({miss}), {other}", width),
    )
    rows = []
    for what, shown in named.items():
        if (what, aside[0]) not in found:
            continue
        source, model = found[what, aside[0]], found[what, aside[1]]
        rows.append(
            (
                shown,
                f"{source.rows:,}",
                _share(source.inside or 0, source.rows),
                _share(model.inside or 0, model.rows),
                approx(source.typical_miss or 0, 2),
                approx(model.typical_miss or 0, 2),
                f"{source.range_width or 0:.1f}{unit}",
            )
        )
    st.html(html_table(f"{name}: how often the range holds", columns, rows, columns[1:]))


def _percent(line: Accuracy) -> float:
    return 100 * (line.inside or 0) / line.rows


def _share(part: int, whole: int) -> str:
    """ "all" or a percentage that never rounds up to all."""
    if part == whole:
        return "all"
    share = 100 * part / whole
    return f"{min(share, 99.9):.1f} %" if share > 99 else f"{share:.0f} %"
