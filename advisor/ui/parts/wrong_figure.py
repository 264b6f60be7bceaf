"""What to send where a figure is wrong: the question, what answered it, and its figures, as plain text to copy."""

from __future__ import annotations

from html import escape

from advisor.answer.answer import Answer
from advisor.answer.plans import runtime_name
from advisor.foundation.data_release import data_release
from advisor.foundation.numbers import approx, rough, span
from advisor.foundation.units import format_bytes
from advisor.foundation.version import VERSION
from advisor.ui.parts.html import copyable


def report_text(answer: Answer, link: str) -> str:
    """The text; `link` opens the question. Bytes are exact, as whoever looks for the mistake needs them."""
    shown, plan = answer.shown, answer.shown.plan
    lines = [
        "This figure is wrong: ",
        "It should be: ",
        "I know it from (a file, a log, a measurement): ",
        "",
        f"Question: {link}",
        f"Version {VERSION}, data {data_release()}",
        f"Model: {answer.entry.name} ({answer.entry.id})",
        f"Machine: {answer.machine_name}",
        f"Plan: {runtime_name(answer.runtime)}, {shown.level}, {plan.settings.users} x {plan.settings.context} tokens, "
        f"{answer.status}, {plan.verdict}",
        f"File: {shown.file_bytes} bytes",
        *(_memory(place.name, place.needed_bytes, place.capacity_bytes) for place in (*plan.devices, plan.host)),
    ]
    if shown.tokens_per_s is not None:
        lines.append(f"Speed: {span(shown.tokens_per_s, rough)} tokens/s for each user")
    if shown.kept is not None:
        lines.append(f"Quality kept ({shown.task}): {approx(shown.kept.low)} to {approx(shown.kept.high)} %")
    return "\n".join(line.replace("\n", " ") for line in lines)


def _memory(name: str, needed: int, capacity: int | None) -> str:
    of = "" if capacity is None else f" of {format_bytes(capacity)}"
    return f"Memory of {name}: {needed} bytes, {format_bytes(needed)}{of}"


def fold(answer: Answer, link: str) -> str:
    """The text behind a fold, as HTML."""
    return (
        '<details class="wrong-figure"><summary>This figure is wrong</summary>'
        f"<p>{escape('Copy this, say what is wrong, and send it to whoever runs this page.')}</p>"
        f"{copyable(report_text(answer, link), 'A report of a wrong figure')}</details>"
    )
