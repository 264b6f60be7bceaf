"""A quantized checkpoint that was pasted: the runtime that loads it, where nobody chose one.

Whoever pastes an AWQ repository asks about that file. Where it fits with a runtime that loads it, its plans are that
runtime's; else its own plan stands beside llama.cpp's levels of the same model, saying what it lacks.
"""

from __future__ import annotations

from dataclasses import dataclass

from advisor.answer.plans import checkpoint_support, published_plans, runtime_name, runtime_of
from advisor.foundation.errors import InputError
from advisor.foundation.message import Key, Message, as_it_is, fact
from advisor.models.model import Model
from advisor.question.hardware import hardware_of
from advisor.question.question import AUTO, Scenario
from advisor.sizing.plan import Plan
from advisor.sources.repository import Repository
from advisor.sources.resolve import ResolvedModel

# Who sets one of these means llama.cpp.
_OF_LLAMA_CPP = frozenset(
    {
        "backend",
        "kv_type_k",
        "kv_type_v",
        "ubatch",
        "flash_attention",
        "gpu_layers",
        "cpu_moe_layers",
        "kv_offload",
        "mmap",
        "split",
        "tensor_split",
        "imatrix",
        "mtp",
        "draft",
    }
)


@dataclass(frozen=True)
class Chosen:
    """`runtime` plans the model; `plan` is the pasted checkpoint's own where `runtime` does not load it."""

    runtime: str
    plan: Plan | None = None
    note: Message | None = None


def choose_runtime(scenario: Scenario, entry: ResolvedModel, model: Model) -> Chosen:
    """The runtime that a scenario is answered for; raises InputError where it asks for two that clash."""
    usual = runtime_of(scenario)
    repository = entry.repository
    if repository is None or not repository.tensors or repository.quantization is None or scenario.level is not None:
        return Chosen(usual)
    level = repository.quantization.level
    if scenario.runtime != AUTO:
        refusal = _refusal(scenario, repository, usual)
        return Chosen(usual, note=_not_planned(level, as_it_is(refusal)) if refusal else None)
    if set_for_llama_cpp := _OF_LLAMA_CPP & scenario.chosen().keys():
        key = min(set_for_llama_cpp)
        return Chosen(usual, note=_not_planned(level, fact("of_llama_cpp", setting=Key(key))))
    runtime = "mlx" if repository.quantization.kind == "MLX" else "vllm"
    try:
        hardware = hardware_of(scenario, runtime)
        if refusal := checkpoint_support(scenario, repository, hardware, runtime).refusal:
            return Chosen(usual, note=_not_planned(level, as_it_is(refusal)))
        plan = published_plans(scenario, entry, model, hardware, runtime)[0]
    except InputError as error:
        return Chosen(usual, note=_not_planned(level, as_it_is(str(error).rstrip("."))))
    name = runtime_name(runtime)
    if not plan.fits:
        return Chosen(usual, plan, fact("own_files_do_not_fit", level=level, runtime=name))
    return Chosen(runtime, note=fact("own_files_fit", level=level, runtime=name))


def _refusal(scenario: Scenario, repository: Repository, runtime: str) -> str:
    try:
        return checkpoint_support(scenario, repository, hardware_of(scenario, runtime), runtime).refusal
    except InputError:
        return ""  # said by whoever plans for this runtime


def _not_planned(level: str, why: Message) -> Message:
    return fact("own_files_not_planned", level=level, why=why)
