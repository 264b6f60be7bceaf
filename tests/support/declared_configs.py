"""Configs of quantized repositories, written as the tools write them, with the layers that each is known to pack.

The texts themselves could not be read: NVIDIA's list every module, llm-compressor's leave modules out by name or by an
expression, and which ones follows from what a repository's name, its bytes and its publisher say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from advisor.models.catalogue import catalogue

BLOCKS = "model.language_model.layers"
FP8: dict[str, Any] = {"quant_algo": "FP8"}
NVFP4: dict[str, Any] = {"quant_algo": "NVFP4", "group_size": 16}
FOUR_BITS = {"num_bits": 4, "type": "int", "symmetric": False, "group_size": 32, "strategy": "group"}


def modelopt(listed: dict[str, dict[str, Any]]) -> dict[str, Any]:
    section = {"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION", "ignore": ["mtp*"]}
    return {"quantization_config": {**section, "quantized_layers": listed}}


def compressed(ignore: list[str]) -> dict[str, Any]:
    group = {"targets": ["Linear"], "weights": FOUR_BITS, "format": "pack-quantized"}
    section = {"quant_method": "compressed-tensors", "config_groups": {"group_0": group}, "ignore": ignore}
    return {"quantization_config": section}


def qwen_by_nvidia(shape: str, feed_forward: tuple[str, ...]) -> dict[str, Any]:
    listed = {"lm_head": NVFP4}
    for number in range(len(catalogue()[shape].model.layers)):
        listed |= {f"{BLOCKS}.{number}.mlp.{module}": NVFP4 for module in feed_forward}
        listed |= {f"{BLOCKS}.{number}.self_attn.{part}_proj": FP8 for part in "qkvo"}
        listed |= {f"{BLOCKS}.{number}.linear_attn.{part}": FP8 for part in ("in_proj_qkv", "in_proj_z", "out_proj")}
    return modelopt(listed)


def kimi_by_nvidia() -> dict[str, Any]:
    blocks, listed = "language_model.model.layers", {}
    for number in range(len(catalogue()["kimi-k3"].model.layers)):
        listed[f"{blocks}.{number}.block_sparse_moe.experts"] = NVFP4
        listed[f"{blocks}.{number}.self_attn"] = FP8
    return modelopt(listed)


def declared_configs() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each repository with its `quantization_config`."""
    dense, routed = ("gate_proj", "up_proj", "down_proj"), ("experts", "shared_expert")
    yield "nvidia/Qwen3.8-27B-NVFP4", qwen_by_nvidia("qwen3.8-27b", dense)
    yield "nvidia/Qwen3.6-35B-A3B-NVFP4", qwen_by_nvidia("qwen3.6-35b-a3b", routed)
    yield "nvidia/Kimi-K3-NVFP4", kimi_by_nvidia()
    beside = ["lm_head", "re:.*visual.*", "re:^mtp.*"]
    yield "cyankiwi/Qwen3.8-27B-AWQ-BF16-INT4", compressed([*beside, "re:.*linear_attn.*"])
    first = f"{BLOCKS}.0.linear_attn.out_proj"
    yield "cyankiwi/Qwen3.8-27B-AWQ-INT4", compressed([*beside, r"re:.*in_proj_(a|b)$", first])
    small = [f"{BLOCKS}.{number}.linear_attn.in_proj_{part}" for number in range(64) for part in "ab"]
    fp8 = {"quant_method": "fp8", "weight_block_size": [128, 128], "modules_to_not_convert": ["lm_head", *small]}
    yield "Qwen/Qwen3.8-27B-FP8", {"quantization_config": fp8}
    mlx = {"bits": 4, "group_size": 64}
    yield "mlx-community/Qwen3.8-27B-4bit", {"quantization": mlx, "quantization_config": mlx}
