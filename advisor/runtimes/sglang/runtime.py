"""SGLang: what it loads and is told, where that is not as in vLLM."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from advisor.formats.level_id import LevelId
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message
from advisor.runtimes.runtime import Limits, SpeedTraits
from advisor.runtimes.server import ServerOptions
from advisor.runtimes.sglang.commands import sglang_commands
from advisor.runtimes.sglang.plans import longest_context, plan_sglang, plan_sglang_level, refusals, requests_held
from advisor.runtimes.sglang.serve_options import DEFAULTS, SglangOptions
from advisor.runtimes.support import machine_refusal
from advisor.runtimes.vllm.runtime import LADDER, SERVER_KEYS, GpuServer, check_server
from advisor.sizing.plan import Plan
from advisor.sizing.request import PlanRequest
from advisor.sizing.runtime_id import RuntimeId

_KEPT_IN_8_BITS = "fp8"


@dataclass(frozen=True, kw_only=True, eq=False)
class Sglang(GpuServer):
    """SGLang's rules: GPUs of one kind, and one pool of tokens beside the weights."""

    def check(self, request: PlanRequest) -> None:
        check_server(self, request)
        if request.settings.mtp and request.model.trunk is not None:
            raise InputError("mtp: drafting is planned for llama.cpp and vLLM, not for {name}.", name=self.name)

    def plan(self, request: PlanRequest) -> tuple[Plan, ...]:
        self.check(request)
        return plan_sglang(self, request)

    def plan_level(self, request: PlanRequest, level: LevelId, exactly: bool = True) -> Plan | None:
        return plan_sglang_level(self, request, level)

    def why_none(self, request: PlanRequest) -> Message:
        if request.chip is not None and (why := machine_refusal(self.id, request.chip)):
            return why
        return Counter(refusals(self, request).values()).most_common(1)[0][0]

    def longest_context(self, plan: Plan) -> int:
        return longest_context(plan)

    def requests_held(self, plan: Plan, tokens: int) -> float | None:
        return requests_held(plan, tokens)

    def options(self, told: ServerOptions) -> SglangOptions:
        return SglangOptions(
            share=told.static_share,
            pipeline=told.pipeline,
            data=told.data,
            expert_parallel=told.expert_parallel,
            kv_dtype=_KEPT_IN_8_BITS if told.kv_fp8 else DEFAULTS.kv_dtype,
            chunk=told.batch_tokens,
            max_requests=told.requests,
            eager=told.eager,
        )

    def told(self, plan: Plan) -> Mapping[str, Any]:
        return {"kv_fp8": self.cache_types(plan.request)[0] == _KEPT_IN_8_BITS}

    def cache_types(self, request: PlanRequest) -> tuple[str | None, str | None]:
        return (request.options_or(DEFAULTS).kv_dtype,) * 2


SGLANG = Sglang(
    id=RuntimeId.SGLANG,
    name="SGLang",
    engine=RuntimeId.SGLANG,
    ladder=LADDER,
    limits=Limits(),
    # 18 of its 20 measurements of one user lie in that range; all but two are of one GPU and source.
    speed=SpeedTraits(backend="vllm", splits_tensors=True, begins=0.75),
    drafts=False,
    sees="by itself",
    sees_source="https://docs.sglang.io/docs/advanced_features/server_arguments",
    backends=("cuda", "rocm"),
    custom_vendor="NVIDIA",
    own_keys=frozenset({"mem_fraction_static"}) | SERVER_KEYS,
    start=sglang_commands,
    searched=False,
)
