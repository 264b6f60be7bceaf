"""Keeping what a run measured as evidence for later estimates, and the list of what is kept."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from advisor.foundation.errors import AdvisorError, InputError
from advisor.models.catalogue import catalogue
from advisor.quantize.kept_run import may_be, measurements_of
from advisor.quantize.runs import Run
from advisor.sources.local_measurements import LocalMeasurement
from advisor.store.database import default_url
from advisor.store.errors import StoreUnavailable
from advisor.store.kept_measurements import Measurements
from advisor.ui import login
from advisor.ui.ownership import keep_owner
from advisor.ui.parts.local_evidence import look_again, measurements
from advisor.ui.parts.prove_board import opened_runs
from advisor.ui.parts.text import plain, refusal, small

_NONE = ""


def draw_keeping(run: Run, owner: str) -> None:
    """Draw the button for one run, or what was kept of it."""
    try:
        kept = [row for row in _rows().all() if row.run == run.id]
        own = run.id in opened_runs().own_ids(owner)
    except StoreUnavailable as error:
        st.warning(refusal(str(error)), icon=":material/cloud_off:")
        return
    if kept:
        st.markdown(plain(f"✔ Kept as evidence for {_name(kept[0])}: marked “measured here” on the other pages."))
        return
    try:
        possible = measurements_of(run)
    except InputError as error:
        st.markdown(small(refusal(str(error))))
        return
    if not own:
        st.markdown(small("Only the browser that started this run can keep it as evidence."))
        return
    ids = may_be(run)
    chosen = _NONE
    if ids:
        chosen = st.selectbox(
            "Counts as",
            [_NONE, *ids],
            format_func=lambda id: catalogue()[id].name if id else f"None of these: only {run.request.name} itself",
            key=f"counts_as_{run.id}",
            help="These models have the very tensors that were measured. Only you know whose weights they hold.",
        )
    st.button(
        "Keep as evidence",
        key="keep_evidence",
        on_click=_keep,
        args=(run, chosen, owner),
        help=f"{len(possible)} measurements with their conditions, for everybody on this server.",
    )


def draw_list(owner: str) -> None:
    """Draw everything that is kept, and a button to forget what this browser kept."""
    try:
        found, own = _rows().all(), _rows().own_runs(owner)
    except StoreUnavailable:
        return  # said above, or by the board
    if not found:
        return
    st.header("Kept as evidence", anchor=False)
    st.dataframe(
        kept_table(found),
        hide_index=True,
        height="content" if len(found) <= 10 else 380,
        key="kept_evidence",
        placeholder="–",
        alt=f"{len(found)} measurements that were kept, with model, level, figures and conditions",
        column_config={
            "model": st.column_config.TextColumn("Model", pinned=True),
            "level": "Level",
            "kl_divergence": st.column_config.NumberColumn("KL divergence (nats)", format="%.5f"),
            "perplexity_increase": st.column_config.NumberColumn("Perplexity increase (%)", format="%.2f"),
            "tokens_per_s": st.column_config.NumberColumn("Generation (tok/s)", format="%.1f"),
            "matrix": "Importance matrix",
            "conditions": st.column_config.TextColumn("Measured by, over, on", width="large"),
            "date": "Date",
        },
    )
    runs = {row.run: row for row in found if row.run in own}
    if runs:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            chosen = st.selectbox(
                "What this browser kept", list(runs), format_func=lambda id: _run(id, found), key="kept_run", width=420
            )
            st.button("Forget", key="forget_evidence", on_click=_forget, args=(chosen, owner))


def kept_table(found: Sequence[LocalMeasurement]) -> pd.DataFrame:
    """A row for each measurement. Knows no Streamlit."""
    return pd.DataFrame(
        [
            {
                "model": _name(row),
                "level": row.level,
                "kl_divergence": row.kl_divergence,
                # + 0.0: never "-0.00"
                "perplexity_increase": round(100 * (row.perplexity / row.reference_perplexity - 1), 2) + 0.0,
                "tokens_per_s": row.speed.decode.typical if row.speed else None,
                "matrix": "with" if row.imatrix else "without",
                "conditions": "; ".join(_conditions(row)),
                "date": row.measured_on,
            }
            for row in found
        ]
    )


def _conditions(row: LocalMeasurement) -> list[str]:
    told = [row.engine, f"{row.tokens:,} tokens of {row.text or 'the text that comes along'}"]
    if row.context:
        told.append(f"context {row.context:,}")
    if row.speed is not None:
        busy = ", busy" if row.speed.busy else ""
        told.append(f"{row.speed.cpu}, threads: {row.speed.threads}{busy}")
    return [*told, f"made by {row.made_by}", f"run {row.run}"]


def _name(row: LocalMeasurement) -> str:
    return catalogue()[row.model].name if row.model in catalogue() else row.name


def _run(id: str, found: Sequence[LocalMeasurement]) -> str:
    rows = [row for row in found if row.run == id]
    return f"{_name(rows[0])}, {rows[0].measured_on}: {', '.join(row.level for row in rows)}"


def _rows() -> Measurements:
    return measurements(default_url())


def _keep(run: Run, model_id: str, owner: str) -> None:
    try:
        login.require("quantize")
        _rows().keep(measurements_of(run, model_id), owner)
        keep_owner(owner)
    except AdvisorError as error:
        st.toast(refusal(str(error)))
    look_again()


def _forget(run: str, owner: str) -> None:
    try:
        login.require("quantize")
        _rows().forget(run, owner)
    except AdvisorError as error:
        st.toast(refusal(str(error)))
    look_again()
