"""llama.cpp, and its front ends Ollama and LM Studio: other defaults, commands and limits around the same engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from advisor.formats.gguf_levels import LEVELS
from advisor.formats.level_id import GGUF, LevelId
from advisor.foundation.caches import kept_beside
from advisor.foundation.message import Message, sentence
from advisor.models.model import Model
from advisor.runtimes.llama_cpp.checks import (
    MAX_DEVICES,
    MOST_SEQUENCES,
    cache_type_refusal,
    check_devices,
    check_settings,
)
from advisor.runtimes.llama_cpp.commands import llama_cpp_commands, lm_studio_commands, ollama_commands
from advisor.runtimes.llama_cpp.frontends import LM_STUDIO_PROGRAM, OLLAMA_PROGRAM
from advisor.runtimes.llama_cpp.growth import layer_caches
from advisor.runtimes.llama_cpp.memory_lines import memory_lines
from advisor.runtimes.llama_cpp.overview import overview
from advisor.runtimes.llama_cpp.plans import LevelPlanner, gguf_level, levels_of, plan_gguf
from advisor.runtimes.llama_cpp.stack import with_stack
from advisor.runtimes.llama_cpp.ways_out import way_out
from advisor.runtimes.runtime import Ladder, Limits, Runtime, SpeedTraits
from advisor.runtimes.server import ServerOptions
from advisor.sizing.held_requests import held_where_set_aside
from advisor.sizing.memory import Memory
from advisor.sizing.memory_line import MemoryLine
from advisor.sizing.plan import LevelOnMachine, Plan, WayKind, WayOut
from advisor.sizing.rates import PaceOf
from advisor.sizing.request import Levels, PlanRequest
from advisor.sizing.runtime_id import RuntimeId
from advisor.sizing.settings import Settings

if TYPE_CHECKING:
    from advisor.sources.quantization import Quantization

_SMALLER_CACHE = "q8_0"
_LEAST_BITS = 4  # of a weight: a model that does not fit on a card with these is not run on one of several


@dataclass(frozen=True, kw_only=True, eq=False)
class LlamaCpp(Runtime):
    """llama.cpp's rules, whoever starts it. `largest_image` says that room is made for the largest image at once."""

    largest_image: bool = False

    def check(self, request: PlanRequest) -> None:
        check_devices(len(request.memory.devices))
        check_settings(request.settings, request.model, request.memory)

    def checkpoint_refusal(self, quantization: Quantization | None) -> Message | None:
        return sentence("{runtime} loads GGUF files only", runtime=self.name)

    def plan(self, request: PlanRequest) -> tuple[Plan, ...]:
        return plan_gguf(self, *with_stack(self, request, self.largest_image))

    def plan_level(self, request: PlanRequest, level: LevelId, exactly: bool = True) -> Plan | None:
        if level.format != GGUF:
            return None
        found = gguf_level(level)
        return planner_of(request, self).plan_level(found, exactly) if found.offered_for(request.model) else None

    def least_seconds(self, request: PlanRequest, level: LevelId, pace_of: PaceOf | None = None) -> float | None:
        return planner_of(request, self).least_seconds(gguf_level(level), pace_of)

    def least_on_host(self, request: PlanRequest, level: LevelId) -> float | None:
        return planner_of(request, self).least_on_host(gguf_level(level))

    def caches(self, request: PlanRequest) -> tuple[Mapping[str, Any], ...]:
        whole: Mapping[str, Any] = {"kv_type_k": "f16", "kv_type_v": "f16"}
        settings = replace(request.settings, cache_type_k=_SMALLER_CACHE, cache_type_v=_SMALLER_CACHE)
        refused = cache_type_refusal(request.model, settings) is not None
        if not settings.flash_attention or not request.model.causal or refused:
            return (whole,)
        return (whole, {"kv_type_k": _SMALLER_CACHE, "kv_type_v": _SMALLER_CACHE})

    def card_counts(self, memory: Memory, model: Model) -> tuple[int, ...]:
        """All that one process can use; and as few as may hold a model in 4 bits, as each more takes a little time."""
        most = min(len(memory.devices), MAX_DEVICES)
        room = 0
        for count, device in enumerate(memory.devices[: most - 1], 1):
            room += device.capacity_bytes
            if model.parameters * _LEAST_BITS / 8 <= room:
                return most, count
        return (most,) if most else ()

    def why_none(self, request: PlanRequest) -> Message:
        return sentence("none of its levels is made for this model")

    def longest_context(self, plan: Plan) -> int:
        return LevelPlanner.of(plan).longest_context(plan)

    def requests_held(self, plan: Plan, tokens: int) -> float | None:
        model, settings = plan.request.model, replace(plan.settings.without_placement, context=tokens, unified=False)
        return held_where_set_aside(plan, lambda users: sum(layer_caches(model, replace(settings, users=users))))

    def offload_bytes(self, plan: Plan) -> int | None:
        return LevelPlanner.of(plan).offload_bytes(plan)

    def way_out(self, plan: Plan, kind: WayKind) -> WayOut | None:
        return way_out(plan, kind)

    def glance(self, request: PlanRequest) -> tuple[LevelOnMachine, ...] | None:
        """Where the placement is searched for; what is told where to lie has to be planned."""
        if not request.search or not isinstance(request.stored, Levels):
            return None
        return overview(planner_of(request, self), levels_of(request))

    def memory_lines(self, plan: Plan, overhead_basis: Message, host_basis: Message) -> tuple[MemoryLine, ...]:
        return memory_lines(plan, plan.request.model, overhead_basis, host_basis)

    def options(self, told: ServerOptions) -> None:
        """Everything is in `Settings`."""

    def told(self, plan: Plan) -> Mapping[str, Any]:
        settings = plan.settings
        told: dict[str, Any] = {
            "kv_type_k": settings.cache_type_k,
            "kv_type_v": settings.cache_type_v,
            "gpu_layers": gpu_layers(plan),
            "cpu_moe_layers": settings.cpu_moe_layers,
            "kv_offload": not settings.kv_on_host,
            "tensor_split": settings.tensor_split,
        }
        if not settings.op_offload:  # only ever found where nothing is left to a GPU
            told["op_offload"] = False
        return told

    def cache_types(self, request: PlanRequest) -> tuple[str | None, str | None]:
        return request.settings.cache_type_k, request.settings.cache_type_v

    def encoder_batch(self, settings: Settings) -> int | None:
        return settings.micro_batch


