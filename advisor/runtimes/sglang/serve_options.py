"""What `sglang.launch_server` is told, and what it chooses itself by the GPU's memory.

Rules of SGLang 0.5.23: `srt/arg_groups/memory_hook.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from advisor.foundation.units import GIB, MIB
from advisor.runtimes.vllm.split import Split
from advisor.sizing.request import RuntimeOptions

# By the GPU's memory in GiB, below which they hold: tokens of a step, and the largest batch of a CUDA graph on fewer
# than four GPUs and on more.
_CHOICES = ((20, 2048, 8, 8), (35, 4096, 48, 160), (60, 4096, 32, 160), (160, 8192, 256, 512))
_LARGEST = (16384, 512, 512)
_LARGE_GIB, _LARGE_RESERVE_MIB = 60, 10 * 1024
_FIXED_MIB, _MIB_A_TOKEN, _MIB_A_GPU, _MIB_A_GRAPH = 512, 1.5, 128, 2
# Lengths of prompts that are recorded as graphs, 8 MiB each: about so many where a step has 16,384 tokens.
_PROMPT_GRAPHS_MIB = 8 * 74
_SEES = 0.95 * 0.9  # of the share that is left to models with a vision part, most of which are larger than ViT-L/14


@dataclass(frozen=True, slots=True)
class SglangOptions(RuntimeOptions):
    """`share` is `--mem-fraction-static`: of the memory that is free at the start, for weights and KV cache together.

    `chunk` is `--chunked-prefill-size`, `max_requests` `--max-running-requests` on each replica; None are its own
    choice, and the users.
    """

    share: float | None = None
    pipeline: int = 1
    data: int = 1
    expert_parallel: bool = False
    kv_dtype: str = "auto"
    chunk: int | None = None
    max_requests: int | None = None
    eager: bool = False


DEFAULTS = SglangOptions()


def chunk_of(capacity_bytes: int) -> int:
    """The tokens of a step that it chooses for a GPU."""
    return _choice(capacity_bytes)[0]


def share_of(capacity_bytes: int, chunk: int, requests: int, split: Split, *, eager: bool, sees: bool) -> float:
    """The share for weights and KV cache that it chooses: what it thinks that activations and graphs leave."""
    _, few, many = _choice(capacity_bytes)
    reserved = _FIXED_MIB + _MIB_A_TOKEN * max(chunk, 2048) + _MIB_A_GPU * split.tensor * split.pipeline
    if not eager:
        reserved += _MIB_A_GRAPH * min(requests, few if split.tensor < 4 else many) + _PROMPT_GRAPHS_MIB
    if capacity_bytes > _LARGE_GIB * GIB:
        reserved = max(reserved, _LARGE_RESERVE_MIB)
    share = 1 - reserved * MIB / capacity_bytes
    return max(0.01, round(share * _SEES if sees else share, 3))


def _choice(capacity_bytes: int) -> tuple[int, int, int]:
    for below, chunk, few, many in _CHOICES:
        if capacity_bytes < below * GIB:
            return chunk, few, many
    return _LARGEST
