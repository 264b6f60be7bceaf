"""Quality: what each level keeps, what that rests on, and what is said about it elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from advisor.answer.answer import Answer
from advisor.answer.candidate import Candidate
from advisor.foundation.evidence_words import counted
from advisor.foundation.numbers import approx, exact, span
from advisor.foundation.units import GIB
from advisor.quality import DEMANDS, SCORED_TASKS, TASKS, Quality
from advisor.quality.claims import Claim, claims
from advisor.quality.tasks import DIVERGENCE, PERPLEXITY, task_name
from advisor.sources.local_measurements import MEASURED_HERE
from advisor.ui.charts.quality import pareto_chart
from advisor.ui.parts.tables import fullest_device
from advisor.ui.parts.text import plain, small
from advisor.words import say, say_all

_TABLE_LINES = ("fp16", "int8", "int4", "int3", "int2")
_WHOLE_BITS = 15.0
_SIGNS = {"holds": "✔ holds", "holds partly": "▲ holds partly", "not supported": "✖ not supported"}


def draw(answer: Answer) -> None:
    """Draw the tab."""
    _pareto(answer)
    one = _chosen_level(answer)
    _by_task(answer, one)
    _evidence(answer, one)
    _claims()


def _pareto(answer: Answer) -> None:
    task = answer.question.requirements.task
    st.header("Quality against memory", anchor=False)
    table = pareto_table(answer.candidates)
    if table.empty:
        st.info(plain(" ".join(say_all(answer.candidates[0].quality.notes, "page"))), icon=":material/info:")
        return
    capacity = _capacity_gib(answer)
    st.markdown(
        small(
            f"Percent of the 16-bit score kept at {say(task_name(task))}, with the range in which one published score "
            "lies in about 9 of 10 cases. A level on the line keeps more than any that needs no more memory; 16 bit, "
            "which keeps all, is left out."
        )
    )
    limit = f" against a capacity of {capacity:,.1f} GiB" if capacity is not None else ""
    st.plotly_chart(
        pareto_chart(table, capacity, _level(answer), say(task_name(task))),
        key="pareto",
        config={"displayModeBar": False},
        alt=f"Quality kept at {say(task_name(task))} against memory needed for {len(table)} levels{limit}. "
        "The table in the expander below has the same figures.",
    )
    with st.expander("The same as a table"):
        _figures(
            table,
            {
                "level": "Level",
                "memory_gib": "Memory (GiB)",
                "low": "Low (%)",
                "typical": "Typical (%)",
                "high": "High (%)",
                "evidence": "Rests on",
            },
            "pareto_table",
            f"Memory and quality of {len(table)} levels",
        )


def _level(answer: Answer) -> str | None:
    return None if answer.chosen is None else answer.chosen.level


def _capacity_gib(answer: Answer) -> float | None:
    """What all devices together offer, or the host where there are none."""
    plan = answer.plans[0]
    holders = plan.devices or (fullest_device(plan),)
    known = [holder.capacity_bytes for holder in holders if holder.capacity_bytes is not None]
    return sum(known) / GIB if known else None


def pareto_table(candidates: Sequence[Candidate]) -> pd.DataFrame:
    """One row for each level whose quality is known, and whether none that needs no more memory keeps more."""
    rows: list[dict[str, object]] = []
    best = float("-inf")
    known = [one for one in candidates if one.kept is not None and not _is_copy(one)]
    for one in sorted(known, key=lambda one: (one.plan.needed_bytes, -(one.kept.typical if one.kept else 0))):
        kept = one.kept
        assert kept is not None  # noqa: S101
        rows.append(
            {
                "level": one.level,
                "memory_gib": one.plan.needed_bytes / GIB,
                "low": kept.low,
                "typical": kept.typical,
                "high": kept.high,
                "frontier": kept.typical > best,
                "evidence": f"{one.quality.basis}, {say(counted(one.quality.n, one.quality.sources))}",
            }
        )
        best = max(best, kept.typical)
    return pd.DataFrame(rows)


def _is_copy(one: Candidate) -> bool:
    """16 bit keeps 100 % by definition, in so much memory that it would only flatten the chart."""
    return one.kept is not None and one.kept.low == one.kept.high and one.plan.sized.bits_per_weight >= _WHOLE_BITS


def _chosen_level(answer: Answer) -> Candidate:
    levels = [one.level for one in answer.candidates]
    first = _level(answer) or ("Q4_K_M" if "Q4_K_M" in levels else levels[0])
    st.header("By task", anchor=False)
    level = st.selectbox("Level", levels, index=levels.index(first), key=f"quality_level_{answer.entry.id}_{first}")
    return next(one for one in answer.candidates if one.level == level)


def _by_task(answer: Answer, one: Candidate) -> None:
    table = task_table(one)
    st.markdown(
        small(
            plain(
                f"What {one.level} of {answer.entry.name} keeps of its own 16-bit score, in percent. Measured: for "
                "this very model and level. Transferred: from other measurements of this model. Estimated: from those "
                "of other models."
            )
        )
    )
    names = {
        "task": "Task",
        "low": "Low",
        "typical": "Typical",
        "high": "High",
        "basis": "Basis",
        "n": "n",
        "sources": "Sources",
    }
    _figures(table, names | {"benchmarks": "Measured by"}, "by_task", f"Quality of {one.level} for {len(table)} tasks")
    divergence = one.quality_at(DIVERGENCE)
    if divergence.kld is not None:
        st.markdown(
            f"Divergence from 16 bit: about {approx(divergence.kld.typical)} nats ({span(divergence.kld)}, "
            f"{_basis(divergence)}, {say(counted(divergence.n, divergence.sources))})."
        )
    if divergence.measured_here:
        _measured_here(divergence)
    words = "; ".join(f"“{say(demand.words)}”: at least {exact(demand.percent)} %" for demand in DEMANDS)
    st.markdown(small(plain(f"As a requirement, {words}.")))


def task_table(one: Candidate) -> pd.DataFrame:
    """Low, typical and high of every task, what they rest on and the benchmarks that stand for the task."""
    found = {task: one.quality_at(task) for task in (*SCORED_TASKS, PERPLEXITY)}
    return pd.DataFrame(
        [
            {
                "task": task.replace("_", " "),
                "low": quality.low,
                "typical": quality.typical,
                "high": quality.high,
                "basis": _basis(quality),
                "n": quality.n,
                "sources": quality.sources,
                "benchmarks": say(TASKS[task]),
            }
            for task, quality in found.items()
        ]
    )


def _basis(quality: Quality) -> str:
    return MEASURED_HERE if quality.measured_here else quality.basis


def _measured_here(divergence: Quality) -> None:
    st.markdown(small(plain(" ".join(say_all(divergence.notes, "page")))))
    if divergence.n > 1:
        st.markdown(small(f"The newest of {divergence.n} measurements; the page Prove it lists all."))


def _evidence(answer: Answer, one: Candidate) -> None:
    task = answer.question.requirements.task
    quality = one.quality
    st.header(plain(f"Evidence for {one.level} at {say(task_name(task))}"), anchor=False)
    st.markdown(plain(" ".join(say_all((*quality.notes, *quality.remarks), "page"))))
    if not quality.evidence:
        return
    rows = pd.DataFrame(
        [
            {
                "model": row.model,
                "level": row.level,
                "benchmark": row.benchmark,
                "value": row.value,
                "source": row.source_url,
                "where": row.locator,
                "as_of": row.as_of,
            }
            for row in quality.evidence
        ]
    )
    text = st.column_config.TextColumn
    st.dataframe(
        rows,
        hide_index=True,
        height="content" if len(rows) <= 10 else 380,
        key="evidence",
        alt=f"The {len(rows)} nearest published measurements with their sources",
        column_config={
            "model": text("Model", pinned=True, width=170),
            "level": text("Level"),
            "benchmark": text("Benchmark"),
            "value": text("Result"),
            "source": st.column_config.LinkColumn("Source", width="medium"),
            "where": text("Where in it"),
            "as_of": text("As of"),
        },
    )
    if quality.n > len(rows):
        st.markdown(small(f"The nearest {len(rows)} of {quality.n}."))


def _claims() -> None:
    with st.spinner("Testing the claims against the measurements …"):
        found = claims()
    st.header("What is said about quantization, tested", anchor=False)
    st.markdown(
        "A table of five lines and four pieces of advice are repeated all over the web. Each is held against the "
        "published measurements; every figure is computed from them."
    )
    lines = [claim for claim in found if claim.id in _TABLE_LINES]
    st.markdown("**The table**")
    _claim_rows(lines, "claims_table")
    st.markdown("**The advice**")
    _claim_rows([claim for claim in found if claim.id not in _TABLE_LINES], "claims_advice")


def _claim_rows(found: Sequence[Claim], key: str) -> None:
    st.dataframe(
        pd.DataFrame(
            [
                {"claim": say(claim.claim), "verdict": _SIGNS[claim.outcome], **_numbers(claim), "n": claim.n}
                for claim in found
            ]
        ),
        hide_index=True,
        height="content",
        key=key,
        placeholder="–",
        alt=f"{len(found)} claims with verdict and numbers; the sentences below say why",
        column_config={
            "claim": st.column_config.TextColumn("Claim", pinned=True, width=230),
            "verdict": st.column_config.TextColumn("Verdict", width=140),
            "n": st.column_config.NumberColumn("n", format="localized"),
        },
    )
    st.markdown("\n".join(f"- **{plain(say(claim.claim))}**: {plain(say(claim.sentence))}" for claim in found))


_SHORT = {"median": "Median (%)", "p10": "10th percentile (%)", "p90": "90th percentile (%)"}


def _numbers(claim: Claim) -> dict[str, object]:
    if claim.id in _TABLE_LINES:
        inside = claim.numbers.get("share_inside")
        found: dict[str, object] = {words: claim.numbers.get(name) for name, words in _SHORT.items()}
        return found | {"As stated (%)": None if inside is None else round(100 * inside)}
    return {"Numbers": "; ".join(f"{_spaced(name)}: {exact(value)}" for name, value in claim.numbers.items())}


def _spaced(name: str) -> str:
    """Names of levels keep their underscores."""
    return name.replace("_", " ") if name.islower() else name


def _figures(table: pd.DataFrame, names: dict[str, str], key: str, alt: str) -> None:
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    st.dataframe(
        table,
        hide_index=True,
        height="content",
        key=key,
        placeholder="–",
        alt=alt,
        column_order=list(names),
        column_config={
            column: text(words, pinned=place == 0)
            if table[column].dtype == object or isinstance(table[column].dtype, pd.StringDtype)
            else number(words, format="%d" if column == "n" else "%.1f")
            for place, (column, words) in enumerate(names.items())
        },
    )
