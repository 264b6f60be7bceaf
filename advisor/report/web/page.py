"""A report as one HTML page: the same document as the PDF, in its order, to read on a phone and to print.

Nothing in it runs and nothing is fetched; whatever is not of this file leaves escaped.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC
from functools import cache
from pathlib import Path

from advisor.foundation.numbers import rough, span
from advisor.report.appendix import ASKED, KEPT_FREE
from advisor.report.brief import Brief, Figure, Ways
from advisor.report.document import ChoiceCard, Costs, Fact, Logo, ReportDocument, SpeedRow, Table
from advisor.report.drawing import costs_payload, memory_payload, quality_payload
from advisor.report.web.charts import cost_chart, memory_chart, quality_chart
from advisor.report.web.parts import attribute, commands, facts, items, linked, section, table, text, tiles
from advisor.words import told

PRODUCT = "LLM Fit Advisor"
PICTURE_SIZE = (1200, 630)  # pixels, what chat programs ask for
_TITLE_CHARACTERS, _SENTENCE_CHARACTERS = 120, 300  # of a preview; more is cut by whoever shows it


@dataclass(frozen=True, slots=True)
class Around:
    """What stands around the report. `live` and `pdf` lead from the page to the question and to the file; `address`
    and `picture` are the full addresses of the page and of its preview, "" where they are not known.

    `told` are sentences about the link itself. `changed` is what would be different today from what was kept, None
    for a report of today; `today` is then the sentence of today, where it is another one.
    """

    live: str
    pdf: str
    address: str = ""
    picture: str = ""
    told: tuple[str, ...] = ()
    changed: tuple[str, ...] | None = None
    today: str = ""


@cache
def style() -> str:
    """The page's only style sheet, as it stands in it."""
    lines = (line.strip() for line in Path(__file__).with_name("style.css").read_text("utf-8").splitlines())
    return "\n".join(line for line in lines if line)


