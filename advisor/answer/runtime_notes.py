"""What must be known of a runtime beside the numbers: a shared cache, an assumed GPU."""

from __future__ import annotations

from advisor.answer.plans import runtime_name
from advisor.foundation.numbers import plural
from advisor.models.model import Model
from advisor.question.choices import CUSTOM_MACHINE, RuntimeChoice
from advisor.question.hardware import Hardware, chip_for
from advisor.runtimes.llama_cpp.kv_cache import as_kept
from advisor.runtimes.registry import runtime_by
from advisor.sizing.runtime_id import RuntimeId
from advisor.sizing.settings import Settings


def runtime_notes(
    asked: RuntimeChoice, settings: Settings, model: Model, hardware: Hardware, runtime: RuntimeId
) -> tuple[str, ...]:
    """Sentences for the reader of an answer; none where nothing is special."""
    return tuple(
        note
        for note in (
            _cache_note(settings, model, runtime),
            _custom_note(asked.backend, hardware, runtime),
        )
        if note
    )


def _cache_note(settings: Settings, model: Model, runtime: RuntimeId) -> str:
    if settings.shared_by == 1 or not model.causal:
        return ""
    name, users, context = runtime_name(runtime), settings.users, settings.context
    if not as_kept(model, settings).unified:
        return f"{name}'s requests at once share no KV cache of this model: each of the {users} has one of its own."
    shared = (
        f"{name}'s {users} requests at once share one KV cache of {plural(context, 'token')}, which one alone may fill"
    )
    if model.context_length is not None and context * users > model.context_length:
        return f"{shared}."
    return f"{shared}; for {plural(context, 'token')} each, choose a context of {context * users:,}."


def _custom_note(backend: str, hardware: Hardware, runtime: RuntimeId) -> str:
    if hardware.machine.kind != CUSTOM_MACHINE or runtime_by(runtime).custom_vendor is None:
        return ""
    chip = chip_for(backend, hardware, runtime)
    what, other = ("generation", "")
    if chip.vendor == "NVIDIA":
        what, other = ("compute capability", " For an AMD one choose the ROCm backend.")
    return (
        f"For {runtime_name(runtime)} the custom device counts as an {chip.vendor} GPU of unknown {what}: a level is "
        f"listed where some {chip.vendor} GPU loads it, so check that yours does.{other}"
    )
