"""`/login`: the page on which one chooses to log in. It keeps where one was going, for when one comes back."""

from __future__ import annotations

from urllib.parse import parse_qs, quote, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from streamlit.user_info import generate_login_redirect_url

from advisor.access.roles import login_required, roles
from advisor.foundation.errors import InputError
from advisor.question.question import LANGUAGE_KEY
from advisor.ui import login
from advisor.ui.address import folder
from advisor.ui.gate import LOGIN, NEXT_COOKIE, NEXT_S, above, safe_place
from advisor.ui.reader_sentences import sentence_page
from advisor.ui.tongue import follow
from advisor.words import told

_LONGEST_COOKIE = 3800  # browsers drop one of more than 4096 bytes, its attributes included


async def login_page(request: Request) -> Response:
    """The ways in: links to each identity provider, as `st.login` follows them."""
    home = f"{above(request.scope)}/"
    if not login_required():
        return RedirectResponse(home, 303)
    place = safe_place(request.query_params.get("next", ""))
    follow(parse_qs(urlsplit(place).query).get(LANGUAGE_KEY, [""])[-1])
    try:
        found = roles()
    except InputError:
        found = None  # says the gate, to whoever goes on
    if found is not None and login.person_of(request.cookies, found) is not None:
        return RedirectResponse(place or home, 303, {"Cache-Control": "no-store"})
    ways = {_called(name): generate_login_redirect_url(name) for name in login.providers()}
    words = told("Whoever uses this server logs in first. What you were looking for opens right after.")
    answer = sentence_page(request, 200, told("Please log in"), words, ways)
    kept = quote(place, safe="")
    if len(kept) > _LONGEST_COOKIE:
        kept = ""
    answer.set_cookie(
        NEXT_COOKIE,
        kept,
        max_age=NEXT_S if kept else 0,
        httponly=True,
        samesite="lax",
        secure=login.origin().startswith("https://"),
    )
    return answer


def _called(provider: str) -> str:
    return told("Log in") if provider == "default" else told("Log in with {provider}", provider=provider)


ROUTES = tuple(Route(f"{start}{LOGIN}", login_page, methods=["GET"]) for start in dict.fromkeys(("", folder())))
