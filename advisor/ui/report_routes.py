"""Addresses of what readers get: `/r?QUERY` for a report of today, `/s/ID` for a frozen one.

Each has its PDF and the picture of its preview beside it. No session, no script and no cookie: an answer is made once
and sent to whoever asks, or said to be what the reader has.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Awaitable, Callable, Hashable
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from advisor.access.roles import login_required
from advisor.api.problems import problem, problem_of
from advisor.foundation.errors import AdvisorError, InputError
from advisor.foundation.quotas import OverQuota, asked_by
from advisor.foundation.turns import TooManyWaiting
from advisor.foundation.version import VERSION
from advisor.models.catalogue import catalogue
from advisor.question.question import LANGUAGE_KEY, MAX_QUERY_LENGTH, Question
from advisor.report.web.around import Around
from advisor.sources.background import StillWorking
from advisor.sources.resolve import READING
from advisor.store import Snapshot, SnapshotNotFound, StoreUnavailable, data_release
from advisor.ui.address import address_for, folder
from advisor.ui.gate import way_in
from advisor.ui.link import PAGE_KEYS
from advisor.ui.login import reader_of, sender
from advisor.ui.making import Busy
from advisor.ui.parts.frozen_links import FROZEN_KEY, store
from advisor.ui.parts.navigation import TITLES
from advisor.ui.reader_pages import (
    FILES,
    PAGES,
    PDF,
    PICTURE,
    REPORT,
    SNAPSHOTS,
    FileKind,
    NoReport,
    NoSuchModel,
    Sent,
    StillReading,
    frozen_file,
    frozen_page,
    live_file,
    live_page,
)
from advisor.ui.reader_sentences import sent_page, sentence_page
from advisor.ui.static_files import path_in_app
from advisor.ui.tongue import follow
from advisor.ui.visitor import visitor_of
from advisor.words import in_use, speak, told

FROZEN = "/s"
_KINDS: dict[str, FileKind] = {PDF: "pdf", PICTURE: "png"}
_LONGEST = MAX_QUERY_LENGTH + 200  # with keys of the page
_ID = re.compile(r"[A-Za-z0-9]{1,40}")
# A report of today is another one tomorrow, and a frozen one can be deleted at once.
_TODAY = "public, max-age=300"
_ALWAYS_ASK = "no-cache"
_HUB_PATIENCE_S, _POLL_S = 1.0, 0.05
_SLOT_S = 600  # how long a model from elsewhere counts as unchanged


async def report(request: Request) -> Response:
    """The page about the question in the address."""
    return await _answered(request, _live)


async def report_for_programs(request: Request) -> Response:
    """The same report's PDF under `/api/v1`, where errors are problems and not pages."""
    asked_by(visitor_of(request))
    try:
        speak(request.query_params.get(LANGUAGE_KEY, ""))
        return await _live(request, "pdf", in_use())
    except (Busy, TooManyWaiting) as error:
        return problem(429, str(error))
    except StillReading as error:
        return problem(503, str(error))
    except Exception as error:
        return problem_of(error)


async def frozen(request: Request) -> Response:
    """The page of a frozen recommendation."""
    return await _answered(request, _kept)


ROUTES = tuple(
    Route(f"{above}{path}", answer)
    for above in dict.fromkeys(("", folder()))  # Streamlit's own folder holds its pages only
    for path, answer in (
        (REPORT, report),
        (f"{REPORT}/{{file}}", report),
        (f"{FROZEN}/{{id}}", frozen),
        (f"{FROZEN}/{{id}}/{{file}}", frozen),
    )
)


