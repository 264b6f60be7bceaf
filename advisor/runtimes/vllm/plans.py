"""Plans for vLLM: every layer split over all GPUs, the rest of the allowed memory as one pool of KV blocks.

`utilisation` is vLLM's own cap (`--gpu-memory-utilization`): of what the driver offers it never takes more. The
`margin` asked for is not kept on top of that, only where it is the larger of the two.

The pool is not set aside for anybody: pages go to whoever writes, and requests wait while there are none. So vLLM
starts as soon as one request of the whole context fits (`_check_enough_kv_cache_memory` in v1/core/kv_cache_utils.py),
and serves fewer at once where every context is full. A plan fits when the pool holds half of what all users together
can come to need, one whole request at least, with the typical estimate of overheads and the margin, and still does,
without margin, with the highest one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from advisor.formats.level_id import LevelId
from advisor.formats.safetensors_levels import SAFETENSORS_LEVELS, SafetensorsLevel, find_safetensors_level
from advisor.formats.safetensors_sizes import SizedSafetensors, size_safetensors_level
from advisor.foundation.caches import kept_beside
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, fact
from advisor.foundation.ranges import Range
from advisor.foundation.units import MIB
from advisor.machines.chip import Chip
from advisor.models.model import Model
from advisor.runtimes.drafts import check_draft
from advisor.runtimes.support import supports
from advisor.runtimes.vllm.kernels import VERSION
from advisor.runtimes.vllm.kv_cache import PagedCache, paged_cache
from advisor.runtimes.vllm.overheads import Batch, activation_range, default_batch, overhead_range
from advisor.runtimes.vllm.published_weights import published_weights_per_gpu
from advisor.runtimes.vllm.stack import ENCODING_SPREAD, beside_on_gpu, cached_model, encoding_bytes
from advisor.runtimes.vllm.weights import check_split, weights_per_gpu
from advisor.sizing.memory import Beside, Device, Memory
from advisor.sizing.placement import Placement
from advisor.sizing.plan import DeviceMemory, Plan, Planner, Verdict, rule_of_thumb_bytes
from advisor.sizing.request import Checkpoint, GgufFile, Levels, PlanRequest, RuntimeOptions
from advisor.sizing.runtime_id import RuntimeId
from advisor.sizing.settings import Settings

UTILISATION = 0.92  # the default since version 0.21
# CUDA reports less than nvidia-smi by what the driver reserves: 430 MiB on a 3090, 440 on an H100 in vLLM's logs.
_DRIVER_RESERVE_BYTES = 512 * MIB
_LONGEST_BATCH = 1 << 20


@dataclass(frozen=True, slots=True)
class VllmOptions(RuntimeOptions):
    """What `vllm serve` is told. `max_batched_tokens` None is vLLM's own choice, which depends on the GPU's memory.

    `max_requests` (`--max-num-seqs`) None means the users, as in the commands given: vLLM's own is 256 or 1024, and it
    keeps room for sampling of so many at once. `tensor_parallel` None means all devices, `kv_dtype` is
    `--kv-cache-dtype`.
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
                "GPU memory utilisation is a share between 0 and 1, such as 0.92; got {utilisation}.",
                utilisation=self.utilisation,
            )
        if self.tensor_parallel is not None and self.tensor_parallel < 1:
            raise InputError(
                "A model is split over at least 1 GPU; {tensor_parallel} were asked for.",
                tensor_parallel=self.tensor_parallel,
            )
        for name in ("max_batched_tokens", "max_requests"):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= _LONGEST_BATCH:
                raise InputError(
                    "{name} must be between 1 and {most:,}; got {value}.", name=name, most=_LONGEST_BATCH, value=value
                )


DEFAULTS = VllmOptions()


def plan_vllm(by: Planner, request: PlanRequest) -> tuple[Plan, ...]:
    """A plan for the checkpoint, the level, or every level that vLLM loads on this hardware; `refusals` says why others
    are left out.

    Of the settings only `context` (tokens per user) and `users` count. Weights are those of the language model; what is
    loaded beside it is told in `advisor.runtimes.vllm.stack`. Raises InputError where vLLM cannot load the one level,
    cannot split it, or finds no GPU.
    """
    frame, stored = _frame(request), request.stored
    match stored:
        case Checkpoint():
            weights = published_weights_per_gpu(
                frame.model,
                stored.tensors,
                frame.gpus,
                expert_parallel=frame.options.expert_parallel,
                compute_capability=frame.chip.capability,
            )
            return (frame.plan(by, stored.sized, weights, stored.notes),)
        case Levels():
            return tuple(frame.plan(by, _sized(frame.model, level), *one) for level, one in frame.asked(by, stored))
        case GgufFile():
            raise InputError(
                "{loader} is planned for safetensors; for a GGUF file use runtime=llama.cpp.", loader=by.id.loader
            )
        case _:
            assert_never(stored)


