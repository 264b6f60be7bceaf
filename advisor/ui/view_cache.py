"""What was drawn before, as strings: by the question it is about, bounded, and safe with threads.

Strings weigh what they look like, and the garbage collector has nothing to walk through in them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock

from advisor.foundation.units import MIB
from advisor.words import in_use

_MOST = 2_000
_MOST_BYTES = 32 * MIB


class ViewCache:
    """Strings by key; those asked for longest ago go first. A string heavier than all of the bound is not kept."""

    def __init__(self, most: int = _MOST, most_bytes: int = _MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._kept: OrderedDict[Hashable, str] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], str]) -> str:
        """The string of this key, made where there is none; what `make` raises is raised, and nothing is kept.

        Two that ask for the same at once may both make it.
        """
        with self._lock:
            if (found := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return found
        made = make()
        with self._lock:
            self._put(key, made)
        return made

    def _put(self, key: Hashable, made: str) -> None:
        if key in self._kept or (size := _size(key, made)) > self._most_bytes:
            return
        self._kept[key] = made
        self._bytes += size
        while len(self._kept) > self._most or self._bytes > self._most_bytes:
            self._bytes -= _size(*self._kept.popitem(last=False))

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def bytes(self) -> int:
        """About how many bytes are kept."""
        return self._bytes


def _size(key: Hashable, made: str) -> int:
    return 200 + len(str(key)) + len(made.encode())


_views = ViewCache()


def get(key: Hashable, make: Callable[[], str]) -> str:
    """The string of this key in the language that is spoken."""
    return _views.get((in_use(), key), make)


clear = _views.clear


def bytes_kept() -> int:
    """About how many bytes all kept views take."""
    return _views.bytes
