"""From options to a recommendation with reasons.

An option can be recommended when it fits and meets every requirement. Without a least quality the best such option is
taken, up to the level above which nobody sees a gain; with one, the smallest that keeps it: the fastest and cheapest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from advisor.option import Option
from advisor.quality.tasks import DEMANDS
from advisor.requirements import Requirements, Unmet
from advisor.unmet import unmet_requirements
from advisor.units import gb, gib

# The levels that publishers offer, best first. Above Q6_K nothing is gained that anybody sees; near equals of these
# (Q5_0, Q4_1, IQ4_NL ...) are not worth a separate recommendation.
QUALITY_LADDER = (
    "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_K_S", "IQ4_XS", "Q3_K_L", "Q3_K_M", "IQ3_M", "IQ3_XS", "IQ3_XXS",
    "Q2_K", "IQ2_M", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ1_M", "IQ1_S",
)  # fmt: skip
NO_VISIBLE_GAIN = "Q8_0"
VLLM_LADDER = (
    "FP8-dynamic", "W8A8-INT8", "GPTQ-W8A16-g128", "W4A16-g128", "GPTQ-W4A16-g128", "AWQ-W4A16-g128", "NVFP4A16",
    "NVFP4", "NF4",
)  # fmt: skip
MLX_LADDER = ("MLX-6bit-g64", "MLX-5bit-g64", "MLX-4bit-g32", "MLX-4bit-g64", "MLX-3bit-g64", "MLX-2bit-g64")
_WHOLE = {"llama.cpp": (NO_VISIBLE_GAIN,), "vllm": ("BF16-safetensors",), "mlx": ("MLX-8bit-g64",)}
_NATIVE = ("MXFP4", "MXFP4-native")
_LADDERS = {"llama.cpp": QUALITY_LADDER, "vllm": VLLM_LADDER, "mlx": MLX_LADDER}
_SMALL_MODEL = 4_000_000_000  # parameters; smaller models lose more to quantization and cost little to keep whole
# Silent reading is about 240 words a minute (Brysbaert 2019), 1.3 tokens a word: slower than this, people wait.
READING_TOKENS_PER_S = 5.0
_SMALL_LOSS = next(demand.percent for demand in DEMANDS if demand.id == "small")


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another level worth knowing about, and why in a sentence. `model_id` None: of the same model."""

    level: str
    reason: str
    model_id: str | None = None


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The chosen level (None when nothing will do), the reasons, the runners-up, and what is in the way."""

    level: str | None
    reasons: tuple[str, ...]
    alternatives: tuple[Alternative, ...]
    in_the_way: tuple[Unmet, ...] = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """What the sentences are about."""

    parameters: int
    machine_name: str
    licence: str = ""
    family: str = "llama.cpp"  # whose levels are compared: llama.cpp, vllm or mlx


def ladder(levels: Sequence[str], subject: Subject) -> tuple[str, ...]:
    """The levels among `levels` that may be recommended, best first; all of them where none is a usual one."""
    usual = _LADDERS[subject.family]
    if native := tuple(level for level in _NATIVE if level in levels):
        usual = (*native, *usual)
    elif subject.parameters < _SMALL_MODEL:
        usual = (*_WHOLE[subject.family], *usual)
    known = tuple(level for level in usual if level in levels)
    return known or tuple(levels)


def recommend(options: Sequence[Option], requirements: Requirements, subject: Subject) -> Recommendation:
    """Choose among `options`, one per level of one model on one machine."""
    by_level = {option.level: option for option in options}
    ranked = [by_level[level] for level in ladder([option.level for option in options], subject)]
    running = [option for option in ranked if option.plan.runs]
    if not running:
        return _nothing_fits(ranked, subject)
    unmet = {option.level: unmet_requirements(option, requirements, subject.licence) for option in running}
    eligible = [option for option in running if not unmet[option.level]]
    if not eligible:
        return _requirements_in_the_way(running, unmet)
    chosen = _choose(eligible, requirements)
    return Recommendation(
        chosen.level,
        _reasons(chosen, ranked, requirements, subject),
        _alternatives(chosen, ranked, by_level, unmet),
    )


def _choose(eligible: Sequence[Option], requirements: Requirements) -> Option:
    """`eligible` is best first and not empty."""
    on_device = [option for option in eligible if option.plan.verdict == "fits"]
    offloaded = [option for option in eligible if option.plan.verdict != "fits"]
    if requirements.least_percent is not None and on_device:
        return min(on_device, key=lambda option: option.plan.sized.file_bytes)
    quick = [option for option in offloaded if option.tokens_per_s is None or option.typical_speed >= _least_speed()]
    if not on_device:
        return (quick or [min(offloaded, key=lambda option: -option.typical_speed)])[0]
    best = on_device[0]
    kept = best.percent
    # Slower but usable beats fast but visibly worse.
    if quick and kept is not None and kept.typical < _SMALL_LOSS and _better(quick[0], best):
        return quick[0]
    return best


def _least_speed() -> float:
    return READING_TOKENS_PER_S


def _better(one: Option, other: Option) -> bool:
    return one.percent is not None and other.percent is not None and one.percent.typical > other.percent.typical


def _reasons(
    chosen: Option, ranked: Sequence[Option], requirements: Requirements, subject: Subject
) -> tuple[str, ...]:
    plan = chosen.plan
    reasons = [_why_this_level(chosen, ranked, requirements)]
    reasons.append(_memory_reason(chosen, subject.machine_name))
    if chosen.quality_sentence:
        reasons.append(chosen.quality_sentence)
    if chosen.speed_sentence:
        reasons.append(chosen.speed_sentence)
    if plan.needs_imatrix:
        reasons.append("This level is made with an importance matrix; use a publisher's file that says it has one.")
    reasons.append(
        f"Its file is {gb(plan.sized.file_bytes)}; parameters x bits / 8 would say {gb(plan.rule_of_thumb_bytes)}."
    )
    return tuple(reasons)


def _why_this_level(chosen: Option, ranked: Sequence[Option], requirements: Requirements) -> str:
    place = ranked.index(chosen)
    if chosen.level in _NATIVE:
        return f"{chosen.level} is how the model was trained and published: nothing is lost against the original."
    if len(ranked) == 1:
        return f"{chosen.level} fits."
    if requirements.least_percent is not None:
        return f"{chosen.level} is the smallest level that keeps {requirements.quality_words} and fits."
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
    return f"{chosen.level} is the best level that fits and meets the requirements."


def _memory_reason(chosen: Option, machine_name: str) -> str:
    plan = chosen.plan
    free = plan.free_bytes
    where = machine_name if len(plan.devices) <= 1 else f"each of the devices of {machine_name}"
    least = "at least " if len(plan.devices) > 1 else ""
    end = f"and leaves {least}{gib(free)} free on {where}." if free is not None else f"on {where}."
    if plan.verdict == "fits with offload":
        return f"It needs {gib(plan.needed_bytes)} on the GPU and {gib(plan.host.needed_bytes)} on the host {end}"
    return f"It needs {gib(plan.needed_bytes)} in all {end}"


def _alternatives(
    chosen: Option, ranked: Sequence[Option], by_level: dict[str, Option], unmet: dict[str, tuple[Unmet, ...]]
) -> tuple[Alternative, ...]:
    found = []
    place = ranked.index(chosen)
    whole = by_level.get(NO_VISIBLE_GAIN)
    if whole is not None and whole.plan.verdict == "fits" and chosen.level == "Q6_K":
        extra = gb(whole.plan.sized.file_bytes - chosen.plan.sized.file_bytes)
        found.append(Alternative(NO_VISIBLE_GAIN, f"Fits too: {extra} more for no visible gain, and slower."))
    if place:
        found.append(_better_alternative(ranked[place - 1], chosen, unmet))
    below = [o for o in ranked[place + 1 :] if o.plan.sized.file_bytes < chosen.plan.sized.file_bytes]
    below = [option for option in below if not unmet.get(option.level)]
    usual = [option for option in below if option.level in ("Q5_K_M", "Q4_K_M")]
    found += [Alternative(option.level, f"{_gain(option, chosen)}{_loss(option, chosen)}.") for option in usual]
    if len(found) < 2:
        found += [Alternative(option.level, f"{_gain(option, chosen)}{_loss(option, chosen)}.") for option in below[:1]]
    return tuple(found[:3])


def _better_alternative(above: Option, chosen: Option, unmet: dict[str, tuple[Unmet, ...]]) -> Alternative:
    if above.plan.missing_bytes > 0:
        return Alternative(above.level, f"Better quality; needs {gib(above.plan.missing_bytes)} more per device.")
    if broken := unmet.get(above.level):
        return Alternative(above.level, f"Better quality, but {broken[0].sentence[:1].lower()}{broken[0].sentence[1:]}")
    extra = gb(above.plan.sized.file_bytes - chosen.plan.sized.file_bytes)
    slower = f" at {_speed(above)}" if above.tokens_per_s is not None else ""
    return Alternative(above.level, f"Better quality; fits too{slower}, for {extra} more.")


def _speed(option: Option) -> str:
    return f"about {option.typical_speed:,.3g} tokens/s"


def _gain(option: Option, chosen: Option) -> str:
    saved = f"Saves {gb(chosen.plan.sized.file_bytes - option.plan.sized.file_bytes)}"
    if option.plan.max_context > chosen.plan.max_context:
        return (
            f"{saved}: up to {option.plan.max_context:,} tokens of context instead of {chosen.plan.max_context:,}"
        )
    return f"{saved} and is faster"


def _loss(option: Option, chosen: Option) -> str:
    one, other = option.percent, chosen.percent
    if one is None or other is None:
        return ", at a loss of quality that is not known"
    return f", keeping about {one.typical:.1f} % of the quality instead of {other.typical:.1f} %"


def _requirements_in_the_way(running: Sequence[Option], unmet: dict[str, tuple[Unmet, ...]]) -> Recommendation:
    """What fits breaks a requirement: the option that comes nearest says which, and by how much."""

    def distance(option: Option) -> tuple[int, float]:
        broken = unmet[option.level]
        return len(broken), sum(1.0 if one.gap is None else one.gap for one in broken)

    nearest = min(running, key=distance)
    broken = unmet[nearest.level]
    reasons = [f"No level that fits meets every requirement; {nearest.level} comes nearest."]
    reasons += [one.sentence for one in broken]
    without = [option for option in running if {u.requirement for u in unmet[option.level]} < {u.requirement for u in broken}]
    others = tuple(Alternative(option.level, unmet[option.level][0].sentence) for option in (nearest, *without))
    return Recommendation(None, tuple(reasons), others[:3], broken)


def _nothing_fits(ranked: Sequence[Option], subject: Subject) -> Recommendation:
    smallest = min(ranked, key=lambda option: option.plan.missing_bytes).plan
    reasons = [
        f"No level fits on {subject.machine_name} with this context and number of users: even {smallest.level} lacks "
        f"{gib(smallest.missing_bytes)} per device."
    ]
    shorter = [option.plan for option in ranked if option.plan.max_context]
    if shorter:
        reasons.append(f"With at most {shorter[0].max_context:,} tokens per user, {shorter[0].level} would fit.")
    reasons.append("Options: more or larger devices, part of the layers on the host, or a smaller model.")
    tight = tuple(
        Alternative(option.level, "Fits only without the safety margin.")
        for option in ranked
        if option.plan.verdict == "tight"
    )
    return Recommendation(None, tuple(reasons), tight[:3])
