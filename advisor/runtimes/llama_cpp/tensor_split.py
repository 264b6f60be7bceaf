"""Which part of each tensor lies on which device where llama.cpp splits the tensors themselves (`-sm tensor`).

After `llama_meta_device_get_split_state` (src/llama-model.cpp, commit 0c1e57098): attention is split by heads, feed-
forward blocks and experts by their inner width, the output head by words; everything else lies on every device. Each
device takes its share, rounded down to whole heads and whole blocks of the quantization, and the remainder goes to the
last one, which is another device in every layer. Without `-ts` shares are equal, whatever memory there is.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from advisor.formats.stored_tensor import Stored
from advisor.foundation.caches import kept_beside
from advisor.foundation.errors import InputError
from advisor.models.model import Layer, Model
from advisor.runtimes.llama_cpp.tensor_cuts import LEAST, Cuts, Runs, cuts_of
from advisor.sizing.placement import HOST, Placement

_BLOCK = re.compile(r"blk\.(\d{1,6})\.(.+)")
_ATTENTION_ANCHORS = ("attn_output.weight", "ssm_out.weight")
_FFN_ANCHORS = ("ffn_down.weight", "ffn_down_exps.weight")
_ANCHORS = _ATTENTION_ANCHORS + _FFN_ANCHORS
# By the name within a layer: the dimension that is split, and the tensor whose blocks rule how.
_SPLIT: Mapping[str, tuple[int, tuple[str, ...]]] = {
    **{f"attn_{part}.weight": (1, _ATTENTION_ANCHORS) for part in ("q", "k", "v", "qkv", "gate")},
    **{f"attn_{part}.bias": (0, _ATTENTION_ANCHORS) for part in ("q", "k", "v", "qkv")},
    **{f"attn_{part}_norm.weight": (1, ("attn_output.weight",)) for part in "qk"},
    "attn_sinks.weight": (0, ("attn_output.weight",)),
    "attn_output.weight": (0, ("attn_output.weight",)),
    **dict.fromkeys(("ssm_dt.bias", "ssm_a", "ssm_out.weight"), (0, ("ssm_out.weight",))),
    **{f"ssm_{part}.weight": (1, ("ssm_out.weight",)) for part in ("alpha", "beta", "ba", "conv1d")},
    **{f"ffn_{part}{e}.weight": (1, _FFN_ANCHORS) for part in ("up", "gate", "gate_up") for e in ("", "_exps")},
    **{f"ffn_{part}{e}.bias": (0, _FFN_ANCHORS) for part in ("up", "gate") for e in ("", "_exps")},
    **dict.fromkeys(_FFN_ANCHORS, (0, _FFN_ANCHORS)),
}


@dataclass(frozen=True, slots=True)
class Parts:
    """What each device holds: bytes of `weights`, of which `mirrored` on each; and shares of each layer's cache."""

    weights: tuple[int, ...]
    mirrored: int
    caches: NDArray[np.float64]


def check_split(model: Model) -> None:
    """Raise InputError for networks whose split is not worked out here."""
    if any(cuts_of(mixer) is None for mixer in (model.trunk or model).mixers):
        raise InputError(
            "How llama.cpp splits the tensors of {architecture} models is not worked out: use split=layer.",
            architecture=model.architecture,
        )


def split_tensors(
    model: Model,
    stored: Iterable[Stored],
    whole: int,
    placement: Placement,
    shares: Sequence[float] | None,
    devices: int,
) -> Parts:
    """What each of `devices` devices holds where one device would hold `whole` bytes by `placement`.

    `shares` are those of `-ts` (None: equal).
    """
    rule = _Rule(model, shares, devices)
    tensors = tuple(stored)
    blocks = {tensor.name: tensor.block for tensor in tensors if tensor.name.endswith(_ANCHORS)}
    mirrored = whole
    alike: Counter[_Alike] = Counter()  # bytes of tensors that are cut in the same way
    for tensor in tensors:
        found = rule.alike(tensor, blocks)
        if found is not None and _home(tensor.name, placement) != HOST:
            alike[found] += tensor.bytes
            mirrored -= tensor.bytes
    held = np.zeros(devices)
    for each, size in alike.items():
        parts = rule.parts(each)
        held += parts * (size / parts.sum())
    return Parts(tuple(int(size) + mirrored for size in np.rint(held)), mirrored, rule.caches(blocks))


def _home(name: str, placement: Placement) -> int:
    """HOST or 0, the one device of the placement, for a tensor that is split."""
    number, _ = _parsed(name)
    if number is None:
        return placement.output
    return HOST if "_exps." in name and number < placement.cpu_moe_layers else placement.layers[number]


@lru_cache(maxsize=1 << 15)
def _parsed(name: str) -> tuple[int | None, str]:
    """The layer a tensor belongs to (None: to none), and its name there."""
    match = _BLOCK.match(name)
    return (None, name) if match is None else (int(match[1]), match[2])


