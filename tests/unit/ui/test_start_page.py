"""What a browser gets before any script runs: the decision in the page, compressed files, and nothing broken."""

from __future__ import annotations

import gzip
import hashlib
import logging
import re
import socket
import threading
from base64 import b64encode
from typing import Any
from urllib.parse import urljoin

import pytest
from streamlit.web.server.starlette.starlette_static_routes import create_streamlit_static_handler

from advisor.answer.answer import answer
from advisor.answer.verdict import verdict
from advisor.question.question import Question
from advisor.ui import first_answer as first
from advisor.ui import start_page, static_files, view_cache
from advisor.ui.link import START
from advisor.ui.parts.verdict_card import card
from advisor.ui.server import SecurityHeaders
from advisor.ui.start_page import StartPage
from advisor.ui.static_files import SCRIPTS, STREAMLIT_FOLDER, CompressedFiles, script_version
from advisor.words import say
from tests.support.asgi import ask
from tests.support.pages import in_words

LINKS = (
    "",
    "model=llama-3.1-8b-instruct",
    "model=llama-3.3-70b-instruct&machine=rtx-4090&context=8192",
    "model=gpt-oss-120b&machine=apple-m4-max-40c-128gb&users=4&tab=Memory",
)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    view_cache.clear()
    monkeypatch.setattr(start_page, "_PATIENCE_S", 60.0)  # a busy machine is no failure


def site(answered: Any = first.first_answer) -> Any:
    """Our part around Streamlit's own handler of its files, as the server has it."""
    streamlit = create_streamlit_static_handler(str(STREAMLIT_FOLDER), "")
    return SecurityHeaders(CompressedFiles(StartPage(streamlit, answered)))


@pytest.mark.parametrize("path", ["/", "/compare"])
def test_who_has_no_scripts_is_told_so_with_a_way_on(path: str) -> None:
    (said,) = re.findall(r"<noscript>(.*?)</noscript>", ask(site(), path).body.decode(), re.DOTALL)
    assert "need JavaScript" in said
    assert '<a href="./">' in said
    assert "Streamlit" not in said


@pytest.mark.parametrize("link", LINKS)
def test_the_start_page_holds_the_decision_of_its_link(link: str) -> None:
    page = ask(site(), "/", link).body.decode()
    own = link.partition("&tab")[0]
    found = answer(Question.from_query(own) if own else Question.from_values(START))
    before = page.partition('<div id="root">')[0]
    assert say(verdict(found), "page") in in_words(before)
    assert found.status in before.partition('<main id="first-answer">')[2]


@pytest.mark.parametrize(
    "link",
    [
        "model=meta-llama/Llama-3.1-8B-Instruct",
        "model=https://huggingface.co/org/name/resolve/main/a.gguf",
        "model=upload-0123456789abcdef",
        "model=no-such-model",
        "machine=no-such-machine",
        "model=llama-3.1-8b-instruct&nonsense=1",
        "model=llama-3.1-8b-instruct&context=-1",
        "context=1&context=2",
        "model=llama-3.1-8b-instruct&view=report",
        "frozen=abcdefghij",
        "model=%ff%fe",
        "=&&==",
        "context=" + "9" * 5_000,
        "&".join(f"a{number}=1" for number in range(1_000)),
        "model=<script>alert(1)</script>",
        "model=llama-3.1-8b-instruct&context=<script>alert(1)</script>",
    ],
)
def test_what_cannot_be_said_at_once_leaves_the_place_empty(link: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object) -> None:
        raise AssertionError("the start page asked the network")

    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    answered = ask(site(), "/", link)
    assert answered.status == 200
    assert '<main id="first-answer">' not in answered.body.decode()
    assert "alert(1)" not in answered.body.decode()


def test_what_names_hold_is_shown_letter_by_letter() -> None:
    from dataclasses import replace

    found = answer(Question.from_query("model=llama-3.1-8b-instruct"))
    odd = replace(found, entry=replace(found.entry, name="<img src=x onerror=alert(1)> & more"))
    drawn = card(odd)
    assert "<img" not in drawn
    assert "&lt;img src=x onerror=alert(1)&gt; &amp; more" in drawn


def test_an_error_of_the_program_costs_the_first_answer_and_not_the_page(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(first, "answer", broken)
    with caplog.at_level(logging.ERROR):
        answered = ask(site(), "/", "model=llama-3.1-8b-instruct")
    assert answered.status == 200
    assert '<div id="root">' in answered.body.decode()
    assert '<main id="first-answer">' not in answered.body.decode()
    assert "ZeroDivisionError" in caplog.text


def test_a_busy_server_sends_the_page_without_the_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(start_page, "_PATIENCE_S", 0.05)

    def slow(_: str) -> str:
        go_on.wait(20)
        return "came too late"

    # The loop joins its threads when it closes: by then the page was sent.
    timer = threading.Timer(0.3, go_on.set)
    timer.start()
    answered = ask(site(slow), "/")
    timer.join()
    assert answered.status == 200
    assert b"came too late" not in answered.body


def test_a_question_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def counted(question: Question) -> Any:
        asked.append(question)
        return answer(question)

    monkeypatch.setattr(first, "answer", counted)
    links = ("model=llama-3.1-8b-instruct&machine=rtx-3090", "machine=rtx-3090&model=llama-3.1-8b-instruct")
    pages = {ask(site(), "/", link).body for link in (*links, *links)}
    assert len(pages) == len(asked) == 1


def test_every_page_starts_with_our_script_and_only_the_first_with_an_answer() -> None:
    for path in ("/", "/compare", "/models-for-a-machine", "/index.html"):
        page = ask(site(lambda _: "<p>here</p>"), path, accept_encoding="gzip")
        text = gzip.decompress(page.body).decode()
        assert f'<script src="./page.js?v={script_version("/page.js")}" defer></script>' in text
        assert "<title>LLM Fit Advisor</title>" in text
        assert ("<p>here</p>" in text) == (path == "/")
    assert ask(site(), "/manifest.json").headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ["/nope", "/compare/nope", "/favicon", "/wp-login.php"])
