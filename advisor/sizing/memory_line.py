"""One line of a memory bill: is it exact, modelled or assumed, and how does it come about."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from advisor.foundation.message import Message, fact

Word = Literal["exact", "modelled", "assumed"]
Component = Literal[
    "weights",
    "KV cache",
    "compute",
    "passing weights",
    "overhead",
    "other programs",
    "draft weights",
    "draft KV cache",
    "draft compute",
    "projector",
    "adapters",
    "MTP drafting",
]


_COMPONENTS: dict[Component, Message] = {
    "weights": fact("part_weights"),
    "KV cache": fact("part_kv_cache"),
    "compute": fact("part_compute"),
    "passing weights": fact("part_passing_weights"),
    "overhead": fact("part_overhead"),
    "other programs": fact("part_other_programs"),
    "draft weights": fact("part_draft_weights"),
    "draft KV cache": fact("part_draft_kv_cache"),
    "draft compute": fact("part_draft_compute"),
    "projector": fact("part_projector"),
    "adapters": fact("part_adapters"),
    "MTP drafting": fact("part_mtp_drafting"),
}
_WORDS: dict[Word, Message] = {
    "exact": fact("word_exact"),
    "modelled": fact("word_modelled"),
    "assumed": fact("word_assumed"),
}


@dataclass(frozen=True, slots=True)
class Term:
    """A product: numbers, each with the word that follows it, for so many equal layers of a kind."""

    what: Message | None
    factors: tuple[tuple[Fraction, Message | None], ...]
    layers: int = 1

    def times(self, layers: int) -> Term:
        return replace(self, layers=self.layers * layers)

    @property
    def bytes(self) -> Fraction:
        return self.layers * math.prod((number for number, _ in self.factors), start=Fraction(1))

    @property
    def message(self) -> Message:
        """The product, as a reader can check it."""
        layers = fact("layers", n=self.layers)
        if self.what is not None:
            layers = fact("layers_of_kind", n=self.layers, what=self.what)
        return product((layers, *(factor(number, word) for number, word in self.factors)))


def product(factors: Iterable[Message]) -> Message:
    return fact("product", factors=tuple(factors))


def factor(number: Fraction | int, word: Message | None) -> Message:
    shown: int | str = int(number) if number.denominator == 1 else f"{number.numerator}/{number.denominator}"
    return fact("factor", number=shown) if word is None else fact("factor_of", number=shown, word=word)


@dataclass(frozen=True, slots=True)
class MemoryLine:
    """One part of what one device, or the host, holds.

    `formula` has the numbers at hand in it; where `terms` are given, they add up to `bytes`.
    """

    component: Component
    place: str
    bytes: int
    word: Word
    formula: Message
    source: Message
    terms: tuple[Term, ...] = ()

    @property
    def part(self) -> Message:
        """Its component as it is called."""
        return _COMPONENTS[self.component]

    @property
    def certainty(self) -> Message:
        """Its `word` as it is said."""
        return _WORDS[self.word]
