"""Reports made from answers: they say what the engine found, and nothing that it did not."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from datetime import date
from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PdfReader

from advisor.__main__ import main
from advisor.answer.answer import Answer, answer
from advisor.answer.verdict import leading
from advisor.foundation.units import gib
from advisor.question.question import FIELDS, Question
from advisor.report.cost_section import NAMES
from advisor.report.document import Costs, Cover, ReportDocument
from advisor.report.from_answer import report_of
from advisor.report.frozen import report_from_result, report_to_result
from advisor.report.frozen_changes import changes
from advisor.report.named import STATUS_TONES
from advisor.report.pdf import render_pdf
from tests.support.decided import chosen_level

DAY = date(2026, 11, 25)
QUESTIONS = {
    "fits": "model=llama-3.1-70b-instruct&machine=a100-sxm4-80gb&users=4",
    "nothing fits": "model=deepseek-v3&machine=rtx-4090",
    "in the way": "model=llama-3.1-8b-instruct&machine=rtx-4090&max_first_token_s=0.001",
    "CPU": "model=qwen3-30b-a3b&machine=cpu-dual-ddr5-6000&memory_gib=64&currency=CHF&country=CH",
    "vLLM": "model=llama-3.1-8b-instruct&machine=rtx-4090&runtime=vllm",
    "MLX": "model=gpt-oss-20b&machine=apple-m4-max-40c-128gb&runtime=mlx",
    "offload": "model=llama-3.1-70b-instruct&gpu_layers=40&host_memory_gib=64",
    "own machine": "model=qwen2.5-7b-instruct&machine=custom&memory_gib=12.5&bandwidth_gb_s=500",
    "settings": "admin_hours=4&admin_rate=80&storage_gb=100&storage_price=0.1&model=llama-3.1-8b-instruct&mtp=on",
    "one level": "level=Q2_K&machine=rtx-5090",
}
KEYS = re.compile(rf"\b(?:{'|'.join(key for key in FIELDS if '_' in key)})\b")

LINK = re.compile(r"https?://\S+")


def found(name: str) -> Answer:
    return answer(Question.from_query(QUESTIONS[name]), today=DAY)


def manager_texts(document: ReportDocument) -> list[str]:
    """Everything on the pages before the appendix."""
    facts = (*document.key_figures, *document.model, *document.machine)
    texts = [document.subject, document.verdict, *document.risks, *document.what_would_flip, *document.next_steps]
    texts += [text for fact in facts for text in (fact.label, fact.value, fact.note)]
    texts += [text for row in document.quality for text in (row.task, row.basis)]
    texts += [text for row in document.speed for text in (row.what, row.basis)]
    texts += [*document.notes, *(term.meaning for term in document.glossary)]
    if document.costs is not None:
        texts += [document.costs.note, *(mark.label for mark in document.costs.break_evens)]
        texts += [text for option in document.costs.options for text in (option.name, option.basis)]
    return texts


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_report_is_readable_and_says_what_the_engine_found(name: str) -> None:
    one = found(name)
    document = report_of(one, link="https://advisor.example.org/?x=1")
    for text in manager_texts(document):
        assert not KEYS.search(LINK.sub("", text)), text
        assert "user(s)" not in text
        assert "  " not in text
    assert document.verdict.endswith(".")
    assert document.memory is not None
    assert document.memory.recommended == chosen_level(one)
    assert document.appendix.levels is not None
    assert [row[0] for row in document.appendix.levels.rows] == [plan.level for plan in one.plans]
    assert document.next_steps
    if one.chosen is not None:
        assert one.chosen.level in document.verdict
        assert document.tone == STATUS_TONES[one.status]
        kept = one.chosen.kept
        row = next((row for row in document.quality if row.task == "All tasks together"), None)
        assert (row is None) == (kept is None)
        assert row is None or row.kept_percent == kept
    pages = [" ".join(page.extract_text().split()) for page in PdfReader(BytesIO(render_pdf(document))).pages]
    appendix = next(place for place, page in enumerate(pages) if page.startswith("Technical appendix"))
    assert appendix == 3
    assert document.subject in pages[0]


def test_where_nothing_fits_no_speed_and_no_price_is_told() -> None:
    one = found("nothing fits")
    document = report_of(one)
    nearest = min(one.plans, key=lambda plan: plan.missing_bytes)
    assert document.tone == "bad"
    assert not document.speed
    assert not document.quality
    assert document.costs is None
    assert [fact.value for fact in document.key_figures][-1] == gib(nearest.missing_bytes)
    instead = leading(one)
    assert instead is not None
    assert instead.entry.name in document.verdict
    assert document.next_steps[-1].startswith(f"Read the report about {instead.entry.name} on ")
    assert all(row[7] == "–" for row in document.appendix.levels.rows)  # type: ignore[union-attr]


def test_where_a_requirement_is_in_the_way_the_nearest_level_is_shown() -> None:
    one = found("in the way")
    document = report_of(one)
    assert one.chosen is None
    assert document.tone == "bad"
    assert one.shown.level in document.verdict
    assert document.speed


def test_the_cheapest_way_is_marked_unless_data_must_stay() -> None:
    one = found("fits")
    assert one.chosen is not None
    assert one.chosen.costs is not None
    assert one.chosen.costs.api is not None
    costs = report_of(one).costs
    assert costs is not None
    assert [option.name.partition(":")[0] for option in costs.options if option.chosen] == [NAMES["api"]]
    at_home = answer(Question.from_query(f"{QUESTIONS['fits']}&own_hardware=on"), today=DAY)
    document = report_of(at_home)
    assert document.costs is not None
    assert [option.name.partition(":")[0] for option in document.costs.options if option.chosen] == ["Own it"]
    assert document.costs.note.startswith("Data has to stay on own hardware")


def test_equal_answers_give_equal_bytes_and_papers_differ() -> None:
    cover = Cover(title="Prüfung 日本語", note="")
    made = [render_pdf(report_of(found("fits"), cover)) for _ in range(2)]
    assert made[0] == made[1]
    assert render_pdf(report_of(found("fits"), cover), "letter") != made[0]


@pytest.mark.parametrize("name", ["fits", "nothing fits", "vLLM"])
def test_a_frozen_report_comes_back_exactly(name: str) -> None:
    document = report_of(found(name), Cover(title="T"))
    assert report_from_result(report_to_result(document), Cover(title="T")) == document
    assert changes(document, document) == ()


def test_what_would_be_different_today_is_told_in_sentences() -> None:
    then = report_of(found("fits"))
    costs, memory = then.costs, then.memory
    assert costs is not None
    assert memory is not None
    dearer = replace(costs.options[0], monthly=costs.options[0].monthly.scaled(2))
    now = replace(
        then,
        memory=replace(memory, recommended="Q5_K_M"),
        speed=(replace(then.speed[0], speed=then.speed[0].speed.scaled(0.5)), *then.speed[1:]),
        quality=(replace(then.quality[0], kept_percent=then.quality[0].kept_percent.scaled(0.9)), *then.quality[1:]),
        costs=replace(costs, options=(dearer, *costs.options[1:]), own_beats_api_from=30e6),
    )
    told = changes(then, now)
    assert told[0] == "Today Q5_K_M is recommended; it was Q6_K."
    assert any(sentence.startswith("Quality, All tasks together: ") for sentence in told)
    assert any(sentence.startswith("Writing, for each user: ") for sentence in told)
    assert any(sentence.startswith("Own it: ") and sentence.endswith(".") for sentence in told)
    wins = "Prices changed: the API now wins below 30.0 M tokens a month, owning above; it never did."
    assert wins in told
    assert any("no longer beats the API; it did above 30.0 M" in sentence for sentence in changes(now, then))


def test_a_new_cheapest_way_comes_first() -> None:
    then = report_of(found("fits"))
    assert then.costs is not None
    free = tuple(
        replace(option, monthly=option.monthly.scaled(0.001)) if option.name.startswith("Own it") else option
        for option in then.costs.options
    )
    told = changes(then, replace(then, costs=replace(then.costs, options=free)))
    assert told[0] == "Prices changed: today 'own it' is the cheapest way; it was 'pay per token'."
    gone: Costs | None = None
    assert "No costs are known today; they were." in changes(then, replace(then, costs=gone))


def test_the_command_line_writes_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "report.pdf"
    logo = tmp_path / "logo.svg"
    logo.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>')
    title = "=1+1 <b>bold</b> #strong[x] $a$"
    arguments = ["report", "model=gpt-oss-20b", str(out), "--paper", "letter", "--title", title, "--logo", str(logo)]
    assert main([*arguments, "--company", "Müller & Söhne", "--prepared-for", "*Eva*", "--note", "one\ntwo"]) == 0
    assert capsys.readouterr().out.startswith("Wrote report.pdf: gpt-oss 20B on GeForce RTX 4090, ")
    reader = PdfReader(out)
    first = " ".join(reader.pages[0].extract_text().split())
    assert reader.metadata is not None
    assert reader.metadata.title == title
    for text in (title, "Müller & Söhne", "*Eva*", "one", "two"):
        assert text in first
    assert round(float(reader.pages[0].mediabox.width)) == 612


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("users=0", "x.pdf"), "users=0 is not possible"),
        (("model=nonsense", "x.pdf"), "Unknown model"),
        (("", "."), "is a folder"),
        (("", "x.txt"), "does not end in .pdf"),
        (("", "no/such/folder/x.pdf"), "cannot be written"),
        (("", "x.pdf", "--title", "a" * 201), "at most 200"),
        (("", "x.pdf", "--logo", "no.png"), "cannot be read"),
        (("", "x.pdf", "--logo", "text.png"), "neither a PNG nor an SVG"),
        (("", "x.pdf", "--link", "javascript:1"), "must start with https://"),
    ],
)
def test_a_report_that_cannot_be_made_is_one_line(
    arguments: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.png").write_text("no picture")
    assert main(("report", *arguments)) == 2
    output = capsys.readouterr()
    assert not output.out
    assert message in output.err
    assert output.err.count("\n") == 1
    assert not list(tmp_path.glob("*.pdf"))


def test_a_link_of_the_comparison_makes_a_comparison(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "compared.pdf"
    query = "model=gpt-oss-20b&machine=rtx-4090&columns=machine~rtx-3090~~model~qwen3-32b"
    assert main(["report", query, str(out), "--link", "https://advisor.example.org"]) == 0
    assert capsys.readouterr().out.startswith("Wrote compared.pdf: 3 questions compared, ")
    text = "".join("".join(page.extract_text() for page in PdfReader(out).pages).split())
    assert f"https://advisor.example.org/compare?{query}" in text
    for one in ("A:gpt-oss20BonGeForceRTX4090", "B:gpt-oss20BonGeForceRTX3090", "C:Qwen332BonGeForceRTX4090"):
        assert one in text
    assert main(["report", "model=gpt-oss-20b&columns=machine", str(out)]) == 2
    assert "not of the form key~value" in capsys.readouterr().err


def test_two_processes_write_the_same_file(tmp_path: Path) -> None:
    for name in ("a.pdf", "b.pdf"):
        command = [sys.executable, "-m", "advisor", "report", "model=gpt-oss-20b", str(tmp_path / name)]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()
