"""Files that browsers load once, sent compressed: those of Streamlit's page, which it sends as they are, and ours.

Each is compressed when it is first asked for and then kept in memory; all of Streamlit's come to some 7 MB.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import streamlit as st
from anyio import to_thread
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from advisor.ui.address import folder

try:
    import brotli
except ImportError:  # a tenth smaller than gzip, and not needed
    brotli = None

STREAMLIT_FOLDER = Path(st.__file__).parent / "static"
PAGE_SCRIPTS = ("/page.js", "/pickers.js")
YOUR_MACHINE_SCRIPT = "/your_machine.js"
SCRIPTS = {path: Path(__file__).with_name(path[1:]) for path in (*PAGE_SCRIPTS, YOUR_MACHINE_SCRIPT)}
_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
_FOR_GOOD = "public, immutable, max-age=31536000"
_BROTLI_QUALITY = 8  # 11 is 8 % smaller and takes 35 times as long
_GZIP_LEVEL = 9

Compress = Callable[[bytes], bytes]


def encodings() -> dict[str, Compress]:
    """How answers can be compressed here, the best first."""
    best: dict[str, Compress] = {} if brotli is None else {"br": _brotli}
    return best | {"gzip": _gzip}


def _brotli(body: bytes) -> bytes:
    return bytes(brotli.compress(body, quality=_BROTLI_QUALITY))


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, _GZIP_LEVEL, mtime=0)


def accepted(headers: Headers) -> str | None:
    """The best encoding that a client accepts and that there is here."""
    offered = {}
    for part in headers.get("accept-encoding", "").lower().split(","):
        name, _, weight = part.partition(";")
        offered[name.strip()] = weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return next((name for name in encodings() if offered.get(name, offered.get("*", False))), None)


def path_in_app(scope: Scope) -> str:
    """The path of a request without the folder that the app lives in, whether a server above or Streamlit's
    `server.baseUrlPath` has named it."""
    path: str = scope["path"]
    for above in (scope.get("root_path", ""), folder()):
        if above and (path == above or path.startswith(f"{above}/")):
            path = path[len(above) :]
    return path or "/"


@cache
def script_version(path: str) -> str:
    """Names the content of a script of ours, so that a browser may keep it until it changes."""
    return hashlib.sha256(SCRIPTS[path].read_bytes()).hexdigest()[:12]


@cache
def _files() -> dict[str, Path]:
    found = {
        f"/{path.relative_to(STREAMLIT_FOLDER).as_posix()}": path
        for path in (STREAMLIT_FOLDER / "static").rglob("*")
        if path.suffix in _TYPES
    }
    return found | SCRIPTS


@cache
def _compressed(path: str, encoding: str | None) -> bytes:
    body = _files()[path].read_bytes()
    return body if encoding is None else encodings()[encoding](body)


class CompressedFiles:
    """Answers requests for these files; everything else goes on to the app."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._answer(scope) if scope["type"] == "http" else None
        await (answer or self.app)(scope, receive, send)

    async def _answer(self, scope: Scope) -> Response | None:
        path, headers = path_in_app(scope), Headers(scope=scope)
        if path not in _files() or scope["method"] not in ("GET", "HEAD") or "range" in headers:
            return None
        encoding = accepted(headers)
        if encoding is None and path not in SCRIPTS:
            return None
        own: dict[str, str] = {"Vary": "Accept-Encoding", "Cache-Control": _FOR_GOOD}
        if path in SCRIPTS:
            version = script_version(path)
            own["ETag"] = f'W/"{version}"'
            if scope.get("query_string", b"") != f"v={version}".encode():
                own["Cache-Control"] = "no-cache"
            if version in headers.get("if-none-match", ""):
                return Response(status_code=304, headers=own)
        if encoding is not None:
            own["Content-Encoding"] = encoding
        # Twice at once does no harm; what is kept by then needs no thread.
        body = await to_thread.run_sync(_compressed, path, encoding)
        return Response(b"" if scope["method"] == "HEAD" else body, headers=own | _described(path, body))


def _described(path: str, body: bytes) -> dict[str, str]:
    return {"Content-Type": _TYPES[Path(path).suffix], "Content-Length": str(len(body))}