class _Alike(NamedTuple):
    """What decides how a tensor is cut."""

    name: str
    length: int  # of the dimension that is split
    block: int  # of the tensor that rules
    layer: int  # the first layer like its own
    turn: int  # the device that takes the first run


@kept_beside
def _first_alike(model: Model) -> tuple[int, ...]:
    """For each layer the first one that equals it."""
    first: dict[Layer, int] = {}
    return tuple(first.setdefault(layer, number) for number, layer in enumerate(model.layers))


class _Rule:
    """The rule for one model on so many devices."""

    def __init__(self, model: Model, shares: Sequence[float] | None, devices: int):
        self.model, self.devices = model, devices
        self.shares = tuple(shares or ()) + (0.0,) * (devices - len(shares or ()))
        self.first = _first_alike(model)
        self.cuts = [cuts_of(next(iter(layer.mixers), None)) or Cuts() for layer in model.layers]
        seen: Counter[object] = Counter()
        self.turns = []  # where the remainder goes: counted among layers of one kind
        for cuts in self.cuts:
            self.turns.append(seen[cuts.turns] % devices)
            seen[cuts.turns] += 1

    def alike(self, tensor: Stored, blocks: Mapping[str, int]) -> _Alike | None:
        """How a tensor is cut; None: it lies on every device."""
        number, name = _parsed(tensor.name)
        if name in ("output.weight", "output.bias") and number is None:
            return _Alike(name, tensor.shape[-1], 1, 0, len(self.model.layers) % self.devices)
        known = _SPLIT.get(name)
        if number is None or known is None or number >= len(self.model.layers):
            return None
        axis, anchors = known
        if axis >= len(tensor.shape):  # norms that all heads share
            return None
        block = self._block(number, anchors, blocks)
        if block is None:
            return None
        return _Alike(name, tensor.shape[axis], block, self.first[number], self.turns[number])

    @staticmethod
    def _block(number: int, anchors: Sequence[str], blocks: Mapping[str, int]) -> int | None:
        """Elements in a block of the tensor that rules in a layer."""
        return next((found for one in anchors if (found := blocks.get(f"blk.{number}.{one}"))), None)

    def parts(self, each: _Alike) -> NDArray[np.float64]:
        """Elements of the split dimension on each device."""
        if each.name.startswith("output."):
            return self._cut(each.length, 1, each.turn)
        cuts = self.cuts[each.layer]
        if each.name.startswith("ffn_"):
            runs = self._fed(each.name, each.length, self.model.layers[each.layer])
            grains = [math.lcm(each.block, LEAST)]
        else:
            runs = cuts.runs(each.name, each.length) or [(each.length, 1)]
            grains = cuts.grains(each.name, each.length, each.block, self.devices)
        total = np.zeros(self.devices)
        for (length, times), grain in zip(runs, grains, strict=True):
            total += times * self._cut(length, grain, each.turn)
        return total

    def caches(self, blocks: Mapping[str, int]) -> NDArray[np.float64]:
        """The share of each layer's KV cache or recurrent state (rows) on each device."""
        known: dict[tuple[int, int | None, int], NDArray[np.float64]] = {}
        rows = []
        for number, (first, turn) in enumerate(zip(self.first, self.turns, strict=True)):
            key = (first, self._block(number, _ATTENTION_ANCHORS, blocks), turn)
            if key not in known:
                known[key] = self._cache_shares(*key)
            rows.append(known[key])
        return np.array(rows)

    def _cache_shares(self, number: int, block: int | None, turn: int) -> NDArray[np.float64]:
        heads = None if block is None else self.cuts[number].cached_heads(block, self.devices)
        return np.ones(self.devices) if heads is None else self._cut(*heads, turn) / heads[0]

    def _cut(self, length: int, grain: int, turn: int) -> NDArray[np.float64]:
        return np.array(_cut(length, grain, turn, self.shares))

    @staticmethod
    def _fed(name: str, length: int, layer: Layer) -> Runs:
        """Gate and up projection in one matrix are cut each by itself."""
        fused = layer.feed_forward is not None and layer.feed_forward.gate == "fused" and name.startswith("ffn_up.")
        return [(length // 2, 2)] if fused or name.startswith("ffn_gate_up") else [(length, 1)]


@lru_cache(maxsize=1 << 14)
def _cut(length: int, grain: int, turn: int, shares: tuple[float, ...]) -> tuple[int, ...]:
    """`length` elements in runs of whole grains by the devices' shares, the first run on device `turn`."""
    devices = len(shares)
    found = [0] * devices
    scan = np.cumsum(np.roll(np.array(shares, dtype=np.float32), -turn), dtype=np.float32)
    low = 0
    for place in range(devices):
        high = length
        if place < devices - 1:
            high = length * (place + 1) // devices
            if scan[-1]:
                high = int(np.float32(length) * scan[place] / scan[-1])
            high -= high % grain
        found[(place + turn) % devices] = high - low
        low = high
    return tuple(found)
