"""How fast one plan runs: the estimate, its formula, and published measurements beside it."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from advisor.answer.candidate import Candidate
from advisor.foundation.evidence_words import counted
from advisor.foundation.numbers import approx, span
from advisor.sources.local_measurements import MEASURED_HERE
from advisor.speed import Measurement, Speed
from advisor.speed.explain import explanation
from advisor.ui.parts.text import plain, small
from advisor.words import say, say_all

_BASIS = {
    "measured": "Measured on this device with this model and level",
    "scaled": "Scaled from measurements of this model on this device",
    "estimated": "Estimated from the device, or devices like it",
}
_TILE = 190  # pixels


def draw(shown: Candidate) -> None:
    """Draw it."""
    st.subheader(f"Speed of {shown.level}", anchor=False)
    speed = shown.speed
    if speed is None and not shown.writes:
        st.markdown("How fast it reads is not said: the arithmetic rate of this machine is not known.")
        return
    if speed is None:
        st.markdown("The bandwidth of this machine's memory is not known: give it to get an estimate.")
        return
    _figures(speed)
    st.markdown(small(plain(f"{_BASIS[speed.basis]} ({say(counted(speed.n, speed.sources))}), on {speed.backend}.")))
    with st.expander("Formula and measurements"):
        st.markdown("\n".join(f"- {plain(sentence)}" for sentence in say_all(explanation(speed), "page")))
        if speed.measurements:
            _measurements(speed.measurements)
        else:
            st.markdown(small("No published measurement of this model on this machine is known here."))
    if shown.measured_speeds:
        _measured_here(shown)


def _figures(speed: Speed) -> None:
    row = st.container(horizontal=True)
    users = speed.load.users
    one, inputs = speed.decode_tokens_per_s, speed.inputs_per_s
    if inputs is not None:
        length = f"Inputs of {speed.load.prompt_tokens:,} tokens a second: {span(inputs)}. It writes nothing."
        row.metric("Inputs", f"{approx(inputs.typical)} /s", help=length, width=_TILE)
    if one is not None:
        row.metric("Writing, per user", f"{approx(one.typical)} tok/s", help=f"{span(one)} tokens/s.", width=_TILE)
    total = speed.total_decode_tokens_per_s
    if users > 1 and total is not None:
        row.metric(f"Writing, {users} users", f"{approx(total.typical)} tok/s", help=f"{span(total)}.", width=_TILE)
    prompt, first = speed.prefill_tokens_per_s, speed.time_to_first_token_s
    if prompt is not None:
        row.metric("Reading the prompt", f"{approx(prompt.typical)} tok/s", help=f"{span(prompt)}.", width=_TILE)
    if first is not None:
        tokens = speed.load.prompt_tokens
        row.metric(
            "To the first token",
            f"{approx(first.typical)} s",
            help=f"{span(first)} s for a prompt of {tokens:,} tokens.",
            width=_TILE,
        )


def _measured_here(shown: Candidate) -> None:
    """One sentence a measurement: its conditions are not those of the plan."""
    for row in shown.measured_speeds:
        if (speed := row.speed) is not None:
            busy = "; the machine was busy" if speed.busy else ""
            sentence = (
                f"{MEASURED_HERE.capitalize()} on {row.measured_on}: {approx(speed.decode.typical)} tok/s writing "
                f"({span(speed.decode)}), {approx(speed.prefill.typical)} tok/s reading "
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
