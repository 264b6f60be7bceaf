"""Plans for vLLM: every layer split over all GPUs, the rest of the allowed memory as one pool of KV blocks.

`utilisation` is vLLM's own cap (`--gpu-memory-utilization`): of what the driver offers it never takes more. The
`margin` asked for is not kept on top of that, only where it is the larger of the two. A plan fits when what is asked
for fits with the typical estimate of overheads and the margin, and still fits, without margin, with the highest one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from advisor.formats.safetensors_levels import SAFETENSORS_LEVELS, SafetensorsLevel
from advisor.formats.safetensors_sizes import SizedSafetensors, size_safetensors_level
from advisor.foundation.caches import kept_beside
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, as_it_is, fact
from advisor.foundation.ranges import Range
from advisor.foundation.units import MIB
from advisor.models.model import Model
from advisor.runtimes.support import Chip, supports
from advisor.runtimes.vllm.kv_cache import PagedCache, paged_cache
from advisor.runtimes.vllm.overheads import Batch, default_batch, overhead_range
from advisor.runtimes.vllm.published import published_weights_per_gpu
from advisor.runtimes.vllm.support import VERSION, chip
from advisor.runtimes.vllm.weights import check_split, weights_per_gpu
from advisor.sizing.placement import Placement
from advisor.sizing.plan import Device, DeviceMemory, Memory, Plan, Verdict, rule_of_thumb_bytes
from advisor.sizing.settings import Settings

UTILISATION = 0.92  # the default since version 0.21
# CUDA reports less than nvidia-smi by what the driver reserves: 430 MiB on a 3090, 440 on an H100 in vLLM's logs.
_DRIVER_RESERVE_BYTES = 512 * MIB
_LONGEST_BATCH = 1 << 20


@dataclass(frozen=True, slots=True)
class VllmOptions:
    """What `vllm serve` is told. None: vLLM's own choice, which for the batch depends on the GPU's memory.

    `tensor_parallel` None means all devices; `kv_dtype` is `--kv-cache-dtype`.
    """

    utilisation: float = UTILISATION
    tensor_parallel: int | None = None
    expert_parallel: bool = False
    kv_dtype: str = "auto"
    max_batched_tokens: int | None = None
    max_requests: int | None = None
    enforce_eager: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.utilisation <= 1:
            raise InputError(
                f"GPU memory utilisation is a share between 0 and 1, such as 0.92; got {self.utilisation}."
            )
        if self.tensor_parallel is not None and self.tensor_parallel < 1:
            raise InputError(f"vLLM splits a model over at least 1 GPU; {self.tensor_parallel} were asked for.")
        for what, value in (("batched tokens", self.max_batched_tokens), ("requests", self.max_requests)):
            if value is not None and not 1 <= value <= _LONGEST_BATCH:
                raise InputError(f"vLLM's maximum of {what} must be between 1 and {_LONGEST_BATCH:,}; got {value}.")


DEFAULTS = VllmOptions()


def plan_vllm(
    model: Model,
    memory: Memory,
    settings: Settings,
    level: SafetensorsLevel,
    *,
    margin: float,
    options: VllmOptions = DEFAULTS,
    vendor: str = "NVIDIA",
    compute_capability: float | None = None,
    architecture: str | None = None,
) -> Plan:
    """A plan for one level. Raises InputError where vLLM cannot load it, cannot split it, or finds no GPU.

    `compute_capability` is NVIDIA's, `architecture` AMD's, such as "gfx942"; None: not known. Weights are those of the
    language model; vLLM also loads a vision part unless told `--language-model-only`, which `plan_vllm_published`
    counts where its tensors are given. Of `settings` only `context` (tokens per user) and `users` count.
    """
    frame = _Frame(model, memory, settings, options, margin)
    on = chip(vendor, compute_capability, architecture)
    weights, note = _loaded(frame.model, level, frame.gpus, on, options.expert_parallel)
    return frame.plan(_sized(frame.model, level), weights, note)


def plan_vllm_levels(
    model: Model,
    memory: Memory,
    settings: Settings,
    *,
    margin: float,
    options: VllmOptions = DEFAULTS,
    vendor: str = "NVIDIA",
    compute_capability: float | None = None,
    architecture: str | None = None,
) -> list[Plan]:
    """A plan for every level that vLLM loads on this hardware; `vllm_refusals` says why others are left out.

    Raises InputError only where no level at all can be planned, such as for attention heads that do not divide.
    """
    frame = _Frame(model, memory, settings, options, margin)
    on = chip(vendor, compute_capability, architecture)
    plans = []
    for level in _offered(frame.model):
        try:
            weights, note = _loaded(frame.model, level, frame.gpus, on, options.expert_parallel)
        except InputError:
            continue
        plans.append(frame.plan(_sized(frame.model, level), weights, note))
    return plans


def vllm_refusals(
    model: Model,
    gpus: int,
    *,
    vendor: str = "NVIDIA",
    compute_capability: float | None = None,
    architecture: str | None = None,
) -> dict[str, str]:
    """Why levels are left out of `plan_vllm_levels`: a sentence by level name."""
    model = model.trunk or model
    reasons = {}
    for level in _offered(model):
        try:
            _loaded(model, level, gpus, chip(vendor, compute_capability, architecture))
        except InputError as error:
            reasons[level.name] = str(error)
    return reasons


def _loaded(
    model: Model, level: SafetensorsLevel, gpus: int, on: Chip, expert_parallel: bool = False
) -> tuple[int, str]:
    """Bytes of a level's weights on one GPU, and what is to be said of how it is computed.

    Raises InputError where vLLM does not load the level there, or cannot split it.
    """
    allowed = supports("vllm", level, on)
    if allowed.refusal:
        raise InputError(f"{level.name}: {allowed.refusal}; choose another level.")
    weights = weights_per_gpu(model, level, gpus, expert_parallel=expert_parallel, compute_capability=on.capability)
    return weights, allowed.note


def plan_vllm_published(
    model: Model,
    memory: Memory,
    settings: Settings,
    sized: SizedSafetensors,
    tensors: Iterable[tuple[str, int]],
    *,
    margin: float,
    options: VllmOptions = DEFAULTS,
    compute_capability: float | None = None,
    note: str = "",
) -> Plan:
    """A plan for a checkpoint as published: `tensors` are (name, bytes) of what vLLM loads, without draft layers;
    `note` is what `runtime_support` says of how it is computed.
    """
    frame = _Frame(model, memory, settings, options, margin)
    weights = published_weights_per_gpu(
        frame.model,
        tensors,
        frame.gpus,
        expert_parallel=options.expert_parallel,
        compute_capability=compute_capability,
    )
    return frame.plan(sized, weights, note)


@kept_beside
def _sized(model: Model, level: SafetensorsLevel) -> SizedSafetensors:
    return size_safetensors_level(model, level)


def _offered(model: Model) -> list[SafetensorsLevel]:
    return [level for level in SAFETENSORS_LEVELS.values() if level.offered_for(model)]


class _Frame:
    """What does not depend on the level: GPUs, the pages of the cache, overheads."""

    def __init__(self, model: Model, memory: Memory, settings: Settings, options: VllmOptions, margin: float):
        self.model = model.trunk or model
        self.settings, self.options, self.margin, self.memory = settings, options, margin, memory
        self.gpus = options.tensor_parallel or len(memory.devices)
        _check_request(self.model, memory, settings, self.gpus)
        self.devices = tuple(zip(memory.names, memory.devices, strict=True))[: self.gpus]
        smallest = min(device.capacity_bytes for _, device in self.devices)
        chosen = default_batch(smallest)
        self.batch = Batch(
            options.max_batched_tokens or chosen.tokens, max(options.max_requests or chosen.requests, settings.users)
        )
        self.cache: PagedCache | None = paged_cache(self.model, self.gpus, options.kv_dtype)
        self.overheads: Range = overhead_range(self.model, self.gpus, self.batch, options.enforce_eager)
        self.rotary_bytes = rotary_table_bytes(self.model)

    def usable(self, device: Device) -> int:
        """What vLLM may take: its share of what the driver reports, or what is there when that is less."""
        reserve = min(device.overhead_bytes // 2, _DRIVER_RESERVE_BYTES)
        share = self.options.utilisation * (device.capacity_bytes - reserve)
        return max(0, int(min(share, device.capacity_bytes - device.overhead_bytes)))

    def kv_bytes(self, context: int) -> int:
        if self.cache is None:
            return 0
        return self.cache.request_bytes(context, self.settings.users, self.batch.tokens)

    def shortage(self, fixed: int) -> float:
        """Bytes the tightest GPU lacks for `fixed` bytes and overheads; zero or less where they fit with margin."""
        return max(
            max(
                fixed + self.overheads.typical - min(self.usable(device), device.capacity_bytes * (1 - self.margin)),
                fixed + self.overheads.high - self.usable(device),
            )
            for _, device in self.devices
        )

    def plan(self, sized: SizedSafetensors, weights: int, note: str) -> Plan:
        weights += self.rotary_bytes
        cache = self.kv_bytes(self.settings.context)
        compute = round(self.overheads.typical)
        devices = tuple(
            DeviceMemory(
                name, device.capacity_bytes, weights, cache, compute, device.capacity_bytes - self.usable(device)
            )
            for name, device in self.devices
        )
        pool = min(self.usable(device) for _, device in self.devices) - weights - compute
        short = self.shortage(weights + cache)
        verdict: Verdict = "fits" if short <= 0 else "tight" if cache <= pool else "does not fit"
        context, batch = self.settings.context, self.batch.tokens
        return Plan(
            sized=sized,
            runtime="vllm",
            settings=self.settings,
            placement=Placement(self.gpus, (0,) * len(self.model.layers), 0),
            verdict=verdict,
            devices=devices,
            host=DeviceMemory("Host", self.memory.host_capacity_bytes, 0, 0, 0, self.memory.host_overhead_bytes),
            missing_bytes=max(0, round(short)),
            rule_of_thumb_bytes=rule_of_thumb_bytes(self.model.parameters, sized.level.nominal_bits),
            find_longest_context=lambda: self._longest_context(weights),
            rules=VERSION,
            compute_range=self.overheads,
            kv_tokens=self.cache.tokens(pool, context, batch) if self.cache else None,
            max_concurrency=self.cache.concurrency(pool, context, batch) if self.cache else None,
            notes=(*([as_it_is(note)] if note else []), *self._state_notes(pool)),
        )

    def _longest_context(self, weights: int) -> int:
        limit = self.model.context_length or 1 << 20
        low, high = 0, limit
        while low < high:
            middle = (low + high + 1) // 2
            if self.shortage(weights + self.kv_bytes(middle)) <= 0:
                low = middle
            else:
                high = middle - 1
        return low

    def _state_notes(self, pool: int) -> tuple[Message, ...]:
        """vLLM refuses to start where it cannot give every request of the largest batch a recurrent state."""
        if self.cache is None or not any(group.kept.kind == "state" for group in self.cache.groups):
            return ()
        blocks = max(0, pool) // self.cache.block_bytes
        if not 1 <= blocks < self.batch.requests:
            return ()
        return (fact("vllm_fewer_sequences", blocks=blocks),)


def _check_request(model: Model, memory: Memory, settings: Settings, gpus: int) -> None:
    if not memory.devices:
        raise InputError("vLLM is sized for GPUs only, and this machine has none; choose llama.cpp for the CPU.")
    if gpus > len(memory.devices):
        raise InputError(f"vLLM was asked to split over {gpus} GPUs, but the machine has {len(memory.devices)}.")
    if settings.context < 1 or settings.users < 1:
        raise InputError("Context and users must be at least 1.")
    if model.context_length and settings.context > model.context_length:
        raise InputError(
            f"vLLM refuses a context of {settings.context:,} tokens: this model knows {model.context_length:,}."
        )
    check_split(model, gpus)


def rotary_table_bytes(model: Model) -> int:
    """Sines and cosines of all positions in 16 bit, once for all layers."""
    widest = max((mixer.rotary_size for mixer in model.mixers), default=0)
    return (model.context_length or 0) * widest * 2
