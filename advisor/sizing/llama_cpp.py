"""Plans for llama.cpp: what lies where, whether it fits, and how much context is left."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cached_property, lru_cache

from advisor.formats.gguf_levels import LEVELS
from advisor.formats.gguf_sizes import SizedLevel, size_level
from advisor.models.model import Model
from advisor.sizing.compute_buffer import compute_buffer_bytes
from advisor.sizing.kv_cache import layer_cache_bytes
from advisor.sizing.placement import HOST, Placement, place
from advisor.sizing.plan import DeviceMemory, Memory, Plan, Verdict, rule_of_thumb_bytes
from advisor.sizing.settings import Settings
from advisor.sizing.weights import stored_weight_bytes, weight_bytes

GRAIN = 256  # tokens; llama.cpp rounds the context of a user up to this


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
    placement = _placement(model, memory, settings)
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
    placement = _placement(model, memory, settings)
    growth = _Growth(model, settings, placement)
    weights = stored_weight_bytes(model, tensor_bytes, placement)
    rule = rule_of_thumb_bytes(model.parameters, sized.level.nominal_bits)
    return _plan(sized, weights, rule, memory, growth, runtime, margin)


def _placement(model: Model, memory: Memory, settings: Settings) -> Placement:
    return place(len(model.layers), (1.0,) * len(memory.devices), settings.gpu_layers, settings.cpu_moe_layers)


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
            name, device.capacity_bytes, weights[number], cache[number], compute[number], device.overhead_bytes
        )
        for number, (name, device) in enumerate(zip(memory.names, memory.devices, strict=True))
    )
    host = DeviceMemory(
        "Host", memory.host_capacity_bytes, weights[HOST], cache[HOST], compute[HOST], memory.host_overhead_bytes
    )
    fixed = {number: weights[number] + device.overhead_bytes for number, device in enumerate(memory.devices)}
    fixed[HOST] = weights[HOST] + memory.host_overhead_bytes
    grown = {device: cache[device] + compute[device] for device in cache}
    short = _shortage(memory, fixed, grown, margin)
    verdict: Verdict = "fits" if short <= 0 else "tight" if _shortage(memory, fixed, grown, 0) <= 0 else "does not fit"
    return Plan(
        sized=sized,
        runtime=runtime,
        settings=growth.settings,
        placement=growth.placement,
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
        fixed[number] + grown[number] - device.capacity_bytes * (1 - margin)
        for number, device in enumerate(memory.devices)
    ]
    if memory.host_capacity_bytes is not None:
        on_host = fixed[HOST] + grown[HOST]
        if memory.pooled:
            on_host += sum(fixed[number] + grown[number] for number in range(len(memory.devices)))
        short.append(on_host - memory.host_capacity_bytes * (1 - margin))
    return max(short, default=0)
