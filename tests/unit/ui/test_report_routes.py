"""What whoever gets a link of a report is sent: a whole page at once, its preview, its files, and one sentence
where there is no report."""

from __future__ import annotations

import gzip
import json
import re
import threading
from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from pypdf import PdfReader
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Router

from advisor.answer.answer import answer
from advisor.api.routes import api_routes
from advisor.foundation.quotas import OverQuota
from advisor.foundation.turns import PAGES as TURNS
from advisor.question.question import Question
from advisor.report.drawing import bar_name
from advisor.report.from_answer import report_of
from advisor.report.web.page import decision_of
from advisor.sources.background import StillWorking
from advisor.sources.resolve import READING
from advisor.ui import reader_pages, report_routes
from advisor.ui.making import Busy
from advisor.ui.report_routes import ROUTES, OldLinks, report_for_programs
from advisor.ui.server import SecurityHeaders
from advisor.ui.start_page import StartPage
from advisor.ui.static_files import CompressedFiles
from tests.support.asgi import Answered, ask
from tests.support.read_page import PageRead

QUERY = "model=gpt-oss-20b&machine=rtx-4090&users=2"
QUESTIONS = (
    QUERY,
    "model=llama-3.3-70b-instruct&machine=rtx-3090&currency=CHF&gpus=2",
    "model=deepseek-v3&machine=rtx-4090",  # nothing fits
)
HOST = "advisor.example.org"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLM_FIT_ADVISOR_URL", raising=False)
    for maker in (reader_pages.PAGES, reader_pages.FILES):
        maker.clear()
    monkeypatch.setattr(report_routes, "_HUB_PATIENCE_S", 60.0)  # a busy machine is no failure


def site() -> Any:
    """Our part of the server, around a page of another."""
    other = Mount("/", PlainTextResponse("the dashboard"))
    return SecurityHeaders(CompressedFiles(OldLinks(StartPage(Router([*ROUTES, other])))))


def asked(path: str, query: str = "", **headers: str) -> Answered:
    return ask(site(), path, query, **{"host": HOST, **headers})


def read(answered: Answered) -> PageRead:
    return PageRead(answered.body.decode())


@pytest.mark.parametrize("query", QUESTIONS)
def test_the_first_answer_is_the_whole_report(query: str) -> None:
    answered = asked("/r", query)
    assert answered.status == 200
    assert len(answered.body) < 150_000
    page = read(answered)
    document = report_of(answer(Question.from_query(query)))
    assert decision_of(document) in page.words
    for sentence in (*document.why, *document.risks):
        assert " ".join(sentence.split()) in page.words
    # It needs no script and fetches nothing.
    assert not {"script", "link", "iframe", "img", "object"}.intersection(page.tags) - {"link"}
    assert [value for key, value in page.attributes if key == "src"] == []
    assert [key for key, _ in page.attributes if key.startswith("on") or key == "style"] == []
    assert page.tags.count("svg") > 3
    assert page.lang == "en"
    assert page.links["Open in the dashboard"] == f"./?{query}"


def test_whatever_a_chart_shows_stands_beside_it_as_text() -> None:
    document = report_of(answer(Question.from_query(QUERY)))
    page = read(asked("/r", QUERY))
    assert document.memory is not None
    chosen = next(bar for bar in document.memory.bars if bar.level == document.memory.recommended)
    assert f"{bar_name(chosen)} {chosen.total_gib:,.1f} {chosen.verdict}" in page.words
    for row in document.quality:
        assert f"{row.kept_percent.typical:.1f} %" in page.words


@pytest.mark.parametrize("query", QUESTIONS)
def test_a_preview_is_what_chat_programs_read(query: str) -> None:
    answered = asked("/r", query)
    # Some read no further than this.
    assert answered.body.index(b"twitter:image") < 8_000
    meta = read(answered).meta
    document = report_of(answer(Question.from_query(query)))
    assert meta["og:title"] == document.title
    assert decision_of(document).startswith(meta["og:description"].removesuffix("…"))
    assert meta["og:url"] == f"http://{HOST}/r?{query}"
    assert meta["twitter:card"] == "summary_large_image"
    assert meta["og:image"] == meta["twitter:image"]
    address, _, path = meta["og:image"].partition(HOST)
    assert address == "http://"
    drawn = asked(*path.split("?"))
    assert drawn.headers["content-type"] == "image/png"
    with Image.open(BytesIO(drawn.body)) as picture:
        assert [str(side) for side in picture.size] == [meta["og:image:width"], meta["og:image:height"]]
        assert picture.size == (1200, 630)
    assert len(drawn.body) < 300_000


