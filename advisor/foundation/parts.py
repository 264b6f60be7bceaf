"""Values made of small parts, whose fields are the keys of one flat set of values; and the way there and back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache, reduce
from typing import Any, Literal, NamedTuple, Self, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from advisor.foundation.errors import ImpossibleValue, InputError, one_line


class Place(NamedTuple):
    """Where the value of a key is: the names of the parts down to the field; and the field's rules and default."""

    path: tuple[str, ...]
    field: FieldInfo


class Part(BaseModel):
    """A few fields that belong together. Where the key of a field is another word than its name, it is its alias."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def places(cls) -> Mapping[str, Place]:
        """Its keys, with their places."""
        return {field.alias or name: Place((name,), field) for name, field in cls.model_fields.items()}

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """The part with these values by key; raises InputError in one sentence."""
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            cause = error.errors()[0].get("ctx", {}).get("error")
            meant = cause.suggestions if isinstance(cause, ImpossibleValue) else ()
            raise InputError(_first_reason(error), meant) from None

    def with_values(self, **values: Any) -> Self:
        """The same with other values by key; they are our own, and not checked."""
        known = self.places()
        return self.model_copy(update={known[key].path[0]: value for key, value in values.items()})

    def dump(self, mode: Literal["python", "json"] = "python", exclude_defaults: bool = False) -> dict[str, Any]:
        """The values by key, as they are written down."""
        return self.model_dump(mode=mode, by_alias=True, exclude_defaults=exclude_defaults)


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

    def dump(self, mode: Literal["python", "json"] = "python", exclude_defaults: bool = False) -> dict[str, Any]:
        """The values by key, as they are written down."""
        values: dict[str, Any] = {}
        kind: Any = type(self)
        for name in _kinds(kind):
            values |= getattr(self, name).dump(mode, exclude_defaults)
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


def _first_reason(error: ValidationError) -> str:
    first = error.errors()[0]
    reason = first["msg"].removeprefix("Value error, ").rstrip(".")
    if not first["loc"] or first["type"] == "value_error":
        starts_with_key = "=" in reason.partition(" ")[0]
        shown = reason if starts_with_key else f"{reason[:1].upper()}{reason[1:]}"
        return f"{shown}{'' if reason.endswith('?') else '.'}"
    shown = one_line(first["input"])
    wanted = reason.lower().replace("input should be", "it must be").split(", unable")[0]
    return f"{first['loc'][0]}={shown} is not possible: {wanted}."
