"""How wide a range must be: from what cross-validation missed by."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from advisor.speed.constants import POOLED, TIERS
from advisor.speed.fitting import fit
from advisor.speed.row_terms import Case

# Ends at these quantiles of measured / predicted hold 90 % of what a source measured that was left out: more than the
# 80 % promised, as the next one may differ from all known. Rows of one source count as the root of their number.
_LOW, _HIGH = 0.05, 0.95
_ENOUGH = 25  # held-out rows before a tier, or a group, has a range of its own
_ANY = "any"
_LEAST_WIDTH = 0.04  # log


@dataclass(frozen=True)
class HeldOut:
    """A case predicted without its own kind: `error` is log(measured / predicted rate), `tier` what remained."""

    case: Case
    error: float
    tier: str


# What is left out together: everything from one source, one model on one chip, one chip.
SCHEMES: Mapping[str, Callable[[Case], Hashable]] = {
    "source": lambda case: case.row.source,
    "device and model": lambda case: (case.chip, case.model),
    "device": lambda case: case.chip,
}


def range_group(case: Case) -> str:
    """Whose misses a case is judged by: its group, or what is harder to predict than its group."""
    return "several users" if (case.row.users or 1) > 1 else "several devices" if case.row.devices > 1 else case.group


def cross_validate(cases: Sequence[Case], kind: str, key: Callable[[Case], Hashable]) -> list[HeldOut]:
    """Leave out all cases of one key at a time, fit what is left, predict them."""
    whole = fit(cases, kind)
    by_key: dict[Hashable, list[Case]] = defaultdict(list)
    for case in cases:
        by_key[key(case)].append(case)
    found = []
    for test in by_key.values():
        concerned, out = {case.group for case in test}, key(test[0])
        # Constants of other groups stay, and the pooled ones move too little to matter.
        rest = [case for case in cases if case.group in concerned and key(case) != out]
        left = fit(rest, kind, pooled=whole.pooled)
        found += [HeldOut(case, left.log_ms(case) - float(np.log(case.ms)), left.tier(case)) for case in test]
    return found


def ends(held_out: Iterable[HeldOut]) -> dict[tuple[str, str], tuple[float, float, int]]:
    """By range group and tier: low and high end as multiples of the typical rate, and the rows behind them.

    `held_out` with a whole source left out: whoever compares the estimate with a run of their own is a new source.
    """
    found_in: dict[tuple[str, str], list[HeldOut]] = defaultdict(list)
    for each in held_out:
        for group in (range_group(each.case), POOLED):
            found_in[group, each.tier].append(each)
            found_in[group, _ANY].append(each)
    found = {}
    for group in sorted({group for group, _ in found_in}):
        for tier in TIERS:
            known = found_in[group, tier]
            if len(known) < _ENOUGH:
                known = found_in[group, _ANY]
            if len(known) >= _ENOUGH or group == POOLED:
                found[group, tier] = (*_quantiles(known), len(known))
    return found


def _quantiles(held_out: Sequence[HeldOut]) -> tuple[float, float]:
    together = Counter(each.case.row.source for each in held_out)
    errors = np.array([each.error for each in held_out])
    weights = np.array([together[each.case.row.source] ** -0.5 for each in held_out])
    order = np.argsort(errors, kind="stable")
    reached = (np.cumsum(weights[order]) - weights[order] / 2) / weights.sum()
    low, high = np.interp([_LOW, _HIGH], reached, errors[order])
    return float(np.exp(min(low, -_LEAST_WIDTH))), float(np.exp(max(high, _LEAST_WIDTH)))