def test_addresses_are_the_one_that_is_set_or_that_the_reader_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(asked("/r", QUERY, x_forwarded_proto="https")).meta["og:url"].startswith(f"https://{HOST}/r?")
    # A name that is none reaches no page.
    strange = asked("/r", QUERY, host='x"><script>.example')
    assert b"<script" not in strange.body
    assert "og:image" not in read(strange).meta
    monkeypatch.setenv("LLM_FIT_ADVISOR_URL", "https://models.example.net/fit/")
    assert read(asked("/r", QUERY)).meta["og:image"].startswith("https://models.example.net/fit/r/preview.png?")


def test_who_has_it_is_told_so_without_computing(monkeypatch: pytest.MonkeyPatch) -> None:
    first = asked("/r", QUERY)
    etag = first.headers["etag"]
    assert "max-age" in first.headers["cache-control"]
    reader_pages.PAGES.clear()
    monkeypatch.setattr(report_routes, "live_page", None)
    again = asked("/r", QUERY, if_none_match=f'"other", {etag}')
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", etag)
    # The same question in other words is the same report.
    assert asked("/r", "&".join(reversed(QUERY.split("&"))), if_none_match=etag).status == 304
    monkeypatch.setattr(report_routes, "data_release", lambda: "2030-01+0")
    assert asked("/r", QUERY, if_none_match=etag).status == 500  # which would have been made anew


def test_a_report_is_made_once_and_sent_compressed(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = asked("/r", QUERY)
    monkeypatch.setattr(report_routes, "live_page", None)
    packed = asked("/r", QUERY, accept_encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == "Accept-Encoding"
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < 20_000
    head = ask(site(), "/r", QUERY, "HEAD", host=HOST)
    assert (head.body, head.headers["content-length"]) == (b"", str(len(plain.body)))


def test_the_page_may_do_less_than_the_dashboard() -> None:
    headers = asked("/r", QUERY).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert headers["referrer-policy"] == "same-origin"
    assert headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in headers


def test_the_pdf_is_the_same_report() -> None:
    answered = asked("/r/report.pdf", QUERY)
    assert answered.headers["content-type"] == "application/pdf"
    assert 'filename="gpt-oss-20b-on-geforce-rtx-4090.pdf"' in answered.headers["content-disposition"]
    text = " ".join(" ".join(sheet.extract_text() for sheet in PdfReader(BytesIO(answered.body)).pages).split())
    assert decision_of(report_of(answer(Question.from_query(QUERY)))) in text
    assert asked("/r/report.pdf", QUERY, if_none_match=answered.headers["etag"]).status == 304
    assert answered.headers["etag"] != asked("/r", QUERY).headers["etag"]


@pytest.mark.parametrize(
    ("query", "status", "start"),
    [
        ("context=0", 400, "context=0 is not possible"),
        ("machine=rtx-409", 400, "There is no machine"),
        ("foo=<b>", 400, "Unknown key 'foo'"),
        ("model=llama-3.1-8b-instruct&level=MXFP4", 400, "Level MXFP4 is only for"),
        ("context=1&context=2", 400, "'context' is given twice"),
        ("model=%ff%fe", 400, "The query is not of the form"),
        ("context=" + "9" * 50_000, 400, "The query is 50,008 characters long"),
        ("model=<script>alert(1)</script>", 404, ""),
    ],
)
@pytest.mark.parametrize("file", ["", "/report.pdf", "/preview.png"])
def test_a_bad_link_is_one_sentence(query: str, status: int, start: str, file: str) -> None:
    answered = asked(f"/r{file}", query)
    page = read(answered)
    assert answered.status == status
    assert start in page.words
    assert "script" not in page.tags
    assert answered.headers["cache-control"] == "no-store"
    assert page.words.count(".") <= 4


def test_there_are_no_other_files() -> None:
    assert asked("/r/other.txt", QUERY).status == 404


def test_a_model_that_is_being_read_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_routes, "_HUB_PATIENCE_S", 0.1)
    monkeypatch.setattr(READING, "start", lambda _: None)
    monkeypatch.setattr(READING, "settled", lambda _: False)
    answered = asked("/r", "model=org/name")
    page = read(answered)
    assert answered.status == 202
    assert "The model is being read" in page.words
    assert page.links["Open in the dashboard"] == "./?model=org/name"
    assert ("http-equiv", "refresh") in page.attributes
    assert answered.headers["cache-control"] == "no-store"

    def full(_: str) -> None:
        raise StillWorking("Too much is being read.")

    monkeypatch.setattr(READING, "start", full)
    assert asked("/r", "model=org/name").status == 202


def test_a_busy_server_says_so_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_pages.PAGES, "_patience_s", 0.2)
    begun, over = threading.Event(), threading.Event()

    def hold() -> None:
        with TURNS.turn():
            begun.set()
            over.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    begun.wait()
    try:
        answered = asked("/r", QUERY)
        monkeypatch.setattr(reader_pages.PAGES, "_most_waiting", 1)
        full = asked("/r", f"{QUERY}&context=4096")
    finally:
        over.set()
        holder.join()
    assert answered.status == full.status == 503
    assert answered.headers["retry-after"] == "5"
    assert "shown as soon as it is made" in read(answered).words
    assert ("http-equiv", "refresh") in read(answered).attributes
    monkeypatch.setattr(reader_pages.PAGES, "_patience_s", 60.0)
    assert asked("/r", QUERY).status == 200  # which was made meanwhile


