"""How fast one plan runs: the estimate, its formula, and published measurements beside it."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import streamlit as st

from advisor.answer.candidate import Candidate
from advisor.foundation.evidence_words import counted
from advisor.foundation.numbers import rough, span
from advisor.foundation.ranges import Range
from advisor.sources.local_measurements import MEASURED_HERE
from advisor.speed import Measurement, Speed
from advisor.speed.explain import explanation
from advisor.ui.legend import BACKEND_NAMES
from advisor.ui.parts.html import Tile, tile_list
from advisor.ui.parts.text import plain, small, tokens
from advisor.words import say, say_all

_BASIS = {
    "measured": "Measured on this device with this model and level",
    "scaled": "Scaled from measurements of this model on this device",
    "estimated": "Estimated from the device, or devices like it",
}


def draw(shown: Candidate) -> None:
    """Draw it."""
    st.header(f"Speed of {shown.level}", anchor=False)
    speed = shown.speed
    if speed is None and not shown.writes:
        st.markdown("How fast it reads is not said: the arithmetic rate of this machine is not known.")
        return
    if speed is None:
        st.markdown(
            "No speed is given where a card is nearly full."
            if shown.plan.verdict == "tight"
            else "The bandwidth of this machine's memory is not known: give it to get an estimate."
        )
        return
    st.html(tile_list(_figures(speed)))
    rests = f"{_BASIS[speed.basis]} ({say(counted(speed.n, speed.sources))}), with {BACKEND_NAMES[speed.backend]}."
    st.markdown(small(plain(f"{rests} A token is about three quarters of an English word.")))
    with st.expander("Formula and measurements"):
        st.markdown("\n".join(f"- {plain(sentence)}" for sentence in say_all(explanation(speed), "page")))
        if speed.measurements:
            _measurements(speed.measurements)
        else:
            st.markdown(small("No published measurement of this model on this machine is known here."))
    if shown.measured_speeds:
        _measured_here(shown)


def _figures(speed: Speed) -> Iterator[Tile]:
    users, cached = speed.load.users, speed.load.cached_tokens
    prompt_tokens = tokens(speed.load.prompt_tokens + cached)
    if (inputs := speed.inputs_per_s) is not None:
        yield _tile(f"Inputs of {prompt_tokens}", inputs, "inputs/s")
    if (one := speed.decode_tokens_per_s) is not None:
        yield _tile("Writing, each user", one, "tokens/s")
    if users > 1 and (total := speed.total_decode_tokens_per_s) is not None:
        yield _tile(f"Writing, {users:,} users together", total, "tokens/s")
    if (prompt := speed.prefill_tokens_per_s) is not None:
        yield _tile("Reading the prompt", prompt, "tokens/s")
    if (first := speed.time_to_first_token_s) is not None:
        of_them = f", {cached:,} of them cached" if cached else ""
        yield _tile(f"To the first word, after {prompt_tokens}{of_them}", first, "s")


def _tile(label: str, found: Range, unit: str) -> Tile:
    return Tile(label, f"{rough(found.typical)} {unit}", span(found, rough))


def _measured_here(shown: Candidate) -> None:
    """One sentence a measurement: its conditions are not those of the plan."""
    for row in shown.measured_speeds:
        if (speed := row.speed) is not None:
            busy = "; the machine was busy" if speed.busy else ""
            sentence = (
                f"{MEASURED_HERE.capitalize()} on {row.measured_on}: {rough(speed.decode.typical)} tokens/s writing "
                f"({span(speed.decode, rough)}), {rough(speed.prefill.typical)} tokens/s reading "
                f"{speed.prompt_tokens:,} tokens; {shown.level}, one user, {speed.cpu}, threads: {speed.threads}, "
                f"{row.engine}{busy}."
            )
            st.markdown(plain(sentence))


def _measurements(rows: tuple[Measurement, ...]) -> None:
    st.dataframe(
        pd.DataFrame(
            [
                {
                    "level": row.measured_level or row.quant,
                    "kind": row.kind,
                    "depth": row.depth,
                    "users": row.users,
                    "tokens_per_s": row.tokens_per_s,
                    "version": row.version,
                    "date": row.date,
                    "source": row.source,
                }
                for row in rows
            ]
        ),
        hide_index=True,
        height="content",
        key="speed_measurements",
        alt="Published measurements of this model on this machine",
        column_config={
            "level": "Level",
            "kind": "Test",
            "depth": st.column_config.NumberColumn("Depth", help="Tokens already in the context"),
            "users": "Users",
            "tokens_per_s": st.column_config.NumberColumn("Tokens/s", format="%.1f"),
            "version": "Version",
            "date": "Date",
            "source": st.column_config.LinkColumn("Source"),
        },
    )
