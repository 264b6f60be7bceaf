"""Bytes of a file's tensors by layer, for what is computed with copies of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

_IN_LAYER = re.compile(r"blk\.(\d{1,6})\.(.+)")
_ALSO_NAMED = {"output.weight": "token_embd.weight", "output_norm.weight": "token_embd_norm.weight"}
_OTHER_CHOICE = "rope_factors_short.weight"  # as large as the long ones, of which one kind is read

_Named = tuple[tuple[str, int], ...]


class _Stored(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def bytes(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Tensors:
    """Names, without the layer, and bytes; and for each layer the first whose tensors are as large."""

    layers: tuple[_Named, ...]
    others: _Named
    first_alike: tuple[int, ...]

    def of(self, layer: int) -> Mapping[str, int]:
        """Those of a layer and those of none."""
        return dict(self.others + self.layers[layer])


def tensors_of(stored: Iterable[_Stored], layers: int) -> Tensors:
    """The same, given the tensors of a file with so many layers."""
    found: list[dict[str, int]] = [{} for _ in range(layers)]
    others: dict[str, int] = {}
    for tensor in stored:
        if (match := _IN_LAYER.fullmatch(tensor.name)) is None:
            others[tensor.name] = tensor.bytes
        elif int(match[1]) < layers:
            found[int(match[1])][match[2]] = tensor.bytes
    for name, other in _ALSO_NAMED.items():
        if name not in others and other in others:
            others[name] = others[other]
    others.pop(_OTHER_CHOICE, None)
    named = tuple(tuple(sorted(layer.items())) for layer in found)
    firsts: dict[_Named, int] = {}
    alike = tuple(firsts.setdefault(layer, number) for number, layer in enumerate(named))
    return Tensors(named, tuple(others.items()), alike)
