"""Quality: what each level keeps, what that rests on, and what is said about it elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

import pandas as pd
import streamlit as st

from advisor.answer.answer import Answer
from advisor.answer.candidate import Candidate
from advisor.foundation.evidence_words import counted
from advisor.foundation.numbers import approx, exact, plural, span
from advisor.foundation.ranges import Range
from advisor.foundation.units import GIB
from advisor.quality import DEMANDS, SCORED_TASKS, TASKS, Quality
from advisor.quality.claims import Claim, claims
from advisor.quality.scale import original_scores
from advisor.quality.tasks import DIVERGENCE, PERPLEXITY, task_name
from advisor.sources.local_measurements import MEASURED_HERE
from advisor.ui.charts.memory_bars import fullest_device
from advisor.ui.charts.quality import pareto_chart
from advisor.ui.legend import BASIS_SIGNS, BASIS_WORDS
from advisor.ui.parts.fold import fold
from advisor.ui.parts.html import outside
from advisor.ui.parts.rows import Cell, cell, number_cell
from advisor.ui.parts.rows import table as rows_table
from advisor.ui.parts.text import plain, small
from advisor.words import say, say_all

_TABLE_LINES = ("fp16", "int8", "int4", "int3", "int2")
_WHOLE_BITS = 15.0
_PARETO_HEADS = ("Level", "Memory", "Kept", "Range", "Rests on")
_TASK_HEADS = ("Task", "Kept", "Range", "Basis", "Rests on", "Measured by")
_EVIDENCE_HEADS = ("Model", "Level", "Benchmark", "Result", "Source", "Where in it", "As of")
_MEANT = {
    "measured": "for this very model and level",
    "transferred": "from other measurements of this model",
    "estimated": "from those of other models",
}
_SIGNS = {"holds": "✔ holds", "holds partly": "▲ holds partly", "not supported": "✖ not supported"}


def draw(answer: Answer) -> None:
    """Draw the tab."""
    _pareto(answer)
    one = _chosen_level(answer)
    _by_task(answer, one)
    _evidence(answer, one)
    fold("What is said about quantization, tested", "fold_claims", _claims)


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
        st.html(rows_table(f"Memory and quality of {len(table)} levels", _PARETO_HEADS, _pareto_rows(answer, table)))


def _pareto_rows(answer: Answer, table: pd.DataFrame) -> list[tuple[bool, list[Cell]]]:
    return [
        (
            row.level == _level(answer),
            [
                cell(str(row.level)),
                number_cell(f"{row.memory_gib:,.1f} GiB"),
                number_cell(f"{row.typical:.1f} %"),
                number_cell(f"{row.low:.1f} to {row.high:.1f} %"),
                cell(str(row.evidence)),
            ],
        )
        for row in table.itertuples()
    ]


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
                "evidence": f"{_basis(one.quality)}, {say(counted(one.quality.n, one.quality.sources))}",
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
    found = {task: one.quality_at(task) for task in (*SCORED_TASKS, PERPLEXITY)}
    st.markdown(
        small(
            plain(
                f"What {one.level} of {answer.entry.name} keeps of its own 16-bit score, and between which values one "
                "published score lies in about 9 of 10 cases. "
                + " ".join(f"{BASIS_SIGNS[basis]} {BASIS_WORDS[basis]}: {meant}." for basis, meant in _MEANT.items())
            )
        )
    )
    rows = [(False, _task_cells(task, quality)) for task, quality in found.items()]
    st.html(rows_table(f"Quality of {one.level} for {len(rows)} tasks", _TASK_HEADS, rows))
    _original(answer, one)
    divergence = one.quality_at(DIVERGENCE)
    if divergence.kld is not None:
        st.markdown(
            small(
                f"Divergence from 16 bit: about {approx(divergence.kld.typical)} nats a token "
                f"({span(divergence.kld)}, {_basis(divergence)}, "
                f"{say(counted(divergence.n, divergence.sources))})."
            )
        )
    if divergence.measured_here:
        _measured_here(divergence)
    words = "; ".join(f"“{say(demand.words)}”: at least {exact(demand.percent)} %" for demand in DEMANDS)
    st.markdown(small(plain(f"As a requirement, {words}.")))


def _original(answer: Answer, one: Candidate) -> None:
    """What the original scores, and what is left of that: percent kept say nothing of two models."""
    task, kept = answer.question.requirements.task, one.kept
    published = () if answer.entry.entry is None else original_scores(answer.entry.entry.id, task)
    if not published:
        return
    rows = [
        (
            False,
            [
                cell(row.benchmark),
                number_cell(f"{exact(row.score)} {row.unit}"),
                number_cell("–" if kept is None or row.unit != "%" else _left(row.score, kept)),
                Cell(outside(row.source_url, row.source)),
                cell(row.as_of),
            ],
        )
        for row in published
    ]
    st.markdown(small(f"To compare it with other models, what its original scores at {say(task_name(task))}:"))
    st.html(rows_table("Published scores of the original", ("Benchmark", "Original", one.level, "By", "As of"), rows))


def _left(score: float, kept: Range) -> str:
    low, high = score * kept.low / 100, min(100.0, score * kept.high / 100)
    return f"{score * kept.typical / 100:.1f} % ({low:.0f} to {high:.0f})"


def _task_cells(task: str, quality: Quality) -> list[Cell]:
    """A task, what is kept of it within which range, and what that rests on."""
    kept = quality.typical is not None and quality.low is not None and quality.high is not None
    sign, said = BASIS_SIGNS.get(quality.basis, ""), say(task_name(task))
    return [
        cell(said[:1].upper() + said[1:]),
        number_cell(f"{quality.typical:.1f} %" if kept else "–"),
        number_cell(f"{quality.low:.1f} to {quality.high:.1f} %" if kept else "–"),
        cell(f"{sign} {_basis(quality)}".strip()),
        cell(say(counted(quality.n, quality.sources)) if quality.n else "–"),
        cell(say(TASKS[task])),
    ]


def _basis(quality: Quality) -> str:
    return MEASURED_HERE if quality.measured_here else BASIS_WORDS.get(quality.basis, quality.basis)


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
    count = len(quality.evidence)
    title = f"The {count} nearest of {quality.n} measurements" if quality.n > count else plural(count, "measurement")
    fold(title, "fold_evidence", _measurements, quality)


def _measurements(quality: Quality) -> None:
    rows = [
        (
            False,
            [
                *(cell(said) for said in (row.model, row.level, row.benchmark, row.value)),
                Cell(outside(row.source_url, urlsplit(row.source_url).netloc or row.source_url)),
                *(cell(str(said)) for said in (row.locator, row.as_of)),
            ],
        )
        for row in quality.evidence
    ]
    st.html(rows_table("The nearest published measurements", _EVIDENCE_HEADS, rows))


def _claims() -> None:
    with st.spinner("Testing the claims against the measurements …"):
        found = claims()
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
            "n": st.column_config.NumberColumn("Scores", format="localized"),
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
