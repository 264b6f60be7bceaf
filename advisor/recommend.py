"""From plans to a recommendation with reasons.

First version: the order of levels is fixed, from what quantization studies agree on. Which level is good
enough for which task will come from measurements; `QUALITY_LADDER` is the seam.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from advisor.sizing.plan import Plan
from advisor.units import gb, gib

# Best first. Above Q6_K nothing is gained that anybody sees; Q5_K_M and Q4_K_M are the best quality per byte,
# so their near equals (Q5_0, Q4_1, IQ4_NL ...) are not worth a separate recommendation.
QUALITY_LADDER = (
    "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_K_S", "IQ4_XS", "Q3_K_L", "Q3_K_M", "IQ3_M", "IQ3_XS", "IQ3_XXS",
    "Q2_K", "IQ2_M", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ1_M", "IQ1_S",
)  # fmt: skip
NO_VISIBLE_GAIN = "Q8_0"
_VISIBLE_LOSS = ("Q3_K_L", "Q3_K_M", "IQ3_M", "IQ3_XS", "IQ3_XXS")
_HEAVY_LOSS = ("Q2_K", "IQ2_M", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ1_M", "IQ1_S")
_ACCEPTED = ("fits", "fits with offload")  # a level that needs no host comes first, however low
_SMALL_MODEL = 4_000_000_000  # parameters; smaller models lose more to quantization and cost little to keep whole


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another level worth knowing about, and why in a sentence."""

    level: str
    reason: str


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The chosen level (None when nothing fits), the reasons, and the runners-up."""

    level: str | None
    reasons: tuple[str, ...]
    alternatives: tuple[Alternative, ...]


def recommend(plans: Sequence[Plan], parameters: int, machine_name: str) -> Recommendation:
    """Choose among `plans` (one per level of one model on one machine)."""
    by_level = {plan.level: plan for plan in plans}
    if len(plans) == 1 and plans[0].level not in (*QUALITY_LADDER, NO_VISIBLE_GAIN):
        ladder: tuple[str, ...] = (plans[0].level,)
    elif "MXFP4" in by_level:
        ladder = ("MXFP4", *QUALITY_LADDER)
    else:
        ladder = (NO_VISIBLE_GAIN, *QUALITY_LADDER) if parameters < _SMALL_MODEL else QUALITY_LADDER
    ladder = tuple(level for level in ladder if level in by_level)
    found = {verdict: [by_level[n] for n in ladder if by_level[n].verdict == verdict] for verdict in _ACCEPTED}
    chosen = next((plans_of[0] for plans_of in found.values() if plans_of), None)
    if chosen is None:
        return _nothing_fits(by_level, ladder, machine_name)
    return Recommendation(
        chosen.level, _reasons(chosen, by_level, ladder, machine_name), _alternatives(chosen, by_level, ladder)
    )


def _reasons(chosen: Plan, by_level: dict[str, Plan], ladder: tuple[str, ...], machine_name: str) -> tuple[str, ...]:
    reasons = []
    if chosen.level == "MXFP4":
        reasons.append("MXFP4 is how the model was trained and published: nothing is lost against the original.")
    elif len(ladder) == 1 and chosen.level not in QUALITY_LADDER:
        reasons.append(f"{chosen.level} fits.")
    elif chosen.level == ladder[0]:
        reasons.append(f"{chosen.level} fits, and a larger level would bring no gain that anybody sees.")
    else:
        above = by_level[ladder[ladder.index(chosen.level) - 1]]
        if above.verdict == "tight":
            reasons.append(
                f"{chosen.level} is the best level that fits with margin; {above.level} would fit only without "
                f"the safety margin ({gib(above.missing_bytes)} short of it)."
            )
        elif above.fits:
            reasons.append(
                f"{chosen.level} is the best level that fits on {machine_name} alone; {above.level} would leave part "
                "of the model to the host and be slower."
            )
        else:
            reasons.append(
                f"{chosen.level} is the best level that fits; {above.level} needs {gib(above.missing_bytes)} more."
            )
    free = chosen.free_bytes
    where = machine_name if len(chosen.devices) <= 1 else f"each of {len(chosen.devices)} x {machine_name}"
    least = "at least " if len(chosen.devices) > 1 else ""
    reasons.append(
        f"It needs {gib(chosen.needed_bytes)} in all"
        + (f" and leaves {least}{gib(free)} free on {where}." if free is not None else f" on {where}.")
    )
    if chosen.level in ("Q4_K_M", "Q5_K_M"):
        reasons.append("Q4_K_M and Q5_K_M keep the most quality per byte: the sensitive tensors get more bits.")
    if chosen.level in _VISIBLE_LOSS:
        reasons.append("Three bits cost visible quality, most in mathematics, code and reasoning.")
    if chosen.level in _HEAVY_LOSS:
        reasons.append("At two bits and less quality drops hard; a smaller model at Q4_K_M is usually better.")
    if chosen.needs_imatrix:
        reasons.append("This level is made with an importance matrix; use a publisher's file that says it has one.")
    reasons.append(
        f"Its file is {gb(chosen.sized.file_bytes)}; parameters x bits / 8 would say {gb(chosen.rule_of_thumb_bytes)}."
    )
    return tuple(reasons)


def _alternatives(chosen: Plan, by_level: dict[str, Plan], ladder: tuple[str, ...]) -> tuple[Alternative, ...]:
    found = []
    place = ladder.index(chosen.level)
    whole = by_level.get(NO_VISIBLE_GAIN)
    if whole is not None and whole.verdict == "fits" and chosen.level == "Q6_K":
        extra = gb(whole.sized.file_bytes - chosen.sized.file_bytes)
        found.append(Alternative(NO_VISIBLE_GAIN, f"Fits too: {extra} more for no visible gain, and slower."))
    if place:
        better = by_level[ladder[place - 1]]
        price = "slower" if better.fits else f"needs {gib(better.missing_bytes)} more per device"
        found.append(Alternative(better.level, f"Better quality; {price}."))
    smaller = [
        plan for level in ladder[place + 1 :] if (plan := by_level[level]).sized.file_bytes < chosen.sized.file_bytes
    ]
    usual = [plan for plan in smaller if plan.level in ("Q5_K_M", "Q4_K_M")]
    found += [Alternative(plan.level, f"{_gain(plan, chosen)}, at a small loss of quality.") for plan in usual]
    if len(found) < 2:
        found += [Alternative(plan.level, f"{_gain(plan, chosen)}, with lower quality.") for plan in smaller[:1]]
    return tuple(found[:3])


def _gain(plan: Plan, chosen: Plan) -> str:
    saved = f"Saves {gb(chosen.sized.file_bytes - plan.sized.file_bytes)}"
    if plan.max_context > chosen.max_context:
        return f"{saved}: up to {plan.max_context:,} tokens of context instead of {chosen.max_context:,}"
    return f"{saved} and is faster"


def _nothing_fits(by_level: dict[str, Plan], ladder: tuple[str, ...], machine_name: str) -> Recommendation:
    smallest = min((by_level[level] for level in ladder), key=lambda plan: plan.missing_bytes)
    reasons = [
        f"No level fits on {machine_name} with this context and number of users: even {smallest.level} lacks "
        f"{gib(smallest.missing_bytes)} per device."
    ]
    shorter = [by_level[level] for level in ladder if by_level[level].max_context]
    if shorter:
        reasons.append(f"With at most {shorter[0].max_context:,} tokens per user, {shorter[0].level} would fit.")
    reasons.append("Options: more or larger devices, fewer layers on the GPU (gpu_layers), or a smaller model.")
    tight = tuple(
        Alternative(level, "Fits only without the safety margin.")
        for level in ladder
        if by_level[level].verdict == "tight"
    )
    return Recommendation(None, tuple(reasons), tight[:3])
