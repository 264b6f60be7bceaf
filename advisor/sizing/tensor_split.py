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

from advisor.errors import InputError
from advisor.models.feed_forward import Dense
from advisor.models.mixers import Attention
from advisor.models.model import Layer, Model
from advisor.models.recurrent import GatedDeltaNet, ShortConvolution
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
_LEAST = 128  # elements that a slice of a matrix is a multiple of, for fast kernels


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor as a file stores it: its row comes first in `shape`; `block` is how many elements its type packs."""

    name: str
    shape: tuple[int, ...]
    bytes: int
    block: int


@dataclass(frozen=True, slots=True)
class Parts:
    """What each device holds: bytes of `weights`, of which `mirrored` on each; and shares of each layer's cache."""

    weights: tuple[int, ...]
    mirrored: int
    caches: NDArray[np.float64]


def check_split(model: Model) -> None:
    """Raise InputError for networks whose split is not worked out here."""
    known = (Attention, GatedDeltaNet, ShortConvolution)
    for layer in (model.trunk or model).layers:
        for mixer in layer.mixers:
            if not isinstance(mixer, known) or (isinstance(mixer, Attention) and mixer.indexer is not None):
                raise InputError(
                    f"How llama.cpp splits the tensors of {model.architecture} models is not worked out: use "
                    "split=layer."
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


@lru_cache(maxsize=64)
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
        seen: Counter[object] = Counter()
        self.turns = []  # where the remainder goes: counted among layers of one kind
        for layer in model.layers:
            kind = _kind(layer)
            self.turns.append(seen[kind] % devices)
            seen[kind] += 1

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
        layer = self.model.layers[each.layer]
        segments = self._segments(each.name, each.length, layer)
        grains = self._grains(each.name, each.length, each.block, layer, len(segments))
        total = np.zeros(self.devices)
        for (length, times), grain in zip(segments, grains, strict=True):
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
        mixer = next(iter(self.model.layers[number].mixers), None)
        if isinstance(mixer, Attention) and block is not None:
            heads = self._attention_grains(mixer, block)[1] // mixer.head_size  # of keys
            return self._cut(mixer.kv_heads, heads, turn) / mixer.kv_heads
        if isinstance(mixer, GatedDeltaNet) and block is not None:
            heads = self._linear_grain(mixer, block) // mixer.key_size
            return self._cut(mixer.key_heads, heads, turn) / mixer.key_heads
        return np.ones(self.devices)

    def _cut(self, length: int, grain: int, turn: int) -> NDArray[np.float64]:
        return np.array(_cut(length, grain, turn, self.shares))

    def _segments(self, name: str, length: int, layer: Layer) -> list[tuple[int, int]]:
        """Runs that are each cut by themselves, with how often they repeat: Q, K and V of a joint matrix."""
        mixer, block = next(iter(layer.mixers), None), layer.feed_forward
        if isinstance(mixer, GatedDeltaNet):
            key, value = mixer.key_heads * mixer.key_size, mixer.value_heads * mixer.value_size
            ratio = mixer.value_heads // mixer.key_heads
            if mixer.joint_beta_alpha:  # Qwen3-Next: value heads follow their key head instead of lying in turns
                if name in ("attn_qkv.weight", "ssm_conv1d.weight"):
                    return [(key, 2), (value, 1)]
            elif name in ("attn_qkv.weight", "ssm_conv1d.weight"):
                return [(key, 2 + ratio)]
            elif name in ("attn_gate.weight", "ssm_out.weight"):
                return [(key, ratio)]
            elif name in ("ssm_dt.bias", "ssm_a", "ssm_alpha.weight", "ssm_beta.weight"):
                return [(mixer.key_heads, ratio)]
        elif isinstance(mixer, Attention) and name.startswith("attn_qkv."):
            query = length - mixer.key_width - mixer.value_width
            if mixer.key_width == mixer.value_width:
                return [(query, 1), (mixer.key_width, 2)]
            return [(query, 1), (mixer.key_width, 1), (mixer.value_width, 1)]
        fused = isinstance(block, Dense) and block.gate == "fused" and name.startswith("ffn_up.")
        if fused or name.startswith("ffn_gate_up"):
            return [(length // 2, 2)]
        return [(length, 1)]

    def _grains(self, name: str, length: int, block: int, layer: Layer, segments: int) -> list[int]:
        """What each run is cut in multiples of."""
        if name.startswith("ffn_"):
            return [math.lcm(block, _LEAST)] * segments
        mixer = next(iter(layer.mixers), None)
        if isinstance(mixer, GatedDeltaNet):
            grain = self._linear_grain(mixer, block)
            per_head = name.startswith(("ssm_dt", "ssm_a", "ssm_beta", "ssm_ba"))
            joint = 2 if name.startswith("ssm_ba") else 1
            return [joint * (grain // mixer.key_size) if per_head else grain] * segments
        if not isinstance(mixer, Attention):
            return [1] * segments
        query, key, gated = self._attention_grains(mixer, block)
        value = key // mixer.head_size * mixer.value_head_size
        heads = query // mixer.head_size
        by_name = {
            "attn_sinks": [heads],
            "attn_output": [heads * mixer.value_head_size],
            "attn_gate": [heads if length == mixer.heads else query],
            "attn_qkv": [gated, key, value][:segments],
            "attn_q": [gated],
            "attn_k": [key],
            "attn_v": [value],
        }
        return by_name.get(name.partition(".")[0], [1])

    def _attention_grains(self, mixer: Attention, block: int) -> tuple[int, int, int]:
        """Elements that stay together, whole groups of heads in whole blocks: of queries, keys, and of the projection
        that may yield queries and a gate."""
        together = mixer.heads // mixer.kv_heads
        group = together * mixer.head_size
        while block < _LEAST and block * self.devices < group:
            block *= 2
        query = math.lcm(group, block)
        return query, query // together, math.lcm(2 * group, block) if mixer.gated_query else query

    def _linear_grain(self, mixer: GatedDeltaNet, block: int) -> int:
        return math.lcm(block, _LEAST, mixer.key_size)


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


def _kind(layer: Layer) -> object:
    mixer = next(iter(layer.mixers), None)
    if isinstance(mixer, Attention):
        return bool(mixer.window)
    return "recurrent" if mixer is not None else False
