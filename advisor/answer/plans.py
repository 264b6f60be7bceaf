"""From a question, a model and its hardware to plans, by the runtime that is to run them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from advisor.formats.levels import find_level
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, sentence
from advisor.models.lookup import find_model
from advisor.models.model import Model
from advisor.question.hardware import Hardware, chip_for
from advisor.question.question import Question
from advisor.runtimes.defaults import Taken
from advisor.runtimes.registry import RUNTIMES, find_runtime, runtime_by
from advisor.runtimes.runtime import Runtime
from advisor.runtimes.support import Support, machine_refusal
from advisor.sizing.plan import Plan
from advisor.sizing.rates import Rates
from advisor.sizing.request import Adapters, Checkpoint, DraftModel, GgufFile, Levels, PlanRequest, Vision
from advisor.sizing.runtime_id import RuntimeId
from advisor.sources.published_sizes import published_sizes_of
from advisor.sources.resolve import ResolvedModel
from advisor.speed.rate import host_reading_times, reading_rate
from advisor.speed.shape import shape_of

if TYPE_CHECKING:
    from advisor.sources.repository import Repository


def runtime_name(runtime: str) -> str:
    """As its makers write it."""
    return find_runtime(runtime).name


def with_frontend_defaults(
    question: Question, given: frozenset[str], model: Model, hardware: Hardware, runtime: RuntimeId
) -> tuple[Question, tuple[Taken, ...]]:
    """The question with what a front end chooses for settings that are not `given`, and these choices.

    What reads an input in one batch is given batches as long as its inputs.
    """
    gpu_bytes = sum(device.capacity_bytes for device in hardware.memory.devices)
    by = runtime_by(runtime)
    taken = tuple(each for each in by.defaults(gpu_bytes, model) if each.key not in given)
    values: dict[str, Any] = {each.key: each.value for each in taken}
    if "ubatch" not in given and refuses_input(by, model, question):
        values["ubatch"] = question.workload.prompt
    return question.with_values(**values) if values else question, taken


def refuses_input(by: Runtime, model: Model, question: Question) -> bool:
    """Whether an encoder's inputs are longer than the batch that must hold each of them."""
    batch = None if model.causal else by.encoder_batch(question.settings)
    return batch is not None and question.workload.prompt > batch


def request_of(
    question: Question,
    entry: ResolvedModel,
    model: Model,
    hardware: Hardware,
    runtime: RuntimeId,
    among: Collection[str] | None = None,
) -> PlanRequest:
    """What a runtime plans from: the GGUF file that was asked for, or the levels (`among` some, where given)."""
    only = None if question.model.level is None else find_level(question.model.level).id
    published = published_sizes_of(entry, question.model.publisher)
    some = None if among is None else frozenset(among)
    stored: Levels | GgufFile = Levels(only, some, question.model.imatrix, published)
    if entry.file is not None and question.model.level is None and runtime_by(runtime).engine is RuntimeId.LLAMA_CPP:
        stored = GgufFile(entry.file.sized(), tuple(entry.file.stored()))
    return PlanRequest(
        model=model,
        memory=hardware.memory,
        settings=question.settings,
        margin=question.machine.margin_percent / 100,
        stored=stored,
        search=question.placement.is_searched,
        rates=rates_of(hardware, model, question.workload.users),
        chip=chip_for(question.runtime.backend, hardware, runtime),
        draft=_draft_of(question),
        vision=_vision_of(question),
        adapters=Adapters(question.model.lora_rank, question.model.loras) if question.model.lora_rank else None,
        options=runtime_by(runtime).options(question.server),
        name=entry.name,
        machine_name=hardware.machine.name,
    )


def plans_of(
    question: Question,
    entry: ResolvedModel,
    model: Model,
    hardware: Hardware,
    runtime: RuntimeId,
    among: Collection[str] | None = None,
) -> tuple[Plan, ...]:
    """One plan per level, at least one; for a GGUF file that was asked for, the plan of that very file.

    Only levels `among` some, where these are given. Raises InputError in one sentence where there is none, saying why
    and what would run.
    """
    by = runtime_by(runtime)
    check_stack(question, entry, model, by)
    request = request_of(question, entry, model, hardware, runtime, among)
    plans = (*published_plans(question, entry, model, hardware, runtime), *by.plan(request))
    if not plans:
        raise InputError.saying(none_planned(request, by, hardware))
    return plans


