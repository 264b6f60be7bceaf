"""The first thing that anybody sees: what to run, how good that is, and what it takes, as one piece of HTML."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from advisor.answer.answer import Answer
from advisor.answer.candidate import Candidate
from advisor.answer.policy import GOOD_BITS, GOOD_PERCENT, GOOD_TOKENS_PER_S, LEAST_BITS, READING_TOKENS_PER_S
from advisor.answer.reasons import reasons
from advisor.answer.status import Status
from advisor.answer.verdict import leading, verdict
from advisor.foundation.numbers import approx, money, span
from advisor.foundation.units import gib
from advisor.quality.tasks import task_name
from advisor.sizing.plan import DeviceMemory, Plan
from advisor.ui.legend import NAMES
from advisor.ui.parts.html import badge, go, question_href
from advisor.ui.parts.text import tokens, users
from advisor.words import say, say_all

_FIRST_REASONS = 3
# What each status promises, or what is missing.
_FLOORS: dict[Status, str] = {
    "good": f"{GOOD_BITS:.0f} bits or more, keeps {GOOD_PERCENT:.0f} %, {GOOD_TOKENS_PER_S:.0f} tokens/s or more",
    "limited": f"{LEAST_BITS:.0f} bits, a tight fit, or {READING_TOKENS_PER_S:.0f} to {GOOD_TOKENS_PER_S:.0f} tokens/s",
    "slow": f"under {READING_TOKENS_PER_S:.0f} tokens/s, slower than people read",
    "last resort": f"keeps under {GOOD_PERCENT:.0f} %, under {LEAST_BITS:.0f} bits, or hardly moves",
    "does not fit": "needs more memory than there is",
    "not as asked": "breaks a requirement",
}


@dataclass(frozen=True)
class Tile:
    """A figure with what it is and its range."""

    label: str
    value: str
    note: str


def card(answer: Answer) -> str:
    """The verdict as HTML."""
    instead = leading(answer)
    shown = answer.shown if instead is None else instead.found.shown
    about = answer if instead is None else instead.found
    runs = about.chosen is not None
    asked = f"{tokens(answer.runs.workload.context)} of context, {users(answer.runs.workload.users)}"
    head = shown.level if runs else "Nothing runs as asked"
    name = "" if instead is None else f"{instead.entry.name}: "
    return "".join(
        (
            '<section class="card verdict answer" aria-label="The decision">',
            f'<p class="dim">{escape(f"{answer.entry.name} on {answer.machine_name} · {asked}")}</p>',
            f"<h1>{escape(f'{name}{head}')} {badge(about.status)}</h1>",
            f'<p class="dim floor">{escape(about.status.capitalize())}: {escape(_FLOORS[about.status])}.</p>',
            f'<p class="say">{escape(say(verdict(answer), "page"))}</p>',
            "" if instead is None else _ask_instead(answer),
            _tiles(tiles(about, shown)) if runs else "",
            _why(answer),
            "</section>",
        )
    )


def tiles(about: Answer, shown: Candidate) -> Iterator[Tile]:
    """Quality, speed, memory place by place, and money, each with its range where it is an estimate."""
    if shown.writes:
        kept = shown.kept
        yield Tile(
            f"Quality kept, {say(task_name(shown.task))}",
            "not known" if kept is None else f"{min(kept.typical, 100):.1f} %",
            "no measurement tells" if kept is None else f"{kept.low:.0f} to {min(kept.high, 100):.0f} %",
        )
    yield _speed(about, shown)
    yield _memory(shown.plan)
    yield _cost(about, shown)


def _speed(about: Answer, shown: Candidate) -> Tile:
    speed = shown.tokens_per_s if shown.writes else shown.inputs_per_s
    unit = "tokens/s" if shown.writes else "inputs/s"
    each = ", each user" if about.runs.workload.users > 1 else ""
    if speed is None:
        return Tile(f"Speed{each}", "not known", "the bandwidth is not known")
    return Tile(f"Speed{each}", f"{approx(speed.typical)} {unit}", span(speed))


def _memory(plan: Plan) -> Tile:
    devices = plan.devices
    if not devices:
        return Tile("Memory", gib(plan.host.needed_bytes), _of(plan.host))
    host = f"; host {gib(plan.host.needed_bytes)}{_known(plan.host)}" if plan.host.needed_bytes else ""
    where = f"of {len(devices)} devices" if len(devices) > 1 else "of the device"
    capacity = sum(device.capacity_bytes or 0 for device in devices)
    return Tile("Memory", gib(sum(device.needed_bytes for device in devices)), f"of {gib(capacity)} {where}{host}")


def _of(place: DeviceMemory) -> str:
    return "of the host" if place.capacity_bytes is None else f"of {gib(place.capacity_bytes)}"


def _known(place: DeviceMemory) -> str:
    return "" if place.capacity_bytes is None else f" of {gib(place.capacity_bytes)}"


def _cost(about: Answer, shown: Candidate) -> Tile:
    costs = shown.costs
    best = None if costs is None else costs.best(about.question.requirements.own_hardware)
    if costs is None or best is None:
        return Tile("Cost a month", "not known", "fewer than two ways have a price")
    name = f"Cost a month: {NAMES[best.name].lower() if best.name != 'api' else 'API'}"
    return Tile(name, f"{money(best.monthly.typical)} {costs.currency}", f"{span(best.monthly, money)}; see Cost")


def _tiles(found: Iterator[Tile]) -> str:
    drawn = (
        f"<div><dt>{escape(one.label)}</dt><dd>{escape(one.value)}<small>{escape(one.note)}</small></dd></div>"
        for one in found
    )
    return f'<dl class="tiles">{"".join(drawn)}</dl>'


def _ask_instead(answer: Answer) -> str:
    """The model that was asked for, and a link to the same question about the one that leads."""
    instead = leading(answer)
    if instead is None:
        return ""
    what = answer.shown.level if answer.chosen is not None else "nothing runs as asked"
    link = go(question_href(instead.found.question.to_query()), f"Ask the same about {instead.entry.name}")
    return f"<p><b>{escape(f'{answer.entry.name} itself: {what}')}</b> {badge(answer.status)} · {link}</p>"


def _why(answer: Answer) -> str:
    found = [f"<li>{escape(sentence)}</li>" for sentence in say_all(reasons(answer), "page")]
    first, more = "".join(found[:_FIRST_REASONS]), "".join(found[_FIRST_REASONS:])
    behind = f'<details><summary>More reasons</summary><ul class="why">{more}</ul></details>' if more else ""
    return f'<ul class="why">{first}</ul>{behind}'
