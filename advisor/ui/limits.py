"""What is refused before it costs anything: uploads beyond a visitor's share, connections beyond what can be served."""

from __future__ import annotations

import math
from collections import Counter

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from advisor.foundation.quotas import QUOTAS, OverQuota, uploads_worth, working_for
from advisor.ui.metrics import SESSIONS, count
from advisor.ui.static_files import path_in_app
from advisor.ui.visitor import visitor_of

MOST_SESSIONS = 1000  # connected to this process
MOST_OF_AN_ADDRESS = 250
_RETRY_S = 15
_LONGEST_BODY = 25 << 20
_STREAM, _UPLOAD = "/_stcore/stream", "/_stcore/upload_file/"
_FULL = f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>LLM Fit Advisor is full</title>
<meta http-equiv="refresh" content="{_RETRY_S}"><meta name="viewport" content="width=device-width, initial-scale=1">
</head><body style="font-family: sans-serif; max-width: 36em; margin: 15vh auto; padding: 0 1em">
<h1>Very many people are here at this moment</h1>
<p>There is no room for another visit just now. This page tries again every {_RETRY_S} seconds; its address keeps your
question.</p></body></html>"""


async def passed_over(receive: Receive) -> None:
    """Let a body pass by, a piece at a time: who is cut off while sending never reads why."""
    passed = 0
    while passed < _LONGEST_BODY:
        message = await receive()
        passed += len(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return


class Limits:
    """Counts the open connections of this process; `sessions` of them by address."""

    def __init__(
        self,
        app: ASGIApp,
        most_sessions: int = MOST_SESSIONS,
        most_of_an_address: int = MOST_OF_AN_ADDRESS,
        sessions: Counter[str] | None = None,
    ) -> None:
        self.app = app
        self._most = most_sessions
        self._most_of_one = most_of_an_address
        self.sessions = SESSIONS if sessions is None else sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and path_in_app(scope) == _STREAM:
            await self._session(scope, receive, send)
        elif scope["type"] == "http" and (refused := await self._refused(scope)) is not None:
            if scope["method"] == "PUT":
                await passed_over(receive)
            await refused(scope, receive, send)
        elif scope["type"] == "http":
            with working_for(visitor_of(HTTPConnection(scope))):  # whatever is read for this request counts for them
                await self.app(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _full(self) -> bool:
        return self.sessions.total() >= self._most

    async def _session(self, scope: Scope, receive: Receive, send: Send) -> None:
        network = visitor_of(HTTPConnection(scope)).network
        if self._full() or self.sessions[network] >= self._most_of_one:
            count("overload_refusals")
            await send({"type": "websocket.close", "code": 1013, "reason": "full"})  # before it is accepted: a refusal
            return
        self.sessions[network] += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.sessions[network] -= 1
            if not self.sessions[network]:
                del self.sessions[network]

    async def _refused(self, scope: Scope) -> Response | None:
        path = path_in_app(scope)
        if scope["method"] == "PUT" and path.startswith(_UPLOAD):
            try:
                sent = HTTPConnection(scope)
                worth = uploads_worth(sent.headers.get("content-length"))
                await run_in_threadpool(QUOTAS.take, "uploads", visitor_of(sent), worth)  # may ask the database
            except OverQuota as error:
                count("quota_refusals")
                return PlainTextResponse(str(error), 429, {"Retry-After": str(math.ceil(error.wait_s))})
        if path == "/" and self._full():
            count("overload_refusals")
            return HTMLResponse(_FULL, 503, {"Retry-After": str(_RETRY_S), "Cache-Control": "no-store"})
        return None
