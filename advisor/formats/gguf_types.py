"""Which type llama.cpp's quantizer gives each tensor at each level.

Derived from the behaviour of `llama-quantize` (llama.cpp commit 0c1e57098, October 2026, file
`src/llama-quant.cpp`) and checked to the byte against its dry run.
"""

from __future__ import annotations

from dataclasses import dataclass

from advisor.formats.ggml_types import Type
from advisor.formats.gguf_levels import LEVELS, NATIVE_MIX, Level, block_size
from advisor.formats.gguf_tensor_classes import (
    FIRST_EIGHTH,
    FIRST_EIGHTH_RUNNING,
    FIRST_FOUR,
    FIRST_SIXTEENTH,
    FIRST_TWO,
    MIDDLE,
    MORE_BITS,
    VALUE_LIKE,
    Part,
    TensorClass,
)
from advisor.models.model import Model


@dataclass(frozen=True, slots=True)
class Traits:
    """What of the model the rules look at."""

    experts: int
    grouped_query_ratio: int
    tied_embeddings: bool
    extra_value_bits: bool


def traits(model: Model) -> Traits:
    return Traits(
        model.experts,
        model.grouped_query_ratio,
        model.tied_embeddings,
        model.wiring.gguf.extra_value_bits,
    )


def type_for(kind: TensorClass, level: Level, model: Traits, imatrix: bool) -> Type:
    """The type of a class of tensors at a level, with or without an importance matrix."""
    if not kind.quantizable:
        return kind.source
    if level.native_only:  # as its authors publish it: the experts as they are, the rest as the quantizer makes it
        level = LEVELS[NATIVE_MIX]
    if level.base in (Type.F32, Type.F16, Type.BF16):
        return level.base
    if kind.at_least_8_bit:
        return _fit_row(Type.Q8_0, kind.columns)
    return _fit_row(_mixed_type(kind, level, model, imatrix), kind.columns)


_VERY_LOW = ("IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M", "IQ1_S", "IQ1_M")
_IQ2_LARGE = ("IQ2_S", "IQ2_M")


def _mixed_type(kind: TensorClass, level: Level, model: Traits, imatrix: bool) -> Type:
    name, part = level.name, kind.part
    if part is Part.OUTPUT or (model.tied_embeddings and part is Part.TOKEN_EMBEDDING):
        return _output_type(kind, level)
    if name == "MXFP4_MOE":
        return Type.MXFP4 if kind.stacked else Type.Q8_0
    if part is Part.TOKEN_EMBEDDING:
        return _embedding_type(level)
    if name in _VERY_LOW:
        return _very_low_type(kind, level, model)
    if part in VALUE_LIKE:
        return _value_type(kind, level, model, imatrix)
    if part is Part.ATTENTION_K and model.experts == 8:
        return Type.Q8_0
    if part in (Part.ATTENTION_K, Part.ATTENTION_Q):
        return {"IQ3_XS": Type.IQ3_XXS, "IQ3_XXS": Type.IQ2_S}.get(name, level.base)
    if part is Part.FFN_DOWN:
        return _ffn_down_type(kind, level, model, imatrix)
    if part is Part.ATTENTION_OUTPUT:
        return _attention_output_type(level, model)
    if part in (Part.FFN_GATE, Part.FFN_UP) and name == "IQ3_XS" and kind.deep[MIDDLE]:
        return Type.IQ3_XXS
    return level.base


def _output_type(kind: TensorClass, level: Level) -> Type:
    if level.name == "MXFP4_MOE" or kind.columns % block_size(level.base):
        return Type.Q8_0
    if level.name in (*_VERY_LOW, "IQ3_XXS"):
        return Type.Q5_K
    return Type.Q8_0 if level.base is Type.Q8_0 else Type.Q6_K


def _embedding_type(level: Level) -> Type:
    if level.name in ("IQ2_XXS", "IQ2_XS", "IQ1_S", "IQ1_M"):
        return Type.Q2_K
    if level.name in ("IQ2_S", "IQ2_M", "IQ3_XXS"):
        return Type.IQ3_S
    return Type.Q4_K if level.name in ("TQ1_0", "TQ2_0") else level.base


def _very_low_type(kind: TensorClass, level: Level, model: Traits) -> Type:
    raised = Type.IQ3_S if level.name in _IQ2_LARGE else Type.Q2_K
    if kind.part in VALUE_LIKE:
        return Type.Q4_K if model.grouped_query_ratio >= 4 or model.experts >= 4 else raised
    if kind.part is Part.ATTENTION_K and model.experts == 8:
        return Type.Q4_K
    if kind.part is Part.FFN_DOWN and kind.deep[FIRST_EIGHTH_RUNNING]:
        return raised
    if kind.part is Part.ATTENTION_OUTPUT:
        if model.experts == 8:
            return Type.Q5_K
        if level.name in ("IQ1_S", "IQ1_M"):
            return Type.IQ2_XXS
        if level.name in _IQ2_LARGE:
            return Type.IQ3_S
    return level.base