async def _answered(
    request: Request, answer: Callable[[Request, FileKind | None, str], Awaitable[Response]]
) -> Response:
    """An answer, or one sentence why there is none."""
    file = request.path_params.get("file")
    asked_by(visitor_of(request))  # a request is a task of its own
    if wrong := follow(request.query_params.get(LANGUAGE_KEY, "")):
        return _sentence(request, 400, told("There is no report"), wrong)
    try:
        if file is not None and file not in _KINDS:
            raise NoSuchModel("There is no such file.")
        return await answer(request, None if file is None else _KINDS[file], in_use())
    except StillReading as error:
        return _sentence(request, 202, told("The model is being read"), str(error))
    except NoReport as error:
        return _sentence(request, error.status, told("There is no report"), str(error))
    except SnapshotNotFound as error:
        return _no_such(request, str(error))
    except OverQuota as error:
        return _sentence(request, 429, told("Please try again"), str(error))
    except InputError as error:
        return _sentence(request, 400, told("There is no report"), str(error))
    except (Busy, TooManyWaiting, StoreUnavailable) as error:
        return _sentence(request, 503, told("Please try again"), str(error))
    except AdvisorError as error:
        return _sentence(request, 500, told("There is no report"), str(error))
    except Exception:  # a reader gets a sentence whatever it is
        logging.getLogger(__name__).exception("A report could not be made")
        return _sentence(request, 500, told("There is no report"), told("Something went wrong while it was made."))


async def _live(request: Request, kind: FileKind | None, lang: str) -> Response:
    question = _question(request.url.query)
    query = question.to_query(question.given)
    address = _address(request)
    day = datetime.now(UTC)
    known = question.model.name in catalogue()
    slot = "" if known else int(day.timestamp()) // _SLOT_S
    key = (query, address, data_release(), VERSION, lang, day.date(), slot)
    if (same := _unchanged(request, (*key, kind), _TODAY)) is not None:
        return same
    if not known and not await _is_read(question.model.name):
        raise StillReading(
            told(
                "It is read from where it is published, and shown here when that is done; the dashboard shows how far."
            )
        )

    sent = await PAGES.get(key, lambda: live_page(question, address, lang))
    if kind is not None:
        page = sent
        sent = await FILES.get((*key, kind), lambda: live_file(page, kind, lang))
    return _response(request, sent, (*key, kind), _TODAY)


async def _kept(request: Request, kind: FileKind | None, lang: str) -> Response:
    id = request.path_params["id"]
    if not _ID.fullmatch(id):
        raise SnapshotNotFound("There is no frozen recommendation under this link: check that it is complete.")
    reader = reader_of(request)
    snapshot = await SNAPSHOTS.get((id, lang, reader), lambda: store().load(id, reader))
    address = _address(request)
    key: tuple[Hashable, ...] = (id, snapshot.sha256, VERSION, lang)
    if kind is not None:
        if (same := _unchanged(request, (*key, kind), _ALWAYS_ASK)) is not None:
            return same
        sent = await FILES.get((*key, kind), lambda: frozen_file(snapshot, kind, lang))
        return _response(request, sent, (*key, kind), _ALWAYS_ASK)
    compared = await _comparable(snapshot)
    key = (*key, address, data_release(), datetime.now(UTC).date(), compared)
    if (same := _unchanged(request, key, _ALWAYS_ASK)) is not None:
        return same
    around = Around(
        live=f"../?{snapshot.query}",
        pdf=f"./{id}/{PDF}",
        address=f"{address}{FROZEN}/{id}" if address else "",
        picture=f"{address}{FROZEN}/{id}/{PICTURE}" if address else "",
    )
    sent = await PAGES.get(key, lambda: frozen_page(snapshot, around, compared, lang))
    return _response(request, sent, key, _ALWAYS_ASK)


def _no_such(request: Request, why: str) -> Response:
    """What there is not; where people log in, said of what is not theirs in the same words."""
    if not login_required():
        return _sentence(request, 404, told("There is no report"), why)
    person = sender(request)
    if person is None:
        return way_in(request.scope)
    words = told(
        "Under this link there is nothing that you may read: ask whoever sent it to share it. You are logged in as "
        "{who}.",
        who=person.email or person.name or "?",
    )
    return _sentence(request, 404, told("There is no report"), words)


