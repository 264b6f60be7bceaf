"""Which levels vLLM loads on which GPU, and with which kernels.

Rules of vLLM 0.33.0: `get_min_capability` of each scheme in `model_executor/layers/quantization/`, and `platforms/`.
Compute capability is NVIDIA's number, such as 8.9; for AMD the list `supported_quantization` of `platforms/rocm.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from advisor.formats.safetensors_levels import SafetensorsLevel, Scheme

VERSION = "vLLM 0.33.0"
LEAST_CAPABILITY = 7.5  # wheels for CUDA 13 are built for 7.5 and later
_BFLOAT16 = 8.0
_FP8 = 8.9
_FP4 = 10.0
_GPTQ_BITS = (4, 8)
_NOT_ON_AMD = {
    Scheme.NVFP4: "vLLM only emulates NVFP4 on AMD, which saves no memory traffic",
    Scheme.NF4: "vLLM's ROCm build does not list bitsandbytes",
    Scheme.LLM_INT8: "vLLM's ROCm build does not list bitsandbytes",
}
_PLUGIN = "Needs the plugin vllm-bnb-plugin: bitsandbytes is no longer part of vLLM itself."


@dataclass(frozen=True, slots=True)
class Support:
    """`refusal` says why vLLM cannot load a level, empty when it can; `note` how it computes it."""

    refusal: str = ""
    note: str = ""


def support(level: SafetensorsLevel, *, vendor: str = "NVIDIA", compute_capability: float | None = None) -> Support:
    """Whether vLLM loads `level`. An unknown compute capability (None) refuses nothing that some NVIDIA GPU can do."""
    if refusal := _refused_everywhere(level, vendor):
        return Support(refusal)
    if vendor == "AMD":
        return Support(_NOT_ON_AMD.get(level.scheme, ""), _note(level, None))
    if compute_capability is not None and compute_capability < LEAST_CAPABILITY:
        return Support(
            f"{VERSION} needs compute capability {LEAST_CAPABILITY} or later; this GPU has {compute_capability}"
        )
    native = level.scheme is Scheme.NATIVE_MXFP4 or level.scheme is Scheme.MXFP4
    if native and compute_capability is not None and compute_capability < _BFLOAT16:
        return Support(f"MXFP4 needs compute capability {_BFLOAT16} or later; this GPU has {compute_capability}")
    return Support(note=_note(level, compute_capability))


def _refused_everywhere(level: SafetensorsLevel, vendor: str) -> str:
    if vendor not in ("NVIDIA", "AMD"):
        return f"vLLM's own wheels are for NVIDIA and AMD GPUs; {vendor} needs a separate plugin that is not sized here"
    if level.scheme is Scheme.MLX:
        return "MLX files are for Apple silicon; vLLM does not read them"
    if level.scheme is Scheme.GPTQ and level.bits not in _GPTQ_BITS:
        return f"vLLM loads GPTQ with 4 or 8 bits only, not {level.bits}"
    if level.scheme is Scheme.PLAIN and level.bits == 32:
        return "vLLM loads 32-bit files as 16 bit unless told otherwise; see BF16"
    return ""


def _note(level: SafetensorsLevel, capability: float | None) -> str:
    """In one sentence, the kernels a level gets where that is not what its name promises."""
    known = capability if capability is not None else 99.0
    match level.scheme:
        case Scheme.CHANNEL | Scheme.TENSOR | Scheme.BLOCK if level.dtype.startswith("F8") and known < _FP8:
            return (
                "No FP8 arithmetic before compute capability 8.9: weights stay in FP8, computing is in 16 bit (Marlin)."
            )
        case Scheme.NVFP4 | Scheme.MXFP4 | Scheme.NATIVE_MXFP4 | Scheme.MXFP8 if known < _FP4:
            return "No such arithmetic before compute capability 10.0: weights stay packed, computing is in 16 bit."
        case Scheme.NF4 | Scheme.LLM_INT8:
            return _PLUGIN
        case Scheme.PLAIN if level.dtype == "BF16" and known < _BFLOAT16:
            return "No BF16 before compute capability 8.0: vLLM computes it as F16."
        case _:
            return ""
