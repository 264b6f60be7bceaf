"""The first thing that anybody sees: what to run, how good that is, and what it takes, as one piece of HTML."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from advisor.answer.answer import Answer
from advisor.answer.candidate import Candidate
from advisor.answer.policy import GOOD_BITS, GOOD_PERCENT, GOOD_TOKENS_PER_S, LEAST_BITS, READING_TOKENS_PER_S
from advisor.answer.reasons import reasons
from advisor.answer.spill import fullest_card
from advisor.answer.status import Status
from advisor.answer.verdict import leading, verdict
from advisor.costs.options import Option
from advisor.foundation.numbers import money, rough, span
from advisor.foundation.units import gib
from advisor.quality.tasks import task_name
from advisor.question.question import FIELDS
from advisor.sizing.plan import DeviceMemory
from advisor.ui.legend import BASIS_SIGNS, BASIS_WORDS, NAMES
from advisor.ui.parts.html import Tile, badge, go, question_href, tile_list, words
from advisor.ui.parts.text import tokens, users
from advisor.words import say, say_all

# What each status promises, or what is missing.
_FLOORS: dict[Status, str] = {
    "good": f"{GOOD_BITS:.0f} bits or more, keeps {GOOD_PERCENT:.0f} %, {GOOD_TOKENS_PER_S:.0f} tokens/s or more",
    "limited": f"{LEAST_BITS:.0f} bits, a tight fit, or {READING_TOKENS_PER_S:.0f} to {GOOD_TOKENS_PER_S:.0f} tokens/s",
    "slow": f"under {READING_TOKENS_PER_S:.0f} tokens/s, slower than people read",
    "last resort": f"keeps under {GOOD_PERCENT:.0f} %, under {LEAST_BITS:.0f} bits, or hardly moves",
    "does not fit": "needs more memory than there is",
    "not as asked": "breaks a requirement",
}
_WHOLE_BITS = 15.0  # from here on nothing is compressed


def card(answer: Answer) -> str:
    """The verdict as HTML."""
    instead = leading(answer)
    shown = answer.shown if instead is None else instead.found.shown
    about = answer if instead is None else instead.found
    runs = about.chosen is not None
    asked = f"{tokens(answer.runs.workload.context)} of context, {users(answer.runs.workload.users)}"
    if not runs:
        head = "Nothing runs as asked"
    else:
        head = f"Run it as {shown.level}" if instead is None else f"Run {instead.entry.name} as {shown.level}"
    return "".join(
        (
            '<section class="card verdict answer" aria-label="The decision">',
            f'<p class="dim">{escape(f"{answer.entry.name} on {answer.machine_name} · {asked}")}</p>',
            f"<h1>{escape(head)} {badge(about.status)}</h1>",
            f'<p class="dim floor">{words(_gloss(about, shown) if runs else _floor(about.status))}</p>',
            f'<p class="say">{words(say(verdict(answer), "page"))}</p>',
            "" if instead is None else _ask_instead(answer),
            tile_list(tiles(about, shown)) if runs else "",
            _why(answer),
            "</section>",
        )
    )


def _floor(status: Status) -> str:
    return f"{status.capitalize()}: {_FLOORS[status]}."


def _gloss(about: Answer, shown: Candidate) -> str:
    """What the level's name means, and what the status does."""
    bits = shown.plan.sized.bits_per_weight
    meaning = "not compressed" if bits >= _WHOLE_BITS else f"each weight in about {bits:.1f} bits"
    return f"{shown.level}: {meaning}. {_floor(about.status)}"


def tiles(about: Answer, shown: Candidate) -> Iterator[Tile]:
    """Quality, speed, memory place by place, and money, each with its range where it is an estimate."""
    if shown.writes:
        yield _quality(shown)
    yield _speed(about, shown)
    yield _memory(about, shown)
    yield _cost(about, shown)


