"""The decision of the question in a link as HTML, for the start page: what can be said at once, or nothing.

Never raises and never asks anybody: only models of the catalogue are answered here. What is wrong with a link is for
the page itself to say.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from urllib.parse import parse_qs

from advisor.answer.answer import answer
from advisor.foundation.errors import AdvisorError
from advisor.models.catalogue import catalogue
from advisor.question.question import MAX_QUERY_LENGTH, Question
from advisor.ui import tongue, view_cache
from advisor.ui.link import PAGE_KEYS, read_link
from advisor.ui.one_at_a_time import turn
from advisor.ui.parts import navigation
from advisor.ui.parts.verdict_card import card
from advisor.words import speaking

# With these, the page shows something else than the answer.
_OTHER_PAGES = frozenset({"view", "frozen"})
_LONGEST = MAX_QUERY_LENGTH + 200


def first_answer(query: str) -> str:
    """The decision of the question in a query string, as HTML; "" where there is none to be had at once."""
    try:
        asked = _asked(query)
        if asked is None:
            return ""
        question, language = asked
        key = ("first answer", question.to_query(question.given), datetime.now(UTC).date())
        with speaking(language):
            return view_cache.get(key, lambda: _draw(question))
    except AdvisorError:
        return ""
    except Exception:  # whatever it is, the page itself must come
        logging.getLogger(__name__).exception("The first answer could not be drawn")
        return ""


def _asked(query: str) -> tuple[Question, str] | None:
    """The question, and the language it is asked in."""
    if len(query) > _LONGEST:
        return None
    try:
        raw = parse_qs(query, keep_blank_values=True, errors="strict", max_num_fields=200)
    except ValueError:
        return None
    if _OTHER_PAGES.intersection(raw):
        return None
    read = read_link({key: values for key, values in raw.items() if key not in PAGE_KEYS})
    question = None if read.problems else Question.from_values(read.written)
    if question is None or question.model.name not in catalogue():
        return None
    return question, tongue.asked(raw)


def _draw(question: Question) -> str:
    with turn():
        row = navigation.row(navigation.ANSWER, question.to_query(question.given))
        bar = '<p class="first-bar dim">The inputs are being loaded …</p>'
        return f'{row}{bar}<div class="first">{card(answer(question))}</div>'
