"""The page that Streamlit starts from, completed: our script and style, a title, and the decision of the question in
the link, so that it is read before any script has run. Streamlit sends it for every address; where there is no page, a
404 goes out instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from anyio import CapacityLimiter, move_on_after, to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from advisor.report.web.page import message_page, security_policy
from advisor.ui.first_answer import first_answer
from advisor.ui.parts.navigation import TITLES
from advisor.ui.static_files import PAGE_SCRIPTS, STREAMLIT_FOLDER, accepted, encodings, path_in_app, script_version
from advisor.words import in_use, told

STREAMLIT_PAGE = STREAMLIT_FOLDER / "index.html"
_STYLES = sorted(Path(__file__).with_name("styles").glob("*.css"))
_TITLE = "LLM Fit Advisor"
# Streamlit's own words for those without scripts speak of Streamlit.
_WITHOUT_SCRIPTS = (
    "<style>#first-answer { position: static; } .first-bar { display: none; }</style>"
    '<p class="without-scripts">Inputs, details and the other pages need JavaScript. Without it, '
    '<a href="./">the first page</a> says what to run for the question in its address.</p>'
)
_PATIENCE_S = 1.5  # a busy server sends the page without the decision rather than late
_SMALLEST_BYTES = 500
# Other answers of the server may be HTML as well.
_NOT_PAGES = ("/_stcore/", "/media/", "/component/", "/static/", "/api/", "/badge.svg/", "/r/", "/s/", "/login/")
# What would have Streamlit answer that its own page has not changed, or send a part of it.
_ABOUT_ITS_OWN = {b"if-none-match", b"if-modified-since", b"if-range", b"range"}


@cache
def _template() -> tuple[str, str]:
    """The page before and after the place of the first answer."""
    page = STREAMLIT_PAGE.read_text("utf-8")
    style = "\n".join(path.read_text("utf-8") for path in _STYLES)
    scripts = "\n    ".join(f'<script src=".{path}?v={script_version(path)}" defer></script>' for path in PAGE_SCRIPTS)
    page = re.sub(r"<noscript>.*?</noscript>", f"<noscript>{_WITHOUT_SCRIPTS}</noscript>", page, flags=re.DOTALL)
    for old, new in (
        ("<title>Streamlit</title>", f"<title>{_TITLE}</title>\n    <style>{style}</style>\n    {scripts}"),
        ('<div id="root">', '\0<div id="root">'),
    ):
        if page.count(old) != 1:
            raise RuntimeError(f"Streamlit's start page is another one than this program knows: it lacks {old}")
        page = page.replace(old, new)
    before, after = page.split("\0")
    return before, after


def page_with(first: str) -> str:
    """The start page with the HTML of a first answer, or without one where it is ""."""
    before, after = _template()
    return f'{before}<main id="first-answer">{first}</main>\n    {after}' if first else before + after


class StartPage:
    """Puts the completed page in the place of Streamlit's own, wherever that is sent."""

    def __init__(
        self, app: ASGIApp, answer: Callable[[str], str] = first_answer, pages: Iterable[str] = TITLES
    ) -> None:
        self.app = app
        self._pages = frozenset((*pages, "index.html"))
        self._answer = answer
        # The engine computes in one thread at a time; whoever comes meanwhile may find the answer kept.
        self._one: CapacityLimiter | None = None
        _template()  # a Streamlit that is not understood stops the start

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = path_in_app(scope) if scope["type"] == "http" else ""
        if not path or scope["method"] not in ("GET", "HEAD") or f"{path}/".startswith(_NOT_PAGES):
            await self.app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] not in _ABOUT_ITS_OWN]}
        replaced = False

        async def send_completed(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start" and _is_page(message):
                replaced = True
                if path.strip("/") not in self._pages:
                    answered = _response(_nowhere(path), asked, scope["method"], 404)
                    answered.headers["Content-Security-Policy"] = security_policy()
                else:
                    answered = _response(page_with(await self._first_answer(path, scope)), asked, scope["method"])
                await answered(scope, receive, send)
            elif not replaced:
                await send(message)

        await self.app(scope, receive, send_completed)

    async def _first_answer(self, path: str, scope: Scope) -> str:
        if path != "/" or scope["method"] != "GET":
            return ""
        self._one = self._one or CapacityLimiter(1)
        query = scope.get("query_string", b"").decode("latin-1")
        with move_on_after(_PATIENCE_S):
            return await to_thread.run_sync(self._answer, query, limiter=self._one, abandon_on_cancel=True)
        return ""


def _is_page(message: Message) -> bool:
    return message["status"] == 200 and Headers(raw=message["headers"]).get("content-type", "").startswith("text/html")


def _nowhere(path: str) -> str:
    up = "../" * path.count("/", 1)
    ways = {told("Open in the dashboard"): f"./{up}"}
    return message_page(told("There is no such page"), told("Nothing is at this address."), ways, in_use())


def _response(page: str, asked: Headers, method: str, status: int = 200) -> Response:
    body, encoding = page.encode(), accepted(asked)
    headers = {"Vary": "Accept-Encoding", "Cache-Control": "no-cache"}
    if encoding is not None and len(body) > _SMALLEST_BYTES:
        body = encodings()[encoding](body)
        headers["Content-Encoding"] = encoding
    headers["Content-Length"] = str(len(body))
    return Response(b"" if method == "HEAD" else body, status, MutableHeaders(headers), "text/html")
