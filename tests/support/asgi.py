"""Ask an ASGI app one thing, without a server."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message

from tests.support.own_loop import in_own_loop


@dataclass(frozen=True)
class Answered:
    status: int
    headers: Headers
    body: bytes


def ask(app: ASGIApp, path: str, query: str = "", method: str = "GET", root: str = "", **headers: str) -> Answered:
    """What the app answers; header names are written with underscores."""
    return send(app, b"", path, query, method, root, **headers)


def send(
    app: ASGIApp, body: bytes, /, path: str, query: str = "", method: str = "POST", root: str = "", **headers: str
) -> Answered:
    """What the app answers to a body."""
    said: list[Message] = []
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": root + path,
        "raw_path": (root + path).encode(),
        "root_path": root,
        "query_string": query.encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }

    asked = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Message:
        if (first := next(asked, None)) is not None:
            return first
        await asyncio.Event().wait()  # nobody leaves before the answer
        raise AssertionError

    async def send(message: Message) -> None:
        said.append(message)

    async def run() -> None:
        await app(scope, receive, send)

    in_own_loop(run())
    starts = [message for message in said if message["type"] == "http.response.start"]
    assert len(starts) == 1
    sent = b"".join(message.get("body", b"") for message in said if message["type"] == "http.response.body")
    return Answered(starts[0]["status"], Headers(raw=starts[0]["headers"]), sent)
