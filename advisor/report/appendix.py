"""The appendix of a report: what an engineer needs to check and to repeat the answer."""

from __future__ import annotations

import re
from decimal import Decimal

from advisor.answer.answer import Answer
from advisor.answer.candidate import Candidate
from advisor.answer.launching import launch_of
from advisor.answer.plans import runtime_name
from advisor.answer.reasons import reasons
from advisor.costs.money import UsedPrice
from advisor.costs.options import Option
from advisor.costs.staircase import Line
from advisor.foundation.data_release import data_release
from advisor.foundation.errors import InputError
from advisor.foundation.message import NOTHING, fact
from advisor.foundation.units import GIB
from advisor.foundation.version import VERSION
from advisor.report.cost_section import NAMES
from advisor.report.document import Appendix, Command, Fact, SourceRow, Table
from advisor.report.how_right import how_right
from advisor.report.named import basis_word, status_inside, verdict_word
from advisor.runtimes.commands import commands
from advisor.runtimes.registry import runtime_by
from advisor.speed.explain import explanation
from advisor.words import label, say, say_all, to_tell, told
from advisor.words.written import amount, exact, gib, number

ASKED = to_tell("as asked for")  # the note of an assumption that is the user's
KEPT_FREE = to_tell("kept free of each device")
_MOST_PRICES = 60
_MOST_EVIDENCE = 8  # rows each for quality and speed
# Told elsewhere or in other words.
_TOLD = {"model", "machine", "context", "users", "requests_per_day", "tokens_in", "tokens_out", "years", "currency"}
_TOLD |= {"country", "margin_percent"}
_CONTINUED = re.compile(r"\s*\\\n\s*")
_COLUMNS = (
    to_tell("Level"),
    to_tell("Verdict"),
    to_tell("File (GB)"),
    to_tell("Bits per weight"),
    to_tell("Memory (GiB)"),
    to_tell("Free (GiB)"),
    to_tell("Quality (%)"),
    to_tell("Tokens/s"),
    to_tell("Longest context"),
)
_OF_ENCODERS = {"Tokens/s": to_tell("Inputs/s")}


def appendix_of(answer: Answer, shown: Candidate, link: str) -> Appendix:
    query = answer.question.to_query()
    return Appendix(
        levels=_levels_table(answer),
        assumptions=_assumptions(answer, shown),
        sources=_sources(answer, shown),
        commands=_commands(answer, shown),
        reproduce=f'python -m advisor report "{query}" report.pdf',
        link=link,
        data_release=data_release(),
        app_version=VERSION,
        how_right=how_right(),
    )


def _levels_table(answer: Answer) -> Table:
    rows = []
    for candidate in answer.candidates:
        plan, kept = candidate.plan, candidate.kept
        speed = candidate.tokens_per_s if candidate.writes else candidate.inputs_per_s
        rows.append(
            (
                plan.level,
                told("offload") if plan.verdict == "fits with offload" else verdict_word(plan.verdict),  # on one line
                number(plan.sized.file_bytes / 1e9, ",.2f"),
                number(plan.sized.bits_per_weight, ".2f"),
                number(plan.needed_bytes / GIB, ",.1f"),
                "–" if plan.free_bytes is None else number(plan.free_bytes / GIB, ",.1f").replace("-", "−"),
                "–" if kept is None else number(kept.typical, ".1f"),
                # What does not fit does not run.
                "–" if speed is None or plan.verdict == "does not fit" else number(speed.typical, ",.1f"),
                number(plan.max_context, ",") if plan.max_context else "–",
            )
        )
    levels = [candidate.level for candidate in answer.candidates]
    chosen = None if answer.chosen is None else answer.chosen.level
    return Table(
        columns=tuple(told(name if answer.shown.writes else _OF_ENCODERS.get(name, name)) for name in _COLUMNS),
        rows=tuple(rows),
        right_aligned=(2, 3, 4, 5, 6, 7, 8),
        highlighted=levels.index(chosen) if chosen in levels else None,
    )


def _assumptions(answer: Answer, shown: Candidate) -> tuple[Fact, ...]:
    question, plan = answer.question, shown.plan
    facts = [
        Fact(told("Why"), f"{shown.level}, {status_inside(answer.status)}", said)
        for said in say_all(reasons(answer), "report")
    ]
    facts += [
        *_asked(answer),
        Fact(told("Safety margin"), f"{exact(question.machine.margin_percent)} %", told(KEPT_FREE)),
    ]
    basis = answer.machine.overhead_basis
    if lines := runtime_by(plan.runtime).memory_lines(plan, basis, basis if not plan.devices else NOTHING):
        for line in lines:
            label = f"{_capital(say(line.part))}, {line.place}"
            facts.append(Fact(label, f"{gib(line.bytes)}, {say(line.certainty)}", say(line.formula)))
    else:
        facts.append(Fact(told("Memory rules"), plan.rules or runtime_name(plan.runtime)))
    if plan.verdict == "does not fit":
        return tuple(facts)
    if shown.speed is not None:
        facts += [
            Fact(told("Speed"), basis_word(shown.speed.basis), said)
            for said in say_all(explanation(shown.speed), "report")
        ]
    quality = shown.quality
    if quality.notes:
        facts.append(Fact(told("Quality"), basis_word(quality.basis), " ".join(say_all(quality.notes, "report"))))
    facts += [Fact(told("Quality"), basis_word(quality.basis), said) for said in say_all(quality.remarks, "report")]
    if shown.costs is not None:
        for option in shown.costs.options:
            facts += [_bill_line(option, line, shown.costs.currency) for line in option.bill]
        facts += [Fact(told("Costs"), told("note"), note) for note in say_all(shown.costs.notes, "report")]
    return tuple(facts)


