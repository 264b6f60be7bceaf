"""What llama.cpp's quantizer sees in a tensor table: which tensors it may touch, and which it treats alike.

The type of a tensor depends on its part in the network, on how deep it lies, and on a few traits of the
model. Tensors that share all of these form a class, so a level is decided once per class and not once
per tensor. Source: llama.cpp commit 0c1e57098 (October 2026), `src/llama-quant.cpp`, `conversion/base.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from advisor.formats.ggml_types import Type
from advisor.models.model import Model
from advisor.models.tensors import Tensor
from advisor.models.wiring import GgufWiring


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
VALUE_LIKE = (Part.ATTENTION_V, Part.ATTENTION_QKV)
_COUNTED = (*VALUE_LIKE, Part.FFN_UP, Part.FFN_GATE, Part.FFN_DOWN)

# Weights the quantizer leaves as the converter wrote them: small, sensitive, or not matrices at all. Here and below,
# what only some architectures add is in their `GgufWiring`.
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


def _part(name: str) -> Part:
    if name == "output.weight":
        return Part.OUTPUT
    if name in ("token_embd.weight", "per_layer_token_embd.weight"):
        return Part.TOKEN_EMBEDDING
    return next((part for fragment, part in _BY_NAME if fragment in name), Part.OTHER)


def _quantizable(tensor: Tensor, wiring: GgufWiring) -> bool:
    name = tensor.name
    if tensor.dimensions < 2 or not name.endswith("weight") or name in _NEVER_QUANTIZED_EXACT:
        return False
    return not any(fragment in name for fragment in _NEVER_QUANTIZED + wiring.never_quantized)


def _source_type(tensor: Tensor, wiring: GgufWiring) -> Type:
    """Type in an F16 conversion: F32 for vectors, norms and a few small matrices, else F16."""
    name = tensor.name
    if "tid2eid" in name:
        return Type.I32  # a look-up table of expert numbers
    if len(tensor.shape) < 2 or not name.endswith(".weight"):
        return Type.F32
    fragments = _CONVERTED_TO_F32 + wiring.converted_to_f32
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
    """Every tensor of the model, in file order, with its class; equal classes are mostly one object."""
    ordered = in_file_order(model.tensors)
    layer_count, wiring = len(model.layers), model.wiring.gguf
    seen: dict[Part, int] = {}
    # The classes of most tensors repeat over layers; the cache turns name tests into one lookup.
    by_name: dict[tuple[str, tuple[int, ...]], tuple[Part, bool, Type, bool]] = {}
    classes: dict[tuple[str, tuple[int, ...], tuple[bool, ...]], TensorClass] = {}
    names: list[tuple[str, tuple[int, ...]]] = []
    for tensor in ordered:
        short = tensor.name if tensor.layer is None else tensor.name.split(".", 2)[2]
        names.append((short, tensor.shape))
        if names[-1] not in by_name:
            precious = any(fragment in short for fragment in wiring.at_least_8_bit)
            found = _part(tensor.name), _quantizable(tensor, wiring), _source_type(tensor, wiring), precious
            by_name[names[-1]] = found
    value_count = sum(by_name[name][0] in VALUE_LIKE for name in names)
    for tensor, name in zip(ordered, names, strict=True):
        part, quantizable, source, precious = by_name[name]
        deep: tuple[bool, ...] = _NOWHERE
        if quantizable and part in _COUNTED:
            value_like = part in VALUE_LIKE
            counted_as = Part.ATTENTION_V if value_like else part
            ordinal = seen.get(counted_as, 0)
            seen[counted_as] = ordinal + 1
            # With experts the block number counts, without them the running number does.
            layer = tensor.layer if model.experts > 1 and tensor.layer is not None else ordinal
            position = Position(ordinal, value_count if value_like else layer_count, layer, layer_count)
            deep = _deep(position, value_like)
        if (kind := classes.get((*name, deep))) is None:
            stacked = len(tensor.shape) > 2 and tensor.shape[2] > 1
            kind = TensorClass(part, quantizable, source, tensor.shape[0], stacked, deep, precious)
            classes[*name, deep] = kind
        yield tensor, kind
