"""What vLLM logs while it starts: weights, what is left for the KV cache, and how many requests that holds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from advisor.sources.pastes.text import Reading, number, plain_figure

_PATTERNS = {
    "weights_gib": re.compile(r"(?:Model loading took|Loading model weights took) ([\d.]+) ?G(?:i?B)"),
    "kv_gib": re.compile(r"(?:Available KV cache memory: |reserved for KV Cache is )([\d.]+) ?GiB"),
    "kv_tokens": re.compile(r"GPU KV cache size: ([\d,]+) tokens"),
    "kv_blocks": re.compile(r"# (?:cuda|GPU) blocks: (\d+)"),
    "gpu_total_gib": re.compile(r"total_gpu_memory \(([\d.]+)GiB\)"),
    "activations_gib": re.compile(r"activation peak memory takes ([\d.]+)GiB"),
}
_CONCURRENCY = re.compile(r"Maximum concurrency for ([\d,]+) tokens per request: ([\d.]+)x")
_WHOLE = ("kv_tokens", "kv_blocks")


def read(lines: Sequence[str]) -> Reading | None:
    """The first of each figure, as printed; None where nothing here is such a log."""
    found: dict[str, Any] = {}
    for line in lines:
        for name, pattern in _PATTERNS.items():
            if name not in found and (said := pattern.search(line)) is not None:
                found[name] = int(number(said[1])) if name in _WHOLE else float(said[1])
        if "concurrency" not in found and (said := _CONCURRENCY.search(line)) is not None:
            found |= {"max_len": plain_figure(number(said[1])), "concurrency": float(said[2])}
    return Reading("vllm log", found) if {"weights_gib", "kv_gib", "kv_tokens"} & found.keys() else None
