"""Configs of quantized repositories, written as the tools write them, with the layers that each is known to pack.

`tests/truth/published_modules.json` has what NVIDIA lists of its own. Other texts could not be read: llm-compressor's
leave modules out by name or by an expression, and which ones follows from a repository's name, its bytes and publisher.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from advisor.models.catalogue import catalogue
from tests.support.repositories import rows

TRUTH = Path(__file__).resolve().parents[1] / "truth"

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


def published_configs() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each repository whose modules were listed by who published it, with a config that says the same."""
    listed = json.loads((TRUTH / "published_modules.json").read_text(encoding="utf-8"))
    for repository, told in listed["repositories"].items():
        packed: dict[str, dict[str, Any]] = {}
        whole = ["mtp*"]
        for pattern, where in told["modules"].items():
            for name, of in where.items():
                modules = [pattern.replace("{}", str(number), 1) for number in _numbers(of)] if of else [pattern]
                inside = [module.split(".{}")[0] for module in modules]
                how = {"quant_algo": name} | ({"group_size": 16} if "NVFP4" in name else {})
                whole += inside if name == "BF16" else ()
                packed |= {} if name == "BF16" else dict.fromkeys(inside, how)
        section = {"quant_method": "modelopt", "quant_algo": told["quant_algo"]}
        mixed = told["quant_algo"] == "MIXED_PRECISION"
        section |= {"quantized_layers": packed, "ignore": ["mtp*"]} if mixed else {"ignore": whole}
        yield repository, {"quantization_config": section}


def _numbers(of: str) -> Iterator[int]:
    """Of layers written as "0-2,5"."""
    for part in of.split(","):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def declared_configs() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each repository with its `quantization_config`."""
    dense, routed = ("gate_proj", "up_proj", "down_proj"), ("experts", "shared_expert")
    yield "nvidia/Qwen3.8-27B-NVFP4", qwen_by_nvidia("qwen3.8-27b", dense)
    yield "nvidia/Qwen3.6-35B-A3B-NVFP4", qwen_by_nvidia("qwen3.6-35b-a3b", routed)
    known = {row.repo for row in rows() if row.counted == "bytes"}
    yield from ((repository, config) for repository, config in published_configs() if repository in known)
    beside = ["lm_head", "re:.*visual.*", "re:^mtp.*"]
    yield "cyankiwi/Qwen3.8-27B-AWQ-BF16-INT4", compressed([*beside, "re:.*linear_attn.*"])
    first = f"{BLOCKS}.0.linear_attn.out_proj"
    yield "cyankiwi/Qwen3.8-27B-AWQ-INT4", compressed([*beside, r"re:.*in_proj_(a|b)$", first])
    small = [f"{BLOCKS}.{number}.linear_attn.in_proj_{part}" for number in range(64) for part in "ab"]
    fp8 = {"quant_method": "fp8", "weight_block_size": [128, 128], "modules_to_not_convert": ["lm_head", *small]}
    yield "Qwen/Qwen3.8-27B-FP8", {"quantization_config": fp8}
    mlx = {"bits": 4, "group_size": 64}
    yield "mlx-community/Qwen3.8-27B-4bit", {"quantization": mlx, "quantization_config": mlx}
