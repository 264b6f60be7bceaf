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
from starlette.routing import Router
from streamlit.testing.v1 import AppTest

from advisor.answer.answer import answer
from advisor.answer.choices import choices
from advisor.answer.reasons import reasons
from advisor.answer.verdict import leading
from advisor.foundation import quotas
from advisor.foundation.quotas import Quotas
from advisor.question.question import Question
from advisor.report.document import Cover
from advisor.report.exports import file_name, question_to_yaml
from advisor.report.from_answer import report_of
from advisor.report.frozen import report_from_result, report_to_result
from advisor.report.pdf import render_pdf
from advisor.report.web.page import decision_of
from advisor.store import open_store
from advisor.ui import one_at_a_time
from advisor.ui.ownership import CLAIM_PATH, OWNER_COOKIE, own
from advisor.ui.parts import frozen_links
from advisor.ui.report_routes import ROUTES
from advisor.words import say_all
from tests.support.asgi import Answered, ask
from tests.support.own_loop import in_own_loop
from tests.support.pages import html, opened
from tests.support.read_page import PageRead

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


def site() -> Router:
    """What readers of reports ask."""
    return Router(ROUTES)


def read_frozen(path: str) -> Answered:
    return ask(site(), f"/s/{path}", host="advisor")


def frozen_page(id: str) -> PageRead:
    answered = read_frozen(id)
    assert answered.status == 200
    return PageRead(answered.body.decode())


def links(page: AppTest) -> list[str]:
    return [code.value for code in page.code]


def test_links_hold_the_whole_question_and_the_address_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert links(shared())[:2] == [f"/?{QUERY}", f"/r?{QUERY}"]
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

    page_of = frozen_page(id)
    assert HOSTILE in page_of.words
    assert decision_of(document) in page_of.words
    assert "# no heading" in page_of.words
    assert document.brief is not None
    for figure in (*document.brief.money, *document.brief.gets):
        assert figure.value in page_of.words
    assert "Nothing: the answer of today is the same." in page_of.words

    page.button(key=f"delete_{id}").click().run()
    assert not page.exception
    assert not any(link.startswith("/s/") for link in links(page))
    gone = read_frozen(id)
    assert gone.status == 404
    assert "This frozen recommendation was deleted by its owner." in PageRead(gone.body.decode()).words


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
        {"sec_fetch_site": "same-site", "referer": "https://advisor/share"},  # a page of another name beside this one
        {"sec_fetch_site": "none", "referer": "https://advisor/share"},
        {"referer": "https://other.advisor/share"},
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
    result["brief"]["decision"] = "The decision of another time."
    result["brief"]["money"][0]["value"] = "1,234.5 USD"
    result["memory"]["recommended"] = "Q2_K"
    for option in result["costs"]["options"]:
        option["monthly"] = {name: 2 * amount for name, amount in option["monthly"].items()}
    made = open_store(database).freeze(QUERY, result, "x" * 32, Cover(title="Old"))
    page = frozen_page(made.id)
    assert "The decision of another time." in page.words
    assert "1,234.5 USD" in page.words
    assert made.data_release in page.words
    # What has changed since, in answer and in money.
    since = page.words.partition("What has changed since")[2]
    assert f"The answer of today: {decision_of(report_of(answer(Question.from_query(QUERY))))}" in since
    assert "is recommended; it was Q2_K." in since
    assert "USD a month today; it was" in since
    assert page.links["Open with today's data"] == f"../?{QUERY}"


def test_a_frozen_report_has_its_files_and_says_that_it_is_the_same(database: str) -> None:
    result = report_to_result(report_of(answer(Question.from_query(QUERY))))
    id = open_store(database).freeze(QUERY, result, "x" * 32, Cover(title="Of <b>today</b>")).id
    first = read_frozen(id)
    page = PageRead(first.body.decode())
    assert page.meta["og:title"] == "Of <b>today</b>"
    assert page.meta["og:image"].endswith(f"/s/{id}/preview.png")
    assert read_frozen(f"{id}/report.pdf").body.startswith(b"%PDF-")
    assert read_frozen(f"{id}/preview.png").body.startswith(b"\x89PNG")
    assert page.links["Download PDF"] == f"./{id}/report.pdf"
    for file in ("", "/report.pdf", "/preview.png"):
        etag = read_frozen(f"{id}{file}").headers["etag"]
        again = ask(site(), f"/s/{id}{file}", host="advisor", if_none_match=etag)
        assert (again.status, again.body) == (304, b"")
        assert again.headers["cache-control"] == "no-cache"


