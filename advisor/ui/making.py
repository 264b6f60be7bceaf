"""What is made once for many readers: a few threads make it, and it is kept, bounded, for whoever asks next.

Knows neither Streamlit nor the web. Whoever asks for the same meanwhile waits for the same.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from threading import Lock
from typing import Generic, TypeVar

from advisor.foundation.errors import AdvisorError

_MANY = 8

Made = TypeVar("Made")


class Busy(AdvisorError):
    """Too much is wanted at once; ask again in some seconds."""

    def __init__(self) -> None:
        super().__init__("Many reports are wanted at the moment; this one is shown as soon as it is made.")


class Maker(Generic[Made]):
    """Values by key. `weigh` says how many bytes one takes; those asked for longest ago go first, and one heavier
    than `most_bytes` is not kept. At most `most_waiting` are wanted at once, and nobody waits longer than `patience_s`
    seconds: what was begun is then made all the same. `when_many` is called, in a thread that makes, while more than a
    few are wanted."""

    def __init__(
        self,
        weigh: Callable[[Made], int],
        *,
        most_bytes: int,
        most_waiting: int = 300,
        patience_s: float = 30,
        threads: int = 1,
        when_many: Callable[[], object] = lambda: None,
    ) -> None:
        self._weigh = weigh
        self._most_bytes = most_bytes
        self._most_waiting = most_waiting
        self._patience_s = patience_s
        self._when_many = when_many
        self._kept: OrderedDict[Hashable, Made] = OrderedDict()
        self._going: dict[Hashable, Future[Made]] = {}
        self._pool = ThreadPoolExecutor(threads)
        self._lock = Lock()
        self.bytes = 0

    async def get(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """The value of this key, made where there is none; raises what `make` raises, and Busy."""
        with self._lock:
            if (found := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return found
            going = self._going.get(key)
            if going is None:
                if len(self._going) >= self._most_waiting:
                    raise Busy
                # What a request has set, such as its language, holds while its value is made, and no longer.
                going = self._going[key] = self._pool.submit(copy_context().run, self._make, key, make)
        try:
            # Who leaves does not end it for the others.
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(going)), self._patience_s)
        except TimeoutError:
            raise Busy from None

    def _make(self, key: Hashable, make: Callable[[], Made]) -> Made:
        try:
            if len(self._going) > _MANY:
                self._when_many()
            made = make()
        except BaseException:
            with self._lock:
                del self._going[key]
            raise
        with self._lock:
            del self._going[key]
            if (size := self._weigh(made)) <= self._most_bytes:
                self._kept[key] = made
                self.bytes += size
            while self.bytes > self._most_bytes:
                self.bytes -= self._weigh(self._kept.popitem(last=False)[1])
        return made

    def clear(self) -> None:
        """Forget what is kept."""
        with self._lock:
            self._kept.clear()
            self.bytes = 0

    def __len__(self) -> int:
        return len(self._kept)
