"""The appendix of a report: what an engineer needs to check and to repeat the answer."""

from __future__ import annotations

import re
from dataclasses import replace

from advisor.answer.answer import Answer
from advisor.answer.candidate import Candidate
from advisor.answer.launching import launch_of
from advisor.answer.plans import runtime_name
from advisor.answer.reasons import reasons
from advisor.costs.money import UsedPrice, plain
from advisor.foundation.data_release import data_release
from advisor.foundation.errors import InputError
from advisor.foundation.numbers import approx, exact, plural
from advisor.foundation.units import GIB, gib
from advisor.foundation.version import VERSION
from advisor.report.cost_section import NAMES
from advisor.report.document import Appendix, Command, Fact, SourceRow, Table
from advisor.runtimes.commands import commands
from advisor.runtimes.registry import runtime_by
from advisor.speed.explain import explanation
from advisor.words import say_all
from advisor.words.unconverted import key_words, without_keys

ASKED = "as asked for"  # the note of an assumption that is the user's
KEPT_FREE = "kept free of each device"
_MOST_PRICES = 60
_MOST_EVIDENCE = 8  # rows each for quality and speed
# Told elsewhere or in other words.
_TOLD = {"model", "machine", "context", "users", "requests_per_day", "tokens_in", "tokens_out", "years", "currency"}
_TOLD |= {"country", "margin_percent"}
_CONTINUED = re.compile(r"\s*\\\n\s*")
_COLUMNS = (
    "Level", "Verdict", "File (GB)", "Bits per weight", "Memory (GiB)", "Free (GiB)", "Quality (%)", "Tokens/s",
    "Longest context",
)  # fmt: skip
_OF_ENCODERS = {"Tokens/s": "Inputs/s"}


def appendix_of(answer: Answer, shown: Candidate, link: str) -> Appendix:
    query = answer.question.to_query()
    return Appendix(
        levels=_levels_table(answer),
        assumptions=tuple(replace(fact, note=without_keys(fact.note)) for fact in _assumptions(answer, shown)),
        sources=_sources(answer, shown),
        commands=_commands(answer, shown),
        reproduce=f'python -m advisor report "{query}" report.pdf',
        link=link,
        data_release=data_release(),
        app_version=VERSION,
    )


def _levels_table(answer: Answer) -> Table:
    rows = []
    for candidate in answer.candidates:
        plan, kept = candidate.plan, candidate.kept
        speed = candidate.tokens_per_s if candidate.writes else candidate.inputs_per_s
        rows.append(
            (
                plan.level,
                "offload" if plan.verdict == "fits with offload" else plan.verdict,  # on one line
                f"{plan.sized.file_bytes / 1e9:,.2f}",
                f"{plan.sized.bits_per_weight:.2f}",
                f"{plan.needed_bytes / GIB:,.1f}",
                "–" if plan.free_bytes is None else f"{plan.free_bytes / GIB:,.1f}".replace("-", "−"),
                "–" if kept is None else f"{kept.typical:.1f}",
                # What does not fit does not run.
                "–" if speed is None or plan.verdict == "does not fit" else f"{speed.typical:,.1f}",
                f"{plan.max_context:,}" if plan.max_context else "–",
            )
        )
    levels = [candidate.level for candidate in answer.candidates]
    chosen = None if answer.chosen is None else answer.chosen.level
    return Table(
        columns=_COLUMNS if answer.shown.writes else tuple(_OF_ENCODERS.get(name, name) for name in _COLUMNS),
        rows=tuple(rows),
        right_aligned=(2, 3, 4, 5, 6, 7, 8),
        highlighted=levels.index(chosen) if chosen in levels else None,
    )


