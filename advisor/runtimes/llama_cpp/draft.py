"""A draft model beside the main one: what it takes, and whether llama.cpp lets it draft (speculative decoding).

As `common_base_params_to_speculative` sets it up (common/speculative.cpp, commit 0c1e57098): on the same devices, split
the same way, with the same context, users and micro-batch, and a KV cache of its own in f16.
"""

from __future__ import annotations

from dataclasses import replace

from advisor.formats.gguf_levels import LEVELS
from advisor.foundation.errors import InputError
from advisor.models.model import Model
from advisor.runtimes.llama_cpp.plans import plan_gguf
from advisor.sizing.memory import Device, Memory
from advisor.sizing.plan import Plan, Planner
from advisor.sizing.request import DraftModel, Levels, PlanRequest
from advisor.sizing.settings import Settings

DRAFTED = 3  # tokens at a time, unless told otherwise (common_params_speculative_draft::n_max)
_VOCABULARY_SLACK = 128  # words by which vocabularies may differ (SPEC_VOCAB_MAX_SIZE_DIFFERENCE)


def check_draft(wanted: DraftModel, target: Model, target_name: str) -> None:
    """Raise InputError where a model cannot draft for another, or would not help."""
    draft, draft_name = wanted.model, wanted.name
    if draft.parameters >= target.parameters:
        raise InputError(
            "draft: {draft_name} is no smaller than {target_name} ({drafting:approx} against "
            "{main:approx} billion parameters): a draft model only helps when it is much smaller.",
            draft_name=draft_name,
            target_name=target_name,
            drafting=draft.parameters / 1e9,
            main=target.parameters / 1e9,
        )
    if abs(draft.vocabulary - target.vocabulary) > _VOCABULARY_SLACK:
        raise InputError(
            "draft: {draft_name} knows {words:,} words and {target_name} {main_words:,}; "
            "llama.cpp drafts only with the same vocabulary: choose a smaller model of the same family.",
            draft_name=draft_name,
            words=draft.vocabulary,
            target_name=target_name,
            main_words=target.vocabulary,
        )
    if not draft.causal:
        raise InputError("draft: {draft_name} generates no text: choose a language model.", draft_name=draft_name)


def plan_draft(by: Planner, request: PlanRequest) -> Plan | None:
    """The draft model alone, all of it on the devices where there are any; no overheads, which the main model has.

    None where none is asked for. Raises InputError for one that cannot draft for the model.
    """
    if (draft := request.draft) is None:
        return None
    check_draft(draft, request.model, request.name)
    memory, settings = request.memory, request.settings
    alone = replace(
        memory,
        devices=tuple(replace(device, overhead_bytes=0) for device in memory.devices),
        host_overhead_bytes=0,
    )
    told = Settings(
        context=settings.context,
        users=settings.users,
        unified=settings.unified,
        micro_batch=settings.micro_batch,
        flash_attention=settings.flash_attention,
        split=settings.split,
        tensor_split=settings.tensor_split,
    )
    return plan_gguf(by, PlanRequest(draft.model, alone, told, stored=Levels(only=LEVELS[draft.level].id)))[0]


def with_draft(by: Planner, request: PlanRequest) -> tuple[PlanRequest, Plan | None]:
    """The request for what is left for the main model, and the plan of the draft model that is asked for."""
    draft = plan_draft(by, request)
    return request if draft is None else replace(request, memory=beside_draft(request.memory, draft)), draft


def beside_draft(memory: Memory, draft: Plan) -> Memory:
    """What is left for the main model."""

    def device(one: Device, taken: int) -> Device:
        return replace(one, overhead_bytes=one.overhead_bytes + taken, draft_bytes=taken)

    taken = [holder.needed_bytes for holder in draft.devices]
    return replace(
        memory,
        devices=tuple(device(one, size) for one, size in zip(memory.devices, taken, strict=True)),
        host_overhead_bytes=memory.host_overhead_bytes + draft.host.needed_bytes,
        host_draft_bytes=draft.host.needed_bytes,
    )


def expected_tokens(accepted: float) -> float:
    """Tokens a step yields on average where each drafted one is accepted with this probability.

    Y. Leviathan et al., "Fast Inference from Transformers via Speculative Decoding" (2023), equation 1.
    """
    return DRAFTED + 1 if accepted >= 1 else (1 - accepted ** (DRAFTED + 1)) / (1 - accepted)
