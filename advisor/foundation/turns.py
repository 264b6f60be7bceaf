"""Turns: one thread computes at a time, in the order of coming, and whoever waits lets the others go on.

Python computes in one thread anyway; many pages at once only keep each other up. Code that waits for the network or a
database says so with `elsewhere`, wherever it is, and what takes long calls `breathe`, or at least `still_wanted`,
between its parts; without a turn these do nothing.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock, local

from advisor.foundation.errors import AdvisorError

_LOOK_EVERY_S = 0.25


class TooManyWaiting(AdvisorError):
    """The queue is full: better told at once than found out after minutes."""


class OneAtATime:
    """A queue: who came first goes first."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._queue: deque[Event] = deque()
        self._mine = local()
        self.ended = 0  # turns
        self.last_ended = time.monotonic()

    @contextmanager
    def turn(self, look: Callable[[], object] = lambda: None, most_waiting: int | None = None) -> Iterator[None]:
        """Hold the turn while inside; in a thread that holds it already, nothing happens.

        `look` is called now and then, while waiting and between the parts of something long, and may raise to give it
        up. Raises TooManyWaiting where more than `most_waiting` are before.
        """
        if getattr(self._mine, "ticket", None) is not None:
            yield
            return
        if most_waiting is not None and len(self._queue) > most_waiting:
            raise TooManyWaiting("Very many people are asking at this moment.")
        self._mine.ticket = self._enter(look)
        self._mine.look = look
        try:
            yield
        finally:
            self._mine.look = None
            # Perhaps another one by now, see `elsewhere`.
            ticket, self._mine.ticket = self._mine.ticket, None
            self._leave(ticket)

    @contextmanager
    def elsewhere(self) -> Iterator[None]:
        """Let the others go on while this thread waits for something; then wait for a turn again.

        Without a turn, nothing happens.
        """
        ticket = getattr(self._mine, "ticket", None)
        if ticket is None:
            yield
            return
        self._leave(ticket)
        try:
            yield
        finally:
            # Not given up half-way: the thread is inside `turn` still.
            self._mine.ticket = self._enter(lambda: None)

    def breathe(self) -> None:
        """Between the parts of something long: let whoever waits go first, if it is still wanted.

        Without a turn, nothing happens. Not where a lock is held, as inside of a cached property.
        """
        self.still_wanted()
        if getattr(self._mine, "ticket", None) is not None and len(self._queue) > 1:
            with self.elsewhere():
                pass

    def still_wanted(self) -> None:
        """Give this turn up where its visitor left meanwhile: what `look` raises comes out of here."""
        if (look := getattr(self._mine, "look", None)) is not None:
            look()

    @property
    def waiting(self) -> int:
        """How many are at work or wait."""
        return len(self._queue)

    @property
    def idle(self) -> bool:
        """Whether nobody is at work or waits."""
        return not self._queue

    def _enter(self, look: Callable[[], object]) -> Event:
        ticket = Event()
        with self._lock:
            self._queue.append(ticket)
            self._queue[0].set()
        try:
            while not ticket.wait(_LOOK_EVERY_S):
                look()
        except BaseException:
            self._leave(ticket)
            raise
        return ticket

    def _leave(self, ticket: Event) -> None:
        with self._lock:
            self._queue.remove(ticket)
            self.ended += 1
            self.last_ended = time.monotonic()
            if self._queue:
                self._queue[0].set()


PAGES = OneAtATime()  # of this process
elsewhere = PAGES.elsewhere
breathe = PAGES.breathe
still_wanted = PAGES.still_wanted
