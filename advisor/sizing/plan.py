"""One plan per level: what lies where, whether it fits, and how much context is left."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Literal

from advisor.formats.gguf_levels import LEVELS
from advisor.formats.gguf_sizes import SizedLevel, size_level
from advisor.models.model import Model
from advisor.sizing.compute_buffer import compute_buffer_bytes
from advisor.sizing.kv_cache import layer_cache_bytes
from advisor.sizing.placement import HOST, Placement, place
from advisor.sizing.settings import Settings
from advisor.sizing.weights import stored_weight_bytes, weight_bytes

Verdict = Literal["fits", "tight", "does not fit"]
GRAIN = 256  # tokens; llama.cpp rounds the context of a user up to this


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """What one device, or the host, has to hold. Bytes; `capacity_bytes` None where it is not known."""

    name: str
    capacity_bytes: int | None
    weights_bytes: int
    kv_cache_bytes: int
    compute_bytes: int
    overhead_bytes: int

    @property
    def needed_bytes(self) -> int:
        return self.weights_bytes + self.kv_cache_bytes + self.compute_bytes + self.overhead_bytes

    @property
    def free_bytes(self) -> int | None:
        """What is left; negative when it does not fit; None where the capacity is not known."""
        return None if self.capacity_bytes is None else self.capacity_bytes - self.needed_bytes


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory a runtime can use: GPUs (or one unified device), and the host beside them.

    `pooled` says that device and host share one memory of `host_capacity_bytes`, of which the device may
    use `device_capacity_bytes`. `devices` is 0 for a machine without a GPU.
    """

    devices: int
    device_name: str
    device_capacity_bytes: int
    device_overhead_bytes: int
    host_capacity_bytes: int | None
    host_overhead_bytes: int
    pooled: bool = False


@dataclass(frozen=True)
class Plan:
    """One level on one machine under one workload."""

    sized: SizedLevel
    runtime: str
    verdict: Verdict
    devices: tuple[DeviceMemory, ...]
    host: DeviceMemory
    missing_bytes: int  # how much more memory the tightest device would need to fit with margin
    rule_of_thumb_bytes: int
    find_longest_context: Callable[[], int] = field(repr=False, compare=False)

    @cached_property
    def max_context(self) -> int:
        """The longest context that fits with margin, in tokens per user; 0: none. Searched for when asked."""
        return self.find_longest_context()

    @property
    def level(self) -> str:
        return self.sized.level.name

    @property
    def needed_bytes(self) -> int:
        """On the devices, or on the host when there is none."""
        return sum(device.needed_bytes for device in self.devices) or self.host.needed_bytes

    @property
    def free_bytes(self) -> int | None:
        """Left on the fullest device."""
        holders = self.devices or (self.host,)
        known = [free for holder in holders if (free := holder.free_bytes) is not None]
        return min(known, default=None)

    @property
    def rule_of_thumb_error(self) -> float:
        """How far the rule of thumb is off the real file, as a fraction of the real file (negative: too low)."""
        return self.rule_of_thumb_bytes / self.sized.file_bytes - 1


def rule_of_thumb_bytes(parameters: int, bits: float) -> int:
    """What everybody uses: parameters x bits / 8."""
    return int(parameters * bits / 8)


def plan_levels(
    model: Model,
    memory: Memory,
    settings: Settings,
    *,
    runtime: str,
    margin: float,
    imatrix: bool = False,
    only: str | None = None,
) -> list[Plan]:
    """A plan for every level (or for `only` one), keeping the fraction `margin` of each device free."""
    placement = place(len(model.layers), (1.0,) * memory.devices, settings.gpu_layers, settings.cpu_moe_layers)
    growth = _Growth(model, settings, placement)
    levels = [LEVELS[only]] if only else [level for level in LEVELS.values() if level.offered_for(model)]
    return [
        _plan(
            size_level(model, level, imatrix),
            weight_bytes(model, level, placement, imatrix),
            rule_of_thumb_bytes(model.parameters, level.nominal_bits),
            memory,
            growth,
            runtime,
            margin,
        )
        for level in levels
    ]


def plan_file(
    model: Model,
    sized: SizedLevel,
    tensor_bytes: Iterable[tuple[str, int]],
    memory: Memory,
    settings: Settings,
    *,
    runtime: str,
    margin: float,
) -> Plan:
    """A plan for one GGUF file as it is, given what each of its tensors takes."""
    placement = place(len(model.layers), (1.0,) * memory.devices, settings.gpu_layers, settings.cpu_moe_layers)
    growth = _Growth(model, settings, placement)
    weights = stored_weight_bytes(model, tensor_bytes, placement)
    rule = rule_of_thumb_bytes(model.parameters, sized.level.nominal_bits)
    return _plan(sized, weights, rule, memory, growth, runtime, margin)


