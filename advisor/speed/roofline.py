"""How long one pass takes, as a sum of terms that the constants of a backend weigh.

Generating is bound by memory: every active weight is read once a step, and the cache of every user. To that come
what each step, layer and layer of experts costs whatever its size, what many users' tokens take to compute, and what
devices that share every tensor tell each other. Reading a prompt is bound by arithmetic: two operations per active
weight and token; the weights are read once for each micro-batch, and attention grows with the depth, so that a token
takes a + b / micro-batch + c x depth. What old builds took longer is a term of the fit ("early") that no estimate
has. All terms are in milliseconds at the machine's nominal rates, so a constant of 1.25 says that 80 % of the nominal
rate are reached. Formula after S. Williams et al., "Roofline" (2009).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from advisor.sizing.placement import HOST
from advisor.speed.load import SpeedLoad
from advisor.speed.shape import Shape

DECODE_TERMS = (
    "weights", "quantized", "low_bits", "cache", "step", "layer", "moe_layer", "recurrent", "compute", "attention",
    "small_batch", "batch_compute", "batch_moe",
    "serve_moe", "prompts", "prompts_attention", "requests", "exchange", "exchange_tokens", "hop", "bfloat",
    "early", "early_layer",
)  # fmt: skip
PREFILL_TERMS = (
    "compute", "compute_moe", "quantized", "bfloat", "recurrent", "attention", "cache", "weights", "pass", "pass_moe",
    "pass_experts", "bus", "early",
)  # fmt: skip
HOST_TERMS = ("dense", "experts", "layer")
TERMS: Mapping[str, tuple[str, ...]] = {"decode": DECODE_TERMS, "prefill": PREFILL_TERMS, "host": HOST_TERMS}
Terms = tuple[float, ...]

_PIPELINE_GAIN = 0.13  # what each further card adds to reading a prompt, by XiongjieDai's runs on 2, 4, 6 and 8 cards
LOW_BITS = 4  # levels below need more arithmetic to unpack
WHOLE_BITS = 16
_CELL_BYTES, _TOGETHER = 2, 16  # of an element of the cache; tokens of a prompt that read it together
_EXPERTS = 1000  # and that of going through experts per this many of them
_OF_BYTES = 40  # operations/s for each byte/s of the memory, the median of GPUs, where the rate is not known
_SMALL_BATCH = 8  # tokens that llama.cpp multiplies one by one, as vectors
# Cards with a link of their own (of so many bytes/s) write into each other's memory: a small exchange takes some 10
# microseconds, through the host's 25.
_LINK, _LINKED = 100e9, 0.4
_CHUNK = 2048  # tokens of a prompt that vLLM reads in one step
# Times the nominal time of a served batch's products: with the constant of weights some 55 % of the nominal rate, which
# dense models on an A100 reached where prompts filled each step (GPUStack's pages of Qwen3, 2025-11).
_SERVED_COMPUTE = 1.6
_MS = 1000.0
LAYERS = 32  # the fixed cost is given per this many layers
_USERS = 100  # and that of keeping requests per this many users
# bitsandbytes unpacks NF4 to 16 bits before it multiplies, and takes longer than 16 bits alone: 1.6 times for a model
# of 1B on an A100 (github.com/vllm-project/vllm/issues/9535, 2024-10), 2.7 times for one of 32B on an H200
# (docs.jarvislabs.ai/blog/vllm-quantization-complete-guide-benchmarks, 2026).
_NF4_TIMES_16_BITS = 2.0


@dataclass(frozen=True, slots=True)
class Device:
    """Nominal rates of one device: bytes/s from its memory, operations/s (None: unknown)."""

    bandwidth: float
    peak: float | None = None  # of its matrix products
    shader: float | None = None  # of its plain units, which unpack and multiply single tokens
    attention: float | None = None  # of what attention over a prompt uses
    link: float = 32e9  # bytes/s to its neighbours
    experts: float | None = None  # of an engine for many, where experts' products do not reach `peak`


def decode_terms(load: SpeedLoad, number: int, device: Device, *, first: bool, sharing: int = 1) -> Terms:
    """Terms of one step that generates a token for each user, on device `number`.

    Only the `first` device counts what a step and its layers cost whatever their size. `sharing` devices that hold
    a part of every tensor (then `load` is what one of them holds) exchange results in every layer.
    """
    weights = load.weight_bytes(number, load.users) / device.bandwidth * _MS
    cache = load.users * load.cache_bytes.get(number, 0) / device.bandwidth * _MS
    shape = load.shape
    token = 2 * shape.active_parameters * load.share_of(number) / device.peak * _MS if device.peak else 0.0
    shader = device.shader or _OF_BYTES * device.bandwidth
    others = load.users - 1
    found = {
        "weights": weights,
        "quantized": weights if load.bits < WHOLE_BITS else 0.0,
        "low_bits": weights if load.bits < LOW_BITS else 0.0,
        "cache": cache,
        "compute": 2 * shape.active_parameters * load.share_of(number) / shader * _MS,
        "attention": load.users
        * shape.attention_operations(load.context_used)
        * load.cache_share(number)
        / shader
        * _MS,
        "small_batch": min(others, _SMALL_BATCH) * token,
        "batch_compute": others * token,
        "batch_moe": others * token if shape.moe_layers else 0.0,
        "bfloat": weights if load.level == "BF16" else 0.0,
    }
    if first:
        found |= _once(shape)
    elif sharing == 1:
        found["hop"] = 1.0
    if first and sharing > 1:
        found["exchange"] = shape.layers / LAYERS
        found["exchange_tokens"] = load.users * exchange_bytes(shape) / device.link * _MS
    return _in_order(DECODE_TERMS, found)


def _once(shape: Shape) -> dict[str, float]:
    """What a step and its layers cost whatever their size."""
    return {
        "step": 1.0,
        "layer": shape.layers / LAYERS,
        "moe_layer": shape.moe_layers / LAYERS,
        "recurrent": shape.recurrent_layers / LAYERS,
    }


def _in_order(names: Sequence[str], found: Mapping[str, float]) -> Terms:
    return tuple(found.get(name, 0.0) for name in names)


def serving_terms(load: SpeedLoad, number: int, device: Device, *, first: bool, sharing: int = 1) -> Terms:
    """The same for an engine that serves many, whose step reads the weights or multiplies, whichever takes longer.

    Prompts of others are read in between (`SpeedLoad.read_per_written`).
    """
    shape = load.shape
    peak = (device.experts if shape.moe_layers else None) or device.peak
    token = 2 * shape.active_parameters * load.share_of(number) / peak * _MS if peak else 0.0
    prompts = load.users * load.read_per_written
    read = _read_in_a_step(load, number, prompts) / device.bandwidth * _MS
    if load.level == "NF4":
        read *= _NF4_TIMES_16_BITS * WHOLE_BITS / load.bits
    weights = max(read, _SERVED_COMPUTE * load.users * token)
    attention = shape.attention_operations(load.context_used / 2, unpacked=True) * load.share_of(number)
    found = {
        "weights": weights,
        "quantized": weights if load.bits < WHOLE_BITS else 0.0,
        "cache": load.users * load.cache_bytes.get(number, 0) / device.bandwidth * _MS,
        "serve_moe": (load.users + prompts) * token if shape.moe_layers else 0.0,
        "prompts": prompts * token,
        "prompts_attention": prompts * attention / peak * _MS if peak else 0.0,
    }
    if first:
        found |= _once(shape) | {"requests": load.users / _USERS}
    if first and sharing > 1:
        found["exchange"] = shape.layers / LAYERS * (_LINKED if device.link >= _LINK else 1.0)
        found["exchange_tokens"] = (load.users + prompts) * exchange_bytes(shape) / device.link * _MS
    return _in_order(DECODE_TERMS, found)


def _read_in_a_step(load: SpeedLoad, number: int, prompts: float) -> float:
    """Bytes of weights: a step that reads a part of a prompt meets every expert, the others those of their tokens."""
    with_prompt = min(1.0, prompts / _CHUNK)
    written = load.weight_bytes(number, load.users)
    everything = load.dense_bytes.get(number, 0) + load.expert_bytes.get(number, 0)
    return written + with_prompt * (everything - written)


def exchange_bytes(shape: Shape) -> float:
    """Bytes that devices which share every tensor send each other for a token: twice a layer its state in 16 bits."""
    return 2 * shape.layers * shape.width * 2.0


def host_terms(load: SpeedLoad, bandwidth: float) -> Terms:
    """Terms of one step of what the CPU reads beside the devices, from memory of `bandwidth` bytes/s."""
    dense = load.dense_bytes.get(HOST, 0) + load.users * load.cache_bytes.get(HOST, 0)
    experts = load.weight_bytes(HOST, load.users) - load.dense_bytes.get(HOST, 0)
    return dense / bandwidth * _MS, experts / bandwidth * _MS, load.host_layers() / LAYERS


def prefill_terms(load: SpeedLoad, number: int, device: Device, *, first: bool, depth: float) -> Terms:
    """Terms per token of a prompt, on device `number`, at a mean depth of `depth` tokens; needs its peak."""
    peak = device.peak or math.nan
    tokens = in_a_pass(load)
    share = load.share_of(number)
    compute = 2 * load.shape.active_parameters * share / peak * _MS
    experts_touched = load.shape.moe_layers * load.shape.experts * load.experts_covered(tokens) / _EXPERTS
    return (
        compute,
        compute if load.shape.moe_layers else 0.0,
        compute if load.bits < WHOLE_BITS else 0.0,
        compute if load.level == "BF16" else 0.0,
        compute * load.shape.recurrent_layers / load.shape.layers,
        load.shape.attention_operations(depth) * share / (device.attention or peak) * _MS,
        load.shape.cells_read(depth) * _CELL_BYTES / _TOGETHER * share / device.bandwidth * _MS,
        load.weight_bytes(number, tokens) / tokens / device.bandwidth * _MS,
        load.shape.layers / LAYERS / tokens if first else 0.0,
        load.shape.moe_layers / LAYERS / tokens if first else 0.0,
        experts_touched / tokens if first else 0.0,
        0.0,
        0.0,
    )


def bus_terms(load: SpeedLoad, link: float, compute: Device, depth: float) -> Terms:
    """Terms per token of a prompt for what lies on the host: its weights cross the bus once for each micro-batch, at
    `link` bytes/s, and are computed on device `compute`.
    """
    computed = prefill_terms(load, HOST, compute, first=False, depth=depth)
    tokens = in_a_pass(load)
    return (*computed[:7], 0.0, 0.0, 0.0, 0.0, load.weight_bytes(HOST, tokens) / tokens / link * _MS, 0.0)


def least_ms(load: SpeedLoad, parts: Mapping[int, Device], *, together: bool) -> float:
    """What a step takes at least: its weights and caches at the nominal rate of the memory that each lies in."""
    each = [
        (load.weight_bytes(number, load.users) + load.users * load.cache_bytes.get(number, 0)) / device.bandwidth * _MS
        for number, device in parts.items()
        if number != HOST
    ]
    host = parts[HOST].bandwidth if HOST in parts else math.inf
    on_host = (load.weight_bytes(HOST, load.users) + load.users * load.cache_bytes.get(HOST, 0)) / host * _MS
    return (max(each, default=0.0) if together else sum(each)) + on_host


def in_a_pass(load: SpeedLoad) -> int:
    """Tokens of prompts that are worked on at once; an encoder takes as many inputs at a time as there are users."""
    together = 1 if load.writes else load.users
    return max(1, min((load.prompt_tokens or load.micro_batch) * together, load.micro_batch))


def pipeline_gain(devices: int) -> float:
    """How many times faster a prompt is read that passes through `devices` cards, layer after layer."""
    return 1 + _PIPELINE_GAIN * (devices - 1)


def weighed(terms: Terms, constants: Sequence[float]) -> float:
    """Milliseconds: the terms times their constants."""
    return sum(term * constant for term, constant in zip(terms, constants, strict=True))
