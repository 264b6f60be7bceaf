"""The second page, for whoever sets it up: memory of the levels that come into question, the choices, the commands."""

from __future__ import annotations

from collections.abc import Iterator

from advisor.answer.answer import Answer
from advisor.answer.candidate import Candidate
from advisor.answer.choices import Choice, choices
from advisor.answer.option import Option
from advisor.answer.other_models import other_model
from advisor.answer.plans import runtime_name
from advisor.answer.reasons import next_better
from advisor.answer.recommendation import Recommendation
from advisor.answer.run_it import ways_to_run
from advisor.foundation.units import GIB
from advisor.report.document import ChoiceCard, Command, Fact, MemoryBar, MemoryChart
from advisor.report.named import STATUS_TONES, VERDICT_TONES, role_word, status_word
from advisor.sizing.plan import DeviceMemory, Plan
from advisor.words import say, told
from advisor.words.written import gib, rough

_USUAL = "Q4_K_M"


def about_of(found: Recommendation) -> str:
    """What the pages after the first are about, where that names another model or an API."""
    asked = found.asked
    if found.is_another:
        return told(
            "The pages from here on are about {model} on {machine}, which was asked for; of {other} only its memory, "
            "its card and its commands are shown.",
            model=asked.entry.name,
            machine=asked.machine_name,
            other=found.about.entry.name,
        )
    if found.way == "api" and found.runs:
        return told(
            "The pages from here on are about running {model} on {machine}, should you do that rather than pay an API.",
            model=asked.entry.name,
            machine=asked.machine_name,
        )
    return ""


def memory_of(found: Answer) -> MemoryChart:
    """The level that is chosen, or comes nearest, and what it is compared with: largest first."""
    plan = found.shown.plan
    held = fullest(plan)
    return MemoryChart(
        where=told("on the fullest of {count} devices", count=len(plan.devices))
        if len(plan.devices) > 1
        else told("on {device}", device=held.name),
        bars=tuple(sorted(_bars(found), key=lambda bar: -bar.total_gib)),
        capacity_gib=None if held.capacity_bytes is None else held.capacity_bytes / GIB,
        margin_percent=found.question.machine.margin_percent,
        recommended=None if found.chosen is None else plan.level,
    )


def _bars(found: Answer) -> Iterator[MemoryBar]:
    shown, usual = found.shown.plan, _usual(found)
    better: Option | None = next_better(found)
    yield _bar(shown, shown.level, told("nearest") if found.chosen is None else told("chosen"))
    if better is not None:
        yield _bar(better.plan, better.plan.level, told("next better"))
    if usual is not None and usual.level not in (shown.level, None if better is None else better.plan.level):
        yield _bar(usual, usual.level, told("most common"))
    if (other := other_model(found)) is not None:
        there = other.found.shown.plan
        name = told("{model} as {level}", model=other.entry.name, level=there.level)
        yield _bar(there, name, "")


def _usual(found: Answer) -> Plan | None:
    return next((plan for plan in found.plans if plan.level == _USUAL), None)


def fullest(plan: Plan) -> DeviceMemory:
    """The device with least room."""
    return min(plan.devices, key=lambda device: device.free_bytes or 0, default=plan.host)


def _bar(plan: Plan, level: str, note: str) -> MemoryBar:
    held = fullest(plan)
    return MemoryBar(
        level=level,
        weights_gib=held.weights_bytes / GIB,
        kv_cache_gib=held.kv_cache_bytes / GIB,
        compute_gib=held.compute_bytes / GIB,
        overhead_gib=(held.overhead_bytes + held.other_bytes) / GIB,
        verdict=plan.verdict,
        tone=VERDICT_TONES[plan.verdict],
        note=note,
    )


def cards_of(found: Answer) -> tuple[ChoiceCard, ...]:
    """The plan that is decided for, where one is, and the choices beside it."""
    chosen = () if found.chosen is None else (_card(told("Chosen"), found.decided, found.shown.level, ""),)
    return (*chosen, *(_of_choice(found, one) for one in choices(found)))


def _of_choice(found: Answer, choice: Choice) -> ChoiceCard:
    level = choice.option.candidate.level
    other = choice.found is not found
    name = told("{model} as {level}", model=choice.found.entry.name, level=level) if other else level
    return _card(role_word(choice.role), choice.option, name, say(choice.gain, "report"))


def _card(role: str, option: Option, name: str, gain: str) -> ChoiceCard:
    return ChoiceCard(
        role=role,
        name=name,
        status=status_word(option.status),
        tone=STATUS_TONES[option.status],
        figures=tuple(_figures(option.candidate)),
        gain=gain,
    )


def _figures(one: Candidate) -> Iterator[Fact]:
    yield Fact(told("Engine"), runtime_name(one.plan.runtime))
    if one.kept is not None and one.writes:
        yield Fact(told("Quality kept"), told("{kept:.1f} %", kept=min(one.kept.typical, 100)))
    if one.tokens_per_s is not None and one.writes:
        yield Fact(told("Tokens/s"), rough(one.tokens_per_s.typical))
    yield Fact(told("Memory"), gib(one.plan.needed_bytes))
    if one.plan.max_context:
        yield Fact(told("Longest context"), told("{context:,} tokens", context=one.plan.max_context))


def start_of(found: Recommendation) -> tuple[Command, ...]:
    """The lines that fetch and start what is to be run; () where nothing is, or its engine has none."""
    if not found.runs:
        return ()
    shown = found.about.shown
    for way in ways_to_run(found.about, shown):
        if way.runtime == shown.plan.runtime and way.runs:
            return tuple(Command(say(one.title), " ".join(one.text.split("\\\n"))) for one in way.lines)
    return ()
