"""For a process that answers one question and ends: nothing is prepared that it does not need.

`dataclasses` writes and compiles up to six methods of every class while it is imported, of which such a process calls
one in seven; that takes a third of the time of all imports. Here each is a stand-in first, which at its first call puts
what `dataclasses` would have made in its own place. Of most classes few objects are made, by which the longest of these
methods, `__init__`, does not earn that it is compiled: their fields are filled one by one. Where Python makes methods
in another way, nothing is changed.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from inspect import signature
from types import ModuleType
from typing import Any

_MADE_BY = "_create_fn"  # of Python 3.11 and 3.12; later ones make all methods of a class at once
_TAKES = ("name", "args", "body", "globals", "locals", "return_type")
_FEW = 50  # objects, in the time of which `__init__` is compiled


def write_methods_late() -> None:
    """From now on; whatever was imported before stays as it is."""
    make = getattr(dataclasses, _MADE_BY, None)
    if make is None or tuple(signature(make).parameters) != _TAKES:
        return

    def stand_in(name: str, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        if kwargs.get("locals") is not None:
            kwargs["locals"] = dict(kwargs["locals"])
        filling: list[_Filling] = []

        def first_call(self: object, *given: Any, **named: Any) -> Any:
            if filling and filling[0].fill(self, given, named):
                return None
            kinds = [kind for kind in type(self).__mro__ if kind.__dict__.get(name) is first_call]
            if name == "__init__" and not filling:
                filling.append(_Filling(kinds[0]))
                if filling[0].fill(self, given, named):
                    return None
            method = make(name, *args, **kwargs)
            method.__qualname__ = first_call.__qualname__
            for kind in kinds:
                type.__setattr__(kind, name, method)
            return method(self, *given, **named)

        first_call.__name__ = name
        return first_call

    setattr(dataclasses, _MADE_BY, stand_in)


class _Filling:
    """Fills the fields of a few objects of a class, as its `__init__` would."""

    def __init__(self, kind: Any) -> None:
        known = fields(kind)
        # What only passes through `__init__`, and what it does not take, is left to the one that is compiled.
        plain = len(known) == len(kind.__dataclass_fields__) and all(field.init for field in known)
        self._left = _FEW if plain else 0
        self._names = dict.fromkeys(field.name for field in known)
        self._places = [field.name for field in known if not field.kw_only]
        self._usual = [(field.name, field.default) for field in known if field.default is not MISSING]
        self._made = [(field.name, field.default_factory) for field in known if field.default_factory is not MISSING]
        self._put = object.__setattr__ if kind.__dataclass_params__.frozen else setattr
        self._then = hasattr(kind, "__post_init__")

    def fill(self, one: Any, given: tuple[Any, ...], named: Mapping[str, Any]) -> bool:
        """Whether that was done; not where something is wrong with what is given, of which nothing is told here."""
        self._left -= 1
        if self._left < 0 or len(given) > len(self._places):
            return False
        values = dict(zip(self._places, given, strict=False))
        if not values.keys().isdisjoint(named):
            return False
        values.update(named)
        if len(values) < len(self._names):
            for name, usual in self._usual:
                values.setdefault(name, usual)
            for name, make in self._made:
                if name not in values:
                    values[name] = make()
        if values.keys() != self._names.keys():
            return False
        for name in self._names:
            self._put(one, name, values[name])
        if self._then:
            one.__post_init__()
        return True


def load_less() -> None:
    """For a process of one answer, before it loads anything: what its libraries would start for nothing.

    numpy's threads for large matrices, of which an answer has none, take a fifth of the time that it takes to load, and
    more the more cores there are; so does what its functions say of themselves to whoever reads their documentation.
    pydantic would look for extensions in whatever else is installed.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if "numpy" not in sys.modules:
        for documentation in ("numpy._core._add_newdocs", "numpy._core._add_newdocs_scalars"):
            sys.modules[documentation] = ModuleType(documentation)
    extensions = ModuleType("pydantic.plugin._loader")
    vars(extensions)["get_plugins"] = tuple
    sys.modules.setdefault(extensions.__name__, extensions)