def _quality(shown: Candidate) -> Tile:
    kept, basis = shown.kept, shown.quality.basis
    label = "Quality kept" if shown.task == FIELDS["task"].default else f"Quality kept, {say(task_name(shown.task))}"
    if kept is None:
        return Tile(label, "not known", "no measurement tells")
    rests = f"{BASIS_SIGNS[basis]} {BASIS_WORDS[basis]}" if basis in BASIS_WORDS else ""
    if kept.low == kept.high:
        return Tile(label, f"{min(kept.typical, 100):.1f} %", "the original itself")
    between = f"{kept.low:.0f} to {min(kept.high, 100):.0f} %"
    return Tile(label, f"{min(kept.typical, 100):.1f} %", " · ".join(filter(None, (between, rests))))


def _speed(about: Answer, shown: Candidate) -> Tile:
    speed = shown.tokens_per_s if shown.writes else shown.inputs_per_s
    unit = "tokens/s" if shown.writes else "inputs/s"
    each = ", each user" if about.runs.workload.users > 1 else ""
    if speed is None:
        if fullest_card(shown.plan, about.hardware) is not None:
            return Tile(f"Speed{each}", "not said", "the card is nearly full")
        return Tile(f"Speed{each}", "not known", "the bandwidth is not known")
    return Tile(f"Speed{each}", f"{rough(speed.typical)} {unit}", span(speed, rough))


def _memory(about: Answer, shown: Candidate) -> Tile:
    plan = shown.plan
    devices = plan.devices
    if not devices:
        return Tile("Memory", gib(plan.host.needed_bytes), f"of {_known(plan.host)}RAM")
    held = gib(plan.host.needed_bytes) if plan.host.needed_bytes else ""
    if about.machine.unified:  # one memory: what the CPU holds lies in the same
        where, host = " that its GPU may use", f", and {held} beside it"
    else:
        where = f" on {len(devices)} cards" if len(devices) > 1 else ""
        host = f", and {held} of {_known(plan.host)}RAM"
    capacity = gib(sum(device.capacity_bytes or 0 for device in devices))
    needed = gib(sum(device.needed_bytes for device in devices))
    return Tile("Memory", needed, f"of {capacity}{where}{host if held else ''}")


def _known(place: DeviceMemory) -> str:
    return "" if place.capacity_bytes is None else f"{gib(place.capacity_bytes)} of "


def _cost(about: Answer, shown: Candidate) -> Tile:
    costs = shown.costs
    best = None if costs is None else costs.best(about.question.requirements.own_hardware)
    if costs is None or best is None:
        return Tile("Cost a month", "not known", "fewer than two ways have a price")
    which = "Cost" if about.question.requirements.own_hardware else "Cheapest"
    others = ", ".join(f"{_way(one)} {money(one.monthly.typical)}" for one in costs.options if one is not best)
    note = f"{span(best.monthly, money)}; {others}"
    return Tile(f"{which} a month: {_way(best)}", f"{money(best.monthly.typical)} {costs.currency}", note)


def _way(option: Option) -> str:
    return NAMES[option.name] if option.name == "api" else NAMES[option.name].lower()


def _ask_instead(answer: Answer) -> str:
    """The model that was asked for, and a link to the same question about the one that leads."""
    instead = leading(answer)
    if instead is None:
        return ""
    what = answer.shown.level if answer.chosen is not None else "nothing runs as asked"
    link = go(question_href(instead.found.question.to_query()), f"Ask the same about {instead.entry.name}")
    return f"<p><b>{escape(f'{answer.entry.name} itself: {what}')}</b> {badge(answer.status)} · {link}</p>"


def _why(answer: Answer) -> str:
    """The first reason, the others behind a fold; all behind it where they are about another model than the figures."""
    found = [f"<li>{words(sentence)}</li>" for sentence in say_all(reasons(answer), "page")]
    other = leading(answer) is not None
    shown, more = ([], found) if other else (found[:1], found[1:])
    title = f"About {answer.entry.name}" if other else "More reasons"
    first = f'<ul class="why">{"".join(shown)}</ul>' if shown else ""
    if not more:
        return first
    return f'{first}<details><summary>{escape(title)}</summary><ul class="why">{"".join(more)}</ul></details>'
