"""What vLLM's plans have in common whatever the level: GPUs, stages, the pages of the cache, overheads.

`utilisation` is vLLM's own cap (`--gpu-memory-utilization`): of what the driver offers it never takes more. The
`margin` asked for is not kept on top of that, only where it is the larger of the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from advisor.formats.gguf_sizes import SizedLevel
from advisor.formats.safetensors_levels import SafetensorsLevel
from advisor.formats.safetensors_sizes import SizedSafetensors
from advisor.foundation.caches import kept_beside
from advisor.foundation.errors import InputError
from advisor.foundation.ranges import Range
from advisor.foundation.units import MIB
from advisor.machines.chip import Chip
from advisor.models.model import Layer, Model
from advisor.runtimes.drafts import check_draft
from advisor.runtimes.vllm.kv_cache import PagedCache, paged_cache
from advisor.runtimes.vllm.overheads import Step, activation_range, default_batch, overhead_range
from advisor.runtimes.vllm.serve_options import DEFAULTS
from advisor.runtimes.vllm.split import (
    Loaded,
    check_request,
    checkpoint_by_stage,
    form_of,
    kept_by_stage,
    level_by_stage,
)
from advisor.runtimes.vllm.stack import ENCODING_SPREAD, beside_on_gpu, cached_model, encoding_bytes
from advisor.runtimes.vllm.stages import stages_of
from advisor.sizing.memory import Beside, Device
from advisor.sizing.plan import Planner
from advisor.sizing.request import Checkpoint, PlanRequest
from advisor.sizing.runtime_id import RuntimeId

# CUDA reports less than nvidia-smi by what the driver reserves: 430 MiB on a 3090, 440 on an H100 in vLLM's logs.
_DRIVER_RESERVE_BYTES = 512 * MIB


@kept_beside
def frame_of(request: PlanRequest) -> Frame:
    return Frame(request)


@dataclass(frozen=True)
class Stage:
    """Some of the layers (without pipeline parallelism all of them), and the GPUs that share them.

    `devices` are those of all replicas, `fixed_bytes` sines and cosines.
    """

    model: Model
    cache: PagedCache | None
    overheads: Range
    beside: Beside
    more_at_worst: float
    fixed_bytes: int
    devices: tuple[tuple[str, Device], ...]


class Frame:
    """What does not depend on the level."""

    def __init__(self, request: PlanRequest):
        self.request, self.model = request, request.model.trunk or request.model
        self.options = options = request.options_or(DEFAULTS)
        self.settings, self.margin, self.memory = settings, _, memory = request.settings, request.margin, request.memory
        self.chip = request.chip or Chip("NVIDIA")
        self.split = options.split_of(len(memory.devices))
        check_request(self.model, memory, settings, self.split)
        if request.draft is not None:
            check_draft(request.draft, self.model, request.name, RuntimeId.VLLM.loader)
        self.devices = tuple(zip(memory.names, memory.devices, strict=True))[: self.split.gpus]
        smallest = min(device.capacity_bytes for _, device in self.devices)
        self.users = -(-settings.users // self.split.data)
        self.batch = options.batch_of(default_batch(smallest).tokens, self.users)
        self.models = stages_of(self.model, options.pipeline_parallel)
        self.stages = tuple(self._stages())

    def _stages(self) -> list[Stage]:
        request, options, found = self.request, self.options, list[Stage]()
        tensor, cached = self.split.tensor, _cached(cached_model(request), self.model, self.models)
        for place, (model, keeping) in enumerate(zip(self.models, cached, strict=True)):
            last = place == len(self.models) - 1
            told = Step(model, tensor, self.batch, self.chip.capability, last, self.split.data if model.experts else 1)
            activations = activation_range(told).typical
            found.append(
                Stage(
                    model,
                    paged_cache(keeping, tensor, options.kv_dtype),
                    overhead_range(told, options.enforce_eager),
                    beside_on_gpu(request, tensor, self.batch.tokens, activations),
                    ENCODING_SPREAD * encoding_bytes(request, tensor, self.batch.tokens),
                    rotary_table_bytes(model, max(self.model.context_length or 0, self.settings.context)),
                    tuple(one for number, one in enumerate(self.devices) if self.split.stage_of(number) == place),
                )
            )
        return found

    def loaded(self, by: Planner, level: SafetensorsLevel) -> Loaded | InputError:
        """Bytes of a level's weights on one GPU of each stage, or why it is neither loaded nor split."""
        return level_by_stage(by, form_of(self.request, self.model, level), self.models, self.split, self.chip)

    def published(self, stored: Checkpoint) -> tuple[int, ...]:
        """Bytes of a repository's checkpoint on one GPU of each stage."""
        return checkpoint_by_stage(stored, self.model, self.models, self.split, self.chip)

    def share(self, device: Device) -> float:
        """The part of a device's memory that vLLM takes: as it is told, or what others leave, without which it does not
        start.
        """
        reported = device.capacity_bytes - self._reserve(device)
        if not device.used_bytes or reported <= 0:
            return self.options.utilisation
        left = int(100 * (device.capacity_bytes - device.overhead_bytes) / reported) / 100
        return max(0.01, min(self.options.utilisation, left))

    def _reserve(self, device: Device) -> int:
        return min((device.overhead_bytes - device.used_bytes) // 2, _DRIVER_RESERVE_BYTES)

    def usable(self, device: Device) -> int:
        """What vLLM may take: its share of what the driver reports, or what is there when that is less."""
        share = self.share(device) * (device.capacity_bytes - self._reserve(device))
        return max(0, int(min(share, device.capacity_bytes - device.overhead_bytes)))

    def all_kv_bytes(self, stage: Stage) -> int:
        """What the users come to need once every context is full."""
        if stage.cache is None:
            return 0
        return stage.cache.request_bytes(self.settings.context, self.users, self.batch.tokens)

    def least_kv_bytes(self, stage: Stage, context: int) -> int:
        """What the pool must hold: half of that, and one whole request."""
        if stage.cache is None:
            return 0
        return stage.cache.request_bytes(context, max(1, self.users / 2), self.batch.tokens)

    def shortage(self, weights: Sequence[int], kept: Sequence[int], context: int) -> float:
        """Bytes the tightest GPU lacks for weights, what may come on top of them, and the cache; zero or less where
        they fit with margin.
        """
        found = []
        for stage, own, more in zip(self.stages, weights, kept, strict=True):
            fixed = own + stage.fixed_bytes + more + self.least_kv_bytes(stage, context) + stage.beside.total
            for _, device in stage.devices:
                usable = self.usable(device)
                room = min(usable, device.capacity_bytes * (1 - self.margin))
                found += [
                    fixed + stage.overheads.typical - room,
                    fixed + stage.overheads.high + stage.more_at_worst - usable,
                ]
        return max(found)

    def pool(self, stage: Stage, weights: int) -> int:
        """Bytes left for the cache on the stage's tightest GPU; below zero where not even the weights have room."""
        taken = weights + stage.fixed_bytes + stage.beside.total + round(stage.overheads.typical)
        return min(self.usable(device) for _, device in stage.devices) - taken

    def sure_pool(self, stage: Stage, weights: int) -> int:
        """The same with the highest estimate of overheads."""
        more = stage.overheads.high - round(stage.overheads.typical) + stage.more_at_worst
        return self.pool(stage, weights) - round(more)

    def kept_bytes(self, sized: SizedLevel | SizedSafetensors) -> tuple[int, ...]:
        """See `kept_by_stage`."""
        return kept_by_stage(self.request, sized, self.model, self.models, self.split)

    def longest_context(self, weights: Sequence[int], kept: Sequence[int]) -> int:
        low, high = 0, max(self.model.context_length or 1 << 20, self.settings.context)
        while low < high:
            middle = (low + high + 1) // 2
            if self.shortage(weights, kept, middle) <= 0:
                low = middle
            else:
                high = middle - 1
        return low


def _cached(cached: Model, model: Model, stages: tuple[Model, ...]) -> list[Model]:
    """The layers that share the pool, stage by stage: those that draft are with the last."""
    if len(stages) == 1:
        return [cached]
    more = cached.layers[len(model.layers) :]
    *others, last = stages
    return [*others, _with_layers(last, more) if more else last]


@kept_beside
def _with_layers(model: Model, more: tuple[Layer, ...]) -> Model:
    return replace(model, layers=model.layers + more)


def rotary_table_bytes(model: Model, positions: int | None = None) -> int:
    """Sines and cosines of all positions in 16 bit, once for all layers."""
    widest = max((mixer.rotary_size for mixer in model.mixers), default=0)
    return (model.context_length or 0 if positions is None else positions) * widest * 2
