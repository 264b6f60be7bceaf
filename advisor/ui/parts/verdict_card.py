"""The first thing that anybody sees: what to run, how good that is, and what it takes, as one piece of HTML."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from advisor.answer.answer import Answer
from advisor.answer.candidate import Candidate
from advisor.answer.other_models import at_another_level
from advisor.answer.policy import GOOD_BITS, GOOD_PERCENT, GOOD_TOKENS_PER_S, LEAST_BITS, READING_TOKENS_PER_S
from advisor.answer.reasons import reasons
from advisor.answer.spill import fullest_card
from advisor.answer.status import Status
from advisor.answer.verdict import leading, verdict
from advisor.costs.options import Option
from advisor.quality.tasks import task_name
from advisor.question.question import FIELDS
from advisor.report.named import status_word
from advisor.sizing.plan import DeviceMemory
from advisor.ui.legend import BASIS_SIGNS, BASIS_WORDS
from advisor.ui.parts.html import Tile, badge, go, question_href, tile_list, words
from advisor.ui.parts.text import tokens, users
from advisor.words import say, say_all, to_tell, told
from advisor.words.written import amount, gib, money, number, rough, span

# What each status promises, or what is missing.
_FLOORS: dict[Status, str] = {
    "good": to_tell("{good_bits:.0f} bits or more, keeps {good_percent:.0f} %, {good_speed:.0f} tokens/s or more"),
    "limited": to_tell("{least_bits:.0f} bits, a tight fit, or {reading_speed:.0f} to {good_speed:.0f} tokens/s"),
    "slow": to_tell("under {reading_speed:.0f} tokens/s, slower than people read"),
    "last resort": to_tell("keeps under {good_percent:.0f} %, under {least_bits:.0f} bits, or hardly moves"),
    "does not fit": to_tell("needs more memory than there is"),
    "not as asked": to_tell("breaks a requirement"),
}
_LIMITS: dict[str, float] = {
    "good_bits": GOOD_BITS,
    "good_percent": GOOD_PERCENT,
    "good_speed": GOOD_TOKENS_PER_S,
    "least_bits": LEAST_BITS,
    "reading_speed": READING_TOKENS_PER_S,
}
_WAYS = {"own": to_tell("own"), "rent": to_tell("rent"), "api": to_tell("API")}
_WHOLE_BITS = 15.0  # from here on nothing is compressed


def card(answer: Answer) -> str:
    """The verdict as HTML."""
    instead = leading(answer)
    shown = answer.shown if instead is None else instead.found.shown
    about = answer if instead is None else instead.found
    runs = about.chosen is not None
    if not runs:
        head = told("Nothing runs as asked")
    elif instead is None:
        head = told("Run it as {level}", level=shown.level)
    else:
        head = told("Run {model} as {level}", model=instead.entry.name, level=shown.level)
    return "".join(
        (
            f'<section class="card verdict answer" aria-label="{escape(told("The decision"), quote=True)}">',
            f'<p class="dim">{escape(_asked(answer))}</p>',
            f"<h1>{escape(head)} {badge(about.status)}</h1>",
            f'<p class="dim floor">{words(_gloss(about, shown) if runs else _floor(about.status))}</p>',
            f'<p class="say">{words(say(verdict(answer), "page"))}</p>',
            _ask_instead(answer),
            tile_list(tiles(about, shown)) if runs else "",
            _why(answer),
            "</section>",
        )
    )


def _asked(answer: Answer) -> str:
    work = answer.runs.workload
    return told(
        "{model} on {machine} · {tokens} of context, {users}",
        model=answer.entry.name,
        machine=answer.machine_name,
        tokens=tokens(work.context),
        users=users(work.users),
    )


def _floor(status: Status) -> str:
    floor = told(_FLOORS[status], **{name: limit for name, limit in _LIMITS.items() if f"{{{name}:" in _FLOORS[status]})
    return told("{name}: {words}.", name=status_word(status), words=floor)


def _gloss(about: Answer, shown: Candidate) -> str:
    """What the level's name means, and what the status does."""
    bits = shown.plan.sized.bits_per_weight
    meaning = told("not compressed") if bits >= _WHOLE_BITS else told("each weight in about {bits:.1f} bits", bits=bits)
    return told("{name}: {words}.", name=shown.level, words=meaning) + f" {_floor(about.status)}"


def tiles(about: Answer, shown: Candidate) -> Iterator[Tile]:
    """Quality, speed, memory place by place, and money, each with its range where it is an estimate."""
    if shown.writes:
        yield _quality(shown)
    yield _speed(about, shown)
    yield _memory(about, shown)
    yield _cost(about, shown)


