"""What must be known of a runtime beside the numbers: a shared cache, an assumed GPU."""

from __future__ import annotations

from advisor.answer.plans import runtime_name
from advisor.foundation.message import Message, fact
from advisor.models.model import Model
from advisor.question.hardware import Hardware, vllm_chip
from advisor.question.question import CUSTOM_MACHINE, Scenario
from advisor.runtimes.llama_cpp.kv_cache import as_kept
from advisor.sizing.settings import Settings


def runtime_notes(scenario: Scenario, model: Model, hardware: Hardware, runtime: str) -> tuple[Message, ...]:
    """For the reader of an answer; none where nothing is special."""
    found = (
        _cache_note(scenario.settings, model, runtime),
        _custom_note(scenario, hardware) if runtime == "vllm" else None,
    )
    return tuple(note for note in found if note is not None)


def _cache_note(settings: Settings, model: Model, runtime: str) -> Message | None:
    if settings.shared_by == 1 or not model.causal:
        return None
    name, users, context = runtime_name(runtime), settings.users, settings.context
    if not as_kept(model, settings).unified:
        return fact("cache_not_shared", runtime=name, users=users)
    if model.context_length is not None and context * users > model.context_length:
        return fact("cache_shared", runtime=name, users=users, context=context)
    return fact("cache_shared_choose", runtime=name, users=users, context=context, whole=context * users)


def _custom_note(scenario: Scenario, hardware: Hardware) -> Message | None:
    if hardware.machine.kind != CUSTOM_MACHINE:
        return None
    chip = vllm_chip(scenario, hardware.machine)
    return fact("custom_as_nvidia") if chip.vendor == "NVIDIA" else fact("custom_as_vendor", vendor=chip.vendor)
