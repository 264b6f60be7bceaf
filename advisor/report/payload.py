"""A report as its template draws it: texts by their place, positions of charts as fractions of an axis."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from io import BytesIO
from typing import Any, Literal

import segno
from segno.encoder import DataOverflowError

from advisor.report.brief import Brief, Figure
from advisor.report.document import Appendix, ChoiceCard, Command, Fact, Logo, ReportDocument, SpeedRow, Table
from advisor.report.drawing import costs_payload, cut, memory_payload, quality_payload
from advisor.report.headings import PRODUCT, day_of, headings, kicker
from advisor.words import in_use, told
from advisor.words.written import rough, span

Paper = Literal["a4", "letter"]

_TYPST_PAPER = {"a4": "a4", "letter": "us-letter"}
_LONGEST_QR = 1200  # characters; a denser code is hard to scan from paper
_MOST_PARAGRAPHS = 12
_USUAL_REGIONS = {"en": "us"}


def paper_name(paper: Paper) -> str:
    """As typst calls it."""
    return _TYPST_PAPER[paper]


def tongue() -> dict[str, str]:
    """The language and the country that the file says it is in."""
    language, _, country = in_use().replace("_", "-").partition("-")
    return {"lang": language, "region": (country or _USUAL_REGIONS.get(language, language)).lower()}


def report_payload(document: ReportDocument, paper: Paper) -> dict[str, Any]:
    """Everything that `templates/report.typ` draws."""
    cover, moment = document.cover, document.generated_at.astimezone(UTC)
    return {
        **tongue(),
        "paper": paper_name(paper),
        "labels": headings(),
        "title": document.title,
        "subject": document.subject,
        "described": document.verdict if document.brief is None else document.brief.decision,
        "author": cover.company.strip() or PRODUCT,
        "company": cover.company.strip(),
        "kicker": kicker(document),
        "footer": f"{cut(document.title, 70)} \u00b7 {day_of(document)}",
        "date": [moment.year, moment.month, moment.day],
        "logo": None if cover.logo is None else _logo(cover.logo, cover.company.strip()),
        "note": [line.strip() for line in cover.note.splitlines() if line.strip()][:_MOST_PARAGRAPHS],
        "verdict": document.verdict,
        "tone": document.tone,
        "brief": None if document.brief is None else _brief(document.brief),
        "about_plan": document.about,
        "key_figures": _facts(document.key_figures),
        "why": list(document.why),
        "model": _facts(document.model),
        "machine": _facts(document.machine),
        "memory": None if document.memory is None else memory_payload(document.memory),
        "quality": quality_payload(document.quality),
        "speed": [_speed(row) for row in document.speed],
        "cards": [_card(card) for card in document.cards],
        "choices": [] if document.cards else list(document.choices),
        "start": _commands(document.start),
        "costs": None if document.costs is None else costs_payload(document.costs),
        "what_matters": None if document.what_matters is None else _table(document.what_matters),
        "not_included": list(document.not_included),
        "risks": list(document.risks),
        "next_steps": list(document.next_steps),
        "what_would_flip": list(document.what_would_flip) if document.brief is None else [],
        "notes": list(document.notes),
        "glossary": [{"word": term.word, "meaning": term.meaning} for term in document.glossary],
        "appendix": _appendix(document.appendix, moment.strftime("%Y-%m-%d %H:%M UTC")),
    }


def _brief(brief: Brief) -> dict[str, Any]:
    ways = brief.ways
    return {
        "decision": brief.decision,
        "beside": brief.beside,
        "sure": list(brief.sure),
        "load": brief.load,
        "money": [_figure(one) for one in brief.money],
        "gets": [_figure(one) for one in brief.gets],
        "ways": None
        if ways is None
        else {"columns": list(ways.columns), "rows": [list(row) for row in ways.rows], "chosen": ways.chosen},
        "changes": list(brief.changes),
        "look_again": brief.look_again,
    }


def _figure(one: Figure) -> dict[str, Any]:
    return {
        "label": one.label,
        "value": one.value,
        "between": one.between,
        "words": one.words,
        "sure": " \u00b7 ".join(part for part in (one.confidence, one.as_of) if part),
    }


def _card(card: ChoiceCard) -> dict[str, Any]:
    return {
        "role": card.role,
        "name": card.name,
        "status": card.status,
        "tone": card.tone,
        "figures": _facts(card.figures),
        "gain": card.gain,
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
        "how_right": list(appendix.how_right),
        "sources": [{"what": row.what, "source": row.source, "as_of": row.as_of} for row in appendix.sources],
        "commands": _commands(appendix.commands),
        "reproduce": appendix.reproduce,
        "about": _facts(about),
        "qr": qr_code(appendix.link),
    }


def _commands(commands: Sequence[Command]) -> list[dict[str, str]]:
    return [{"purpose": command.purpose, "line": command.line} for command in commands]


def _facts(facts: Sequence[Fact]) -> list[dict[str, str]]:
    return [{"label": fact.label, "value": fact.value, "note": fact.note} for fact in facts]


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
