"""The HTTP interface: `/api/v1/...` beside the pages, and `/badge.svg`.

One question is worked out at a time, in turn with the pages; so many may wait, and the rest is told to come again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from advisor.api import openapi
from advisor.api.badge import badge_of
from advisor.api.problems import problem, problem_of
from advisor.foundation.data_release import data_release
from advisor.foundation.errors import InputError
from advisor.foundation.quotas import Visitor, working_for
from advisor.foundation.turns import PAGES
from advisor.foundation.version import VERSION
from advisor.models.catalogue import catalogue
from advisor.question.question import LANGUAGE_KEY, MAX_QUERY_LENGTH, Question
from advisor.report.asking import answer_plan, answer_sizes
from advisor.report.compact import refusal_document
from advisor.report.lists import MOST, machines_document, models_document
from advisor.sources.pastes.text import LONGEST
from advisor.sources.resolve import find_in_time
from advisor.words import speaking

PREFIX = "/api/v1"
MOST_WAITING = 16
_OWN = frozenset({"plans", "flips"})  # of the interface, not of the question
_JSON, _PDF, _SVG = "application/json", "application/pdf", "image/svg+xml"

Work = Callable[[Request], bytes]


class _Waiting:
    """How many questions are worked on or wait, in this process."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> None:
        self.count += 1

    def __exit__(self, *_: object) -> None:
        self.count -= 1


_waiting = _Waiting()


def _by_address(request: Request) -> Visitor:
    return Visitor(address=request.client.host if request.client is not None else "")


def api_routes(
    folders: Iterable[str] = ("",),
    visitor_of: Callable[[Request], Visitor] = _by_address,
    report: Callable[[Request], Awaitable[Response]] | None = None,
) -> tuple[Route, ...]:
    """The routes, below each of the folders that the server may serve under.

    `visitor_of` says whose share of what costs something, such as reading models from the Hub, a question takes.
    `report` answers for the PDF where a server keeps those that it has made.
    """
    answers: tuple[tuple[str, str, Work], ...] = (
        ("/plan", _JSON, _plan),
        ("/sizes", _JSON, _sizes),
        ("/models", _JSON, partial(_listed, models_document)),
        ("/machines", _JSON, partial(_listed, machines_document)),
        ("/badge.svg", _SVG, _badge),
        ("/openapi.json", _JSON, lambda _: _as_json(openapi.document())),
    )
    found = []
    for folder in dict.fromkeys(folders):
        above = f"{folder}{PREFIX}"
        found += [
            Route(f"{above}{path}", _get(work, kind, visitor_of), methods=["GET"]) for path, kind, work in answers
        ]
        found.append(Route(f"{above}/report.pdf", report or _get(_report, _PDF, visitor_of), methods=["GET"]))
        found.append(Route(f"{folder}/badge.svg", _get(_badge, _SVG, visitor_of), methods=["GET"]))
        found.append(Route(f"{above}/detect", partial(_detect, visitor_of), methods=["POST"]))
        found += [Route(path, partial(_page, folder), methods=["GET"]) for path in (f"{folder}/api", above)]
        # The page answers every address that nobody else does: a program would take it for an answer.
        found.append(Route(f"{above}/{{rest:path}}", _nowhere, methods=["GET"]))
    return tuple(found)


def _get(work: Work, kind: str, visitor_of: Callable[[Request], Visitor]) -> Callable[[Request], Any]:
    async def answered(request: Request) -> Response:
        tag = _tag(request)
        headers = {"Cache-Control": "no-cache"} | ({} if tag is None else {"ETag": tag})
        if tag is not None and tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if _waiting.count >= MOST_WAITING:
            return problem(429, f"{MOST_WAITING} questions wait already: ask again in a moment.")
        with _waiting, working_for(visitor_of(request)):
            try:
                body = await run_in_threadpool(_in_turn, work, request)
            except Exception as error:
                return problem_of(error)
        return Response(body, 200, headers, media_type=kind)

    return answered


def _in_turn(work: Work, request: Request) -> bytes:
    with PAGES.turn():
        return work(request)


