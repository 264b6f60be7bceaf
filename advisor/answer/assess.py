"""From plans to candidates: each plan with how fast it is, what it keeps of the quality and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from advisor.answer.candidate import Candidate
from advisor.answer.pricing import Pricing
from advisor.answer.serving import Wish
from advisor.answer.spill import fullest_card
from advisor.formats.gguf_sizes import SizedLevel
from advisor.formats.levels import means
from advisor.formats.safetensors_sizes import SizedSafetensors
from advisor.foundation.message import Key, Message, fact
from advisor.models.catalogue import OwnFile
from advisor.models.model import Model
from advisor.quality import ModelFacts, facts_of
from advisor.quality.own_files import native_file, own_file_in
from advisor.question.configuration import ModelChoice, Workload
from advisor.question.hardware import Hardware
from advisor.question.question import Question
from advisor.question.requirements import Requirements
from advisor.runtimes.llama_cpp.mtp import DRAFTED
from advisor.runtimes.llama_cpp.weights import Weights, file_weights, sized_weights
from advisor.runtimes.mlx.cache_and_step import MlxOptions
from advisor.runtimes.registry import runtime_by
from advisor.runtimes.vllm.split import form_of
from advisor.sizing.placement import place
from advisor.sizing.plan import Plan
from advisor.sizing.request import Levels
from advisor.sizing.runtime_id import RuntimeId
from advisor.sources.checkpoint_size import PublishedCheckpoint
from advisor.sources.local_measurements import LocalMeasurement
from advisor.sources.published_files import PublishedFile
from advisor.sources.resolve import ResolvedModel
from advisor.speed import Speed, estimate_speed
from advisor.speed.bounded import beginning_at, no_faster
from advisor.speed.draft_gain import TEXTS, Drafting
from advisor.speed.load import SpeedLoad, checkpoint_load, placed_load, safetensors_load


def candidates_of(
    question: Question,
    entry: ResolvedModel,
    model: Model,
    hardware: Hardware,
    plans: Sequence[Plan],
    today: date,
    measured_here: Sequence[LocalMeasurement] = (),
) -> tuple[Candidate, ...]:
    """The candidates of a question, in the order of `plans`. `measured_here`: of this very model."""
    facts, writes = facts_of_model(entry, model), writes_text(entry, model)
    pricing = pricing_of(question, entry, hardware, today)

    def candidate(plan: Plan) -> Candidate:
        speed, may_spill = _speed(question, entry, model, hardware, plan), fullest_card(plan, hardware) is not None
        return Candidate(
            plan=plan,
            task=question.requirements.task,
            speed=None if may_spill else speed,
            unspilled=speed if may_spill else None,
            facts=facts,
            own_file=own_file_of(entry, plan),
            pricing=pricing,
            measured_here=tuple(row for row in measured_here if means(row.level, plan.level_id)),
            writes=writes,
        )

    return tuple(candidate(plan) for plan in plans)


def pricing_of(question: Question, entry: ResolvedModel, hardware: Hardware, today: date) -> Pricing:
    """What every plan on this hardware is priced by; cards that stay idle are paid for."""
    asked, devices = question.requirements, max(1, len(hardware.installed))
    wish = Wish(asked.min_tokens_per_s, asked.max_first_token_s, question.runtime.max_num_seqs)
    return Pricing(question.costs, hardware.average_card, devices, priced_as(entry), today, wish)


_RANKS = frozenset({"text-ranking", "text-classification"})
_READS_ONLY = _RANKS | {"feature-extraction", "sentence-similarity"}


def writes_text(entry: ResolvedModel, model: Model) -> bool:
    """Whether the model writes; encoders, embedding models and rerankers turn text into vectors or scores."""
    if not model.writes or (entry.entry is not None and entry.entry.variant == "embedding"):
        return False
    return entry.repository is None or entry.repository.pipeline not in _READS_ONLY


_ASKED_OF_WRITING = ("min_quality", "min_tokens_per_s", "max_first_token_s")


def asked_of(required: Requirements, writes: bool) -> Requirements:
    """Only those requirements that the model can meet or break."""
    return required if writes else required.with_values(**dict.fromkeys(_ASKED_OF_WRITING))


def encoder_notes(entry: ResolvedModel, model: Model, work: Workload, required: Requirements) -> tuple[Message, ...]:
    """What the reader of an encoder's figures should know: its vectors, and what was left out."""
    notes = []
    if entry.repository is None or entry.repository.pipeline not in _RANKS:
        notes.append(fact("vectors", width=model.width, users=work.users))
    if asked := tuple(Key(key) for key in _ASKED_OF_WRITING if getattr(required, key) is not None):
        notes.append(fact("not_looked_at", n=len(asked), model=entry.name, asked=asked))
    return tuple(notes)


def facts_of_model(entry: ResolvedModel, model: Model) -> ModelFacts:
    """What the quality estimate needs to know of a model, wherever it comes from."""
    if entry.entry is not None:
        return facts_of(entry.entry.id)
    active = model.active_parameters if model.experts else None
    return ModelFacts(
        id=entry.id,
        name=entry.name,
        family=model.architecture,
        parameters=model.parameters,
        active_parameters=active,
        variant="instruct" if writes_text(entry, model) else "embedding",
        moe=active is not None,
    )


