"""What the engine says, as a fact with its figures; the layer that words it (advisor/words) has the sentence.

Another language is then another catalogue of texts. Two ways lead to it:

- `fact` names a kind, whose English text stands in the catalogue too. So does whatever belongs to an answer.
- `sentence` is the English text itself, as gettext has it by default: what is wrong with an input (`AdvisorError`), and
  what was noticed while a file, a repository or this machine was read. There are hundreds of those, each said at one
  place beside the check that it reports, where a second file would only have to be kept in step.

What comes as text from elsewhere, such as a note in the data, is carried along by `as_it_is`.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeAlias

from advisor.foundation import numbers
from advisor.foundation.units import format_count, gb, gib

if TYPE_CHECKING:
    from pydantic_core import CoreSchema

_SIGNS = {"or": " or ", "and": " and ", "semicolons": "; "}
# How a text asks for a figure to be written, besides the ways of Python's own.
WAYS: dict[str, Callable[[Any], str]] = {
    "approx": numbers.approx,
    "rough": numbers.rough,
    "exact": numbers.exact,
    "plain": numbers.bare,
    "money": numbers.money,
    "price": numbers.price,
    "gb": gb,
    "gib": gib,
    "count": format_count,
}


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the question, named in a sentence: by itself for a script, by its input's label for people."""

    name: str


@dataclass(frozen=True, slots=True)
class Span:
    """The two ends of an estimate."""

    low: float | Decimal
    high: float | Decimal


Figure: TypeAlias = "str | int | float | Decimal | Key | Span | Message | tuple[Figure, ...]"


@dataclass(frozen=True, slots=True)
class Message:
    """A kind of fact, and its figures by name: raw values, in the units that the catalogue's text writes them in.

    A figure named `n` is the count that chooses between singular and plural. Made by `fact`.
    """

    kind: str
    figures: tuple[tuple[str, Figure], ...] = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> CoreSchema:
        """Kept on disk inside what was read, as JSON."""
        from pydantic_core import core_schema  # which few processes need that say something

        writing = core_schema.plain_serializer_function_ser_schema(_kept)
        return core_schema.no_info_plain_validator_function(_message, serialization=writing)


def _kept(figure: Figure) -> Any:
    match figure:
        case Message():
            return {"kind": figure.kind, "figures": {name: _kept(inner) for name, inner in figure.figures}}
        case Span():
            return {"low": _kept(figure.low), "high": _kept(figure.high)}
        case Key():
            return {"key": figure.name}
        case Decimal():
            return {"decimal": str(figure)}
        case tuple():
            return [_kept(inner) for inner in figure]
        case _:
            return figure


def _message(kept: Any) -> Message:
    """Earlier versions kept text."""
    found = _restored(kept)
    if isinstance(found, str):
        return as_it_is(found)
    if not isinstance(found, Message):
        raise ValueError("this is no message")
    return found


def _restored(kept: Any) -> Any:
    match kept:
        case {"kind": kind, "figures": figures}:
            return Message(kind, tuple((name, _restored(inner)) for name, inner in figures.items()))
        case {"low": low, "high": high}:
            return Span(_restored(low), _restored(high))
        case {"key": name}:
            return Key(name)
        case {"decimal": written}:
            return Decimal(written)
        case list():
            return tuple(_restored(inner) for inner in kept)
        case _:
            return kept


def fact(kind: str, /, **figures: Figure) -> Message:
    """The message of a kind. Call it with a literal kind: a test finds every call, and holds the catalogue to it."""
    return Message(kind, tuple(figures.items()))


def sentence(text: str, /, **figures: Figure) -> Message:
    """A message whose kind is its English text: sentence("{name} holds no text.", name="notes.txt").

    Call it with a literal text, so that the list for translators finds it.
    """
    return Message(text, tuple(figures.items()))


def is_fact(message: Message) -> bool:
    """Whether its kind is a name, "too_dear", and no text of its own."""
    return message.kind.isidentifier() and message.kind.islower()


def in_english(message: Message) -> str:
    """A `sentence` as it is written in the code, for where no catalogue is at hand: its figures the English way."""
    figures = dict(message.figures)
    if message.kind == "as_it_is":
        return str(figures["text"])
    if is_fact(message):
        raise KeyError(f"only a catalogue has the text of {message.kind!r}: an error is made of sentences")
    if not figures:
        return message.kind
    return "".join(
        before + ("" if name is None else _in_english(figures[name], way or ""))
        for before, name, way, _ in string.Formatter().parse(message.kind)
    )


def _in_english(figure: Figure, way: str) -> str:
    match figure:
        case Message():
            return in_english(figure).rstrip("." if way == "clause" else "")
        case tuple():
            return _SIGNS.get(way, ", ").join(_in_english(one, "") for one in figure)
        case Key() | Span():
            raise TypeError(f"only a catalogue writes {figure!r}")
        case float() if not isfinite(figure):
            return str(figure)
        case _:
            return WAYS[way](figure) if way in WAYS else format(figure, way)


def as_it_is(text: str) -> Message:
    """A finished sentence from outside the engine's own words: of the data, of a repository, of an error."""
    return fact("as_it_is", text=text)


NOTHING = as_it_is("")  # the place of a clause that there is not
