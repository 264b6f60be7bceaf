"""What the engine says, as a fact with its figures; the layer that words it (advisor/words) has the sentence.

Another language is then another catalogue of texts. Two kinds of sentence are not messages: that of an `InputError`,
with which the parser tells whoever wrote a question what is wrong with it, key by key; and what comes as text from
elsewhere, such as a note in the data, which `as_it_is` carries along.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias


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


def fact(kind: str, /, **figures: Figure) -> Message:
    """The message of a kind. Call it with a literal kind: a test finds every call, and holds the catalogue to it."""
    return Message(kind, tuple(figures.items()))


def as_it_is(text: str) -> Message:
    """A finished sentence from outside the engine's own words: of the data, of a repository, of an error."""
    return fact("as_it_is", text=text)


NOTHING = as_it_is("")  # the place of a clause that there is not


def each_as_it_is(texts: Iterable[str]) -> tuple[Message, ...]:
    return tuple(as_it_is(text) for text in texts)
