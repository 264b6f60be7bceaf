"""Bytes of a file's tensors by layer, for what is computed with copies of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol
from weakref import WeakValueDictionary

from advisor.foundation.caches import Shared

_IN_LAYER = re.compile(r"blk\.(\d{1,6})\.(.+)")
_ALSO_NAMED = {"output.weight": "token_embd.weight", "output_norm.weight": "token_embd_norm.weight"}
_OTHER_CHOICE = "rope_factors_short.weight"  # as large as the long ones, of which one kind is read

_Named = tuple[tuple[str, int], ...]


class _Stored(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def bytes(self) -> int: ...


@dataclass(frozen=True, eq=False)  # compared by identity: graphs are kept by them
class Tensors(Shared):
    """Names, without the layer, and bytes; and for each layer the first whose tensors are as large.

    `names` is the same without sizes: all tensors of one byte, one object for all files with the same tensors.
    """

    layers: tuple[_Named, ...]
    others: _Named
    first_alike: tuple[int, ...]

    @cached_property
    def names(self) -> Tensors:
        key = tuple(map(_names, (self.others, *self.layers)))
        if (found := _outlines.get(key)) is None:
            others, *layers = (tuple((name, 1) for name in each) for each in key)
            found = _outlines[key] = _alike(layers, others)
        return found

    @cached_property
    def by_layer(self) -> tuple[Mapping[str, int], ...]:
        """Of each layer its tensors and those of none; of layers alike one object."""
        first = {number: dict(self.others + self.layers[number]) for number in set(self.first_alike)}
        return tuple([first[number] for number in self.first_alike])

    def of(self, layer: int) -> Mapping[str, int]:
        """Those of a layer and those of none."""
        return self.by_layer[layer]


_outlines: WeakValueDictionary[object, Tensors] = WeakValueDictionary()


def _names(named: _Named) -> tuple[str, ...]:
    return tuple([name for name, _ in named])


def _alike(layers: Sequence[_Named], others: _Named) -> Tensors:
    firsts: dict[_Named, int] = {}
    alike = tuple([firsts.setdefault(layer, number) for number, layer in enumerate(layers)])
    return Tensors(tuple(layers), others, alike)


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
    return _alike([tuple(sorted(layer.items())) for layer in found], tuple(sorted(others.items())))
