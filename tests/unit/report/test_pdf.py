"""The report as a PDF: what it says, and that it is accessible, archivable and the same every time."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader
from pypdf.generic import IndirectObject

from advisor.answer.answer import answer
from advisor.foundation.errors import InputError
from advisor.foundation.ranges import Range
from advisor.question.question import Question
from advisor.report.document import (
    Appendix,
    CostLine,
    Cover,
    Fact,
    Logo,
    MemoryChart,
    QualityRow,
    ReportDocument,
    SourceRow,
    Table,
)
from advisor.report.from_answer import report_of
from advisor.report.glyphs import BOX
from advisor.report.payload import Paper
from advisor.report.pdf import render_pdf
from tests.support.sample_report import LINK, RECOMMENDED, bars, brief, costs, levels, report

ROOT = Path(__file__).resolve().parents[3]
HELD = Path("/proc/self/statm")
LONG_NAME = "Very-Long-Organisation_Model-Name-v3.5-480B-A35B-Instruct-25"


def read(document: ReportDocument, paper: Paper = "a4") -> PdfReader:
    return PdfReader(BytesIO(render_pdf(document, paper)))


def held_mib() -> float:
    """Of memory, by this process."""
    return int(HELD.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def pages(reader: PdfReader) -> list[str]:
    return [" ".join(page.extract_text().split()) for page in reader.pages]


def whole(document: ReportDocument) -> str:
    return " ".join(pages(read(document)))


def rightmost(reader: PdfReader) -> float:
    """Where the last piece of text on the first three pages begins, in points from the left."""
    right: list[float] = []
    for page in reader.pages[:3]:
        page.extract_text(visitor_text=lambda text, cm, tm, font, size: right.append(tm[4] + cm[4]))
    return max(right)


@pytest.fixture(scope="module")
def full() -> PdfReader:
    return read(report())


@pytest.mark.parametrize(("paper", "size"), [("a4", (595, 842)), ("letter", (612, 792))])
def test_a_page_to_decide_from_two_for_others_then_the_appendix(paper: Paper, size: tuple[int, int]) -> None:
    reader = read(report(), paper)
    first, second, third, fourth, *_ = pages(reader)
    assert (round(reader.pages[0].mediabox.width), round(reader.pages[0].mediabox.height)) == size
    document = report()
    assert document.title in first
    assert document.brief is not None
    assert document.brief.decision in first
    assert document.brief.beside in first
    assert document.brief.look_again in first
    assert all(text in first for text in (*document.brief.sure, *document.brief.changes))
    for figure in (*document.brief.money, *document.brief.gets):
        assert all(text in first for text in (figure.label, figure.value, figure.between, figure.words, figure.as_of))
    assert document.brief.ways is not None
    assert all(cell in first for row in document.brief.ways.rows for cell in row)
    assert document.cover.note in first
    assert "prepared for Dr. Jürgen Weiß" in first
    assert "Muster Versicherung AG" in first
    assert "Memory by level on one A100 80 GB" in second
    for heading in ("Quality by task", "Speed", "The plan and the choices beside it", "Start it"):
        assert heading in second
    for heading in ("Risks", "Next steps", "Assumptions that matter most", "Not included in any price"):
        assert heading in third
    assert fourth.startswith("Technical appendix")
    assert all(f"Page {n} of {len(reader.pages)}" in text for n, text in enumerate(pages(reader), start=1))


NOTE = "The assistant must run in our own data centre, and nobody else may read what clerks type into it. " * 4


@pytest.mark.parametrize(
    ("paper", "query", "cover"),
    [
        ("a4", "model=gpt-oss-20b&machine=rtx-4090&users=2", Cover()),
        ("letter", "model=llama-3.1-8b-instruct&runtime=vllm&users=8", Cover(title="Überprüfung der Größe " * 9)),
        (
            "letter",
            "host_memory_gib=128&users=4&task=code&min_quality=98&own_hardware=on&currency=CHF&requests_per_day=50000",
            Cover(title="T" * 100, company="A" * 120, prepared_for="B" * 120, note=NOTE),
        ),
    ],
)
def test_each_of_the_first_three_pages_is_one_page(paper: Paper, query: str, cover: Cover) -> None:
    document = report_of(answer(Question.from_query(query)), cover)
    reader = read(document, paper)
    first, second, third, fourth, *_ = pages(reader)
    assert second.startswith("For whoever sets it up")
    assert third.startswith("Risks, next steps and assumptions")
    assert fourth.startswith("Technical appendix")
    assert document.brief is not None
    assert "".join(document.brief.decision.split()) in "".join(first.split())
    assert "".join(document.brief.look_again.split()) in "".join(first.split())  # whose words break at hyphens
    headings = ("What it costs", "What people get", "Three ways to get it", "What would change", "When to look again")
    places = [first.find(heading) for heading in headings]
    assert -1 < places[0] < places[1] < places[2] < places[3] < places[4]
    places = [second.find(heading) for heading in ("Memory by level", "Quality by task", "Speed W", "The plan and")]
    assert -1 < places[0] < places[1] < places[2] < places[3]
    assert "Next steps" in third
    assert rightmost(reader) < float(reader.pages[0].mediabox.width) - 20


def test_figures_are_text_also_in_charts(full: PdfReader) -> None:
    first, second, third, *_ = pages(full)
    assert "Capacity 79.2 GiB" in second
    assert RECOMMENDED in first
    assert "99.4 % measured, 3 studies" in second
    assert "cheaper than renting after 17 months" in third
    assert "24 tok/s" in second


def test_the_appendix_lets_a_reader_check_and_repeat(full: PdfReader) -> None:
    text = " ".join(pages(full)[3:])
    for bar in bars():
        assert bar.level in text
    document = report().appendix
    assert all(command.line in text for command in document.commands)
    assert all(row.source in text and row.as_of in text for row in document.sources)
    assert "0.30 USD/kWh" in text
    assert document.data_release in text
    assert document.reproduce.replace(" ", "") in text.replace(" ", "")
    links = {annotation.get_object()["/A"]["/URI"] for page in full.pages for annotation in page.get("/Annots", [])}
    assert LINK in links


def root_of(reader: PdfReader) -> Any:
    """The document's catalogue, whose entries are not typed."""
    return reader.trailer["/Root"]


