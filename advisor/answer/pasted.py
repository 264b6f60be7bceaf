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
from advisor.question.choices import AUTO
from advisor.question.hardware import hardware_of
from advisor.question.question import Question
from advisor.runtimes.registry import ENGINES, runtime_by
from advisor.sizing.plan import Plan
from advisor.sizing.runtime_id import RuntimeId
from advisor.sources.repository import Repository
from advisor.sources.resolve import ResolvedModel


@dataclass(frozen=True)
class Chosen:
    """`runtime` plans the model; `plan` is the pasted checkpoint's own where `runtime` does not load it."""

    runtime: RuntimeId
    plan: Plan | None = None
    note: Message | None = None


def choose_runtime(question: Question, entry: ResolvedModel, model: Model) -> Chosen:
    """The runtime that a question is answered for; raises InputError where it asks for two that clash."""
    usual = runtime_of(question)
    repository = entry.repository
    if (
        repository is None
        or not repository.tensors
        or repository.quantization is None
        or question.model.level is not None
    ):
        return Chosen(usual)
    level = repository.quantization.level
    if question.runtime.name != AUTO:
        refusal = _refusal(question, repository, usual)
        return Chosen(usual, note=_not_planned(level, as_it_is(refusal)) if refusal else None)
    if its_keys := runtime_by(usual).own_keys & question.chosen().keys():
        why = fact("setting_of_gguf_only", setting=Key(min(its_keys)), runtime=runtime_name(usual))
        return Chosen(usual, note=_not_planned(level, why))
    runtime = next(one.id for one in ENGINES if not one.checkpoint_refusal(repository.quantization))
    try:
        hardware = hardware_of(question.machine, question.runtime.backend, runtime)
        if refusal := checkpoint_support(question, repository, hardware, runtime).refusal:
            return Chosen(usual, note=_not_planned(level, as_it_is(refusal)))
        plan = published_plans(question, entry, model, hardware, runtime)[0]
    except InputError as error:
        return Chosen(usual, note=_not_planned(level, as_it_is(str(error).rstrip("."))))
    name = runtime_name(runtime)
    if not plan.fits:
        return Chosen(usual, plan, fact("own_files_do_not_fit", level=level, runtime=name))
    return Chosen(runtime, note=fact("own_files_fit", level=level, runtime=name))


def _refusal(question: Question, repository: Repository, runtime: RuntimeId) -> str:
    try:
        return checkpoint_support(
            question, repository, hardware_of(question.machine, question.runtime.backend, runtime), runtime
        ).refusal
    except InputError:
        return ""  # said by whoever plans for this runtime


def _not_planned(level: str, why: Message) -> Message:
    return fact("own_files_not_planned", level=level, why=why)
