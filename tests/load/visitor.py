"""A visitor without a browser: it speaks Streamlit's own protocol over the websocket."""

from __future__ import annotations

import asyncio
import random
import re
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlencode

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from advisor.machines.catalogue import machines
from advisor.models.catalogue import catalogue

_LONGEST_S = 120
_CONTEXTS = (1024, 131_072)
_AGAIN_S = 0.5  # Streamlit's own page waits that long at first before it connects again
_FROZEN = re.compile(rb"/s/([0-9A-Za-z]{16})")


@dataclass(frozen=True)
class Drawn:
    """What came of one question: seconds until the page was complete, what the page said went wrong, and the frozen
    links on it.
    """

    seconds: float
    messages: int
    bytes: int
    error: str = ""
    frozen: frozenset[str] = frozenset()


class Visitor:
    """One session."""

    def __init__(self, address: str, cookie: str, socket: ClientConnection) -> None:
        self.address = address
        self.cookie = cookie
        self._socket = socket
        self._buttons: dict[str, str] = {}  # ids by key

    @classmethod
    async def arrive(cls, address: str, query: str) -> Self:
        """Fetch the start page, as a browser does first, and connect to the process that it names."""
        cookie = await asyncio.to_thread(_start_page_cookie, f"{address}/?{query}")
        return cls(address, cookie, await _connected(address, cookie))

    @property
    def process(self) -> int:
        """Which one the proxy's cookie names, from 0."""
        return int(self.cookie.rpartition("_")[2])

    async def come_back(self) -> None:
        """Connect again with the same cookie until somebody answers, as the page does when its connection is lost."""
        end = time.monotonic() + _LONGEST_S
        while True:
            await asyncio.sleep(_AGAIN_S)
            try:
                self._socket = await _connected(self.address, self.cookie)
                answered = self._socket.response
                if answered is not None and "Set-Cookie" in answered.headers:  # another process takes the visit over
                    self.cookie = answered.headers["Set-Cookie"].partition(";")[0]
            except (OSError, WebSocketException):
                if time.monotonic() > end:
                    raise
            else:
                return

    async def ask(self, query: str, expected: str = "", page: str = "", press: str = "") -> Drawn:
        """Change the question by its link, as a click on a link does. The page must hold the `expected` words.

        `page` is where it is asked, `press` the key of a button that was on the page last drawn.
        """
        asked = BackMsg()
        asked.rerun_script.query_string = query
        asked.rerun_script.page_name = page
        asked.rerun_script.is_history_navigation = not press
        asked.rerun_script.context_info.url = "http://localhost/"
        if press:
            asked.rerun_script.widget_states.widgets.add(id=self._buttons[press], trigger_value=True)
        began = time.perf_counter()
        await self._socket.send(asked.SerializeToString())
        messages = size = 0
        error, missing = "", expected.encode()
        frozen: set[str] = set()
        while True:
            data = await self._socket.recv()
            raw = data if isinstance(data, bytes) else data.encode()
            messages, size = messages + 1, size + len(raw)
            if missing and missing in raw:
                missing = b""
            frozen |= {found.decode() for found in _FROZEN.findall(raw)}
            said = ForwardMsg.FromString(raw)
            kind = said.WhichOneof("type")
            element = said.delta.new_element if kind == "delta" else None
            if element is not None and element.WhichOneof("type") == "exception":
                error = element.exception.message or "an exception"
            if element is not None and element.WhichOneof("type") == "button":
                self._buttons[element.button.id.rpartition("-")[2]] = element.button.id
            if kind == "script_finished" and said.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                if missing and not error:
                    error = f"the page does not name {expected}"
                return Drawn(time.perf_counter() - began, messages, size, error, frozenset(frozen))

    def shows(self, button: str) -> bool:
        """Whether a button of that key was on a page drawn so far."""
        return button in self._buttons

    async def leave(self) -> None:
        await self._socket.close()


async def _connected(address: str, cookie: str) -> ClientConnection:
    return await connect(
        f"{address.replace('http', 'ws', 1)}/_stcore/stream",
        subprotocols=["streamlit"],  # type: ignore[list-item]
        additional_headers={"Cookie": cookie} if cookie else {},
        compression=None,
        max_size=None,
        open_timeout=_LONGEST_S,
    )


def _start_page_cookie(url: str) -> str:
    with urllib.request.urlopen(url, timeout=_LONGEST_S) as page:
        page.read()
        return str(page.headers.get("Set-Cookie", "")).partition(";")[0]


def questions(seed: int) -> Iterator[tuple[str, str]]:
    """Links that were never asked before, each with the name of its model: models x machines x contexts x users."""
    drawn = random.Random(seed)
    models = [entry for entry in catalogue().values() if (entry.model.context_length or 0) > _CONTEXTS[0]]
    places = [place for place in machines().values() if not place.needs_memory]
    asked: set[str] = set()
    while True:
        entry, place = drawn.choice(models), drawn.choice(places)
        longest = min(entry.model.context_length or 0, _CONTEXTS[1])
        values = {
            "model": entry.id,
            "machine": place.id,
            "context": drawn.randint(_CONTEXTS[0], longest),
            "users": drawn.choice((1, 1, 1, 2, 4, 8)),
        }
        query = urlencode(values)
        if query not in asked:
            asked.add(query)
            yield query, entry.name
