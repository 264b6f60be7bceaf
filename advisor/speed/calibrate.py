"""How wide a range must be: from what cross-validation missed by."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from advisor.foundation.evidence_words import origin
from advisor.speed.backends import judged_by
from advisor.speed.constants import POOLED, TIERS
from advisor.speed.fitting import Vector, family, fit
from advisor.speed.row_terms import Case

# Ends at these quantiles of measured / predicted hold 90 % of what a source measured that was left out. Every source
# counts once, however many rows it has.
_LOW, _HIGH = 0.05, 0.95
_INSIDE = 0.9
_FEW = 25  # sources: with so many, a group's own misses count as much as those of all groups
_ENOUGH = 8  # sources: groups of fewer are stretched together
_ROWS = 10  # from which on the misses of few sources say what they need themselves
_LEAST_WIDTH = 0.04  # log
_NEAR = "near"  # something is known of the chip itself


_Kind = tuple[str, str]  # range group, and how far the evidence is


@dataclass(frozen=True)
class Stretch:
    """What the logarithms of the ends are multiplied by, of kinds that were measured and of others."""

    kinds: Mapping[_Kind, float]
    others: float

    def of(self, group: str, tier: str) -> float:
        return self.kinds.get((group, _distance(tier)), self.others)


@dataclass(frozen=True)
class HeldOut:
    """A case predicted without its own kind: `error` is log(measured / predicted rate), `tier` what remained."""

    case: Case
    error: float
    tier: str


# What is left out together: everything from one source, one model on one chip, one chip.
SCHEMES: Mapping[str, Callable[[Case], Hashable]] = {
    "source": lambda case: origin(case.row.source),
    "device and model": lambda case: (case.chip, case.model),
    "device": lambda case: case.chip,
}


def range_group(case: Case) -> str:
    """Whose misses a case is judged by: its group, or what is harder to predict than its group."""
    row = case.row
    before = row.depth if row.kind == "prefill" else 0
    return judged_by(case.group, row.users or 1, row.devices, row.split, before)


def cross_validate(cases: Sequence[Case], kind: str, key: Callable[[Case], Hashable]) -> list[HeldOut]:
    """Leave out all cases of one key at a time, fit what is left, predict them."""
    whole = fit(cases, kind)
    by_key: dict[Hashable, list[Case]] = defaultdict(list)
    for case in cases:
        by_key[key(case)].append(case)
    found = []
    for test in by_key.values():
        concerned, out = {family(case.group) for case in test}, key(test[0])
        # Constants of other backends stay, and the pooled ones move too little to matter.
        rest = [case for case in cases if family(case.group) in concerned and key(case) != out]
        left = fit(rest, kind, pooled=whole.pooled)
        found += [HeldOut(case, left.log_ms(case) - float(np.log(case.ms)), left.tier(case)) for case in test]
    return found


def ends(
    held_out: Iterable[HeldOut], stretch: Stretch | None = None
) -> dict[tuple[str, str], tuple[float, float, int]]:
    """By range group and tier: low and high end as multiples of the typical rate, and the rows behind them.

    `held_out` with a whole source left out: whoever compares the estimate with a run of their own is a new source.
    Nearer evidence never has the wider range, and what few sources tell of is drawn towards all groups' misses; so are
    groups that only `stretch` (`stretch_for`) knows.
    """
    found_in: dict[str, dict[str, list[HeldOut]]] = defaultdict(lambda: defaultdict(list))
    for each in (each for each in held_out if not each.case.early):
        for group in (range_group(each.case), POOLED):
            found_in[group][each.tier].append(each)
    for group, _ in stretch.kinds if stretch else ():
        found_in[group]  # made where there is none
    pooled = {tier: _quantiles(rows) for tier, rows in found_in[POOLED].items()}
    every = _quantiles([each for rows in found_in[POOLED].values() for each in rows])
    found = {}
    for group, by_tier in sorted(found_in.items()):
        whole = _quantiles([each for rows in by_tier.values() for each in rows])
        of_tier = []
        for tier in TIERS:
            common = _drawn(pooled.get(tier, every), every)
            own = common if group == POOLED else _drawn(_drawn(_quantiles(by_tier.get(tier, [])), whole), common)
            of_tier.append(own)
        least = most = 0.0
        for tier, (low, high) in zip(TIERS, _rising(of_tier), strict=True):
            wider = stretch.of(group, tier) if stretch else 1.0
            least, most = min(least, low * wider), max(most, high * wider)
            found[group, tier] = math.exp(least), math.exp(most), len(by_tier.get(tier) or whole.rows)
    return found


def stretch_for(found: Mapping[str, Sequence[HeldOut]]) -> Stretch:
    """What makes nine of ten of the cases lie in their range, whichever of `SCHEMES` they were left out by, where the
    range comes from the other sources.

    By group, and more where only the generation of the chip or the group is known. What few sources measured is
    stretched by what all of that needs together, and by its own need where it has rows enough.
    """
    needed: dict[_Kind, float] = defaultdict(float)
    together: list[float] = []
    for scheme, held_out in found.items():
        ratios, sources = _needed(held_out, found["source"], SCHEMES[scheme])
        if scheme == "device":  # of which nothing is known then
            ratios = {kind: own for kind, own in ratios.items() if kind[1] != _NEAR}
        few = [kind for kind in ratios if len(sources[kind]) < _ENOUGH]
        common = _holding([ratio for kind in few for ratio in ratios[kind]] or [1.0])
        if len({source for kind in few for source in sources[kind]}) < _ENOUGH:  # too few to say that less would do
            common = max(1.0, common)
        together.append(common)
        for kind, own in ratios.items():
            least = common if kind in few else 0.0
            enough = kind not in few or len(own) >= _ROWS
            needed[kind] = max(needed[kind], least, _holding(own) if enough else 0.0)
    return Stretch(needed, max(together))


def _needed(
    held_out: Sequence[HeldOut], by_source: Sequence[HeldOut], key: Callable[[Case], Hashable]
) -> tuple[dict[_Kind, list[float]], dict[_Kind, set[str]]]:
    """By how much each case lies beyond the end that the others give (1: at it), by kind, and whose they are."""
    by_key: dict[Hashable, list[HeldOut]] = defaultdict(list)
    for each in (each for each in held_out if not each.case.early):
        by_key[key(each.case)].append(each)
    ratios: dict[_Kind, list[float]] = defaultdict(list)
    sources: dict[_Kind, set[str]] = defaultdict(set)
    for left_out, tested in by_key.items():
        known = ends(each for each in by_source if key(each.case) != left_out)
        for each in tested:
            group = range_group(each.case)
            low, high, _ = known.get((group, each.tier)) or known[POOLED, each.tier]
            ratio = each.error / math.log(high if each.error > 0 else low)
            for kind in {(group, _NEAR), (group, _distance(each.tier))}:
                ratios[kind].append(ratio)
                sources[kind].add(origin(each.case.row.source))
    return ratios, sources


def _holding(ratios: Sequence[float]) -> float:
    return float(np.quantile(ratios, _INSIDE))


def _distance(tier: str) -> str:
    return tier if tier in TIERS[-2:] else _NEAR


@dataclass(frozen=True)
class _Ends:
    """Logarithms of both ends, and the rows and sources that they rest on."""

    low: float
    high: float
    rows: Sequence[HeldOut] = ()
    sources: float = 0.0


def _drawn(own: _Ends, towards: _Ends) -> _Ends:
    share = own.sources / (own.sources + _FEW)
    low, high = (share * a + (1 - share) * b for a, b in ((own.low, towards.low), (own.high, towards.high)))
    return _Ends(low, high, own.rows or towards.rows, max(own.sources, towards.sources))


def _rising(of_tier: Sequence[_Ends]) -> list[tuple[float, float]]:
    """Both ends of tiers from the nearest on, each no nearer to the typical rate than the one before.

    Where evidence says otherwise, tiers share their mean, weighed by their sources.
    """
    sides = []
    for sign, values in ((-1, [each.low for each in of_tier]), (1, [each.high for each in of_tier])):
        blocks: list[tuple[float, float, int]] = []  # distance, weight, tiers
        for each, value in zip(of_tier, values, strict=True):
            blocks.append((max(sign * value, _LEAST_WIDTH), each.sources + 1, 1))
            while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
                (one, heavy, some), (other, weight, more) = blocks[-2:]
                blocks[-2:] = [((one * heavy + other * weight) / (heavy + weight), heavy + weight, some + more)]
        sides.append([sign * distance for distance, _, tiers in blocks for _ in range(tiers)])
    return list(zip(*sides, strict=True))


def _quantiles(held_out: Sequence[HeldOut]) -> _Ends:
    if not held_out:
        return _Ends(0.0, 0.0)
    together = Counter(origin(each.case.row.source) for each in held_out)
    errors = np.array([each.error for each in held_out])
    weights = np.array([together[origin(each.case.row.source)] ** -1.0 for each in held_out])
    wider = by_chance(len(together))
    if len(together) < _ENOUGH:  # which side they miss on is chance
        far = wider * _weighted(np.abs(errors), weights, [_INSIDE])[0]
        return _Ends(-float(far), float(far), held_out, len(together))
    low, high = wider * _weighted(errors, weights, [_LOW, _HIGH])
    return _Ends(float(low), float(high), held_out, len(together))


def _weighted(errors: Vector, weights: Vector, quantiles: Sequence[float]) -> Vector:
    order = np.argsort(errors, kind="stable")
    reached = (np.cumsum(weights[order]) - weights[order] / 2) / weights.sum()
    found: Vector = np.interp(quantiles, reached, errors[order])
    return found


def by_chance(sources: int) -> float:
    """How much wider a range must be that rests on few sources: Student's quantile over that of the normal, 90 %."""
    z, degrees = 1.645, max(2, sources - 1)
    return 1 + (z**2 + 1) / (4 * degrees) + (5 * z**4 + 16 * z**2 + 3) / (96 * degrees**2)
