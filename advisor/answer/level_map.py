"""Every level of a model on a machine at a glance: whether it runs, and what it keeps."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.answer.models_for_machine import RunnableModel
from advisor.answer.plans import plans_of
from advisor.formats.levels import written
from advisor.foundation.caches import kept_beside
from advisor.foundation.ranges import Range
from advisor.quality import estimate_quality
from advisor.sizing.plan import LevelOnMachine
from advisor.sources.resolved import from_entry


@dataclass(frozen=True, slots=True)
class LevelSeen:
    """One level; `kept` is percent of the 16-bit score at the task asked for."""

    on_machine: LevelOnMachine
    kept: Range | None

    @property
    def level(self) -> str:
        return self.on_machine.level.name

    @property
    def runs(self) -> bool:
        return self.on_machine.verdict in ("fits", "fits with offload")


@kept_beside
def levels_of(row: RunnableModel) -> tuple[LevelSeen, ...]:
    """The levels of the runtime that is decided on, with its KV cache and cards; empty where nothing can be asked."""
    if row.option is None:
        return ()
    setup, task, facts = row.option.setup, row.question.requirements.task, row.option.candidate.facts
    seen = setup.runtime.glance(setup.request)
    if seen is None:
        entry = from_entry(row.entry)
        plans = plans_of(setup.question, entry, setup.request.model, setup.hardware, setup.runtime.id)
        seen = tuple(
            LevelOnMachine(
                plan.level_id,
                plan.sized.file_bytes,
                plan.sized.bits_per_weight,
                plan.verdict,
                plan.needed_bytes,
                plan.missing_bytes,
            )
            for plan in plans
        )
    return tuple(
        LevelSeen(one, estimate_quality(facts, written(one.level), task, bits_per_weight=one.bits_per_weight).kept)
        for one in seen
    )