def plan_vllm_level(by: Planner, request: PlanRequest, level: LevelId) -> Plan | None:
    """The plan of one level; None where vLLM does not load it here."""
    frame, found = _frame(request), find_safetensors_level(level.name)
    if not found.offered_for(frame.model) or isinstance(one := frame.loaded(by, found), InputError):
        return None
    return frame.plan(by, _sized(frame.model, found), *one)


def may_fit(by: Planner, request: PlanRequest, level: LevelId) -> bool:
    """Whether a level that is loaded here fits, be it without a margin."""
    frame, found = _frame(request), find_safetensors_level(level.name)
    if not found.offered_for(frame.model) or isinstance(one := frame.loaded(by, found), InputError):
        return True  # there is no plan that says more
    weights, _ = one
    return frame.least_kv_bytes(frame.settings.context) <= frame.pool(weights + frame.rotary_bytes)


def refusals(by: Planner, request: PlanRequest) -> dict[str, Message]:
    """Why levels are left out of the plans: a sentence by level name."""
    frame = _frame(request)
    found = {level.name: frame.loaded(by, level) for level in _offered(frame.model)}
    return {name: one.message for name, one in found.items() if isinstance(one, InputError)}


def longest_context(plan: Plan) -> int:
    """See `Plan.max_context`."""
    return _frame(plan.request).longest_context(plan.devices[0].weights_bytes)


@kept_beside
def _sized(model: Model, level: SafetensorsLevel) -> SizedSafetensors:
    return size_safetensors_level(model, level)


def _offered(model: Model) -> list[SafetensorsLevel]:
    return [level for level in SAFETENSORS_LEVELS.values() if level.offered_for(model)]


@kept_beside
def _frame(request: PlanRequest) -> _Frame:
    return _Frame(request)


