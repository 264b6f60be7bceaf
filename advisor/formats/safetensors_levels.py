"""The levels of the safetensors formats: GPTQ, AWQ, INT8, FP8, NVFP4, MXFP4, bitsandbytes, MLX and plain.

Each level names the writer whose layout is counted, with the version it was read from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from advisor.formats.level_id import LevelId
from advisor.foundation.errors import InputError, did_you_mean, resembling
from advisor.foundation.message import Message, fact
from advisor.models.model import Model


class Scheme(StrEnum):
    """Which tensors stand for one packed matrix; `advisor.formats.safetensors_layouts` lists them."""

    PLAIN = "plain"
    GPTQ = "gptq"
    AWQ = "awq"
    PACKED = "packed integers"
    CHANNEL = "one scale per channel"
    TENSOR = "one scale per tensor"
    BLOCK = "one scale per block"
    NVFP4 = "nvfp4"
    MXFP4 = "mxfp4"
    MXFP8 = "mxfp8"
    NATIVE_MXFP4 = "native mxfp4"
    NATIVE_FP4 = "native fp4 experts"
    NF4 = "nf4"
    LLM_INT8 = "llm.int8"
    MLX = "mlx"


@dataclass(frozen=True, slots=True)
class Scales:
    """How scales are stored: `dtype` where a writer keeps them in another type than most do, `of_activations` where the
    file has those as well, `in_order` where no index says which input has which."""

    dtype: str = ""
    of_activations: bool = False
    in_order: bool = False


USUAL_SCALES = Scales()


@dataclass(frozen=True, slots=True)
class SafetensorsLevel:
    """One choice within a safetensors format.

    `format` is the family shown to users. `nominal_bits` is what the rule of thumb would use. `group` is the
    number of inputs that share a scale (0: all of them), `dtype` the type that packed values or plain weights
    have in the file, `scales` how theirs lie there, `zero_points` that it holds those as well. `rest` is how Linear
    layers that are no experts are packed where that is otherwise. What begins with one of `kept` is packed as
    `kept_as` says but for what that keeps in turn, None: it stays in 16 bit, as do the first and the last block where
    `ends_kept`.
    """

    name: str
    format: str
    scheme: Scheme
    nominal_bits: float
    writer: str
    bits: int = 0
    group: int = 0
    dtype: str = ""
    zero_points: bool = False
    scales: Scales = USUAL_SCALES
    note: Message | None = None
    rest: SafetensorsLevel | None = None
    kept: tuple[str, ...] = ()
    kept_as: SafetensorsLevel | None = None
    ends_kept: bool = False

    @property
    def id(self) -> LevelId:
        return LevelId(self.format, self.name)

    def offered_for(self, model: Model) -> bool:
        """Native MXFP4 exists only where it was published; GPTQ, AWQ and MLX writers do not know encoders."""
        if self.scheme is Scheme.NATIVE_MXFP4:
            return model.wiring.repository.native_mxfp4
        if self.scheme is Scheme.NATIVE_FP4:
            return model.wiring.repository.native_fp4
        return model.causal or self.scheme not in (Scheme.GPTQ, Scheme.AWQ, Scheme.MLX)


GPTQMODEL = "GPTQModel 7.6.0 (AutoGPTQ writes the same tensors)"
AUTOAWQ = "AutoAWQ 0.2.9, version gemm"
COMPRESSED_TENSORS = "llmcompressor 0.14.0.1 with compressed-tensors 0.19.0"
BITSANDBYTES = "bitsandbytes 0.50.2 through transformers 4.57.6"
MLX_LM = "mlx-lm 0.32.2"
TRANSFORMERS = "transformers save_pretrained"
PUBLISHER = "the publisher's own file"

GROUPS = (128, 64, 32)
MLX_BITS = (8, 6, 5, 4, 3, 2)


def _gptq(bits: int, group: int) -> SafetensorsLevel:
    name = f"GPTQ-W{bits}A16-" + (f"g{group}" if group else "channel")
    return SafetensorsLevel(name, "gptq", Scheme.GPTQ, bits, GPTQMODEL, bits, group, zero_points=True)


def _awq(group: int) -> SafetensorsLevel:
    return SafetensorsLevel(f"AWQ-W4A16-g{group}", "awq", Scheme.AWQ, 4, AUTOAWQ, 4, group, zero_points=True)


def _packed(bits: int, group: int, zero_points: bool = False) -> SafetensorsLevel:
    """Integer weights in compressed-tensors' packed form; AWQ with zero points is written like this as well."""
    name = f"W{bits}A16{'-asym' if zero_points else ''}-" + (f"g{group}" if group else "channel")
    family = "int8" if bits == 8 else "awq" if zero_points else "gptq"
    return SafetensorsLevel(name, family, Scheme.PACKED, bits, COMPRESSED_TENSORS, bits, group, zero_points=zero_points)


def _mlx(bits: int, group: int) -> SafetensorsLevel:
    return SafetensorsLevel(f"MLX-{bits}bit-g{group}", "mlx", Scheme.MLX, bits, MLX_LM, bits, group, zero_points=True)


def _eight_bit(
    name: str, family: str, scheme: Scheme, dtype: str, **options: bool | int | tuple[str, ...] | Scales
) -> SafetensorsLevel:
    level = SafetensorsLevel(name, family, scheme, 8, COMPRESSED_TENSORS, 8, dtype=dtype)
    return replace(level, **options)  # type: ignore[arg-type]


