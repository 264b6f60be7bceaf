"""The choices beside a decision: what another way to run it has over the plan, each a whole plan of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from advisor.answer.answer import Answer
from advisor.answer.job import Job
from advisor.answer.option import Option
from advisor.answer.option_words import at_speed, keeping
from advisor.answer.other_models import OtherModel, other_model
from advisor.answer.policy import (
    ENOUGH_TOKENS_PER_S,
    GOOD_BITS,
    NOTICEABLE,
    VISIBLE_POINTS,
    WEIGHTS,
)
from advisor.answer.status import STATUSES, Status
from advisor.answer.utility import is_offered
from advisor.foundation.caches import kept_beside
from advisor.foundation.message import NOTHING, Message, fact
from advisor.quality.own_files import is_native
from advisor.quality.scale import Beside
from advisor.quality.scores import Score
from advisor.sizing.plan import Plan

Role = Literal["better quality", "faster", "longer context", "other engine", "own 4-bit file", "other model"]

_MOST = 3  # and another model
_ANY_GAIN, _MUCH_FREE = 0.05, 0.25  # where a quarter of the memory is free, even a loss that cannot be seen is needless
_FASTER, _LONGER = 1.25, 1.5
_FAST_TOKENS_PER_S = 30.0  # faster than that need nothing be
_MOST_LOST = 3.0  # points, for speed
_AS_MUCH_FREE = 0.05  # of a place, by which plans count as alike


@dataclass(frozen=True, eq=False)
class Choice:
    """`option` is a plan of the model that `found` is about: the one asked for, but for another model.

    `scores` are then those of both models that show best how they stand to each other.
    """

    role: Role
    found: Answer
    option: Option
    gain: Message
    scores: Beside | None = None

    @property
    def status(self) -> Status:
        return self.option.status


@kept_beside
def choices(found: Answer) -> tuple[Choice, ...]:
    """What to consider instead, at most three ways to run this model and one other model; that comes first."""
    other = other_model(found)
    beside = () if other is None else (_of_other_model(found, other),)
    if found.chosen is None:
        return beside
    taken = {_identity(found.decided)}
    own = []
    for look in (_better_quality, _own_file, _faster, _longer_context, _other_engine):
        choice = look(found)
        if choice is None or _seems_better_in_everything(choice.option, found):
            continue
        if (identity := _identity(choice.option)) not in taken:
            taken.add(identity)
            own.append(choice)
    return (*beside, *own[:_MOST])


def _identity(option: Option) -> tuple[object, ...]:
    return (
        option.setup.runtime.id,
        option.plan.level_id,
        option.setup.runtime.cache_types(option.plan.request),
        option.plan.placement,
    )


def _seems_better_in_everything(option: Option, found: Answer) -> bool:
    """Of another engine's plan: what speaks against it then is in no figure (few run that engine for so many users, and
    how fast it is there is little measured), so it is not offered as if nothing did.
    """
    decided, weights = found.decided, WEIGHTS[found.question.requirements.goal]
    if option.setup.runtime.engine is decided.setup.runtime.engine:
        return False
    here, there = (one.figures.tokens_per_s for one in (decided, option))
    if here is None or there is None or STATUSES.index(option.status) > STATUSES.index(decided.status):
        return False
    if not weights.always_faster:
        most = max(ENOUGH_TOKENS_PER_S, found.question.requirements.min_tokens_per_s or 0)
        here, there = min(here, most), min(there, most)
    kept, usual = option.kept.task, decided.kept.task
    return (
        kept >= usual
        and there >= here
        and (kept >= usual + VISIBLE_POINTS or there >= here * NOTICEABLE)
        and option.candidate.is_whole >= decided.candidate.is_whole
        and _least_free(option.plan) >= _least_free(decided.plan) - _AS_MUCH_FREE
        and option.plan.max_context >= decided.plan.max_context
    )


def _least_free(plan: Plan) -> float:
    """The share of the fullest place that is left."""
    places = [place for place in (*plan.devices, plan.host) if place.capacity_bytes]
    return min((1 - place.needed_bytes / (place.capacity_bytes or 1) for place in places), default=1.0)


def _not_worse_than(status: Status) -> Callable[[Option], bool]:
    """A choice is as good as the plan, or at least usable."""
    allowed = STATUSES[: max(STATUSES.index(status), STATUSES.index("slow")) + 1]
    return lambda option: option.runs and option.status in allowed


def _best(found: Answer, goal: Literal["quality", "speed", "balanced"], allow: Callable[[Job], bool]) -> Option | None:
    here, users = found.decided.setup.runtime.engine, found.question.workload.users
    option = found.search.best(
        WEIGHTS[goal], lambda job: is_offered(job.setup.runtime.engine, here, users) and allow(job)
    )
    return option if option is not None and _not_worse_than(found.status)(option) else None


def _better_quality(found: Answer) -> Choice | None:
    shown, kept = found.shown, found.decided.kept
    gain = _ANY_GAIN if _free_share(found) >= _MUCH_FREE else VISIBLE_POINTS
    option = _best(
        found, "quality", lambda job: job.kept.mean >= kept.mean + gain and job.kept.task >= kept.task + _ANY_GAIN
    )
    if option is None or shown.kept is None or option.candidate.kept is None:
        return None
    said = fact(
        "gain_better_quality",
        level=option.candidate.level,
        kept=option.candidate.kept.typical,
        instead=shown.kept.typical,
        speed=at_speed(option),
    )
    return Choice("better quality", found, option, said)


def _own_file(found: Answer) -> Choice | None:
    """The file of 4 bits that the model was published as, where another is decided for."""
    entry = found.entry.entry

    def published_in_4_bits(job: Job) -> bool:
        return job.level is not None and job.traits.bits <= GOOD_BITS and is_native(entry, job.level)

    option = _best(found, "balanced", published_in_4_bits)
    if option is None or is_native(entry, found.decided.plan.level_id):
        return None
    said = fact(
        "gain_own_file",
        level=option.candidate.level,
        runtime=option.setup.runtime.name,
        kept=keeping(option),
        speed=at_speed(option),
    )
    return Choice("own 4-bit file", found, option, said)


def _faster(found: Answer) -> Choice | None:
    kept, here = found.decided.kept, found.shown.tokens_per_s
    wish = found.question.requirements.min_tokens_per_s
    if here is None or here.typical >= max(_FAST_TOKENS_PER_S, wish or 0):
        return None
    bits = min(GOOD_BITS, found.decided.traits.bits)
    option = _best(found, "speed", lambda job: job.traits.bits >= bits and job.kept.mean >= kept.mean - _MOST_LOST)
    speed = None if option is None else option.candidate.tokens_per_s
    if option is None or speed is None or speed.typical < _FASTER * here.typical:
        return None
    said = fact(
        "gain_faster", level=option.candidate.level, speed=speed.typical, instead=here.typical, kept=keeping(option)
    )
    return Choice("faster", found, option, said)


def _longer_context(found: Answer) -> Choice | None:
    decided, reach = found.decided, found.shown.plan.max_context
    if not decided.setup.whole_cache or reach >= (found.model.context_length or 1 << 30):
        return None
    for job in found.search.jobs:
        same = job.setup.runtime is decided.setup.runtime and job.level == decided.plan.level_id
        if not same or job.setup.whole_cache or job.setup.all_cards != decided.setup.all_cards:
            continue
        option = found.search.option_of(job)
        if option is not None and option.runs and option.plan.max_context >= _LONGER * reach:
            said = fact("gain_longer_context", reach=option.plan.max_context, instead=reach)
            return Choice("longer context", found, option, said)
    return None


def _other_engine(found: Answer) -> Choice | None:
    here = found.decided.setup.runtime
    option = _best(found, "balanced", lambda job: job.setup.runtime is not here)
    if option is None or option.status != found.status:
        return None
    said = fact(
        "gain_other_engine",
        runtime=option.setup.runtime.name,
        level=option.candidate.level,
        kept=keeping(option),
        speed=at_speed(option),
    )
    return Choice("other engine", found, option, said)


def _of_other_model(found: Answer, other: OtherModel) -> Choice:
    said = fact(
        "gain_other_model",
        name=other.entry.name,
        level=other.found.shown.level,
        kept=keeping(other.found.decided),
        speed=at_speed(other.found.decided),
        standing=standing_words(found, other),
    )
    return Choice("other model", other.found, other.found.decided, said, other.scores)


def standing_words(found: Answer, other: OtherModel) -> Message:
    """How the originals stand to each other, as far as published scores tell, with those that show it best."""
    name, scores = found.entry.name, _scores_words(other)
    match other.standing:
        case "better":
            return fact("standing_better", name=name, scores=scores)
        case "comparable":
            return fact("standing_comparable", name=name, scores=scores)
        case "worse":
            return fact("standing_worse", name=name, scores=scores)
        case _:
            return fact("standing_unknown", name=name)


def _scores_words(other: OtherModel) -> Message:
    scores = other.scores
    if scores is None:
        return NOTHING
    here, there, benchmark = _score(scores.one), _score(scores.other), scores.one.benchmark
    said = {"one": "better", "other": "worse", None: None}[scores.better]
    if said is not None and said != other.standing:  # one benchmark may differ from what all of them say together
        return fact("scores_to_the_contrary", score=here, instead=there, benchmark=benchmark)
    return fact("scores_beside", score=here, instead=there, benchmark=benchmark)


def _score(row: Score) -> Message:
    match row.unit:
        case "%":
            return fact("score_percent", score=row.score)
        case "mean rank":
            return fact("score_rank", score=row.score)
        case _:
            return fact("score", score=row.score)


def _free_share(found: Answer) -> float:
    plan = found.shown.plan
    capacity = sum(device.capacity_bytes or 0 for device in plan.devices) or plan.host.capacity_bytes or 0
    free = sum(device.free_bytes or 0 for device in plan.devices) if plan.devices else plan.host.free_bytes or 0
    return free / capacity if capacity else 0.0
