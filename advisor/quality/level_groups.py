"""Which levels lose alike: every level of every format belongs to a group whose loss was measured.

GGUF levels are groups of their own. The other formats differ by bits, by whether the rounding was calibrated on
text, and by whether activations are rounded too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from advisor.formats.gguf_levels import LEVELS, Level
from advisor.formats.levels import find_level
from advisor.formats.safetensors_levels import SAFETENSORS_LEVELS, SafetensorsLevel, Scheme
from advisor.foundation.errors import InputError, did_you_mean, one_line, resembling
from advisor.foundation.numbers import given

UNQUANTIZED = "16-bit"
# Rounding up or down is itself learned, layer by layer: at two bits that is another level than GPTQ and AWQ, which
# keep 41 to 69 % where it keeps 64 to 89 (of the same models, in AutoRound's own tables).
TUNED = "AutoRound-"
MOST_CHARACTERS = 80

# Levels of one series lose less from left to right, for every model; between series only measurements decide
# (IQ3_XXS loses less than the larger Q3_K_S).
SERIES: dict[str, tuple[str, ...]] = {
    "k-quants": (
        "Q2_K_S", "Q2_K", "Q3_K_S", "Q3_K_M", "Q3_K_L", "Q4_K_S", "Q4_K_M", "Q5_K_S", "Q5_K_M", "Q6_K", "Q8_0",
    ),
    "i-quants": (
        "IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M", "IQ3_XXS", "IQ3_XS", "IQ3_S", "IQ3_M", "IQ4_XS",
        "IQ4_NL",
    ),
    "first types": ("Q4_0", "Q4_1", "Q5_0", "Q5_1"),
    "weights only, calibrated": ("W2 calibrated", "W2 tuned", "W3 calibrated", "W4 calibrated", "W8"),
    "weights only, rounded": ("W2 rounded", "W3 rounded", "W4 rounded", "W5", "W6"),
}  # fmt: skip

# Bits per weight of whole files of Llama 3.1 8B, smallest first.
_FILE_BITS: dict[str, float] = {
    "Q2_K_S": 2.98, "Q2_K": 3.16, "Q3_K_S": 3.65, "Q3_K_M": 4.0, "Q3_K_L": 4.31, "Q4_K_S": 4.67, "Q4_K_M": 4.89,
    "Q5_K_S": 5.57, "Q5_K_M": 5.7, "Q6_K": 6.56, "Q8_0": 8.5,
}  # fmt: skip
_UNKNOWABLE = {"TQ2_0", "TQ1_0"}  # for models trained in three values; useless as a level for others


@dataclass(frozen=True, slots=True)
class QualityLevel:
    """A level as the evidence sees it.

    `name` is our own name for it; `group` is shared by levels that lose alike, `16-bit` for those that lose
    nothing and empty where nothing is known. `bits` is the size class: bits of the rounded weights. `stock` is
    False for another recipe of the same name (a provider's own mix, all tensors at one type).
    """

    name: str
    group: str
    bits: int
    stock: bool = True
    gguf: bool = False


def _safetensors_group(level: SafetensorsLevel) -> str:
    match level.scheme:
        case (
            Scheme.PLAIN | Scheme.NATIVE_MXFP4 | Scheme.NATIVE_FP4
        ):  # published so: that file is what others are compared with
            return UNQUANTIZED
        case Scheme.NVFP4:
            return "NVFP4" if level.scales.of_activations else "W4 rounded"
        case Scheme.MXFP4 | Scheme.NF4:
            return "W4 rounded"
        case Scheme.MLX:
            if level.bits == 2:
                return "W2 rounded"
            return "W8" if level.bits == 8 else f"W{level.bits}" if level.bits >= 5 else f"W{level.bits} rounded"
        case Scheme.GPTQ if level.bits == 2 and level.name.startswith(TUNED):
            return "W2 tuned"
        case Scheme.GPTQ | Scheme.AWQ | Scheme.PACKED if level.bits < 8:
            return f"W{level.bits} calibrated" if level.group else f"W{level.bits} per channel"
    return "W8"


def _own_levels() -> dict[str, QualityLevel]:
    found = {}
    for name, level in LEVELS.items():
        group = UNQUANTIZED if level.nominal_bits >= 16 or level.native_only else name
        group = {"MXFP4_MOE": "Q4_0"}.get(group, "" if name in _UNKNOWABLE else group)
        found[name] = QualityLevel(name, group, round(level.nominal_bits), gguf=True)
    for name, other in SAFETENSORS_LEVELS.items():
        found[name] = QualityLevel(name, _safetensors_group(other), round(other.nominal_bits))
    return found


# What publishers call a level, and the level of ours it is. The first pattern that fits decides.
_SPELLINGS: tuple[tuple[str, str, bool], ...] = (
    (r"bnb-nf4|nf4", "NF4", True),
    (r"bnb-int8|llm\.int8", "INT8-bnb", True),
    (r"bnb-fp4", "NF4", False),
    (r"fp8(-dynamic)?( rowwise| per-token/per-channel)?", "FP8-dynamic", True),
    (r"fp8-block", "FP8-block128", True),
    (r"fp8 per-tensor", "FP8-static", True),
    (r"w8a8-int(8| rowwise| \(smoothquant\))?", "W8A8-INT8", True),
    (r"w8a16(-int)?( rowwise| \(rtn\))?|nncf int8_asym", "W8A16-channel", True),
    (r"nvfp4( w4a4)?", "NVFP4", True),
    (r"mxfp4 w4a4", "MXFP4 W4A4", True),
    (r"w4a16(-g128)?( \(imatrix_mse\))?", "GPTQ-W4A16-g128", True),
    (r"w3a16-g128( \(autoround\))?", "GPTQ-W3A16-g128", True),
    (r"w2a16-g64", "GPTQ-W2A16-g64", True),
    (r"w2a16-g128", "GPTQ-W2A16-g64", False),
    (r"w2a16-g64 \(autoround\)|autoround-w2a16-g\d+", "AutoRound-W2A16-g64", True),
    (r"w2a16-g128 \(autoround\)", "AutoRound-W2A16-g64", False),
    (r"w4a16-g128 \(onnx int4 awq\)", "AWQ-W4A16-g128", False),
    (r"w4a16(-g128)? \(autoround\)", "W4A16-g128", True),
    (r"w4a16-per-channel( \(autoround\))?", "W4A16-channel", True),
    (r"w4a16-g128 \((opt-rtn|rtn|rtn imatrix_mse)\)|int4 blockwise-max_algo only", "MLX-4bit-g128", False),
    (r"w3a16-g128 \((opt-rtn|rtn)\)", "MLX-3bit-g64", False),
    (r"w2a16-g(64|128) \((opt-rtn|rtn)\)", "MLX-2bit-g64", False),
    (r"w4a16-per-channel \(rtn\)", "MLX-4bit-g128", False),
    (r"w4a16/w8 mixed \(awq\)|owq 4\.01bpw( g128)?", "GPTQ-W4A16-g128", False),
    (r"owq 3\.01bpw( g128)?", "GPTQ-W3A16-g128", False),
    (r"exl2-(4\.0|4\.25)bpw", "GPTQ-W4A16-g128", False),
    (r"exl2-(5|6|8)\.0+bpw", r"MLX-\1bit-g64", False),
    (r"nncf int4\S*(awq|gptq|scale)\S*", "GPTQ-W4A16-g128", False),
    (r"nncf (int4|nf4)\S*|ipex-sym_int4|w4a16/w8 mixed \(rtn\)", "MLX-4bit-g128", False),
    (r"ipex-fp6", "MLX-6bit-g64", False),
    (r"ipex-fp8\S*", "FP8-static", False),
    (r"mlx-q(\d)", r"MLX-\1bit-g64", True),
    (r"mlx-q(\d)-g32", r"MLX-\1bit-g32", True),
    (r"q(\d)_k \(paper mix\)|dq(3)_k_m \(paper mix\)", r"Q\1\2_K_M", False),
    (r"q6_k \(pure\)", "Q6_K", False),
    (r"q([2345])_k \(pure\)", r"Q\1_K_S", False),
    (r"ud-(i?q\d_(?:k_[sml]|k|xxs|xs|s|m))( \(qat weights\))?", r"\1", False),
    (r"(ud-)?q([345])_k_xl( \(qat weights\))?", r"Q\2_K_M", False),
    (r"(ud-)?q2_k_(xl|l)( \(qat weights\))?", "Q2_K", False),
    (r"(q4)_k_l", "Q4_K_M", False),
    (r"(i?q\d_(?:0|1|k_[sml]|k|xxs|xs|s|m|nl)) \((pure|tweaked|lmstudio|qat weights)\)", r"\1", False),
)  # fmt: skip
_NOT_COMPARABLE = re.compile(r"\bik\b|kv|efficientqat", re.IGNORECASE)
# Formats that are only measured, never written by us.
_EXTRA = {
    "MXFP4 W4A4": QualityLevel("MXFP4 W4A4", "MXFP4 W4A4", 4),
    "AutoRound-W2A16-g64": QualityLevel("AutoRound-W2A16-g64", "W2 tuned", 2),
}


@cache
def _levels() -> dict[str, QualityLevel]:
    return {**_own_levels(), **_EXTRA}


@cache
def _by_lower() -> dict[str, QualityLevel]:
    return {name.lower(): level for name, level in _levels().items()}


@lru_cache(4096)
def known_level(name: str) -> QualityLevel | None:
    """The level meant by one of our names or by a publisher's spelling, None where it is none that we know."""
    text = " ".join(name.split())
    if found := _by_lower().get(text.lower()):
        return found
    if _NOT_COMPARABLE.search(text):
        return None
    for pattern, ours, stock in _SPELLINGS:
        if match := re.fullmatch(pattern, text, re.IGNORECASE):
            own = known_level(match.expand(ours))
            if own is not None:
                return own if stock else replace(own, stock=False)
    try:
        other = find_level(text)
    except InputError:
        return None
    if isinstance(other, Level):
        own = _by_lower().get((other.like or other.name).lower())
        return own if own is None or not other.like else replace(own, stock=False)
    return QualityLevel(other.name, _safetensors_group(other), round(other.nominal_bits))


def quality_level_of(level: SafetensorsLevel) -> QualityLevel:
    """A level of a safetensors format as the evidence sees it, whether it is one of the listed ones or not."""
    return QualityLevel(level.name, _safetensors_group(level), round(level.nominal_bits))


def find_quality_level(name: str, bits_per_weight: float | None = None) -> QualityLevel:
    """The level with this name, or for an unknown name the k-quant that a file of these bits per weight is like.

    The k-quant is the largest that is not larger, and is never the measured recipe itself. Raises InputError for
    an unknown name without bits, and for bits that no file has.
    """
    if len(name) <= MOST_CHARACTERS and (found := known_level(name)):
        return found
    if bits_per_weight is None:
        close = resembling(name, _levels())
        if close:
            raise InputError("Unknown level '{name}'; {hint}", close, name=one_line(name, 80), hint=did_you_mean(close))
        raise InputError("Unknown level '{name}'.", name=one_line(name, 80))
    if not 0 < bits_per_weight <= 64:
        raise InputError(
            "A level cannot have {bits_per_weight} bits per weight; give file bits / parameters.",
            bits_per_weight=given(bits_per_weight),
        )
    shown = one_line(name, MOST_CHARACTERS)
    if bits_per_weight >= 15:
        return QualityLevel(shown, UNQUANTIZED, 16, stock=False)
    smaller = [level for level, bits in _FILE_BITS.items() if bits <= bits_per_weight]
    if not smaller:
        return QualityLevel(shown, "", 1, stock=False)
    like = _levels()[smaller[-1]]
    return QualityLevel(shown, like.group, like.bits, stock=False, gguf=True)
