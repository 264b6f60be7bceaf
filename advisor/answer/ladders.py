"""The levels that may be recommended, best first, by the engine that runs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from advisor.formats.gguf_levels import LEVELS
from advisor.models.model import Model

# The levels that publishers offer, best first. Above Q6_K nothing is gained that anybody sees; near equals of these
# (Q5_0, Q4_1, IQ4_NL ...) are not worth a separate recommendation.
QUALITY_LADDER = (
    "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_K_S", "IQ4_XS", "Q3_K_L", "Q3_K_M", "IQ3_M", "IQ3_XS", "IQ3_XXS",
    "Q2_K", "IQ2_M", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ1_M", "IQ1_S",
)  # fmt: skip
NO_VISIBLE_GAIN = "Q8_0"
VLLM_LADDER = (
    "FP8-dynamic", "W8A8-INT8", "GPTQ-W8A16-g128", "W4A16-g128", "GPTQ-W4A16-g128", "AWQ-W4A16-g128", "NVFP4A16",
    "NVFP4", "NF4",
)  # fmt: skip
MLX_LADDER = ("MLX-6bit-g64", "MLX-5bit-g64", "MLX-4bit-g32", "MLX-4bit-g64", "MLX-3bit-g64", "MLX-2bit-g64")
# Nobody has measured what quantization costs vectors and scores, and these models are small: whole, then 8 bits.
_READING_ONLY = {"llama.cpp": ("F16", NO_VISIBLE_GAIN), "vllm": ("BF16-safetensors", "F16-safetensors"), "mlx": ()}
_WHOLE = {"llama.cpp": (NO_VISIBLE_GAIN,), "vllm": ("BF16-safetensors",), "mlx": ("MLX-8bit-g64",)}
NATIVE_LEVELS = ("MXFP4", "MXFP4-native")
_LADDERS = {"llama.cpp": QUALITY_LADDER, "vllm": VLLM_LADDER, "mlx": MLX_LADDER}
_SMALL_MODEL = 4_000_000_000  # parameters; smaller models lose more to quantization and cost little to keep whole


@dataclass(frozen=True, slots=True)
class Subject:
    """What the sentences are about."""

    parameters: int
    machine_name: str
    licence: str = ""
    family: str = "llama.cpp"  # whose levels are compared: llama.cpp, vllm or mlx
    writes: bool = True  # False for encoders and rerankers


def looked_at(model: Model, subject: Subject) -> frozenset[str]:
    """The GGUF levels that a recommendation for `model` looks at: the ladder and what it is compared with."""
    offered = [level.name for level in LEVELS.values() if level.offered_for(model)]
    return frozenset((*ladder(offered, subject), NO_VISIBLE_GAIN))


def ladder(levels: Sequence[str], subject: Subject) -> tuple[str, ...]:
    """The levels among `levels` that may be recommended, best first; all of them where none is a usual one."""
    usual = _LADDERS[subject.family]
    if not subject.writes:
        usual = (*_READING_ONLY[subject.family], *usual)
    elif native := tuple(level for level in NATIVE_LEVELS if level in levels):
        usual = (*native, *usual)
    elif subject.parameters < _SMALL_MODEL:
        usual = (*_WHOLE[subject.family], *usual)
    known = tuple(level for level in usual if level in levels)
    return known or tuple(levels)
