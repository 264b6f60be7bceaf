"""Levels, best first: what fits, and the nearest two that do not; a click makes a level the one shown."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from advisor.answer.answer import Answer
from advisor.answer.candidate import Candidate
from advisor.answer.pinned import pinned_query
from advisor.foundation.numbers import rough
from advisor.foundation.units import gb, gib
from advisor.ui.legend import RECOMMENDED
from advisor.ui.parts.explore_html import skippable
from advisor.ui.parts.html import go, question_href
from advisor.ui.parts.rows import Cell, cell, number_cell, table
from advisor.ui.parts.text import small, verdict_words

_HEADS = (
    *("Level", "Verdict", "Quality kept", "Tokens/s", "File", "Bits/weight"),
    *("Memory", "Free", "Longest context", "Rule of thumb"),
)
_NEAREST = 2


def draw(answer: Answer) -> None:
    """Draw the tab."""
    found = answer.candidates
    every = len(found) > 1 and st.toggle(f"All {len(found)} levels", key="every_level", persist_state="session")
    shown = in_order(found, answer.shown) if every else without_hopeless(found, answer.shown)
    rows = [(one is answer.shown, _cells(answer, one)) for one in shown]
    made = table(f"{len(rows)} levels of {answer.entry.name} on {answer.machine_name}", _HEADS, rows)
    st.html(skippable(made, "after-levels"))
    st.markdown(
        small(
            f"{RECOMMENDED} the one shown; a click on another shows that. Memory and what is free: on all devices and "
            "on the fullest. 1 GB is 1000³ bytes, 1 GiB 1024³. Rule of thumb: parameters × bits / 8, and how far off."
        )
    )


def in_order(found: Sequence[Candidate], shown: Candidate) -> list[Candidate]:
    """Those that fit first, then the tight ones; among them what keeps most, then what is shown, then the smallest."""

    def order(one: Candidate) -> tuple[float, ...]:
        short = (not one.plan.fits) + (one.plan.verdict == "does not fit")
        return (short, -_kept(one), one is not shown, one.file_bytes)

    return sorted(found, key=order)


def without_hopeless(found: Sequence[Candidate], shown: Candidate) -> list[Candidate]:
    """What fits, what is shown, and the two that come nearest of those that do not."""
    missing = sorted((one for one in found if not one.plan.fits), key=lambda one: one.plan.missing_bytes)
    kept = {id(one) for one in missing[:_NEAREST]} | {id(shown)}
    return [one for one in in_order(found, shown) if one.plan.fits or id(one) in kept]


def _kept(one: Candidate) -> float:
    return 0.0 if one.kept is None else round(one.kept.typical, 1)


def _cells(answer: Answer, one: Candidate) -> list[Cell]:
    plan = one.plan
    mark = f"{RECOMMENDED} " if one is answer.shown else ""
    speed = None if plan.verdict == "does not fit" else one.tokens_per_s  # which says how fast it would be
    link = go(question_href(pinned_query(answer.runs, answer.entry, plan)), f"{mark}{one.level}")
    return [
        Cell(link),
        cell(verdict_words(plan.verdict)),
        number_cell("–" if one.kept is None else f"{min(one.kept.typical, 100):.1f} %"),
        number_cell("–" if speed is None else rough(speed.typical)),
        number_cell(gb(one.file_bytes)),
        number_cell(f"{plan.sized.bits_per_weight:.2f}"),
        number_cell(gib(plan.needed_bytes)),
        number_cell("–" if plan.free_bytes is None else gib(plan.free_bytes)),
        number_cell(f"{plan.max_context:,}" if plan.max_context else "none"),
        number_cell(f"{gb(plan.rule_of_thumb_bytes)} ({100 * plan.rule_of_thumb_error:+.0f} %)"),
    ]
