"""The gate before everything that is served where people log in: what is not named as open is closed.

A person is told by Streamlit's signed cookie, a program by a token. Without either, a page leads to `/login` and back
to where it was asked for; anything else is refused.
"""

from __future__ import annotations

import logging
import re
from urllib.parse import quote, unquote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from advisor.access.roles import Person, Roles, login_required, roles
from advisor.api.bearer import HOW, program_of, refusal
from advisor.foundation.errors import InputError
from advisor.question.question import LANGUAGE_KEY
from advisor.store.errors import StoreUnavailable
from advisor.ui import login
from advisor.ui.ownership import from_here
from advisor.ui.reader_sentences import sentence_page
from advisor.ui.static_files import SCRIPTS, path_in_app
from advisor.ui.tongue import follow
from advisor.words import told

LOGIN, CALLBACK, LOGOUT = "/login", "/oauth2callback", "/auth/logout"
NEXT_COOKIE = "llm_fit_advisor_next"
NEXT_S = 900
_LONGEST_NEXT = 3000  # browsers drop longer cookies
# Who watches the server, who logs in, and what every browser loads to be able to.
_OPEN = frozenset(
    (
        "/healthz",
        "/readyz",
        "/metrics",
        "/robots.txt",
        "/favicon.ico",
        "/favicon.png",
        LOGIN,
        "/auth/login",
        CALLBACK,
        "/_stcore/health",
        "/_stcore/host-config",
        *SCRIPTS,
    )
)
_OPEN_BELOW = "/static/"
_FROZEN = "/s/"
_PROGRAMS = re.compile(r"/(api|badge\.svg)(/|$)")
_NO_PLACES = re.compile(r"/(auth|oauth2callback|login|own|media|component)(/|$)|.*/_stcore/")


def safe_place(place: str) -> str:
    """A path of this server with its question, to go to after logging in; "" for anything else.

    Browsers take "//host" and "/\\host" for other servers, and drop tabs and line ends before they look.
    """
    plain = place.isascii() and place.isprintable() and "\\" not in place and "#" not in place
    if not plain or not place.startswith("/") or len(place) > _LONGEST_NEXT:
        return ""
    decoded = unquote(unquote(place.partition("?")[0]))
    if "//" in decoded or "\\" in decoded or not decoded.isprintable() or ".." in decoded:
        return ""
    return place


def above(scope: Scope) -> str:
    """The folder that the app lives in, for addresses of its own: "" or "/advisor"."""
    return str(scope["path"]).removesuffix(path_in_app(scope)).rstrip("/")


def way_in(scope: Scope) -> Response:
    """To the page on which one logs in, and from there to what was asked for."""
    path, query = quote(scope["path"]), scope.get("query_string", b"").decode("latin-1")
    place = safe_place(f"{path}?{query}" if query else path)
    after = f"?next={quote(place, safe='')}" if place else ""
    return RedirectResponse(f"{above(scope)}{LOGIN}{after}", 303, {"Cache-Control": "no-store"})


class Gate:
    """Lets nothing by that is not open, or asked by somebody who may see."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or not login_required():
            await self.app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await self._session(scope, receive, send)
            return
        refused = await _refused(scope)
        if refused is not None:
            await refused(scope, receive, send)
        else:
            await self.app(scope, receive, _guarded(scope, send))

    async def _session(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Only from a page of this server: a browser sends its cookie whichever page opens a connection."""
        asked = HTTPConnection(scope)
        found = _roles()
        person = None if found is None else login.person_of(asked.cookies, found)
        if found is None or person is None or asked.headers.get("origin") != login.origin():
            await send({"type": "websocket.close", "code": 1008, "reason": "not logged in"})
            return
        login.remember(scope, person, found)
        await self.app(scope, receive, send)


def _roles() -> Roles | None:
    try:
        return roles()
    except InputError as error:
        logging.getLogger(__name__).error("%s", error)
        return None


async def _refused(scope: Scope) -> Response | None:
    """Why a request is not answered; None where it is."""
    path = path_in_app(scope)
    request = Request(scope)
    if path == LOGOUT:  # a link of another site must not end a visit
        return None if from_here(request, typed=True) else PlainTextResponse("Refused\n", 403)
    if path in _OPEN or path.startswith(_OPEN_BELOW):
        return None
    follow(request.query_params.get(LANGUAGE_KEY, ""))  # in which a refusal is told
    found = _roles()
    if found is None:
        why = told("Nobody can be let in just now: whoever runs this server finds the reason in its log.")
        return sentence_page(request, 503, told("Please try again"), why)
    programs = _PROGRAMS.match(path) is not None
    person = login.person_of(request.cookies, found)
    if person is None and programs:
        try:
            person = await run_in_threadpool(program_of, request.headers, found)
        except StoreUnavailable as error:
            return refusal(503, str(error))
    if person is not None and found.allow(person, "see"):
        login.remember(scope, person, found)
        return None
    if found.open_links and path.startswith(_FROZEN) and scope["method"] in ("GET", "HEAD"):
        return None  # what a link alone opens, the store knows
    if person is not None:
        return refusal(403, "Your login has no right to ask this.") if programs else _no_right(request, person)
    if programs and path != "/api":
        return refusal(401, HOW)
    if scope["method"] in ("GET", "HEAD") and not _NO_PLACES.match(path):
        return way_in(scope)
    return PlainTextResponse("Log in first\n", 401, {"Cache-Control": "no-store"})


def _no_right(request: Request, person: Person) -> Response:
    who = person.email or person.name
    words = (
        told("You are logged in as {who}, who has no right to look at this: ask whoever runs this server.", who=who)
        if who
        else told("Your login has no right to look at this: ask whoever runs this server.")
    )
    return sentence_page(request, 403, told("Not for you"), words, {told("Log out"): f"{above(request.scope)}{LOGOUT}"})


def _guarded(scope: Scope, send: Send) -> Send:
    """What leaves by the gate: in no shared cache, with cookies over https alone, and after logging in to the place
    that was asked for."""
    path = path_in_app(scope)
    kept = path in _OPEN or path.startswith(_OPEN_BELOW)
    place = safe_place(unquote(HTTPConnection(scope).cookies.get(NEXT_COOKIE, ""))) if path == CALLBACK else ""

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            if not kept:
                headers["Cache-Control"] = headers.get("cache-control", "no-cache").replace("public", "private")
                headers.add_vary_header("Cookie")
            logged_in = any(
                cookie.startswith(f"{USER_COOKIE_NAME}=") and "max-age=0" not in cookie.lower()
                for cookie in headers.getlist("set-cookie")
            )
            if path == CALLBACK:
                headers["Cache-Control"] = "no-store"
                if logged_in and place and message["status"] == 302:
                    headers["location"] = place
                if logged_in:
                    headers.append("set-cookie", f"{NEXT_COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax")
            if login.origin().startswith("https://"):
                message["headers"] = [_over_https(name, value) for name, value in message["headers"]]
        await send(message)

    return guarded


def _over_https(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """Streamlit leaves it out, for browsers that refuse it on plain http."""
    if name.lower() == b"set-cookie" and b"; secure" not in value.lower():
        value += b"; Secure"
    return name, value
