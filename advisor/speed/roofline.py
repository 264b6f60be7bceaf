"""How long one pass takes, as a sum of terms that the constants of a backend weigh.

Generating is bound by memory: every active weight is read once a step, and the cache of every user. To that come
what each step, layer and layer of experts costs whatever its size. Reading a prompt is bound by arithmetic: two
operations per active weight and token. All terms are in milliseconds at the machine's nominal rates, so a constant of
1.25 says that 80 % of the nominal rate are reached. Formula after S. Williams et al., "Roofline" (2009).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from advisor.speed.load import SpeedLoad

DECODE_TERMS = ("weights", "low_bits", "cache", "step", "layer", "moe_layer", "batch_compute", "exchange")
PREFILL_TERMS = ("compute", "compute_moe", "attention", "weights", "pass")
Terms = tuple[float, ...]

MICRO_BATCH = 512  # tokens llama.cpp works on in one pass of a prompt (-ub)
_PIPELINE_GAIN = 0.13  # what each further card adds to reading a prompt, by XiongjieDai's runs on 2, 4, 6 and 8 cards
_LOW_BITS = 4  # levels below need more arithmetic to unpack
_MS = 1000.0
_LAYERS = 32  # the fixed cost is given per this many layers


@dataclass(frozen=True, slots=True)
class Device:
    """Nominal rates of one device: bytes/s from its memory, operations/s (None: unknown)."""

    bandwidth: float
    peak: float | None = None


def decode_terms(load: SpeedLoad, number: int, device: Device, *, first: bool, sharing: int = 1) -> Terms:
    """Terms of one step that generates a token for each user, on device `number`.

    Only the `first` device counts what a step and its layers cost whatever their size. `sharing` devices that hold
    a part of every tensor (then `load` is what one of them holds) exchange results in every layer.
    """
    weights = load.weight_bytes(number, load.users) / device.bandwidth * _MS
    cache = load.users * load.cache_bytes.get(number, 0) / device.bandwidth * _MS
    batch = 0.0
    if load.users > 1 and device.peak:
        batch = (load.users - 1) * 2 * load.shape.active_parameters * load.share_of(number) / device.peak * _MS
    return (
        weights,
        weights if load.bits < _LOW_BITS else 0.0,
        cache,
        1.0 if first else 0.0,
        load.shape.layers / _LAYERS if first else 0.0,
        load.shape.moe_layers / _LAYERS if first else 0.0,
        batch,
        load.shape.layers / _LAYERS if first and sharing > 1 else 0.0,
    )


def prefill_terms(load: SpeedLoad, number: int, device: Device, *, first: bool, depth: float) -> Terms:
    """Terms per token of a prompt, on device `number`, at a mean depth of `depth` tokens; needs its peak."""
    peak = device.peak or math.nan
    together = 1 if load.writes else load.users  # an encoder takes as many inputs at a time as there are users
    tokens = min((load.prompt_tokens or MICRO_BATCH) * together, MICRO_BATCH)
    share = load.share_of(number)
    compute = 2 * load.shape.active_parameters * share / peak * _MS
    return (
        compute,
        compute if load.shape.moe_layers else 0.0,
        load.shape.attention_operations(depth) * share / peak * _MS,
        load.weight_bytes(number, tokens) / tokens / device.bandwidth * _MS,
        (1.0 if first else 0.0) / tokens,
    )


def pipeline_gain(devices: int) -> float:
    """How many times faster a prompt is read that passes through `devices` cards, layer after layer."""
    return 1 + _PIPELINE_GAIN * (devices - 1)


def weighed(terms: Terms, constants: Sequence[float]) -> float:
    """Milliseconds: the terms times their constants."""
    return sum(term * constant for term, constant in zip(terms, constants, strict=True))


def added(terms: Sequence[Terms]) -> Terms:
    """The terms of devices that work one after the other."""
    return tuple(map(sum, zip(*terms, strict=True)))
