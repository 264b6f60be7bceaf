"""Plans as tables: one row a level, sizes in the units that the column names say."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from advisor.answer.candidate import Candidate
from advisor.foundation.units import GB, GIB
from advisor.sizing.plan import DeviceMemory, Plan
from advisor.ui.legend import BESIDE, COMPONENTS, RECOMMENDED
from advisor.ui.parts.text import verdict_words
from advisor.words import say

# Components of memory, in the order they are stacked.
# The levels that publishers offer most, from near-lossless down; the others are one click away.
_COMMON = {
    *("Q8_0", "Q6_K", "Q5_K_M", "Q5_K_S", "Q4_K_M", "Q4_K_S", "IQ4_XS", "MXFP4", "Q3_K_L", "Q3_K_M", "Q3_K_S"),
    *("IQ3_M", "IQ3_XXS", "Q2_K", "IQ2_M", "IQ2_XXS", "IQ1_M"),
}
_FAR_TOO_LARGE = 3  # times the capacity: such a bar would only flatten the others


def fullest_device(plan: Plan) -> DeviceMemory:
    """The device with the least left, or the host where there is no device."""
    return min(plan.devices, key=lambda device: device.free_bytes or 0, default=plan.host)


def common_plans(plans: Sequence[Plan], keep: Sequence[str]) -> list[Plan]:
    """The levels most people choose among, without those far too large; those in `keep` in any case."""
    shown = [plan for plan in plans if plan.level in keep or (plan.level in _COMMON and not _far_too_large(plan))]
    if sum(plan.level in _COMMON for plan in shown) < 3:
        shown = [plan for plan in plans if plan.level in keep or plan.level in _COMMON]
    return shown or list(plans)


def _far_too_large(plan: Plan) -> bool:
    device = fullest_device(plan)
    return device.capacity_bytes is not None and device.needed_bytes > _FAR_TOO_LARGE * device.capacity_bytes


def memory_by_level(plans: Sequence[Plan], *, host: bool = False) -> pd.DataFrame:
    """What the fullest device (or the host) holds at each level, in GiB, by component; and its capacity."""
    rows = []
    for plan in plans:
        holder = plan.host if host else fullest_device(plan)
        row: dict[str, object] = {"level": plan.level, "verdict": plan.verdict, "name": holder.name}
        row |= _components(holder)
        row["total"] = holder.needed_bytes / GIB
        row["capacity"] = None if holder.capacity_bytes is None else holder.capacity_bytes / GIB
        rows.append(row)
    return pd.DataFrame(rows)


def _components(holder: DeviceMemory) -> dict[str, float]:
    found = {name: getattr(holder, attribute) / GIB for name, attribute in COMPONENTS.items()}
    return found | {BESIDE: holder.other_bytes / GIB}


def memory_by_place(plan: Plan) -> pd.DataFrame:
    """What each device and the host hold of one plan, in GiB, by component; places that hold nothing are left out."""
    rows = []
    for holder in (*plan.devices, plan.host):
        if holder.needed_bytes:
            row: dict[str, object] = {"place": holder.name}
            row |= _components(holder)
            row["total"] = holder.needed_bytes / GIB
            row["capacity"] = None if holder.capacity_bytes is None else holder.capacity_bytes / GIB
            rows.append(row)
    return pd.DataFrame(rows)


def levels_table(candidates: Sequence[Candidate], recommended: str | None) -> pd.DataFrame:
    """Every level with all its figures."""
    return pd.DataFrame(
        [
            {
                "level": f"{RECOMMENDED} {plan.level}" if plan.level == recommended else plan.level,
                "verdict": verdict_words(plan.verdict),
                "file_gb": plan.sized.file_bytes / GB,
                "bits_per_weight": plan.sized.bits_per_weight,
                "quality_percent": None if candidate.kept is None else candidate.kept.typical,
                "tokens_per_s": None if candidate.tokens_per_s is None else candidate.tokens_per_s.typical,
                "memory_gib": plan.needed_bytes / GIB,
                "free_gib": None if plan.free_bytes is None else plan.free_bytes / GIB,
                "max_context": plan.max_context or None,
                "rule_gb": plan.rule_of_thumb_bytes / GB,
                "rule_error_percent": _percent(plan.rule_of_thumb_error),
                "host_gib": plan.host.needed_bytes / GIB if plan.devices else None,
                "note": _note(plan),
            }
            for candidate in candidates
            for plan in (candidate.plan,)
        ]
    )


def _percent(fraction: float) -> float:
    return round(fraction * 100, 1) + 0.0  # + 0.0: never "-0.0"


def _note(plan: Plan) -> str:
    needs = "Needs an importance matrix." if plan.needs_imatrix else ""
    note = plan.sized.level.note
    return f"{needs} {'' if note is None else say(note)}".strip()
