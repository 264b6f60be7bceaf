"""A report as one HTML page: the same document as the PDF, in its order, to read on a phone and to print.

Nothing in it runs and nothing is fetched; whatever is not of this file leaves escaped.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from advisor.report.appendix import ASKED, KEPT_FREE
from advisor.report.brief import Brief, Figure, Ways
from advisor.report.document import ChoiceCard, Costs, Fact, Logo, ReportDocument, SpeedRow, Table
from advisor.report.drawing import costs_payload, memory_payload, quality_payload
from advisor.report.headings import PRODUCT, headings, kicker
from advisor.report.web.around import Around, preview_tags
from advisor.report.web.charts import cost_chart, memory_chart, quality_chart
from advisor.report.web.pieces import attribute, commands, facts, items, linked, section, table, text, tiles
from advisor.words import told
from advisor.words.written import rough, span


@cache
def style() -> str:
    """The page's only style sheet, as it stands in it."""
    lines = (line.strip() for line in Path(__file__).with_name("style.css").read_text("utf-8").splitlines())
    return "\n".join(line for line in lines if line)


@cache
def security_policy(more: str = "") -> str:
    """The page's Content-Security-Policy: its own style and pictures within it, and nothing else but `more`."""
    known = b64encode(hashlib.sha256(style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{known}'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
        f"frame-ancestors 'none'{more}"
    )


def report_page(document: ReportDocument, around: Around, lang: str = "en") -> str:
    """The whole page. `lang` is the language that its sentences are in."""
    said = headings()
    head = preview_tags(document.title, decision_of(document), around)
    body = (
        f"<header>{_head(document)}</header><main>{_decision(document)}{_ways_on(around)}{_about_the_link(around)}"
        f"{_note(document)}{_deciding(document, said)}{_setting_up(document, said)}{_paying(document, said)}"
        f"{_appendix(document, said)}</main><footer>{_made(document)}</footer>"
    )
    return whole_page(document.title, head, body, lang)


def message_page(
    title: str, sentence: str, ways: Mapping[str, str] | None = None, lang: str = "en", again_s: int = 0
) -> str:
    """A page with one sentence where there is no report, and links on by what they are called.

    `again_s`: it is asked for again after so many seconds.
    """
    links = "".join(f'<a href="{attribute(to)}">{text(name)}</a> ' for name, to in (ways or {}).items())
    way = f"<nav>{links.strip()}</nav>" if links else ""
    again = f'<meta http-equiv="refresh" content="{again_s}">' if again_s else ""
    body = (
        f"<header><p class=quiet>{PRODUCT}</p><h1>{text(title)}</h1></header><main><p>{text(sentence)}</p>{way}</main>"
    )
    return whole_page(title, again, body, lang)


def decision_of(document: ReportDocument) -> str:
    """The sentence that decides."""
    return document.verdict if document.brief is None else document.brief.decision


def whole_page(title: str, head: str, body: str, lang: str) -> str:
    """A page for readers around its `head` and `body`, which are HTML."""
    return (
        f'<!doctype html>\n<html lang="{attribute(lang)}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)} · {PRODUCT}</title>"
        '<meta name="color-scheme" content="light dark"><meta name="robots" content="noindex">'
        f'<link rel="icon" href="data:,">{head}<style>{style()}</style></head><body>{body}</body></html>\n'
    )


def _head(document: ReportDocument) -> str:
    cover = document.cover
    logo = "" if cover.logo is None else _logo(cover.logo, cover.company.strip())
    subject = f"<p>{text(document.subject)}</p>" if document.title != document.subject else ""
    said = " · ".join(part for part in (cover.company.strip(), kicker(document)) if part)
    return f"{logo}<p class=quiet>{text(said)}</p><h1>{text(document.title)}</h1>{subject}"


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


def _decision(document: ReportDocument) -> str:
    """What to do, how sure that is, and the plan in a sentence where it needs one."""
    brief = document.brief
    drawn = f'<p class="decision t-{document.tone}">{text(decision_of(document))}</p>'
    if brief is not None and brief.sure:
        drawn += f"<p><strong>{text(told('How sure?'))}</strong> {text(' '.join(brief.sure))}</p>"
    if brief is not None and brief.beside:
        toned = "" if document.tone == "good" else f" class=t-{document.tone}"  # which links have too
        drawn += f"<p{toned}>{text(brief.beside)}</p>"
    return drawn


def _deciding(document: ReportDocument, said: Mapping[str, str]) -> str:
    """The page from which alone can be decided."""
    brief = document.brief
    if brief is None:  # kept before there was one
        return tiles(document.key_figures)
    again = f"<p><strong>{text(brief.look_again)}</strong></p>" if brief.look_again else ""
    return "".join(
        (
            section(said["money"], _load(brief) + _figures(brief.money)),
            section(said["gets"], _figures(brief.gets)),
            section(said["ways"], _ways(brief.ways)),
            section(said["changes"], items(brief.changes)),
            section(said["look_again"], again),
        )
    )


def _load(brief: Brief) -> str:
    """What the money is for, where there is any."""
    return f"<p>{text(brief.load)}</p>" if brief.load and brief.money else ""


def _figures(figures: tuple[Figure, ...]) -> str:
    drawn = "".join(
        f"<div><dt>{text(one.label)}</dt><dd><b>{text(one.value)}</b>"
        + "".join(f"<small>{text(part)}</small>" for part in (one.between, one.words, _how_sure(one)) if part)
        + "</dd></div>"
        for one in figures
    )
    return f"<dl class=figures>{drawn}</dl>" if drawn else ""


def _how_sure(one: Figure) -> str:
    return " · ".join(part for part in (one.confidence, one.as_of) if part)


def _ways(ways: Ways | None) -> str:
    if ways is None:
        return ""
    marked = (f"{name} ✓" if place == ways.chosen else name for place, name in enumerate(ways.columns))
    return table(Table(("", *marked), ways.rows), None if ways.chosen is None else ways.chosen + 1)


def _setting_up(document: ReportDocument, said: Mapping[str, str]) -> str:
    """For whoever sets it up."""
    about = f"<p class=quiet>{text(document.about)}</p>" if document.about else ""
    return _part(
        said["plan_page"],
        (
            about,
            tiles(document.key_figures) if document.brief is not None else "",
            section(said["why"], items(document.why)),
            section(said["model"], facts(document.model)),
            section(said["machine"], facts(document.machine)),
            _memory(document),
            _quality(document, said),
            section(said["speed"], _speed(document.speed, said)),
            section(said["cards"], _cards(document.cards)),
            section(said["choices"], "" if document.cards else items(document.choices)),
            section(said["start"], commands(document.start)),
        ),
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


def _quality(document: ReportDocument, said: Mapping[str, str]) -> str:
    payload = quality_payload(document.quality)
    return "" if payload is None else section(said["quality"], quality_chart(payload))


def _speed(rows: tuple[SpeedRow, ...], said: Mapping[str, str]) -> str:
    if not rows:
        return ""
    found = tuple(
        (row.what, f"{rough(row.speed.typical)} {row.unit}".strip(), span(row.speed, rough), row.basis) for row in rows
    )
    names = (said["what"], said["typical"], said["range"], said["based_on"])
    return table(Table(names, found, right_aligned=(1, 2)))


def _paying(document: ReportDocument, said: Mapping[str, str]) -> str:
    """Risks, what to do next, and what the money rests on."""
    matters = "" if document.what_matters is None else table(document.what_matters)
    return _part(
        said["money_page"],
        (
            section(said["risks"], items(document.risks)),
            section(said["next_steps"], items(document.next_steps)),
            section(said["changes"], items(document.what_would_flip)) if document.brief is None else "",
            section(said["what_matters"], matters),
            "" if document.costs is None else _costs(document.costs, said, document.brief is None),
            section(said["not_included"], _short(document.not_included)),
        ),
    )


def _costs(costs: Costs, said: Mapping[str, str], with_options: bool) -> str:
    """The totals over time; the options too where the first page has no table of them."""
    payload = costs_payload(costs)
    drawn = ""
    if with_options:
        names = tuple(said[name] for name in ("option", "upfront", "month", "per_million", "based_on"))
        cells = ("name", "upfront", "monthly", "per_million", "basis")
        rows = tuple(tuple(row[cell] for cell in cells) for row in payload["rows"])
        found = Table(names, rows, right_aligned=(1, 2, 3), highlighted=payload["chosen"])
        drawn = section(said["cost"], table(found))
    note = f"<p class=quiet>{linked(payload['note'])}</p>"
    if payload["chart"] is None:
        return drawn + note
    return drawn + section(payload["chart"]["heading"], cost_chart(payload["chart"]) + note)


def _part(name: str, sections: Iterable[str]) -> str:
    """What one of the PDF's pages is about; nothing where it would be empty."""
    body = "".join(sections)
    return f"<h2 class=page>{text(name)}</h2>{body}" if body else ""


def _short(found: tuple[str, ...]) -> str:
    return f"<div class=short>{items(found)}</div>" if found else ""


def _appendix(document: ReportDocument, said: Mapping[str, str]) -> str:
    """What was asked for, and words; how each figure follows is in the PDF."""
    found = document.appendix
    asked = [Fact(one.label, one.value) for one in found.assumptions if one.note in (told(ASKED), told(KEPT_FREE))]
    words = "".join(f"<dt>{text(term.word)}</dt><dd>{text(term.meaning)}</dd>" for term in document.glossary)
    return "".join(
        (
            section(said["notes"], items(document.notes)),
            section(said["assumptions"], facts(asked)),
            section(said["how_right"], items(found.how_right)),
            section(said["glossary"], f"<dl class=facts>{words}</dl>" if words else ""),
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
