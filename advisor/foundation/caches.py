"""What is remembered, and how much of it: every cache here is bounded by the bytes it holds, not by a count.

`kept_beside` keeps what follows from a model (or an answer) with that very object: where nobody holds a model any more,
nothing of it stays. `remembered` keeps the results last used. Both are safe with threads; two that ask the same at
once may both work it out.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable
from enum import Enum
from functools import wraps
from itertools import count
from threading import Lock
from types import FunctionType, MethodType, ModuleType
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast
from weakref import WeakSet

from cachetools import LRUCache, cached
from cachetools.keys import hashkey

from advisor.foundation.units import MIB

KEPT_BESIDE = 192 * MIB  # by all models together; a third of it makes a busy server a fifth slower
_SLACK = 4 * MIB  # looked at again after so much more
_EVERY = 64  # results alike are weighed by a sample
_MISSING = object()


class Shared:
    """What many results hold together: weighed with none of them."""

    __slots__ = ()


_SHARED = (type, FunctionType, MethodType, ModuleType, Enum, Shared)

Owner = TypeVar("Owner")
Kept = TypeVar("Kept", covariant=True)
Args = ParamSpec("Args")
Result = TypeVar("Result")


def deep_bytes(thing: object) -> int:
    """Bytes of an object with everything it alone holds; classes, functions, models and what is `Shared` are not
    counted."""
    seen: set[int] = set()
    todo, total = [thing], 0
    while todo:
        one = todo.pop()
        if id(one) in seen or isinstance(one, _SHARED):
            continue
        seen.add(id(one))
        total += sys.getsizeof(one)
        if isinstance(one, dict):
            todo += [*one, *one.values()]
        elif isinstance(one, list | tuple | set | frozenset):
            todo += one
        elif not isinstance(one, str | bytes | int | float | None):
            held = getattr(one, "__dict__", {})
            if _DRAWER not in held:
                todo.append(held)
            slots = (name for kind in type(one).__mro__ for name in getattr(kind, "__slots__", ()))
            todo += [getattr(one, name) for name in slots if name != "__weakref__" and hasattr(one, name)]
    return total


_weighing = [True]


def weigh_nothing() -> None:
    """From now on, in a process that gives one answer and ends, before anything has grown."""
    _weighing[0] = False


class _Sampled:
    """Results of one function are alike: every so many is weighed, the others count as much."""

    def __init__(self) -> None:
        self._number = count()
        self._last = 0

    def __call__(self, result: object) -> int:
        if not _weighing[0]:
            return 0
        if next(self._number) % _EVERY == 0:
            self._last = deep_bytes(result)
        return self._last


class _Drawer:
    """What follows from one model: results by function and arguments, and about how many bytes they are."""

    def __init__(self) -> None:
        self.values: dict[Hashable, Any] = {}
        self.bytes = 0
        self.used = 0

    def __reduce__(self) -> tuple[Callable[[], _Drawer], tuple[()]]:
        """What is kept can be worked out again: a pickle or a copy of its owner has an empty one."""
        return _new_drawer, ()

    def put(self, function: Any, key: Hashable, value: Any) -> None:
        if (weigh := _weighed.get(function)) is None:
            weigh = _weighed[function] = _Sampled()
        each = weigh((key, value))
        self.values[key] = value
        self.bytes += each
        _added[0] += each

    def clear(self) -> None:
        self.values = {}
        self.bytes = 0


_DRAWER = "_kept_beside"
_drawers: WeakSet[_Drawer] = WeakSet()
_weighed: dict[Any, _Sampled] = {}  # by function
_added = [0]
_clock = count(1)
_lock = Lock()


def kept_beside(function: Callable[Concatenate[Owner, Args], Result]) -> Callable[Concatenate[Owner, Args], Result]:
    """Remember results beside the first argument, an object compared by identity that has a `__dict__`.

    Where all of them together exceed `KEPT_BESIDE`, the objects not asked about for longest lose theirs.
    """

    @wraps(function)
    def lookup(owner: Owner, /, *args: Args.args, **kwargs: Args.kwargs) -> Result:
        drawer = owner.__dict__.get(_DRAWER) or _open_drawer(owner)
        drawer.used = next(_clock)
        key = (function, args, *sorted(kwargs.items())) if kwargs else (function, args)
        found = drawer.values.get(key, _MISSING)
        if found is _MISSING:
            found = function(owner, *args, **kwargs)
            with _lock:
                drawer.put(function, key, found)
                if _added[0] > _SLACK:
                    _tidy()
        return found  # type: ignore[no-any-return]

    return lookup


def _new_drawer() -> _Drawer:
    with _lock:
        drawer = _Drawer()
        _drawers.add(drawer)
    return drawer


def _open_drawer(owner: Any) -> _Drawer:
    with _lock:
        drawer: _Drawer = owner.__dict__.setdefault(_DRAWER, _Drawer())
        _drawers.add(drawer)
    return drawer


def _tidy() -> None:
    _added[0] = 0
    total = _kept_bytes()
    for drawer in sorted(_drawers, key=lambda drawer: drawer.used):
        if total <= KEPT_BESIDE - _SLACK:
            return
        total -= drawer.bytes
        drawer.clear()


def _kept_bytes() -> int:
    return sum(drawer.bytes for drawer in _drawers)


def kept_beside_bytes() -> int:
    """About how many bytes are kept beside models that are still held."""
    with _lock:  # others open drawers meanwhile
        return _kept_bytes()


_remembered: dict[str, LRUCache[Any, Any]] = {}


class Remembered(Protocol[Args, Kept]):
    """A function that remembers its results, and can forget them."""

    __qualname__: str

    def __call__(self, *args: Args.args, **kwargs: Args.kwargs) -> Kept: ...
    def cache_clear(self) -> None: ...


def remembered(
    bound: int, weigh: Callable[[Any], int] | None = None, key: Callable[..., Hashable] = hashkey
) -> Callable[[Callable[Args, Result]], Remembered[Args, Result]]:
    """Remember the results last used, up to `bound` bytes. `weigh` tells the bytes of one; without it, they are weighed
    by a sample. A result heavier than all of that is not kept. `key` tells what of the arguments the result depends on.
    """

    def decorate(function: Callable[Args, Result]) -> Remembered[Args, Result]:
        name = f"{function.__module__}.{function.__qualname__}"
        kept: LRUCache[Any, Any] = LRUCache(bound, getsizeof=weigh or _Sampled())
        _remembered[name] = kept
        return cast(Remembered[Args, Result], cached(kept, key=key, lock=Lock())(function))

    return decorate


def remembered_bytes() -> dict[str, tuple[int, int]]:
    """Of each function that remembers: about how many bytes it holds, and its bound."""
    return {name: (int(kept.currsize), int(kept.maxsize)) for name, kept in _remembered.items()}
