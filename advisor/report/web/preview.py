"""The picture that chat and mail programs show of a link: the decision, and quality, speed and money as figures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from advisor.report.document import ReportDocument
from advisor.report.drawing import cut
from advisor.report.glyphs import TEXT_FONT, drawable_all
from advisor.report.headings import PRODUCT, day_of
from advisor.report.pdf import ReportError, picture
from advisor.report.web.page import decision_of

_TITLE, _DECISION, _LABEL, _VALUE, _NOTE = 70, 330, 36, 22, 84  # characters that have room
_FIGURES = 4
_OF_BRIEF = ("quality", "speed", "inputs", "month")


def preview_picture(document: ReportDocument, lang: str = "en") -> bytes:
    """A PNG of 1200 by 630 pixels; equal documents give equal bytes. Raises ReportError."""
    payload = _payload(document, lang)
    try:
        return picture("preview.typ", drawable_all(payload))
    except ReportError:  # some script is beyond the typesetter
        return picture("preview.typ", drawable_all(payload, (TEXT_FONT,)))


def _payload(document: ReportDocument, lang: str) -> dict[str, Any]:
    return {
        "product": PRODUCT,
        "lang": lang.partition("-")[0],
        "day": day_of(document),
        "title": cut(document.title, _TITLE),
        "decision": cut(decision_of(document), _DECISION),
        "tone": document.tone,
        "figures": [
            {"label": cut(label, _LABEL), "value": cut(value, _VALUE), "note": cut(note, _NOTE)}
            for label, value, note in list(_figures(document))[:_FIGURES]
        ],
    }


def _figures(document: ReportDocument) -> Iterable[tuple[str, str, str]]:
    """Label, value and range."""
    if document.brief is None:
        yield from ((fact.label, fact.value, fact.note) for fact in document.key_figures)
        return
    for key in _OF_BRIEF:
        if (one := document.brief.figure(key)) is not None and one.value:
            yield one.label, one.value, one.between or one.words
