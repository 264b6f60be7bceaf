"""Where llama.cpp may cut the tensors of a mixer when it splits them over devices (`-sm tensor`).

After `llama_meta_device_get_split_state` (src/llama-model.cpp, commit 0c1e57098). Names are those within a layer,
lengths are of the dimension that is split, and a block is how many elements the quantization packs together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import assert_never

from advisor.models.mixers import Attention, CompressedAttention, LatentAttention, LinearAttention, Mixer
from advisor.models.observed import Observed
from advisor.models.recurrent import GatedDeltaNet, KimiDelta, Mamba2, NgramLookup, ShortConvolution

LEAST = 128  # elements that a slice of a matrix is a multiple of, for fast kernels
Runs = list[tuple[int, int]]  # lengths that are each cut by themselves, with how often they repeat


@dataclass(frozen=True, slots=True, kw_only=True)
class Cuts:
    """A mixer that is not cut. `turns`: layers with the same value take turns with the remainder of a cut."""

    turns: object = "recurrent"

    def runs(self, name: str, length: int) -> Runs | None:
        """Q, K and V of a joint matrix, say; None: one run."""
        return None

    def grains(self, name: str, length: int, block: int, devices: int) -> list[int]:
        """What each run is cut in multiples of."""
        return [1] * len(self.runs(name, length) or "1")

    def cached_heads(self, block: int, devices: int) -> tuple[int, int] | None:
        """How many heads the cache is cut by, and in multiples of how many; None: every device keeps it whole."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionCuts(Cuts):
    """Cut by groups of query heads that share a KV head, in whole blocks."""

    mixer: Attention

    def runs(self, name: str, length: int) -> Runs | None:
        if not name.startswith("attn_qkv."):
            return None
        keys, values = self.mixer.key_width, self.mixer.value_width
        query = length - keys - values
        return [(query, 1), (keys, 2)] if keys == values else [(query, 1), (keys, 1), (values, 1)]

    def grains(self, name: str, length: int, block: int, devices: int) -> list[int]:
        mixer = self.mixer
        query, key, gated = self._together(block, devices)
        value = key // mixer.head_size * mixer.value_head_size
        heads = query // mixer.head_size
        by_name = {
            "attn_sinks": [heads],
            "attn_output": [heads * mixer.value_head_size],
            "attn_gate": [heads if length == mixer.heads else query],
            "attn_qkv": [gated, key, value][: len(self.runs(name, length) or "1")],
            "attn_q": [gated],
            "attn_k": [key],
            "attn_v": [value],
        }
        return by_name.get(name.partition(".")[0], [1])

    def cached_heads(self, block: int, devices: int) -> tuple[int, int]:
        return self.mixer.kv_heads, self._together(block, devices)[1] // self.mixer.head_size

    def _together(self, block: int, devices: int) -> tuple[int, int, int]:
        """Elements that stay together, whole groups of heads in whole blocks: of queries, keys, and of the projection
        that may yield queries and a gate."""
        mixer = self.mixer
        together = mixer.heads // mixer.kv_heads
        group = together * mixer.head_size
        while block < LEAST and block * devices < group:
            block *= 2
        query = math.lcm(group, block)
        return query, query // together, math.lcm(2 * group, block) if mixer.gated_query else query


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaNetCuts(Cuts):
    """Cut by key heads, each with the value heads that belong to it."""

    mixer: GatedDeltaNet

    def runs(self, name: str, length: int) -> Runs | None:
        mixer = self.mixer
        key, value = mixer.key_heads * mixer.key_size, mixer.value_heads * mixer.value_size
        ratio = mixer.value_heads // mixer.key_heads
        joint = name in ("attn_qkv.weight", "ssm_conv1d.weight")
        if mixer.joint_beta_alpha:  # Qwen3-Next: value heads follow their key head instead of lying in turns
            return [(key, 2), (value, 1)] if joint else None
        if joint:
            return [(key, 2 + ratio)]
        if name in ("attn_gate.weight", "ssm_out.weight"):
            return [(key, ratio)]
        if name in ("ssm_dt.bias", "ssm_a", "ssm_alpha.weight", "ssm_beta.weight"):
            return [(mixer.key_heads, ratio)]
        return None

    def grains(self, name: str, length: int, block: int, devices: int) -> list[int]:
        grain = self._together(block)
        per_head = name.startswith(("ssm_dt", "ssm_a", "ssm_beta", "ssm_ba"))
        joint = 2 if name.startswith("ssm_ba") else 1
        one = joint * (grain // self.mixer.key_size) if per_head else grain
        return [one] * len(self.runs(name, length) or "1")

    def cached_heads(self, block: int, devices: int) -> tuple[int, int]:
        return self.mixer.key_heads, self._together(block) // self.mixer.key_size

    def _together(self, block: int) -> int:
        return math.lcm(block, LEAST, self.mixer.key_size)


def cuts_of(mixer: Mixer | None) -> Cuts | None:
    """How a mixer is cut (None: a layer without one); None where that is not worked out here.

    The rule is llama.cpp's, not the mixer's: here it is asked of which kind it is.
    """
    match mixer:
        case None:
            return Cuts(turns=False)
        case Attention():
            return AttentionCuts(turns=bool(mixer.window), mixer=mixer) if mixer.indexer is None else None
        case GatedDeltaNet():
            return DeltaNetCuts(mixer=mixer)
        case ShortConvolution():
            return Cuts()
        case LatentAttention() | CompressedAttention() | LinearAttention() | Mamba2() | KimiDelta() | NgramLookup():
            return None
        case Observed():
            return None
        case _:
            assert_never(mixer)