def _question(query: str) -> Question:
    """What the address asks; raises InputError."""
    if len(query) > _LONGEST:
        raise InputError(
            "The query is {count:,} characters long; at most {max_query_length:,} are read.",
            count=len(query),
            max_query_length=MAX_QUERY_LENGTH,
        )
    parts = [part for part in query.split("&") if part.partition("=")[0] not in PAGE_KEYS]
    return Question.from_query("&".join(part for part in parts if part))


async def _comparable(snapshot: Snapshot) -> bool:
    """Whether what was asked can be answered without waiting for a model from elsewhere."""
    try:
        return await _is_read(Question.from_query(snapshot.query).model.name)
    except InputError:
        return True  # why not is a sentence of the page


async def _is_read(model: str) -> bool:
    """Whether there is a model to answer about, or a reason why not, after a short wait."""
    if model in catalogue():
        return True
    try:
        READING.start(model)
    except StillWorking:
        return False
    for _ in range(int(_HUB_PATIENCE_S / _POLL_S)):
        if READING.settled(model):
            return True
        await asyncio.sleep(_POLL_S)
    return READING.settled(model)


def _address(request: Request) -> str:
    """The full address of the dashboard, without a slash at its end; "" where the request does not say it."""
    forwarded = request.headers.get("x-forwarded-proto", "").lower() == "https"
    scheme = "https" if forwarded or request.url.scheme == "https" else "http"
    return address_for(scheme, request.headers.get("host", ""), request.scope.get("root_path", ""))


def _etag(key: Hashable) -> str:
    return f'W/"{hashlib.sha256(repr(key).encode()).hexdigest()[:24]}"'


def _unchanged(request: Request, key: Hashable, control: str) -> Response | None:
    """That the reader has this already, which needs nothing to be computed."""
    etag = _etag(key)
    if etag not in request.headers.get("if-none-match", ""):
        return None
    return Response(status_code=304, headers={"ETag": etag, "Cache-Control": control, "Vary": "Accept-Encoding"})


def _response(request: Request, sent: Sent, key: Hashable, control: str) -> Response:
    return sent_page(request, sent, 200, {"ETag": _etag(key), "Cache-Control": control})


def _sentence(request: Request, status: int, title: str, sentence: str) -> Response:
    query = request.url.query
    up = "../" * path_in_app(request.scope).count("/", 1)
    live = f"./{up}?{query}" if query and len(query) <= _LONGEST else f"./{up}"
    return sentence_page(request, status, title, sentence, {told("Open in the dashboard"): live})


class OldLinks:
    """Leads links of earlier versions, `/?view=report&QUERY` and `/?frozen=ID`, to where their report is now."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        where = self._where(scope) if scope["type"] == "http" and scope["method"] in ("GET", "HEAD") else None
        await (self.app if where is None else RedirectResponse(where, 308))(scope, receive, send)

    def _where(self, scope: Scope) -> str | None:
        query = scope.get("query_string", b"").decode("latin-1")
        if "view=report" not in query and f"{FROZEN_KEY}=" not in query:
            return None
        inner = path_in_app(scope)
        if inner.strip("/") not in TITLES:
            return None
        above = scope["path"].removesuffix(inner).rstrip("/")
        asked = parse_qsl(query, keep_blank_values=True)
        found = dict(asked)
        if FROZEN_KEY in found:
            id = found[FROZEN_KEY][:40]
            return f"{above}{FROZEN}/{id}" if _ID.fullmatch(id) else f"{above}{FROZEN}/unknown"
        if found.get("view") != "report":
            return None
        rest = urlencode([(key, value) for key, value in asked if key not in PAGE_KEYS or key == LANGUAGE_KEY])
        return f"{above}{REPORT}{'?' if rest else ''}{rest}"
