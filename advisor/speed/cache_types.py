"""KV caches in fewer than 16 bits: which of them the devices have kernels for, and what they cost and gain.

llama.cpp's flash attention is compiled for few pairs of types. Without a kernel the processor of the host computes
attention, layer by layer, and everything waits for it: seen as 183 to 16 tokens/s of Qwen3 1.7B with keys in q8_0 and
values in q4_0 (RTX 5060 Ti, 4,096 tokens), 12,061 to 132 reading; 60 to 4.9 and 602 to 8.3 on an M5 Max (65,536).
"""

from __future__ import annotations

from dataclasses import dataclass

from advisor.speed.backends import Backend
from advisor.speed.shape import Shape

_WHOLE = frozenset({"f32", "f16", "bf16"})
# Pairs of equal types that every build has (ggml-cuda/fattn.cu without GGML_CUDA_FA_ALL_QUANTS; ggml-metal and
# ggml-vulkan take no keys and values of different types at all).
_WITH_KERNEL: dict[Backend, frozenset[str]] = {
    "cuda": _WHOLE | {"q8_0", "q4_0"},
    "rocm": _WHOLE | {"q8_0", "q4_0"},
    "metal": _WHOLE | {"q8_0", "q5_1", "q5_0", "q4_1", "q4_0"},
    "vulkan": _WHOLE | {"q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"},
}
# Fitted by hand to those runs and to an RX 9070 (43 instead of 147 tokens/s of Qwen3 4B at depth 0): what crossing over
# costs a layer, and operations/s of attention on the host, for one token and for a whole micro-batch.
_CROSSING_MS, _DECODE_RATE, _PREFILL_RATE = 0.45, 25e9, 50e9
_ENDS = (0.5, 2.0)  # of a speed that such a processor sets
# Reading a prompt takes longer where a cache is unpacked: 3 to 5 % on NVIDIA at any depth, 16 to 22 % on Strix Halo
# (Vulkan, 32,768 and 65,536 tokens) and 20 % on an M5 Max (data/kv_quality.csv names the same pages).
_UNPACKING, _UNPACKING_ELSEWHERE, _DEEP = 0.045, 0.25, 65_536


@dataclass(frozen=True, slots=True)
class CacheTypes:
    """How keys and values are stored, and whether attention is computed in one step over both."""

    keys: str = "f16"
    values: str = "f16"
    flash_attention: bool = True


def has_kernel(backend: Backend, types: CacheTypes) -> bool:
    """Whether the devices compute attention over such a cache themselves, in a build as it is downloaded."""
    known = _WITH_KERNEL.get(backend)
    return known is None or not types.flash_attention or (types.keys == types.values and types.keys in known)


def crossing_ms(shape: Shape, depth: float, users: int) -> float:
    """Milliseconds that a step of writing waits for the host where there is no kernel."""
    return shape.attention_layers * _CROSSING_MS + users * _operations_ms(shape, depth, _DECODE_RATE)


def reading_ms(shape: Shape, depth: float) -> float:
    """The same for a token of a prompt, of many that are read at once."""
    return _operations_ms(shape, depth, _PREFILL_RATE)


def _operations_ms(shape: Shape, depth: float, rate: float) -> float:
    return shape.attention_operations(depth) / rate * 1000


def ends_of_host() -> tuple[float, float]:
    """How far a speed lies from what is said of it where the host computes attention."""
    return _ENDS


def reading_takes(backend: Backend, types: CacheTypes, depth: float) -> float:
    """How many times longer reading a prompt takes, with such a cache filled so far."""
    if backend in ("vllm", "mlx", "cpu") or {types.keys, types.values} <= _WHOLE:
        return 1.0
    if backend == "cuda":
        return 1 + _UNPACKING
    return 1 + _UNPACKING_ELSEWHERE * min(1.0, depth / _DEEP)
