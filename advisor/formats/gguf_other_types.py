"""Tensor types of GGUF files that llama.cpp itself does not read (any more): those of ik_llama.cpp, and repacked ones.

Numbers and sizes: ik_llama.cpp, `gguf-py/gguf/constants.py` (commit 00ded085b) and `ggml/src/iqk/iqk_quantize.cpp`,
read on 2026-11-30. Some of its types hold a scale before each row, which that table of sizes leaves out. The retired
types are llama.cpp's of 2024: the same blocks as Q4_0 and IQ4_NL, interleaved.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import NamedTuple

from advisor.formats.ggml_types import BLOCKS, Type


class OtherType(IntEnum):
    """A type that llama.cpp does not know."""

    Q4_0_4_4 = 31
    Q4_0_4_8 = 32
    Q4_0_8_8 = 33
    IQ4_NL_4_4 = 36
    IQ4_NL_4_8 = 37
    IQ4_NL_8_8 = 38
    Q6_0 = 133
    IQ2_K = 137
    IQ3_K = 138
    IQ4_K = 139
    IQ5_K = 140
    IQ6_K = 141
    IQ4_KS = 144
    IQ2_KS = 145
    IQ4_KSS = 146
    IQ5_KS = 152
    IQ2_KT = 153
    IQ3_KT = 154
    IQ4_KT = 155
    IQ3_KS = 156
    IQ2_KL = 157
    IQ1_KT = 158


TensorType = Type | OtherType


class Layout(NamedTuple):
    """How many elements a block packs into how many bytes, and the bytes before the blocks of each row."""

    block: int
    block_bytes: int
    row_bytes: int = 0


_RETIRED = (
    OtherType.Q4_0_4_4,
    OtherType.Q4_0_4_8,
    OtherType.Q4_0_8_8,
    OtherType.IQ4_NL_4_4,
    OtherType.IQ4_NL_4_8,
    OtherType.IQ4_NL_8_8,
)
_LAYOUTS: Mapping[int, Layout] = {
    **{kind: Layout(*sizes) for kind, sizes in BLOCKS.items()},
    **dict.fromkeys(_RETIRED, Layout(32, 18)),
    OtherType.Q6_0: Layout(32, 26),
    OtherType.IQ2_K: Layout(256, 76),
    OtherType.IQ3_K: Layout(256, 110),
    OtherType.IQ4_K: Layout(256, 144),
    OtherType.IQ5_K: Layout(256, 176),
    OtherType.IQ6_K: Layout(256, 212),
    OtherType.IQ4_KS: Layout(256, 136, 4),
    OtherType.IQ2_KS: Layout(256, 70, 2),
    OtherType.IQ4_KSS: Layout(256, 128, 4),
    OtherType.IQ5_KS: Layout(256, 168, 4),
    OtherType.IQ2_KT: Layout(256, 68, 4),
    OtherType.IQ3_KT: Layout(256, 100, 4),
    OtherType.IQ4_KT: Layout(256, 128, 4),
    OtherType.IQ3_KS: Layout(256, 102, 2),
    OtherType.IQ2_KL: Layout(256, 86, 2),
    OtherType.IQ1_KT: Layout(256, 56, 4),
}
TYPES: Mapping[int, TensorType] = {
    **{kind.value: kind for kind in Type},
    **{kind.value: kind for kind in OtherType},
}
IK_LLAMA_CPP = "ik_llama.cpp"
OLD_LLAMA_CPP = "llama.cpp before December 2024"


def layout(kind: TensorType) -> Layout:
    return _LAYOUTS[kind]


def stored_bytes(kind: TensorType, shape: tuple[int, ...]) -> int:
    """Bytes of a tensor, whose contiguous row comes first in `shape`."""
    block, size, row = _LAYOUTS[kind]
    return math.prod(shape[1:]) * (row + shape[0] // block * size)


def loaded_only_by(kinds: Iterable[TensorType]) -> str:
    """The one runtime that reads all of these types, or "" where llama.cpp of today and all built on it do."""
    others = {kind for kind in kinds if isinstance(kind, OtherType)}
    if not others:
        return ""
    return OLD_LLAMA_CPP if others.issubset(_RETIRED) else IK_LLAMA_CPP
