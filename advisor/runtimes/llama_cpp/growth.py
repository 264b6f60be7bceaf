"""KV cache and compute buffers of one placement, as a function of the context; neither depends on the level."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from advisor.foundation.caches import kept_beside
from advisor.models.model import Model
from advisor.runtimes.llama_cpp.compute.buffer import compute_buffer_bytes
from advisor.runtimes.llama_cpp.compute.frame import LENT_TOKENS, reserved_tokens
from advisor.runtimes.llama_cpp.kv_cache import layer_cache_bytes
from advisor.runtimes.llama_cpp.mtp import drafting_bytes
from advisor.sizing.placement import HOST, Placement, place
from advisor.sizing.settings import Settings

GRAIN = 256  # tokens; llama.cpp rounds the context of a user up to this
_MASK, _SCORE = 2, 4  # bytes of an entry of the attention mask, and of the scores


@dataclass(frozen=True, slots=True)
class Grown:
    """Bytes per device number (HOST = -1) that depend on the context but not on the level.

    `lent` is what the first GPU holds while it computes for the host, beside the one weight that passes through;
    0 where it does not. It is an upper bound; `passing` is how much more than `compute` that is, where it is known
    (`lending.py`). `drafting` is the part of `compute` that drafting with the model's own layers takes, caches
    included; empty where it does not.
    """

    cache: Mapping[int, int]
    compute: Mapping[int, int]
    lent: int
    drafting: Mapping[int, int] = field(default_factory=dict)
    passing: int | None = None

    @property
    def with_passing(self) -> Grown:
        """The same with what is known to pass through the first GPU as a part of its compute buffer."""
        if not self.passing:
            return self
        return replace(self, compute={**self.compute, 0: self.compute[0] + self.passing}, passing=0)


def lends_gpu(settings: Settings, placement: Placement) -> bool:
    """Whether the first GPU computes prompts with weights that lie on the host, copying them one at a time."""
    weights_on_host = placement.host_layers or placement.cpu_moe_layers or placement.output == HOST
    enough = placement.lends and reserved_tokens(settings) >= LENT_TOKENS
    return bool(enough and placement.devices and weights_on_host)


@kept_beside
def layer_caches(model: Model, settings: Settings) -> tuple[int, ...]:
    """Bytes each layer keeps of the past; nothing for multi-token-prediction layers, whose cache is one of its own."""
    kept = layer_cache_bytes(model.trunk or model, settings)
    return (*kept, *[0] * (len(model.layers) - len(kept)))


@kept_beside
def grown(model: Model, settings: Settings, placement: Placement) -> Grown:
    """KV cache and compute buffers of one placement; `settings` say nothing about placement."""
    caches = layer_caches(model, settings)
    held = _held(caches, placement)
    drafting = drafting_bytes(model, settings, placement)
    if model.trunk is not None:
        model = model.trunk
        placement = replace(placement, layers=placement.layers[: len(model.layers)])
    compute = compute_buffer_bytes(model, settings, placement)
    if placement.kv_on_host:
        # Each GPU attends with a copy of the cache of one layer at a time, beside the mask. An upper bound.
        mask = _MASK * reserved_tokens(settings) * settings.cells
        for device in range(placement.devices):
            compute[device] += _largest_copy(model, caches, placement, device) + mask
        compute[HOST] += max(caches, default=0) + _scores_on_host(model, settings)
    lent = _lent_bytes(model, settings, placement, caches) if lends_gpu(settings, placement) else 0
    for device, size in drafting.items():
        compute[device] += size
    return Grown(held, compute, lent, drafting)


def _held(caches: Sequence[int], placement: Placement) -> dict[int, int]:
    held = dict.fromkeys((HOST, *range(placement.devices)), 0)
    for size, device in zip(caches, placement.caches, strict=True):
        held[device] += size
    return held


def _scores_on_host(model: Model, settings: Settings) -> int:
    """In hybrids that do not rotate queries attention follows the cache to the host, and llama.cpp gives up its fused
    form."""
    if not model.causal or not any(mixer.recurrent for mixer in model.mixers):
        return 0
    heads = [
        mixer.split_heads
        for number, layer in enumerate(model.layers)
        for mixer in layer.mixers
        if mixer.cached_heads.count and not model.wiring.graph.rotates(number, mixer.kept(model.width).window)
    ]
    return _SCORE * reserved_tokens(settings) * settings.cells * max(heads, default=0)


def _lent_bytes(model: Model, settings: Settings, placement: Placement, caches: tuple[int, ...]) -> int:
    """An upper bound: the intermediate results of a layer as on a GPU, and the largest cache among host layers."""
    layers = len(model.layers)
    if placement.output == HOST:
        held = compute_buffer_bytes(model, settings, place(layers, (1.0,)))[0]
    else:  # the first of two GPUs has layers but no output head; one layer on the host keeps micro-batches apart
        held = compute_buffer_bytes(model, settings, place(layers, (1.0, 1.0), layers))[0]
    devices = {HOST, *placement.layers} if placement.kv_on_host else {HOST}
    return held + max(_largest_copy(model, caches, placement, device) for device in devices)


def _largest_copy(model: Model, caches: tuple[int, ...], placement: Placement, device: int) -> int:
    """Of a latent cache keys and values, which overlap, are copied one by one."""
    views = 1 + any(mixer.kept(model.width).latent for mixer in model.mixers)
    sizes = (size for size, home in zip(caches, placement.layers, strict=False) if home == device)
    return views * max(sizes, default=0)


class Growth:
    """KV cache and compute buffers as a function of the context, sampled and joined by straight lines.

    Between samples both grow in proportion (the windows of sliding layers are samples of their own), so the
    line is exact or, where a buffer starts to grow, slightly high.
    """

    def __init__(self, model: Model, settings: Settings, placement: Placement):
        self.model, self.settings, self.placement = model, settings.without_placement, placement
        self.limit = max(GRAIN, model.context_length or 1 << 20, settings.context)
        self._known: dict[int, Grown] = {}
        self._least: dict[int, Grown] = {}

    @cached_property
    def samples(self) -> list[int]:
        """Contexts to compute, in tokens, ascending."""
        model, settings = self.model, self.settings
        samples = {GRAIN << power for power in range(24) if GRAIN << power < self.limit} | {self.limit}
        windows = {mixer.kept(model.width).window for mixer in model.mixers}
        samples |= {-(-(window + settings.micro_batch) // GRAIN) * GRAIN for window in windows if window}
        return sorted(sample for sample in samples if sample <= self.limit)

    def at(self, context: int) -> Grown:
        if (found := self._known.get(context)) is None:
            settings = replace(self.settings, context=context)
            found = self._known[context] = grown(self.model, settings, self.placement)
        return found

    def least_at(self, context: int) -> Grown:
        """What it takes at least, known without laying out compute buffers: the caches."""
        if (found := self._least.get(context)) is None:
            held = _held(layer_caches(self.model, replace(self.settings, context=context)), self.placement)
            found = self._least[context] = Grown(held, dict.fromkeys(held, 0), 0)
        return found

    @cached_property
    def held(self) -> Mapping[int, int]:
        """What the caches take at the context asked for."""
        return self.least_at(self.settings.context).cache

    @cached_property
    def now(self) -> Grown:
        """KV cache and compute buffers at the context asked for."""
        return self.at(self.settings.context)

    def longest(self, needed: Callable[[Grown], Mapping[int, int]], fits: Callable[[Mapping[int, float]], bool]) -> int:
        """The longest context for which `fits` holds of what the devices then need, as `needed` says."""

        def holds(context: int) -> bool:
            return fits(needed(self.least_at(context))) and fits(needed(self.at(context)))

        if holds(self.samples[-1]):  # as most plans do on a machine with room
            return self.samples[-1]
        place = bisect_left(self.samples, True, key=lambda context: not holds(context))
        lower = self.samples[place - 1] if place else 0
        if not lower or place == len(self.samples):
            return lower
        upper = self.samples[place]
        low, high = needed(self.at(lower)), needed(self.at(upper))
        low_step, high_step = lower // GRAIN, upper // GRAIN
        while high_step - low_step > 1:
            middle = (low_step + high_step) // 2
            share = (middle * GRAIN - lower) / (upper - lower)
            between = {device: low[device] + share * (high[device] - low[device]) for device in high}
            low_step, high_step = (middle, high_step) if fits(between) else (low_step, middle)
        return self._checked(max(lower, low_step * GRAIN), lower, holds)

    def _checked(self, context: int, lower: int, holds: Callable[[int], bool]) -> int:
        """`context`, or less where a buffer is larger than the line between two samples said."""
        step = GRAIN
        while context > lower and not holds(context):
            context, step = max(lower, context - step), step * 2
        return context
