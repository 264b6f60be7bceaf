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

import numpy as np
from numpy.typing import NDArray

from advisor.errors import InputError
from advisor.models.feed_forward import Dense, MixtureOfExperts
from advisor.models.mixers import Attention
from advisor.models.model import Layer, Model
from advisor.models.recurrent import GatedDeltaNet, ShortConvolution
from advisor.sizing.placement import HOST, Placement

_BLOCK = re.compile(r"blk\.(\d{1,6})\.(.+)")
_ATTENTION_ANCHORS = ("attn_output.weight", "ssm_out.weight")
_FFN_ANCHORS = ("ffn_down.weight", "ffn_down_exps.weight")
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
_GATED_QUERY = ("qwen3next", "qwen35", "qwen35moe")  # the query projection also yields a gate
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
    tensors = {tensor.name: tensor for tensor in stored}
    held = np.zeros(devices)
    mirrored = whole
    for tensor in tensors.values():
        parts = rule.parts(tensor, tensors)
        if parts is not None and _home(tensor.name, model, placement) != HOST:
            held += parts * (tensor.bytes / parts.sum())
            mirrored -= tensor.bytes
    caches = np.array([rule.cache_shares(number, tensors) for number in range(len(model.layers))])
    return Parts(tuple(int(size) + mirrored for size in np.rint(held)), mirrored, caches)


def _home(name: str, model: Model, placement: Placement) -> int:
    """HOST or 0, the one device of the placement, for a tensor that is split."""
    block = _BLOCK.match(name)
    if block is not None:
        layer = min(int(block[1]), len(model.layers) - 1)
        on_host = "_exps." in name and layer < placement.cpu_moe_layers
        return HOST if on_host else placement.layers[layer]
    return placement.output


class _Rule:
    """The rule for one model on so many devices."""

    def __init__(self, model: Model, shares: Sequence[float] | None, devices: int):
        self.model, self.devices = model, devices
        self.shares = np.zeros(devices, dtype=np.float32)
        if shares is not None:
            self.shares[: len(shares)] = shares
        kinds = [_kind(layer) for layer in model.layers]
        seen: Counter[object] = Counter()
        self.turns = []  # where the remainder goes: counted among layers of one kind
        for kind in kinds:
            self.turns.append(seen[kind] % devices)
            seen[kind] += 1

    def parts(self, tensor: Stored, tensors: Mapping[str, Stored]) -> NDArray[np.float64] | None:
        """Elements of the split dimension on each device; None: the tensor lies on every device."""
        if tensor.name in ("output.weight", "output.bias"):
            turn = len(self.model.layers) % self.devices
            return self._cut(tensor.shape[-1], 1, turn)
        match = _BLOCK.match(tensor.name)
        known = _SPLIT.get(match[2]) if match is not None else None
        if match is None or known is None or int(match[1]) >= len(self.model.layers):
            return None
        axis, anchors = known
        number, name = int(match[1]), match[2]
        if axis >= len(tensor.shape):  # norms that all heads share
            return None
        anchor = next((found for one in anchors if (found := tensors.get(f"blk.{number}.{one}"))), None)
        if anchor is None:
            return None
        layer = self.model.layers[number]
        segments = self._segments(name, tensor.shape[axis], layer)
        grains = self._grains(name, tensor.shape[axis], anchor.block, layer, len(segments))
        total = np.zeros(self.devices)
        for (length, times), grain in zip(segments, grains, strict=True):
            total += times * self._cut(length, grain, self.turns[number])
        return total

    def cache_shares(self, number: int, tensors: Mapping[str, Stored]) -> NDArray[np.float64]:
        """The share of a layer's KV cache or recurrent state on each device."""
        layer = self.model.layers[number]
        mixer = next(iter(layer.mixers), None)
        anchor = next((found for one in _ATTENTION_ANCHORS if (found := tensors.get(f"blk.{number}.{one}"))), None)
        turn = self.turns[number]
        if isinstance(mixer, Attention) and anchor is not None:
            heads = self._attention_grains(mixer, anchor.block)[1] // mixer.head_size  # of keys
            return self._cut(mixer.kv_heads, heads, turn) / mixer.kv_heads
        if isinstance(mixer, GatedDeltaNet) and anchor is not None:
            heads = self._linear_grain(mixer, anchor.block) // mixer.key_size
            return self._cut(mixer.key_heads, heads, turn) / mixer.key_heads
        return np.ones(self.devices)

    def _cut(self, length: int, grain: int, turn: int) -> NDArray[np.float64]:
        """`length` elements in runs of whole grains by the devices' shares, the first run on device `turn`."""
        found = np.zeros(self.devices)
        scan = np.cumsum(np.roll(self.shares, -turn), dtype=np.float32)
        low = 0
        for place in range(self.devices):
            high = length
            if place < self.devices - 1:
                high = length * (place + 1) // self.devices
                if scan[-1]:
                    high = int(np.float32(length) * scan[place] / scan[-1])
                high -= high % grain
            found[(place + turn) % self.devices] = high - low
            low = high
        return found

    def _segments(self, name: str, length: int, layer: Layer) -> list[tuple[int, int]]:
        """Runs that are each cut by themselves, with how often they repeat: Q, K and V of a joint matrix."""
        mixer, block = next(iter(layer.mixers), None), layer.feed_forward
        if isinstance(mixer, GatedDeltaNet):
            key, value = mixer.key_heads * mixer.key_size, mixer.value_heads * mixer.value_size
            ratio = mixer.value_heads // mixer.key_heads
            if self.model.architecture == "qwen3next":
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
        gated = mixer.gated_query and self.model.architecture in _GATED_QUERY
        query = math.lcm(group, block)
        return query, query // together, math.lcm(2 * group, block) if gated else query

    def _linear_grain(self, mixer: GatedDeltaNet, block: int) -> int:
        return math.lcm(block, _LEAST, mixer.key_size)


def _kind(layer: Layer) -> object:
    mixer = next(iter(layer.mixers), None)
    if isinstance(mixer, Attention):
        return bool(mixer.window)
    return "recurrent" if mixer is not None else False


def reduce_bytes(model: Model, tokens: int, devices: int) -> int:
    """Buffers in which a device receives the others' partial sums: one for each halving of the devices.

    As `ggml_backend_meta_graph_compute` allocates them (ggml-backend-meta.cpp): for the largest partial sum, which with
    experts is that of each expert a token uses.
    """
    used = max(
        (layer.feed_forward.used for layer in model.layers if isinstance(layer.feed_forward, MixtureOfExperts)),
        default=1,
    )
    return math.ceil(math.log2(devices)) * used * model.width * tokens * 4
