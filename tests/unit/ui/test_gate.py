"""The gate where people log in: what is not open is closed, whatever a cookie says; and back to where one was going."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, Router
from starlette.types import Message
from streamlit.auth_util import set_cookie_with_chunks
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from advisor.api.bearer import TokensOnly
from advisor.api.routes import api_routes
from advisor.foundation.errors import InputError
from advisor.store.tokens import Tokens
from advisor.ui import login
from advisor.ui.gate import CALLBACK, NEXT_COOKIE, Gate, safe_place
from advisor.ui.login_page import ROUTES as LOGIN
from advisor.ui.picker_routes import ROUTES as PICKERS
from advisor.ui.report_routes import ROUTES as REPORTS
from advisor.ui.start_page import StartPage
from advisor.ui.visitor import visitor_of
from tests.support.asgi import Answered, ask, send
from tests.support.identity_provider import COOKIE_SECRET
from tests.support.logged_in import ADDRESS, claims_of, cookie_of, login_configured, secrets_of
from tests.support.own_loop import in_own_loop
from tests.support.read_page import PageRead

SECRET = b"what the dashboard shows"
OPEN = {"/healthz", "/readyz", "/metrics", "/robots.txt", "/login", "/auth/login", CALLBACK, "/page.js", "/pickers.js"}
OPEN |= {"/_stcore/health", "/_stcore/host-config", "/favicon.ico", "/favicon.png"}
CLOSED = (
    "/", "/report", "/s/BBBBBBBBBBBBBBBB", "/s/BBBBBBBBBBBBBBBB/report.pdf", "/s/BBBBBBBBBBBBBBBB/preview.png", "/r",
    "/r/report.pdf", "/find", "/find/file", "/own/x", "/api", "/api/v1", "/api/v1/plan", "/api/v1/openapi.json",
    "/badge.svg", "/media/x.pdf", "/component/x", "/_stcore/upload_file/a/b", "/_stcore/metrics", "/fit", "//", "/x//y",
    "/healthz/", "/healthz/x", "/login/x", "/page.js/x", "/statics", "/%2e/healthz", "/s/../healthz", "/LOGIN",
)  # fmt: skip


async def shown(request: Request) -> Response:
    return PlainTextResponse(
        SECRET + str(login.sender(request)).encode(), headers={"Cache-Control": "public, max-age=9"}
    )


async def callback(_: Request) -> Response:
    answer = RedirectResponse("/", 302)
    answer.set_cookie("_streamlit_user", "signed", httponly=True)
    return answer


def site() -> Any:
    return Gate(StartPage(Router([*LOGIN, Route(CALLBACK, callback), Mount("/", Router([Route("/{x:path}", shown)]))])))


def whole_site() -> Any:
    """With everything of ours behind it."""
    return Gate(Router([*LOGIN, *PICKERS, *REPORTS, *api_routes(("",), visitor_of), Route("/{x:path}", shown)]))


@pytest.fixture
def roles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("LLM_FIT_ADVISOR_DATABASE", f"sqlite:///{tmp_path / 'advisor.sqlite3'}")
    with login_configured(tmp_path, monkeypatch) as path:
        yield path


def closed(answered: Answered) -> bool:
    return answered.status in (303, 401, 403, 503) and SECRET not in answered.body


@pytest.mark.parametrize("path", CLOSED)
def test_what_is_not_open_is_closed(path: str, roles: Path) -> None:
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        answered = ask(whole_site(), path, method=method)
        assert closed(answered), (path, method, answered)
        if answered.status == 303:
            assert answered.headers["location"].startswith("/login")
            assert answered.body == b""


@given(st.text(st.characters(codec="ascii", exclude_characters="?#"), max_size=20))
def test_no_path_is_open_but_those_named(path: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLM_FIT_ADVISOR_ROLES", "/nowhere/roles.toml")
        answered = ask(Gate(Router([Route("/{x:path}", shown)])), f"/{path}")
        assert (SECRET in answered.body) == (f"/{path}" in OPEN - {"/login"} or path.startswith("static/")), path


def test_whoever_logged_in_and_may_see_is_let_in(roles: Path) -> None:
    answered = ask(site(), "/report", cookie=cookie_of("bob"))
    assert answered.body.startswith(SECRET)
    assert b"bob@example.com" in answered.body
    # What is theirs is kept by no cache that others share.
    assert answered.headers["cache-control"] == "private, max-age=9"
    assert answered.headers["vary"] == "Cookie"


@pytest.mark.parametrize(
    "cookie",
    [
        "",
        "_streamlit_user=",
        "_streamlit_user=x.y.z",
        cookie_of("ann", secret="another secret, as long as the one of this test"),
        cookie_of("ann", called="_streamlit_user_tokens"),
        cookie_of("ann", origin="https://other.example.com"),
        cookie_of("ann", origin=""),
        cookie_of("ann", is_logged_in=False),
        cookie_of("ann", is_logged_in="yes"),
        cookie_of("ann", sub=""),
        cookie_of("ann", iss=None),
        cookie_of("ann")[:-1],
        cookie_of("ann").replace("_streamlit_user=", "_streamlit_user_1="),
    ],
)
def test_a_cookie_that_is_not_quite_right_is_none(cookie: str, roles: Path) -> None:
    assert ask(site(), "/report", cookie=cookie).status == 303
    assert ask(site(), "/api/v1/plan", cookie=cookie).status == 401


def test_who_is_in_many_groups_has_a_cookie_in_pieces(roles: Path) -> None:
    roles.write_text('[may]\nsee = ["group:299"]\n')
    pieces: dict[str, str] = {}

    def signed(name: str, value: str) -> bytes:
        return create_signed_value(COOKIE_SECRET, name, value)

    claims = claims_of("bob", groups=[f"{number:03}" for number in range(1500)], name="B" * 200)
    set_cookie_with_chunks(
        lambda name, value: pieces.update({name: signed(name, value).decode()}),
        signed,
        USER_COOKIE_NAME,
        claims,
        cookie_attr_size=100,
    )
    assert len(pieces) > 2
    whole = "; ".join(f"{name}={value}" for name, value in pieces.items())
    assert ask(site(), "/", cookie=whole).status == 200
    for missing in pieces:
        rest = "; ".join(f"{name}={value}" for name, value in pieces.items() if name != missing)
        assert ask(site(), "/", cookie=rest).status == 303


def test_a_login_ends(roles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cookie = cookie_of("ann")
    assert ask(site(), "/", cookie=cookie).status == 200
    import itsdangerous

    now = itsdangerous.TimestampSigner.get_timestamp
    for hours, status in ((11.9, 200), (12.1, 303)):
        later = int(hours * 3600)
        monkeypatch.setattr(itsdangerous.TimestampSigner, "get_timestamp", lambda self, s=later: now(self) + s)
        assert ask(site(), "/", cookie=cookie).status == status


def test_whoever_may_not_see_is_told_so_and_shown_nothing(roles: Path) -> None:
    for name, who in (("eve", "eve@example.org"), ("max", "Not Ann")):  # whose address nobody vouches for
        answered = ask(site(), "/report", cookie=cookie_of(name))
        assert closed(answered)
        assert answered.status == 403
        page = PageRead(answered.body.decode())
        assert who in page.words
        assert page.links["Log out"] == "/auth/logout"
        assert ask(whole_site(), "/api/v1/models", cookie=cookie_of(name)).status == 403


def test_a_refusal_is_told_in_the_language_of_the_link(roles: Path) -> None:
    refused = ask(site(), "/report", "lang=de-CH", cookie=cookie_of("eve"))
    assert "Sie sind als eve@example.org angemeldet" in PageRead(refused.body.decode()).words
    away = urlsplit(ask(site(), "/report", "lang=fr").headers["location"])
    assert PageRead(ask(site(), away.path, away.query).body.decode()).links.keys() == {"Se connecter"}


def test_there_is_no_door_where_nobody_logs_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLM_FIT_ADVISOR_ROLES", raising=False)
    answered = ask(Router(LOGIN), "/login", "next=/report")
    assert (answered.status, answered.headers["location"]) == (303, "/")


def test_a_right_is_gone_with_the_next_request(roles: Path) -> None:
    cookie = cookie_of("ann")
    assert ask(site(), "/", cookie=cookie).status == 200
    roles.write_text('[may]\nsee = ["bob@example.com"]\n')
    assert ask(site(), "/", cookie=cookie).status == 403
    roles.write_text("[may")
    answered = ask(site(), "/", cookie=cookie)
    assert (answered.status, closed(answered)) == (503, True)
    assert str(roles) not in answered.body.decode()


def test_nothing_is_asked_where_nobody_logs_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLM_FIT_ADVISOR_ROLES", raising=False)
    for path in CLOSED:
        answered = ask(Gate(Router([Route("/{x:path}", shown)])), path)
        assert answered.status == 200
        assert answered.headers["cache-control"] == "public, max-age=9"


def connected(cookie: str, origin: str) -> bool:
    said: list[Message] = []

    async def accept(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})

    headers = [(b"cookie", cookie.encode()), (b"origin", origin.encode())]
    scope = {"type": "websocket", "path": "/_stcore/stream", "root_path": "", "headers": headers, "query_string": b""}

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def sent(message: Message) -> None:
        said.append(message)

    in_own_loop(Gate(accept)(scope, receive, sent))
    return bool(said[0]["type"] == "websocket.accept")


def test_a_session_is_for_those_who_logged_in_and_for_pages_of_this_server(roles: Path) -> None:
    assert connected(cookie_of("ann"), ADDRESS)
    assert not connected("", ADDRESS)
    assert not connected(cookie_of("ann"), "https://evil.example.com")
    assert not connected(cookie_of("ann"), "")
    assert not connected(cookie_of("ann", secret="x" * 40), ADDRESS)


# Where one wanted to go


@pytest.mark.parametrize(
    "place", ["/", "/report?model=qwen3-32b&machine=rtx-4090", "/s/BBBBBBBBBBBBBBBB", "/r?model=a%20b", "/?x=//y"]
)
def test_one_comes_back_to_the_place_one_wanted(place: str, roles: Path) -> None:
    path, _, query = place.partition("?")
    away = ask(site(), path, query)
    assert away.status == 303
    asked = urlsplit(away.headers["location"])
    assert asked.path == "/login"
    assert parse_qs(asked.query).get("next") == [place]
    page = ask(site(), asked.path, asked.query)
    assert page.status == 200
    read = PageRead(page.body.decode())
    assert read.links["Log in"].startswith("/auth/login?provider=")
    kept = page.headers["set-cookie"]
    assert all(word in kept for word in ("HttpOnly", "SameSite=lax", "Secure"))
    back = ask(site(), CALLBACK, "code=x&state=y", cookie=kept.partition(";")[0])
    assert back.headers["location"] == place
    assert [f"{NEXT_COOKIE}=;" in cookie for cookie in back.headers.getlist("set-cookie")] == [False, True]
    assert all("Secure" in cookie for cookie in back.headers.getlist("set-cookie"))


EVIL = (
    "https://evil.example.com", "//evil.example.com", "/\\evil.example.com", "\\\\evil.example.com", "/%2fevil.com",
    "/%252fevil.com", "/%5cevil.com", "/\t/evil.com", "/\n/evil.com", "javascript:alert(1)", "evil", "", "/x#y",
    "/..//evil.com", "/%09/evil.com", "/a/../../b", "/" + "x" * 4000, "/é",
)  # fmt: skip


@pytest.mark.parametrize("place", EVIL)
def test_nobody_is_sent_elsewhere(place: str, roles: Path) -> None:
    assert safe_place(place) == ""
    page = ask(site(), "/login", f"next={quote(place, safe='')}")
    assert "Max-Age=0" in page.headers["set-cookie"]
    back = ask(site(), CALLBACK, "code=x&state=y", cookie=f"{NEXT_COOKIE}={quote(place, safe='')}")
    assert back.headers["location"] == "/"
    logged_in = ask(site(), "/login", f"next={quote(place, safe='')}", cookie=cookie_of("ann"))
    assert logged_in.headers["location"] == "/"


def test_a_long_question_is_forgotten_rather_than_cut_off(roles: Path) -> None:
    page = ask(site(), "/login", f"next={quote('/?note=' + '%20' * 900, safe='')}")
    assert page.status == 200
    assert "Max-Age=0" in page.headers["set-cookie"]


def test_only_a_page_of_ones_own_logs_out(roles: Path) -> None:
    for headers, status in (
        ({"sec_fetch_site": "same-origin"}, 200),
        ({"sec_fetch_site": "none"}, 200),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"referer": "https://evil.example.com/", "host": "advisor.example.com"}, 403),
        ({"referer": f"{ADDRESS}/report", "host": "advisor.example.com"}, 200),
    ):
        assert ask(site(), "/auth/logout", **headers).status == status, headers


def test_in_a_folder_everything_stays_there(roles: Path) -> None:
    away = ask(site(), "/report", "model=x", root="/advisor")
    assert away.headers["location"] == "/advisor/login?next=%2Fadvisor%2Freport%3Fmodel%3Dx"


# Programs


def test_a_program_needs_a_token_of_somebody_who_may_see(roles: Path) -> None:
    tokens = Tokens.open()
    secret, made = tokens.make("bob@example.com", 7)
    stranger, _ = tokens.make("eve@example.org", 7)
    alone = TokensOnly(Router([Route("/{x:path}", shown)]))
    for app, path in ((whole_site(), "/api/v1/models"), (alone, "/mcp")):
        assert ask(app, path, authorization=f"Bearer {secret}").status == 200
        for other in (
            "",
            secret,
            f"Basic {secret}",
            "Bearer ",
            f"Bearer {secret}x",
            f"Bearer {stranger}",
            f"Bearer {made.id}",
        ):
            refused = ask(app, path, authorization=other)
            assert refused.status == 401, other
            assert refused.headers["www-authenticate"] == "Bearer"
            assert refused.headers["content-type"] == "application/problem+json"
    # A token opens nothing but what programs ask.
    for path in ("/", "/report", "/s/BBBBBBBBBBBBBBBB", "/r", "/find"):
        assert closed(ask(whole_site(), path, authorization=f"Bearer {secret}"))
    roles.write_text('[may]\nsee = ["ann@example.com"]\n')
    assert ask(whole_site(), "/api/v1/models", authorization=f"Bearer {secret}").status == 401
    tokens.close()


def test_people_ask_from_their_browser_too(roles: Path) -> None:
    assert ask(whole_site(), "/api/v1/models", "q=qwen3&limit=1", cookie=cookie_of("ann")).status == 200
    assert send(whole_site(), b"x", "/api/v1/detect", content_type="text/plain", cookie=cookie_of("ann")).status in (
        200,
        400,
    )


# Start-up


def test_a_server_that_is_configured_by_half_does_not_start(
    roles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    login.check()
    whole = (tmp_path / "secrets.toml").read_text()
    for left_out, why in (
        ("redirect_uri", "redirect_uri"),
        ("cookie_secret", "cookie_secret"),
        ("client_id", "names no provider"),
        ("client_secret", "client_secret"),
        ("server_metadata_url", "server_metadata_url"),
    ):
        other = tmp_path / f"without_{left_out}.toml"
        other.write_text(re.sub(rf"{left_out} = .*\n", "", whole))
        with secrets_of(other), pytest.raises(InputError, match=why):
            login.check()
    short = tmp_path / "short.toml"
    short.write_text(re.sub(r'cookie_secret = ".*"', 'cookie_secret = "short"', whole))
    with secrets_of(short):
        with pytest.raises(InputError, match="32 random characters"):
            login.check()
        assert closed(ask(site(), "/", cookie=cookie_of("ann", secret="short")))
    # [auth] alone opens nothing and closes nothing: the operator has to say what is meant.
    monkeypatch.setenv("LLM_FIT_ADVISOR_ROLES", "")
    with pytest.raises(InputError, match="LLM_FIT_ADVISOR_ROLES must name"):
        login.check()
    monkeypatch.setenv("LLM_FIT_ADVISOR_ROLES", "anonymous")
    login.check()
