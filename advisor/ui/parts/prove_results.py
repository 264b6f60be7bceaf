"""What a run measured, beside what was predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from advisor.foundation.errors import AdvisorError
from advisor.quantize.allowed import QuantizeSettings
from advisor.quantize.predicted import Row
from advisor.quantize.runs import Run
from advisor.quantize.worker import remove_files
from advisor.store.errors import StoreUnavailable
from advisor.ui.parts import prove_evidence
from advisor.ui.parts.prove_board import opened_runs
from advisor.ui.parts.prove_figures import measured_csv, rows_of, rows_table
from advisor.ui.parts.text import plain, refusal, small


def draw(ended: Sequence[Run], settings: QuantizeSettings, owner: str) -> None:
    """Draw the results of one run, chosen among those that have any."""
    if not ended:
        return
    st.subheader("Predicted and measured", anchor=False)
    by_id = {run.id: run for run in ended}
    if st.session_state.get("result_of") not in by_id:
        st.session_state["result_of"] = ended[0].id
    chosen = st.selectbox("Run", list(by_id), format_func=lambda id: _name(by_id[id]), key="result_of")
    run = by_id[chosen]
    try:
        rows = {level: rows_of(run, level, settings) for level in run.result}
        text = measured_csv(run, settings)
    except (AdvisorError, KeyError, TypeError):
        st.error("What this run measured cannot be read.", icon=":material/error:")
        return
    st.markdown(_summary(rows))
    if run.request.source == "tinylm" and run.request.measure:
        st.markdown(
            small(
                "Predicted quality of the tiny model: what llama.cpp's own programs measured over the whole text, of "
                "which 52 chunks are a quarter; KL divergence 10 % either way, perplexity 35 %. Quality and speed are "
                "estimated for models of 300 M parameters or more."
            )
        )
    for place, (level, found) in zip(st.tabs(list(rows)), rows.items(), strict=True):
        with place:
            _level(level, found, run.result[level])
    prove_evidence.draw_keeping(run, owner)
    with st.container(horizontal=True):
        st.download_button(
            "Download as CSV", text, f"measured-{run.id}.csv", "text/csv", key="measured_csv", on_click="ignore"
        )
        st.button(
            "Remove this run and its files",
            key="remove_run",
            on_click=_remove,
            args=(run.id, owner, settings),
            help="Only the browser that started it can remove it.",
        )


def _name(run: Run) -> str:
    return f"{run.request.name}, {run.created_at:%Y-%m-%d %H:%M} UTC, {run.state}"


def _summary(rows: Mapping[str, Sequence[Row]]) -> str:
    exact = [row for found in rows.values() for row in found if row.agreement in ("exact", "differs")]
    if not exact:
        return "Nothing was predicted to the byte."
    wrong = sum(row.agreement == "differs" for row in exact)
    if wrong:
        return f"✖ {wrong} of {len(exact)} sizes differ from the prediction."
    levels = f"{len(rows)} level{'' if len(rows) == 1 else 's'}"
    return f"✔ The sizes of {levels} are the predicted ones to the byte."


def _level(level: str, rows: tuple[Row, ...], result: Mapping[str, Any]) -> None:
    st.dataframe(
        rows_table(rows),
        hide_index=True,
        height="content",
        key=f"rows_{level}",
        placeholder="–",
        alt=f"{level}: {len(rows)} figures, predicted and measured",
        column_config={
            "figure": st.column_config.TextColumn("Figure", pinned=True),
            "predicted": st.column_config.TextColumn(
                "Predicted", help="Typical, and the range where it is an estimate."
            ),
            "measured": "Measured",
            "difference_percent": st.column_config.NumberColumn("Difference (%)", format="%+.1f"),
            "verdict": "Verdict",
        },
    )
    st.markdown(small(plain(_conditions(result))))


def _conditions(result: Mapping[str, Any]) -> str:
    if "modifier" in result:
        return (
            f"Made by llmcompressor ({result['modifier']}). KL divergence and perplexity by {result['engine']}, over "
            f"{result['quality']['tokens']:,} tokens; perplexity {result['quality']['perplexity']:.3f}, unquantized "
            f"{result['reference_perplexity']:.3f}."
        )
    matrix = "with" if result["imatrix"] else "without"
    if "embedding" in result:
        return (
            f"Made {matrix} an importance matrix. It makes embeddings and continues no text, so it has no perplexity: "
            f"the vectors of {result['embedding']['passages']:,} passages of {result['text']} are compared with the "
            f"unquantized file's, by {result['engine']}. Nothing is predicted of them."
        )
    if "quality" not in result:
        return f"Made {matrix} an importance matrix; only the bytes were compared."
    quality, speed = result["quality"], result["speed"]
    unquantized = result.get("reference_perplexity")
    against = f", unquantized {unquantized:.3f}" if unquantized else ""
    busy = " The machine was busy: speeds differ by much between samples." if speed["busy"] else ""
    return (
        f"KL divergence and perplexity by {result['engine']}, over {quality['tokens']:,} tokens of {result['text']} "
        f"at a context of {result['context']}; perplexity {quality['perplexity']:.3f}{against}. Made {matrix} an "
        f"importance matrix. Speed: median, threads: {speed['threads']}. Memory: what the process grew by, "
        f"with llama.cpp's own few MiB.{busy}"
    )


def _remove(id: str, owner: str, settings: QuantizeSettings) -> None:
    try:
        if opened_runs().remove(id, owner):
            remove_files(id, settings)
        else:
            st.toast("Only the browser that started a run can remove it.")
    except StoreUnavailable as error:
        st.toast(refusal(str(error)))