def elements(reader: PdfReader) -> list[dict[str, Any]]:
    """All structure elements, in reading order."""
    found: list[dict[str, Any]] = []

    def walk(node: Any) -> None:
        node = node.get_object() if isinstance(node, IndirectObject) else node
        if isinstance(node, list):
            for child in node:
                walk(child)
        elif isinstance(node, dict):
            if "/S" in node:
                found.append(node)
            if "/K" in node:
                walk(node["/K"])

    walk(root_of(reader)["/StructTreeRoot"])
    return found


def test_it_is_tagged_and_says_its_title_and_language(full: PdfReader) -> None:
    root = root_of(full)
    assert root["/MarkInfo"]["/Marked"] is True or root["/MarkInfo"]["/Marked"].value is True
    assert root["/Lang"].lower() == "en-us"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert full.metadata is not None
    assert full.metadata.title == report().title
    assert full.metadata.author == "Muster Versicherung AG"
    described = root["/Metadata"].get_object().get_data().decode()
    assert "<pdfuaid:part>1</pdfuaid:part>" in described
    assert "<pdfaid:part>2</pdfaid:part>" in described
    assert "<pdfaid:conformance>A</pdfaid:conformance>" in described
    kinds = [element["/S"] for element in elements(full)]
    assert {"/H1", "/H2", "/Table", "/TH", "/TD", "/L", "/LI", "/Figure", "/Link"} <= set(kinds)
    assert kinds.count("/H1") == 4


def test_every_picture_is_told_in_words(full: PdfReader) -> None:
    told = [element.get("/Alt", "") for element in elements(full) if element["/S"] == "/Figure"]
    assert len(told) == 4
    assert all(told)
    memory, quality, cost, code = told
    assert "Q5_K_M 54.1 GiB, fits" in memory
    assert "capacity 79.2 GiB" in memory
    assert "Reasoning 99 % (97.9–100)" in quality or "Reasoning 99" in quality
    assert "after 36 months" in cost
    assert "cheaper than the API after 34 months" in cost
    assert "QR code" in code


def test_bookmarks_lead_to_the_parts_and_the_file_is_small(full: PdfReader) -> None:
    def flat(entries: Any) -> list[tuple[str, int]]:
        found: list[tuple[str, int]] = []
        for entry in entries:
            if isinstance(entry, list):
                found += flat(entry)
            else:
                found.append((str(entry.title), full.get_destination_page_number(entry) or 0))
        return found

    marks = flat(full.outline)
    assert dict(marks)[report().title] == 0
    assert dict(marks)["What it costs"] == dict(marks)["When to look again"] == 0
    assert dict(marks)["For whoever sets it up"] == dict(marks)["Start it"] == 1
    assert dict(marks)["Risks, next steps and assumptions"] == dict(marks)["Not included in any price"] == 2
    assert dict(marks)["Technical appendix"] == 3
    assert [page for _, page in marks] == sorted(page for _, page in marks)
    assert len(render_pdf(report())) < 300_000


