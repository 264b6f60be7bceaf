"""The card "Run it": each program's command as a switch, what it takes, and the steps before it behind a fold.

One piece of HTML without a script: radio buttons show and hide the panels beside them (styles/run_card.css).
"""

from __future__ import annotations

from html import escape

from advisor.answer.answer import Answer
from advisor.answer.run_files import Files
from advisor.answer.run_it import WayToRun, needs, ways_to_run
from advisor.answer.verdict import leading
from advisor.foundation.message import fact
from advisor.foundation.numbers import plural
from advisor.runtimes.launch import Command
from advisor.ui.parts.html import outside
from advisor.words import say, say_all

_WHOLE = 40  # characters of a word that is not broken over two lines


def card(answer: Answer) -> str:
    """How to run what the verdict is about; everything from outside is escaped."""
    instead = leading(answer)
    about = answer if instead is None else instead.found
    title = "Run it" if instead is None else f"Run {instead.entry.name}"
    if about.shown.verdict == "does not fit":
        return _section(title, f"<p>{escape(say(fact('run_nothing'), 'page'))}</p>")
    ways = ways_to_run(about, about.shown)
    chosen = next((way.runtime for way in ways if way.runtime is about.runtime and way.runs), None)
    chosen = chosen or next((way.runtime for way in ways if way.runs), ways[0].runtime)
    switch = "".join(_button(way, way.runtime is chosen) for way in ways)
    panels = "".join(_panel(way) for way in ways)
    return _section(title, f'<div class="switch" role="radiogroup" aria-label="Program">{switch}{panels}</div>')


def _section(title: str, body: str) -> str:
    return f'<section class="card run" aria-labelledby="run-it"><h2 id="run-it">{escape(title)}</h2>{body}</section>'


def _word(way: WayToRun) -> str:
    """The program's name as a word of the page."""
    return str(way.runtime).replace(".", "-")


def _button(way: WayToRun, chosen: bool) -> str:
    word, unable = _word(way), "" if way.runs else " unable"
    return (
        f'<input type="radio" name="run-program" id="run-{word}" value="{word}"{" checked" if chosen else ""}>'
        f'<label class="program{unable}" for="run-{word}">{escape(way.name)}</label>'
    )


def _panel(way: WayToRun) -> str:
    said = "".join(f"<p>{escape(one)}</p>" for one in say_all(way.said, "page"))
    # Two commands need to be told apart; one speaks for itself.
    named = len(way.lines) > 1
    lines = "".join(_line(one, way, named) for one in way.lines)
    return (
        f'<div class="panel panel-{_word(way)}" role="group" aria-label="{escape(way.name, quote=True)}">'
        f"{said}{lines}{_takes(way.files)}{_fold(way)}</div>"
    )


def _line(command: Command, way: WayToRun, named: bool) -> str:
    title = f'<p class="dim">{escape(say(command.title))}</p>' if named else ""
    return f"{title}{_copyable(command.text, f'{way.name}: {say(command.title)}')}"


def _takes(files: Files | None) -> str:
    if files is None:
        return ""
    found = f'<p class="takes">{escape(" · ".join(say_all(needs(files), "page")))}</p>'
    if files.terms is None:
        return found
    gated = escape(say(fact("run_gated", repository=files.repository or ""), "page"))
    return f'{found}<p class="gated">⚠ {gated} {outside(files.terms, "Its terms")}</p>'


def _fold(way: WayToRun) -> str:
    """What to do before, where the file is from, and what else to know of the command."""
    inside = [_step(one) for one in (*way.before, *way.otherwise)]
    if way.files is not None and way.files.listed_at:
        where = outside(way.files.listed_at, "this list")
        day = f", read on {escape(way.files.read_on)}" if way.files.read_on else ""
        inside.append(f"<p>{escape(way.files.repository or '')} is known from {where}{day}.</p>")
    inside += [f"<p>{escape(note)}</p>" for note in say_all(way.notes, "page")]
    inside += [_step(one) for one in way.beside]
    if not inside:
        return ""
    title = "About this command"
    if way.before:
        title = f"First: {plural(len(way.before), 'step')}"
    elif way.otherwise:
        title = f"If it is not there: {plural(len(way.otherwise), 'step')}"
    return f"<details><summary>{title}</summary>{''.join(inside)}</details>"


def _step(command: Command) -> str:
    title, notes = say(command.title), " ".join(say_all(command.notes, "page"))
    note = f'<p class="dim">{escape(notes)}</p>' if notes else ""
    return f"<p><strong>{escape(title)}</strong></p>{_copyable(command.text, title)}{note}"


def _copyable(text: str, name: str) -> str:
    """As `html.copyable` does it, but no option is broken at its hyphen."""
    words = "\n".join(" ".join(map(_kept_whole, line.split(" "))) for line in text.split("\n"))
    named = escape(name, quote=True)
    return (
        f'<div class="copyable"><pre tabindex="0" aria-label="{named}">{words}</pre>'
        f'<button type="button" data-copy="1" aria-label="Copy: {named}">Copy</button></div>'
    )


def _kept_whole(word: str) -> str:
    return f"<span>{escape(word)}</span>" if "-" in word and len(word) <= _WHOLE else escape(word)
