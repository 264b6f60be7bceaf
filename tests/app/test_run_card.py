"""The card "Run it" and the report of a wrong figure: what they say, and that nothing from outside becomes HTML."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import pytest

from advisor.answer.answer import Answer, answer
from advisor.answer.run_files import Files
from advisor.answer.run_it import WayToRun, ways_to_run
from advisor.answer.verdict import leading
from advisor.foundation.data_release import data_release
from advisor.foundation.message import as_it_is
from advisor.foundation.version import VERSION
from advisor.question.question import Question
from advisor.runtimes.launch import Command
from advisor.sizing.runtime_id import RuntimeId
from advisor.ui.parts import run_card, wrong_figure

LLAMA = "model=llama-3.3-70b-instruct&machine=rtx-3090&gpus=2"
HOSTILE = '"><img src=x onerror=alert(1)><b>'


def asked(query: str) -> Answer:
    return answer(Question.from_query(query))


class Elements(HTMLParser):
    """The tags of a piece of HTML with their attributes, and those left open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag != "input":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.seen if name == tag]


def test_every_program_has_a_button_with_its_name_and_a_panel() -> None:
    found = asked(LLAMA)
    html = run_card.card(found)
    page = Elements(html)
    assert not page.open
    inputs, labels = page.all("input"), page.all("label")
    assert [one["value"] for one in inputs] == ["llama-cpp", "ollama", "lm-studio", "vllm", "mlx", "sglang"]
    assert [one["id"] for one in inputs] == [one["for"] for one in labels]
    assert [one["value"] for one in inputs if "checked" in one] == ["llama-cpp"]
    panels = [one for one in page.all("div") if (one.get("class") or "").startswith("panel")]
    assert [one["aria-label"] for one in panels] == [way.name for way in ways_to_run(found, found.shown)]
    assert all(button["aria-label"] for button in page.all("button"))
    assert "42.5 GB on the disk · 42.5 GB to download, about 57 min at 100 Mbit/s" in html


def test_what_is_copied_is_the_command_to_the_letter() -> None:
    found = asked(LLAMA)
    html = run_card.card(found)
    shown = [unescape(re.sub("<[^>]*>", "", text)) for text in re.findall(r"<pre[^>]*>(.*?)</pre>", html, re.S)]
    for way in ways_to_run(found, found.shown):
        for command in (*way.lines, *way.before, *way.otherwise, *way.beside):
            assert command.text in shown


def test_a_gated_model_has_a_notice_with_its_address() -> None:
    html = run_card.card(asked("model=gemma-2-27b-it&machine=rtx-4090"))
    assert "google/gemma-2-27b-it is gated" in html
    assert 'href="https://huggingface.co/google/gemma-2-27b-it"' in html
    assert "is gated" not in run_card.card(
        asked("model=qwen2.5-72b-instruct&machine=rtx-3090&gpus=2&runtime=llama.cpp")
    )


def test_where_nothing_fits_there_is_nothing_to_start() -> None:
    html = run_card.card(asked("model=qwen3-8b&machine=custom&memory_gib=0.2&host_memory_gib=0.1"))
    assert "There is nothing to start" in html
    assert "<pre" not in html


def test_a_model_that_leads_the_verdict_is_the_one_that_is_run() -> None:
    found = asked("model=llama-3.1-405b-instruct&machine=rtx-3060-12gb")
    instead = leading(found)
    assert instead is not None
    html = run_card.card(found)
    assert f">Run {instead.entry.name}</h2>" in html
    assert instead.entry.hf_repo.partition("/")[2] in html
    assert "405B" not in html


def test_nothing_from_outside_becomes_html(monkeypatch: pytest.MonkeyPatch) -> None:
    command = Command(as_it_is(HOSTILE), f"run {HOSTILE} --x", (as_it_is(HOSTILE),))
    files = Files("published", HOSTILE, f"javascript:{HOSTILE}", HOSTILE, 1, 1, False, True)
    hostile = WayToRun(
        RuntimeId.LLAMA_CPP,
        HOSTILE,
        HOSTILE,
        False,
        *((command, command), (command,), (command,), (command,)),
        files=files,
        said=(as_it_is(HOSTILE),),
        notes=(as_it_is(HOSTILE),),
    )
    found = asked(LLAMA)
    monkeypatch.setattr(run_card, "ways_to_run", lambda *_: (hostile,))
    page = Elements(run_card.card(found))
    assert not page.open
    assert {tag for tag, _ in page.seen} <= {
        *("section", "h2", "div", "input", "label", "p", "pre", "span", "button", "details", "summary", "strong", "a")
    }
    assert not any("onerror" in attributes for _, attributes in page.seen)
    assert all((link["href"] or "").startswith("https://huggingface.co/") for link in page.all("a"))


def test_a_wrong_figure_is_reported_with_all_that_answered_it() -> None:
    found = asked(LLAMA)
    link = "https://example.org/?model=llama-3.3-70b-instruct"
    text = wrong_figure.report_text(found, link)
    assert text.startswith("This figure is wrong: \n")
    for said in (link, VERSION, data_release(), f"{found.shown.file_bytes} bytes", "Q4_K_M", "1 x 8192 tokens"):
        assert said in text
    for device in found.shown.plan.devices:
        assert f"{device.needed_bytes} bytes" in text
    named = replace(found, entry=replace(found.entry, name=f"{HOSTILE}\nSpeed: 1"))
    assert len(wrong_figure.report_text(named, link).splitlines()) == len(text.splitlines())
    assert not Elements(wrong_figure.fold(named, link)).all("img")