def test_a_report_kept_before_there_was_a_first_page_is_drawn_whole() -> None:
    before = report(brief=None, cards=(), start=(), what_matters=None, not_included=(), choices=("Q4_K_M: faster.",))
    first, second, third, fourth, *_ = pages(read(before))
    assert before.verdict in first
    assert all(fact.value in first for fact in before.key_figures)
    assert "Q4_K_M: faster." in second
    assert "Up front" in third
    assert all(text in third for text in (*before.risks, *before.what_would_flip, *before.next_steps))
    assert fourth.startswith("Technical appendix")


def test_a_note_that_leaves_no_room_for_the_decision_moves_to_the_second_page() -> None:
    cover = replace(report().cover, note="\n".join(["It must run in our own data centre, says the board. " * 3] * 12))
    long = replace(brief(), changes=("With more users than planned another level is the better one. " * 5,) * 8)
    first, second, *_ = pages(read(report(cover=cover, brief=long)))
    assert "says the board" not in first
    assert "says the board" in second
    assert "When to look again" in first


def test_all_fonts_are_embedded_and_the_repositorys_own(full: PdfReader) -> None:
    names = set()
    for page in full.pages:
        resources: Any = page["/Resources"]
        for reference in resources["/Font"].values():
            font = reference.get_object()
            for descendant in font["/DescendantFonts"]:
                descriptor = descendant.get_object()["/FontDescriptor"].get_object()
                assert "/FontFile2" in descriptor or "/FontFile3" in descriptor
                names.add(descriptor["/FontName"].partition("+")[2].partition("-")[0])
    assert names == {"SourceSans3VF", "SourceCodeVF"}


def test_equal_documents_give_equal_bytes_wherever_they_are_made() -> None:
    code = (
        "import hashlib; from advisor.report.pdf import render_pdf; from tests.support.sample_report import report;"
        "print(hashlib.sha256(render_pdf(report())).hexdigest())"
    )
    elsewhere = {**os.environ, "TZ": "Pacific/Auckland", "PYTHONHASHSEED": "7", "LC_ALL": "C"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=elsewhere, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == hashlib.sha256(render_pdf(report())).hexdigest()
    east = datetime(2026, 11, 25, 20, 30, tzinfo=timezone(timedelta(hours=11)))
    assert render_pdf(report(generated_at=east)) == render_pdf(report())
    assert render_pdf(report(generated_at=datetime(2026, 11, 26, tzinfo=UTC))) != render_pdf(report())


def test_threads_get_the_report_they_asked_for() -> None:
    subjects = [f"Subject {number}" for number in range(8)]
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda subject: whole(report(cover=Cover(), subject=subject)), subjects))
    assert all(subject in text for subject, text in zip(subjects, made, strict=True))


def test_a_long_table_repeats_its_header() -> None:
    table = levels()
    long = replace(table, rows=tuple(table.rows) * 4, highlighted=None)
    texts = pages(read(report(appendix=Appendix(levels=long))))
    holding = [text for text in texts if text.count("does not fit") + text.count("131,072") > 5][1:]
    assert len(holding) >= 2
    assert all("Bits/weight" in text for text in holding)


def test_a_document_without_figures_is_short_and_complete() -> None:
    made = datetime(2026, 1, 2, tzinfo=UTC)
    bare = ReportDocument(Cover(), "Tiny on nothing", "Nothing fits.", "bad", made)
    texts = pages(read(bare))
    assert len(texts) == 2
    assert texts[0].startswith("Recommendation · 2 January 2026 Tiny on nothing Nothing fits.")
    for heading in ("Quality", "Speed", "Cost", "Risks", "Memory", "Model", "Levels", "prepared for"):
        assert heading not in " ".join(texts)


MARKUP = [
    "#panic(\"x\")", "*bold* _slanted_ `raw`", "$x^2$ <label> @ref", "\\ // /* comment */", "= Heading", "- item",
    "https://example.org", "#import \"style.typ\": *", "~ -- --- ...", "'single' \"double\"", "{json: [1]} \\u{41}",
]  # fmt: skip


@pytest.mark.parametrize("text", MARKUP)
def test_texts_are_never_markup(text: str) -> None:
    cover = Cover(title=f"T {text}", company=f"C {text}", prepared_for=f"P {text}", note=f"N {text}")
    document = report(cover=cover, notes=(f"Z {text}",), risks=(f"R {text}",), model=(Fact(f"L {text}", f"V {text}"),))
    said = whole(document).replace(" ", "")
    for mark in "TCPNZRLV":
        assert f"{mark} {text}".replace(" ", "") in said, mark


