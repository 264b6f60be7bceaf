"""The second process that makes reports: the same reports, and nothing lost where it fails."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from advisor.foundation.turns import PAGES
from advisor.question.question import Question
from advisor.ui import reader_pages, second_process
from advisor.ui.second_process import SecondProcess

_FAKE = "tests.support.second_process_fake"
_START_S = 60.0


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[SecondProcess]:
    monkeypatch.setattr(second_process, "_cores", lambda: 2)
    one = SecondProcess(_FAKE)
    yield one
    one.stop()


def _answer(one: SecondProcess, asked: object) -> object:
    """Its answer, once it is ready."""
    end = time.monotonic() + _START_S
    while (found := one.ask(asked)) is None and time.monotonic() < end:
        time.sleep(0.02)
    return found


def test_it_makes_nothing_before_it_is_started_and_then_what_is_asked(fake: SecondProcess) -> None:
    assert fake.ask("a") is None
    assert not fake.runs
    fake.start()
    assert _answer(fake, "a") == "aa"
    assert fake.ask("b") == "bb"
    assert (fake.made, fake.starts) == (2, 1)


def test_what_it_cannot_make_is_made_by_whoever_asks(fake: SecondProcess) -> None:
    fake.start()
    assert _answer(fake, "a") == "aa"
    assert fake.ask("nothing") is None
    assert fake.ask("b") == "bb"


def test_one_that_dies_is_started_again_though_not_at_once(
    fake: SecondProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.start()
    assert _answer(fake, "a") == "aa"
    assert fake.ask("death") is None
    assert not fake.runs
    fake.start()
    assert not fake.runs
    monkeypatch.setattr(second_process, "_NOT_AGAIN_S", 0.0)
    fake.start()
    assert _answer(fake, "b") == "bb"
    assert fake.starts == 2


def test_stopping_leaves_nothing_behind(fake: SecondProcess) -> None:
    fake.start()
    process = fake._process
    fake.stop()
    assert process is not None
    assert process.returncode is not None
    assert fake.ask("a") is None


def test_while_it_makes_one_thing_it_takes_no_other(fake: SecondProcess) -> None:
    fake.start()
    with fake._lock:
        assert fake.ask("a") is None


@pytest.mark.parametrize(("cores", "reports"), [(1, ""), (2, "here")])
def test_it_is_not_started_where_it_is_of_no_use(
    cores: int, reports: str, fake: SecondProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(second_process, "_cores", lambda: cores)
    monkeypatch.setenv("LLM_FIT_ADVISOR_REPORTS", reports)
    fake.start()
    assert not fake.runs


def test_its_reports_are_those_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_process, "_cores", lambda: 2)
    question = Question.from_query("model=llama-3.1-8b-instruct&machine=rtx-4090&users=2")
    one, address = SecondProcess(), "https://advisor.example.com"
    monkeypatch.setattr(reader_pages, "REPORTS", one)
    with ThreadPoolExecutor(1) as elsewhere:
        one.start()
        end = time.monotonic() + _START_S
        while not one.made and time.monotonic() < end:
            with PAGES.turn():  # somebody is at work here
                there = elsewhere.submit(reader_pages.live_page, question, address, "de-CH")
                time.sleep(0.5)
            made = there.result()
        one.stop()
    assert one.made == 1
    here = reader_pages.page_here(question, address, "de-CH")
    assert (made.body, made.kind, made.document) == (here.body, here.kind, here.document)
