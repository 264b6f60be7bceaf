"""Slow questions asked in threads of their own, so that nobody waits longer than a page may take.

Who asks again meets the same thread or, later, its result. A page that gave up waiting loses nothing: the work goes
on, and its result is there when it is asked for next.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from weakref import WeakSet

from advisor.foundation.errors import InputError
from advisor.foundation.message import Message
from advisor.foundation.quotas import take
from advisor.foundation.turns import elsewhere

if TYPE_CHECKING:
    from concurrent.futures import Future

_MOST_THREADS = 16
_MOST_KEPT = 64
_SHORT_S = 0.1  # what is left for somebody who asks again after patience ran out

Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")


class StillWorking(InputError):
    """The result is not there yet; ask again later."""


@dataclass(slots=True)
class _Task(Generic[Result]):
    future: Future[Result]
    started: float
    ended: float = 0.0  # set before the future is done


_ALL: WeakSet[Background[Any, Any]] = WeakSet()


def waiting_reads() -> int:
    """How many are read in this process at the moment."""
    return sum(one.busy for one in tuple(_ALL))


class Background(Generic[Key, Result]):
    """Results of `work` by key, kept `kept_s` seconds after it ended; failures are kept `failures_kept_s`, so that a
    server in trouble is not asked with every change on a page.

    `late` is the sentence for a key whose result takes longer than `patience_s`.
    """

    def __init__(
        self,
        work: Callable[[Key], Result],
        late: Callable[[Key], Message],
        *,
        patience_s: float,
        kept_s: float = 600,
        failures_kept_s: float = 30,
    ):
        self._work = work
        self._late = late
        self.patience_s = patience_s
        self._kept_s = kept_s
        self._failures_kept_s = failures_kept_s
        self._lock = Lock()
        self._tasks: OrderedDict[Key, _Task[Result]] = OrderedDict()
        _ALL.add(self)

    @property
    def busy(self) -> int:
        """How many are being worked on."""
        with self._lock:
            return sum(not task.future.done() for task in self._tasks.values())

    def start(self, key: Key) -> None:
        """Begin, unless it has begun; raises InputError where too much is going on."""
        self._task(key)

    def get(self, key: Key) -> Result:
        """The result; raises what `work` raises, or StillWorking when patience runs out."""
        task = self._task(key)
        left = max(task.started + self.patience_s - time.monotonic(), _SHORT_S)
        try:
            if task.future.done():
                return task.future.result()
            with elsewhere():
                return task.future.result(left)
        except TimeoutError:
            raise StillWorking.saying(self._late(key)) from None
        except InputError as error:
            raise error.anew() from None

    def settled(self, key: Key) -> bool:
        """Whether there is a result, good or bad, or nothing going on."""
        with self._lock:
            task = self._tasks.get(key)
        return task is None or task.future.done()

    def forget(self, key: Key) -> None:
        """Ask anew the next time."""
        with self._lock:
            self._tasks.pop(key, None)

    def _task(self, key: Key) -> _Task[Result]:
        with self._lock:
            self._drop_old()
            if (task := self._tasks.get(key)) is not None:
                return task
            if sum(not task.future.done() for task in self._tasks.values()) >= _MOST_THREADS:
                raise StillWorking("Too much is being read at the moment; try again in a minute.")
            take("reads")
            from concurrent.futures import Future  # late: most questions read nothing, and it brings logging along

            task = self._tasks[key] = _Task(Future(), time.monotonic())
        # A daemon: a server that never answers must not keep the program from ending.
        Thread(target=self._run, args=(key, task), daemon=True).start()
        return task

    def _run(self, key: Key, task: _Task[Result]) -> None:
        try:
            result = self._work(key)
        except BaseException as error:
            task.ended = time.monotonic()
            task.future.set_exception(error)
        else:
            task.ended = time.monotonic()
            task.future.set_result(result)

    def _drop_old(self) -> None:
        now = time.monotonic()
        for key, task in list(self._tasks.items()):
            if task.future.done():
                kept = self._failures_kept_s if task.future.exception() else self._kept_s
                if now > task.ended + kept or len(self._tasks) > _MOST_KEPT:
                    del self._tasks[key]
