"""The report as a PDF: two pages for whoever decides, a technical appendix for whoever checks.

Typst sets it from `templates/`, with the fonts in `data/fonts/` and nothing else. The file is tagged (PDF/UA-1) and
archivable (PDF/A-2a); equal documents give equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import segno
import typst
from segno.encoder import DataOverflowError

from advisor.foundation.errors import AdvisorError
from advisor.report.document import FEWEST_BARS, Appendix, Fact, Gloss, Logo, ReportDocument, SpeedRow, Table
from advisor.report.drawing import costs_payload, cut, memory_payload, quality_payload
from advisor.report.glyphs import BOX, FONTS, TEXT_FONT, drawable_all
from advisor.words import in_use, speaking, told
from advisor.words.language import language
from advisor.words.template import of_typst
from advisor.words.written import day as written_day
from advisor.words.written import rough, span

Paper = Literal["a4", "letter"]
PRODUCT = "LLM Fit Advisor"

_TEMPLATES = Path(__file__).parent / "templates"
_REPORT = "report.typ"
_STANDARDS: list[typst.PDFStandard] = ["ua-1", "a-2a"]
_LONGEST_QR = 1200  # characters; a denser code is hard to scan from paper
_MOST_PARAGRAPHS = 12
_one_at_a_time = Lock()
_TYPST_PAPER = {"a4": "a4", "letter": "us-letter"}


def of_template() -> dict[str, Any]:
    """What every template needs: its own texts in the language that is spoken, and which that is."""
    locale = language(in_use()).locale
    return {
        "words": {text: said for text in of_typst() if (said := told(text)) != text},
        "lang": locale.language,
        "region": (locale.territory or "us").lower(),
    }


def paper_name(paper: Paper) -> str:
    """As typst calls it."""
    return _TYPST_PAPER[paper]


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
    payload = _payload(document, paper)
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


def _compile(template: str, payload: dict[str, Any], moment: int) -> bytes:
    with _one_at_a_time:
        made = _compiler().compile(
            str(_TEMPLATES / template),
            format="pdf",
            sys_inputs={"document": json.dumps(payload)},
            pdf_standards=_STANDARDS,
            timestamp=moment,
        )
    if not isinstance(made, bytes):
        raise ReportError("The report could not be typeset: there are no pages.")
    return made


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


def _payload(document: ReportDocument, paper: Paper) -> dict[str, Any]:
    cover, moment = document.cover, document.generated_at.astimezone(UTC)
    day = written_day(moment.date())
    advice = (
        (told("Risks"), document.risks),
        (told("Other choices"), document.choices),
        (told("What would change it"), document.what_would_flip),
        (told("Next steps"), document.next_steps),
    )
    kicker = [told("Recommendation"), day]
    if cover.prepared_for.strip():
        kicker.append(told("prepared for {prepared_for}", prepared_for=cover.prepared_for.strip()))
    return {
        "paper": paper_name(paper),
        "title": document.title,
        "subject": document.subject,
        "author": cover.company.strip() or PRODUCT,
        "company": cover.company.strip(),
        "kicker": " \u00b7 ".join(kicker),
        "footer": f"{cut(document.title, 70)} \u00b7 {day}",
        "date": [moment.year, moment.month, moment.day],
        **of_template(),
        "logo": None if cover.logo is None else _logo(cover.logo, cover.company.strip()),
        "note": [line.strip() for line in cover.note.splitlines() if line.strip()][:_MOST_PARAGRAPHS],
        "verdict": document.verdict,
        "tone": document.tone,
        "key_figures": _facts(document.key_figures),
        "model": _facts(document.model),
        "machine": _facts(document.machine),
        "memory": None if document.memory is None else memory_payload(document.memory),
        "memory_short": None if document.memory is None else memory_payload(document.memory, FEWEST_BARS),
        "quality": quality_payload(document.quality),
        "speed": [_speed(row) for row in document.speed],
        "costs": None if document.costs is None else costs_payload(document.costs),
        "advice": [{"name": name, "items": list(items)} for name, items in advice if items],
        "notes": list(document.notes),
        "glossary": [_term(term) for term in document.glossary],
        "appendix": _appendix(document.appendix, document.generated_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")),
    }


def _appendix(appendix: Appendix, moment: str) -> dict[str, Any]:
    about = [Fact(told("Made"), moment)]
    if appendix.data_release:
        about.append(Fact(told("Data release"), appendix.data_release))
    if appendix.app_version:
        about.append(Fact(PRODUCT, appendix.app_version))
    if appendix.link:
        about.append(
            Fact(told("Live scenario"), appendix.link, told("Opens the same question with today's data and prices."))
        )
    return {
        "levels": None if appendix.levels is None else _table(appendix.levels),
        "assumptions": _facts(appendix.assumptions),
        "sources": [{"what": row.what, "source": row.source, "as_of": row.as_of} for row in appendix.sources],
        "commands": [{"purpose": command.purpose, "line": command.line} for command in appendix.commands],
        "reproduce": appendix.reproduce,
        "about": _facts(about),
        "qr": qr_code(appendix.link),
    }


def _facts(facts: Sequence[Fact]) -> list[dict[str, str]]:
    return [{"label": fact.label, "value": fact.value, "note": fact.note} for fact in facts]


def _term(term: Gloss) -> dict[str, str]:
    return {"word": term.word, "meaning": term.meaning}


def _speed(row: SpeedRow) -> dict[str, str]:
    unit = f" {row.unit}" if row.unit else ""
    return {
        "what": row.what,
        "typical": f"{rough(row.speed.typical)}{unit}",
        "range": f"{span(row.speed, rough)}{unit}",
        "basis": row.basis,
    }


def _table(table: Table) -> dict[str, Any]:
    return {
        "columns": list(table.columns),
        "rows": [list(row) for row in table.rows],
        "right_aligned": [column in table.right_aligned for column in range(len(table.columns))],
        "highlighted": table.highlighted,
    }


def _logo(logo: Logo, company: str) -> dict[str, Any]:
    return {
        "kind": logo.kind,
        "bytes": list(logo.data),
        "alt": told("Logo of {company}", company=company) if company else told("Company logo"),
    }


def qr_code(link: str) -> str | None:
    """The link as an SVG of a QR code; None where there is none or it is too long to be scanned from paper."""
    if not link or len(link) > _LONGEST_QR:
        return None
    drawn = BytesIO()
    try:
        segno.make_qr(link, error="m").save(drawn, kind="svg", border=2, xmldecl=False, svgns=True)
    except DataOverflowError:
        return None
    return drawn.getvalue().decode("utf-8")
