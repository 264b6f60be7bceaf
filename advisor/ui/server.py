"""What the server does around the pages: readiness, start-up, and headers on every answer."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import streamlit as st
from anyio import to_thread
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from advisor.foundation.errors import AdvisorError
from advisor.foundation.logs import set_up
from advisor.foundation.quotas import QUOTAS
from advisor.foundation.turns import PAGES
from advisor.report.loading import load_all
from advisor.store.database import holds_nothing
from advisor.store.errors import StoreUnavailable
from advisor.store.housekeeping import purge_regularly
from advisor.store.shared_quotas import SharedQuotas
from advisor.ui import login
from advisor.ui.collecting import collect_when_idle, settle
from advisor.ui.limits import MOST_SESSIONS
from advisor.ui.metrics import SESSIONS
from advisor.ui.one_at_a_time import MOST_WAITING
from advisor.ui.parts.frozen_links import store
from advisor.ui.parts.navigation import MOVED
from advisor.ui.second_process import REPORTS
from advisor.ui.start_page import STREAMLIT_PAGE
from advisor.ui.static_files import path_in_app

SCRIPT = Path(__file__).with_name("main.py")
FAVICON = Path(__file__).with_name("favicon.png")


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[dict[str, Any]]:
    """Load what every session needs once, before the first visitor, so that a broken data file stops the start."""
    set_up()
    login.check()
    load_all()
    settle()
    QUOTAS.share(SharedQuotas(store))
    _start_worker()
    chores = [asyncio.create_task(purge_regularly(store)), asyncio.create_task(collect_when_idle())]
    try:
        yield {}
    finally:
        for chore in chores:
            chore.cancel()
            with suppress(asyncio.CancelledError):
                await chore
        REPORTS.stop()


def _start_worker() -> None:
    """Where real runs are enabled: a worker of this machine, which outlives the app and any restart of it."""
    from advisor.ui.parts.prove_parts import missing_parts

    try:
        from advisor.quantize.allowed import read_settings

        if read_settings().enabled and not missing_parts():
            from advisor.quantize.worker import ensure_worker

            ensure_worker()
    except (AdvisorError, OSError) as error:  # the page says it too; everything else works without
        logging.getLogger(__name__).warning("Real runs cannot be worked on: %s", error)


async def healthz(_: Request) -> Response:
    """Say that this process runs and has loaded its data: restart what does not."""
    return PlainTextResponse("ok", headers=_NOT_KEPT)


async def readyz(_: Request) -> Response:
    """Say whether another visit has room here, for whoever spreads them; a full process is not a broken one.

    A database that is away is said and changes nothing: everything but frozen links works without it.
    """
    if PAGES.waiting > MOST_WAITING or SESSIONS.total() >= MOST_SESSIONS:
        return PlainTextResponse("full", 503, _NOT_KEPT)
    kept = await to_thread.run_sync(_database_answers)
    return PlainTextResponse("ready" if kept else "ready, without the database", headers=_NOT_KEPT)


def _database_answers() -> bool:
    try:
        found = store()
        if not holds_nothing(found.engine):
            found.check()
    except StoreUnavailable:
        return False
    return True


_NOT_KEPT = {"Cache-Control": "no-store"}
# A link holds a whole question, a frozen one what somebody chose to show: neither belongs into a search engine.
_ROBOTS = (
    "User-agent: *\nDisallow: /*?\nDisallow: /s/\nDisallow: /r\nDisallow: /own\nDisallow: /find\nDisallow: /_stcore/\n"
)


async def robots(_: Request) -> Response:
    """What search engines may look at: the pages themselves."""
    return PlainTextResponse(_ROBOTS, headers={"Cache-Control": "public, max-age=86400"})


async def favicon(_: Request) -> Response:
    """The picture that browsers ask for by themselves, and that Streamlit's page names before any script has run."""
    return FileResponse(FAVICON, headers={"Cache-Control": "public, max-age=86400"})


async def moved(request: Request) -> Response:
    """Lead an address of earlier versions to where its page is now, with its question."""
    page, tab = MOVED[request.url.path.rstrip("/").rpartition("/")[2]]
    asked = [*request.query_params.multi_items(), *([("tab", tab)] if tab else [])]
    folder = request.scope.get("root_path", "")
    return RedirectResponse(f"{folder}/{page}{'?' if asked else ''}{urlencode(asked)}", 308)


def _inline_script_hashes() -> str:
    """Hashes of the scripts written into Streamlit's own page, the only inline ones allowed to run."""
    scripts = re.findall(r"<script>(.*?)</script>", STREAMLIT_PAGE.read_text("utf-8"), re.DOTALL)
    return " ".join(f"'sha256-{b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts)


_POLICY = "Content-Security-Policy"
# As strict as Streamlit works with: it writes styles from scripts, and draws charts and icons from data and blob URLs.
_HEADERS = {
    _POLICY: "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' {_inline_script_hashes()}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    ),
    "X-Content-Type-Options": "nosniff",
    # A link holds the whole question: it is nobody else's business.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class SecurityHeaders:
    """Adds the headers to every HTTP answer, static files included."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        private = bool(scope.get("query_string")) or path_in_app(scope).startswith("/s/")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                own = headers.get(_POLICY, "")
                headers.update(_HEADERS)
                if own.startswith("default-src 'none'"):  # a page that needs less is stricter with itself
                    headers[_POLICY] = own
                headers.setdefault("Cache-Control", "no-cache")
                if private:
                    headers["X-Robots-Tag"] = "noindex"
            await send(message)

        await self.app(scope, receive, send_with_headers)
