"""From candidates to a recommendation with reasons.

A candidate can be recommended when it fits and meets every requirement. Without a least quality the best one is taken,
up to the level above which nobody sees a gain; with one, the smallest that keeps it: the fastest and cheapest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from advisor.answer.candidate import Candidate, task_name
from advisor.answer.ladders import NATIVE_LEVELS, NO_VISIBLE_GAIN, Subject, ladder
from advisor.formats.level_id import GGUF, LevelId
from advisor.foundation.evidence_words import counted
from advisor.foundation.message import NOTHING, Message, Span, fact
from advisor.foundation.numbers import differ
from advisor.foundation.ranges import Range
from advisor.quality.tasks import DEMANDS
from advisor.question.requirements import Requirements, Unmet
from advisor.sizing.plan import Plan, Verdict

# Silent reading is about 240 words a minute (Brysbaert 2019), 1.3 tokens a word: slower than this, people wait.
READING_TOKENS_PER_S = 5.0
SMALL_LOSS = next(demand.percent for demand in DEMANDS if demand.id == "small")


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another level worth knowing about, and why. `model_id` None: of the same model."""

    level: str
    reason: Message
    model_id: str | None = None


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The chosen level (None when nothing will do), the reasons, the runners-up, and what is in the way.

    `nearest` is the level that comes nearest where nothing will do. Levels are known by `level_id` and `nearest_id`;
    `level` and `nearest` are their names, for people.
    """

    level_id: LevelId | None
    reasons: tuple[Message, ...]
    alternatives: tuple[Alternative, ...]
    in_the_way: tuple[Unmet, ...] = ()
    nearest_id: LevelId | None = None

    @property
    def level(self) -> str | None:
        return None if self.level_id is None else self.level_id.name

    @property
    def nearest(self) -> str | None:
        return None if self.nearest_id is None else self.nearest_id.name


class Option(Protocol):
    """What `choose` looks at: a candidate, or something that works a candidate's figures out when asked."""

    @property
    def level(self) -> str: ...
    @property
    def verdict(self) -> Verdict: ...
    @property
    def file_bytes(self) -> int: ...
    @property
    def kept(self) -> Range | None: ...
    @property
    def tokens_per_s(self) -> Range | None: ...
    def unmet(self, asked: Requirements, licence: str) -> tuple[Unmet, ...]: ...


OptionT = TypeVar("OptionT", bound=Option)


def recommend(candidates: Sequence[Candidate], requirements: Requirements, subject: Subject) -> Recommendation:
    """Choose among `candidates`, one per level of one model on one machine, of which there is at least one."""
    by_level = {candidate.level_id: candidate for candidate in candidates}
    ranked = [by_level[level] for level in ladder(list(by_level), subject)]
    running = [candidate for candidate in ranked if candidate.plan.fits]
    if not running:
        return _nothing_fits(ranked, subject)
    unmet = {candidate.level_id: candidate.unmet(requirements, subject.licence) for candidate in running}
    chosen = choose(ranked, requirements, subject.licence)
    if chosen is None:
        return _requirements_in_the_way(running, unmet)
    return Recommendation(
        chosen.level_id,
        _reasons(chosen, ranked, requirements, subject, unmet),
        _alternatives(chosen, ranked, by_level, unmet),
    )


def choose(ranked: Sequence[OptionT], asked: Requirements, licence: str) -> OptionT | None:
    """The option to run, among levels from the best down; None where none that fits meets every requirement.

    Looks at no more of them than it must.
    """
    in_order = sorted(ranked, key=lambda option: option.file_bytes) if asked.least_percent is not None else ranked

    def meeting(verdict: Verdict) -> Iterable[OptionT]:
        return (option for option in in_order if option.verdict == verdict and not option.unmet(asked, licence))

    best = next(iter(meeting("fits")), None)
    if best is not None and (asked.least_percent is not None or best.kept is None or best.kept.typical >= SMALL_LOSS):
        return best
    offloaded = list(meeting("fits with offload"))
    smallest = min(offloaded, key=lambda option: option.file_bytes, default=None)  # and with it the fastest
    quick = None
    if smallest is not None and _typical_speed(smallest) >= READING_TOKENS_PER_S:
        quick = next(option for option in offloaded if _typical_speed(option) >= READING_TOKENS_PER_S)
    if best is None:
        return quick or smallest
    # Slower but usable beats fast but visibly worse.
    return quick if quick is not None and _better(quick, best) else best


