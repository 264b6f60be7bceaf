"""vLLM, and what a runtime with its sizing rules shares with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from advisor.formats.level_id import LevelId
from advisor.formats.safetensors_levels import find_safetensors_level
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, sentence
from advisor.models.model import Model
from advisor.runtimes.architectures import check_architecture
from advisor.runtimes.runtime import Ladder, Limits, SpeedTraits, WholeOnDevices
from advisor.runtimes.server import ServerOptions
from advisor.runtimes.support import machine_refusal
from advisor.runtimes.vllm.cards import card_counts
from advisor.runtimes.vllm.commands import vllm_commands
from advisor.runtimes.vllm.kernels import keeps_fp8
from advisor.runtimes.vllm.plans import (
    longest_context,
    may_fit,
    plan_vllm,
    plan_vllm_level,
    refusals,
    requests_held,
)
from advisor.runtimes.vllm.serve_options import DEFAULTS, VllmOptions
from advisor.sizing.memory import Memory
from advisor.sizing.plan import Plan
from advisor.sizing.rates import PaceOf
from advisor.sizing.request import PlanRequest
from advisor.sizing.runtime_id import RuntimeId

if TYPE_CHECKING:
    from advisor.sources.quantization import Quantization

_KEPT_IN_8_BITS = "fp8"
# Of the question; what only such a server reads.
SERVER_KEYS = frozenset(
    {"kv_fp8", "max_num_batched_tokens", "max_num_seqs", "enforce_eager"}
    | {"pipeline_parallel", "data_parallel", "expert_parallel"}
)


@dataclass(frozen=True, kw_only=True, eq=False)
class GpuServer(WholeOnDevices):
    """What vLLM and SGLang share: files for GPUs, a cache in 16 bit or FP8, cards that share every tensor."""

    def checkpoint_refusal(self, quantization: Quantization | None) -> Message | None:
        mlx = quantization is not None and quantization.kind == "MLX"
        return sentence("MLX files are for mlx-lm on Apple silicon") if mlx else None

    def caches(self, request: PlanRequest) -> tuple[Mapping[str, Any], ...]:
        whole = {"kv_fp8": False}
        return (whole, {"kv_fp8": True}) if request.chip is not None and keeps_fp8(request.chip) else (whole,)

    def card_counts(self, memory: Memory, model: Model) -> tuple[int, ...]:
        return card_counts(memory, model)


@dataclass(frozen=True, kw_only=True, eq=False)
class Vllm(GpuServer):
    """vLLM's rules: GPUs of one kind, every tensor split over all of them, the rest of the memory for the cache."""

    def check(self, request: PlanRequest) -> None:
        check_server(self, request)

    def plan(self, request: PlanRequest) -> tuple[Plan, ...]:
        self.check(request)
        return plan_vllm(self, request)

    def plan_level(self, request: PlanRequest, level: LevelId, exactly: bool = True) -> Plan | None:
        return plan_vllm_level(self, request, level)

    def least_seconds(self, request: PlanRequest, level: LevelId, pace_of: PaceOf | None = None) -> float | None:
        return None if may_fit(self, request, level) else float("inf")

    def why_none(self, request: PlanRequest) -> Message:
        if request.chip is not None and (why := machine_refusal(self.id, request.chip)):
            return why
        return Counter(refusals(self, request).values()).most_common(1)[0][0]

    def longest_context(self, plan: Plan) -> int:
        return longest_context(plan)

    def requests_held(self, plan: Plan, tokens: int) -> float | None:
        return requests_held(plan, tokens)

    def options(self, told: ServerOptions) -> VllmOptions:
        return VllmOptions(
            utilisation=told.memory_share,
            pipeline_parallel=told.pipeline,
            data_parallel=told.data,
            expert_parallel=told.expert_parallel,
            kv_dtype=_KEPT_IN_8_BITS if told.kv_fp8 else DEFAULTS.kv_dtype,
            max_batched_tokens=told.batch_tokens,
            max_requests=told.requests,
            enforce_eager=told.eager,
        )

    def told(self, plan: Plan) -> Mapping[str, Any]:
        return {"kv_fp8": _kv_dtype(plan.request) == _KEPT_IN_8_BITS}

    def cache_types(self, request: PlanRequest) -> tuple[str | None, str | None]:
        return (_kv_dtype(request),) * 2


def check_server(by: GpuServer, request: PlanRequest) -> None:
    """Raise InputError where it has no code for the model, or where there are no graphics cards, or several kinds."""
    name = by.name
    check_architecture(by.id, request.model)
    if not request.memory.devices:
        raise InputError(
            "{name} is planned for graphics cards, and {machine_name} has none: use llama.cpp.",
            name=name,
            machine_name=request.machine_name,
        )
    if len({device.name for device in request.memory.devices}) > 1:
        raise InputError(
            "{name} splits every tensor evenly, so all cards must be of one kind: leave other_machine "
            "out, or let the others stay idle with use_gpus.",
            name=name,
        )


def _kv_dtype(request: PlanRequest) -> str:
    return request.options_or(DEFAULTS).kv_dtype


def _levels(*names: str) -> tuple[LevelId, ...]:
    return tuple(find_safetensors_level(name).id for name in names)


LADDER = Ladder(
    # No bitsandbytes and nothing under 4 bits: both are slower than what is here, or visibly worse.
    usual=_levels(
        *("MXFP4-native", "FP4-FP8-native", "BF16-safetensors", "FP8-dynamic", "W8A8-INT8", "W4A16-g128"),
        *("AWQ-W4A16-g128", "NVFP4"),
    ),
    smallest_last=False,
    whole=(),
    reads=_levels("BF16-safetensors", "F16-safetensors"),
    common=frozenset(
        _levels("MXFP4-native", "BF16-safetensors", "FP8-dynamic", "W8A8-INT8", "W4A16-g128", "AWQ-W4A16-g128")
    ),
)

VLLM = Vllm(
    id=RuntimeId.VLLM,
    name="vLLM",
    engine=RuntimeId.VLLM,
    ladder=LADDER,
    limits=Limits(),
    speed=SpeedTraits(backend="vllm", splits_tensors=True),
    drafts=True,
    sees="by itself",
    sees_source="https://docs.vllm.ai/en/stable/configuration/conserving_memory.html",
    adapts=True,
    backends=("cuda", "rocm"),
    custom_vendor="NVIDIA",
    own_keys=frozenset({"gpu_memory_utilization", "mtp", "draft"}) | SERVER_KEYS,
    start=vllm_commands,
)
