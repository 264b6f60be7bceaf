"""Whether a decision's status follows from its own figures, and whether report, text and JSON show the same ones."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator

from advisor.answer.answer import Answer, answer
from advisor.answer.candidate import licence_gap
from advisor.answer.status import Status
from advisor.formats.levels import find_level
from advisor.foundation.numbers import rough
from advisor.foundation.units import gb, gib
from advisor.models.catalogue import catalogue
from advisor.question.question import Question
from advisor.report.as_text import plan_table
from advisor.report.cost_section import NAMES
from advisor.report.document import ReportDocument
from advisor.report.from_answer import report_of
from tests.support.decisions import (
    FLOOR_PERCENT,
    Document,
    Values,
    in_short,
    is_unified,
    overall,
    problem_unless,
    quality,
    query_of,
    said,
    speed,
    values_of,
)
from tests.support.sweep import TODAY

_LEAST_BITS, _GOOD_BITS = 3.0, 4.0
_LEAST_SPEED, _READING_SPEED, _GOOD_SPEED = 1.5, 5.0, 8.0  # tokens/s
_DIGITS = 4  # of figures in JSON
_NOT_KNOWN = "loads this model is not known"
_CENT = 0.01


def status_follows_from_the_figures(values: Values, found: Document) -> Iterator[str]:
    """Of the decision and of each choice: under 97 % or 3 bits nothing is called good, limited or slow.

    Nor is good what the runtime may not load, which is said.
    """
    decision, unsure = found["decision"], any(_NOT_KNOWN in note for note in found["notes"])
    plans = [] if decision["plan"] is None else [(decision["plan"], decision["status"])]
    for plan, status in (*plans, *((choice["plan"], choice["plan"]["status"]) for choice in found["choices"])):
        possible = _statuses(plan)
        if unsure and all(plan[key] == decision["plan"][key] for key in ("model_id", "runtime")):
            possible = {"limited" if one == "good" else one for one in possible}
        words = " or ".join(sorted(possible))
        yield problem_unless(status in possible, f"{in_short(plan)} is called {status}, and is {words}")


def _statuses(plan: Document) -> set[Status]:
    """What a plan can be called: two where a rounded figure lies on a border."""
    if plan["verdict"] == "does not fit":
        return {"does not fit"}
    found = {_status(plan, rounded_by) for rounded_by in (_lowered, _raised)}
    if plan["verdict"] == "tight" and speed(plan) is None and "inputs_per_s" not in plan:
        # A card so full that no speed is told counts as fast as it is at best, which may be slow.
        found |= {"slow", "last resort"}
    return found


def _status(plan: Document, rounded_by: Callable[[float], float]) -> Status:
    if _breaks_a_rule(plan, rounded_by):
        return "not as asked"
    whole = plan["verdict"] != "tight" and not _is_beside_a_shared_memory(plan)
    if "inputs_per_s" in plan:  # an encoder
        return "good" if whole else "limited"
    percent, written = overall(plan), speed(plan)
    percent = 100.0 if percent is None else rounded_by(percent)
    written = _GOOD_SPEED if written is None else rounded_by(written)
    bits = find_level(f"{plan['format']}:{plan['level']}").nominal_bits
    if percent < FLOOR_PERCENT or bits < _LEAST_BITS or written < _LEAST_SPEED:
        return "last resort"
    if written < _READING_SPEED:
        return "slow"
    return "good" if whole and bits >= _GOOD_BITS and written >= _GOOD_SPEED else "limited"


def _is_beside_a_shared_memory(plan: Document) -> bool:
    """Whether a part lies beside what the GPU may take of a memory that it shares with the host."""
    return plan["verdict"] == "fits with offload" and is_unified(values_of(plan["query"]))


def _breaks_a_rule(plan: Document, rounded_by: Callable[[float], float]) -> bool:
    """Of the hard ones: least quality, first token at the low end of its range, licence. Speed is only wished for."""
    asked = Question.from_query(plan["query"]).requirements
    least, latest, kept, wait = asked.least_percent, asked.max_first_token_s, quality(plan), plan["first_token_s"]
    entry = catalogue()[values_of(plan["query"])["model"]]
    if licence_gap(entry.license, asked) is not None:
        return True
    if "inputs_per_s" in plan:
        return False
    too_coarse = least is not None and (kept is None or rounded_by(kept) < least)
    return too_coarse or (latest is not None and (wait is None or rounded_by(-wait["low"]) < -latest))


def _half_a_digit(value: float) -> float:
    """What rounding to four digits may have added or taken."""
    return 10 ** (math.floor(math.log10(abs(value))) - _DIGITS + 1) / 2 if value else 0.0


def _lowered(value: float) -> float:
    return value - _half_a_digit(value)


def _raised(value: float) -> float:
    return value + _half_a_digit(value)


def figures_agree(values: Values, found: Document) -> Iterator[str]:
    """Report, text and JSON say the same of the plan that is decided for."""
    plan = found["decision"]["plan"]
    if plan is None:
        return
    asked = answer(Question.from_query(query_of(values)), today=TODAY)
    report = report_of(asked)
    yield from _text_agrees(plan, plan_table(asked))
    if plan["verdict"] == "does not fit":
        return
    yield from _report_agrees(plan, report)
    yield from _money_agrees(found, asked, report)
    for where, sentence in (("report", report.verdict), ("answer", found["decision"]["sentence"])):
        named = found["decision"]["status"] == "not as asked" or plan["level"] in sentence
        yield problem_unless(named, f"the sentence of the {where} says '{sentence}', decided is {said(found)}")


def _text_agrees(plan: Document, text: str) -> Iterator[str]:
    names, *rows = [re.split(r" {2,}", line.strip()) for line in text.rpartition("\n\n")[2].splitlines()]
    written = {"level": plan["level"], "file": gb(plan["file_bytes"]), "verdict": plan["verdict"]}
    written["context"] = f"{plan['max_context']:,}" if plan["max_context"] else "-"
    shown = [dict(zip(names, row, strict=True)) for row in rows if row[0] == plan["level"]]
    agrees = any(
        written.items() <= row.items()
        and reads(row["quality"], quality(plan), lambda kept: f"{kept:.1f} %")
        and ("tokens/s" not in row or _reads_as_speed(row["tokens/s"], speed(plan)))
        for row in shown
    )
    yield problem_unless(agrees, f"the text shows {shown}, decided is {in_short(plan)}")


def reads(shown: str, value: float | None, write: Callable[[float], str]) -> bool:
    """Whether a text shows a value of the JSON, which is rounded itself; "?" is what is not known."""
    if value is None:
        return shown == "?"
    return shown in {write(near) for near in (_lowered(value), value, _raised(value))}


def _reads_as_speed(shown: str, value: float | None) -> bool:
    """With one decimal, which is more than the four digits of the JSON from 1,000 tokens/s on."""
    rounded = f"{float(shown):.0f}" if value is not None and value >= 1000 else shown
    return reads(rounded, value, lambda near: f"{near:.0f}" if near >= 1000 else f"{near:.1f}")


def _report_agrees(plan: Document, report: ReportDocument) -> Iterator[str]:
    shown = {fact.label.removesuffix(" per user"): fact.value for fact in report.key_figures}
    devices = sum(place["needed_bytes"] for place in plan["memory"] if place["place"] != "host")
    needed = devices or sum(place["needed_bytes"] for place in plan["memory"])
    what = f"the report shows {shown}, decided is {in_short(plan)}"
    yield problem_unless(shown.get("Memory needed") == gib(needed), f"{what} in {gib(needed)}")
    for label, value, write, unit in (
        ("Quality kept", quality(plan), lambda kept: f"{kept:.1f}", " %"),
        ("Tokens/s", speed(plan), rough, ""),
    ):
        if value is not None:
            agrees = reads(shown.get(label, "?").removesuffix(unit), value, write)
            yield problem_unless(agrees, f"{what}: {label}")
    rows = (
        []
        if (table := report.appendix.levels) is None
        else [row[0] for number, row in enumerate(table.rows) if number == table.highlighted]
    )
    yield problem_unless(rows in ([], [plan["level"]]), f"the report marks {rows}, decided is {in_short(plan)}")


def _money_agrees(found: Document, asked: Answer, report: ReportDocument) -> Iterator[str]:
    money, costs = found["money"], report.costs
    ways = {} if money is None else {name: money[name] for name in NAMES if money[name] is not None}
    shown = {} if costs is None else {option.name.partition(":")[0]: option for option in costs.options}
    yield problem_unless({NAMES[name] for name in ways} == set(shown), f"the report prices {[*shown]}, JSON {[*ways]}")
    for name, way in ways.items():
        if (option := shown.get(NAMES[name])) is not None:
            there = option.monthly.typical, option.upfront
            here = way["per_month"]["typical"], way["upfront"]
            close = all(abs(one - other) < _CENT for one, other in zip(there, here, strict=True))
            yield problem_unless(close, f"{name} a month and upfront is {there} in the report, {here} in JSON")
    if money is not None and not asked.question.requirements.own_hardware:
        marked = [label for label, option in shown.items() if option.chosen]
        cheapest = [] if money["cheapest"] is None else [NAMES[money["cheapest"]]]
        yield problem_unless(marked == cheapest, f"cheapest is {marked} in the report, {cheapest} in JSON")
