"""What the reader of an answer should see beside its numbers."""

from __future__ import annotations

from collections.abc import Iterator

from advisor.answer.assess import encoder_notes
from advisor.answer.drafting import drafting_note, mtp_note
from advisor.answer.extending import extension_of
from advisor.answer.option import Option
from advisor.answer.plans import refuses_input, runtime_name
from advisor.answer.runtime_notes import runtime_notes
from advisor.answer.setups import Subject
from advisor.answer.spill import spill_note
from advisor.foundation.message import NOTHING, Key, Message, fact
from advisor.machines.catalogue import Machine
from advisor.models.model import Model
from advisor.question.configuration import AUTO
from advisor.question.hardware import Hardware
from advisor.question.question import Question
from advisor.runtimes.defaults import Taken
from advisor.runtimes.registry import ENGINES
from advisor.runtimes.runtime import Runtime
from advisor.sizing.plan import Plan
from advisor.sizing.request import GgufFile
from advisor.sizing.runtime_id import RuntimeId
from advisor.sources.resolve import ResolvedModel

_READ_BY_ALL = frozenset({"backend"})  # where a vendor is not known, it tells that too


def notes_of(about: Subject, decided: Option) -> tuple[Message, ...]:
    """Of the model, its machine and its runtime, as they are decided."""
    return tuple(_notes(about, decided))


def _notes(about: Subject, decided: Option) -> Iterator[Message]:
    setup, question, model, entry = decided.setup, decided.setup.question, about.model, about.entry
    if not about.writes:
        yield from encoder_notes(entry, model, question.workload, question.requirements)
        yield from _batch_notes(about, decided)
    yield from _frontend_notes(setup.runtime.id, setup.taken)
    if about.usual_context is not None and "context" not in {one.key for one in setup.taken}:
        yield fact("context_of_model", tokens=fact("tokens", n=question.workload.context), usual=about.usual_context)
    yield from _extension_notes(about, decided)
    if used := _used(decided.plan):
        yield fact("used_counted", used=used)
    yield from runtime_notes(question.runtime, question.settings, model, setup.hardware, setup.runtime.id)
    yield from _unread_notes(about.question, setup.runtime)
    yield from _host_notes(setup.hardware, decided.plan)
    if (full := spill_note(decided.plan, setup.hardware)) is not None:
        yield full
    if question.model.draft and (drafting := drafting_note(question.model, setup.hardware, decided.candidate)):
        yield drafting
    if entry.file is not None and not isinstance(decided.plan.request.stored, GgufFile):
        yield fact("file_not_planned", file=entry.file.name, level=decided.candidate.level)
    yield from _model_notes(entry, setup.hardware.machine, model)
    yield from _stack_notes(about, decided)


def _batch_notes(about: Subject, decided: Option) -> Iterator[Message]:
    """How large the batch is that must hold an encoder's input, where it is not the usual one or too small."""
    question, usual = decided.setup.question, about.question.runtime.ubatch
    batch, prompt = question.runtime.ubatch, question.workload.prompt
    tokens = fact("tokens", n=prompt)
    if refuses_input(decided.setup.runtime, about.model, question):
        yield fact("encoder_batch", tokens=tokens, prompt=prompt, ubatch=batch)
    elif "ubatch" not in about.question.given and batch != usual:
        yield fact("encoder_batch_taken", tokens=tokens, ubatch=batch, usual=usual)


def _used(plan: Plan) -> int:
    return sum(holder.used_bytes for holder in (*plan.devices, plan.host))


def _extension_notes(about: Subject, decided: Option) -> Iterator[Message]:
    """That a context is asked for which the model was not trained for, or a scaling that is not needed."""
    work, name = decided.setup.question.workload, about.entry.name
    extension = extension_of(work, about.entry, about.model)
    if extension is None:
        if work.rope_scaling != AUTO:
            yield fact("scaling_not_needed", trained=about.model.context_length or 0)
        return
    context, trained = work.context, extension.trained
    if extension.scaling == "none":
        yield fact("context_not_stretched", context=context, trained=trained, model=name)
        return
    kind = fact("scaling_yarn") if extension.scaling == "yarn" else fact("scaling_linear")
    yield fact("context_stretched", context=context, trained=trained, model=name, kind=kind, factor=extension.factor)


def _frontend_notes(runtime: RuntimeId, taken: tuple[Taken, ...]) -> tuple[Message, ...]:
    if not taken:
        return ()
    return (fact("frontend_defaults", frontend=runtime_name(runtime), taken=tuple(each.said for each in taken)),)


def _unread_notes(asked: Question, runtime: Runtime) -> tuple[Message, ...]:
    """That settings of another engine change nothing: whoever writes one should not believe that it does."""
    others = frozenset[str]().union(*(one.own_keys for one in ENGINES)) - runtime.own_keys - _READ_BY_ALL
    unread = tuple(Key(key) for key in asked.changed() if key in others & asked.given)
    return (fact("settings_not_read", n=len(unread), keys=unread, runtime=runtime.name),) if unread else ()


def _host_notes(hardware: Hardware, plan: Plan) -> tuple[Message, ...]:
    """What the host's bandwidth is, where that is assumed or followed from words, and anything is read from there."""
    if not (plan.placement.offloads and plan.fits):
        return ()
    if (ram := hardware.ram) is not None:
        return (
            fact(
                "ram_counted",
                name=ram.name,
                channels=fact("memory_channels", n=ram.channels * ram.sockets),
                rated=ram.rated / 1e9,
                less=fact("ram_of_many_channels", gb_s=ram.bandwidth / 1e9) if ram.bandwidth < ram.rated else NOTHING,
            ),
        )
    if not hardware.host_bandwidth_assumed:
        return ()
    return (fact("host_bandwidth_assumed", gb_s=hardware.host_bandwidth / 1e9),)


def _model_notes(entry: ResolvedModel, chosen: Machine, model: Model) -> tuple[Message, ...]:
    notes = [*entry.notes, *model.notes]
    if model.runtime_note:
        notes.append(fact("runtime_hypothetical", note=model.runtime_note))
    if entry.confidence == "recalled":
        fields = len(entry.recalled_fields)
        notes.append(fact("shape_recalled", fields=fact("fields_of_config", n=fields) if fields else NOTHING))
    if chosen.confidence == "weak":
        notes.append(fact("machine_weakly_sourced", machine=chosen.name))
    return tuple(notes)


def _stack_notes(about: Subject, decided: Option) -> Iterator[Message]:
    """What of the model is loaded, and what is left out: layers that draft, what sees and hears."""
    model, question, request = about.model, decided.setup.question, decided.plan.request
    if model.trunk is not None:
        yield mtp_note(decided.candidate) if question.model.mtp else fact("mtp_not_loaded")
    elif question.model.mtp and not model.mtp_layers:
        yield fact("mtp_not_there", model=about.entry.name)
    if model.mtp_layers:
        yield fact("mtp_left_out", n=len(model.mtp_layers), parameters=model.mtp_parameters)
    if model.tower is None or not about.writes:
        return
    if decided.setup.runtime.sees == "no":
        yield fact("vision_never", runtime=decided.setup.runtime.name)
    elif request.vision is None:
        yield fact("vision_left_out", size=model.tower.file_bytes("F16"))
    elif decided.setup.runtime.engine is RuntimeId.LLAMA_CPP:
        kind = request.vision.projector
        yield fact("vision_counted", size=model.tower.file_bytes(kind), type=kind)
    else:
        yield fact("vision_and_profile_counted", size=2 * model.tower.parameters)
