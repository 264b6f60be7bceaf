"""From candidates to a recommendation with reasons.

A candidate can be recommended when it fits and meets every requirement. Without a least quality the best one is taken,
up to the level above which nobody sees a gain; with one, the smallest that keeps it: the fastest and cheapest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from advisor.answer.candidate import Candidate, task_words
from advisor.answer.ladders import NATIVE_LEVELS, NO_VISIBLE_GAIN, Subject, ladder
from advisor.formats.level_id import GGUF, LevelId
from advisor.foundation.evidence_words import counted
from advisor.foundation.numbers import approx, differ, percent, plural, span
from advisor.foundation.ranges import Range
from advisor.foundation.units import gb, gib
from advisor.quality.tasks import DEMANDS
from advisor.question.requirements import Requirements, Unmet
from advisor.sizing.plan import Plan, Verdict

# Silent reading is about 240 words a minute (Brysbaert 2019), 1.3 tokens a word: slower than this, people wait.
READING_TOKENS_PER_S = 5.0
SMALL_LOSS = next(demand.percent for demand in DEMANDS if demand.id == "small")


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another level worth knowing about, and why in a sentence. `model_id` None: of the same model."""

    level: str
    reason: str
    model_id: str | None = None


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The chosen level (None when nothing will do), the reasons, the runners-up, and what is in the way.

    `nearest` is the level that comes nearest where nothing will do. Levels are known by `level_id` and `nearest_id`;
    `level` and `nearest` are their names, for people.
    """

    level_id: LevelId | None
    reasons: tuple[str, ...]
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
) -> tuple[str, ...]:
    plan = chosen.plan
    reasons = [_why_this_level(chosen, ranked, requirements, unmet)]
    reasons.append(_memory_reason(chosen, subject.machine_name))
    reasons += [sentence for sentence in (_quality_reason(chosen), _speed_reason(chosen)) if sentence]
    if plan.needs_imatrix:
        reasons.append("This level is made with an importance matrix; use a publisher's file that says it has one.")
    reasons.append(
        f"Its file is {gb(plan.sized.file_bytes)}; parameters x bits / 8 would say {gb(plan.rule_of_thumb_bytes)}."
    )
    return tuple(reasons)


def _why_this_level(
    chosen: Candidate,
    ranked: Sequence[Candidate],
    requirements: Requirements,
    unmet: dict[LevelId, tuple[Unmet, ...]],
) -> str:
    place = ranked.index(chosen)
    if chosen.level in NATIVE_LEVELS:
        return f"{chosen.level} is how the model was trained and published: nothing is lost against the original."
    if len(ranked) == 1:
        return f"{chosen.level} {_RUNS[chosen.verdict]}."
    if requirements.least_percent is not None:
        where = "runs" if chosen.verdict == "fits with offload" else "fits"
        return f"{chosen.level} is the smallest level that {where} and meets {requirements.quality_words}."
    if chosen.verdict == "fits with offload":
        whole = next((one for one in ranked[place:] if one.verdict == "fits"), None)
        instead = (
            f"the best level that fits on the GPU whole is {whole.level}"
            if whole is not None
            else "no level fits on the GPU whole"
        )
        return f"{chosen.level} runs with part of it on the host; {instead}."
    if place == 0:
        return f"{chosen.level} fits, and a larger level would bring no gain that anybody sees."
    above = ranked[place - 1].plan
    if above.verdict == "tight":
        return (
            f"{chosen.level} is the best level that fits with margin; {above.level} would fit only without "
            f"the safety margin ({gib(above.missing_bytes)} short of it)."
        )
    if above.verdict == "does not fit":
        return f"{chosen.level} is the best level that fits; {above.level} needs {gib(above.missing_bytes)} more."
    if broken := unmet.get(above.level_id):
        return f"{chosen.level} is the best level that fits and meets the requirements: {_lower(broken[0].sentence)}"
    if above.verdict == "fits with offload":
        return (
            f"{chosen.level} is the best level that fits on the GPU whole; {above.level} would run with part of it on "
            "the host, slower."
        )
    return f"{chosen.level} is the best level that fits and meets the requirements."


_RUNS = {"fits": "fits", "fits with offload": "runs with part of it on the host"}


def _quality_reason(chosen: Candidate) -> str:
    kept, quality = chosen.kept, chosen.quality
    if kept is None or kept.low == kept.high:
        return ""
    behind = {
        "measured": "measured on this model at this level",
        "transferred": "carried over from this model at other levels or tasks",
        "estimated": "estimated from other models",
    }.get(quality.basis, quality.basis)
    return (
        f"It keeps about {percent(min(kept.typical, 100))} of the 16-bit score at {task_words(chosen.task)} "
        f"({kept.low:.0f} to {min(kept.high, 100):.0f} %, {behind}: {counted(quality.n, quality.sources)})."
    )


def _speed_reason(chosen: Candidate) -> str:
    speed = chosen.tokens_per_s
    if (inputs := chosen.inputs_per_s) is not None and chosen.speed is not None:
        return (
            f"It turns about {approx(inputs.typical)} inputs of "
            f"{plural(chosen.speed.load.prompt_tokens, 'token')} a second "
            f"into vectors or scores ({span(inputs)})."
        )
    if speed is None:
        return ""
    slow = "" if speed.typical >= READING_TOKENS_PER_S else ", slower than people read"
    return f"It writes about {approx(speed.typical)} tokens/s for each user ({span(speed)}){slow}."


def _memory_reason(chosen: Candidate, machine_name: str) -> str:
    plan = chosen.plan
    free = plan.free_bytes
    where = machine_name if len(plan.devices) <= 1 else f"each of the devices of {machine_name}"
    least = "at least " if len(plan.devices) > 1 else ""
    end = f"and leaves {least}{gib(free)} free on {where}." if free is not None else f"on {where}."
    if plan.verdict == "fits with offload":
        return f"It needs {gib(plan.needed_bytes)} on the GPU and {gib(plan.host.needed_bytes)} on the host {end}"
    return f"It needs {gib(plan.needed_bytes)} in all {end}"


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
        extra = gb(whole.plan.sized.file_bytes - chosen.plan.sized.file_bytes)
        found.append(Alternative(NO_VISIBLE_GAIN, f"Fits too: {extra} more for no visible gain, and slower."))
    if place:
        found.append(_better_alternative(ranked[place - 1], chosen, unmet))
    below = [o for o in ranked[place + 1 :] if o.plan.sized.file_bytes < chosen.plan.sized.file_bytes]
    below = [candidate for candidate in below if not unmet.get(candidate.level_id)]
    worth_knowing = ("Q5_K_M", "Q4_K_M") if chosen.writes else (NO_VISIBLE_GAIN,)
    usual = [candidate for candidate in below if candidate.level in worth_knowing]
    found += [
        Alternative(candidate.level, f"{_gain(candidate, chosen)}{_loss(candidate, chosen)}.") for candidate in usual
    ]
    if len(found) < 2:
        found += [
            Alternative(candidate.level, f"{_gain(candidate, chosen)}{_loss(candidate, chosen)}.")
            for candidate in [one for one in below if one not in usual][:1]
        ]
    return tuple(found[:3])


def _better_alternative(above: Candidate, chosen: Candidate, unmet: dict[LevelId, tuple[Unmet, ...]]) -> Alternative:
    if above.plan.missing_bytes > 0:
        each = " on each device" if len(above.plan.devices) > 1 else ""
        return Alternative(above.level, f"Better quality; needs {gib(above.plan.missing_bytes)} more{each}.")
    if broken := unmet.get(above.level_id):
        return Alternative(above.level, f"Better quality, but {_lower(broken[0].sentence)}")
    extra = gb(above.plan.sized.file_bytes - chosen.plan.sized.file_bytes)
    slower = f" at {_speed(above)}" if above.tokens_per_s is not None else ""
    return Alternative(above.level, f"Better quality; fits too{slower}, for {extra} more.")


def _speed(candidate: Candidate) -> str:
    return f"about {approx(_typical_speed(candidate))} tokens/s"


def _gain(candidate: Candidate, chosen: Candidate) -> str:
    saved = f"Saves {gb(chosen.plan.sized.file_bytes - candidate.plan.sized.file_bytes)}"
    if candidate.plan.max_context > chosen.plan.max_context:
        return f"{saved}: up to {candidate.plan.max_context:,} tokens of context instead of {chosen.plan.max_context:,}"
    return f"{saved} and is faster" if chosen.writes else saved


def _loss(candidate: Candidate, chosen: Candidate) -> str:
    one, other = candidate.kept, chosen.kept
    if one is None or other is None:
        return ", at a loss of quality that is not known"
    if not differ(one.typical, other.typical):
        return ", with no loss of quality that shows in the figures"
    return f", keeping about {percent(one.typical)} of the quality instead of {percent(other.typical)}"


def _requirements_in_the_way(running: Sequence[Candidate], unmet: dict[LevelId, tuple[Unmet, ...]]) -> Recommendation:
    """What fits breaks a requirement: the candidate that comes nearest says which, and by how much."""

    def distance(candidate: Candidate) -> tuple[int, float]:
        broken = unmet[candidate.level_id]
        return len(broken), sum(map(_gap, broken))

    nearest = min(running, key=distance)  # the best level among equals
    broken = unmet[nearest.level_id]
    said = {one.sentence for one in broken}
    if all(one.requirement in _OF_EVERY_LEVEL for one in broken):
        reasons = [f"{nearest.level} would fit, but not every requirement is met."]
    else:
        reasons = [f"No level that fits meets every requirement; {nearest.level} comes nearest."]
    reasons += [one.sentence for one in broken]
    if others_met := [one for one in running if not _same(broken, unmet[one.level_id])]:
        other = min(others_met, key=distance)
        against = unmet[other.level_id][0].sentence.removeprefix(f"{other.level} ")
        reasons.append(f"The requirements can be met, but not together: {other.level} meets that, but {against}")
    others = []
    for candidate in sorted(running, key=distance):
        sentence = unmet[candidate.level_id][0].sentence
        # What the machine or the licence breaks is the same for every level.
        if unmet[candidate.level_id][0].requirement not in _OF_EVERY_LEVEL and sentence not in said:
            others.append(Alternative(candidate.level, sentence))
            said.add(sentence)
    return Recommendation(None, tuple(reasons), tuple(others[:2]), broken, nearest.level_id)


_OF_EVERY_LEVEL = ("commercial", "max_cost_per_month")


def _gap(unmet: Unmet) -> float:
    """Of what is about the same for every level, differences that nobody acts on do not count."""
    gap = 1.0 if unmet.gap is None else unmet.gap
    return round(gap) if unmet.requirement in _OF_EVERY_LEVEL else gap


def _same(one: tuple[Unmet, ...], other: tuple[Unmet, ...]) -> bool:
    """Whether both break a requirement in common."""
    return bool({unmet.requirement for unmet in one} & {unmet.requirement for unmet in other})


def _lower(sentence: str) -> str:
    """A sentence as the end of another; it starts with a level's name or an ordinary word."""
    first = sentence.partition(" ")[0]
    return sentence if first != first.capitalize() or first.isupper() else f"{first.lower()}{sentence[len(first) :]}"


