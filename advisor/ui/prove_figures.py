"""What was predicted for a finished level, beside what was measured. Knows no Streamlit."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import pandas as pd

from advisor.errors import AdvisorError, InputError
from advisor.estimate import Range
from advisor.formats.gguf_levels import LEVELS
from advisor.formats.gguf_sizes import size_level
from advisor.machines.catalogue import machine
from advisor.machines.detect import detect
from advisor.models.catalogue import catalogue
from advisor.models.model import Model
from advisor.quality import ModelFacts, estimate_quality, facts_of
from advisor.quantize.compare import Predicted, Row, compare
from advisor.quantize.compare import Verdict as Compared
from advisor.quantize.runs import Run
from advisor.quantize.settings import QuantizeSettings
from advisor.quantize.steps import measured_of
from advisor.report.exports import csv_text
from advisor.sizing.llama_cpp import plan_levels
from advisor.sizing.placement import place
from advisor.sizing.plan import Memory
from advisor.sizing.settings import Settings
from advisor.speed.backends import default_backend
from advisor.speed.estimate import Speed, estimate_speed
from advisor.speed.load import gguf_load
from advisor.ui.prove_sources import model_of
from advisor.units import MIB

SIGNS: dict[Compared, str] = {
    "exact": "✔",
    "within the range": "✔",
    "outside the range": "▲",
    "differs": "✖",
    "no prediction": "–",
}
_MEASURED_CONTEXT = 512  # tokens; what speed and memory are measured with
_COLUMNS = (
    *("run", "model", "level", "imatrix", "figure", "unit", "predicted_low", "predicted", "predicted_high", "measured"),
    *("difference", "verdict", "engine", "context_tokens", "text", "scored_tokens", "threads", "busy"),
)


def rows_of(run: Run, level: str, settings: QuantizeSettings) -> tuple[Row, ...]:
    """Every figure of a finished level; raises AdvisorError where its result cannot be read."""
    result = run.result[level]
    predicted = _predicted(run, result, settings)
    if "quality" not in result:
        return _bytes_only(predicted, result)
    reference = result.get("reference_perplexity")
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
            verdict: Compared = "exact" if said == measured else "differs"
            rows.append(Row(figure, "bytes", Range(said, said, said), measured, measured / said - 1, verdict))
    return tuple(rows)


def _predicted(run: Run, result: Mapping[str, Any], settings: QuantizeSettings) -> Predicted:
    file_bytes = result.get("predicted_file_bytes")
    try:
        model = model_of(run.request, settings)
    except (AdvisorError, OSError):  # the source may be gone or no longer allowed
        model = None
    if model is None:
        return Predicted(file_bytes=file_bytes)
    level, imatrix = LEVELS[result["level"]], bool(result["imatrix"])
    facts = _facts(run, model)
    perplexity = estimate_quality(facts, level.name, "perplexity").kept
    here = run.worker.startswith(f"{socket.gethostname()[:40]}:")
    speed = _speed(model, level.name, imatrix) if here else None
    return Predicted(
        tensor_bytes=size_level(model, level, imatrix).tensor_bytes,
        file_bytes=file_bytes,
        memory_bytes=_memory(model, level.name, imatrix),
        kl_divergence=estimate_quality(facts, level.name).kld,
        perplexity_increase=None if perplexity is None else _increase(perplexity),
        prefill_per_s=speed.prefill_tokens_per_s if speed else None,
        decode_per_s=speed.decode_tokens_per_s if speed else None,
    )


def _increase(kept: Range) -> Range:
    """From percent of the 16-bit perplexity kept to how much higher it is, as a fraction."""
    return Range(100 / kept.high - 1, 100 / kept.typical - 1, 100 / kept.low - 1)


def _facts(run: Run, model: Model) -> ModelFacts:
    known = {entry.hf_repo for entry in catalogue().values()}
    if run.request.source == "hub" and run.request.location in known:
        return facts_of(run.request.location)
    active = model.active_parameters if model.experts else None
    name = run.request.name
    return ModelFacts(name, name, "", model.parameters, active, variant="base", moe=bool(model.experts))


def _context(model: Model) -> int:
    return min(model.context_length or _MEASURED_CONTEXT, _MEASURED_CONTEXT)


def _memory(model: Model, level: str, imatrix: bool) -> int:
    """Weights, KV cache and buffers on the CPU."""
    settings = Settings(_context(model))
    (plan,) = plan_levels(model, Memory((), None), settings, runtime="llama.cpp", margin=0, imatrix=imatrix, only=level)
    return plan.host.needed_bytes


@lru_cache(maxsize=64)
def _speed(model: Model, level: str, imatrix: bool) -> Speed | None:
    """On this machine's CPU, where it is one of the catalogue."""
    try:
        here = machine(detect().cpu.machine)
    except InputError:
        return None
    context = _context(model)
    placement = place(len(model.layers), ())
    load = gguf_load(
        model, LEVELS[level], placement, settings=Settings(context), prompt_tokens=context, imatrix=imatrix
    )
    return estimate_speed(load, (here,), default_backend(here))


def rows_table(rows: tuple[Row, ...]) -> pd.DataFrame:
    """Figures as texts in units that people read."""
    return pd.DataFrame(
        [
            {
                "figure": row.figure,
                "predicted": "" if row.predicted is None else _range(row.predicted, row),
                "measured": _value(row.measured, row),
                "difference_percent": None if row.difference is None else round(row.difference * 100, 1) + 0.0,
                "verdict": f"{SIGNS[row.verdict]} {row.verdict}",
            }
            for row in rows
        ]
    )


def _range(found: Range, row: Row) -> str:
    if found.low == found.high:
        return _value(found.typical, row)
    return f"{_value(found.typical, row)} ({_value(found.low, row)} to {_value(found.high, row)})"


def _value(value: float, row: Row) -> str:
    if row.figure == "Memory":
        return f"{value / MIB:,.1f} MiB"
    if row.unit == "bytes":
        return f"{value:,.0f} bytes"
    if row.unit == "tokens/s":
        return f"{value:,.0f} tok/s" if value >= 10 else f"{value:.1f} tok/s"
    return f"{value:.4f} nats" if row.unit == "nats/token" else f"{value:.2%}"


def measured_csv(run: Run, settings: QuantizeSettings) -> str:
    """All figures of a run with the conditions they were measured under."""
    lines = []
    for level, result in run.result.items():
        speed, quality = result.get("speed", {}), result.get("quality", {})
        for row in rows_of(run, level, settings):
            said = row.predicted
            lines.append(
                {
                    "run": run.id, "model": run.request.name, "level": level, "imatrix": result["imatrix"],
                    "figure": row.figure, "unit": row.unit,
                    "predicted_low": said and said.low, "predicted": said and said.typical,
                    "predicted_high": said and said.high, "measured": row.measured, "difference": row.difference,
                    "verdict": row.verdict, "engine": result.get("engine"), "context_tokens": result.get("context"),
                    "text": result.get("text"), "scored_tokens": quality.get("tokens"),
                    "threads": speed.get("threads"), "busy": speed.get("busy"),
                }
            )  # fmt: skip
    return csv_text(_COLUMNS, lines)