@cache
def security_policy() -> str:
    """The page's Content-Security-Policy: its own style and pictures within it, and nothing else."""
    known = b64encode(hashlib.sha256(style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{known}'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


def report_page(document: ReportDocument, around: Around, lang: str = "en") -> str:
    """The whole page. `lang` is the language that its sentences are in."""
    decision = decision_of(document)
    head = _preview(document.title, decision, around)
    body = (
        f"<header>{_head(document)}</header><main>"
        f'<p class="decision t-{document.tone}">{text(decision)}</p>{_ways_on(around)}{_about_the_link(around)}'
        f"{_note(document)}{_deciding(document)}{_checking(document)}{_acting(document)}{_appendix(document)}</main>"
        f"<footer>{_made(document)}</footer>"
    )
    return _whole(document.title, head, body, lang)


def message_page(title: str, sentence: str, live: str = "", lang: str = "en", again_s: int = 0) -> str:
    """A page with one sentence where there is no report; `again_s`: it is asked for again after so many seconds."""
    way = f'<nav><a href="{attribute(live)}">{text(told("Open in the dashboard"))}</a></nav>' if live else ""
    again = f'<meta http-equiv="refresh" content="{again_s}">' if again_s else ""
    body = (
        f"<header><p class=quiet>{PRODUCT}</p><h1>{text(title)}</h1></header><main><p>{text(sentence)}</p>{way}</main>"
    )
    return _whole(title, again, body, lang)


def decision_of(document: ReportDocument) -> str:
    """The sentence that decides."""
    return document.verdict if document.brief is None else document.brief.decision


def _whole(title: str, head: str, body: str, lang: str) -> str:
    return (
        f'<!doctype html>\n<html lang="{attribute(lang)}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)} · {PRODUCT}</title>"
        '<meta name="color-scheme" content="light dark"><meta name="robots" content="noindex">'
        f'<link rel="icon" href="data:,">{head}<style>{style()}</style></head><body>{body}</body></html>\n'
    )


def _preview(title: str, decision: str, around: Around) -> str:
    """What chat and mail programs show of the link."""
    shown = decision if len(decision) <= _SENTENCE_CHARACTERS else f"{decision[: _SENTENCE_CHARACTERS - 1].rstrip()}…"
    wide, high = PICTURE_SIZE
    told_of = [
        ("og:type", "article"),
        ("og:site_name", PRODUCT),
        ("og:title", title[:_TITLE_CHARACTERS]),
        ("og:description", shown),
    ]
    if around.address:
        told_of.append(("og:url", around.address))
    if around.picture:
        told_of += [
            ("og:image", around.picture),
            ("og:image:type", "image/png"),
            ("og:image:width", str(wide)),
            ("og:image:height", str(high)),
            ("og:image:alt", shown),
        ]
    named = [
        ("description", shown),
        ("twitter:card", "summary_large_image" if around.picture else "summary"),
        ("twitter:title", title[:_TITLE_CHARACTERS]),
        ("twitter:description", shown),
        *([("twitter:image", around.picture)] if around.picture else []),
    ]
    return "".join(
        f'<meta {kind}="{key}" content="{attribute(value)}">'
        for kind, pairs in (("property", told_of), ("name", named))
        for key, value in pairs
    )


def _head(document: ReportDocument) -> str:
    cover, day = document.cover, document.generated_at.astimezone(UTC)
    logo = "" if cover.logo is None else _logo(cover.logo, cover.company.strip())
    parts = [cover.company.strip(), told("Recommendation"), f"{day.day} {day:%B %Y}"]
    if cover.prepared_for.strip():
        parts.append(told("prepared for {prepared_for}", prepared_for=cover.prepared_for.strip()))
    subject = f"<p>{text(document.subject)}</p>" if document.title != document.subject else ""
    kicker = " · ".join(part for part in parts if part)
    return f"{logo}<p class=quiet>{text(kicker)}</p><h1>{text(document.title)}</h1>{subject}"


def _logo(logo: Logo, company: str) -> str:
    """As a picture: inside one, an SVG can neither run nor fetch anything."""
    kind = "image/svg+xml" if logo.kind == "svg" else "image/png"
    alt = told("Logo of {company}", company=company) if company else told("Company logo")
    return f'<img class=logo alt="{attribute(alt)}" src="data:{kind};base64,{b64encode(logo.data).decode()}">'


def _ways_on(around: Around) -> str:
    name = told("Open in the dashboard") if around.changed is None else told("Open with today's data")
    return (
        f'<nav aria-label="{attribute(told("This report"))}"><a href="{attribute(around.live)}">{text(name)}</a>'
        f'<a href="{attribute(around.pdf)}" download>{text(told("Download PDF"))}</a></nav>'
    )


def _about_the_link(around: Around) -> str:
    said = "".join(f"<p>{text(one)}</p>" for one in around.told)
    if around.changed is None:
        return f"<div class=told>{said}</div>" if said else ""
    changed = items(around.changed) or f"<p>{text(told('Nothing: the answer of today is the same.'))}</p>"
    today = f"<p>{text(told('The answer of today: {sentence}', sentence=around.today))}</p>" if around.today else ""
    heading = f"<h2>{text(told('What has changed since'))}</h2>"
    return f"<div class=told>{said}{heading}{today}{changed}</div>"


def _note(document: ReportDocument) -> str:
    lines = (line.strip() for line in document.cover.note.splitlines())
    return "".join(f"<p>{text(line)}</p>" for line in lines if line)


def _deciding(document: ReportDocument) -> str:
    """The first page of the PDF, from which alone can be decided."""
    brief = document.brief
    if brief is None:  # kept before there was one
        return f"{tiles(document.key_figures)}{section(told('Why'), items(document.why))}"
    return (
        f"{items(brief.sure)}{section(told('What it costs'), _figures(brief.money))}"
        f"{section(told('What people get'), _figures(brief.gets))}{_ways(brief.ways)}{_when_again(brief)}"
    )


def _figures(figures: tuple[Figure, ...]) -> str:
    drawn = "".join(
        f"<div><dt>{text(one.label)}</dt><dd><b>{text(one.value)}</b>"
        + "".join(f"<small>{text(part)}</small>" for part in (one.between, one.words, _how_sure(one)) if part)
        + "</dd></div>"
        for one in figures
    )
    return f"<dl class=figures>{drawn}</dl>" if drawn else ""


def _how_sure(one: Figure) -> str:
    return ", ".join(part for part in (one.confidence, one.as_of) if part)


def _ways(ways: Ways | None) -> str:
    if ways is None:
        return ""
    found = Table(("", *ways.columns), ways.rows)
    return section(told("Three ways"), table(found, None if ways.chosen is None else ways.chosen + 1))


def _when_again(brief: Brief) -> str:
    again = f"<p>{text(brief.look_again)}</p>" if brief.look_again else ""
    return section(told("What would change it"), items(brief.changes)) + section(told("When to look again"), again)


def _checking(document: ReportDocument) -> str:
    """For the engineer beside whoever decides."""
    about = f"<p>{text(document.about)}</p>" if document.about else ""
    why = section(told("Why"), items(document.why)) if document.brief is not None else ""
    return (
        f"{about}{why}{section(told('How to run it'), commands(document.start))}"
        f"{section(told('The choices'), _cards(document.cards))}"
        f"{section(told('Model'), facts(document.model))}{section(told('Machine'), facts(document.machine))}"
        f"{_memory(document)}{_quality(document)}{section(told('Speed'), _speed(document.speed))}"
        f"{'' if document.costs is None else section(told('Cost'), _costs(document.costs))}"
    )


def _cards(cards: tuple[ChoiceCard, ...]) -> str:
    drawn = "".join(
        f"<section><small>{text(card.role)}</small><h3>{text(card.name)}</h3>"
        f"<p class=t-{card.tone}>{text(card.status)}</p>{facts(card.figures)}"
        f"{f'<p>{text(card.gain)}</p>' if card.gain else ''}</section>"
        for card in cards
    )
    return f"<div class=cards>{drawn}</div>" if drawn else ""


def _memory(document: ReportDocument) -> str:
    payload = None if document.memory is None else memory_payload(document.memory)
    return "" if payload is None else section(payload["heading"], memory_chart(payload))


def _quality(document: ReportDocument) -> str:
    payload = quality_payload(document.quality)
    return "" if payload is None else section(told("Quality by task"), quality_chart(payload))


def _speed(rows: tuple[SpeedRow, ...]) -> str:
    if not rows:
        return ""
    return table(
        Table(
            (told("What"), told("Typical"), told("Range"), told("Based on")),
            tuple(
                (row.what, f"{rough(row.speed.typical)} {row.unit}".strip(), span(row.speed, rough), row.basis)
                for row in rows
            ),
            right_aligned=(1, 2),
        )
    )


def _costs(costs: Costs) -> str:
    payload = costs_payload(costs)
    names = (told("Option"), told("Up front"), told("A month"), told("Per 1 M tokens"), told("Based on"))
    rows = tuple(
        (row["name"], row["upfront"], row["monthly"], row["per_million"], row["basis"]) for row in payload["rows"]
    )
    drawn = table(Table(names, rows, right_aligned=(1, 2, 3), highlighted=payload["chosen"]))
    chart = "" if payload["chart"] is None else cost_chart(payload["chart"])
    return f"{drawn}{chart}<p class=quiet>{linked(payload['note'])}</p>"


def _acting(document: ReportDocument) -> str:
    """Risks, what to do next, and what the figures hang on."""
    beside = () if document.cards else document.choices
    matters = "" if document.what_matters is None else table(document.what_matters)
    return "".join(
        (
            section(told("Risks"), items(document.risks)),
            section(told("Other choices"), items(beside)),
            section(told("What else would change the plan"), items(document.what_would_flip))
            if document.brief is not None
            else section(told("What would change it"), items(document.what_would_flip)),
            section(told("Next steps"), items(document.next_steps)),
            section(told("What the money hangs on most"), matters),
            section(told("Not in the prices"), _short(document.not_included)),
        )
    )


def _short(found: tuple[str, ...]) -> str:
    return f"<div class=short>{items(found)}</div>" if found else ""


def _appendix(document: ReportDocument) -> str:
    """What was asked for, and words; how each figure follows is in the PDF."""
    found = document.appendix
    asked = [Fact(one.label, one.value) for one in found.assumptions if one.note in (told(ASKED), told(KEPT_FREE))]
    words = "".join(f"<dt>{text(term.word)}</dt><dd>{text(term.meaning)}</dd>" for term in document.glossary)
    return "".join(
        (
            section(told("Please note"), items(document.notes)),
            section(told("Assumptions"), facts(asked)),
            section(told("How right the figures are"), items(found.how_right)),
            section(told("Words used"), f"<dl class=facts>{words}</dl>" if words else ""),
        )
    )


def _made(document: ReportDocument) -> str:
    found = document.appendix
    parts = [told("All levels, the sources with their dates and the commands are in the PDF.")]
    if found.data_release:
        parts.append(told("Data release {release}.", release=found.data_release))
    if found.app_version:
        parts.append(f"{PRODUCT} {found.app_version}.")
    return f"<p>{text(' '.join(parts))}</p>"
