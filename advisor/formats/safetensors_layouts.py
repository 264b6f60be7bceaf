"""The tensors that stand for one packed matrix, scheme by scheme.

Layouts were measured on files that the libraries wrote (`tests/truth/made_checkpoints.jsonl.gz`); AutoAWQ's, by files
that AutoRound wrote in its form. Shapes are (outputs, inputs) of the Linear layer.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from advisor.formats.safetensors_dtypes import DTYPE_BITS
from advisor.formats.safetensors_levels import SafetensorsLevel, Scheme
from advisor.foundation.message import Message, sentence


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor of a safetensors file: the end of its name, its dtype and its shape."""

    suffix: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def size_bytes(self) -> int:
        return self.elements * DTYPE_BITS[self.dtype] // 8


Layout = Callable[[int, int, SafetensorsLevel, str], tuple[Stored, ...]]


def _gptq(rows: int, columns: int, level: SafetensorsLevel, source: str) -> tuple[Stored, ...]:
    """Zero points and the index are written even when symmetric and in order; scales are always F16.

    AutoRound's own form has no index.
    """
    groups = -(-columns // (level.group or columns))
    return (
        *(() if level.scales.in_order else (Stored("g_idx", "I32", (columns,)),)),
        Stored("scales", "F16", (groups, rows)),
        Stored("qweight", "I32", (columns // 32 * level.bits, rows)),
        Stored("qzeros", "I32", (groups, rows // 32 * level.bits)),
    )


def _awq(rows: int, columns: int, level: SafetensorsLevel, source: str) -> tuple[Stored, ...]:
    groups = columns // level.group
    return (
        Stored("qweight", "I32", (columns, rows // 8)),
        Stored("qzeros", "I32", (groups, rows // 8)),
        Stored("scales", "F16", (groups, rows)),
    )


def _packed(rows: int, columns: int, level: SafetensorsLevel, source: str) -> tuple[Stored, ...]:
    per_word = 32 // level.bits
    groups = -(-columns // (level.group or columns))
    tensors = (
        Stored("weight_packed", "I32", (rows, -(-columns // per_word))),
        Stored("weight_scale", source, (rows, groups)),
        Stored("weight_shape", "I64", (2,)),
    )
    if not level.zero_points:
        return tensors
    return (*tensors, Stored("weight_zero_point", "I32", (-(-rows // per_word), groups)))


def _channel(rows: int, columns: int, level: SafetensorsLevel, source: str) -> tuple[Stored, ...]:
    scale = level.scales.dtype or source
    tensors = (Stored("weight", level.dtype, (rows, columns)), Stored("weight_scale", scale, (rows, 1)))
    return (*tensors, Stored("weight_zero_point", level.dtype, (rows, 1))) if level.zero_points else tensors


def _tensor(rows: int, columns: int, level: SafetensorsLevel, source: str) -> tuple[Stored, ...]:
    return (
        Stored("weight", level.dtype, (rows, columns)),
        Stored("weight_scale", level.scales.dtype or source, (1,)),
        Stored("input_scale", level.scales.dtype or source, (1,)),
    )


def _block(rows: int, columns: int, level: SafetensorsLevel, source: str) -> tuple[Stored, ...]:
    scales = (-(-rows // level.group), -(-columns // level.group))
    return Stored("weight", level.dtype, (rows, columns)), Stored("weight_scale", level.scales.dtype or source, scales)


def _nvfp4(rows: int, columns: int, level: SafetensorsLevel, source: str) -> tuple[Stored, ...]:
    tensors = (
        Stored("weight_packed", "U8", (rows, columns // 2)),
        Stored("weight_scale", "F8_E4M3", (rows, columns // level.group)),
        Stored("weight_global_scale", "F32", (1,)),
    )
    return (*tensors, Stored("input_global_scale", "F32", (1,))) if level.scales.of_activations else tensors


def _mxfp4(rows: int, columns: int, level: SafetensorsLevel, source: str) -> tuple[Stored, ...]:
    return (
        Stored("weight_packed", "U8", (rows, columns // 2)),
        Stored("weight_scale", "U8", (rows, columns // level.group)),
    )


def _mxfp8(rows: int, columns: int, level: SafetensorsLevel, source: str) -> tuple[Stored, ...]:
    return (
        Stored("weight", level.dtype, (rows, columns)),
        Stored("weight_scale", "U8", (rows, columns // level.group)),
    )


def _native_mxfp4(rows: int, columns: int, level: SafetensorsLevel, source: str) -> tuple[Stored, ...]:
    """gpt-oss: 16 bytes of packed values and one exponent for 32 inputs."""
    groups = columns // level.group
    return Stored("blocks", "U8", (rows, groups, 16)), Stored("scales", "U8", (rows, groups))


def _native_fp4(rows: int, columns: int, level: SafetensorsLevel, source: str) -> tuple[Stored, ...]:
    """DeepSeek V4: two packed values a byte and one exponent for 32 inputs. ModelOpt's integers lie alike."""
    return (
        Stored("weight", "U8", (rows, columns // 2)),
        Stored("scale", level.scales.dtype or "U8", (rows, columns // level.group)),
    )


def _nf4(rows: int, columns: int, level: SafetensorsLevel, source: str) -> tuple[Stored, ...]:
    """One 8-bit scale for 64 values, their scales again in blocks of 256, and a JSON text with the rest.

    Where scales have a type of their own, they are not packed again.
    """
    values = rows * columns
    blocks = -(-values // level.group)
    if level.scales.dtype:
        return (
            Stored("weight", "U8", (-(-values // 2), 1)),
            Stored("weight.absmax", level.scales.dtype, (blocks,)),
            Stored("weight.quant_map", "F32", (16,)),
            Stored("weight.quant_state.bitsandbytes__nf4", "U8", (len(_nf4_state(rows, columns, source)) + 1,)),
        )
    return (
        Stored("weight", "U8", (-(-values // 2), 1)),
        Stored("weight.absmax", "U8", (blocks,)),
        Stored("weight.quant_map", "F32", (16,)),
        Stored("weight.nested_absmax", "F32", (-(-blocks // 256),)),
        Stored("weight.nested_quant_map", "F32", (256,)),
        Stored("weight.quant_state.bitsandbytes__nf4", "U8", (_nf4_state_length(rows, columns, source),)),
    )


def _nf4_state_length(rows: int, columns: int, source: str) -> int:
    """Bytes of the JSON text beside a 4-bit matrix. Its offset has 17 to 22 characters; 19 are assumed."""
    nested = ', "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": }'
    return len(_nf4_state(rows, columns, source)) + len(nested) + 19


def _nf4_state(rows: int, columns: int, source: str) -> str:
    """That text without the end that says how scales are packed."""
    dtype = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}[source]
    return f'{{"quant_type": "nf4", "blocksize": 64, "dtype": "{dtype}", "shape": [{rows}, {columns}]'


def _llm_int8(rows: int, columns: int, level: SafetensorsLevel, source: str) -> tuple[Stored, ...]:
    return (
        Stored("weight", "I8", (rows, columns)),
        Stored("SCB", "F32", (rows,)),
        Stored("weight_format", "U8", ()),
    )


def _mlx(rows: int, columns: int, level: SafetensorsLevel, source: str) -> tuple[Stored, ...]:
    """Of floats (mxfp4, nvfp4, mxfp8) scales have 8 bits and there is no bias."""
    groups = columns // level.group
    packed = Stored("weight", "U32", (rows, columns * level.bits // 32))
    if not level.zero_points:
        return packed, Stored("scales", "U8", (rows, groups))
    return packed, Stored("scales", source, (rows, groups)), Stored("biases", source, (rows, groups))


_LAYOUTS: dict[Scheme, Layout] = {
    Scheme.GPTQ: _gptq,
    Scheme.AWQ: _awq,
    Scheme.PACKED: _packed,
    Scheme.CHANNEL: _channel,
    Scheme.TENSOR: _tensor,
    Scheme.BLOCK: _block,
    Scheme.NVFP4: _nvfp4,
    Scheme.MXFP4: _mxfp4,
    Scheme.MXFP8: _mxfp8,
    Scheme.NATIVE_MXFP4: _native_mxfp4,
    Scheme.NATIVE_FP4: _native_fp4,
    Scheme.NF4: _nf4,
    Scheme.LLM_INT8: _llm_int8,
    Scheme.MLX: _mlx,
}
# Where the inputs must be whole groups. Block scales may cover a partial block, bitsandbytes ignores rows,
# and GPTQ's last group may be smaller.
_WHOLE_GROUPS = frozenset(
    {
        Scheme.AWQ,
        Scheme.PACKED,
        Scheme.NVFP4,
        Scheme.MXFP4,
        Scheme.MXFP8,
        Scheme.NATIVE_MXFP4,
        Scheme.NATIVE_FP4,
        Scheme.MLX,
    }
)


def packed_tensors(rows: int, columns: int, level: SafetensorsLevel, source: str) -> tuple[Stored, ...]:
    """What a Linear layer of `rows` outputs and `columns` inputs becomes; `source` is the model's own dtype."""
    return _LAYOUTS[level.scheme](rows, columns, level, source)


def refusal(rows: int, columns: int, level: SafetensorsLevel) -> Message | None:
    """Why the scheme cannot hold a matrix of this shape; None when it can."""
    if level.scheme in _WHOLE_GROUPS and level.group and columns % level.group:
        return sentence(
            "{columns} inputs are not a multiple of the group of {group}", columns=columns, group=level.group
        )
    if level.scheme is Scheme.GPTQ and (columns % 32 or rows % 32):
        return sentence("{rows} x {columns} is not a multiple of 32, which packing needs", rows=rows, columns=columns)
    if level.scheme is Scheme.AWQ and rows % 8:
        return sentence("{rows} outputs are not a multiple of 8, which packing needs", rows=rows)
    return None