def published_row(plan: Plan) -> PublishedFile | None:
    """The published file that a plan is of; None: of what stock tools make, or of a file that was asked for."""
    if not isinstance(plan.sized, SizedLevel) or not isinstance(stored := plan.request.stored, Levels):
        return None
    row = None if stored.published is None else stored.published.file_of(plan.sized.level)
    return row if isinstance(row, PublishedFile) else None


def own_file_of(entry: ResolvedModel, plan: Plan) -> OwnFile | None:
    """The publisher's own file: of the plan, of its level, or of the repository that was asked for."""
    if (row := published_row(plan)) is not None and (file := own_file_in(row.repo, plan.level_id)) is not None:
        return file
    if entry.entry is not None or entry.repository is None:
        return native_file(entry.entry, plan.level_id)
    return own_file_in(entry.repository.id, None if isinstance(plan.sized, PublishedCheckpoint) else plan.level_id)


def _speed(question: Question, entry: ResolvedModel, model: Model, hardware: Hardware, plan: Plan) -> Speed | None:
    asked, work = question.model, question.workload
    drafts = plan.settings.mtp and model.trunk is not None and runtime_by(plan.runtime).engine is not RuntimeId.MLX
    drafting = Drafting(DRAFTED, TEXTS.get(question.requirements.task, "mixed")) if drafts else None

    def estimate(plan: Plan) -> Speed | None:
        serving = plan.serving
        together = max(1, len(hardware.cards) if serving is None else serving.together)
        load = _load(asked, work, entry, model, together, plan)
        # A pasted checkpoint may stand beside the levels of another runtime.
        traits = runtime_by(plan.runtime).speed
        found = estimate_speed(
            replace(load, writes=writes_text(entry, model), cached_tokens=work.cached, drafting=drafting),
            hardware.cards[:together] if plan.serving is not None else hardware.cards or (hardware.machine,),
            hardware.backend if traits.backend is None else traits.backend,
            host_bandwidth=hardware.host_bandwidth,
            split="tensor" if traits.splits_tensors else plan.settings.split,
            replicas=1 if serving is None else serving.replicas,
        )
        return None if found is None else beginning_at(found, traits.begins)

    found = estimate(plan)
    if found is None or not plan.placement.offloads:
        return found
    # What a host computes of a batch is not in the evidence, and never faster than the fastest device with all of it.
    rates = [card.bandwidth_bytes_per_s or 0.0 for card in hardware.cards]
    shares = [float(number == rates.index(max(rates))) for number in range(len(rates))]
    whole = estimate(replace(plan, placement=place(len(plan.placement.layers), shares)))
    return found if whole is None else no_faster(found, whole)


def _load(asked: ModelChoice, work: Workload, entry: ResolvedModel, model: Model, gpus: int, plan: Plan) -> SpeedLoad:
    prompt = work.prompt - work.cached
    depth = work.prompt if work.context_used is None else work.context_used
    depth = min(depth, plan.settings.total_context // plan.settings.users)  # users of one cache fill it together
    if isinstance(plan.sized, SizedLevel):
        load = placed_load(
            model,
            _gguf_weights(asked, entry, model, plan.sized),
            plan.placement,
            plan.level,
            plan.sized.level.nominal_bits,
            settings=plan.settings,
            context_used=depth,
            prompt_tokens=prompt,
        )
        whole = _whole(plan) if plan.placement.devices < len(plan.devices) else 0  # where they share every tensor
        if whole:
            load = load.spread([device.weights_bytes / whole for device in plan.devices])
        return load
    return _in_steps(_load_of_files(model.trunk or model, plan, plan.sized, gpus, (depth, prompt)), plan)


def _in_steps(load: SpeedLoad, plan: Plan) -> SpeedLoad:
    """With prompts read in the smaller steps that MLX takes where its own do not fit."""
    told = plan.request.options
    if not isinstance(told, MlxOptions):
        return load
    return replace(load, micro_batch=min(load.micro_batch, told.prefill_step))


def _load_of_files(model: Model, plan: Plan, sized: SizedSafetensors, gpus: int, told: tuple[int, int]) -> SpeedLoad:
    """`told` are the tokens in the cache and those of the prompt."""
    depth, prompt = told
    if isinstance(sized, PublishedCheckpoint):
        return checkpoint_load(model, sized, gpus, settings=plan.settings, context_used=depth, prompt_tokens=prompt)
    form = form_of(plan.request, model, sized.level).published
    return safetensors_load(model, form, gpus, settings=plan.settings, context_used=depth, prompt_tokens=prompt)


def _whole(plan: Plan) -> int:
    """Bytes of weights that one device would hold of what the plan's devices share."""
    return sum(device.weights_bytes - device.mirrored_bytes for device in plan.devices) + plan.devices[0].mirrored_bytes


def _gguf_weights(asked: ModelChoice, entry: ResolvedModel, model: Model, sized: SizedLevel) -> Weights:
    if entry.file is not None and asked.level is None:
        return file_weights(model, entry.file.stored())
    return sized_weights(model, sized)


def priced_as(entry: ResolvedModel) -> str | None:
    """The name under which hosts may offer the model."""
    return entry.id.partition("@")[0] if entry.entry is None else entry.entry.id