def test_cjk_and_umlauts_are_drawn_and_what_cannot_be_is_a_box_with_a_word_about_it() -> None:
    title = "保険金請求部門 内部助手 보험 Größe Łódź Ж Ω"
    assert title in whole(report(cover=Cover(title=title)))
    assert BOX not in whole(report(cover=Cover(title=title)))
    odd = whole(report(cover=Cover(title="Report 😀 for ไทย", note="")))
    assert f"Report {BOX} for {BOX}{BOX}{BOX}" in odd
    assert f"{BOX} stands for a sign that none of this report's fonts can draw." in odd


def test_a_long_name_stays_on_the_page() -> None:
    assert len(LONG_NAME) == 60
    unbroken = "x" * 150
    document = report(
        subject=f"{LONG_NAME} on 8 x NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition",
        cover=Cover(),
        model=(Fact("Name", LONG_NAME), Fact("Unbroken", unbroken)),
    )
    reader = read(document)
    assert pages(reader)[3].startswith("Technical appendix")
    assert LONG_NAME in "".join(pages(reader)[0].split())
    assert unbroken in "".join(pages(reader)[1].split())
    assert rightmost(reader) < 595 - 20


def test_long_words_beside_charts_are_cut_there_and_told_in_full_below() -> None:
    basis = "measured by three groups on models of the same family and by one on this very model, with 5 tasks"
    task = "Answering questions in several languages"
    chart = MemoryChart("here", (replace(bars()[5], level="GPTQ-W4A16-g128-actorder"), *bars()[6:9]), 79.2, 4, None)
    option = "Rent eight cards of the newest kind by the hour from the cheapest provider"
    lines = (CostLine(option, (0.0, 10.0)),)
    document = report(
        quality=(QualityRow(task, Range(97, 98, 99), basis),), memory=chart, costs=replace(costs(), lines=lines)
    )
    reader = read(document)
    assert f"{task}: {basis}" in pages(reader)[1]
    assert "GPTQ-W4A16-g128-actorder" in pages(reader)[1]
    assert rightmost(reader) < 595 - 20
    assert pages(reader)[3].startswith("Technical appendix")


@settings(max_examples=40)
@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_makes_a_report(title: str, other: str) -> None:
    cover = Cover(title=title, company=other, prepared_for=title, note=f"{other}\n{title}")
    made = datetime(2026, 1, 2, tzinfo=UTC)
    appendix = Appendix(
        link=other, reproduce=title, data_release=other, sources=(SourceRow(title, other, title),),
        levels=Table((title, other), ((other, title),)),
    )  # fmt: skip
    document = ReportDocument(cover, other or "subject", title, "tight", made, notes=(other,), appendix=appendix)
    assert render_pdf(document).startswith(b"%PDF-")


def test_a_title_of_nothing_visible_is_none() -> None:
    metadata = read(report(cover=Cover(title="\u200b\x1f"))).metadata
    assert metadata is not None
    assert "Llama 3.1 70B Instruct on one A100" in str(metadata.title)
    bare = ReportDocument(Cover(), "\u200b", "", "bad", datetime(2026, 1, 2, tzinfo=UTC))
    assert "LLM Fit Advisor" in whole(bare)


def test_a_logo_that_cannot_be_drawn_is_left_out() -> None:
    without = whole(report())
    assert whole(report(cover=replace(report().cover, logo=Logo(b"\x89PNG nonsense", "png")))) == without
    assert whole(report(cover=replace(report().cover, logo=Logo(b"<svg", "svg")))) == without


def test_a_link_too_long_for_paper_has_no_code() -> None:
    link = "https://example.org/?model=" + "x" * 3000
    kinds = [element["/S"] for element in elements(read(report(appendix=replace(report().appendix, link=link))))]
    assert kinds.count("/Figure") == 3


def test_texts_have_a_longest() -> None:
    for field, most in (("title", 200), ("company", 120), ("prepared_for", 120), ("note", 2000)):
        text: dict[str, Any] = {field: "x" * most}
        Cover(**text)
        with pytest.raises(InputError, match=f"at most {most:,}"):
            Cover(**{field: text[field] + "x"})


def test_a_long_note_and_long_lists_flow_on() -> None:
    note = "\n".join(["A paragraph of some length that says little. " * 3] * 14)[:2000]
    document = report(cover=replace(report().cover, note=note), risks=("A risk that needs some words. " * 6,) * 12)
    text = whole(document)
    assert text.count("A risk") == 72  # a sentence may go on on the next page, a pair of words hardly
    assert "Technical appendix" in text


@pytest.mark.skipif(not HELD.exists(), reason="only Linux says what a process holds in a file")
def test_what_was_typeset_is_forgotten() -> None:
    """The typesetter would keep some 20 MiB of each report for the next ten, which are of other questions."""
    render_pdf(report(subject="The first fills what is kept of fonts and templates"))
    before = held_mib()
    for number in range(4):
        render_pdf(report(subject=f"Question {number}"))
    assert held_mib() - before < 15