def _assumptions(answer: Answer, shown: Candidate) -> tuple[Fact, ...]:
    question, plan = answer.question, shown.plan
    facts = [Fact("Why", f"{shown.level}, {answer.status}", said) for said in say_all(reasons(answer), "report")]
    facts += [*_asked(answer), Fact("Safety margin", f"{exact(question.machine.margin_percent)} %", KEPT_FREE)]
    basis = answer.machine.overhead_basis
    if lines := runtime_by(plan.runtime).memory_lines(plan, basis, basis if not plan.devices else ""):
        for line in lines:
            label = f"{_capital(line.component)}, {line.place}"
            facts.append(Fact(label, f"{gib(line.bytes)}, {line.word}", line.formula))
    else:
        facts.append(Fact("Memory rules", plan.rules or runtime_name(plan.runtime)))
    if plan.verdict == "does not fit":
        return tuple(facts)
    if shown.speed is not None:
        facts += [Fact("Speed", shown.speed.basis, said) for said in say_all(explanation(shown.speed), "report")]
    if shown.quality.note:
        facts.append(Fact("Quality", shown.quality.basis, shown.quality.note))
    facts += [Fact("Quality", shown.quality.basis, said) for said in say_all(shown.quality.remarks, "report")]
    if shown.costs is not None:
        for option in shown.costs.options:
            facts += [Fact(f"{NAMES[option.name]}: {line.label}", str(line.amount), line.how) for line in option.bill]
        facts += [Fact("Costs", "note", note) for note in say_all(shown.costs.notes, "report")]
    return tuple(facts)


def _asked(answer: Answer) -> list[Fact]:
    """What every answer rests on, and then whatever else was chosen."""
    question = answer.question
    by_frontend = {each.key: f"{runtime_name(answer.runtime)}'s default" for each in answer.taken}
    asked = question.costs.load
    load = (
        f"{exact(asked.requests_per_day)} requests a day, each of {asked.tokens_in:,} tokens in and "
        f"{asked.tokens_out:,} out"
    )
    facts = [
        Fact("Context", plural(question.workload.context, "token"), by_frontend.get("context", ASKED)),
        Fact("Users at once", f"{question.workload.users:,}", by_frontend.get("users", ASKED)),
        Fact("Load", load, ASKED),
        Fact("Years of use", str(question.costs.billing.years), ASKED),
        Fact("Currency", question.costs.billing.currency, ASKED),
        Fact("Country of the electricity price", question.costs.power.country, ASKED),
    ]
    return facts + [
        Fact(_capital(key_words(key)), _value(value), ASKED)
        for key, value in question.changed("json").items()
        if key not in _TOLD
    ]


def _value(value: object) -> str:
    return exact(value) if isinstance(value, int | float) else str(value)


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _sources(answer: Answer, shown: Candidate) -> tuple[SourceRow, ...]:
    entry, machine = answer.entry, answer.machine
    rows = [SourceRow(f"Model {entry.name}", source, entry.as_of) for source in entry.sources]
    rows += [
        SourceRow(f"Machine {machine.name}", source, machine.as_of or "")
        for source in (machine.source, machine.second_source)
        if source
    ]
    if shown.plan.verdict == "does not fit":
        return tuple(rows)
    rows += [
        SourceRow(f"Quality: {row.model} at {row.level}", row.source_url, row.as_of)
        for row in shown.quality.evidence[:_MOST_EVIDENCE]
    ]
    rows += [
        SourceRow(
            f"Divergence: {row.name} at {row.level}, {approx(row.kl_divergence)} nats", row.source, row.measured_on
        )
        for row in shown.measured_here[:_MOST_EVIDENCE]
    ]
    if shown.speed is not None:
        rows += [
            SourceRow(
                f"Speed: {row.model} {row.quant} on {row.device}, {row.tokens_per_s:,.1f} tokens/s",
                row.source,
                row.date,
            )
            for row in shown.speed.measurements[:_MOST_EVIDENCE]
        ]
        rows += [
            SourceRow(
                f"Speed: {row.name} {row.level} on {row.speed.cpu}, {row.speed.decode.typical:,.1f} tokens/s",
                row.source,
                row.measured_on,
            )
            for row in shown.measured_speeds[:_MOST_EVIDENCE]
            if row.speed is not None
        ]
    if shown.costs is not None:
        rows += [
            SourceRow(_price_words(price), price.source, _day(price)) for price in shown.costs.prices[:_MOST_PRICES]
        ]
    return tuple(rows)


def _price_words(price: UsedPrice) -> str:
    own = ", given by you" if price.users_own else ""
    return f"{price.label}: {plain(price.value)} {price.currency} {price.unit}".strip() + own


def _day(price: UsedPrice) -> str:
    return "" if price.observed_on is None else price.observed_on.isoformat()


def _commands(answer: Answer, shown: Candidate) -> tuple[Command, ...]:
    try:
        found = commands(launch_of(answer, shown))
    except InputError:
        return ()
    # On one line: a page breaks lines where it must, and a broken continuation could not be pasted.
    return tuple(Command(command.title, _CONTINUED.sub(" ", command.text)) for command in found if command.text)
