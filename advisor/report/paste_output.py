"""What was read of a paste, as JSON, as text, and as rows of evidence."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import urlencode

from advisor.answer.beside_measured import Beside, beside, conditions_of, evidence_rows, other_size, unpredicted
from advisor.foundation.errors import InputError, printable
from advisor.foundation.units import gib
from advisor.report.compact import figure
from advisor.report.detected import detected_document, detected_table
from advisor.sources.pastes.described_machine import pasted_machine
from advisor.sources.pastes.measured import PastedRun, pasted_runs
from advisor.sources.pastes.read import read_paste
from advisor.words import say, told

SCHEMA = "paste/1"


def paste_document(text: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON of `detect --from`; raises InputError where nothing in the text is known.

    `read`: what each tool printed, in its own units. `machine`: null, or what `detect` prints of a machine, where what
    the text does not tell is null. `question`: the keys that stand for it. `measurements`: runs, each figure beside its
    prediction for `conditions`, where the text or `asked` names model and machine.
    """
    readings = read_paste(text)
    found = pasted_machine(readings)
    described = None
    if found is not None:
        described = {**detected_document(found.detected), "scenario": found.values}
        if not found.detected.ram_total_bytes:
            described |= {"ram_total_bytes": None, "ram_free_bytes": None}
        if not found.detected.cpu.model:
            described["cpu"] = None
    values = {} if found is None else found.values
    return {
        "schema": SCHEMA,
        "read": [{"kind": reading.kind, **reading.values} for reading in readings],
        "machine": described,
        "question": values,
        "query": urlencode(values),
        "measurements": [_run(run, _here(values, asked)) for run in pasted_runs(readings)],
    }


def paste_table(text: str, asked: Mapping[str, Any]) -> str:
    """The same for people."""
    readings = read_paste(text)
    found = pasted_machine(readings)
    lines = [told("Read: {kinds}.", kinds=", ".join(reading.kind for reading in readings))]
    if found is not None:
        lines += [_machine_lines(found.detected, found.values)]
    values = {} if found is None else found.values
    for run in pasted_runs(readings):
        lines += ["", *run_lines(run, _here(values, asked))]
    return "\n".join(printable(line) if "\n" not in line else line for line in lines)


def _machine_lines(detected: Any, values: Mapping[str, Any]) -> str:
    # The last line of what is detected plans with what a paste may not tell.
    whole = detected_table(detected).splitlines()
    kept = whole[:-1] if detected.ram_total_bytes and detected.cpu.model else whole[1:-1]
    return "\n".join([*kept, told("Plan with: {query}", query=urlencode(values))])


def run_lines(run: PastedRun, asked: Mapping[str, Any]) -> list[str]:
    """A run, figure by figure."""
    title = " · ".join(filter(None, (run.tool, run.model, run.quant, ", ".join(run.devices))))
    rows, why = compared(run, asked)
    return [title, *((why,) if why else ()), *(f"  {words(row)}" for row in rows)]


def words(row: Beside) -> str:
    """One figure beside its prediction: "tg128: 97.3 tokens/s; predicted 73.3 (27.7 to 104), inside"."""
    return f"{row.what}: {_amount(row, row.measured)}{predicted_words(row)}"


def predicted_words(row: Beside) -> str:
    """What is predicted, and whether the measured figure lies in it."""
    if row.predicted is None:
        return told("; nothing is predicted for it")
    inside = told("inside") if row.inside else told("outside")
    typical = _amount(row, row.predicted.typical)
    if row.predicted.low == row.predicted.high:
        return told("; predicted {typical}, {inside}", typical=typical, inside=inside)
    low, high = (f"{figure(end):,}" for end in (row.predicted.low, row.predicted.high))
    return told("; predicted {typical} ({low} to {high}), {inside}", typical=typical, low=low, high=high, inside=inside)


def measured_words(row: Beside) -> str:
    """The measured figure with its unit."""
    return _amount(row, row.measured)


def _amount(row: Beside, value: float) -> str:
    return gib(int(value)) if row.unit == "bytes" else f"{figure(value):,} {row.unit}"


def compared(run: PastedRun, asked: Mapping[str, Any]) -> tuple[tuple[Beside, ...], str]:
    """The figures beside their predictions, or without any and one sentence why."""
    values = conditions_of(run, asked)
    bare = unpredicted(run)
    if "model" not in values or "machine" not in values:
        return bare, told("Ask it with a model and a machine to see what is predicted.")
    if (why := other_size(run, str(values["model"]))) is not None:
        return bare, say(why)
    try:
        return beside(run, asked), ""
    except InputError as error:
        return bare, str(error)


def evidence_csv(text: str, asked: Mapping[str, Any], source: str, today: date) -> str:
    """Rows of data/speed_measurements.csv of all that was measured; raises InputError where there are none."""
    readings = read_paste(text)
    found = pasted_machine(readings)
    here = _here({} if found is None else found.values, asked)
    return csv_of([row for run in pasted_runs(readings) for row in evidence_rows(run, here, source, today)])


def csv_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows with their header; raises InputError where there are none."""
    if not rows:
        raise InputError("The text holds no measured speed.")
    made = io.StringIO()
    writer = csv.DictWriter(made, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return made.getvalue()


def _here(values: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked, on the machine of the same paste where it describes one."""
    return {**asked, **(values if "machine" in values else {})}


def _run(run: PastedRun, asked: Mapping[str, Any]) -> dict[str, Any]:
    rows, why = compared(run, asked)
    return {
        "tool": run.tool,
        "model": run.model,
        "model_id": run.model_id,
        "quant": run.quant,
        "level": run.level,
        "machine": run.machine,
        "devices": list(run.devices),
        "backend": run.backend,
        "version": run.version or None,
        "date": run.date or None,
        "conditions": dict(run.conditions),
        "note": why or None,
        "figures": [_figure(row) for row in rows],
    }


def _figure(row: Beside) -> dict[str, Any]:
    expected = row.predicted
    return {
        "what": row.what,
        "unit": row.unit,
        "measured": row.measured,
        "predicted": None
        if expected is None
        else {"low": figure(expected.low), "typical": figure(expected.typical), "high": figure(expected.high)},
        "inside": row.inside,
        "query": row.query,
    }