def check_stack(question: Question, entry: ResolvedModel, model: Model, by: Runtime) -> None:
    """Raise InputError where a part is asked for that the runtime does not load, or the model does not have."""
    asked = question.model
    if asked.draft is not None and not by.drafts:
        drafting = " and ".join(one.name for one in RUNTIMES if one.drafts)
        raise InputError("draft: a draft model is planned for {drafting}, not for {by}.", drafting=drafting, by=by.id)
    if asked.lora_rank and not by.adapts:
        adapting = " and ".join(one.name for one in RUNTIMES if one.adapts)
        raise InputError("lora_rank: adapters are planned for {adapting}, not for {by}.", adapting=adapting, by=by.id)
    if asked.vision == "off":
        return
    if model.tower is None:
        raise InputError(
            "vision={vision}: {model} reads text only, or how large its vision part is is not known; leave vision out.",
            vision=asked.vision,
            model=entry.name,
        )
    if by.sees == "no":
        seeing = " and ".join(one.name for one in RUNTIMES if one.sees != "no")
        raise InputError(
            "vision={vision}: planned for {seeing}, not for {by}.", vision=asked.vision, seeing=seeing, by=by.id
        )


def none_planned(request: PlanRequest, by: Runtime, hardware: Hardware) -> Message:
    """Why there is no level at all, and which runtime would do."""
    llama_cpp = runtime_by(RuntimeId.LLAMA_CPP).id
    nowhere = request.chip is not None and machine_refusal(llama_cpp, request.chip)
    elsewhere = request.model.runtime_note or by.engine is llama_cpp or nowhere
    instead = sentence("choose another machine") if elsewhere else sentence("use runtime={name}", name=llama_cpp)
    return sentence(
        "No level of {model} runs with {runtime} on {machine}: {why:clause}; {instead}.",
        model=request.name,
        runtime=by.name,
        machine=hardware.name,
        why=by.why_none(request),
        instead=instead,
    )


def _draft_of(question: Question) -> DraftModel | None:
    """The draft model a question asks for."""
    if question.model.draft is None:
        return None
    found = find_model(question.model.draft)
    return DraftModel(found.model, found.name, question.model.draft_level)


def _vision_of(question: Question) -> Vision | None:
    """Whether the model's vision part is loaded, and how."""
    asked = question.model
    if asked.vision == "off":
        return None
    return Vision(asked.projector, not question.placement.projector_offload, asked.vision == "video")


def rates_of(hardware: Hardware, model: Model, users: int) -> Rates:
    """The bandwidths that make one placement faster than another; of cards that differ, what is known to be reached."""
    devices = tuple(card.bandwidth_bytes_per_s for card in hardware.cards)
    if len(set(hardware.cards)) > 1:
        devices = tuple(reading_rate(card, hardware.backend, shape_of(model), users) for card in hardware.cards)
    dense, experts, layer = host_reading_times()
    host = hardware.host_bandwidth / dense
    return Rates(devices, host, host_experts=experts / dense, host_layer=layer)


def published_plans(
    question: Question, entry: ResolvedModel, model: Model, hardware: Hardware, runtime: RuntimeId
) -> tuple[Plan, ...]:
    """The repository's own checkpoint as it is, where the runtime loads its kind: sized from its headers."""
    if entry.repository is None or not entry.repository.tensors or question.model.level is not None:
        return ()
    try:
        request = request_of(question, entry, model, hardware, runtime)
        stored = published_request(question, entry, model, hardware, request)
    except InputError:
        return ()
    return runtime_by(runtime).plan(stored)


def published_request(
    question: Question, entry: ResolvedModel, model: Model, hardware: Hardware, request: PlanRequest
) -> PlanRequest:
    """`request`, for the repository's own checkpoint; raises InputError where the runtime does not load its kind."""
    repository = entry.repository
    if repository is None or not repository.tensors:
        raise InputError("{entry} has no files of its own here.", entry=entry.name)
    support = checkpoint_support(question, repository, hardware, RuntimeId(find_runtime(question.runtime.name).id))
    if support.refusal:
        raise InputError("{refusal}.", refusal=support.refusal)
    loaded = [tensor for tensor in repository.tensors if repository.part_of(tensor) != "mtp"]
    from advisor.sources.checkpoint_size import checkpoint_size  # late: it reads tables of tensors, as few answers do

    sized = checkpoint_size(loaded, repository.quantization, model, repository.layers)
    # What is known of a vision part is counted by itself, where it is loaded.
    apart = () if model.tower is None else ("vision", "audio")
    weights = tuple((one.name, one.bytes) for one in loaded if repository.part_of(one) not in apart)
    stored = Checkpoint(sized, weights, support.notes)
    return replace(request, stored=stored)


def checkpoint_support(question: Question, repository: Repository, hardware: Hardware, runtime: RuntimeId) -> Support:
    """Whether a runtime loads a repository's own safetensors on this hardware."""
    if refusal := runtime_by(runtime).checkpoint_refusal(repository.quantization):
        return Support(refusal)
    from advisor.runtimes.published_support import published_support  # late, for the same reason

    return published_support(repository.quantization, runtime, chip_for(question.runtime.backend, hardware, runtime))