def _typical_speed(option: Option) -> float:
    return 0.0 if option.tokens_per_s is None else option.tokens_per_s.typical


def _better(one: Option, other: Option) -> bool:
    return one.kept is not None and other.kept is not None and one.kept.typical > other.kept.typical


def _reasons(
    chosen: Candidate,
    ranked: Sequence[Candidate],
    requirements: Requirements,
    subject: Subject,
    unmet: dict[LevelId, tuple[Unmet, ...]],
) -> tuple[Message, ...]:
    plan = chosen.plan
    found = [_why_this_level(chosen, ranked, requirements, unmet), _memory_reason(chosen, subject.machine_name)]
    found += [reason for reason in (_quality_reason(chosen), _speed_reason(chosen)) if reason is not None]
    if plan.needs_imatrix:
        found.append(fact("imatrix_needed"))
    found.append(fact("file_and_rule", file=plan.sized.file_bytes, rule=plan.rule_of_thumb_bytes))
    return tuple(found)


def _why_this_level(
    chosen: Candidate,
    ranked: Sequence[Candidate],
    requirements: Requirements,
    unmet: dict[LevelId, tuple[Unmet, ...]],
) -> Message:
    place, level, offloads = ranked.index(chosen), chosen.level, chosen.verdict == "fits with offload"
    if level in NATIVE_LEVELS:
        return fact("as_published", level=level)
    if len(ranked) == 1:
        return fact("runs_with_offload", level=level) if offloads else fact("fits", level=level)
    if requirements.least_percent is not None:
        asked = requirements.quality_asked
        if offloads:
            return fact("smallest_that_runs", level=level, asked=asked)
        return fact("smallest_that_fits", level=level, asked=asked)
    if offloads:
        whole = next((one for one in ranked[place:] if one.verdict == "fits"), None)
        if whole is None:
            return fact("with_offload_none_whole", level=level)
        return fact("with_offload_best_whole", level=level, whole=whole.level)
    if place == 0:
        return fact("no_gain_above", level=level)
    above = ranked[place - 1].plan
    if above.verdict == "tight":
        return fact("best_with_margin", level=level, above=above.level, missing=above.missing_bytes)
    if above.verdict == "does not fit":
        return fact("best_that_fits", level=level, above=above.level, missing=above.missing_bytes)
    if broken := unmet.get(above.level_id):
        return fact("best_as_asked_because", level=level, why=broken[0].message)
    if above.verdict == "fits with offload":
        return fact("best_whole", level=level, above=above.level)
    return fact("best_as_asked", level=level)


_BASES = {
    "measured": fact("quality_measured"),
    "transferred": fact("quality_transferred"),
    "estimated": fact("quality_estimated"),
}


def _quality_reason(chosen: Candidate) -> Message | None:
    kept, quality = chosen.kept, chosen.quality
    if kept is None or kept.low == kept.high:
        return None
    return fact(
        "keeps",
        kept=min(kept.typical, 100),
        task=task_name(chosen.task),
        low=kept.low,
        high=min(kept.high, 100),
        basis=_BASES[quality.basis],
        evidence=counted(quality.n, quality.sources),
    )


def _speed_reason(chosen: Candidate) -> Message | None:
    speed = chosen.tokens_per_s
    if (inputs := chosen.inputs_per_s) is not None and chosen.speed is not None:
        tokens = chosen.speed.load.prompt_tokens
        return fact(
            "reads_inputs", inputs=inputs.typical, tokens=fact("tokens", n=tokens), range=Span(inputs.low, inputs.high)
        )
    if speed is None:
        return None
    if speed.typical < READING_TOKENS_PER_S:
        return fact("writes_slowly", speed=speed.typical, range=Span(speed.low, speed.high))
    return fact("writes", speed=speed.typical, range=Span(speed.low, speed.high))


