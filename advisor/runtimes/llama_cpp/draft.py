"""A draft model beside the main one: what it takes, and whether llama.cpp lets it draft (speculative decoding).

As `common_base_params_to_speculative` sets it up (common/speculative.cpp, commit 0c1e57098): on the same devices, split
the same way, with the same context, users and micro-batch, and a KV cache of its own in f16.
"""

from __future__ import annotations

from dataclasses import replace

from advisor.formats.gguf_levels import LEVELS
from advisor.runtimes.drafts import check_draft
from advisor.runtimes.llama_cpp.mtp import DRAFTED
from advisor.runtimes.llama_cpp.plans import plan_gguf
from advisor.sizing.plan import Plan, Planner
from advisor.sizing.request import Levels, PlanRequest
from advisor.sizing.settings import Settings


def plan_draft(by: Planner, request: PlanRequest) -> Plan | None:
    """The draft model alone, all of it on the devices where there are any; no overheads, which the main model has.

    None where none is asked for. Raises InputError for one that cannot draft for the model.
    """
    if (draft := request.draft) is None:
        return None
    check_draft(draft, request.model, request.name, by.id.loader)
    memory, settings = request.memory, request.settings
    alone = replace(
        memory,
        devices=tuple(replace(device, overhead_bytes=0, used_bytes=0) for device in memory.devices),
        host_overhead_bytes=0,
        host_used_bytes=0,
    )
    told = Settings(
        context=settings.context,
        users=settings.users,
        unified=settings.unified,
        micro_batch=settings.micro_batch,
        flash_attention=settings.flash_attention,
        split=settings.split,
        tensor_split=settings.tensor_split,
        release=settings.release,
    )
    return plan_gguf(by, PlanRequest(draft.model, alone, told, stored=Levels(only=LEVELS[draft.level].id)))[0]


def expected_tokens(accepted: float) -> float:
    """Tokens a step yields on average where each drafted one is accepted with this probability.

    Y. Leviathan et al., "Fast Inference from Transformers via Speculative Decoding" (2023), equation 1.
    """
    return DRAFTED + 1 if accepted >= 1 else (1 - accepted ** (DRAFTED + 1)) / (1 - accepted)
