"""Who asks, and what is refused before it costs anything."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from advisor.foundation import quotas
from advisor.foundation.quotas import Quotas
from advisor.ui import limits, picker_routes
from advisor.ui.limits import Limits
from advisor.ui.picker_routes import ROUTES
from advisor.ui.visitor import address_of
from tests.support.asgi import send
from tests.support.own_loop import in_own_loop


@pytest.mark.parametrize(
    ("peer", "told", "proxies", "address"),
    [
        ("203.0.113.5", "", None, "203.0.113.5"),
        ("203.0.113.5", "1.2.3.4", None, "203.0.113.5"),  # anybody may write that
        ("127.0.0.1", "1.2.3.4", None, "1.2.3.4"),  # the proxy on this machine
        ("127.0.0.1", "6.6.6.6, 1.2.3.4", None, "1.2.3.4"),
        ("127.0.0.1", "", None, "127.0.0.1"),
        ("127.0.0.1", "1.2.3.4", "0", "127.0.0.1"),
        ("10.0.0.9", "6.6.6.6, 1.2.3.4, 10.0.0.8", "2", "1.2.3.4"),
        ("10.0.0.9", "1.2.3.4", "2", "1.2.3.4"),
        ("10.0.0.9", " , ", "1", "10.0.0.9"),
        ("", "1.2.3.4", None, ""),
    ],
)
def test_the_address_is_what_one_s_own_proxies_say(
    peer: str, told: str, proxies: str | None, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if proxies is not None:
        monkeypatch.setenv("LLM_FIT_ADVISOR_PROXIES", proxies)
    assert address_of(peer, Headers({"x-forwarded-for": told} if told else {})) == address


async def fine(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("fine")(scope, receive, send)


def few(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    found = Quotas(lambda: {"uploads": most})
    for module in (quotas, limits, picker_routes):
        monkeypatch.setattr(module, "QUOTAS", found)


def test_streamlit_s_own_uploads_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    few(monkeypatch, 1)
    app = Limits(fine)
    said = [send(app, b"x", "/_stcore/upload_file/a/b", method="PUT", content_length="1") for _ in range(7)]
    assert [one.status for one in said] == [200] * 5 + [429] * 2  # of an address
    assert "enough of uploads" in said[-1].body.decode()
    assert int(said[-1].headers["retry-after"]) > 600
    assert send(app, b"", "/_stcore/upload_file/a/b", method="DELETE").status == 200


def test_a_picker_s_uploads_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    few(monkeypatch, 1)
    (route,) = (one for one in ROUTES if one.path == "/find/file")
    own = {
        "content_length": "2",
        "content_type": "application/octet-stream",
        "cookie": "llm_fit_advisor_owner=0123456789abcdefgh",
    }
    said = [send(route.app, b"{}", "/find/file", "key=model&name=config.json", **own) for _ in range(2)]
    assert [one.status for one in said] == [400, 429]
    assert "enough of uploads" in said[-1].body.decode()


def test_so_many_connections_and_then_a_clear_page() -> None:
    open_ones: list[asyncio.Event] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            open_ones.append(asyncio.Event())
            await open_ones[-1].wait()
        else:
            await fine(scope, receive, send)

    limited = Limits(app, most_sessions=3, most_of_an_address=2, sessions=Counter())

    async def connect(address: str) -> tuple[Message, asyncio.Task[None]]:
        said: asyncio.Queue[Any] = asyncio.Queue()
        scope = {"type": "websocket", "path": "/_stcore/stream", "headers": [], "client": (address, 1)}
        task = asyncio.create_task(limited(scope, said.get, said.put))
        return await said.get(), task

    async def page() -> list[Message]:
        said: asyncio.Queue[Any] = asyncio.Queue()
        scope = {
            "type": "http",
            "path": "/",
            "headers": [],
            "client": ("203.0.113.9", 1),
            "method": "GET",
            "query_string": b"",
        }
        await limited(scope, said.get, said.put)
        return [said.get_nowait() for _ in range(said.qsize())]

    async def run() -> None:
        first = [(await connect("203.0.113.5"))[0]["type"] for _ in range(3)]
        assert first == ["websocket.accept"] * 2 + ["websocket.close"]
        assert (await page())[0]["status"] == 200
        assert (await connect("203.0.113.6"))[0]["type"] == "websocket.accept"
        refused, _ = await connect("203.0.113.7")
        assert refused == {"type": "websocket.close", "code": 1013, "reason": "full"}
        start, body = await page()
        assert start["status"] == 503
        assert b"no room for another visit" in body["body"]
        for one in open_ones:
            one.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not limited.sessions
        assert (await page())[0]["status"] == 200

    in_own_loop(run())