# What earlier versions stored, as they stored it; the first of them knew fewer fields. Never record these anew.
@pytest.mark.parametrize("name", ["frozen_report_1.json", "frozen_report_1_first.json"])
def test_what_earlier_versions_froze_still_opens(database: str, name: str) -> None:
    result = json.loads((RECORDED / name).read_text("utf-8"))
    made = open_store(database).freeze(QUERY, result, "x" * 32, Cover(title="Of another version"))
    page = frozen_page(made.id)
    assert result["verdict"] in page.words
    for fact in result["key_figures"]:
        assert fact["value"] in page.words
    assert page.tags.count("figure") == 3
    assert all(sentence in page.words for sentence in result["next_steps"])
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
    page = frozen_page(open_store(database).freeze(QUERY, least, "x" * 32).id)
    assert whole["subject"] in page.words
    assert whole["verdict"] in page.words


@pytest.mark.parametrize("id", ["abc", "B" * 16, "%2E%2E", "<b>", "\u0669" * 16, "x" * 5000])
def test_an_unknown_frozen_link_is_one_sentence(id: str) -> None:
    answered = read_frozen(id)
    assert answered.status == 404
    assert "There is no frozen recommendation under this link" in PageRead(answered.body.decode()).words


def test_what_is_damaged_or_cannot_be_asked_any_more_is_said(database: str) -> None:
    store = open_store(database)
    damaged = read_frozen(store.freeze(QUERY, {"format": "report/1"}, "x" * 32).id)
    assert damaged.status == 500
    assert "damaged" in PageRead(damaged.body.decode()).words
    result = report_to_result(report_of(answer(Question.from_query(QUERY))))
    page = frozen_page(store.freeze("machine=no-such-machine", result, "x" * 32).id)
    assert "This question cannot be answered today: There is no machine" in page.words
    assert result["brief"]["decision"] in page.words


def test_a_lost_database_costs_only_the_frozen_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LLM_FIT_ADVISOR_DATABASE", f"sqlite:///{tmp_path / 'file' / 'x.sqlite3'}")
    page = shared()
    assert len(page.warning) == 1
    assert "everything else works without it" in page.warning[0].value
    assert str(tmp_path) not in page.warning[0].value
    page.button(key="freeze").click().run()
    assert len(page.warning) == 1
    assert links(page)[:2] == [f"/?{QUERY}", f"/r?{QUERY}"]
    page.session_state["fold_pictures"] = True
    page.run()
    assert len(page.get("plotly_chart")) == 3
    monkeypatch.setenv("LLM_FIT_ADVISOR_DATABASE", "mysql://user:secret@host/x")
    page.run()
    assert "secret" not in page.warning[0].value
    lost = read_frozen("BBBBBBBBBBBBBBBB")
    assert lost.status == 503
    assert b"secret" not in lost.body


@pytest.mark.parametrize("query", [QUERY, "model=deepseek-v3", "model=llama-3.1-8b-instruct&runtime=vllm", "gpus=2"])
def test_the_report_to_read_has_no_inputs_and_agrees_with_the_document(query: str) -> None:
    page = PageRead(ask(site(), "/r", query, host="advisor").body.decode())
    found = answer(Question.from_query(query))
    document = report_of(found)
    assert not {"input", "select", "textarea", "button", "form"}.intersection(page.tags)
    assert decision_of(document) in page.words
    assert page.tags.count("figure") == (1 if found.chosen is None else 3)
    assert page.headings[-1] == "Words used"
    assert ("What has been paid after so many months" in page.headings) == (document.costs is not None)


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
