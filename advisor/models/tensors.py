"""One row of a tensor table: the single source of every byte count."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a tensor does; decides where it is placed and how it is counted."""

    EMBEDDING = "embedding"
    OUTPUT = "output"
    NORM = "norm"
    ATTENTION = "attention"
    RECURRENT = "recurrent"
    FFN = "ffn"
    EXPERTS = "experts"
    ROUTER = "router"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Tensor:
    """A named weight as a GGUF file holds it.

    `shape` is in GGUF order: the contiguous row length first. `layer` is the block number, None for
    tensors outside the blocks (embeddings, output head, final norm).
    """

    name: str
    shape: tuple[int, ...]
    layer: int | None
    role: Role

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def dimensions(self) -> int:
        """Number of dimensions as ggml counts them: trailing ones do not count."""
        count = len(self.shape)
        while count > 1 and self.shape[count - 1] == 1:
            count -= 1
        return count


@dataclass(frozen=True, slots=True)
class Part:
    """A tensor of a block before it knows its block number: the name lacks the `blk.N.` prefix."""

    name: str
    shape: tuple[int, ...]
    role: Role

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    def in_layer(self, layer: int) -> Tensor:
        return Tensor(f"blk.{layer}.{self.name}", self.shape, layer, self.role)

    def outside_layers(self) -> Tensor:
        return Tensor(self.name, self.shape, None, self.role)


def matrix(name: str, columns: int, rows: int, role: Role) -> Part:
    """A weight that maps `columns` inputs to `rows` outputs."""
    return Part(f"{name}.weight", (columns, rows), role)


def bias(name: str, length: int, role: Role) -> Part:
    return Part(f"{name}.bias", (length,), role)


def norm(name: str, length: int, with_bias: bool = False) -> tuple[Part, ...]:
    weight = Part(f"{name}.weight", (length,), Role.NORM)
    return (weight, bias(name, length, Role.NORM)) if with_bias else (weight,)
