"""Who "oneself" is: a secret by which a browser lists and deletes what it froze or started.

Nobody gets a cookie for reading. The secret lasts as long as a visit until something is kept under it; then the page
shows an invisible picture, and the answer to that request sets the cookie, out of reach of any script.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from threading import Lock
from urllib.parse import urlsplit

import streamlit as st
from starlette.requests import Request
from starlette.responses import Response

from advisor.access.roles import login_required
from advisor.store import new_owner
from advisor.ui import login
from advisor.ui.address import folder

OWNER_COOKIE = "llm_fit_advisor_owner"
CLAIM_PATH = "/own"
_OWNER_LENGTHS = range(16, 201)
_OWNER_S = 400 * 24 * 3600  # the longest a browser keeps a cookie
_MOST_WAITING = 1000

# Secrets by the code under which they can be fetched, once. A visit and its requests are served by one process.
_waiting: OrderedDict[str, str] = OrderedDict()
_lock = Lock()


def owner() -> str:
    """Whose things are one's own: the person's who is logged in, else this browser's, by the secret of its cookie or of
    this visit.
    """
    if login_required():
        return login.me().key
    kept = st.context.cookies.get(OWNER_COOKIE, "")
    if len(kept) in _OWNER_LENGTHS and ":" not in kept:  # as persons have it
        return kept
    if "owner" not in st.session_state:
        st.session_state["owner"] = new_owner()
    return str(st.session_state["owner"])


def keep_owner(secret: str) -> None:
    """Have the browser keep this secret, which something was just kept under; `draw_keeper` does it."""
    if login_required() or st.context.cookies.get(OWNER_COOKIE) == secret or "owner_code" in st.session_state:
        return
    code = secrets.token_urlsafe(16)
    with _lock:
        _waiting[code] = secret
        while len(_waiting) > _MOST_WAITING:
            _waiting.popitem(last=False)
    st.session_state["owner_code"] = code


def draw_keeper() -> None:
    """Draw what makes the browser fetch the cookie; nothing where there is none to fetch."""
    code = st.session_state.get("owner_code")
    if code is not None:
        st.html(f'<img src="{folder()}{CLAIM_PATH}/{code}" alt="" width="1" height="1">')


async def own(request: Request) -> Response:
    """Answer such a fetch: an empty answer, with the cookie the first time.

    Only for the page itself: another site could otherwise make a visitor freeze under a secret that it knows.
    """
    answer = Response(status_code=204, headers={"Cache-Control": "no-store"})
    if OWNER_COOKIE in request.cookies or not from_here(request):
        return answer
    with _lock:
        secret = _waiting.pop(request.path_params["code"], None)
    if secret is not None:
        answer.set_cookie(
            OWNER_COOKIE,
            secret,
            max_age=_OWNER_S,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https",
        )
    return answer


def from_here(request: Request, typed: bool = False) -> bool:
    """Whether a page of this server asks, or, where `typed` counts too, a person at the browser's own line.

    Browsers say it themselves on https and on the same machine; elsewhere by the page that asks.
    """
    said = request.headers.get("sec-fetch-site")
    if said is not None:
        return said == "same-origin" or (typed and said == "none")
    return urlsplit(request.headers.get("referer", "")).netloc == request.headers.get("host")