class _Frame:
    """What does not depend on the level: GPUs, the pages of the cache, overheads."""

    def __init__(self, request: PlanRequest):
        self.request, self.model = request, request.model.trunk or request.model
        self.options = options = request.options_or(DEFAULTS)
        self.settings, self.margin, self.memory = settings, _, memory = request.settings, request.margin, request.memory
        self.chip = request.chip or Chip("NVIDIA")
        self.gpus = options.tensor_parallel or len(memory.devices)
        _check_request(self.model, memory, settings, self.gpus)
        if request.draft is not None:
            check_draft(request.draft, self.model, request.name, RuntimeId.VLLM.loader)
        self.devices = tuple(zip(memory.names, memory.devices, strict=True))[: self.gpus]
        smallest = min(device.capacity_bytes for _, device in self.devices)
        self.batch = Batch(
            options.max_batched_tokens or default_batch(smallest).tokens,
            max(options.max_requests or 1, settings.users),
        )
        self.cache: PagedCache | None = paged_cache(cached_model(request), self.gpus, options.kv_dtype)
        self.overheads: Range = overhead_range(
            self.model, self.gpus, self.batch, options.enforce_eager, self.chip.capability
        )
        activations = activation_range(self.model, self.gpus, self.batch, self.chip.capability).typical
        self.beside: Beside = beside_on_gpu(request, self.gpus, self.batch.tokens, activations)
        self.more_at_worst = ENCODING_SPREAD * encoding_bytes(request, self.gpus, self.batch.tokens)
        self.rotary_bytes = rotary_table_bytes(self.model)

    def loaded(self, by: Planner, level: SafetensorsLevel) -> tuple[int, tuple[Message, ...]] | InputError:
        """Bytes of a level's weights on one GPU, and what is to be said of how it is computed; else why it is neither
        loaded nor split.
        """
        allowed = supports(by.id, level, self.chip)
        if allowed.refusal:
            return InputError("{level}: {refusal}; choose another level.", level=level.name, refusal=allowed.refusal)
        try:
            weights = weights_per_gpu(
                self.model,
                level,
                self.gpus,
                expert_parallel=self.options.expert_parallel,
                compute_capability=self.chip.capability,
            )
        except InputError as error:
            return error
        return weights, allowed.notes

    def asked(self, by: Planner, wanted: Levels) -> list[tuple[SafetensorsLevel, tuple[int, tuple[Message, ...]]]]:
        """The levels that are loaded, with what `loaded` says of them; raises InputError where the only one is not."""
        if wanted.only is None:
            found = [(level, self.loaded(by, level)) for level in _offered(self.model)]
            return [(level, one) for level, one in found if not isinstance(one, InputError)]
        level = find_safetensors_level(wanted.only.name)
        one = self.loaded(by, level)
        if isinstance(one, InputError):
            raise one
        return [(level, one)]

    def usable(self, device: Device) -> int:
        """What vLLM may take: its share of what the driver reports, or what is there when that is less."""
        reserve = min(device.overhead_bytes // 2, _DRIVER_RESERVE_BYTES)
        share = self.options.utilisation * (device.capacity_bytes - reserve)
        return max(0, int(min(share, device.capacity_bytes - device.overhead_bytes)))

    def all_kv_bytes(self) -> int:
        """What the users come to need once every context is full."""
        if self.cache is None:
            return 0
        return self.cache.request_bytes(self.settings.context, self.settings.users, self.batch.tokens)

    def least_kv_bytes(self, context: int) -> int:
        """What the pool must hold: half of that, and one whole request."""
        if self.cache is None:
            return 0
        return self.cache.request_bytes(context, max(1, self.settings.users / 2), self.batch.tokens)

    def shortage(self, fixed: int) -> float:
        """Bytes the tightest GPU lacks for `fixed` bytes and overheads; zero or less where they fit with margin."""
        fixed += self.beside.total
        return max(
            max(
                fixed + self.overheads.typical - min(self.usable(device), device.capacity_bytes * (1 - self.margin)),
                fixed + self.overheads.high + self.more_at_worst - self.usable(device),
            )
            for _, device in self.devices
        )

    def pool(self, weights: int) -> int:
        """Bytes left for the cache on the tightest GPU; below zero where not even the weights have room."""
        taken = weights + self.beside.total + round(self.overheads.typical)
        return min(self.usable(device) for _, device in self.devices) - taken

    def plan(self, by: Planner, sized: SizedSafetensors, weights: int, notes: tuple[Message, ...]) -> Plan:
        weights += self.rotary_bytes
        compute = round(self.overheads.typical)
        pool = self.pool(weights)
        whole, least = self.all_kv_bytes(), self.least_kv_bytes(self.settings.context)
        cache = max(least, min(whole, pool))
        short = self.shortage(weights + least)
        verdict: Verdict = "fits" if short <= 0 else "tight" if least <= pool else "does not fit"
        devices = tuple(
            DeviceMemory(
                name,
                device.capacity_bytes,
                weights,
                cache,
                compute,
                device.capacity_bytes - self.usable(device),
                beside=self.beside,
            )
            for name, device in self.devices
        )
        context, batch = self.settings.context, self.batch.tokens
        at_once = self.cache.at_once(pool, context, batch) if self.cache else None
        return Plan(
            request=self.request,
            by=by,
            sized=sized,
            settings=self.settings,
            placement=Placement(self.gpus, (0,) * len(self.model.layers), 0),
            verdict=verdict,
            devices=devices,
            host=DeviceMemory("Host", self.memory.host_capacity_bytes, 0, 0, 0, self.memory.host_overhead_bytes),
            missing_bytes=max(0, round(short)),
            rule_of_thumb_bytes=rule_of_thumb_bytes(self.model.parameters, sized.level.nominal_bits),
            rules=VERSION,
            compute_range=self.overheads,
            kv_tokens=self.cache.tokens(pool, context, batch) if self.cache else None,
            max_concurrency=self.cache.concurrency(pool, context, batch) if self.cache else None,
            at_once=at_once,
            notes=(
                *notes,
                *(self._waiting_notes(at_once) if at_once is not None and verdict != "does not fit" else ()),
                *self._state_notes(pool),
            ),
        )

    def longest_context(self, weights: int) -> int:
        limit = self.model.context_length or 1 << 20
        low, high = 0, limit
        while low < high:
            middle = (low + high + 1) // 2
            if self.shortage(weights + self.least_kv_bytes(middle)) <= 0:
                low = middle
            else:
                high = middle - 1
        return low

    def _waiting_notes(self, at_once: float) -> tuple[Message, ...]:
        users, served = self.settings.users, int(at_once)
        if served >= users:
            return ()
        return (fact("vllm_serves_at_once", n=users - served, served=served, users=users),)

    def _state_notes(self, pool: int) -> tuple[Message, ...]:
        """vLLM refuses to start where it cannot give every request of the largest batch a recurrent state.

        Only ever where it is told of more requests than there are users: half of these have two states each.
        """
        if self.cache is None or not any(group.kept.kind == "state" for group in self.cache.groups):
            return ()
        blocks = max(0, pool) // self.cache.block_bytes
        if not 1 <= blocks < self.batch.requests:
            return ()
        return (fact("vllm_fewer_sequences", blocks=blocks),)


def _check_request(model: Model, memory: Memory, settings: Settings, gpus: int) -> None:
    if not memory.devices:
        raise InputError("Tensors are split over GPUs, and this machine has none; choose llama.cpp for the CPU.")
    if gpus > len(memory.devices):
        raise InputError(
            "A split over {gpus} GPUs was asked for, but the machine has {count}.", gpus=gpus, count=len(memory.devices)
        )
    if settings.context < 1 or settings.users < 1:
        raise InputError("Context and users must be at least 1.")
    if model.context_length and settings.context > model.context_length:
        raise InputError(
            "A context of {context:,} tokens is refused: this model knows {context_length:,}.",
            context=settings.context,
            context_length=model.context_length,
        )
    check_split(model, gpus)


def rotary_table_bytes(model: Model) -> int:
    """Sines and cosines of all positions in 16 bit, once for all layers."""
    widest = max((mixer.rotary_size for mixer in model.mixers), default=0)
    return (model.context_length or 0) * widest * 2
