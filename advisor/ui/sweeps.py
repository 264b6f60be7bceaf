"""Looks at a whole catalogue, which take seconds: in a thread of their own, once for all who ask the same.

Knows no Streamlit. One look at a time in a process: side by side they would only make each other and every page
slower. One that nobody waits for any more is given up.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Generator, Hashable
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import Any, Generic, TypeVar

from advisor.foundation.errors import InputError
from advisor.words import in_use, speaking

PATIENCE_S = 10.0  # after which somebody who is connected, but asks no more, is looking at something else
_MOST_WAITING = 40

Key = TypeVar("Key", bound=Hashable)
Found = TypeVar("Found")
Presence = Callable[[], bool]  # and hashable
Steps = Generator[tuple[int, int], None, Found]  # how many of how many are done, and in the end what was found


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` were tried (0 of 0: it has not begun); `before` others are looked at first."""

    done: int = 0
    total: int = 0
    before: int = 0


@dataclass(slots=True, eq=False)
class _Look:
    steps: Callable[[], Steps[Any]]
    asked: float
    language: str
    waiting: set[Presence] = field(default_factory=set)
    done: int = 0
    total: int = 0
    result: Any = None
    error: Exception | None = None
    ended: bool = False
    given_up: bool = False


class Sweep(Generic[Key, Found]):
    """What `steps` finds by key; the `most_kept` last used are kept."""

    def __init__(self, steps: Callable[[Key], Steps[Found]], most_kept: int) -> None:
        self._steps = steps
        self._most_kept = most_kept
        self._looks: OrderedDict[tuple[str, Key], _Look] = OrderedDict()  # by language too: what is found says things

    def look(self, key: Key, is_there: Presence = _always) -> Found | Progress:
        """What was found, or how far it is; ask again later. Raises what went wrong, and then begins anew.

        `is_there` tells whether the visitor is still connected, the same one by an equal object: what all left is
        given up at once.
        """
        said = in_use(), key
        with _lock:
            found = self._looks.get(said)
            if found is None or found.given_up:
                found = self._looks[said] = _Look(lambda: self._steps(key), time.monotonic(), in_use())
                _begin(found)
            found.asked = time.monotonic()
            found.waiting.add(is_there)
            self._looks.move_to_end(said)
            if found.error is not None:
                del self._looks[said]
            before = _waiting.index(found) + 1 if found in _waiting else 0
            while len(self._looks) > self._most_kept and next(iter(self._looks.values())).ended:
                self._looks.popitem(last=False)
        if isinstance(found.error, InputError):  # the same one raised again and again would grow without end
            raise type(found.error)(str(found.error), found.error.suggestions)
        if found.error is not None:
            raise found.error
        if not found.ended:
            return Progress(found.done, found.total, before)
        result: Found = found.result
        return result


# Of all sweeps together.
_lock = Lock()
_waiting: deque[_Look] = deque()
_working: list[Thread] = []


def waiting() -> int:
    """How many looks are at work or wait."""
    return len(_waiting) + len(_working)


def _begin(look: _Look) -> None:
    if len(_waiting) >= _MOST_WAITING:
        raise InputError("Too many others are looking through the catalogue; try again in a minute.")
    _waiting.append(look)
    if not _working:
        # A daemon: the program may end while it works.
        _working.append(Thread(target=_work, daemon=True))
        _working[0].start()


def _work() -> None:
    while True:
        with _lock:
            if not _waiting:
                _working.clear()
                return
            look = _waiting.popleft()
        try:
            _finish(look)
        except Exception as error:
            look.error = error
        look.ended = not look.given_up


def _finish(look: _Look) -> None:
    steps = None
    with speaking(look.language):
        while not (given_up := _is_left(look)):
            try:
                steps = look.steps() if steps is None else steps
                look.done, look.total = next(steps)
            except StopIteration as end:
                look.result = end.value
                break
    look.given_up = given_up


def _is_left(look: _Look) -> bool:
    if time.monotonic() - look.asked > PATIENCE_S:
        return True
    return not any(is_there() for is_there in tuple(look.waiting))
