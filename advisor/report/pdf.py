"""The report as a PDF: a page for whoever decides, two for whoever sets it up and pays for it, and an appendix.

Typst sets it from `templates/`, with the fonts in `data/fonts/` and nothing else. The file is tagged (PDF/UA-1) and
archivable (PDF/A-2a); equal documents give equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import typst

from advisor.foundation.errors import AdvisorError
from advisor.report.document import ReportDocument
from advisor.report.glyphs import BOX, FONTS, TEXT_FONT, drawable_all
from advisor.report.headings import PRODUCT
from advisor.report.payload import Paper, report_payload
from advisor.words import speaking, told

_TEMPLATES = Path(__file__).parent / "templates"
_REPORT = "report.typ"
_STANDARDS: list[typst.PDFStandard] = ["ua-1", "a-2a"]
_KEPT_FOR = 10  # compilations that the typesetter keeps for the next what it made of one: some 40 MB of a report
_one_at_a_time = Lock()


class ReportError(AdvisorError):
    """A report could not be typeset."""


def render_pdf(document: ReportDocument, paper: Paper = "a4") -> bytes:
    """The document as a PDF file; raises ReportError.

    Texts are data and never parsed as markup. A sign that no font has becomes a box, and the report says so; a logo
    that cannot be drawn is left out.
    """
    with speaking(document.language):
        return _render(document, paper)


def _render(document: ReportDocument, paper: Paper) -> bytes:
    payload = report_payload(document, paper)
    moment = int(document.generated_at.timestamp())
    try:
        return _compile(_REPORT, _checked(payload), moment)
    except typst.TypstError:
        # Some script or picture is beyond the typesetter: plain letters and no logo are better than no report.
        payload["logo"] = None
    try:
        return _compile(_REPORT, _checked(payload, (TEXT_FONT,)), moment)
    except typst.TypstError as error:
        raise ReportError("The report could not be typeset: {error}", error=str(error)[:200]) from None


def typeset(template: str, payload: dict[str, Any], moment: int) -> bytes:
    """Another document of the same kind: `payload` in a file of `templates/`, made at `moment` (Unix time).

    Its texts must be drawable (`advisor.report.glyphs`); raises ReportError.
    """
    try:
        return _compile(template, payload, moment)
    except typst.TypstError as error:
        raise ReportError("The document could not be typeset: {error}", error=str(error)[:200]) from None


def picture(template: str, payload: dict[str, Any]) -> bytes:
    """A template of one page as a PNG, a pixel a point; its texts must be drawable. Raises ReportError."""
    try:
        with _typesetter() as compiler:
            made = compiler.compile(
                str(_TEMPLATES / template), format="png", ppi=72, sys_inputs={"document": json.dumps(payload)}
            )
    except typst.TypstError as error:
        raise ReportError("The picture could not be drawn: {error}", error=str(error)[:200]) from None
    if not isinstance(made, bytes):
        raise ReportError("The picture could not be drawn: it is not one page.")
    return made


def _compile(template: str, payload: dict[str, Any], moment: int) -> bytes:
    with _typesetter() as compiler:
        made = compiler.compile(
            str(_TEMPLATES / template),
            format="pdf",
            sys_inputs={"document": json.dumps(payload)},
            pdf_standards=_STANDARDS,
            timestamp=moment,
        )
    if not isinstance(made, bytes):
        raise ReportError("The report could not be typeset: there are no pages.")
    return made


@contextmanager
def _typesetter() -> Iterator[typst.Compiler]:
    """Its turn; what it made of a document is forgotten at the end, as the next is another one: compilations of nothing
    age what is kept, which there is no other way to drop, and take some milliseconds in all."""
    with _one_at_a_time:
        compiler = _compiler()
        try:
            yield compiler
        finally:
            for _ in range(_KEPT_FOR):
                compiler.compile(b"", sys_inputs=None)


@lru_cache(maxsize=1)
def _compiler() -> typst.Compiler:
    """One for all reports: each new one would keep some memory for ever."""
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FONTS)])
    return typst.Compiler(root=str(_TEMPLATES), font_paths=fonts, ignore_system_fonts=True)


def _checked(payload: dict[str, Any], fonts: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Only signs that can be drawn, and a line about the others."""
    drawn: dict[str, Any] = drawable_all({key: value for key, value in payload.items() if key != "logo"}, fonts)
    drawn["logo"] = payload["logo"]
    # A title of nothing that can be seen is none, and a document must have one.
    drawn["title"] = drawn["title"].strip() or drawn["subject"].strip() or PRODUCT
    if BOX in json.dumps(drawn, ensure_ascii=False):
        drawn["notes"] = [
            *drawn["notes"],
            told("{box} stands for a sign that none of this report's fonts can draw.", box=BOX),
        ]
    return drawn