def _tag(request: Request) -> str | None:
    """Names an answer that cannot change before the data, the program or the day does; None: it may."""
    query = str(request.url.query)
    named = dict(parse_qsl(query)).get("model")
    if named is not None and named not in catalogue():
        return None
    day = datetime.now(UTC).date().isoformat()  # ages of prices are counted from it
    path = request.url.path.rpartition("/")[2]
    made = hashlib.sha256("\n".join((VERSION, data_release(), day, path, query)).encode()).hexdigest()[:20]
    return f'"{data_release()}-{made}"'


def _asked(request: Request) -> str:
    """The question's query, without the keys of this interface."""
    query = str(request.url.query)
    if len(query) > MAX_QUERY_LENGTH:
        raise InputError("The question is longer than {most:,} characters.", most=MAX_QUERY_LENGTH)
    pairs = parse_qsl(query, keep_blank_values=True)
    return urlencode([pair for pair in pairs if pair[0] not in _OWN]) if _OWN & dict(pairs).keys() else query


def _plan_document(request: Request) -> dict[str, Any]:
    query, told = _asked(request), request.query_params
    _read(Question.from_query(query).model.name)
    return answer_plan(
        query, whole_plans=told.get("plans") == "on", with_flips=told.get("flips") == "on", allow_local=False
    )


def _plan(request: Request) -> bytes:
    return _as_json(_plan_document(request))


def _read(model: str) -> None:
    """A model from elsewhere is read in the background: what takes long says so, and goes on."""
    if model not in catalogue():
        find_in_time(model)


def _sizes(request: Request) -> bytes:
    name = request.query_params.get("model", "")
    if not name:
        raise InputError("Say which model: ?model=llama-3.1-8b-instruct.")
    _read(name)
    return _as_json(answer_sizes(name, mtp=request.query_params.get("mtp") == "on", allow_local=False))


def _listed(listing: Callable[[str, int], dict[str, Any]], request: Request) -> bytes:
    limit = request.query_params.get("limit", str(MOST))
    if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit[:9]) <= MOST:
        raise InputError("limit is a whole number from 1 to {most}.", most=MOST)
    return _as_json(listing(request.query_params.get("q", "")[:300], int(limit)))


def _report(request: Request) -> bytes:
    from advisor.answer.answer import answer
    from advisor.report.document import Cover
    from advisor.report.from_answer import report_of
    from advisor.report.pdf import render_pdf

    with speaking(request.query_params.get(LANGUAGE_KEY, "")):
        question = Question.from_query(_asked(request))
        _read(question.model.name)
        return render_pdf(report_of(answer(question), Cover(), ""), "a4")


def _badge(request: Request) -> bytes:
    """A badge is shown wherever it is: a question that has no answer gets one that says so."""
    try:
        return badge_of(_plan_document(request)).encode()
    except InputError as error:
        return badge_of(refusal_document("", {"kind": "input", "message": str(error), "did_you_mean": []})).encode()


async def _detect(visitor_of: Callable[[Request], Visitor], request: Request) -> Response:
    """What a paste says; it comes in the body, as plain text, and is not kept."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "text/plain":
        return problem(415, "Send the text as text/plain.")
    if _waiting.count >= MOST_WAITING:
        return problem(429, f"{MOST_WAITING} questions wait already: ask again in a moment.")
    with _waiting, working_for(visitor_of(request)):
        body = bytearray()
        try:
            async for part in request.stream():
                body += part
                if len(body) > 4 * LONGEST:
                    return problem(413, f"At most {LONGEST:,} characters are read.")
            made = await run_in_threadpool(_in_turn, partial(_paste, body.decode("utf-8", "replace")), request)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            return problem_of(error)
    return Response(made, 200, {"Cache-Control": "no-store"}, media_type=_JSON)


def _paste(text: str, request: Request) -> bytes:
    from advisor.report.paste_output import paste_document

    query = _asked(request)
    return _as_json(paste_document(text, Question.from_query(query).chosen() if query else {}))


async def _nowhere(request: Request) -> Response:
    if request.path_params["rest"] == "detect":
        return problem(405, "Send the text with POST, as text/plain.")
    return problem(404, "There is no such address here; /api says which there are.")


async def _page(folder: str, _: Request) -> Response:
    return HTMLResponse(await asyncio.to_thread(openapi.page, folder))


def _as_json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
