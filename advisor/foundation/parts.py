"""Values made of small parts, whose fields are the keys of one flat set of values; and the way there and back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache, reduce
from threading import Lock
from typing import Any, NamedTuple, Self, cast, get_type_hints

from pydantic import BaseModel, ConfigDict, PlainSerializer, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from advisor.foundation.errors import ImpossibleValue, InputError, one_line
from advisor.foundation.message import Message, as_it_is, sentence


class Place(NamedTuple):
    """Where the value of a key is: the names of the parts down to the field; and the field's rules and default."""

    path: tuple[str, ...]
    field: FieldInfo


class _Line(NamedTuple):
    """How the value of a field is written down."""

    key: str
    name: str
    default: Any
    write: Callable[[Any], Any] | None


_COMPILING = Lock()


class Part(BaseModel):
    """A few fields that belong together. Where the key of a field is another word than its name, it is its alias."""

    # Few parts of a question are given values; the rules of the others are never compiled.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)

    @classmethod
    def usual(cls) -> Self:
        """The part of which nothing is said: its defaults, which are not validated."""
        return cast(Self, cls.model_construct())

    @classmethod
    def places(cls) -> Mapping[str, Place]:
        """Its keys, with their places."""
        return {field.alias or name: Place((name,), field) for name, field in cls.model_fields.items()}

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """The part with these values by key; raises InputError in one sentence."""
        if not cls.__pydantic_complete__:
            with _COMPILING:  # earlier releases of pydantic let two threads do it at once
                cls.model_rebuild()
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise _first_refusal(error) from None

    def with_values(self, **values: Any) -> Self:
        """The same with other values by key; they are our own, and not checked."""
        known = self.places()
        return self.model_copy(update={known[key].path[0]: value for key, value in values.items()})

    def dump(self, exclude_defaults: bool = False) -> dict[str, Any]:
        """The values by key, as they are written down."""
        kind: Any = type(self)
        held, written = self.__dict__, {}
        for line in _lines(kind):
            value = held[line.name]
            if not (exclude_defaults and value == line.default):
                written[line.key] = value if line.write is None else line.write(value)
        return written


@dataclass(frozen=True)
class Composed:
    """Base of frozen dataclasses all of whose fields are parts, or composed of parts (but for those not compared)."""

    @classmethod
    def places(cls) -> Mapping[str, Place]:
        """The keys of all its parts, in their order, with their places."""
        kind: Any = cls  # a class of dataclasses has no hash in mypy's eyes
        return _places(kind)

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Composed of these values by key; raises InputError in one sentence, also where a key is unknown."""
        kind: Any = cls
        kinds = _kinds(kind)
        return replace(cls(), **{name: kinds[name].from_values(given) for name, given in cls._by_part(values).items()})

    def with_values(self, **values: Any) -> Self:
        """The same with other values by key; they are our own, and not checked."""
        changed = {name: getattr(self, name).with_values(**given) for name, given in self._by_part(values).items()}
        return replace(self, **changed)

    def value(self, key: str) -> Any:
        """The value of a key."""
        return reduce(getattr, self.places()[key].path, self)

    def dump(self, exclude_defaults: bool = False) -> dict[str, Any]:
        """The values by key, as they are written down."""
        values: dict[str, Any] = {}
        kind: Any = type(self)
        for name in _kinds(kind):
            values |= getattr(self, name).dump(exclude_defaults)
        return values

    @classmethod
    def _by_part(cls, values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """The values of each part that has any."""
        known = cls.places()
        found: dict[str, dict[str, Any]] = defaultdict(dict)
        for key, value in values.items():
            if key not in known:
                raise InputError("Unknown key '{name}'.", name=one_line(key))
            found[known[key].path[0]][key] = value
        return found


@cache
def _lines(kind: type[Part]) -> tuple[_Line, ...]:
    def line(key: str, place: Place) -> _Line:
        writes = [told.func for told in place.field.metadata if isinstance(told, PlainSerializer)]
        write: Any = writes[-1] if writes else None  # which takes the value alone
        return _Line(key, place.path[0], place.field.default, write)

    return tuple(line(key, place) for key, place in kind.places().items())


@cache
def _places(kind: Any) -> Mapping[str, Place]:
    return {
        key: Place((name, *place.path), place.field)
        for name, part in _kinds(kind).items()
        for key, place in part.places().items()
    }


@cache
def _kinds(kind: Any) -> Mapping[str, Any]:
    """The classes of the parts by name."""
    hints = get_type_hints(kind)
    return {each.name: hints[each.name] for each in fields(kind) if each.compare}


# What pydantic finds wrong with a value, by its name for it; its figures go by its names too.
_REASONS = {
    "bool_parsing": sentence("it must be on or off"),
    "finite_number": sentence("it must be a finite number"),
    "float_parsing": sentence("it must be a number without its unit, such as 24"),
    "int_from_float": sentence("it must be a whole number, such as 8192"),
    "int_parsing": sentence("it must be a whole number, such as 8192"),
    "greater_than": sentence("it must be greater than {gt:exact}"),
    "greater_than_equal": sentence("it must be greater than or equal to {ge:exact}"),
    "less_than": sentence("it must be less than {lt:exact}"),
    "less_than_equal": sentence("it must be less than or equal to {le:exact}"),
    "literal_error": sentence("it must be {expected}"),
    "string_too_long": sentence("it must have at most {max_length:,} characters"),
    "string_too_short": sentence("it must not be empty"),
}


def _first_refusal(error: ValidationError) -> InputError:
    first = error.errors()[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, ImpossibleValue):
        return cause.error
    where, given = (str(first["loc"][0]) if first["loc"] else ""), one_line(first["input"])
    return InputError("{name}={value} is not possible: {reason}.", name=where, value=given, reason=_reason(first))


def _reason(found: ErrorDetails) -> Message:
    if (known := _REASONS.get(found["type"])) is not None:
        figures = found.get("ctx", {}).items()
        return Message(known.kind, tuple((name, figure) for name, figure in figures if f"{{{name}" in known.kind))
    return as_it_is(found["msg"].removeprefix("Value error, ").rstrip("."))
