"""The choices beside the decision as cards, each a whole plan that one click asks for."""

from __future__ import annotations

from html import escape

from advisor.answer.answer import Answer
from advisor.answer.choices import Choice, choices
from advisor.answer.pinned import pinned_query
from advisor.answer.plans import runtime_name
from advisor.foundation.numbers import approx
from advisor.foundation.units import gb
from advisor.ui.parts.html import badge, go, question_href
from advisor.words import say


def cards(answer: Answer) -> str:
    """All of them as HTML; nothing where there is no other choice."""
    found = choices(answer)
    if not found:
        return ""
    return f'<section class="choices" aria-label="Other choices">{"".join(_card(one) for one in found)}</section>'


def _card(choice: Choice) -> str:
    option = choice.option
    link = pinned_query(option.setup.question, choice.found.entry, option.plan)
    candidate = option.candidate
    parts = [f"{choice.found.entry.name} as {candidate.level}" if choice.role == "other model" else candidate.level]
    parts.append(runtime_name(option.plan.runtime))
    if candidate.kept is not None:
        parts.append(f"keeps {min(candidate.kept.typical, 100):.1f} %")
    if candidate.tokens_per_s is not None:
        parts.append(f"{approx(candidate.tokens_per_s.typical)} tokens/s")
    parts.append(gb(candidate.file_bytes))
    return (
        f'<article class="card"><h2>{escape(choice.role.capitalize())} {badge(choice.status)}</h2>'
        f"<p>{escape(say(choice.gain, 'page'))}</p>"
        f'<p class="dim">{escape(" · ".join(parts))}</p>'
        f"{go(question_href(link), 'Use this', 'use')}</article>"
    )