def test_where_there_is_no_page_a_404_says_so(path: str) -> None:
    answered = ask(site(), path)
    assert answered.status == 404
    assert b"There is no such page" in answered.body
    assert b"<script" not in answered.body
    assert "script-src" not in answered.headers["content-security-policy"]
    (way,) = re.findall(r'<nav><a href="([^"]+)"', answered.body.decode())
    assert urljoin(f"https://example.org{path}", way) == "https://example.org/"


def test_a_browser_that_knows_streamlits_page_gets_ours() -> None:
    streamlit = create_streamlit_static_handler(str(STREAMLIT_FOLDER), "")
    known = ask(streamlit, "/").headers
    answered = ask(
        site(), "/compare", if_none_match=known["etag"], if_modified_since=known["last-modified"], range="bytes=0-9"
    )
    assert answered.status == 200
    assert b"page.js" in answered.body
    assert answered.headers["cache-control"] == "no-cache"


def test_only_the_inline_scripts_of_the_page_may_run() -> None:
    answered = ask(site(), "/", "model=llama-3.1-8b-instruct")
    rules = dict(rule.split(" ", 1) for rule in answered.headers["content-security-policy"].split("; "))
    inline = re.findall(r"<script>(.*?)</script>", answered.body.decode(), re.DOTALL)
    hashes = [f"'sha256-{b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in inline]
    assert rules["script-src"].split() == ["'self'", *hashes]
    assert not re.search(r"\son\w+=", answered.body.decode().partition('<div id="root">')[0].partition("</style>")[2])


@pytest.mark.parametrize(
    ("accepts", "encoding"),
    [("gzip, deflate, br", "br"), ("br;q=0, gzip", "gzip"), ("gzip", "gzip"), ("*", "br"), ("identity", None)],
)
def test_files_travel_compressed_and_are_the_same_bytes(accepts: str, encoding: str | None) -> None:
    brotli = pytest.importorskip("brotli")
    unpack = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}
    script = next((STREAMLIT_FOLDER / "static" / "js").glob("index.*.js"))
    for path, file in ((f"/static/js/{script.name}", script), ("/page.js", SCRIPTS["/page.js"])):
        answered = ask(site(), path, accept_encoding=accepts)
        assert answered.headers.get("content-encoding") == encoding
        assert unpack[encoding](answered.body) == file.read_bytes()
        assert int(answered.headers["content-length"]) == len(answered.body)
        assert answered.headers["content-type"].startswith("text/javascript")
        if encoding is not None:
            assert answered.headers["vary"] == "Accept-Encoding"
            assert len(answered.body) < file.stat().st_size / 2


def test_files_are_kept_by_browsers_and_page_js_as_long_as_it_is_the_same() -> None:
    version = script_version("/page.js")
    named = ask(site(), "/page.js", f"v={version}", accept_encoding="gzip")
    assert "immutable" in named.headers["cache-control"]
    plain = ask(site(), "/page.js", accept_encoding="gzip")
    assert plain.headers["cache-control"] == "no-cache"
    assert ask(site(), "/page.js", if_none_match=plain.headers["etag"]).status == 304
    script = next((STREAMLIT_FOLDER / "static" / "js").glob("index.*.js"))
    static = ask(site(), f"/static/js/{script.name}", accept_encoding="gzip")
    assert "immutable" in static.headers["cache-control"]


def test_without_brotli_there_is_gzip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static_files, "brotli", None)
    assert ask(site(), "/page.js", accept_encoding="br, gzip").headers["content-encoding"] == "gzip"


def test_only_whole_files_that_are_there_are_answered_here() -> None:
    script = next((STREAMLIT_FOLDER / "static" / "js").glob("index.*.js"))
    part = ask(site(), f"/static/js/{script.name}", accept_encoding="gzip", range="bytes=0-9")
    assert (part.status, len(part.body)) == (206, 10)
    head = ask(site(), "/page.js", method="HEAD", accept_encoding="gzip")
    assert head.body == b""
    assert int(head.headers["content-length"]) > 1000
    for path in ("/static/../../page.js", "/static/js/../../../config.py", "/page.js/"):
        assert b"PAGES" not in ask(site(), path, accept_encoding="gzip").body
        assert "immutable" not in ask(site(), path, accept_encoding="gzip").headers.get("cache-control", "")


def test_the_folder_that_the_app_lives_in_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(site(), "/page.js", root="/advisor", accept_encoding="gzip").headers["content-encoding"] == "gzip"
    assert b">here<" in ask(site(lambda _: "here"), "/", root="/advisor").body
    monkeypatch.setattr(static_files, "folder", lambda: "/advisor")
    assert ask(site(), "/advisor/page.js", accept_encoding="gzip").headers["content-encoding"] == "gzip"
