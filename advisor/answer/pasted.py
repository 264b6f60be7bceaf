"""A quantized checkpoint that was pasted: whoever pastes an AWQ repository asks about that very file.

Where it fits with a runtime that loads it, it is all that is looked at; else its own plan stands beside the levels of
the same model, saying what it lacks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from advisor.answer.plans import runtime_name
from advisor.answer.setups import Setup, Subject, runtimes_of, setups_of, setups_of_checkpoint
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
    if (
        repository is None
        or not repository.tensors
        or repository.quantization is None
        or question.model.level is not None
    ):
        return Ways(setups_of(about))
    level = repository.quantization.level
    runtime = _runtime_for(about, repository.quantization)
    if isinstance(runtime, Message):
        return Ways(setups_of(about), note=_not_planned(level, runtime))
    name = runtime_name(runtime)
    try:
        setups = setups_of_checkpoint(about, runtime)
        plan = setups[0].runtime.plan(setups[0].request)[0]
    except InputError as error:
        return Ways(setups_of(about), note=_not_planned(level, error.message))
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
    llama_cpp = runtime_by(RuntimeId.LLAMA_CPP)
    if its_keys := llama_cpp.own_keys & about.question.chosen().keys():
        return fact("setting_of_gguf_only", setting=Key(min(its_keys)), runtime=llama_cpp.name)
    return next(one.id for one in ENGINES if not one.checkpoint_refusal(quantization))


def _not_planned(level: str, why: Message) -> Message:
    return fact("own_files_not_planned", level=level, why=why)
