"""Which type llama.cpp's quantizer gives each tensor.

Derived from the behaviour of `llama-quantize` (llama.cpp commit 0c1e57098, October 2026, file
`src/llama-quant.cpp`) and checked to the byte against its dry run. The choice depends on the tensor's
part in the network, on how deep it lies, and on a few traits of the model; tensors that share all of
these form a class, so a level is decided once per class and not once per tensor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from advisor.formats.gguf_levels import Level, Type, block_size
from advisor.models.blueprints.common import EXTRA_VALUE_BITS
from advisor.models.model import Model
from advisor.models.tensors import Tensor


class Part(Enum):
    """What the quantizer takes a tensor for, by its name."""

    OUTPUT = auto()
    TOKEN_EMBEDDING = auto()
    ATTENTION_V = auto()  # also fused query/key/value and joint key/value projections
    ATTENTION_QKV = auto()
    ATTENTION_K = auto()
    ATTENTION_Q = auto()
    ATTENTION_OUTPUT = auto()
    FFN_UP = auto()
    FFN_GATE = auto()
    FFN_DOWN = auto()
    OTHER = auto()


_BY_NAME = (
    ("attn_qkv.weight", Part.ATTENTION_QKV),
    ("attn_kv_b.weight", Part.ATTENTION_V),
    ("attn_v.weight", Part.ATTENTION_V),
    ("attn_k.weight", Part.ATTENTION_K),
    ("attn_q.weight", Part.ATTENTION_Q),
    ("attn_output.weight", Part.ATTENTION_OUTPUT),
    ("ffn_up", Part.FFN_UP),
    ("ffn_gate", Part.FFN_GATE),
    ("ffn_down", Part.FFN_DOWN),
)
_VALUE_LIKE = (Part.ATTENTION_V, Part.ATTENTION_QKV)
_COUNTED = (*_VALUE_LIKE, Part.FFN_UP, Part.FFN_GATE, Part.FFN_DOWN)

# Weights the quantizer leaves as the converter wrote them: small, sensitive, or not matrices at all.
_NEVER_QUANTIZED = (
    "_norm.weight",
    "ffn_gate_inp.weight",
    "ffn_gate_tid2eid.weight",
    "altup",
    "laurel",
    "per_layer_model_proj",
    "ssm_conv1d",
    "shortconv.conv.weight",
    "indexer.k_proj.weight",
    "indexer.q_proj.weight",
)
_NEVER_QUANTIZED_EXACT = ("position_embd.weight", "token_types.weight")
_NEVER_QUANTIZED_GLM5_NEXT = (
    "hc_",
    "indexer.attn_q_b",
    "indexer.attn_k",
    "indexer.proj",
    "indexer_compressor_gate",
    "indexer_compressor_ape",
    "ssm_f_a.weight",
    "ssm_f_b.weight",
    "ssm_g_a.weight",
    "ssm_g_b.weight",
    "ssm_beta.weight",
    "attn_kv_a_mqa.weight",
    "attn_k_b.weight",
    "attn_v_b.weight",
)
_AT_LEAST_8_BIT_GLM5_NEXT = ("attn_q_a", "attn_q_b", "nextn.eh_proj")

# What the converter writes in 32 bits although it has two dimensions or more.
_CONVERTED_TO_F32 = (
    "_norm.weight",
    "ffn_gate_inp.weight",
    "ffn_gate_inp_shexp.weight",
    "position_embd.weight",
    "token_types.weight",
    "ssm_conv1d.weight",
    "ssm_conv1d_q.weight",
    "ssm_conv1d_k.weight",
    "ssm_conv1d_v.weight",
    "shortconv.conv.weight",
    "altup_correct_coef.weight",
    "altup_predict_coef.weight",
    "indexer.proj.weight",
)
_CONVERTED_TO_F32_BY_ARCHITECTURE = {
    "deepseek4": ("hc_", "_compressor_ape"),
    "minimax-m3": (".indexer.",),
    "glm5-next": ("hc_attn_", "hc_ffn_", "indexer_compressor_"),
}


@dataclass(frozen=True, slots=True)
class Position:
    """Where a tensor stands among its kind: running number, block number, and how many there are."""

    ordinal: int
    ordinal_count: int
    layer: int
    layer_count: int


@dataclass(frozen=True, slots=True)
class TensorClass:
    """Tensors the quantizer cannot tell apart at any level.

    `source` is the type in the F16 conversion that is quantized.
    """

    part: Part
    quantizable: bool
    source: Type
    columns: int
    stacked: bool  # has a third dimension, as expert tensors do
    deep: tuple[bool, ...]  # outcomes of the position tests below
    at_least_8_bit: bool


@dataclass(frozen=True, slots=True)
class Traits:
    """What of the model the rules look at."""

    architecture: str
    experts: int
    grouped_query_ratio: int
    tied_embeddings: bool
    extra_value_bits: bool


def traits(model: Model) -> Traits:
    return Traits(
        model.architecture,
        model.experts,
        model.grouped_query_ratio,
        model.tied_embeddings,
        EXTRA_VALUE_BITS in model.traits,
    )


def _part(name: str) -> Part:
    if name == "output.weight":
        return Part.OUTPUT
    if name in ("token_embd.weight", "per_layer_token_embd.weight"):
        return Part.TOKEN_EMBEDDING
    return next((part for fragment, part in _BY_NAME if fragment in name), Part.OTHER)


def _quantizable(tensor: Tensor, architecture: str) -> bool:
    name = tensor.name
    if tensor.dimensions < 2 or not name.endswith("weight") or name in _NEVER_QUANTIZED_EXACT:
        return False
    if any(fragment in name for fragment in _NEVER_QUANTIZED):
        return False
    return architecture != "glm5-next" or not any(fragment in name for fragment in _NEVER_QUANTIZED_GLM5_NEXT)


def source_type(tensor: Tensor, architecture: str) -> Type:
    """Type in an F16 conversion: F32 for vectors, norms and a few small matrices, else F16."""
    name = tensor.name
    if "tid2eid" in name:
        return Type.I32  # a look-up table of expert numbers
    if len(tensor.shape) < 2 or not name.endswith(".weight"):
        return Type.F32
    fragments = _CONVERTED_TO_F32 + _CONVERTED_TO_F32_BY_ARCHITECTURE.get(architecture, ())
    return Type.F32 if any(fragment in name for fragment in fragments) else Type.F16


def in_file_order(tensors: Iterable[Tensor]) -> list[Tensor]:
    """The order in which the quantizer walks through a file: by block, then by name."""
    return sorted(tensors, key=lambda tensor: (-1 if tensor.layer is None else tensor.layer, tensor.name))


# Position tests, in the order of the flags in TensorClass.deep. "More bits" go to the first and last
# eighth of the layers and to every third one in between.
MORE_BITS, FIRST_EIGHTH, FIRST_SIXTEENTH, MIDDLE, FIRST_EIGHTH_RUNNING, FIRST_TWO, FIRST_FOUR = range(7)


def _deep(position: Position, value_like: bool) -> tuple[bool, ...]:
    if value_like:
        index, count = position.ordinal, position.ordinal_count
    else:
        index, count = position.layer, position.layer_count
    eighth = count // 8
    more_bits = index < eighth or index >= 7 * count // 8 or (index - eighth) % 3 == 2
    return (
        more_bits,
        index < eighth,
        index < count // 16,
        eighth <= index < 7 * count // 8,
        position.ordinal < position.layer_count // 8,
        position.ordinal < 2,
        position.ordinal < 4,
    )


_NOWHERE = (False,) * 7


def classify(model: Model) -> Iterator[tuple[Tensor, TensorClass]]:
    """Every tensor of the model, in file order, with its class."""
    ordered = in_file_order(model.tensors)
    layer_count = len(model.layers)
    value_count = sum(_part(tensor.name) in _VALUE_LIKE for tensor in ordered)
    seen: dict[Part, int] = {}
    # The classes of most tensors repeat over layers; the cache turns name tests into one lookup.
    by_name: dict[str, tuple[Part, bool, Type, bool]] = {}
    for tensor in ordered:
        short = tensor.name if tensor.layer is None else tensor.name.split(".", 2)[2]
        key = f"{short}{tensor.dimensions}"
        if key not in by_name:
            part = _part(tensor.name)
            precious = model.architecture == "glm5-next" and any(f in short for f in _AT_LEAST_8_BIT_GLM5_NEXT)
            by_name[key] = (
                part,
                _quantizable(tensor, model.architecture),
                source_type(tensor, model.architecture),
                precious,
            )
        part, quantizable, source, precious = by_name[key]
        deep = _NOWHERE
        if quantizable and part in _COUNTED:
            value_like = part in _VALUE_LIKE
            counted_as = Part.ATTENTION_V if value_like else part
            ordinal = seen.get(counted_as, 0)
            seen[counted_as] = ordinal + 1
            # With experts the block number counts, without them the running number does.
            layer = tensor.layer if model.experts > 1 and tensor.layer is not None else ordinal
            position = Position(ordinal, value_count if value_like else layer_count, layer, layer_count)
            deep = _deep(position, value_like)
        stacked = len(tensor.shape) > 2 and tensor.shape[2] > 1
        yield tensor, TensorClass(part, quantizable, source, tensor.shape[0], stacked, deep, precious)


def type_for(kind: TensorClass, level: Level, model: Traits, imatrix: bool) -> Type:
    """The type of a class of tensors at a level, with or without an importance matrix."""
    if not kind.quantizable:
        return kind.source
    if level.native_only:
        return level.base if kind.stacked else kind.source
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
    if part in _VALUE_LIKE:
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
    if kind.part in _VALUE_LIKE:
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
    ("Q2_K", "IQ3_XS", "IQ3_XXS", "Q3_K_S", "Q3_K_M", "IQ4_NL", "Q4_K_S", "Q4_K_M", "IQ3_S", "IQ3_M", "IQ4_XS")
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
