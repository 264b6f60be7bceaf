"""Whether paper, page, JSON and verdict card say the same: every figure of a report, looked for in all of them."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from io import BytesIO

from pypdf import PdfReader

from advisor.answer.answer import Answer, answer
from advisor.answer.recommendation import recommendation
from advisor.answer.verdict import verdict
from advisor.foundation.errors import InputError
from advisor.foundation.numbers import money, rough, span
from advisor.foundation.ranges import Range
from advisor.question.question import Question
from advisor.report.brief import Brief
from advisor.report.compact import answer_document
from advisor.report.cost_section import NAMES
from advisor.report.document import ReportDocument
from advisor.report.from_answer import report_of
from advisor.report.pdf import render_pdf
from advisor.report.web.around import Around
from advisor.report.web.page import report_page
from advisor.ui.parts.verdict_card import card
from advisor.words import say, told
from tests.support.decision_figures import reads
from tests.support.decisions import Document, drawn, query_of
from tests.support.pages import in_words
from tests.support.read_page import PageRead

MOST_BYTES = 300_000
_AMOUNT = re.compile(r"([\d.,]*\d) (USD|EUR|CHF)\b")


def question(seed: str, number: int) -> str:
    """The query of this number, with a load and wishes for money of its own."""
    draw = random.Random(f"money {seed} {number}")
    values = drawn(seed, number) | {"requests_per_day": f"{10 ** draw.uniform(1.5, 5.5):.0f}"}
    for key, share, options in (
        ("currency", 0.4, ("EUR", "CHF")),
        ("years", 0.3, ("1", "2", "5")),
        ("own_hardware", 0.1, ("on",)),
        ("region", 0.2, ("eu", "us")),
        ("device_price", 0.1, ("500", "3000")),
    ):
        if draw.random() < share:
            values[key] = draw.choice(options)
    return query_of(values)


def problems(query: str) -> Iterator[str]:
    """Where two of them differ; nothing for a question that is refused."""
    try:
        found = answer(Question.from_query(query))
    except InputError:
        return
    document = report_of(found, link=f"https://advisor.example.org/?{query}")
    brief = document.brief
    assert brief is not None
    yield from paper_and_page(document)
    yield from _decision_agrees(brief)
    yield from _json_agrees(found, brief, answer_document(found, query))
    yield from _card_agrees(found, document)


def paper_and_page(document: ReportDocument) -> Iterator[str]:
    """Where the PDF or the page lacks something of the document; in the language that is spoken."""
    brief, data = document.brief, render_pdf(document)
    assert brief is not None
    pages = [page.extract_text() for page in PdfReader(BytesIO(data)).pages]
    if len(data) >= MOST_BYTES:
        yield f"the PDF has {len(data):,} bytes"
    if not pages[3].startswith(told("Technical appendix")):
        yield "one of the first three pages does not hold what belongs on it"
    yield from _held_by("the PDF's first page", pages[0], _first_page(brief))
    yield from _held_by("the PDF", "".join(pages[:3]), _later_pages(document))
    page = PageRead(report_page(document, Around("/", "/report.pdf"))).words
    yield from _held_by("the page", page, (*_first_page(brief), *_later_pages(document)))


def _first_page(brief: Brief) -> Iterator[str]:
    yield from (brief.decision, brief.beside, *brief.sure, *brief.changes, brief.look_again)
    for one in (*brief.money, *brief.gets):
        yield from (one.label, one.value, one.between, one.words, one.confidence, one.as_of)
    if brief.ways is not None:
        yield from brief.ways.columns
        for row in brief.ways.rows:
            yield from row


def _later_pages(document: ReportDocument) -> Iterator[str]:
    for fact in (*document.key_figures, *document.model, *document.machine):
        yield from (fact.value, fact.note)
    for card_ in document.cards:
        yield from (card_.role, card_.name, card_.status, card_.gain, *(fact.value for fact in card_.figures))
    for row in document.speed:
        yield from (rough(row.speed.typical), row.basis)
    if document.what_matters is not None:
        yield from (cell for row in document.what_matters.rows for cell in row)
    yield from (*document.risks, *document.next_steps, *document.not_included)


def _held_by(where: str, text: str, wanted: Iterator[str] | tuple[str, ...]) -> Iterator[str]:
    """Spaces aside, which a line's end takes away or adds."""
    there = _squeezed(text)
    for one in wanted:
        if _squeezed(one) not in there:
            yield f"{where} lacks '{one}'"


