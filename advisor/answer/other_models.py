"""Another model of the catalogue that is the better answer on this machine: where the one asked for runs badly, or not.

Which model is better rests on published scores of the original weights (`quality.scale`); whether it runs here is asked
of the same search.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice

from advisor.answer.answer import Answer, answered
from advisor.answer.decide import decided_by, search_for
from advisor.answer.policy import GOOD_BITS, GOOD_TOKENS_PER_S, NOTICEABLE
from advisor.answer.status import BAD
from advisor.answer.utility import is_offered
from advisor.foundation.caches import kept_beside
from advisor.foundation.errors import InputError
from advisor.models.catalogue import Entry, catalogue
from advisor.models.licences import commercial_use
from advisor.quality.scale import Beside, Comparison, ability, compared, measured_beside
from advisor.question.question import Question
from advisor.runtimes.llama_cpp.growth import layer_caches
from advisor.sources.resolved import from_entry

_MOST_LOOKED_AT = 64  # models whose room is looked at
_TRIED_IF_SLOW = 4  # and of them those that are tried where a plan is only short of a wished-for speed
_PLANNED_IF_BAD = 36  # plans of models tried in vain, where another one is needed: most are refused without any
_SMALL_CACHE = "q8_0"
_BITS_TO_FIT = 4.5  # of a weight, and somewhat less than Q4_K_M has: what is larger does not fit at 4 bits
_GENERAL = ("instruct", "reasoning")
_CODER = re.compile(r"code|devstral", re.IGNORECASE)
# What fixes one model's levels, layers or companions says nothing about another.
_OF_ONE_MODEL = (
    *("level", "imatrix", "mtp", "draft", "draft_accepted_percent", "context_used"),
    *("gpu_layers", "cpu_moe_layers", "tensor_split", "lora_rank", "loras"),
)
_HARDEST_PERCENT = 98.0  # a limited plan that keeps more at the hardest task is not given up for another model
_PARTLY_ON_HOST_TOKENS_PER_S = 15.0
_TWICE = 2.0
_ENOUGH_TOKENS_PER_S = 30.0  # a better model need not be faster than that
_OPTIMISM = 1.5  # by which a model may be faster than its weights tell
_MUCH_LESS = 0.75  # logits by which a model may be less able to lead where the one asked for does run, if badly
_NEAR = 0.25  # logits, within which models count as equally able
_DOUBT = 0.5  # standard deviations: what little is known of does not lead


@dataclass(frozen=True, eq=False)
class OtherModel:
    """`found` is the same question about it; `standing` how its original stands to that of the model asked for at a
    task, and `scores` are those of both that show it best, this one's first, where one benchmark has measured both.
    """

    entry: Entry
    found: Answer
    standing: Comparison
    scores: Beside | None
    leads: bool


@kept_beside
def other_model(found: Answer) -> OtherModel | None:
    """The best model to run here instead, where the one asked for runs badly, or clearly better and no slower."""
    if not found.shown.writes or at_another_level(found) is not None:
        return None
    # A level that was asked for and lacks its margin alone is helped by the next smaller one.
    bad = found.status in BAD or (found.chosen is None and "level" not in found.question.given)
    short = not bad and not found.shown.as_fast_as(found.question.requirements.min_tokens_per_s)
    named, most, tried, planned = None, _TRIED_IF_SLOW if short else 1, 0, 0
    failed: list[_Demand] = []
    for entry in islice(_candidates(found), _MOST_LOOKED_AT):
        standing = _standing(found, entry)
        instead = bad or (short and standing in ("better", "comparable"))
        if not instead and not _may_be_named(found, entry, standing):
            continue
        if _keeps_too_little_only(found) and standing not in ("better", "comparable"):
            continue
        demand = _demand_of(found, entry)
        if demand.bytes >= _room(found) or any(demand.is_no_less_than(one) for one in failed):
            continue
        if planned >= _PLANNED_IF_BAD if bad else tried >= most:
            break
        there, plans = _running_well(found, entry, 0.0 if bad else _least_speed(found, standing))
        tried, planned = tried + 1, planned + plans
        if there is None:
            failed.append(demand)
            continue
        other = OtherModel(entry, there, standing, _scores(found, entry), bad or _leads_limited(found, standing))
        if bad or (instead and there.shown.as_fast_as(found.question.requirements.min_tokens_per_s)):
            return other
        if named is None and (other.leads or _worth_naming(found, there, standing)):
            named = other
    return named


@kept_beside
def at_another_level(found: Answer) -> Answer | None:
    """The same question without its level, where only that keeps it from being answered well: with a plan that is good,
    or is limited and no other model leads instead."""
    if found.status not in BAD or "level" not in found.question.given or not found.shown.writes:
        return None
    question = found.as_asked.with_values(level=None, imatrix=None)
    try:
        ways, search = search_for(question, found.entry, found.today, found.measured_here)
        there = answered(decided_by(question, ways, search))
    except InputError:
        return None
    if there.status == "limited" and there.chosen is not None:
        other = other_model(there)
        return None if other is not None and other.leads else there
    return there if there.status == "good" else None


def _keeps_too_little_only(found: Answer) -> bool:
    """Whether it runs and merely keeps less than was asked for: all of a model that can do less is not more."""
    unmet = found.decided.unmet
    return found.shown.plan.fits and bool(unmet) and all(one.requirement == "min_quality" for one in unmet)


def question_about(question: Question, model_id: str) -> Question:
    """The same question about another model: nothing that belongs to the first one's files."""
    return question.with_values(**dict.fromkeys(_OF_ONE_MODEL), model=model_id)