def _value_type(kind: TensorClass, level: Level, model: Traits, imatrix: bool) -> Type:
    if model.experts == 8:
        return Type.Q8_0
    grouped = model.grouped_query_ratio >= 4
    chosen = level.base
    match level.name:
        case "Q2_K":
            chosen = Type.Q4_K if grouped else Type.Q3_K
        case "Q2_K_S" | "IQ3_XS" | "IQ3_S" if grouped:
            chosen = Type.Q4_K
        case "IQ3_XXS":
            chosen = Type.Q4_K if grouped else Type.IQ3_XXS if imatrix else Type.IQ3_S
        case "IQ3_M":
            chosen = Type.Q4_K
        case "Q3_K_M":
            chosen = Type.Q5_K if kind.deep[FIRST_TWO] else Type.Q4_K
        case "Q3_K_L":
            chosen = Type.Q5_K
        case "IQ4_NL" | "IQ4_XS" if grouped:
            chosen = Type.Q5_K
        case "Q4_K_M" | "Q5_K_M" if kind.deep[MORE_BITS]:
            chosen = Type.Q6_K
        case "Q4_K_S" if kind.deep[FIRST_FOUR]:
            chosen = Type.Q5_K
    if model.extra_value_bits and chosen in (Type.Q3_K, Type.Q4_K):
        return Type.Q5_K
    return chosen


def _ffn_down_type(kind: TensorClass, level: Level, model: Traits, imatrix: bool) -> Type:
    deep = kind.deep
    match level.name:
        case "Q2_K":
            return Type.Q3_K
        case "Q2_K_S" if deep[FIRST_EIGHTH]:
            return Type.Q4_K
        case "IQ3_XXS" if not imatrix:
            return Type.Q4_K if deep[FIRST_EIGHTH] else Type.Q3_K
        case "Q3_K_M":
            return Type.Q5_K if deep[FIRST_SIXTEENTH] else Type.Q4_K
        case "IQ3_M" if deep[FIRST_EIGHTH] or (model.experts == 8 and deep[MORE_BITS]):
            return Type.Q4_K
        case "Q3_K_L":
            return Type.Q5_K
        case "Q4_K_M" | "Q5_K_M" if deep[MORE_BITS]:
            return Type.Q6_K
        case "IQ4_NL" | "IQ4_XS" if deep[FIRST_EIGHTH] and not imatrix:
            return Type.Q5_K
        case "Q4_K_S" if deep[FIRST_EIGHTH]:
            return Type.Q5_K
        case "Q4_0" if imatrix and deep[FIRST_EIGHTH]:
            return Type.Q4_1
        case "Q5_0" if imatrix and deep[FIRST_EIGHTH]:
            return Type.Q5_1
    return level.base


_EIGHT_EXPERT_OUTPUT_Q5 = (
    "Q2_K",
    "IQ3_XS",
    "IQ3_XXS",
    "Q3_K_S",
    "Q3_K_M",
    "IQ4_NL",
    "Q4_K_S",
    "Q4_K_M",
    "IQ3_S",
    "IQ3_M",
    "IQ4_XS",
)
_ATTENTION_OUTPUT = {
    "Q2_K": Type.Q3_K,
    "IQ3_XXS": Type.IQ3_S,
    "Q3_K_M": Type.Q4_K,
    "Q3_K_L": Type.Q5_K,
    "IQ3_M": Type.Q4_K,
}


def _attention_output_type(level: Level, model: Traits) -> Type:
    if model.experts == 8:
        return Type.Q5_K if level.name in _EIGHT_EXPERT_OUTPUT_Q5 else level.base
    return _ATTENTION_OUTPUT.get(level.name, level.base)


_SMALLER_BLOCK = {
    **dict.fromkeys(
        (Type.IQ1_S, Type.IQ1_M, Type.IQ2_XXS, Type.IQ2_XS, Type.IQ2_S, Type.IQ3_XXS, Type.IQ3_S, Type.IQ4_XS),
        Type.IQ4_NL,
    ),
    **dict.fromkeys((Type.Q2_K, Type.Q3_K, Type.TQ1_0, Type.TQ2_0), Type.Q4_0),
    Type.Q4_K: Type.Q5_0,
    Type.Q5_K: Type.Q5_1,
    Type.Q6_K: Type.Q8_0,
}


def _fit_row(wanted: Type, columns: int) -> Type:
    """A row must be a whole number of blocks: else a type with smaller blocks, else 16 bit."""
    if columns % block_size(wanted) == 0:
        return wanted
    smaller = _SMALLER_BLOCK.get(wanted, wanted)
    return smaller if columns % block_size(smaller) == 0 else Type.F16
