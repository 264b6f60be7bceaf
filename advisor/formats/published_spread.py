"""How far published GGUF files of a level lie from what stock `llama-quantize` makes of the model.

Publishers do not all use the stock mix. What they do differently has few causes, each with its own bytes, which follow
from the model's tensors: nothing here is fitted but `TOLERANCE`. `tests/benchmarks/published.py` holds the rule
against files that were published, whole publishers left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from advisor.formats.ggml_types import BLOCKS, Type
from advisor.formats.gguf_levels import Level
from advisor.formats.gguf_sizes import GroupedTensors, grouped_tensors
from advisor.formats.gguf_tensor_classes import VALUE_LIKE, Part
from advisor.foundation.caches import kept_beside
from advisor.models.model import Model

Cause = Literal[
    "other quantizer",
    "importance matrix",
    "second embedding",
    "draft layers",
    "original kept",
    "own mix",
]

TOLERANCE = 0.01  # of a file: other versions of the quantizer and the converter
# Tokens, merges and chat template take between a quarter and all of what is estimated for them.
_LEAST_HEADER = 0.25
_MIX_PARTS = (*VALUE_LIKE, Part.ATTENTION_K, Part.ATTENTION_Q, Part.ATTENTION_OUTPUT, Part.OTHER)
_EMBEDDED = (Part.TOKEN_EMBEDDING,)
# Bits a weight: one type up is a bit more, from Q6_K it is Q8_0; the smallest types all grow where one publisher
# raises any, attention by more.
_ONE_UP, _Q6, _Q8 = 1.0625, 6.0, 8.5
_SMALL, _SMALL_UP, _SMALL_ATTENTION_UP = 2.7, 0.25, 1.5
_FOUR_BITS = 4.0
_MXFP4, _WHOLE = 4.25, 16.0


@dataclass(frozen=True, slots=True)
class Spread:
    """Bytes of nine published files of ten, and why they are not all of one size."""

    low: int
    high: int
    causes: tuple[Cause, ...]


@kept_beside
def published_spread(model: Model, level: Level, own_mixes: bool, tolerance: float = TOLERANCE) -> Spread:
    """Where published files of `model` at `level` lie. `own_mixes`: it may have been published since 2026, when large
    publishers began to choose types of their own.
    """
    table = grouped_tensors(model)
    plain, helped = table.sized(level, False), table.sized(level, True)
    data = sorted((plain.data_bytes, helped.data_bytes))
    low, high = float(data[0]), float(data[1])
    causes: list[Cause] = ["other quantizer"]
    if data[0] != data[1]:
        causes.append("importance matrix")
    if model.wiring.repository.native_mxfp4:
        low, high = _kept_as_published(table, level)
        causes.append("original kept")
    elif own_mixes:
        less, more = _own_mixes(table, level)
        low, high = low - less, high + more
        if less or more:
            causes.append("own mix")
    if _may_be_written_twice(model):
        high += _bytes(table, level, _EMBEDDED, _bits(level.base))
        causes.append("second embedding")
    if model.mtp_layers:
        high *= 1 + model.mtp_parameters / model.parameters
        causes.append("draft layers")
    header = plain.header_bytes
    return Spread(
        round(low * (1 - tolerance) + header * _LEAST_HEADER), round(high * (1 + tolerance) + header), tuple(causes)
    )


def _bits(kind: Type) -> float:
    block, size = BLOCKS[kind]
    return 8 * size / block


def _bytes(table: GroupedTensors, level: Level, parts: tuple[Part, ...], bits: float) -> float:
    """Of the quantized tensors of some parts, at so many bits a weight."""
    return sum(
        group.elements * count * bits / 8
        for group, count in zip(table.groups, table.counts, strict=True)
        if group.kind.part in parts and group.kind.quantizable
    )


def _may_be_written_twice(model: Model) -> bool:
    return model.tied_embeddings and model.has_output_head and model.wiring.gguf.tied_head_copied


def _kept_as_published(table: GroupedTensors, level: Level) -> tuple[float, float]:
    """Experts stay as they were trained, whatever the level is called; the rest is anything from its type to 16 bit."""
    low = high = 0.0
    least = min(_bits(level.base), _Q8)
    for group, count in zip(table.groups, table.counts, strict=True):
        elements = group.elements * count
        if not group.kind.quantizable:
            ends = (_bits(group.kind.source),) * 2
        else:
            ends = (_MXFP4, _MXFP4) if group.kind.stacked else (least, _WHOLE)
        low, high = low + elements * ends[0] / 8, high + elements * ends[1] / 8
    return low, high


def _own_mixes(table: GroupedTensors, level: Level) -> tuple[float, float]:
    """How many bytes fewer and more the publishers' own mixes take than the stock one.

    Fewer: embeddings at the level's own type, down projections of experts under 4 bits too. More: attention, and the
    down projections of experts, one type up; or else embeddings.
    """
    base = _bits(level.base)
    if base >= _WHOLE:
        return 0.0, 0.0
    less = mixed = embedded = 0.0
    for group, count, kind in zip(table.groups, table.counts, table.types(level, True), strict=True):
        if not group.kind.quantizable:
            continue
        elements, bits, part = group.elements * count / 8, _bits(kind), group.kind.part
        down = group.kind.stacked and part is Part.FFN_DOWN
        if part is Part.TOKEN_EMBEDDING or (down and base < _FOUR_BITS):
            less += elements * max(0.0, bits - base)
        if part is Part.TOKEN_EMBEDDING:
            embedded += elements * (_one_up(bits) - bits)
        elif level.name == "MXFP4_MOE":  # what is no expert is left in 16 bit by some
            mixed += 0 if group.kind.stacked else elements * (_WHOLE - bits)
        elif down or (part in _MIX_PARTS and not group.kind.stacked):
            mixed += elements * (_one_up(bits) - bits)
        elif base < _SMALL and not group.kind.stacked:
            mixed += elements * _SMALL_UP
    return less, max(mixed, embedded)


def _one_up(bits: float) -> float:
    if bits >= _Q6:
        return max(bits, _Q8)
    return bits + (_SMALL_ATTENTION_UP if bits < _SMALL else _ONE_UP)
