"""What a plan keeps of the model's quality: its file's, with its KV cache as it is stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from advisor.answer.policy import GOOD_BITS, LOSS_OF_FEW_BITS, LOSS_WITHOUT_EVIDENCE
from advisor.answer.utility import Kept
from advisor.formats.level_id import LevelId
from advisor.formats.levels import find_level, written
from advisor.models.catalogue import OwnFile
from advisor.quality import ModelFacts, Quality, estimate_quality, typically_kept
from advisor.quality.kv_cache_loss import task_loss, with_cache
from advisor.quality.own_files import with_own_file
from advisor.quality.published import estimate_published
from advisor.runtimes.registry import runtime_by
from advisor.sizing.plan import Plan
from advisor.sources.checkpoint_size import PublishedCheckpoint
from advisor.sources.local_measurements import LocalMeasurement

_HARD_TASKS = ("math", "code")
_EIGHT_BITS_SPREAD = 0.3  # points that the hardest task of 8 bits may lie below the one asked for
_OVERALL = "chat"
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
    return with_cache(found, facts.family, *runtime_by(plan.runtime).cache_types(plan.request), task)


def kept_before(
    facts: ModelFacts, own_file: OwnFile | None, level: LevelId, task: str, caches: CacheTypes
) -> float | None:
    """What a level will typically keep, in percent, before anything is planned."""
    kept = _kept_of_file(facts, own_file, level, task)
    return None if kept is None else max(0.0, kept - task_loss(facts.family, *caches, task).typical)


@lru_cache(maxsize=1 << 14)  # caches of all types share it
def _kept_of_file(facts: ModelFacts, own_file: OwnFile | None, level: LevelId, task: str) -> float | None:
    if own_file is None:
        return typically_kept(facts, written(level), task)
    kept = with_own_file(estimate_quality(facts, written(level), task), own_file, task).kept
    return None if kept is None else kept.typical


@lru_cache(maxsize=1 << 14)
def kept_of(facts: ModelFacts, own: OwnFile | None, level: LevelId, task: str, caches: CacheTypes) -> Kept:
    """What a level keeps, as `Candidate.quality_at` will say of its plan."""
    bits = find_level(str(level)).nominal_bits
    return kept_by(lambda one: kept_before(facts, own, level, one, caches), task, bits)


def kept_by(find: Callable[[str], float | None], task: str, bits: float) -> Kept:
    """Of a plan whose weights have so many nominal bits; `find` is percent kept at a task, None where nobody knows."""
    unknown = 100 - (LOSS_WITHOUT_EVIDENCE if bits >= GOOD_BITS else LOSS_OF_FEW_BITS)
    known = {one: find(one) for one in dict.fromkeys((task, *_HARD_TASKS, _OVERALL))}
    kept = {one: unknown if value is None else value for one, value in known.items()}
    hardest = min(kept[one] for one in (task, *_HARD_TASKS))
    if bits >= 8:
        hardest = max(hardest, kept[task] - _EIGHT_BITS_SPREAD)
    return Kept(kept[task], hardest, kept[_OVERALL])


def kept_of_encoder(place: int) -> Kept:
    """Nobody has measured what quantization costs vectors and scores: levels are in the order of their ladder."""
    return Kept(*(100.0 - place,) * 3)
