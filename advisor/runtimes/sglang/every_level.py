"""What SGLang's plans have in common whatever the level: the share of memory, stages, pools, what computing takes."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.formats.safetensors_levels import SafetensorsLevel
from advisor.foundation.caches import kept_beside
from advisor.foundation.errors import InputError
from advisor.machines.chip import Chip
from advisor.runtimes.sglang.pool import token_pool
from advisor.runtimes.sglang.serve_options import DEFAULTS, chunk_of, share_of
from advisor.runtimes.vllm.overheads import Batch, Step, activation_range, overhead_range
from advisor.runtimes.vllm.split import Loaded, check_request, even_split, form_of, level_by_stage
from advisor.runtimes.vllm.stack import beside_on_gpu
from advisor.runtimes.vllm.stages import stages_of
from advisor.sizing.memory import Device
from advisor.sizing.plan import Planner
from advisor.sizing.request import PlanRequest


@kept_beside
def frame_of(request: PlanRequest) -> Frame:
    return Frame(request)


class Frame:
    """What does not depend on the level. What computing takes is estimated as for vLLM, which runs the same steps."""

    def __init__(self, request: PlanRequest):
        self.request, self.model = request, request.model.trunk or request.model
        options = request.options_or(DEFAULTS)
        self.settings, self.memory = request.settings, request.memory
        self.chip = request.chip or Chip("NVIDIA")
        self.split = even_split(len(self.memory.devices), options.pipeline, options.data, options.expert_parallel)
        check_request(self.model, self.memory, self.settings, self.split)
        self.devices = tuple(zip(self.memory.names, self.memory.devices, strict=True))
        self.users = -(-self.settings.users // self.split.data)
        self.requests = options.max_requests or self.users
        smallest = min(device.capacity_bytes for _, device in self.devices)
        self.chunk = options.chunk or chunk_of(smallest)
        self.share = options.share or share_of(
            smallest, self.chunk, self.requests, self.split, eager=options.eager, sees=request.vision is not None
        )
        self.models = stages_of(self.model, options.pipeline)
        batch, tensor = Batch(self.chunk, self.requests), self.split.tensor
        gathered = self.split.data if self.model.experts else 1
        last = len(self.models) - 1
        steps = [
            Step(model, tensor, batch, self.chip.capability, place == last, gathered)
            for place, model in enumerate(self.models)
        ]
        self.overheads = [overhead_range(step, options.eager) for step in steps]
        self.beside = [beside_on_gpu(request, tensor, self.chunk, activation_range(step).typical) for step in steps]
        self.pools = [token_pool(model, tensor, options.kv_dtype) for model in self.models]

    def loaded(self, by: Planner, level: SafetensorsLevel) -> Loaded | InputError:
        """Bytes of a level's weights on one GPU of each stage, or why it is neither loaded nor split."""
        return level_by_stage(by, form_of(self.request, self.model, level), self.models, self.split, self.chip)

    def static(self, device: Device) -> int:
        """What weights and cache may take: their share of what is free at the start."""
        return max(0, int(self.share * (device.capacity_bytes - device.overhead_bytes)))

    def left_to_computing(self, device: Device) -> int:
        """What is free at the start and no part of that."""
        return max(0, device.capacity_bytes - device.overhead_bytes) - self.static(device)

    def least_kv_bytes(self, place: int, context: int) -> int:
        """What the pool must hold: half of what all users can come to need, and one whole request."""
        pool, requests = self.pools[place], max(1, self.users / 2)
        return 0 if pool is None else pool.bytes_for(requests * context, requests)

    def all_kv_bytes(self, place: int) -> int:
        """What the users come to need once every context is full."""
        pool = self.pools[place]
        return 0 if pool is None else pool.bytes_for(self.users * self.settings.context, self.users)

    def room(self, place: int, weights: int) -> int:
        """Bytes left for the pool on the stage's tightest GPU; below zero where not even the weights have room."""
        return min(self.static(device) for device in self._of(place)) - weights - self.beside[place].total

    def shortage(self, weights: Sequence[int], context: int) -> float:
        """Bytes the tightest GPU lacks; zero or less where all fits with margin."""
        found: list[float] = []
        for place, own in enumerate(weights):
            computing = self.overheads[place]
            held = own + self.beside[place].total + self.least_kv_bytes(place, context)
            for device in self._of(place):
                whole = device.capacity_bytes * (1 - self.request.margin)
                found += [
                    held - self.static(device),
                    held + computing.typical + device.overhead_bytes - whole,
                    computing.high - self.left_to_computing(device),
                ]
        return max(found)

    def lacking_to_compute(self) -> float:
        """Bytes by which computing typically takes more than is left to it; zero or less where it does not."""
        return max(
            computing.typical - self.left_to_computing(device)
            for place, computing in enumerate(self.overheads)
            for device in self._of(place)
        )

    def _of(self, place: int) -> list[Device]:
        return [one for number, (_, one) in enumerate(self.devices) if self.split.stage_of(number) == place]
