"""Sharing as Streamlit draws it, without a browser: links, freezing, frozen pages, the report to read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from streamlit.testing.v1 import AppTest

from advisor.advise import answer
from advisor.report.document import Cover
from advisor.report.from_answer import report_of
from advisor.report.frozen import report_to_result
from advisor.scenario import Scenario
from advisor.store import open_store
from advisor.ui import frozen_links
from advisor.ui.report_view import file_name

SCRIPT = Path(__file__).resolve().parents[1] / "advisor" / "ui" / "main.py"
QUERY = "model=gpt-oss-20b&machine=rtx-4090&users=2"
HOSTILE = "<script>alert(1)</script> **x** [y](http://z) :red[z] $a$ =1+1"


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    url = f"sqlite:///{tmp_path / 'advisor.sqlite3'}"
    monkeypatch.setenv("LLM_FIT_ADVISOR_DATABASE", url)
    monkeypatch.delenv("LLM_FIT_ADVISOR_URL", raising=False)
    yield url
    frozen_links._store(url).close()


def opened(query: str) -> AppTest:
    page = AppTest.from_file(str(SCRIPT), default_timeout=120)
    for key, value in parse_qsl(query, keep_blank_values=True):
        page.query_params[key] = value
    page.run()
    assert not page.exception
    return page


def shared(query: str = QUERY) -> AppTest:
    def draw() -> None:
        import streamlit as st

        from advisor.ui import share_page
        from advisor.ui.question import ask

        share_page.draw(ask(st.query_params.to_dict(), {}))

    page = AppTest.from_function(draw, default_timeout=120)
    for key, value in parse_qsl(query):
        page.query_params[key] = value
    page.run()
    assert not page.exception
    return page


def links(page: AppTest) -> list[str]:
    return [code.value for code in page.code]


def texts(page: AppTest) -> str:
    """All Markdown of a page, letter by letter."""
    return "\n".join(element.value.replace("\\", "") for kind in ("title", "markdown") for element in page.get(kind))


def test_links_hold_the_whole_scenario_and_the_address_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert links(shared())[:2] == [f"/?{QUERY}", f"/?{QUERY}&view=report"]
    monkeypatch.setenv("LLM_FIT_ADVISOR_URL", "https://advisor.example.org/llm/")
    page = shared(f"{QUERY}&currency=CHF&min_quality=97&context=4096")
    link = links(page)[0]
    assert link.startswith("https://advisor.example.org/llm/?model=gpt-oss-20b&machine=rtx-4090&")
    assert Scenario.from_query(link.partition("?")[2]).to_query() == link.partition("?")[2]
    assert Scenario.from_query(link.partition("?")[2]).context == 4096


def test_freezing_gives_a_link_that_shows_the_same_and_can_be_deleted(database: str) -> None:
    page = shared()
    page.text_input(key="cover_title").set_value(HOSTILE)
    page.text_area(key="cover_note").set_value("=cmd|x\n# no heading")
    page.button(key="freeze").click().run()
    assert not page.exception
    frozen = next(link for link in links(page) if link.startswith("/s/"))
    id = frozen.removeprefix("/s/")
    stored = open_store(database).load(id)
    assert stored.query == QUERY
    assert stored.cover.title == HOSTILE
    document = report_of(answer(Scenario.from_query(QUERY)))
    assert stored.result["verdict"] == document.verdict

    seen = opened(f"frozen={id}")
    assert not seen.error
    assert not seen.sidebar.children
    assert seen.title[0].value.replace("\\", "").replace("\u2060", "") == HOSTILE
    assert document.verdict in texts(seen)
    assert "# no heading" in texts(seen)
    for fact in document.key_figures:
        assert f"**{fact.value}**" in texts(seen)
    seen.button(key="compare").click().run()
    assert "Nothing: today's answer is the same." in texts(seen)

    page.button(key=f"delete_{id}").click().run()
    assert not page.exception
    assert not any(link.startswith("/s/") for link in links(page))
    assert opened(f"frozen={id}").error[0].value.replace("\\", "") == (
        "This frozen recommendation was deleted by its owner."
    )


def test_a_frozen_page_shows_what_is_stored_not_what_would_be_computed(database: str) -> None:
    result = report_to_result(report_of(answer(Scenario.from_query(QUERY))))
    result["verdict"] = "The verdict of another time."
    result["key_figures"][0]["value"] = "1,234.5 GiB"
    result["memory"]["recommended"] = "Q2_K"
    store = open_store(database)
    made = store.freeze(QUERY, result, "x" * 32, Cover(title="Old"))
    page = opened(f"frozen={made.id}")
    assert "The verdict of another time." in texts(page)
    assert "**1,234.5 GiB**" in texts(page)
    assert made.data_release in page.info[0].value.replace("\\", "")
    page.button(key="compare").click().run()
    assert "is recommended; it was Q2_K." in texts(page)


@pytest.mark.parametrize("id", ["", "abc", "B" * 16, "../../etc/passwd", "<b>", "\u0669" * 16, "x" * 5000])
def test_an_unknown_frozen_link_is_one_sentence(id: str) -> None:
    page = opened(f"frozen={id}")
    assert page.error[0].value.replace("\\", "").startswith("There is no frozen recommendation under this link")
    assert not page.metric


def test_a_lost_database_costs_only_the_frozen_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LLM_FIT_ADVISOR_DATABASE", f"sqlite:///{tmp_path / 'file' / 'x.sqlite3'}")
    page = shared()
    assert len(page.warning) == 1
    assert "everything else works without it" in page.warning[0].value
    assert str(tmp_path) not in page.warning[0].value
    page.button(key="freeze").click().run()
    assert len(page.warning) == 1
    assert links(page)[:2] == [f"/?{QUERY}", f"/?{QUERY}&view=report"]
    assert len(page.get("plotly_chart")) == 3
    monkeypatch.setenv("LLM_FIT_ADVISOR_DATABASE", "mysql://user:secret@host/x")
    page.run()
    assert "secret" not in page.warning[0].value
    assert opened("frozen=BBBBBBBBBBBBBBBB").error


@pytest.mark.parametrize("query", [QUERY, "model=deepseek-v3", "model=llama-3.1-8b-instruct&runtime=vllm", "gpus=2"])
def test_the_report_view_has_no_inputs_and_agrees_with_the_document(query: str) -> None:
    page = opened(f"{query}&view=report")
    found = answer(Scenario.from_query(query))
    document = report_of(found)
    for kind in ("selectbox", "number_input", "text_input", "button", "toggle"):
        assert not page.get(kind)
    assert not page.sidebar.children
    assert document.verdict in texts(page).replace("\u2060", "")
    assert len(page.get("plotly_chart")) == (1 if found.chosen is None else 3)
    words = [header.value for header in page.header]
    assert words[-2:] == ["Assumptions", "Words used"]
    assert ("Cost" in words) == (document.costs is not None)


@pytest.mark.parametrize(
    ("query", "start"),
    [
        ("context=0", "context=0 is not possible"),
        ("machine=rtx-409", "There is no machine"),
        ("model=nonsense", "Unknown model"),
        ("foo=<b>", "Unknown key 'foo'"),
        ("level=MXFP4", "Level MXFP4 is only for"),
    ],
)
def test_a_bad_report_link_is_one_sentence(query: str, start: str) -> None:
    page = opened(f"{query}&view=report")
    assert len(page.error) == 1
    assert page.error[0].value.replace("\\", "").startswith(start)


def test_other_views_are_no_views() -> None:
    page = opened("view=other")
    assert page.warning[0].value.replace("\\", "").startswith("Unknown key 'view'")
    assert page.metric


def test_without_an_answer_the_share_page_says_why() -> None:
    page = shared("model=nonsense")
    assert page.error[0].value.replace("\\", "").startswith("Unknown model")
    assert not page.code


def test_file_names_are_plain() -> None:
    document = report_of(answer(Scenario.from_query(QUERY)))
    assert file_name(document, "pdf") == "gpt-oss-20b-on-geforce-rtx-4090.pdf"
    from dataclasses import replace

    assert file_name(replace(document, subject="../..\\日本\n<x> on /etc"), "csv") == "x-on-etc.csv"
    assert file_name(replace(document, subject="日本"), "csv") == "report.csv"