def _native_fp4() -> SafetensorsLevel:
    """DeepSeek V4: experts in FP4 with a scale for 32 inputs, the other layers in FP8 with one for 128 x 128."""
    rest = _eight_bit("FP8-block128", "fp8", Scheme.BLOCK, "F8_E4M3", group=128)
    name = "FP4-FP8-native"
    return SafetensorsLevel(name, "mxfp4", Scheme.NATIVE_FP4, 4, PUBLISHER, 4, 32, "U8", note=_NATIVE, rest=rest)


def _publishers() -> tuple[SafetensorsLevel, ...]:
    """Levels that exist only where a publisher made them: Meta's FP8, whose attention, first and last block stay in 16
    bit, and Moonshot's checkpoints with nothing but the routed experts in four bits.
    """
    fbgemm = _eight_bit("FP8-fbgemm", "fp8", Scheme.CHANNEL, "F8_E4M3", kept=("self_attn.",), ends_kept=True)
    mxfp4 = SafetensorsLevel("MXFP4-experts", "mxfp4", Scheme.MXFP4, 4, PUBLISHER, 4, 32, "U8")
    own = replace(_packed(4, 32), name="INT4-native", writer=PUBLISHER)
    return (
        replace(fbgemm, writer=PUBLISHER),
        *(replace(level, kept=BESIDE_EXPERTS, note=_NATIVE) for level in (own, mxfp4)),
    )


# Beginnings of the names of all Linear layers but the routed experts.
BESIDE_EXPERTS = (
    *("self_attn.", "linear_attn.", "mamba.", "conv."),
    *("mlp.shared_experts.", "mlp.routed_", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj", "mlp.gate_up_proj"),
)
_WITH_ACTIVATIONS = Scales(of_activations=True)
_MICROSCALED = fact("level_microscaled")
_DOUBLE = fact("level_double_quantization")
_NATIVE = fact("level_as_published")

SAFETENSORS_LEVELS: dict[str, SafetensorsLevel] = {
    level.name: level
    for level in (
        SafetensorsLevel("F32-safetensors", "plain", Scheme.PLAIN, 32, TRANSFORMERS, 32, dtype="F32"),
        SafetensorsLevel("BF16-safetensors", "plain", Scheme.PLAIN, 16, TRANSFORMERS, 16, dtype="BF16"),
        SafetensorsLevel("F16-safetensors", "plain", Scheme.PLAIN, 16, TRANSFORMERS, 16, dtype="F16"),
        _eight_bit("FP8-dynamic", "fp8", Scheme.CHANNEL, "F8_E4M3"),
        _eight_bit("FP8-static", "fp8", Scheme.TENSOR, "F8_E4M3", scales=_WITH_ACTIVATIONS),
        _eight_bit("FP8-block128", "fp8", Scheme.BLOCK, "F8_E4M3", group=128),
        _eight_bit("MXFP8", "fp8", Scheme.MXFP8, "F8_E4M3", group=32),
        _eight_bit("W8A8-INT8", "int8", Scheme.CHANNEL, "I8"),
        _packed(8, 128),
        _packed(8, 0),
        SafetensorsLevel("INT8-bnb", "bnb", Scheme.LLM_INT8, 8, BITSANDBYTES, 8, dtype="I8"),
        _gptq(8, 128),
        _packed(4, 128),
        _packed(4, 128, zero_points=True),
        *(_gptq(4, group) for group in GROUPS),
        _gptq(3, 128),
        _gptq(2, 64),
        _awq(128),
        _awq(64),
        SafetensorsLevel(
            "NVFP4", "nvfp4", Scheme.NVFP4, 4, COMPRESSED_TENSORS, 4, 16, "U8", scales=Scales(of_activations=True)
        ),
        SafetensorsLevel("NVFP4A16", "nvfp4", Scheme.NVFP4, 4, COMPRESSED_TENSORS, 4, 16, "U8"),
        SafetensorsLevel("MXFP4A16", "mxfp4", Scheme.MXFP4, 4, COMPRESSED_TENSORS, 4, 32, "U8", note=_MICROSCALED),
        SafetensorsLevel("MXFP4-native", "mxfp4", Scheme.NATIVE_MXFP4, 4, PUBLISHER, 4, 32, "U8", note=_NATIVE),
        _native_fp4(),
        SafetensorsLevel("NF4", "bnb", Scheme.NF4, 4, BITSANDBYTES, 4, 64, "U8", note=_DOUBLE),
        *(_mlx(bits, 64) for bits in MLX_BITS),
        _mlx(4, 128),
        _mlx(4, 32),
    )
}


def find_safetensors_level(name: str) -> SafetensorsLevel:
    """A level by name: a listed one, or any other group and bit width that its writer supports."""
    if found := SAFETENSORS_LEVELS.get(name):
        return found
    if found := next((level for level in _publishers() if level.name == name), None):
        return found
    if match := re.fullmatch(r"GPTQ-W([2348])A16-(?:g(32|64|128)|channel)", name):
        return _gptq(int(match[1]), int(match[2] or 0))
    if match := re.fullmatch(r"AWQ-W4A16-g(32|64|128)", name):
        return _awq(int(match[1]))
    if match := re.fullmatch(r"W([48])A16(-asym)?-(?:g(32|64|128)|channel)", name):
        return _packed(int(match[1]), int(match[3] or 0), bool(match[2]))
    if match := re.fullmatch(r"MLX-([234568])bit-g(32|64|128)", name):
        return _mlx(int(match[1]), int(match[2]))
    close = resembling(name, SAFETENSORS_LEVELS)
    if close:
        raise InputError("Unknown level '{name}'; {hint}", close, name=name[:80], hint=did_you_mean(close))
    raise InputError("Unknown level '{name}'.", name=name[:80])
