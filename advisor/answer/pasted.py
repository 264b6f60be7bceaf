"""A quantized checkpoint that was pasted: whoever pastes an AWQ repository asks about that very file, also where the
Hub is not asked and only its name tells what it is.

Where it fits with a runtime that loads it, it is all that is looked at; else its own plan stands beside the levels of
the same model, saying what it lacks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from advisor.answer.plans import runtime_name
from advisor.answer.setups import Setup, Subject, runtimes_of, setups_of, setups_of_checkpoint
from advisor.formats.gguf_levels import LEVELS
from advisor.foundation.errors import InputError
from advisor.foundation.message import Key, Message, fact
from advisor.question.configuration import AUTO
from advisor.runtimes.registry import ENGINES, runtime_by
from advisor.sizing.plan import Plan
from advisor.sizing.runtime_id import RuntimeId

if TYPE_CHECKING:
    from advisor.sources.quantization import Quantization


@dataclass(frozen=True, eq=False)
class Ways:
    """What is searched. `beside` is the plan of the pasted checkpoint where it is none of that."""

    setups: tuple[Setup, ...]
    beside: Plan | None = None
    note: Message | None = None


def ways_of(about: Subject) -> Ways:
    """What to search for a question; raises InputError in one sentence where nothing is possible."""
    repository, question = about.entry.repository, about.question
    if question.model.level is not None:
        return Ways(setups_of(about))
    if about.entry.level is not None and about.entry.level not in LEVELS:
        return _named(about, about.entry.level)
    if repository is None or not repository.tensors or repository.quantization is None:
        return Ways(setups_of(about))
    level = repository.quantization.level
    runtime = _runtime_for(about, repository.quantization)
    if isinstance(runtime, Message):
        return Ways(setups_of(about), note=_not_planned(level, runtime))
    try:
        setups = setups_of_checkpoint(about, runtime)
        plan = setups[0].runtime.plan(setups[0].request)[0]
    except InputError as error:
        return Ways(setups_of(about), note=_not_planned(level, error.message))
    return _if_it_fits(about, level, setups, plan)


def _named(about: Subject, level: str) -> Ways:
    """The same of files that were not read, at the level that their name tells."""
    if (why := _gguf_alone(about)) is not None:
        return Ways(setups_of(about), note=_not_planned(level, why))
    try:
        setups = setups_of(replace(about, question=about.question.with_values(level=level)))
        plans = [plan for one in setups if (plan := one.runtime.plan_level(one.request, one.levels[0])) is not None]
        plan = next((plan for plan in plans if plan.fits), None) or setups[0].runtime.plan(setups[0].request)[0]
    except InputError as error:
        return Ways(setups_of(about), note=_not_planned(level, error.message))
    return _if_it_fits(about, level, setups, plan)


def _if_it_fits(about: Subject, level: str, setups: tuple[Setup, ...], plan: Plan) -> Ways:
    name = runtime_name(plan.runtime)
    if not plan.fits:
        return Ways(setups_of(about), plan, fact("own_files_do_not_fit", level=level, runtime=name))
    return Ways(setups, note=fact("own_files_fit", level=level, runtime=name))


def _runtime_for(about: Subject, quantization: Quantization) -> RuntimeId | Message:
    """The runtime that loads the checkpoint, or why none is looked at."""
    asked = about.question.runtime.name
    if asked != AUTO:
        usual = runtimes_of(about.question, about.entry)[0]
        refusal = runtime_by(usual).checkpoint_refusal(quantization)
        return refusal or usual
    loading = next(one.id for one in ENGINES if not one.checkpoint_refusal(quantization))
    return _gguf_alone(about) or loading


def _gguf_alone(about: Subject) -> Message | None:
    """What is asked for that nothing but llama.cpp reads, where it is left open what runs the model."""
    llama_cpp = runtime_by(RuntimeId.LLAMA_CPP)
    its_keys = llama_cpp.own_keys & about.question.chosen().keys()
    if about.question.runtime.name != AUTO or not its_keys:
        return None
    return fact("setting_of_gguf_only", setting=Key(min(its_keys)), runtime=llama_cpp.name)


def _not_planned(level: str, why: Message) -> Message:
    return fact("own_files_not_planned", level=level, why=why)