def _squeezed(text: str) -> str:
    return re.sub(r"[\s*`\\$\u2060\u200b]+", "", text)


def _decision_agrees(brief: Brief) -> Iterator[str]:
    """Every amount in the sentence is one of the table, and what it says costs least does."""
    assert brief.ways is not None
    months = next(row[1:] for row in brief.ways.rows if row[0] == "A month")
    amounts = {f"{amount} {currency}" for cell in months for amount, currency in _AMOUNT.findall(cell)}
    for amount, currency in _AMOUNT.findall(brief.decision):
        if f"{amount} {currency}" not in amounts:
            yield f"the decision says {amount} {currency}, the table {months}"


def _json_agrees(found: Answer, brief: Brief, there: Document) -> Iterator[str]:
    """Of the plan that was asked for, where the first page is about it."""
    advised, asked = recommendation(found), found.question.requirements
    if advised.is_another or there["money"] is None or brief.ways is None or not advised.runs:
        return
    ways, rows = there["money"], {row[0]: row[1:] for row in brief.ways.rows}
    for place, name in enumerate(NAMES):
        way = ways[name]
        if way is None:
            if rows["A month"][place] != "–":
                yield f"the first page prices {name}, JSON does not"
            continue
        currency = ways["currency"]
        for label, value in (("A month", way["per_month"]), ("A million tokens", way["per_million_tokens"])):
            written = _written(value, currency)
            if rows[label][place] != written:
                yield f"{label} {name} is '{rows[label][place]}' on the first page, '{written}' in JSON"
        upfront = f"{money(way['upfront'])} {currency}" if way["upfront"] else "nothing"
        if not rows["At once"][place].startswith(upfront):
            yield f"at once {name} is '{rows['At once'][place]}' on the first page, '{upfront}' in JSON"
    if not asked.own_hardware and advised.is_compared and advised.about.status in ("good", "limited"):
        chosen = None if brief.ways.chosen is None else [*NAMES][brief.ways.chosen]
        if chosen != ways["cheapest"]:
            yield f"the first page chooses {chosen}, in JSON {ways['cheapest']} is cheapest"
    plan = there["decision"]["plan"]
    if advised.way == "api" or plan is None:
        return
    quality, speed = brief.figure("quality"), brief.figure("speed")
    kept, writes = plan["quality_percent"], plan["tokens_per_s"]
    percent = None if kept is None else min(kept["typical"], 100)
    if percent is not None and quality is not None and not reads(quality.value, percent, "{:.1f} %".format):
        yield f"quality is {quality.value} on the first page, {kept} in JSON"
    typical = None if writes is None else writes["typical"]
    if typical is not None and speed is not None and not reads(speed.value, typical, _per_second):
        yield f"speed is {speed.value} on the first page, {writes} in JSON"


def _per_second(value: float) -> str:
    return f"{rough(value)} tokens/s"


def _written(value: Document, currency: str) -> str:
    amount = f"{money(value['typical'])} {currency}"
    return amount if value["low"] == value["high"] else f"{amount} ({span(Range(**value), money)})"


def _card_agrees(found: Answer, document: ReportDocument) -> Iterator[str]:
    """The page's own first look: the sentence, quality, speed, and the month of the cheapest way."""
    shown, advised = _squeezed(in_words(card(found))), recommendation(found)
    if _squeezed(say(verdict(found), "page")) not in shown:
        yield "the card has another sentence"
    brief, about = document.brief, advised.about
    assert brief is not None
    said = f"{brief.beside} {brief.decision}"
    if document.verdict not in said:
        yield "the first page lacks the sentence of the card"
    if not advised.runs:
        return
    kept, costs = about.shown.kept, about.shown.costs
    wanted = [] if kept is None or not about.shown.writes else [f"{min(kept.typical, 100):.1f} %"]
    if advised.way != "api" and about.shown.tokens_per_s is not None and about.shown.writes:
        speed = brief.figure("speed")
        assert speed is not None
        wanted += [speed.value, speed.between.removesuffix(" tokens/s")]
    best = None if costs is None else costs.best(about.question.requirements.own_hardware)
    month = brief.figure("month")
    if best is not None and month is not None and not advised.is_another and advised.option is best:
        wanted += [month.value, month.between.removesuffix(f" {costs.currency}") if costs else ""]
    for one in wanted:
        if _squeezed(one) not in shown:
            yield f"the card lacks '{one}'"
