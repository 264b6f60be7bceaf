"""What a plan keeps of the model's quality, whatever its files are."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.formats.level_id import LevelId
from advisor.formats.levels import written
from advisor.quality import ModelFacts, Quality, estimate_quality
from advisor.quality.published import estimate_published
from advisor.sizing.plan import Plan
from advisor.sources.checkpoint_size import PublishedCheckpoint
from advisor.sources.local_measurements import LocalMeasurement


def quality_of(facts: ModelFacts, plan: Plan, task: str, measured_here: Sequence[LocalMeasurement] = ()) -> Quality:
    """What the plan keeps of the 16-bit score at a task, in percent."""
    if isinstance(plan.sized, PublishedCheckpoint):
        parts = [(part.name, part.level, part.share) for part in plan.sized.parts]
        return estimate_published(facts, parts, task)
    return estimate_quality(
        facts, written(plan.level_id), task, bits_per_weight=plan.sized.bits_per_weight, measured_here=measured_here
    )


def kept_before(facts: ModelFacts, level: LevelId, task: str, caches: tuple[str, str, bool]) -> float | None:
    """What a level will typically keep, in percent, before anything is planned."""
    found = estimate_quality(facts, written(level), task).kept
    return None if found is None else found.typical