@kept_beside
def planner_of(request: PlanRequest, by: LlamaCpp) -> LevelPlanner:
    """What all levels of a request share, with room left for the draft model that is asked for."""
    return LevelPlanner(by, *with_stack(by, request, by.largest_image))


def gpu_layers(plan: Plan) -> int | str:
    """llama.cpp's `-ngl`: "all" is every layer and the output; 0 where there is no GPU."""
    if not plan.devices:
        return 0
    return "all" if plan.settings.gpu_layers is None else plan.settings.gpu_layers


def _levels(*names: str) -> tuple[LevelId, ...]:
    return tuple(LEVELS[name].id for name in names)


_LADDER = Ladder(
    # Near equals of these (Q5_0, Q4_1, IQ4_NL ...) are not worth a separate recommendation.
    usual=_levels(
        *("MXFP4", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_K_S", "IQ4_XS", "Q3_K_L", "Q3_K_M", "IQ3_M", "IQ3_XS"),
        *("IQ3_XXS", "Q2_K", "IQ2_M", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ1_M", "IQ1_S"),
    ),
    whole=_levels("F16"),
    reads=_levels("F16", "Q8_0"),
    common=frozenset(_levels("MXFP4", "F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M")),
)

LLAMA_CPP = LlamaCpp(
    id=RuntimeId.LLAMA_CPP,
    name="llama.cpp",
    engine=RuntimeId.LLAMA_CPP,
    ladder=_LADDER,
    limits=Limits(users=MOST_SEQUENCES, devices=MAX_DEVICES),
    speed=SpeedTraits(),
    drafts=True,
    sees="when told",
    adapts=True,
    backends=None,
    custom_vendor=None,
    own_keys=frozenset(
        {
            *("backend", "kv_type_k", "kv_type_v", "ubatch", "flash_attention", "gpu_layers", "cpu_moe_layers"),
            *("kv_offload", "mmap", "split", "tensor_split", "imatrix", "mtp", "draft", "llama_cpp"),
            *("projector", "projector_offload", "publisher"),
        }
    ),
    start=llama_cpp_commands,
)
# Both load the projector that a model comes with, without being asked.
OLLAMA = replace(
    LLAMA_CPP,
    id=RuntimeId.OLLAMA,
    name="Ollama",
    drafts=False,
    sees="by itself",
    sees_source="https://github.com/ollama/ollama/issues/10417",
    largest_image=True,
    start=ollama_commands,
    frontend=OLLAMA_PROGRAM,
)
LM_STUDIO = replace(
    LLAMA_CPP,
    id=RuntimeId.LM_STUDIO,
    name="LM Studio",
    sees="by itself",
    sees_source="https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/1176",
    adapts=False,
    start=lm_studio_commands,
    frontend=LM_STUDIO_PROGRAM,
)