def _candidates(found: Answer) -> Iterator[Entry]:
    """Models that could stand in for it and may fit: those with scores of the task first, the most able of them first.

    Nothing is planned yet. Near equals go by family, which whoever asks for one knows.
    """
    room, own, least = _room(found), found.entry.entry, _least_ability(found)
    able: list[tuple[bool, int, bool, float, Entry]] = []
    for entry in catalogue().values():
        if not _comparable(found, entry) or entry.parameters.counted * _BITS_TO_FIT / 8 >= room:
            continue
        score = ability(entry.id, _task(found))
        if score is not None and score.value >= least:
            value = score.value - _DOUBT * score.sd
            kin = own is not None and own.family == entry.family
            able.append((not score.rows_of_task, -round(value / _NEAR), not kin, -value, entry))
    return (entry for *_, entry in sorted(able, key=lambda one: one[:4]))


def _least_ability(found: Answer) -> float:
    """What another model must be able to, in logits."""
    own = ability(found.entry.id, _task(found)) if found.chosen is not None else None
    return float("-inf") if own is None else own.value - _MUCH_LESS


def _room(found: Answer) -> float:
    """Bytes of all devices, or of the host where there are none."""
    memory = found.memory
    return float(sum(device.capacity_bytes for device in memory.devices) or memory.host_capacity_bytes or 0)


def _task(found: Answer) -> str:
    """What models are compared at: the task asked for; where none is, a coder is asked to code."""
    if _is_coder(found.entry.name) and "task" not in found.question.given:
        return "code"
    return found.question.requirements.task


@cache
def _is_coder(name: str) -> bool:
    return bool(_CODER.search(name))


def _comparable(found: Answer, entry: Entry) -> bool:
    """Another model of the same kind, able to do what is asked for; judged without planning."""
    own, question = found.entry.entry, found.question
    limit = entry.context_length
    return (
        entry.id != found.entry.id
        and entry.variant in (_GENERAL if own is None or own.variant in _GENERAL else (own.variant,))
        and _same_trade(found, entry)
        and (limit is None or limit >= question.workload.context)
        and (not question.requirements.commercial or commercial_use(entry.license).possible)
        and entry.runs
    )


def _same_trade(found: Answer, entry: Entry) -> bool:
    """Only a coder replaces a coder; it replaces a model for everything where that is asked to code."""
    return _is_coder(entry.name) if _is_coder(found.entry.name) else not _is_coder(entry.name) or _task(found) == "code"


def _same_family(found: Answer, entry: Entry) -> bool:
    own = found.entry.entry
    return own is not None and own.family == entry.family


def _standing(found: Answer, entry: Entry) -> Comparison:
    return compared(entry.id, found.entry.id, _task(found))


def _scores(found: Answer, entry: Entry) -> Beside | None:
    return measured_beside(entry.id, found.entry.id, _task(found))