def _asked(answer: Answer) -> list[Fact]:
    """What every answer rests on, and then whatever else was chosen."""
    question = answer.question
    by_frontend = {each.key: told("{runtime}'s default", runtime=runtime_name(answer.runtime)) for each in answer.taken}
    asked = question.costs.load
    load = told(
        "{requests_per_day:exact} requests a day, each of {tokens_in:,} tokens in and {tokens_out:,} out",
        requests_per_day=asked.requests_per_day,
        tokens_in=asked.tokens_in,
        tokens_out=asked.tokens_out,
    )
    facts = [
        Fact(
            told("Context"), say(fact("tokens", n=question.workload.context)), by_frontend.get("context", told(ASKED))
        ),
        Fact(told("Users at once"), number(question.workload.users, ","), by_frontend.get("users", told(ASKED))),
        Fact(told("Load"), load, told(ASKED)),
        Fact(told("Years of use"), str(question.costs.billing.years), told(ASKED)),
        Fact(told("Currency"), question.costs.billing.currency, told(ASKED)),
        Fact(told("Country of the electricity price"), question.costs.power.country, told(ASKED)),
    ]
    return facts + [
        Fact(label(key), _value(value), told(ASKED)) for key, value in question.changed().items() if key not in _TOLD
    ]


def _value(value: object) -> str:
    return exact(value) if isinstance(value, int | float) else told("{value:table}", value=str(value))


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _sources(answer: Answer, shown: Candidate) -> tuple[SourceRow, ...]:
    entry, machine = answer.entry, answer.machine
    rows = [SourceRow(told("Model {entry}", entry=entry.name), source, entry.as_of) for source in entry.sources]
    rows += [
        SourceRow(told("Machine {machine}", machine=machine.name), source, machine.as_of or "")
        for source in (machine.source or told("your input"), machine.second_source)
        if source
    ]
    if shown.plan.verdict == "does not fit":
        return tuple(rows)
    rows += [
        SourceRow(told("Quality: {model} at {level}", model=row.model, level=row.level), row.source_url, row.as_of)
        for row in shown.quality.evidence[:_MOST_EVIDENCE]
    ]
    rows += [
        SourceRow(
            told(
                "Divergence: {model} at {level}, {kl_divergence:approx} nats",
                model=row.name,
                level=row.level,
                kl_divergence=row.kl_divergence,
            ),
            row.source,
            row.measured_on,
        )
        for row in shown.measured_here[:_MOST_EVIDENCE]
    ]
    if shown.speed is not None:
        rows += [
            SourceRow(
                told(
                    "Speed: {model} {quant} on {device}, {tokens_per_s:,.1f} tokens/s",
                    model=row.model,
                    quant=row.quant,
                    device=row.device,
                    tokens_per_s=row.tokens_per_s,
                ),
                row.source,
                row.date,
            )
            for row in shown.speed.measurements[:_MOST_EVIDENCE]
        ]
        rows += [
            SourceRow(
                told(
                    "Speed: {model} {level} on {cpu}, {typical:,.1f} tokens/s",
                    model=row.name,
                    level=row.level,
                    cpu=row.speed.cpu,
                    typical=row.speed.decode.typical,
                ),
                row.source,
                row.measured_on,
            )
            for row in shown.measured_speeds[:_MOST_EVIDENCE]
            if row.speed is not None
        ]
    if shown.costs is not None:
        rows += [
            SourceRow(_price_words(price), price.source or told("your input"), _day(price))
            for price in shown.costs.prices[:_MOST_PRICES]
        ]
    return tuple(dict.fromkeys(rows))  # several figures of one page are one source


def _bill_line(option: Option, line: Line, currency: str) -> Fact:
    label = told("{way}: {line}", way=told(NAMES[option.name]), line=say(line.label, "report"))
    return Fact(label, amount(number(line.amount, ",.2f"), currency), say(line.how, "report"))


def _price_words(price: UsedPrice) -> str:
    value = _price_in_digits(price.value) if price.currency else exact(float(price.value))
    said = amount(value, price.currency) if price.currency else value
    each = "" if price.unit.kind == "unit_ratio" else say(price.unit, "report")
    what = told("{label}: {value}", label=say(price.label, "report"), value=f"{said} {each}".rstrip())
    return what + (told(", given by you") if price.users_own else "")


def _price_in_digits(value: Decimal) -> str:
    """All its digits: whole, or with two decimals at least."""
    decimals = -int(value.normalize().as_tuple().exponent)
    return number(value, f",.{max(2, decimals)}f" if decimals > 0 else ",.0f")


def _day(price: UsedPrice) -> str:
    if price.users_own:
        return ""
    return told("no date") if price.as_of is None else price.as_of.isoformat()


def _commands(answer: Answer, shown: Candidate) -> tuple[Command, ...]:
    try:
        found = commands(launch_of(answer, shown))
    except InputError:
        return ()
    # On one line: a page breaks lines where it must, and a broken continuation could not be pasted.
    return tuple(Command(say(command.title), _CONTINUED.sub(" ", command.text)) for command in found if command.text)
