"""The choices beside the decision as cards, each a whole plan that one click asks for."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from advisor.answer.answer import Answer
from advisor.answer.candidate import Candidate
from advisor.answer.choices import Choice, choices
from advisor.answer.pinned import pinned_query
from advisor.answer.plans import runtime_name
from advisor.answer.verdict import leading
from advisor.report.named import role_word
from advisor.ui.parts.html import badge, go, question_href, words
from advisor.words import say, to_tell, told
from advisor.words.written import gib, number, rough


def cards(answer: Answer) -> str:
    """All of them as HTML; nothing where there is no other choice. The verdict itself speaks of a model that leads."""
    first = leading(answer)
    found = [one for one in choices(answer) if first is None or one.role != "other model"]
    if not found:
        return ""
    now = answer.chosen if first is None else None
    name = escape(told("Other choices"), quote=True)
    return f'<section class="choices" aria-label="{name}">{"".join(_card(one, now) for one in found)}</section>'


def _card(choice: Choice, now: Candidate | None) -> str:
    option = choice.option
    link = pinned_query(option.setup.question, choice.found.entry, option.plan)
    figures = [runtime_name(option.plan.runtime), *_figures(option.candidate, now)]
    return (
        f'<article class="card"><h2>{escape(role_word(choice.role))} {badge(choice.status)}</h2>'
        f"<p>{words(say(choice.gain, 'page'))}</p>"
        f'<p class="dim">{words(" · ".join(figures))}</p>'
        f"{go(question_href(link), told('Use this'), 'use')}</article>"
    )


def _figures(one: Candidate, now: Candidate | None) -> Iterator[str]:
    """What it gains and what it costs: each figure, and the decision's own where that reads otherwise."""
    for figure, words_of in (
        (_kept, to_tell("{figure} % kept")),
        (_speed, to_tell("{figure} tokens/s")),
        (_memory, to_tell("{figure} of memory")),
    ):
        shown, held = figure(one), None if now is None else figure(now)
        if shown is not None:
            said = told(words_of, figure=shown)
            yield said if held in (None, shown) else told("{said} (now {held})", said=said, held=held)


def _kept(one: Candidate) -> str | None:
    return None if one.kept is None else number(min(one.kept.typical, 100), ".1f")


def _speed(one: Candidate) -> str | None:
    return None if one.tokens_per_s is None else rough(one.tokens_per_s.typical)


def _memory(one: Candidate) -> str | None:
    return gib(one.plan.needed_bytes)