def _quality(shown: Candidate) -> Tile:
    kept, basis = shown.kept, shown.quality.basis
    of_all = shown.task == FIELDS["task"].default
    label = told("Quality kept") if of_all else told("Quality kept, {task}", task=say(task_name(shown.task)))
    if kept is None:
        return Tile(label, told("not known"), told("no measurement tells"))
    rests = f"{BASIS_SIGNS[basis]} {told(BASIS_WORDS[basis])}" if basis in BASIS_WORDS else ""
    if shown.quality.of_original:
        rests = told("the original itself, with a smaller KV cache")
    share = f"{number(min(kept.typical, 100), '.1f')} %"
    if kept.low == kept.high:
        return Tile(label, share, told("the original itself"))
    between = told("{low:.0f} to {high:.0f} %", low=kept.low, high=min(kept.high, 100))
    return Tile(label, share, " · ".join(filter(None, (between, rests))))


def _speed(about: Answer, shown: Candidate) -> Tile:
    speed = shown.tokens_per_s if shown.writes else shown.inputs_per_s
    unit = told("tokens/s") if shown.writes else told("inputs/s")
    label = told("Speed, each user") if about.runs.workload.users > 1 else told("Speed")
    if speed is None:
        if fullest_card(shown.plan, about.hardware) is not None:
            return Tile(label, told("not said"), told("the card is nearly full"))
        return Tile(label, told("not known"), told("the bandwidth is not known"))
    return Tile(label, f"{rough(speed.typical)} {unit}", span(speed, rough))


def _memory(about: Answer, shown: Candidate) -> Tile:
    plan = shown.plan
    devices = plan.devices
    if not devices:
        return Tile(told("Memory"), gib(plan.host.needed_bytes), told("of {ram}", ram=_ram(plan.host)))
    held = plan.host.needed_bytes
    capacity = sum(device.capacity_bytes or 0 for device in devices)
    if about.machine.unified:  # one memory: what the CPU holds lies in the same
        where = told("of {capacity:gib} that its GPU may use", capacity=capacity)
        host = told(", and {held:gib} beside it", held=held)
    else:
        cards = len(devices)
        where = (
            told("of {capacity:gib} on {cards} cards", capacity=capacity, cards=cards)
            if cards > 1
            else told("of {capacity:gib}", capacity=capacity)
        )
        host = told(", and {held:gib} of {ram}", held=held, ram=_ram(plan.host))
    needed = gib(sum(device.needed_bytes for device in devices))
    return Tile(told("Memory"), needed, f"{where}{host if held else ''}")


def _ram(place: DeviceMemory) -> str:
    return told("RAM") if place.capacity_bytes is None else told("{size:gib} of RAM", size=place.capacity_bytes)


def _cost(about: Answer, shown: Candidate) -> Tile:
    costs = shown.costs
    best = None if costs is None else costs.best(about.question.requirements.own_hardware)
    if costs is None or best is None:
        return Tile(told("Cost a month"), told("not known"), told("fewer than two ways have a price"))
    label = (
        told("Cost a month: {way}", way=_way(best))
        if about.question.requirements.own_hardware
        else told("Cheapest a month: {way}", way=_way(best))
    )
    others = ", ".join(f"{_way(one)} {money(one.monthly.typical)}" for one in costs.options if one is not best)
    note = f"{span(best.monthly, money)}; {others}"
    return Tile(label, amount(money(best.monthly.typical), costs.currency), note)


def _way(option: Option) -> str:
    return told(_WAYS[option.name])


def _ask_instead(answer: Answer) -> str:
    """A link to what runs instead: the model that leads, beside the one that was asked for, or its other level."""
    if (there := at_another_level(answer)) is not None:
        return f"<p>{go(question_href(there.question.to_query()), told('Leave the level open'))}</p>"
    instead = leading(answer)
    if instead is None:
        return ""
    what = answer.shown.level if answer.chosen is not None else told("nothing runs as asked")
    itself = told("{model} itself: {what}", model=answer.entry.name, what=what)
    link = go(
        question_href(instead.found.question.to_query()), told("Ask the same about {model}", model=instead.entry.name)
    )
    return f"<p><b>{escape(itself)}</b> {badge(answer.status)} · {link}</p>"


def _why(answer: Answer) -> str:
    """The first reason, the others behind a fold; all behind it where they are about another model than the figures."""
    found = [f"<li>{words(sentence)}</li>" for sentence in say_all(reasons(answer), "page")]
    other = leading(answer) is not None
    shown, more = ([], found) if other else (found[:1], found[1:])
    title = told("About {model}", model=answer.entry.name) if other else told("More reasons")
    first = f'<ul class="why">{"".join(shown)}</ul>' if shown else ""
    if not more:
        return first
    return f'{first}<details><summary>{escape(title)}</summary><ul class="why">{"".join(more)}</ul></details>'
