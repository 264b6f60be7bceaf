"""What the runtime is told to run a candidate of an answer."""

from __future__ import annotations

from advisor.answer.answer import Answer
from advisor.answer.assess import published_row
from advisor.answer.candidate import Candidate
from advisor.answer.extending import extension_of
from advisor.models.lookup import find_model
from advisor.question.configuration import ModelChoice
from advisor.runtimes.commands import Launch
from advisor.runtimes.launch import AS_PUBLISHED
from advisor.runtimes.mlx.cache_and_step import MlxOptions
from advisor.sizing.plan import Plan
from advisor.sizing.request import GgufFile
from advisor.sources.checkpoint_size import PublishedCheckpoint


def _draft_file(asked: ModelChoice) -> str | None:
    """The draft model's file, called as those of the commands are."""
    if asked.draft is None:
        return None
    entry = find_model(asked.draft)
    name = entry.hf_repo.split("/")[1] if entry.hf_repo else entry.id
    return f"{name}-{asked.draft_level}.gguf"


def _draft_repo(asked: ModelChoice) -> str | None:
    return None if asked.draft is None else find_model(asked.draft).hf_repo or None


def is_of_the_file(plan: Plan) -> bool:
    """Whether a plan loads the GGUF file that was asked about as it is."""
    return isinstance(plan.request.stored, GgufFile)


def launch_of(answer: Answer, shown: Candidate) -> Launch:
    """What the runtime is told to run this candidate."""
    question, entry, plan = answer.runs, answer.entry, shown.plan
    repository = None if entry.repository is None or entry.repository.gguf_only else entry.repository.id
    if entry.entry is not None:
        repository = entry.entry.hf_repo or None
    # Of another level, and for runtimes that do not load it, the file is not what is run.
    file = entry.file if is_of_the_file(plan) else None
    as_it_is = isinstance(plan.sized, PublishedCheckpoint)
    row = published_row(plan)
    return Launch(
        model_name=entry.name,
        level=AS_PUBLISHED if as_it_is else plan.level if file is None else file.level,
        runtime=plan.runtime,
        settings=plan.settings,
        hf_repo=repository,
        published_repo=repository if as_it_is else None if row is None else row.repo,
        file=None if file is None else file.name,
        gpus=len(plan.devices),
        idle_gpus=len(answer.hardware.installed) - len(answer.hardware.cards),
        backend=answer.hardware.backend,
        layers=len(answer.model.layers),
        split_mode=plan.settings.split,
        tensor_split=plan.settings.tensor_split,
        kv_offload=not plan.settings.kv_on_host,
        mmap=plan.settings.mmap,
        imatrix=question.model.imatrix or plan.needs_imatrix,
        mtp=question.model.mtp,
        draft_file=_draft_file(question.model),
        draft_repo=_draft_repo(question.model),
        has_mtp=bool(answer.model.mtp_layers) or answer.model.trunk is not None,
        sees=answer.model.tower is not None,
        embeds=not answer.model.writes and all(part.name != "cls.output" for part in answer.model.globals),
        vision=plan.request.vision,
        adapters=plan.request.adapters,
        wired_limit_mb=question.machine.wired_limit_mb,
        experts=bool(answer.model.experts),
        extension=extension_of(question.workload, entry, answer.model),
        server=question.server,
        serving=plan.serving,
        prefill_step=told.prefill_step if isinstance(told := plan.request.options, MlxOptions) else None,
    )
