"""What the GPUs of a server hold that splits tensors, layers and users over them: vLLM, and SGLang like it."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.formats.gguf_sizes import SizedLevel
from advisor.formats.safetensors_levels import SafetensorsLevel
from advisor.formats.safetensors_sizes import SizedSafetensors, size_safetensors_level
from advisor.foundation.caches import kept_beside
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, fact
from advisor.machines.chip import Chip
from advisor.models.model import Model
from advisor.runtimes.support import supports
from advisor.runtimes.vllm.published_weights import published_weights_per_gpu
from advisor.runtimes.vllm.stages import tensors_of_stage
from advisor.runtimes.vllm.weights import check_split, weights_per_gpu
from advisor.sizing.memory import Memory
from advisor.sizing.plan import Planner
from advisor.sizing.request import Checkpoint, Levels, PlanRequest
from advisor.sizing.settings import Settings

Loaded = tuple[tuple[int, ...], tuple[Message, ...]]  # bytes of weights by stage, and what is to be said of them


@dataclass(frozen=True, slots=True)
class Form:
    """A level, and as publishers make it of a model, which takes so many bytes `more`."""

    level: SafetensorsLevel
    published: SafetensorsLevel
    more: int = 0


def form_of(request: PlanRequest, model: Model, level: SafetensorsLevel) -> Form:
    """How the checkpoints of a level are published, where that is asked about."""
    stored = request.stored
    published = stored.published if isinstance(stored, Levels) else None
    form = level if published is None else published.form(model, level)
    return Form(level, level) if form == level else Form(level, form, _bytes(model, form) - _bytes(model, level))


@kept_beside
def _bytes(model: Model, level: SafetensorsLevel) -> int:
    return size_safetensors_level(model, level).tensor_bytes


@dataclass(frozen=True, slots=True)
class Split:
    """Every tensor over `tensor` GPUs, in each of `pipeline` stages of each of `data` replicas."""

    tensor: int
    pipeline: int = 1
    data: int = 1
    expert_parallel: bool = False

    @property
    def gpus(self) -> int:
        return self.tensor * self.pipeline * self.data

    @property
    def expert_gpus(self) -> int:
        """Over how many GPUs routed experts are split: replicas share them."""
        return self.tensor * self.data

    def stage_of(self, device: int) -> int:
        """Which stage a device belongs to: replicas come one after the other, and in each its stages."""
        return device // self.tensor % self.pipeline


def even_split(gpus: int, pipeline: int, data: int, expert_parallel: bool) -> Split:
    """So many GPUs shared out; raises InputError where they are not evenly."""
    ranks = pipeline * data
    if gpus % ranks:
        raise InputError(
            "There are {gpus} GPUs for pipeline_parallel={pipeline} times data_parallel={data}: use a number of cards "
            "that {ranks} divides.",
            gpus=gpus,
            pipeline=pipeline,
            data=data,
            ranks=ranks,
        )
    return Split(gpus // ranks, pipeline, data, expert_parallel)


def check_request(model: Model, memory: Memory, settings: Settings, split: Split) -> None:
    """Raise InputError where there is nothing to split over, or what is there does not divide."""
    if not memory.devices:
        raise InputError("Tensors are split over GPUs, and this machine has none; choose llama.cpp for the CPU.")
    if split.gpus > len(memory.devices):
        raise InputError(
            "A split over {gpus} GPUs was asked for, but the machine has {count}.",
            gpus=split.gpus,
            count=len(memory.devices),
        )
    if settings.context < 1 or settings.users < 1:
        raise InputError("Context and users must be at least 1.")
    check_split(model, split.tensor)


def level_by_stage(by: Planner, form: Form, stages: tuple[Model, ...], split: Split, chip: Chip) -> Loaded | InputError:
    """Bytes of a level's weights on one GPU of each stage, and what is to be said of them; else why it is neither
    loaded nor split.
    """
    level = form.level
    allowed = supports(by.id, level, chip)
    if allowed.refusal:
        return InputError("{level}: {refusal}; choose another level.", level=level.name, refusal=allowed.refusal)
    try:
        weights = tuple(
            weights_per_gpu(
                stage,
                form.published,
                split.tensor,
                expert_gpus=split.expert_gpus,
                expert_parallel=split.expert_parallel,
                compute_capability=chip.capability,
            )
            for stage in stages
        )
    except InputError as error:
        return error
    said = (fact("checkpoint_as_published", level=level.name, more=form.more),) if form.more else ()
    return weights, (*allowed.notes, *said)


def checkpoint_by_stage(
    stored: Checkpoint, model: Model, stages: tuple[Model, ...], split: Split, chip: Chip
) -> tuple[int, ...]:
    """Bytes of a repository's checkpoint on one GPU of each stage."""
    return tuple(
        published_weights_per_gpu(
            stage,
            tensors_of_stage(stored.tensors, model, place, len(stages)),
            split.tensor,
            expert_gpus=split.expert_gpus,
            expert_parallel=split.expert_parallel,
            compute_capability=chip.capability,
        )
        for place, stage in enumerate(stages)
    )


def kept_by_stage(
    request: PlanRequest, sized: SizedLevel | SizedSafetensors, model: Model, stages: tuple[Model, ...], split: Split
) -> tuple[int, ...]:
    """On one GPU of each stage, of layers that a publisher may have left in 16 bit; 0 for files that are there."""
    stored, none = request.stored, (0,) * len(stages)
    if not isinstance(stored, Levels) or stored.published is None or isinstance(sized, SizedLevel):
        return none
    kept = stored.published.kept_bytes(model, sized.level)
    return tuple(kept * len(stage.layers) // len(model.layers) // split.tensor for stage in stages)
