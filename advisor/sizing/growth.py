"""KV cache and compute buffers of one placement, as a function of the context; neither depends on the level."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property, lru_cache

from advisor.models.model import Model
from advisor.sizing.compute_buffer import compute_buffer_bytes
from advisor.sizing.compute_frame import reserved_tokens
from advisor.sizing.kv_cache import layer_cache_bytes
from advisor.sizing.placement import HOST, Placement, place
from advisor.sizing.settings import Settings

GRAIN = 256  # tokens; llama.cpp rounds the context of a user up to this
_LENT_TOKENS = 32  # from this many tokens on a GPU computes for layers on the host (`op_offload`, ggml-backend.cpp)

ByDevice = Mapping[int, int]


def lends_gpu(settings: Settings, placement: Placement) -> bool:
    """Whether the first GPU computes prompts with weights that lie on the host, copying them one at a time."""
    weights_on_host = placement.host_layers or placement.cpu_moe_layers or placement.output == HOST
    return bool(placement.devices and weights_on_host and reserved_tokens(settings) >= _LENT_TOKENS)


@lru_cache(maxsize=64)
def layer_caches(model: Model, settings: Settings) -> tuple[int, ...]:
    """Bytes each layer keeps of the past; nothing for multi-token-prediction layers, which are not run."""
    kept = layer_cache_bytes(model.trunk or model, settings)
    return (*kept, *[0] * (len(model.layers) - len(kept)))


@lru_cache(maxsize=4096)
def _grown_bytes(model: Model, settings: Settings, placement: Placement) -> tuple[ByDevice, ByDevice]:
    """KV cache and compute buffers per device."""
    caches = layer_caches(model, settings)
    held = dict.fromkeys((HOST, *range(placement.devices)), 0)
    for size, device in zip(caches, placement.caches, strict=True):
        held[device] += size
    if model.trunk is not None:
        model = model.trunk
        placement = replace(placement, layers=placement.layers[: len(model.layers)])
    return held, _compute_bytes(model, settings, placement, caches)


def _compute_bytes(model: Model, settings: Settings, placement: Placement, caches: tuple[int, ...]) -> ByDevice:
    """The graph's own buffers, and an upper bound for what else passes through when a GPU computes for the host.

    The first GPU then holds the intermediate results of host layers and, during their attention, a copy of the
    largest KV cache among them. With all of the cache on the host every GPU copies its layers' caches in turn.
    """
    compute = compute_buffer_bytes(model, settings, placement)
    if lends_gpu(settings, placement):
        whole = placement.devices == 1 or placement.output == HOST
        alike = place(len(model.layers), (1.0,)) if whole else _all_but_one(model, placement.devices)
        compute[0] = max(compute[0], compute_buffer_bytes(model, settings, alike)[0])
        compute[0] += max((size for size, home in zip(caches, placement.layers, strict=False) if home == HOST), default=0)
    if placement.kv_on_host:
        for device in range(placement.devices):
            sizes = (size for size, home in zip(caches, placement.layers, strict=False) if home == device)
            compute[device] += max(sizes, default=0)
    return compute


def _all_but_one(model: Model, devices: int) -> Placement:
    """One layer on the host, so that the buffers are those without overlapping micro-batches."""
    return place(len(model.layers), (1.0,) * devices, len(model.layers))


class Growth:
    """KV cache and compute buffers as a function of the context, sampled and joined by straight lines.

    Between samples both grow in proportion (the windows of sliding layers are samples of their own), so the
    line is exact or, where a buffer starts to grow, slightly high.
    """

    def __init__(self, model: Model, settings: Settings, placement: Placement):
        self.model, self.settings, self.placement = model, settings.without_placement, placement
        limit = model.context_length or 1 << 20
        self.limit = max(GRAIN, limit)

    @cached_property
    def samples(self) -> list[int]:
        """Contexts to compute, in tokens, ascending."""
        model, settings = self.model, self.settings
        samples = {GRAIN << power for power in range(24) if GRAIN << power < self.limit} | {self.limit}
        windows = {getattr(m, "window", 0) for layer in model.layers for m in layer.mixers}
        samples |= {-(-(window + settings.micro_batch) // GRAIN) * GRAIN for window in windows if window}
        return sorted(sample for sample in samples if sample <= self.limit)

    def _at(self, context: int) -> tuple[ByDevice, ByDevice]:
        return _grown_bytes(self.model, replace(self.settings, context=context), self.placement)

    @cached_property
    def now(self) -> tuple[ByDevice, ByDevice]:
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
