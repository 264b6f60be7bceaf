"""Ranged reads of remote files through huggingface_hub's own session: its proxies, retries of connections and token."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from socket import SHUT_RDWR, socket
from threading import Lock, Timer
from typing import Any
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx2
from huggingface_hub import constants, hf_hub_url
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

from advisor.foundation.errors import InputError
from advisor.sources.addresses import HubAddress, check_address, check_public
from advisor.sources.hub_errors import hub_errors

TIMEOUT_S = 10.0
_PATIENCE_S = 60.0  # for one file, all its ranges together, however slowly they drip in
_REDIRECTS = 5

_Trace = Callable[[str, Mapping[str, Any]], None]


class HubFile:
    """One file of a repository."""

    def __init__(self, address: HubAddress, endpoint: str | None = None):
        self.address = address
        self.name = address.path.rpartition("/")[2]
        self._url = hf_hub_url(address.repository, address.path, revision=address.revision, endpoint=endpoint)
        self._headers = build_hf_headers()
        self._direct: str | None = ""  # where the Hub redirected to: later ranges need not ask again; None: they must
        self.with_token = "authorization" in self._headers
        self.size: int | None = None  # in bytes, where the server said so
        self.commit = ""  # the revision that the name stood for, once something was read
        self._until = time.monotonic() + _PATIENCE_S

    def read(self, start: int, end: int) -> bytes:
        """A ReadRange."""
        with hub_errors(self.address.repository, self.address.revision, self.address.path):
            if self._direct:
                try:
                    return self._fetch(self._direct, {}, start, end)
                except httpx2.HTTPError:
                    self._direct = None  # such links expire, and some are good for one range only
            return self._fetch(self._url, self._headers, start, end)

    def _fetch(self, url: str, headers: Mapping[str, str], start: int, end: int) -> bytes:
        wanted = {**headers, "Range": f"bytes={start}-{end - 1}", "Accept-Encoding": "identity"}
        with get_session().stream("GET", url, headers=wanted, timeout=TIMEOUT_S, follow_redirects=True) as response:
            if response.status_code == 416:
                return b""
            hf_raise_for_status(response)
            if response.history and self._direct is not None:
                self._direct = str(response.url)
            for answer in (*response.history, response):
                self.commit = answer.headers.get(constants.HUGGINGFACE_HEADER_X_REPO_COMMIT) or self.commit
            self.size = _whole_size(response) or self.size
            return _receive(response, start, end, self._until)


class LinkedFile:
    """A file on any other host; unless `allow_local`, every hop must be https to a public host."""

    def __init__(self, url: str, allow_local: bool):
        self._url = url
        self._allow_local = allow_local
        self._until = time.monotonic() + _PATIENCE_S
        self.size: int | None = None  # in bytes, where the server said so
        self.name = url.partition("?")[0].partition("#")[0].rstrip("/").rpartition("/")[2][-120:] or "The linked file"

    def read(self, start: int, end: int) -> bytes:
        """A ReadRange."""
        # A connection for each range: one that was opened earlier would not be looked at.
        wanted = {"Range": f"bytes={start}-{end - 1}", "Accept-Encoding": "identity", "Connection": "close"}
        url = self._url
        try:
            for _ in range(_REDIRECTS):
                if not self._allow_local:
                    check_public(url)
                check = None if self._allow_local or _proxied(url) else _check_peer
                with (
                    _watched(self._until, check) as trace,
                    get_session().stream(
                        "GET",
                        url,
                        headers=wanted,
                        timeout=TIMEOUT_S,
                        follow_redirects=False,
                        extensions={"trace": trace},
                    ) as response,
                ):
                    if response.has_redirect_location:
                        url = urljoin(url, response.headers["Location"])
                        continue
                    if response.status_code == 416:
                        return b""
                    if response.status_code >= 400:
                        raise InputError(
                            "The server answers with error {status_code} for {name}; check the link.",
                            status_code=response.status_code,
                            name=self.name,
                        )
                    self._url = url
                    self.size = _whole_size(response) or self.size
                    return _receive(response, start, end, self._until)
        except httpx2.TimeoutException:
            raise InputError(
                "The server of {name} does not answer; try again, or download the file and give its path.",
                name=self.name,
            ) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, ValueError):
            raise InputError("{name} cannot be reached; check the link.", name=self.name) from None
        raise InputError("The link to {name} is redirected too often; give the file's own link.", name=self.name)


@contextmanager
def _watched(
    until: float, check: Callable[[socket], None] | None
) -> Iterator[Callable[[str, Mapping[str, Any]], None]]:
    """What httpx is to call while it connects: each connection is given to `check` before anything is sent over it.

    At `until` all are cut. The timeouts of a socket cannot do that: they begin anew with every byte that comes.
    """
    open_ones: list[socket] = []
    lock = Lock()
    late = False

    def trace(event: str, about: Mapping[str, Any]) -> None:
        if event != "connection.connect_tcp.complete":
            return
        connection = about["return_value"].get_extra_info("socket")
        try:
            if check is not None:
                check(connection)
        except BaseException:
            connection.close()
            raise
        with lock:
            open_ones.append(connection.dup())  # TLS takes the first one over
            if late:
                _cut(connection)

    def cut_all() -> None:
        nonlocal late
        with lock:
            late = True
            for connection in open_ones:
                _cut(connection)

    timer = Timer(max(until - time.monotonic(), 0), cut_all)
    timer.daemon = True
    timer.start()
    try:
        yield trace
    except (httpx2.HTTPError, httpx2.StreamError, OSError):
        if late:
            raise httpx2.ReadTimeout("too slow") from None
        raise
    finally:
        timer.cancel()
        with lock:
            for connection in open_ones:
                connection.close()
            open_ones.clear()


def _cut(connection: socket) -> None:
    with suppress(OSError):
        connection.shutdown(SHUT_RDWR)


def _check_peer(connection: socket) -> None:
    """Between the look at a host's addresses and the connection, its name may have been made to lead elsewhere."""
    check_address(str(connection.getpeername()[0]))


def _proxied(url: str) -> bool:
    """Whether a proxy fetches this link: it connects for us, and is private by nature."""
    parts, proxies = urlsplit(url), getproxies()
    return bool((parts.scheme in proxies or "all" in proxies) and not proxy_bypass(parts.hostname or ""))


def _whole_size(response: httpx2.Response) -> int | None:
    """How long the whole file is: a server that answers a range says it ("bytes 0-99/5000")."""
    if response.status_code == 206:
        told = response.headers.get("Content-Range", "").rpartition("/")[2]
    else:
        told = response.headers.get("Content-Length", "")
    return int(told) if told.isdecimal() else None


def _receive(response: httpx2.Response, start: int, end: int, until: float) -> bytes:
    """The wanted range and no more, also from servers that ignore ranges and send the whole file."""
    skip = start if response.status_code == 200 else 0
    wanted = skip + end - start
    pieces = bytearray()
    for piece in response.iter_raw():  # as they come: collected to a size, a drip would never be looked at
        pieces += piece
        if skip:
            passed = min(skip, len(pieces))
            del pieces[:passed]
            skip -= passed
            wanted -= passed
        if len(pieces) >= wanted:
            break
        if time.monotonic() > until:
            raise httpx2.ReadTimeout("too slow")
    return bytes(pieces[:wanted])
