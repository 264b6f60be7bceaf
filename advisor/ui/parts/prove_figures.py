"""Finished levels as a table: what was predicted, beside what was measured. Knows no Streamlit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from advisor.foundation.numbers import approx
from advisor.foundation.ranges import Range
from advisor.foundation.units import MIB
from advisor.quantize.allowed import QuantizeSettings
from advisor.quantize.measure import measured_of
from advisor.quantize.predicted import Agreement, Predicted, Row, compare
from advisor.quantize.runs import Run
from advisor.report.exports import csv_text
from advisor.ui.parts.prove_predicted import predicted_of

SIGNS: dict[Agreement, str] = {
    "exact": "✔",
    "within the range": "✔",
    "outside the range": "▲",
    "differs": "✖",
    "no prediction": "–",
}
_RUNNING = ("Memory", "Prompt", "Generation")
_COSINE = "cosine"
_COLUMNS = (
    *("run", "model", "level", "imatrix", "figure", "unit", "predicted_low", "predicted", "predicted_high", "measured"),
    *("difference", "verdict", "engine", "context_tokens", "text", "scored", "threads", "busy"),
)


def rows_of(run: Run, level: str, settings: QuantizeSettings) -> tuple[Row, ...]:
    """Every figure of a finished level; raises AdvisorError where its result cannot be read."""
    result = run.result[level]
    predicted = predicted_of(run, result, settings)
    if "quality" not in result:
        return (*_bytes_only(predicted, result), *_embedding(result))
    reference = result.get("reference_perplexity")
    if "speed" not in result:  # llmcompressor measures quality alone
        nothing = {"low": 0.0, "typical": 0.0, "high": 0.0}
        speed = {"prefill_per_s": nothing, "decode_per_s": nothing, "threads": 0, "busy": False}
        result = {"imatrix": False, "speed": speed, "context": 0, "text": "", **result}
        rows = compare(predicted, measured_of(result), reference or 1.0)
        return tuple(row for row in rows if row.figure not in _RUNNING)
    rows = compare(predicted, measured_of(result), reference or 1.0)
    return tuple(row for row in rows if reference or row.figure != "Perplexity increase")


def _bytes_only(predicted: Predicted, result: Mapping[str, Any]) -> tuple[Row, ...]:
    rows = []
    for figure, said, measured in (
        ("Tensor data", predicted.tensor_bytes, result["tensor_bytes"]),
        ("File", predicted.file_bytes, result["file_bytes"]),
    ):
        if said is None:
            rows.append(Row(figure, "bytes", None, measured, None, "no prediction"))
        else:
            verdict: Agreement = "exact" if said == measured else "differs"
            rows.append(Row(figure, "bytes", Range(said, said, said), measured, measured / said - 1, verdict))
    return tuple(rows)


def _embedding(result: Mapping[str, Any]) -> tuple[Row, ...]:
    """What is measured of a model that makes embeddings; nothing is predicted of it."""
    found = result.get("embedding")
    if found is None:
        return ()
    return (
        Row("Cosine, mean", _COSINE, None, found["mean_cosine"], None, "no prediction"),
        Row("Cosine, worst", _COSINE, None, found["worst_cosine"], None, "no prediction"),
        Row("Same nearest passage", "", None, found["same_nearest"], None, "no prediction"),
    )


COLUMNS = ("Figure", "Level", "Predicted", "Measured", "Difference", "Verdict")
NUMBERS = COLUMNS[2:5]
# What each figure means, for people who have never met it.
TITLES = {
    "Memory": "Memory: weights, conversation and scratch space",
    "KL divergence": "KL divergence: how far its choices of the next word moved",
    "Perplexity increase": "Perplexity increase: how much more the text surprises it",
    "Same first choice": "Same first choice: how often its favourite word stayed the same",
    "Prompt": "Speed of reading a prompt",
    "Generation": "Speed of writing",
    "Cosine, mean": "Cosine, mean: how alike the vectors are before and after",
    "Cosine, worst": "Cosine, worst: the least alike pair",
    "Same nearest passage": "Same nearest passage: how often a search finds the same first",
}


def table_rows(levels: Mapping[str, Sequence[Row]]) -> list[tuple[str, ...]]:
    """A row for each figure of each level, the levels of a figure together, in units that people read."""
    figures = dict.fromkeys(row.figure for rows in levels.values() for row in rows)
    return [
        (
            figure,
            level,
            "–" if row.predicted is None else _range(row.predicted, row),
            value_text(row.measured, row),
            "–" if row.difference is None else f"{round(row.difference * 100, 1) + 0.0:+.1f} %",
            f"{SIGNS[row.agreement]} {row.agreement}",
        )
        for figure in figures
        for level, rows in levels.items()
        for row in rows
        if row.figure == figure
    ]


def _range(found: Range, row: Row) -> str:
    if found.low == found.high:
        return value_text(found.typical, row)
    return f"{_number(found.low, row)} to {value_text(found.high, row)}"


def value_text(value: float, row: Row) -> str:
    """A value with its unit: "5.1 MiB"."""
    if row.unit == _COSINE:
        return f"{value:.5f}"
    unit = {"bytes": "bytes", "tokens/s": "tokens/s", "nats/token": "nats"}.get(row.unit, "%")
    return f"{_number(value, row)} {'MiB' if row.figure == 'Memory' else unit}"


def _number(value: float, row: Row) -> str:
    if row.figure == "Memory":
        return f"{value / MIB:,.1f}"
    if row.unit == "bytes":
        return f"{value:,.0f}"
    if row.unit in ("tokens/s", "nats/token"):
        return approx(value, 2)
    return f"{round(value * 100, 2) + 0.0:.2f}"  # + 0.0: never "-0.00"


def measured_csv(run: Run, settings: QuantizeSettings) -> str:
    """All figures of a run with the conditions they were measured under."""
    lines = []
    for level, result in run.result.items():
        speed, quality = result.get("speed", {}), result.get("quality", {})
        scored = quality.get("tokens") or result.get("embedding", {}).get("passages")
        for row in rows_of(run, level, settings):
            said = row.predicted
            lines.append(
                {
                    "run": run.id, "model": run.request.name, "level": level, "imatrix": result.get("imatrix"),
                    "figure": row.figure, "unit": row.unit,
                    "predicted_low": said and said.low, "predicted": said and said.typical,
                    "predicted_high": said and said.high, "measured": row.measured, "difference": row.difference,
                    "verdict": row.agreement, "engine": result.get("engine"), "context_tokens": result.get("context"),
                    "text": result.get("text"), "scored": scored,
                    "threads": speed.get("threads"), "busy": speed.get("busy"),
                }
            )  # fmt: skip
    return csv_text(_COLUMNS, lines)
