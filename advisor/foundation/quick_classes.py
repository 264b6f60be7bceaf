"""For a process that answers one question and ends: methods of dataclasses are written when they are first called.

`dataclasses` writes and compiles up to six methods of every class while it is imported, of which such a process calls
one in seven; that takes a third of the time of all imports. Here each is a stand-in first, which at its first call puts
what `dataclasses` would have made in its own place. Where Python makes them in another way, nothing is changed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from inspect import signature
from typing import Any

_MADE_BY = "_create_fn"  # of Python 3.11 and 3.12; later ones make all methods of a class at once
_TAKES = ("name", "args", "body", "globals", "locals", "return_type")


def write_methods_late() -> None:
    """From now on; whatever was imported before stays as it is."""
    make = getattr(dataclasses, _MADE_BY, None)
    if make is None or tuple(signature(make).parameters) != _TAKES:
        return

    def stand_in(name: str, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        if kwargs.get("locals") is not None:
            kwargs["locals"] = dict(kwargs["locals"])

        def first_call(self: object, *given: Any, **named: Any) -> Any:
            method = make(name, *args, **kwargs)
            for kind in type(self).__mro__:
                if kind.__dict__.get(name) is first_call:
                    method.__qualname__ = first_call.__qualname__
                    type.__setattr__(kind, name, method)
            return method(self, *given, **named)

        first_call.__name__ = name
        return first_call

    setattr(dataclasses, _MADE_BY, stand_in)