def _nothing_fits(ranked: Sequence[Candidate], subject: Subject) -> Recommendation:
    smallest = min(ranked, key=lambda candidate: candidate.plan.missing_bytes).plan
    reasons = [_lacking(smallest, subject.machine_name, alone=len(ranked) == 1)]
    if smallest.missing_bytes:
        shorter = [one.plan for one in ranked if 0 < one.plan.max_context < one.plan.settings.context]
        if shorter:
            unit = shorter[0].settings.context_unit
            reasons.append(f"With at most {shorter[0].max_context:,} {unit}, {shorter[0].level} would fit.")
        reasons.append("Ways out: more memory, or a smaller model.")
    tight = tuple(
        Alternative(candidate.level, "Fits only without the safety margin.")
        for candidate in ranked
        if candidate.plan.verdict == "tight" and candidate.plan.missing_bytes
    )
    return Recommendation(None, tuple(reasons), tight[:3], nearest_id=smallest.level_id)


def _lacking(plan: Plan, machine_name: str, alone: bool) -> str:
    """What keeps the nearest plan from fitting; `alone` says that its level is the only one looked at."""
    if not plan.missing_bytes:  # all that is missing is to know the host
        return (
            f"{plan.level} runs on {machine_name} with part of it on the host, whose memory is not known, so that it "
            "cannot be said to fit."
        )
    each = " on each device" if len(plan.devices) > 1 else ""
    lacks, where = f"{gib(plan.missing_bytes)}{each}", f"on {machine_name} with this context and number of users"
    if plan.verdict == "tight":
        only = "" if alone else "No level fits with the safety margin: "
        return f"{only}{plan.level} fits {where}, but only without the safety margin, of which {lacks} are missing."
    if alone:
        return f"{plan.level} does not fit {where}: it lacks {lacks}."
    return f"No level fits {where}: even {plan.level} lacks {lacks}."
