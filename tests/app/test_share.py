"""Sharing as Streamlit draws it, without a browser: links, freezing, frozen pages, the report to read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from starlette.requests import Request
from starlette.responses import Response
from streamlit.testing.v1 import AppTest

from advisor.answer.answer import answer
from advisor.answer.choices import choices
from advisor.answer.reasons import reasons
from advisor.answer.verdict import leading
from advisor.foundation import quotas
from advisor.foundation.quotas import Quotas
from advisor.question.question import Question
from advisor.report.document import Cover
from advisor.report.exports import question_to_yaml
from advisor.report.from_answer import report_of
from advisor.report.frozen import report_from_result, report_to_result
from advisor.report.pdf import render_pdf
from advisor.store import open_store
from advisor.ui import one_at_a_time
from advisor.ui.ownership import CLAIM_PATH, OWNER_COOKIE, own
from advisor.ui.parts import frozen_links
from advisor.ui.parts.report_view import file_name
from advisor.words import say_all
from tests.support.own_loop import in_own_loop
from tests.support.pages import html, opened

RECORDED = Path(__file__).resolve().parents[1] / "support" / "recorded"
QUERY = "model=gpt-oss-20b&machine=rtx-4090&users=2"
HOSTILE = "<script>alert(1)</script> **x** [y](http://z) :red[z] $a$ =1+1"


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    url = f"sqlite:///{tmp_path / 'advisor.sqlite3'}"
    monkeypatch.setenv("LLM_FIT_ADVISOR_DATABASE", url)
    monkeypatch.delenv("LLM_FIT_ADVISOR_URL", raising=False)
    yield url
    frozen_links._store(url).close()


def shared(query: str = QUERY) -> AppTest:
    def draw() -> None:
        import streamlit as st

        from advisor.foundation.quotas import Visitor, asked_by
        from advisor.ui.asking import ask
        from advisor.ui.link import ReadLink
        from advisor.ui.views import share as share_page

        asked_by(Visitor(address="203.0.113.5"))
        share_page.draw(ask(ReadLink(st.query_params.to_dict())))

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
    return "\n".join(str(element.value).replace("\\", "") for element in (*page.title, *page.markdown))


def test_links_hold_the_whole_question_and_the_address_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert links(shared())[:2] == [f"/?{QUERY}", f"/?{QUERY}&view=report"]
    monkeypatch.setenv("LLM_FIT_ADVISOR_URL", "https://advisor.example.org/llm/")
    page = shared(f"{QUERY}&currency=CHF&min_quality=97&context=4096")
    link = links(page)[0]
    assert link.startswith("https://advisor.example.org/llm/?model=gpt-oss-20b&machine=rtx-4090&")
    assert Question.from_query(link.partition("?")[2]).to_query() == link.partition("?")[2]
    assert Question.from_query(link.partition("?")[2]).workload.context == 4096


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
    document = report_of(answer(Question.from_query(QUERY)))
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


def claimed(path: str, **headers: str) -> Response:
    """What a browser gets that fetches this path."""
    fields = [(key.replace("_", "-").encode(), value.encode()) for key, value in {"host": "advisor", **headers}.items()]
    scope = {"type": "http", "scheme": "https", "server": ("advisor", 443), "path": path, "headers": fields}
    code = path.rpartition("/")[2]
    return in_own_loop(own(Request({**scope, "method": "GET", "query_string": b"", "path_params": {"code": code}})))


def test_only_who_freezes_gets_a_cookie_and_only_for_themselves(database: str) -> None:
    page = shared()
    assert not any("<img" in part.proto.body for part in page.get("html"))
    page.button(key="freeze").click().run()
    (picture,) = [part for part in page.get("html") if "<img" in part.proto.body]
    path = picture.proto.body.partition('src="')[2].partition('"')[0]
    assert path.startswith(CLAIM_PATH)
    # Neither another site nor who has one already is given it.
    for headers in (
        {"sec_fetch_site": "cross-site"},
        {"referer": "https://elsewhere.example/"},
        {},
        {"sec_fetch_site": "same-origin", "cookie": f"{OWNER_COOKIE}=one-that-i-have"},
    ):
        assert "set-cookie" not in claimed(path, **headers).headers
    given = claimed(path, referer="https://advisor/share").headers["set-cookie"]
    secret = given.partition("=")[2].partition(";")[0]
    assert [kept.id for kept in open_store(database).list_own(secret)] == [page.session_state["frozen_id"]]
    assert "HttpOnly" in given
    assert "Secure" in given
    assert "set-cookie" not in claimed(path, sec_fetch_site="same-origin").headers  # once
    assert "set-cookie" not in claimed(f"{CLAIM_PATH}/made-up", sec_fetch_site="same-origin").headers


def test_a_frozen_page_shows_what_is_stored_not_what_would_be_computed(database: str) -> None:
    result = report_to_result(report_of(answer(Question.from_query(QUERY))))
    result["brief"]["decision"] = "The verdict of another time."
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


# What earlier versions stored, as they stored it; the first of them knew fewer fields. Never record these anew.
@pytest.mark.parametrize("name", ["frozen_report_1.json", "frozen_report_1_first.json"])
def test_what_earlier_versions_froze_still_opens(database: str, name: str) -> None:
    result = json.loads((RECORDED / name).read_text("utf-8"))
    made = open_store(database).freeze(QUERY, result, "x" * 32, Cover(title="Of another version"))
    page = opened(f"frozen={made.id}")
    assert not page.error
    assert result["verdict"] in texts(page)
    for fact in result["key_figures"]:
        assert f"**{fact['value']}**" in texts(page)
    assert len(page.get("plotly_chart")) == 3
    assert all(sentence in texts(page) for sentence in result["next_steps"])
    page.button(key="compare").click().run()
    assert not page.exception
    stored = open_store(database).load(made.id)
    document = report_from_result(stored.result, stored.cover)
    assert held_in(report_to_result(document), result)
    assert render_pdf(document).startswith(b"%PDF-")


def held_in(values: Any, recorded: Any) -> bool:
    """Whether everything recorded is still there, to the digit; newer fields may stand beside it."""
    if isinstance(recorded, dict):
        return all(key in values and held_in(values[key], value) for key, value in recorded.items())
    if isinstance(recorded, list):
        return len(values) == len(recorded) and all(map(held_in, values, recorded))
    return bool(values == recorded)


def test_a_frozen_report_of_which_only_the_least_is_there_opens(database: str) -> None:
    whole = json.loads((RECORDED / "frozen_report_1.json").read_text("utf-8"))
    least = {key: whole[key] for key in ("format", "subject", "verdict", "tone", "generated_at")}
    page = opened(f"frozen={open_store(database).freeze(QUERY, least, 'x' * 32).id}")
    assert not page.error
    assert page.title[0].value.replace("\\", "") == whole["subject"]
    assert whole["verdict"] in texts(page)


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
    page.session_state["fold_pictures"] = True
    page.run()
    assert len(page.get("plotly_chart")) == 3
    monkeypatch.setenv("LLM_FIT_ADVISOR_DATABASE", "mysql://user:secret@host/x")
    page.run()
    assert "secret" not in page.warning[0].value
    assert opened("frozen=BBBBBBBBBBBBBBBB").error


@pytest.mark.parametrize("query", [QUERY, "model=deepseek-v3", "model=llama-3.1-8b-instruct&runtime=vllm", "gpus=2"])
def test_the_report_view_has_no_inputs_and_agrees_with_the_document(query: str) -> None:
    page = opened(f"{query}&view=report")
    found = answer(Question.from_query(query))
    document = report_of(found)
    for kind in ("selectbox", "number_input", "text_input", "button", "toggle"):
        assert not page.get(kind)
    assert not page.sidebar.children
    assert document.verdict in texts(page).replace("\u2060", "")
    assert len(page.get("plotly_chart")) == (1 if found.chosen is None else 3)
    words = [header.value for header in page.header]
    assert words[-2:] == ["Inputs and assumptions", "Words used"]
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
    assert "card verdict" in html(opened("view=other"))


@pytest.mark.parametrize("pinned", ["", "&kv_type_k=f16&kv_offload=on"])
def test_a_scenario_file_pins_what_it_writes_and_leaves_the_rest_to_the_search(pinned: str) -> None:
    def draw() -> None:
        from advisor.ui import state
        from advisor.ui.asking import Reply
        from advisor.ui.views import share as share_page

        state.read()
        share_page.draw(Reply(None, "Nothing yet.", ()))

    asked = Question.from_query(f"{QUERY}{pinned}")
    page = AppTest.from_function(draw, default_timeout=120).run()
    page.file_uploader(key="scenario_file").set_value(("a.yaml", question_to_yaml(asked).encode(), "")).run()
    page.button(key="use_scenario").click().run()
    assert not page.exception
    held = Question.from_values(page.session_state["held_link"])
    assert held == asked
    assert held.pins == asked.pins == ({"kv_type_k", "kv_offload"} if pinned else set())


def test_a_report_that_another_model_leads_sends_nobody_for_the_wrong_file() -> None:
    found = answer(Question.from_query("level=Q2_K&machine=rtx-5090"))
    other = leading(found)
    assert other is not None
    document = report_of(found, link="https://advisor.example.org/?level=Q2_K")
    assert document.tone == "bad"
    assert document.next_steps[-1].endswith(f"https://advisor.example.org/?{other.found.question.to_query()}.")
    assert not [step for step in document.next_steps if "Q2_K" in step]
    assert len(document.choices) == len(choices(found))
    assert document.why == say_all(reasons(found), "report")
    assert "of Llama 3.1 70B Instruct as Q2_K" in document.key_figures[0].note


def test_without_an_answer_the_share_page_says_why() -> None:
    page = shared("model=nonsense")
    assert page.error[0].value.replace("\\", "").startswith("Unknown model")
    assert not page.code


def test_file_names_are_plain() -> None:
    document = report_of(answer(Question.from_query(QUERY)))
    assert file_name(document, "pdf") == "gpt-oss-20b-on-geforce-rtx-4090.pdf"
    from dataclasses import replace

    assert file_name(replace(document, subject="../..\\日本\n<x> on /etc"), "csv") == "x-on-etc.csv"
    assert file_name(replace(document, subject="日本"), "csv") == "report.csv"


def test_a_frozen_link_ends_unless_it_is_asked_to_stay(database: str) -> None:
    page = shared()
    page.button(key="freeze").click().run()
    (row,) = open_store(database).list_own(page.session_state["owner"])
    assert row.expires_at is not None
    assert (row.expires_at - row.created_at).days == 365


def test_nobody_fills_the_database(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "QUOTAS", Quotas(lambda: {"freezes": 1}))
    page = shared()
    for _ in range(6):  # five, of one address
        page.button(key="freeze").click().run()
    assert len(open_store(database).list_own(page.session_state["owner"])) == 5
    assert "enough of freezes" in page.warning[0].value


def test_a_full_queue_is_said_and_the_page_tries_again(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_at_a_time, "MOST_WAITING", -1)
    page = opened(QUERY)
    assert "Very many people are asking" in page.warning[0].value
    assert "as soon as there is room" in page.warning[0].value
    monkeypatch.setattr(one_at_a_time, "MOST_WAITING", 100)
    page.run()
    assert not page.warning
