"""A small Hub: the endpoints of the real one that huggingface_hub uses, over real sockets, with faults on demand.

Model search and info, and files through a redirect to another path with ranges, as large files are served. What was
asked for and how much was sent is counted.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_LARGE = 10_000_000  # stored apart, and so served through a redirect


@dataclass
class FakeFile:
    """A file whose beginning is real and the rest, up to `size`, zeros."""

    head: bytes
    size: int


@dataclass
class FakeRepository:
    """`fault` breaks the info request, `file_fault` the files: see `_Handler.fault`."""

    files: dict[str, FakeFile]
    commit: str = COMMIT
    revisions: tuple[str, ...] = ("main",)
    info: dict[str, Any] = field(default_factory=dict)
    gated: bool = False
    private: bool = False
    fault: str = ""
    file_fault: str = ""


@dataclass
class Request:
    """Listed when it comes in, so that whoever has an answer finds its request; `status` and `sent` follow."""

    path: str
    range: str
    authorized: bool
    status: int = 0
    sent: int = 0


class FakeHub:
    """Runs in a thread; use it with `with`."""

    def __init__(self) -> None:
        self.repositories: dict[str, FakeRepository] = {}
        self.requests: list[Request] = []
        self.search_fault = ""
        self.release = threading.Event()  # ends what hangs
        hub = self

        class Handler(_Handler):
            pass

        Handler.hub = hub
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def add(self, name: str, files: Mapping[str, Any], **more: Any) -> FakeRepository:
        """Files are given as (head, size), as bytes, or as something to write as JSON."""
        found = FakeRepository({path: _file(content) for path, content in files.items()}, **more)
        self.repositories[name] = found
        return found

    def __enter__(self) -> FakeHub:
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release.set()
        self.server.shutdown()
        self.server.server_close()

    def of(self, path: str) -> list[Request]:
        """Requests whose path ends so."""
        return [request for request in self.requests if request.path.endswith(path)]


def _file(content: Any) -> FakeFile:
    if isinstance(content, tuple):
        return FakeFile(*content)
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return FakeFile(raw, len(raw))


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Stay silent."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.asked = Request(path, self.headers.get("Range", ""), "authorization" in self.headers)
        self.hub.requests.append(self.asked)
        try:
            self._route(path)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _route(self, path: str) -> None:
        parts = path.strip("/").split("/")
        if parts == ["api", "models"]:
            self._list(parse_qs(urlsplit(self.path).query))
        elif parts[:2] == ["api", "models"]:
            self._info("/".join(parts[2:4]), "/".join(parts[5:]) if len(parts) > 4 else "main")
        elif parts[0] == "cdn":
            self._content(self.hub.repositories["/".join(parts[1:3])], "/".join(parts[3:]))
        elif len(parts) > 4 and parts[2] == "resolve":
            self._resolve("/".join(parts[:2]), parts[3], "/".join(parts[4:]))
        else:
            self.reply(404, b"Not Found")

    def _list(self, asked: Mapping[str, list[str]]) -> None:
        if self.fault(self.hub.search_fault):
            return
        words = asked.get("search", [""])[0].lower().split()
        found = [
            {"id": name, "downloads": 1000, "pipeline_tag": "text-generation", "trendingScore": 1, **repository.info}
            | {"gated": "manual" if repository.gated else False}
            for name, repository in self.hub.repositories.items()
            if all(word in name.lower() for word in words)
            and all(tag in repository.info.get("tags", ()) for tag in asked.get("filter", ()))
            and asked.get("pipeline_tag", [""])[0] in ("", repository.info.get("pipeline_tag", "text-generation"))
            and not repository.private
        ]
        found.sort(key=lambda item: -item[asked["sort"][0]])
        self.reply(200, json.dumps(found[: int(asked["limit"][0])]).encode())

    def _find(self, name: str, revision: str) -> FakeRepository | None:
        found = self.hub.repositories.get(name)
        if found is None or (found.private and "authorization" not in self.headers):
            self.reply(401, b'{"error":"Invalid username or password."}', {"X-Error-Code": "RepoNotFound"})
            return None
        if revision not in (*found.revisions, found.commit):
            self.reply(404, b'{"error":"Invalid rev id"}', {"X-Error-Code": "RevisionNotFound"})
            return None
        return found

    def _info(self, name: str, revision: str) -> None:
        found = self._find(name, revision)
        if found is None or self.fault(found.fault):
            return
        siblings = [{"rfilename": path, "size": file.size} for path, file in found.files.items()]
        document = {
            "id": name,
            "sha": found.commit,
            "siblings": siblings,
            "gated": "manual" if found.gated else False,
            "private": found.private,
        }
        self.reply(200, json.dumps({**document, **found.info}).encode())

    def _resolve(self, name: str, revision: str, path: str) -> None:
        found = self._find(name, revision)
        if found is None or self.fault(found.file_fault):
            return
        if found.gated and "authorization" not in self.headers:
            self.reply(
                401,
                b'{"error":"gated"}',
                {"X-Error-Code": "GatedRepo", "X-Error-Message": f"Access to model {name} is restricted."},
            )
            return
        file = found.files.get(path)
        if file is None:
            self.reply(404, b"Entry not found", {"X-Error-Code": "EntryNotFound"})
            return
        headers = {"X-Repo-Commit": found.commit, "ETag": f'"{len(file.head)}"', "Accept-Ranges": "bytes"}
        if file.size > _LARGE:
            headers |= {"X-Linked-Size": str(file.size), "Location": f"{self.hub.url}/cdn/{name}/{path}?signature=abc"}
            self.reply(302, b"", headers)
        else:
            self._content(found, path, headers)

    def fault(self, kind: str) -> bool:
        """ "hang", "drop", a status, or a status with its code ("403 GatedRepo")."""
        if not kind or kind in ("truncate", "no ranges"):
            return False
        if kind == "hang":
            self.hub.release.wait(20)
            self.close_connection = True
        elif kind == "drop":
            self.close_connection = True
        elif kind == "garbage":
            self.reply(200, b"<html>not json</html>")
        else:
            status, _, code = kind.partition(" ")
            self.reply(int(status), b'{"error":"no"}', {"X-Error-Code": code} if code else {})
        return True

    def _content(self, found: FakeRepository, path: str, headers: Mapping[str, str] | None = None) -> None:
        file = found.files[path]
        start, end = 0, file.size
        wanted = self.headers.get("Range", "")
        status = 200
        if wanted and found.file_fault != "no ranges":
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start, end, status = int(first), min(int(last) + 1 if last else file.size, file.size), 206
            if start >= file.size:
                self.reply(416, b"", {"Content-Range": f"bytes */{file.size}"})
                return
        self.asked.status = status
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(end - start))
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{file.size}")
        self.end_headers()
        if self.command == "HEAD":
            return
        if found.file_fault == "truncate":
            end = start + (end - start) // 2
            self.close_connection = True
        while start < end:
            piece = min(end - start, 1 << 16)
            content = file.head[start : start + piece]
            self.asked.sent += piece
            self.wfile.write(content + bytes(piece - len(content)))
            start += piece
            if found.file_fault == "drip":
                time.sleep(0.05)

    def reply(self, status: int, content: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.asked.status = status
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.asked.sent += len(content)
            self.wfile.write(content)
