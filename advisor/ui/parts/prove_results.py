"""What a run measured, beside what was predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from advisor.foundation.errors import AdvisorError
from advisor.foundation.units import MIB
from advisor.quantize.allowed import QuantizeSettings
from advisor.quantize.predicted import Row
from advisor.quantize.runs import Run
from advisor.quantize.worker import remove_files
from advisor.ui import login
from advisor.ui.charts.measured import picture
from advisor.ui.parts import prove_evidence
from advisor.ui.parts.html_table import html_table
from advisor.ui.parts.prove_board import opened_runs
from advisor.ui.parts.prove_figures import COLUMNS, NUMBERS, TITLES, measured_csv, rows_of, table_rows, value_text
from advisor.ui.parts.text import plain, refusal, small


def draw(ended: Sequence[Run], settings: QuantizeSettings, owner: str) -> None:
    """Draw the results of one run, chosen among those that have any."""
    if not ended:
        return
    st.header("Predicted and measured", anchor=False)
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
    chart, table = st.columns([2, 3], gap="large")
    with chart:
        if drawn := picture(rows, TITLES, value_text):
            st.html(drawn)
    with table if drawn else st.container():
        st.html(
            html_table(f"{len(rows)} levels: every figure, predicted and measured", COLUMNS, table_rows(rows), NUMBERS)
        )
    for said, levels in _conditions_by_level(run.result).items():
        st.markdown(small(plain(said if len(levels) == len(rows) else f"{', '.join(levels)}: {said}")))
    if run.request.source == "tinylm" and run.request.measure:
        st.markdown(
            small(
                "The tiny model's quality is predicted from what llama.cpp's own programs measured over the whole "
                "text, of which a run reads a quarter: KL divergence within 10 %, perplexity within 35 %. For real "
                "models, of 300 M parameters or more, quality and speed are estimated from published measurements."
            )
        )
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
    """What came out, in a sentence or two."""
    found = [row for each in rows.values() for row in each]
    exact = [row for row in found if row.agreement in ("exact", "differs")]
    ranged = [row for row in found if row.agreement in ("within the range", "outside the range")]
    wrong = sum(row.agreement == "differs" for row in exact)
    levels = f"{len(rows)} level{'' if len(rows) == 1 else 's'}"
    if not exact:
        said = "Nothing was predicted to the byte."
    elif wrong:
        said = f"✖ {wrong} of {len(exact)} sizes differ from the prediction."
    else:
        said = f"✔ The sizes of {levels} are the predicted ones to the byte."
    if not ranged:
        return said
    inside = sum(row.agreement == "within the range" for row in ranged)
    sign = "✔" if inside == len(ranged) else "▲"
    return f"{said}  \n{sign} {inside} of {len(ranged)} estimates lie inside their range."


def _conditions_by_level(result: Mapping[str, Any]) -> dict[str, list[str]]:
    """What was measured how: the levels by the sentence that is true of them."""
    found: dict[str, list[str]] = {}
    for level, one in result.items():
        found.setdefault(_conditions(one), []).append(level)
    return found


def _conditions(result: Mapping[str, Any]) -> str:
    """How a level was made and measured, without its own figures."""
    if "modifier" in result:
        return (
            f"Made by llmcompressor ({result['modifier']}). KL divergence and perplexity by {result['engine']}, over "
            f"{result['quality']['tokens']:,} tokens; unquantized, the perplexity is "
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
        return f"Made {matrix} an importance matrix (which weights matter most); only the bytes were compared."
    quality, speed = result["quality"], result["speed"]
    unquantized = result.get("reference_perplexity")
    against = f"; unquantized, the perplexity is {unquantized:.3f}" if unquantized else ""
    busy = " The machine was busy: speeds differ by much between samples." if speed["busy"] else ""
    return (
        f"Made {matrix} an importance matrix (which weights matter most). KL divergence and perplexity by "
        f"{result['engine']}, over {quality['tokens']:,} tokens of {result['text']} at a context of "
        f"{result['context']}{against}. Speed: median, threads: {speed['threads']}. {_counted_off(result)}{busy}"
    )


def _counted_off(result: Mapping[str, Any]) -> str:
    if "memory" not in result:
        return "Memory was measured by an older version that counted the process too, so it is left out."
    own = round(result["memory"]["without_model"] / MIB)
    return (
        "Memory: what the process grew by for this file on the processor. What it takes without the model was measured "
        f"first and is not counted: Python, the library, and about {own} MiB of llama.cpp's own."
    )


def _remove(id: str, owner: str, settings: QuantizeSettings) -> None:
    try:
        login.require("quantize")
        if opened_runs().remove(id, owner):
            remove_files(id, settings)
        else:
            st.toast("Only the browser that started a run can remove it.")
    except AdvisorError as error:
        st.toast(refusal(str(error)))
