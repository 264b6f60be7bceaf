"""The page of a report and its picture, as pure functions of a document."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from advisor.report.document import Cover, Logo, ReportDocument
from advisor.report.drawing import costs_payload, memory_payload
from advisor.report.frozen import report_from_result, report_to_result
from advisor.report.web.around import Around
from advisor.report.web.charts import cost_chart, memory_chart
from advisor.report.web.page import message_page, report_page, security_policy, style
from advisor.report.web.preview import preview_picture
from tests.support.read_page import PageRead
from tests.support.sample_report import report

HOSTILE = "</style><script>alert(1)</script>\" onload='x' &amp; <b>"
AROUND = Around(
    live="./?a=1&b=2", pdf="./r/report.pdf?a=1", address="https://x.example/r", picture="https://x.example/p"
)


def hostile(sample: ReportDocument) -> ReportDocument:
    """The document with every text of it as bad as can be."""

    def poisoned(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: poisoned(part, name) for name, part in value.items()}
        if isinstance(value, list):
            return [poisoned(part, key) for part in value]
        known = key in ("tone", "kind", "format", "generated_at")
        return value if known or not isinstance(value, str) else f"{value} {HOSTILE}"

    cover = Cover(title=HOSTILE, company=HOSTILE, prepared_for=HOSTILE, note=HOSTILE, logo=Logo(b"<svg/>", "svg"))
    return report_from_result(poisoned(report_to_result(sample)), cover)


def test_everything_is_shown_letter_by_letter() -> None:
    around = replace(AROUND, told=(HOSTILE,), changed=(HOSTILE,), today=HOSTILE, live=f"./?{HOSTILE}")
    text = report_page(hostile(report()), around)
    page = PageRead(text)
    assert "script" not in page.tags
    assert "b" in page.tags  # our own
    assert "onload" not in [key for key, _ in page.attributes]
    assert page.words.count("<script>alert(1)</script>") > 50
    assert text.count("</style>") == 1
    assert page.links["Open with today's data"] == f"./?{HOSTILE}"
    assert "script" not in PageRead(message_page(HOSTILE, HOSTILE, {HOSTILE: HOSTILE})).tags


def test_the_largest_page_is_small_and_whole() -> None:
    text = report_page(report(), AROUND)
    assert len(text.encode()) < 150_000
    page = PageRead(text)
    sample = report()
    assert sample.brief is not None
    for sentence in (sample.brief.decision, *sample.brief.changes, sample.brief.look_again, *sample.risks):
        assert " ".join(sentence.split()) in page.words
    assert sample.brief.ways is not None
    for row in sample.brief.ways.rows:
        assert all(" ".join(cell.split()) in page.words for cell in row)
    for card in sample.cards:
        assert card.gain in page.words
    assert {value for key, value in page.attributes if key == "aria-label"}
    # A table's cells say on a phone which column they are of.
    first = sample.brief.ways.columns[0]
    assert any(key == "data-of" and value.startswith(first) for key, value in page.attributes)


@pytest.mark.parametrize("lang", ["en", "de-CH"])
def test_the_page_says_its_language(lang: str) -> None:
    assert PageRead(report_page(report(), AROUND, lang)).lang == lang


def test_the_policy_allows_exactly_the_style_of_the_page() -> None:
    (written,) = re.findall(r"<style>(.*?)</style>", report_page(report(), AROUND), re.DOTALL)
    assert written == style()
    assert "@import" not in written
    assert "url(" not in written
    assert security_policy().count("sha256-") == 1


def test_bars_lie_within_the_chart_and_end_where_their_memory_does() -> None:
    chart = report().memory
    assert chart is not None
    payload = memory_payload(chart)
    assert payload is not None
    drawn = memory_chart(payload)
    rows = re.findall(r"<tr[^>]*><th scope=row>.*?</tr>", drawn)
    assert len(rows) == len(payload["bars"])
    for row, bar in zip(rows, payload["bars"], strict=True):
        parts = [part for part in re.findall(r"<rect [^>]*>", row) if "c-margin" not in part]
        last = re.findall(r'"([\d.]+)%"', parts[-1])
        end = float(last[0]) + float(last[1])
        assert end == pytest.approx(
            100 * sum(bar[key] for key in ("weights", "kv_cache", "compute", "overhead")), abs=0.1
        )
        assert end <= 100


def test_lines_of_totals_have_a_point_a_month() -> None:
    costs = report().costs
    assert costs is not None
    drawn = cost_chart(costs_payload(costs)["chart"])
    lines = re.findall(r'points="([^"]+)"', drawn)
    assert [len(line.split()) for line in lines] == [len(line.cumulative) for line in costs.lines]
    for mark in costs.break_evens:
        assert mark.label in drawn


@pytest.mark.parametrize("title", ["", "x" * 200, "日本語 العربية 🙂", HOSTILE])
def test_the_picture_has_the_size_that_is_announced_whatever_it_shows(title: str) -> None:
    sample = replace(report(), cover=Cover(title=title))
    drawn = preview_picture(sample)
    assert drawn == preview_picture(sample)
    with Image.open(BytesIO(drawn)) as picture:
        assert picture.size == (1200, 630)
        assert len(picture.convert("RGB").getcolors(1 << 20) or ()) > 50


def test_a_picture_of_a_long_decision_stays_on_one_page() -> None:
    sample = report()
    assert sample.brief is not None
    long = replace(sample, brief=replace(sample.brief, decision="Own it, because it costs least. " * 40))
    with Image.open(BytesIO(preview_picture(long))) as picture:
        assert picture.size == (1200, 630)
        # Nothing reaches the edges.
        edge = picture.convert("L").crop((0, 600, 1200, 630))
        assert edge.getextrema() == (255, 255)


def test_a_document_as_json_gives_the_same_page() -> None:
    sample = replace(report(), cover=Cover())
    kept = json.loads(json.dumps(report_to_result(sample)))
    assert report_page(report_from_result(kept, Cover()), AROUND) == report_page(sample, AROUND)
