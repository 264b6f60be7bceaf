"""Recognising how a repository's weights are already quantized, from its config and its tensors' types."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from advisor.sources.safetensors_header import CheckpointTensor


@dataclass(frozen=True, slots=True)
class Quantization:
    """`kind` is the method, `level` our short name for it; `bits` of a packed weight, 16 where nothing is packed."""

    kind: str
    level: str
    bits: int = 16
    group_size: int = 0


def recognise(config: Mapping[str, Any], tensors: Sequence[CheckpointTensor]) -> Quantization | None:
    """How the checkpoint is quantized, None when it is not."""
    section = config.get("quantization_config") or _inner(config).get("quantization_config")
    if isinstance(section, Mapping):
        return _from_section(section)
    mlx = config.get("quantization")
    if isinstance(mlx, Mapping) and "bits" in mlx:
        bits, group = _whole(mlx.get("bits"), 4), _whole(mlx.get("group_size"), 64)
        mode = mlx.get("mode")
        if isinstance(mode, str) and mode not in ("affine", ""):
            return Quantization("MLX", f"MLX-{mode.lower()}", bits, group)
        return Quantization("MLX", f"MLX-{bits}bit-g{group}", bits, group)
    return _from_types(tensors)


def _inner(config: Mapping[str, Any]) -> Mapping[str, Any]:
    text = config.get("text_config")
    return text if isinstance(text, Mapping) else {}


def _from_section(section: Mapping[str, Any]) -> Quantization | None:
    method = str(section.get("quant_method", "")).lower()
    bits, group = (
        _whole(section.get("bits", section.get("w_bit")), 4),
        _whole(section.get("group_size", section.get("q_group_size")), 128),
    )
    if method in ("gptq", "gptq_marlin", "auto-round", "autoround", "intel/auto-round"):
        kind = "GPTQ" if method.startswith("gptq") else "AutoRound"
        return Quantization(kind, f"{kind}-W{bits}A16{_group(group)}", bits, max(group, 0))
    if method == "awq":
        return Quantization("AWQ", f"AWQ-W{bits}A16{_group(group)}", bits, max(group, 0))
    if method == "compressed-tensors":
        return _compressed(section)
    if method in ("bitsandbytes", "bnb") or section.get("load_in_4bit") or section.get("load_in_8bit"):
        if section.get("load_in_8bit"):
            return Quantization("bitsandbytes", "LLM.int8", 8)
        return Quantization("bitsandbytes", str(section.get("bnb_4bit_quant_type") or "fp4").upper(), 4, 64)
    if method == "mxfp4":
        return Quantization("MXFP4", "MXFP4", 4, 32)
    if method in ("fp8", "fbgemm_fp8"):
        block = section.get("weight_block_size")
        if isinstance(block, list) and block:
            return Quantization("FP8", f"FP8-block{_whole(block[0], 128)}", 8, _whole(block[0], 128))
        dynamic = str(section.get("activation_scheme", "dynamic")) == "dynamic"
        return Quantization("FP8", "FP8-dynamic" if dynamic else "FP8-static", 8)
    if method == "modelopt" or "quant_algo" in section:
        algorithm = str(section.get("quant_algo", "modelopt")).upper()
        bits = 4 if "FP4" in algorithm else 8
        return Quantization("NVFP4" if "NVFP4" in algorithm else "FP8", algorithm, bits, 16 if bits == 4 else 0)
    return Quantization(method or "unknown", method.upper() or "quantized", bits) if section else None


def _compressed(section: Mapping[str, Any]) -> Quantization:
    form = str(section.get("format", ""))
    groups = section.get("config_groups")
    chosen: Any = next(iter(groups.values()), {}) if isinstance(groups, Mapping) else {}
    first: Mapping[str, Any] = chosen if isinstance(chosen, Mapping) else {}
    weights, inputs = first.get("weights"), first.get("input_activations")
    weights = weights if isinstance(weights, Mapping) else {}
    bits, group = _whole(weights.get("num_bits"), 8), _whole(weights.get("group_size"), 0)
    floating = str(weights.get("type", "")) == "float" or "float" in form or "fp4" in form
    if "nvfp4" in form or (floating and bits == 4 and group == 16):
        return Quantization("compressed-tensors", "NVFP4", 4, 16)
    if "mxfp4" in form or (floating and bits == 4):
        return Quantization("compressed-tensors", "MXFP4", 4, 32)
    if floating:
        dynamic = isinstance(inputs, Mapping) and inputs.get("dynamic")
        if weights.get("strategy") == "block":
            return Quantization("compressed-tensors", "FP8-block128", 8, 128)
        return Quantization(
            "compressed-tensors", "FP8-dynamic" if dynamic else "FP8-static" if inputs else "FP8-W8A16", 8
        )
    if inputs:
        return Quantization("compressed-tensors", f"W{bits}A8-INT8", bits, max(group, 0))
    return Quantization("compressed-tensors", f"W{bits}A16{_group(group)}", bits, max(group, 0))


def _from_types(tensors: Iterable[CheckpointTensor]) -> Quantization | None:
    """Without a quantization_config the types of the big tensors still tell."""
    names = {tensor.name.rpartition(".")[2]: tensor for tensor in tensors}
    types = {tensor.dtype for tensor in tensors if len(tensor.shape) > 1}
    if "qweight" in names:
        return Quantization("GPTQ or AWQ", "W4A16", 4)
    if any(kind.startswith(("F8_E4M3", "F8_E5M2")) for kind in types):
        return Quantization("FP8", "FP8", 8)
    if "weight_packed" in names:
        return Quantization("compressed-tensors", "packed", 4)
    return None


def _whole(value: Any, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def _group(size: int) -> str:
    return f"-g{size}" if size > 0 else "-channel" if size < 0 else ""


_SCALES = re.compile(
    r"(\.weight_scale(_inv|_2)?|\.(input|k|v|q|prob|output)_scale|\.scales|\.qzeros|\.g_idx|\.weight_(zero_point|g_idx|shape|global_scale)"
    r"|\.input_(zero_point|global_scale)|\.(absmax|quant_map|nested_absmax|nested_quant_map|SCB|weight_format)|\.quant_state\..*"
    r"|_proj_scales|\.e_scale|_weight_scale(_inv)?)$"
)


def unpacked(
    tensors: Iterable[CheckpointTensor], how: Quantization | None
) -> Iterable[tuple[str, int, tuple[int, ...] | None]]:
    """Name, number of weights and shape (None where packing hides it) of each tensor as it was before quantization."""
    for tensor in tensors:
        name = tensor.name
        if how is None:
            yield name, tensor.elements, tensor.shape
        elif _SCALES.search(name) or (how.kind == "MLX" and name.endswith(".biases")):
            continue
        elif name.endswith(".qweight"):
            yield name.removesuffix("qweight") + "weight", tensor.elements * 32 // how.bits, None
        elif name.endswith(".weight_packed"):
            per = 32 // how.bits if tensor.dtype in ("I32", "U32") else 2
            yield name.removesuffix("_packed"), tensor.elements * per, None
        elif name.endswith("_blocks") and tensor.dtype == "U8":
            yield name.removesuffix("_blocks"), tensor.elements * 2, None
        elif how.bits < 8 and tensor.dtype == "U8" and name.endswith(".weight"):
            yield name, tensor.elements * 2, None
        elif how.kind == "MLX" and tensor.dtype == "U32":
            yield name, tensor.elements * 32 // how.bits, None
        else:
            yield name, tensor.elements, tensor.shape
