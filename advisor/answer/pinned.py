"""The question that pins one plan: every searched key is written, also where its value is the default."""

from __future__ import annotations

from typing import Any

from advisor.answer.plans import family_of
from advisor.formats.gguf_sizes import SizedLevel
from advisor.question.choices import ModelChoice
from advisor.question.question import Question
from advisor.sizing.plan import Plan
from advisor.sources.resolved import ResolvedModel

_PUBLISHED = "published"


def pinned_query(question: Question, entry: ResolvedModel, plan: Plan) -> str:
    """The query that is answered by exactly this plan, whatever its verdict.

    A file or checkpoint as it is has no level to ask for: there the model's own address is the pin.
    """
    settings = plan.settings
    given: dict[str, Any] = {"model": address(question.model, entry), "runtime": plan.runtime}
    if not is_as_it_is(question.model, entry, plan):
        given["level"] = plan.level
    if family_of(plan.runtime) == "llama.cpp":
        given |= {
            "kv_type_k": settings.cache_type_k,
            "kv_type_v": settings.cache_type_v,
            "gpu_layers": gpu_layers(plan),
            "cpu_moe_layers": settings.cpu_moe_layers,
            "kv_offload": not settings.kv_on_host,
            "tensor_split": settings.tensor_split,
        }
        if not settings.op_offload:  # only ever found where nothing is left to a GPU
            given["op_offload"] = False
    elif plan.runtime == "vllm":
        given["kv_fp8"] = question.workload.kv_fp8
    return question.with_values(**given).to_query(also=given)


def gpu_layers(plan: Plan) -> int | str:
    """llama.cpp's `-ngl`: "all" is every layer and the output; 0 where there is no GPU."""
    if not plan.devices:
        return 0
    return "all" if plan.settings.gpu_layers is None else plan.settings.gpu_layers


def address(asked: ModelChoice, entry: ResolvedModel) -> str:
    """What names the model again: with its commit where it has one, else as it was asked for."""
    return asked.name if entry.id.startswith("{") else entry.id


def is_as_it_is(asked: ModelChoice, entry: ResolvedModel, plan: Plan) -> bool:
    """Whether the plan is of one GGUF file, or of a repository's own checkpoint, rather than of a level."""
    if isinstance(plan.sized, SizedLevel):
        return entry.file is not None and asked.level is None
    return plan.sized.format == _PUBLISHED
