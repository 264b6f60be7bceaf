"""Visitors who go on whatever happens to the server, and remember what was confirmed to them."""

from __future__ import annotations

import asyncio
import json
import random
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from websockets.exceptions import ConnectionClosed

from tests.load.visitor import Drawn, Visitor, questions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_PATIENCE_S = 120.0


@dataclass
class Crowd:
    """So many sessions, and what became of them. Every `freeze_every`-th answer is frozen; 0 freezes none. After about
    `stay` answers a visitor leaves and another one comes; 0: never.

    `lost` counts connections that broke, `back_s` how long it took until the same question was answered again.
    """

    address: str
    number: int
    asked: Iterator[tuple[str, str]]
    think_s: float = 1.0
    freeze_every: int = 0
    stay: float = 0.0
    answered: list[int] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    back_s: list[float] = field(default_factory=list)
    confirmed: set[str] = field(default_factory=set)
    lost: int = 0
    visitors: list[Visitor] = field(default_factory=list)

    @asynccontextmanager
    async def there(self) -> AsyncIterator[Crowd]:
        """They come one after the other and stay until this ends."""
        self.answered = [0] * self.number
        tasks = [asyncio.create_task(self._visit(one)) for one in range(self.number)]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            for ended in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(ended, Exception):
                    self.errors.append(f"a visit ended: {ended!r}")

    async def all_answered(self, more: int = 1, within_s: float = _PATIENCE_S) -> None:
        """Until each of them was answered so many times more; raises TimeoutError."""
        wanted = [done + more for done in self.answered]
        async with asyncio.timeout(within_s):
            while any(done < most for done, most in zip(self.answered, wanted, strict=True)):
                await asyncio.sleep(0.05)

    async def _visit(self, number: int) -> None:
        await asyncio.sleep(number / 5)  # two cores draw five first pages a second
        while True:
            query, name = next(self.asked)
            visitor = await Visitor.arrive(self.address, query)
            self.visitors.append(visitor)
            try:
                leaves_after = random.uniform(0.5, 1.5) * self.stay
                while True:
                    await self._ask(visitor, number, query, name)
                    await asyncio.sleep(random.uniform(0.5, 1.5) * self.think_s)
                    leaves_after -= 1
                    if self.stay and leaves_after < 0:
                        break  # and somebody else comes
                    query, name = next(self.asked)
            finally:
                self.visitors.remove(visitor)
                await visitor.leave()

    async def _ask(self, visitor: Visitor, number: int, query: str, name: str) -> None:
        """One question, asked again where the connection is lost meanwhile: it lives in the visitor's address."""
        lost_at = None
        while True:
            try:
                drawn = await visitor.ask(query, name)
                if lost_at is not None:
                    self.back_s.append(time.monotonic() - lost_at)
                    lost_at = None
                self.waits.append(drawn.seconds)
                self._note(drawn)
                await self.use(visitor, query, self.answered[number] + number)
                break
            except ConnectionClosed:
                lost_at = lost_at or time.monotonic()
                self.lost += 1
                await visitor.come_back()
        self.answered[number] += 1

    def _note(self, drawn: Drawn) -> None:
        if drawn.error:
            self.errors.append(drawn.error)

    async def use(self, visitor: Visitor, query: str, turn: int) -> None:
        """What a visitor does with an answer; `turn` counts the answers of each, from a number of its own."""
        if self.freeze_every and turn % self.freeze_every == 0:
            await self.freeze(visitor, query)

    async def freeze(self, visitor: Visitor, query: str) -> None:
        before = await visitor.ask(query, page="report")
        after = await visitor.ask(query, page="report", press="freeze")
        self._note(before)
        self._note(after)
        self.confirmed |= after.frozen - before.frozen


def get(address: str, path: str) -> tuple[int, str]:
    """Status and text of one page."""
    try:
        with urllib.request.urlopen(f"{address}{path}", timeout=60) as answer:
            return answer.status, answer.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode("utf-8", "replace")


def lost_links(address: str, confirmed: set[str]) -> list[str]:
    """Of the frozen links that were confirmed, those that show nothing."""
    return sorted(id for id in confirmed if get(address, f"/s/{id}")[0] != 200)


def upload(address: str, body: bytes, name: str) -> str:
    """Send a model's file, as the picker does; the question's value for it."""
    request = urllib.request.Request(
        f"{address}/find/file?{urlencode({'key': 'model', 'name': name})}",
        body,
        {"Content-Type": "application/octet-stream"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        found: str = json.load(answer)["choices"][0]["value"]
        return found


def with_uploaded(value: str, seed: int) -> Iterator[tuple[str, str]]:
    """Questions of which every fourth is about an uploaded file."""
    for number, (query, name) in enumerate(questions(seed)):
        if number % 4 == 3:
            yield urlencode({"model": value, "machine": "rtx-4090", "context": 1024 + number}), ""
        else:
            yield query, name