@pytest.mark.parametrize(
    ("path", "query", "where"),
    [
        ("/", f"view=report&{QUERY}", f"/r?{QUERY}"),
        ("/", f"{QUERY}&view=report&tab=Cost", f"/r?{QUERY}"),
        ("/", "view=report", "/r"),
        ("/compare", f"{QUERY}&view=report", f"/r?{QUERY}"),
        ("/", "frozen=abcDEF0123456789", "/s/abcDEF0123456789"),
        ("/", "frozen=../../etc", "/s/unknown"),
        ("/", "frozen=", "/s/unknown"),
    ],
)
@pytest.mark.parametrize("above", ["", "/advisor"])
def test_old_links_lead_to_where_reports_are(path: str, query: str, where: str, above: str) -> None:
    answered = ask(site(), path, query, root=above)
    assert answered.status == 308
    assert answered.headers["location"] == above + where


@pytest.mark.parametrize("query", [QUERY, "view=other", f"{QUERY}&note=view=reporting"])
def test_other_links_stay(query: str) -> None:
    assert ask(site(), "/", query).body == b"the dashboard"


def test_links_within_the_page_lead_on_from_a_folder() -> None:
    answered = ask(site(), "/r", QUERY, root="/advisor", host=HOST)
    page = read(answered)
    assert page.meta["og:url"] == f"http://{HOST}/advisor/r?{QUERY}"
    assert re.match(r"\./r/report\.pdf\?", page.links["Download PDF"])


def test_programs_get_the_same_pdf_and_problems_instead_of_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under `/api/v1`, made once for both."""
    api = Router([*api_routes(("",), report=report_for_programs)])
    page_s = asked("/r/report.pdf", QUERY)
    first = ask(api, "/api/v1/report.pdf", QUERY, host=HOST)
    assert (first.status, first.headers["content-type"]) == (200, "application/pdf")
    assert first.body == page_s.body
    assert first.headers["content-disposition"].endswith('.pdf"')
    with monkeypatch.context() as nothing_is_computed:
        nothing_is_computed.setattr(report_routes, "live_page", None)
        assert ask(api, "/api/v1/report.pdf", QUERY, host=HOST, if_none_match=first.headers["etag"]).status == 304
    for query, status, said in (
        ("machine=rtx-409", 400, "rtx-4090"),
        (f"{QUERY}&lang=zz", 400, "de-CH"),
        ("machine=your-machine", 400, "whoever opens the link"),
    ):
        refused = ask(api, "/api/v1/report.pdf", query, host=HOST)
        problem = json.loads(refused.body)
        assert (refused.status, refused.headers["content-type"]) == (status, "application/problem+json")
        assert said in problem["detail"]
        assert (said in problem["error"]["did_you_mean"]) == (said == "rtx-4090")
    for error, status in ((Busy(), 429), (OverQuota("Enough."), 429), (StillWorking("It is read."), 503)):

        def refuse(*_: Any, error: Exception = error) -> Any:
            raise error

        monkeypatch.setattr(report_routes, "_question", refuse)
        refused = ask(api, "/api/v1/report.pdf", QUERY, host=HOST)
        assert (refused.status, refused.headers["content-type"]) == (status, "application/problem+json")
        assert int(refused.headers["retry-after"]) > 0
