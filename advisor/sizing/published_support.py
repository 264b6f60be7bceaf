"""Which runtime loads a checkpoint as published: what no runtime planned here loads must not get a plan."""

from __future__ import annotations

from advisor.formats.safetensors_levels import find_safetensors_level
from advisor.machines.machine import Machine
from advisor.sizing.vllm_support import support
from advisor.sources.quantization import Quantization

# Methods whose packing no runtime planned here reads: their loaders are runtimes of their own, or transformers'.
_LOADERS = {
    "EXL2": "ExLlamaV2",
    "EXL3": "ExLlamaV3",
    "HQQ": "transformers",
    "AQLM": "transformers",
    "VPTQ": "transformers",
    "BITNET": "bitnet.cpp or transformers",
    "QUANTO": "transformers",
    "EETQ": "transformers",
    "FP_QUANT": "transformers",
}
_PACKED = find_safetensors_level("W4A16-g128")
_NAMES = {"vllm": "vLLM", "mlx": "mlx-lm"}


def published_refusal(quantization: Quantization | None, runtime: str, machine: Machine) -> str:
    """Why `runtime` does not load a checkpoint of this kind on `machine`, without a full stop; empty where it does."""
    for_mlx = quantization is not None and quantization.kind == "MLX"
    name = _NAMES.get(runtime, runtime)
    if runtime not in _NAMES:
        return f"{name} loads GGUF files only"
    if for_mlx != (runtime == "mlx"):
        return "MLX files are for mlx-lm on Apple silicon" if for_mlx else f"{name} loads MLX files only"
    if runtime == "mlx" and machine.kind != "apple-silicon":
        return "mlx-lm runs on Apple silicon only"
    if quantization is None:
        return ""
    if (loader := _LOADERS.get(quantization.kind.upper())) is not None:
        return f"{name} does not load {quantization.kind} files; {loader} does"
    if quantization.bits is None:
        return f"how {quantization.kind} packs weights is not known here, so neither is whether {name} loads them"
    return "" if runtime == "mlx" else _vllm_refusal(quantization, machine)


def _vllm_refusal(quantization: Quantization, machine: Machine) -> str:
    """The first scheme of its layers that vLLM refuses on this GPU."""
    nvidia = machine.vendor == "NVIDIA" and machine.compute_capability is not None
    capability = float(machine.compute_capability) if nvidia and machine.compute_capability else None
    for part in quantization.parts:
        # AutoRound has loaders of its own for bits that GPTQ's lack.
        level = _PACKED if quantization.kind == "AutoRound" else part.level
        if level is None:
            continue
        if refusal := support(level, vendor=machine.vendor, compute_capability=capability).refusal:
            return refusal
    return ""
