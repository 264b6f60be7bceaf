"""Which levels vLLM loads on which GPU, and with which kernels, as data/runtime_support.csv says."""

from __future__ import annotations

from advisor.formats.safetensors_levels import SAFETENSORS_LEVELS, SafetensorsLevel
from advisor.machines.chip import Chip
from advisor.runtimes.support import Support, supports
from advisor.sizing.runtime_id import RuntimeId

VERSION = "vLLM 0.33.0"


def chip(vendor: str, compute_capability: float | None, architecture: str | None) -> Chip:
    """NVIDIA's GPUs go by compute capability, such as 8.9, AMD's by architecture, such as gfx942; None: not known."""
    if vendor == "NVIDIA":
        return Chip(vendor, None if compute_capability is None else f"{compute_capability:.1f}")
    return Chip(vendor, architecture)


def support(
    level: SafetensorsLevel,
    *,
    vendor: str = "NVIDIA",
    compute_capability: float | None = None,
    architecture: str | None = None,
) -> Support:
    """Whether vLLM loads `level`. An unknown generation (None) refuses nothing that some GPU of the vendor can do."""
    return supports(RuntimeId.VLLM, level, chip(vendor, compute_capability, architecture))


_FP8_CAPABILITY = 8.9


def keeps_fp8(on: Chip) -> bool:
    """Whether the KV cache is kept in fp8 without loss of speed: what multiplies fp8 (`supports_fp8()`)."""
    if on.vendor == "NVIDIA":
        return on.capability is not None and on.capability >= _FP8_CAPABILITY
    level = SAFETENSORS_LEVELS["FP8-dynamic"]
    return on.generation is not None and not supports(RuntimeId.VLLM, level, on).refusal
