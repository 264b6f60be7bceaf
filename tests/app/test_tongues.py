"""The language of a link: sentences, figures, cards and reports follow it from page to page."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from advisor.answer.answer import answer
from advisor.foundation.errors import InputError
from advisor.question.question import Question
from advisor.report.asking import answer_plan
from advisor.report.command import write_report
from advisor.report.comparison_pdf import names_of
from advisor.report.exports import plans_csv
from advisor.report.from_answer import report_of
from advisor.report.payload import report_payload
from advisor.report.pdf import render_pdf
from advisor.ui.first_answer import first_answer
from advisor.ui.report_routes import ROUTES
from advisor.words import speaking
from tests.support.pages import html, messages, opened

QUERY = "model=llama-3.1-70b-instruct&machine=rtx-3090&gpus=2&currency=CHF&country=CH"


def test_the_page_speaks_the_language_of_its_link_and_keeps_it() -> None:
    page = opened(f"{QUERY}&lang=de-CH")
    shown = html(page)
    assert "Nehmen Sie Q4_K_M" in shown
    assert "Erhaltene Qualität" in shown
    assert re.search(r"CHF\s\d", shown)
    assert not page.exception
    ours = [href for href in re.findall(r'data-go="1"[^>]*href="([^"]+)"', shown) if "?" in href]
    assert ours
    assert [href for href in ours if "lang=de-CH" not in href] == []


def test_without_a_language_nothing_of_it_is_in_the_links() -> None:
    shown = html(opened(QUERY))
    assert "Run it as Q4_K_M" in shown
    assert "lang=" not in shown


def test_a_language_that_there_is_not_is_said_in_one_sentence() -> None:
    page = opened(f"{QUERY}&lang=xx")
    assert [said for said in messages(page) if said.startswith("There is no language 'xx'; there are de, de-CH")]
    assert "Run it as Q4_K_M" in html(page)


def test_a_choice_of_language_changes_the_link() -> None:
    def draw() -> None:
        import streamlit as st

        from advisor.ui import tongue
        from advisor.ui.asking import ask
        from advisor.ui.link import read_link
        from advisor.ui.views import share

        tongue.follow(st.query_params.get("lang", ""))
        share.draw(ask(read_link({key: st.query_params.get_all(key) for key in st.query_params})))

    page = AppTest.from_function(draw, default_timeout=120)
    for key, value in parse_qsl(QUERY):
        page.query_params[key] = value
    page.run()
    (box,) = (one for one in page.selectbox if one.label == "Language and country")
    assert "Deutsch (Schweiz)" in box.options
    box.set_value("de-CH").run()
    assert not page.exception
    assert [code.value.partition("lang=")[2] for code in page.code[:2]] == ["de-CH", "de-CH"]


def test_the_first_answer_has_it_too() -> None:
    assert "Run it as Q4_K_M" in first_answer(QUERY)
    assert "Nehmen Sie Q4_K_M" in first_answer(f"{QUERY}&lang=de-DE")
    assert first_answer(f"{QUERY}&lang=xx") == ""


def test_for_scripts_a_language_changes_sentences_alone() -> None:
    plain, spoken = answer_plan(QUERY)["decision"], answer_plan(f"{QUERY}&lang=de-CH")["decision"]
    assert spoken["sentence"] != plain["sentence"]
    for told in ("sentence", "reasons"):
        del plain[told], spoken[told]
    assert spoken == plain
    found = answer(Question.from_query(QUERY))
    english = plans_csv(found)
    with speaking("de-CH"):
        assert plans_csv(found) == english


def test_the_command_line_writes_a_report_in_it(tmp_path: Path) -> None:
    out = tmp_path / "a.pdf"
    with speaking("de-DE"):
        write_report(QUERY, out, "a4", {}, None)
    assert b"de-DE" in out.read_bytes()
    write_report(f"{QUERY}&lang=de-CH", out, "a4", {}, None)
    assert b"de-CH" in out.read_bytes()
    with pytest.raises(InputError, match="There is no language 'klingon'"):
        write_report(f"{QUERY}&lang=klingon", out, "a4", {}, None)


# English that no name or address has: what it would take for a sentence to have been left behind.
_ENGLISH = re.compile(r"\b(the|of|and|is|are|with|measured|transferred|estimated|each|than|not)\b")
_DATA = re.compile(r"sources|commands|reproduce|line|about|qr|link")


@pytest.mark.parametrize(
    "query",
    [
        QUERY,
        "model=qwen3-8b&machine=a100-sxm4-80gb&runtime=vllm&users=32&term=spot&region=eu",
        "model=llama-3.3-70b-instruct&machine=rtx-3060-12gb&own_hardware=on",
        "model=bge-m3&machine=rtx-4090",
    ],
)
def test_a_german_report_has_no_english_left(query: str) -> None:
    found = answer(Question.from_query(query))
    with speaking("de-DE"):
        payload = report_payload(report_of(found), "a4")
        assert " auf " in names_of(found)
    assert [one for one in _texts(payload, "") if _ENGLISH.search(one[1]) and not _DATA.search(one[0])] == []


def _texts(held: object, place: str) -> list[tuple[str, str]]:
    if isinstance(held, dict):
        return [one for key, value in held.items() for one in _texts(value, f"{place}.{key}")]
    if isinstance(held, list | tuple):
        return [one for value in held for one in _texts(value, place)]
    return [(place, held)] if isinstance(held, str) else []


def test_a_german_report_stays_german_wherever_it_is_made() -> None:
    with speaking("de-DE"):
        document = report_of(answer(Question.from_query(QUERY)))
    assert document.language == "de-DE"
    assert b"de-DE" in render_pdf(document)


def test_the_readers_page_its_files_and_links_have_it() -> None:
    client = TestClient(Starlette(routes=list(ROUTES)))
    page = client.get(f"/r?{QUERY}&lang=de-CH")
    assert page.status_code == 200
    assert '<html lang="de-CH"' in page.text
    assert "Was es kostet" in page.text
    assert re.search(r'href="\./\?[^"]*lang=de-CH"', page.text)
    assert page.headers["etag"] != client.get(f"/r?{QUERY}&lang=de-DE").headers["etag"]
    assert "lang=" not in re.sub(r'<html lang="en"', "", client.get(f"/r?{QUERY}").text)
    assert b"de-CH" in client.get(f"/r/report.pdf?{QUERY}&lang=de-CH").content
    refused = client.get(f"/r?{QUERY}&lang=xx")
    assert refused.status_code == 400
    assert "There is no language" in refused.text