@lru_cache(maxsize=4096)
def _grown_bytes(model: Model, settings: Settings, placement: Placement) -> tuple[Mapping[int, int], Mapping[int, int]]:
    """KV cache and compute buffers per device; neither depends on the level."""
    if model.trunk is not None:
        model = model.trunk
        placement = replace(placement, layers=placement.layers[: len(model.layers)])
    cache = dict.fromkeys((HOST, *range(placement.devices)), 0)
    for size, device in zip(layer_cache_bytes(model, settings), placement.layers, strict=True):
        cache[device] += size
    return cache, compute_buffer_bytes(model, settings, placement)


class _Growth:
    """KV cache and compute buffers as a function of the context, sampled and joined by straight lines.

    Between samples both grow in proportion (the windows of sliding layers are samples of their own), so the
    line is exact or, where a buffer starts to grow, slightly high.
    """

    def __init__(self, model: Model, settings: Settings, placement: Placement):
        self.model, self.settings, self.placement = model, settings, placement
        limit = model.context_length or 1 << 20
        self.limit = max(GRAIN, limit)
        samples = {GRAIN << power for power in range(24) if GRAIN << power < self.limit} | {self.limit}
        windows = {getattr(m, "window", 0) for layer in model.layers for m in layer.mixers}
        samples |= {-(-(window + settings.micro_batch) // GRAIN) * GRAIN for window in windows if window}
        self.samples = sorted(sample for sample in samples if sample <= self.limit)

    def _at(self, context: int) -> tuple[Mapping[int, int], Mapping[int, int]]:
        return _grown_bytes(self.model, replace(self.settings, context=context), self.placement)

    @cached_property
    def now(self) -> tuple[Mapping[int, int], Mapping[int, int]]:
        """KV cache and compute buffers at the context asked for."""
        return self._at(self.settings.context)

    def total(self, context: int) -> dict[int, int]:
        cache, compute = self._at(context)
        return {device: cache[device] + compute[device] for device in cache}

    def longest(self, fits: Callable[[Mapping[int, float]], bool]) -> int:
        """The longest context for which `fits` holds of what the devices then need."""
        best = 0
        for lower, upper in zip([0, *self.samples], self.samples, strict=False):
            high = self.total(upper)
            if fits(high):
                best = upper
                continue
            low = self.total(lower) if lower else dict.fromkeys(high, 0)
            low_step, high_step = (lower + GRAIN - 1) // GRAIN, upper // GRAIN
            while high_step - low_step > 1:
                middle = (low_step + high_step) // 2
                share = (middle * GRAIN - lower) / (upper - lower)
                between = {device: low[device] + share * (high[device] - low[device]) for device in high}
                if lower and fits(between):
                    low_step, best = middle, middle * GRAIN
                else:
                    high_step = middle
            break
        return best


def _plan(
    sized: SizedLevel,
    weights: Mapping[int, int],
    rule_of_thumb: int,
    memory: Memory,
    growth: _Growth,
    runtime: str,
    margin: float,
) -> Plan:
    cache, compute = growth.now
    devices = tuple(
        DeviceMemory(
            memory.device_name if memory.devices == 1 else f"{memory.device_name} #{number + 1}",
            memory.device_capacity_bytes,
            weights[number],
            cache[number],
            compute[number],
            memory.device_overhead_bytes,
        )
        for number in range(memory.devices)
    )
    host = DeviceMemory(
        "Host", memory.host_capacity_bytes, weights[HOST], cache[HOST], compute[HOST], memory.host_overhead_bytes
    )
    fixed = {number: weights[number] + memory.device_overhead_bytes for number in range(memory.devices)}
    fixed[HOST] = weights[HOST] + memory.host_overhead_bytes
    grown = {device: cache[device] + compute[device] for device in cache}
    short = _shortage(memory, fixed, grown, margin)
    verdict: Verdict = "fits" if short <= 0 else "tight" if _shortage(memory, fixed, grown, 0) <= 0 else "does not fit"
    return Plan(
        sized=sized,
        runtime=runtime,
        verdict=verdict,
        devices=devices,
        host=host,
        missing_bytes=max(0, round(short)),
        rule_of_thumb_bytes=rule_of_thumb,
        find_longest_context=lambda: growth.longest(lambda more: _shortage(memory, fixed, more, margin) <= 0),
    )


def _shortage(memory: Memory, fixed: Mapping[int, int], grown: Mapping[int, float], margin: float) -> float:
    """Bytes the tightest memory lacks to keep `margin` free; zero or less when everything fits."""
    short = [
        fixed[number] + grown[number] - memory.device_capacity_bytes * (1 - margin) for number in range(memory.devices)
    ]
    if memory.host_capacity_bytes is not None:
        on_host = fixed[HOST] + grown[HOST]
        if memory.pooled:
            on_host += sum(fixed[number] + grown[number] for number in range(memory.devices))
        short.append(on_host - memory.host_capacity_bytes * (1 - margin))
    return max(short, default=0)
