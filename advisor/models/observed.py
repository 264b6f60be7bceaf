"""A block of which only its tensors and what it keeps of the past are known: of a file whose architecture is not.

What it weighs and keeps is exact. How a runtime computes with it is not known; runtimes give a range for that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from advisor.models.mixing import CachedHeads, Mixing, Past
from advisor.models.tensors import Part


@dataclass(frozen=True, slots=True)
class Observed(Mixing):
    """`held` are its tensors, `past` is what it keeps, of one token or of all; `heads` are 0 where it compares none."""

    held: tuple[Part, ...]
    past: Past = field(default_factory=Past)
    heads: int = 0
    cached: CachedHeads = field(default_factory=CachedHeads)

    def parts(self, width: int) -> Iterator[Part]:
        yield from self.held

    def kept(self, width: int, gpus: int = 1) -> Past:
        """How it would be divided is not known, so that every GPU keeps it whole."""
        return self.past

    @property
    def cached_heads(self) -> CachedHeads:
        return self.cached

    @property
    def split_heads(self) -> int:
        return self.heads

    @property
    def rotary_size(self) -> int:
        return self.cached.key_size

    @property
    def products_per_cell(self) -> int:
        size = self.cached.key_size + self.cached.value_size
        return self.heads * (size or 2 * self.past.keys)

    @property
    def rows(self) -> int:
        """Results of all its matrices for one token."""
        return sum(part.shape[1] for part in self.held if len(part.shape) == 2)


@dataclass(frozen=True, slots=True)
class ObservedState(Observed):
    """The same where it carries a state from token to token."""

    recurrent: ClassVar[bool] = True