def _memory_reason(chosen: Candidate, machine_name: str) -> Message:
    plan, free = chosen.plan, chosen.plan.free_bytes
    if free is None:
        left = fact("on_machine", machine=machine_name)
    elif len(plan.devices) > 1:
        left = fact("leaves_on_each_device", free=free, machine=machine_name)
    else:
        left = fact("leaves", free=free, machine=machine_name)
    if plan.verdict == "fits with offload":
        return fact("needs_gpu_and_host", gpu=plan.needed_bytes, host=plan.host.needed_bytes, left=left)
    return fact("needs_in_all", needed=plan.needed_bytes, left=left)


def _alternatives(
    chosen: Candidate,
    ranked: Sequence[Candidate],
    by_level: dict[LevelId, Candidate],
    unmet: dict[LevelId, tuple[Unmet, ...]],
) -> tuple[Alternative, ...]:
    found = []
    place = ranked.index(chosen)
    whole = by_level.get(LevelId(GGUF, NO_VISIBLE_GAIN))
    if whole is not None and whole.plan.verdict == "fits" and chosen.level == "Q6_K":
        extra = whole.plan.sized.file_bytes - chosen.plan.sized.file_bytes
        found.append(Alternative(NO_VISIBLE_GAIN, fact("fits_too_for_no_gain", extra=extra)))
    if place:
        found.append(_better_alternative(ranked[place - 1], chosen, unmet))
    below = [o for o in ranked[place + 1 :] if o.plan.sized.file_bytes < chosen.plan.sized.file_bytes]
    below = [candidate for candidate in below if not unmet.get(candidate.level_id)]
    worth_knowing = ("Q5_K_M", "Q4_K_M") if chosen.writes else (NO_VISIBLE_GAIN,)
    usual = [candidate for candidate in below if candidate.level in worth_knowing]
    found += [Alternative(candidate.level, _smaller(candidate, chosen)) for candidate in usual]
    if len(found) < 2:
        others = [one for one in below if one not in usual][:1]
        found += [Alternative(candidate.level, _smaller(candidate, chosen)) for candidate in others]
    return tuple(found[:3])


def _better_alternative(above: Candidate, chosen: Candidate, unmet: dict[LevelId, tuple[Unmet, ...]]) -> Alternative:
    missing = above.plan.missing_bytes
    if missing > 0:
        return Alternative(above.level, fact("better_needs_more", missing=missing, each=on_each_device(above.plan)))
    if broken := unmet.get(above.level_id):
        return Alternative(above.level, fact("better_but", why=broken[0].message))
    extra = above.plan.sized.file_bytes - chosen.plan.sized.file_bytes
    if above.tokens_per_s is None:
        return Alternative(above.level, fact("better_fits_too", extra=extra))
    return Alternative(above.level, fact("better_fits_too_at", extra=extra, speed=_typical_speed(above)))


def on_each_device(plan: Plan) -> Message:
    """The clause after what a plan lacks or needs more of."""
    return fact("on_each_device") if len(plan.devices) > 1 else NOTHING


def _smaller(candidate: Candidate, chosen: Candidate) -> Message:
    """What a smaller level gains and loses."""
    saved = chosen.plan.sized.file_bytes - candidate.plan.sized.file_bytes
    reach, instead_of = candidate.plan.max_context, chosen.plan.max_context
    loss = _loss(candidate, chosen)
    if reach > instead_of:
        return fact("saves_for_context", saved=saved, reach=reach, instead=instead_of, loss=loss)
    return fact("saves_and_faster", saved=saved, loss=loss) if chosen.writes else fact("saves", saved=saved, loss=loss)


def _loss(candidate: Candidate, chosen: Candidate) -> Message:
    one, other = candidate.kept, chosen.kept
    if one is None or other is None:
        return fact("loss_not_known")
    if not differ(one.typical, other.typical):
        return fact("loss_not_seen")
    return fact("loss", kept=one.typical, instead=other.typical)