def _least_speed(found: Answer, standing: Comparison) -> float:
    """In tokens/s; what is slower is neither named nor leads where the model asked for does run."""
    here = found.shown.tokens_per_s
    if here is None or _leads_limited(found, standing):
        return 0.0
    named = _least_named(here.typical, standing)
    wish = found.question.requirements.min_tokens_per_s
    return named if wish is None or found.shown.as_fast_as(wish) else min(wish, named)


def _running_well(found: Answer, entry: Entry, least_speed: float) -> tuple[Answer | None, int]:
    """The same question about a model, where the answer is a plan that runs well and may be so fast, else little of it
    is worked out; and how many plans it took."""
    # What the runtime of this one chose for itself, such as to load its vision part, says nothing about another.
    question = question_about(found.as_asked, entry.id)
    try:
        ways, search = search_for(question, from_entry(entry), found.today)
        if not search.reaches(
            "good",
            lambda job: job.traits.bits >= GOOD_BITS,
            may_be=lambda job: search.may_be_whole(job, least_speed),
        ):
            return None, len(tuple(search.seen))
        there = answered(decided_by(question, ways, search))
    except InputError:
        return None, 1
    return there if _runs_well(there, found) else None, len(tuple(search.seen))


def _may_be_named(found: Answer, entry: Entry, standing: Comparison) -> bool:
    """Whether it may be better and no slower, or of the same family and much faster, as far as its weights tell."""
    if standing != "better":
        return _same_family(found, entry) and not found.shown.is_whole
    here, read = found.shown.tokens_per_s, found.model.active_parameters / entry.active_parameters
    return here is None or here.typical * read * _OPTIMISM >= min(here.typical, _ENOUGH_TOKENS_PER_S)


@dataclass(frozen=True, slots=True)
class _Demand:
    """What a model asks of a machine, before anything is planned: parameters, those read for each token, and the bytes
    of the cache at its smallest."""

    parameters: int
    active: int
    cache_bytes: int

    @property
    def bytes(self) -> float:
        """At 4 bits."""
        return self.parameters * _BITS_TO_FIT / 8 + self.cache_bytes

    def is_no_less_than(self, other: _Demand) -> bool:
        """Whether what does not run the other well will hardly run this one."""
        return (
            self.parameters >= other.parameters
            and self.active >= other.active
            and self.cache_bytes >= other.cache_bytes
        )


def _demand_of(found: Answer, entry: Entry) -> _Demand:
    caches = sum(layer_caches(entry.model, found.runs.settings.without_placement))
    small = replace(found.runs.settings, cache_type_k=_SMALL_CACHE, cache_type_v=_SMALL_CACHE).without_placement
    caches = min(caches, sum(layer_caches(entry.model, small)))
    return _Demand(entry.parameters.counted, entry.active_parameters, caches)


def _runs_well(there: Answer, found: Answer) -> bool:
    """Whole on the devices, in 4 bits or more, good, and in an engine that people run for so many."""
    engine, beside = (one.decided.setup.runtime.engine for one in (there, found))
    return (
        there.status == "good"
        and there.shown.is_whole
        and there.decided.traits.bits >= GOOD_BITS
        and (found.chosen is None or is_offered(engine, beside, found.question.workload.users))
    )


def _leads_limited(found: Answer, standing: Comparison) -> bool:
    """A limited plan is given up for a better model where its loss or its slowness is seen."""
    speed = found.shown.tokens_per_s
    slow = speed is not None and speed.typical < GOOD_TOKENS_PER_S
    return (
        found.status == "limited" and standing == "better" and (slow or found.decided.kept.hardest < _HARDEST_PERCENT)
    )


def _worth_naming(found: Answer, there: Answer, standing: Comparison) -> bool:
    """Better and no slower; or of the same family, twice as fast where this one lies partly on the host."""
    here, instead = found.shown.tokens_per_s, there.shown.tokens_per_s
    if here is None or instead is None:
        return standing == "better"
    helps = standing == "better" or (not found.shown.is_whole and here.typical < _PARTLY_ON_HOST_TOKENS_PER_S)
    return helps and instead.typical >= _least_named(here.typical, standing)


def _least_named(here: float, standing: Comparison) -> float:
    """Tokens/s from which a model is named beside one that writes so many."""
    return min(here, _ENOUGH_TOKENS_PER_S) / NOTICEABLE if standing == "better" else _TWICE * here
