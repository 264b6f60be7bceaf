"""What a plan keeps of the model's quality: its file's, with its KV cache as it is stored."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.formats.level_id import LevelId
from advisor.formats.levels import written
from advisor.models.catalogue import OwnFile
from advisor.quality import ModelFacts, Quality, estimate_quality
from advisor.quality.kv_cache import with_cache
from advisor.quality.own_files import with_own_file
from advisor.quality.published import estimate_published
from advisor.runtimes.registry import runtime_by
from advisor.sizing.plan import Plan
from advisor.sources.checkpoint_size import PublishedCheckpoint
from advisor.sources.local_measurements import LocalMeasurement

CacheTypes = tuple[str | None, str | None]  # of keys and values; None: as the model computes with them


def quality_of(
    facts: ModelFacts,
    own_file: OwnFile | None,
    plan: Plan,
    task: str,
    measured_here: Sequence[LocalMeasurement] = (),
) -> Quality:
    """What the plan keeps of the 16-bit score at a task, in percent."""
    if isinstance(plan.sized, PublishedCheckpoint):
        parts = [(part.name, part.level, part.share) for part in plan.sized.parts]
        found = estimate_published(facts, parts, task)
    else:
        bits = plan.sized.bits_per_weight
        found = estimate_quality(facts, written(plan.level_id), task, bits_per_weight=bits, measured_here=measured_here)
    if not measured_here and own_file is not None:
        found = with_own_file(found, own_file, task)
    return with_cache(found, facts.family, *runtime_by(plan.runtime).cache_types(plan.request))


def kept_before(
    facts: ModelFacts, own_file: OwnFile | None, level: LevelId, task: str, caches: CacheTypes
) -> float | None:
    """What a level will typically keep, in percent, before anything is planned."""
    found = estimate_quality(facts, written(level), task)
    if own_file is not None:
        found = with_own_file(found, own_file, task)
    kept = with_cache(found, facts.family, *caches).kept
    return None if kept is None else kept.typical