def _requirements_in_the_way(running: Sequence[Candidate], unmet: dict[LevelId, tuple[Unmet, ...]]) -> Recommendation:
    """What fits breaks a requirement: the candidate that comes nearest says which, and by how much."""

    def distance(candidate: Candidate) -> tuple[int, float]:
        broken = unmet[candidate.level_id]
        return len(broken), sum(map(_gap, broken))

    nearest = min(running, key=distance)  # the best level among equals
    broken = unmet[nearest.level_id]
    said = {one.message for one in broken}
    if all(one.requirement in _OF_EVERY_LEVEL for one in broken):
        reasons = [fact("would_fit_but", level=nearest.level)]
    else:
        reasons = [fact("none_meets_all", nearest=nearest.level)]
    reasons += [one.message for one in broken]
    if others_met := [one for one in running if not _same(broken, unmet[one.level_id])]:
        other = min(others_met, key=distance)
        reasons.append(fact("not_together", other=other.level, against=unmet[other.level_id][0].message))
    others = []
    for candidate in sorted(running, key=distance):
        message = unmet[candidate.level_id][0].message
        # What the machine or the licence breaks is the same for every level.
        if unmet[candidate.level_id][0].requirement not in _OF_EVERY_LEVEL and message not in said:
            others.append(Alternative(candidate.level, message))
            said.add(message)
    return Recommendation(None, tuple(reasons), tuple(others[:2]), broken, nearest.level_id)


_OF_EVERY_LEVEL = ("commercial", "max_cost_per_month")


def _gap(unmet: Unmet) -> float:
    """Of what is about the same for every level, differences that nobody acts on do not count."""
    gap = 1.0 if unmet.gap is None else unmet.gap
    return round(gap) if unmet.requirement in _OF_EVERY_LEVEL else gap


def _same(one: tuple[Unmet, ...], other: tuple[Unmet, ...]) -> bool:
    """Whether both break a requirement in common."""
    return bool({unmet.requirement for unmet in one} & {unmet.requirement for unmet in other})


def shorter_fits(plan: Plan) -> Message:
    """With how much context a plan would fit."""
    if plan.settings.shared_by > 1:
        return fact("shorter_together_fits", reach=plan.max_context, level=plan.level)
    return fact("shorter_fits", reach=plan.max_context, level=plan.level)


def _nothing_fits(ranked: Sequence[Candidate], subject: Subject) -> Recommendation:
    smallest = min(ranked, key=lambda candidate: candidate.plan.missing_bytes).plan
    reasons = [_lacking(smallest, subject.machine_name, alone=len(ranked) == 1)]
    if smallest.missing_bytes:
        shorter = [one.plan for one in ranked if 0 < one.plan.max_context < one.plan.settings.context]
        if shorter:
            reasons.append(shorter_fits(shorter[0]))
        reasons.append(fact("ways_out_of_none"))
    tight = tuple(
        Alternative(candidate.level, fact("only_without_margin"))
        for candidate in ranked
        if candidate.plan.verdict == "tight" and candidate.plan.missing_bytes
    )
    return Recommendation(None, tuple(reasons), tight[:3], nearest_id=smallest.level_id)


def _lacking(plan: Plan, machine_name: str, alone: bool) -> Message:
    """What keeps the nearest plan from fitting; `alone` says that its level is the only one looked at."""
    level, missing, each = plan.level, plan.missing_bytes, on_each_device(plan)
    if not missing:  # all that is missing is to know the host
        return fact("runs_host_not_known", level=level, machine=machine_name)
    if plan.verdict == "tight" and alone:
        return fact("fits_without_margin", level=level, machine=machine_name, missing=missing, each=each)
    if plan.verdict == "tight":
        return fact("none_fits_with_margin", level=level, machine=machine_name, missing=missing, each=each)
    if alone:
        return fact("does_not_fit", level=level, machine=machine_name, missing=missing, each=each)
    return fact("none_fits", smallest=level, machine=machine_name, missing=missing, each=each)
