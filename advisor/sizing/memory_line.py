"""One line of a memory bill: is it exact, modelled or assumed, and how does it come about."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

Word = Literal["exact", "modelled", "assumed"]
Component = Literal[
    "weights",
    "KV cache",
    "compute",
    "passing weights",
    "overhead",
    "draft weights",
    "draft KV cache",
    "draft compute",
    "projector",
    "adapters",
    "MTP drafting",
]


@dataclass(frozen=True, slots=True)
class Term:
    """A product: numbers, each with the word that follows it, for so many equal layers."""

    what: str
    factors: tuple[tuple[Fraction, str], ...]
    layers: int = 1

    def times(self, layers: int) -> Term:
        return replace(self, layers=self.layers * layers)

    @property
    def bytes(self) -> Fraction:
        return self.layers * math.prod((number for number, _ in self.factors), start=Fraction(1))

    def __str__(self) -> str:
        kind = f"{self.what} " if self.what else ""
        shown = [f"{self.layers:,} {kind}{'layer' if self.layers == 1 else 'layers'}"]
        shown += [f"{_shown(number)} {word}".rstrip() for number, word in self.factors]
        return " x ".join(shown)


def _shown(number: Fraction) -> str:
    return f"{int(number):,}" if number.denominator == 1 else f"{number.numerator}/{number.denominator}"


@dataclass(frozen=True, slots=True)
class MemoryLine:
    """One part of what one device, or the host, holds.

    `formula` is one sentence with the numbers at hand in it; where `terms` are given, they add up to `bytes`.
    """

    component: Component
    place: str
    bytes: int
    word: Word
    formula: str
    source: str
    terms: tuple[Term, ...] = ()
