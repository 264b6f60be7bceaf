"""MLX on Apple silicon, as mlx-lm runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from advisor.formats.level_id import LevelId
from advisor.formats.safetensors_levels import find_safetensors_level
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, sentence
from advisor.models.model import Model
from advisor.runtimes.architectures import check_architecture
from advisor.runtimes.mlx.commands import mlx_commands
from advisor.runtimes.mlx.plans import longest_context, plan_mlx, plan_mlx_level, requests_held
from advisor.runtimes.runtime import Ladder, Limits, SpeedTraits, WholeOnDevices
from advisor.runtimes.server import ServerOptions
from advisor.runtimes.support import machine_refusal
from advisor.sizing.memory import Memory
from advisor.sizing.plan import Plan
from advisor.sizing.request import PlanRequest
from advisor.sizing.runtime_id import RuntimeId

if TYPE_CHECKING:
    from advisor.sources.quantization import Quantization


@dataclass(frozen=True, kw_only=True, eq=False)
class Mlx(WholeOnDevices):
    """mlx-lm's rules: one device whose memory is the system's."""

    def check(self, request: PlanRequest) -> None:
        if request.model.causal:  # what else is refused whatever its type
            check_architecture(self.id, request.model)
        if request.chip is not None and (refusal := machine_refusal(self.id, request.chip)):
            raise InputError("{refusal}.", refusal=refusal)

    def checkpoint_refusal(self, quantization: Quantization | None) -> Message | None:
        mlx = quantization is not None and quantization.kind == "MLX"
        return None if mlx else sentence("mlx-lm loads MLX files only")

    def plan(self, request: PlanRequest) -> tuple[Plan, ...]:
        self.check(request)
        return plan_mlx(self, request)

    def plan_level(self, request: PlanRequest, level: LevelId, exactly: bool = True) -> Plan | None:
        return plan_mlx_level(self, request, level)

    def caches(self, request: PlanRequest) -> tuple[Mapping[str, Any], ...]:
        return ({},)

    def card_counts(self, memory: Memory, model: Model) -> tuple[int, ...]:
        return (1,) if memory.devices else ()

    def why_none(self, request: PlanRequest) -> Message:
        return sentence("none of its levels is made for this model")

    def longest_context(self, plan: Plan) -> int:
        return longest_context(plan)

    def requests_held(self, plan: Plan, tokens: int) -> float | None:
        return requests_held(plan, tokens)

    def options(self, told: ServerOptions) -> None:
        """Neither is its."""

    def told(self, plan: Plan) -> Mapping[str, Any]:
        return {}

    def cache_types(self, request: PlanRequest) -> tuple[str | None, str | None]:
        return None, None  # mlx-lm keeps what the model computes with


def _levels(*names: str) -> tuple[LevelId, ...]:
    return tuple(find_safetensors_level(name).id for name in names)


MLX = Mlx(
    id=RuntimeId.MLX,
    name="MLX",
    engine=RuntimeId.MLX,
    ladder=Ladder(
        usual=_levels(
            *("MLX-8bit-g64", "MLX-6bit-g64", "MLX-5bit-g64", "MLX-4bit-g64", "MLX-3bit-g64", "MLX-2bit-g64")
        ),
        whole=_levels("BF16-safetensors"),
        reads=(),
        common=frozenset(_levels("BF16-safetensors", "MLX-8bit-g64", "MLX-6bit-g64", "MLX-4bit-g64")),
    ),
    limits=Limits(),
    speed=SpeedTraits(backend="mlx"),
    drafts=False,
    backends=("metal",),
    custom_vendor=None,
    own_keys=frozenset(),
    start=mlx_commands,
)
