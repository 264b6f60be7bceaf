"""What must be known of a runtime beside the numbers: a shared cache, an assumed GPU, cards that stay idle."""

from __future__ import annotations

from advisor.answer.plans import runtime_name
from advisor.foundation.message import NOTHING, Message, fact
from advisor.models.model import Model
from advisor.question.configuration import CUSTOM_MACHINE, RuntimeChoice
from advisor.question.hardware import Hardware, chip_for
from advisor.runtimes.architectures import loading_of
from advisor.runtimes.llama_cpp.kv_cache import as_kept
from advisor.runtimes.registry import runtime_by
from advisor.sizing.runtime_id import RuntimeId
from advisor.sizing.settings import CACHE_TYPES, Settings
from advisor.speed.cache_types import CacheTypes, has_kernel


def runtime_notes(
    asked: RuntimeChoice, settings: Settings, model: Model, hardware: Hardware, runtime: RuntimeId
) -> tuple[Message, ...]:
    """For the reader of an answer; none where nothing is special."""
    found = (
        _cache_note(settings, model, runtime),
        _kernel_note(settings, model, hardware, runtime),
        _custom_note(asked.backend, hardware, runtime),
        _idle_note(hardware),
        loading_of(runtime_by(runtime).engine, model).why,
    )
    return tuple(note for note in found if note is not None)


def _cache_note(settings: Settings, model: Model, runtime: RuntimeId) -> Message | None:
    if settings.shared_by == 1 or not model.causal:
        return None
    name, users, context = runtime_name(runtime), settings.users, settings.context
    if not as_kept(model, settings).unified:
        return fact("cache_not_shared", runtime=name, users=users)
    tokens = fact("tokens", n=context)
    if model.context_length is not None and context * users > model.context_length:
        return fact("cache_shared", runtime=name, users=users, context=tokens)
    return fact("cache_shared_choose", runtime=name, users=users, context=tokens, whole=context * users)


def _kernel_note(settings: Settings, model: Model, hardware: Hardware, runtime: RuntimeId) -> Message | None:
    """That the host computes attention over a cache of these types."""
    keys, values, backend = settings.cache_type_k, settings.cache_type_v, hardware.backend
    loads = runtime_by(runtime).engine is RuntimeId.LLAMA_CPP and model.causal
    if not loads or has_kernel(backend, CacheTypes(keys, values, settings.flash_attention)):
        return None
    return fact(
        "cache_without_kernel",
        keys=keys,
        values=values,
        runtime=runtime_name(runtime),
        types=tuple(kind for kind in CACHE_TYPES if has_kernel(backend, CacheTypes(kind, kind))),
        built=fact("cache_kernels_built") if backend in ("cuda", "rocm") else NOTHING,
    )


def _custom_note(backend: str, hardware: Hardware, runtime: RuntimeId) -> Message | None:
    if hardware.machine.kind != CUSTOM_MACHINE or runtime_by(runtime).custom_vendor is None:
        return None
    name, vendor = runtime_name(runtime), chip_for(backend, hardware, runtime).vendor
    if vendor == "NVIDIA":
        return fact("custom_as_nvidia", runtime=name)
    return fact("custom_as_vendor", runtime=name, vendor=vendor)


def _idle_note(hardware: Hardware) -> Message | None:
    used, there = len(hardware.cards), len(hardware.installed)
    return fact("cards_idle", n=there - used, used=used, there=there) if used < there else None
