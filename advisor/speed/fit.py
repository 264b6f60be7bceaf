"""Fits the constants of the speed model to the evidence: `python -m advisor.speed.fit` writes data/speed_constants.csv.

Three stages, each explaining what the one before left over, and each pulled towards "no difference" where there are few
measurements: constants per group (`group_of`), a factor per chip and backend, a factor per model (and level) on it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from advisor.speed.evidence import Case
from advisor.speed.roofline import DECODE_TERMS, PREFILL_TERMS

Vector = NDArray[np.float64]

TERMS = {"decode": DECODE_TERMS, "prefill": PREFILL_TERMS}
# Where all groups together start from: rough values that only matter where there is no evidence at all.
_START = {
    "decode": np.array([1.3, 0.4, 2.0, 0.5, 0.8, 1.0, 2.0]),
    "prefill": np.array([2.0, 1.0, 2.0, 1.0, 5.0]),
}
_PULL_START, _PULL_GROUP = 0.2, 0.2  # how many rows' worth of error a constant off by its own size may save
_ROUNDS = 12
_LEAST_ERROR = 0.05  # errors below count alike, so that no single row is met exactly
_CLIP = 0.8  # log; a row further off says nothing more
# Rows' worth of pull towards "no difference" for a chip, a model on it, a level of that.
_PULLS = (1.0, 1.0, 0.7)


@dataclass(frozen=True)
class Fit:
    """Constants per group, and logarithmic factors on the time, per (chip, backend[, model[, level]]), with their n."""

    kind: str
    pooled: Vector
    groups: Mapping[str, Vector]
    sizes: Mapping[str, int]
    factors: Mapping[tuple[str, ...], float] = field(default_factory=dict)
    counts: Mapping[tuple[str, ...], int] = field(default_factory=dict)

    def constants(self, group: str) -> Vector:
        return self.groups.get(group, self.pooled)

    def log_ms(self, case: Case) -> float:
        """The logarithm of the predicted milliseconds."""
        base = float(np.dot(case.terms, self.constants(case.group)))
        return float(np.log(base)) + sum(self.factors.get(key, 0.0) for key in keys_of(case))

    def tier(self, case: Case) -> str:
        """How close the evidence is: "level", "model", "chip" or "group"."""
        known = [key in self.factors for key in keys_of(case)]
        return "level" if known[2] else "model" if known[1] else "chip" if known[0] else "group"


def keys_of(case: Case) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    chip = (case.chip, case.backend)
    model = (*chip, case.model)
    return chip, model, (*model, case.row.level or case.row.quant)


def fit(cases: Sequence[Case], kind: str, given: Mapping[str, Vector] | None = None, pooled: Vector | None = None) -> Fit:
    """Fit all three stages; `given` and `pooled` are constants that need not be fitted again."""
    given = given or {}
    if pooled is None:
        pooled = _constants(cases, _START[kind], _PULL_START)
    by_group: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        by_group[case.group].append(case)
    groups = {
        name: given[name] if name in given else _constants(rows, pooled, _PULL_GROUP) for name, rows in by_group.items()
    }
    plain = Fit(kind, pooled, groups, {name: len(rows) for name, rows in by_group.items()})
    factors, counts = _factors(cases, plain)
    return Fit(kind, pooled, groups, plain.sizes, factors, counts)


def _constants(rows: Sequence[Case], prior: Vector, pull: float) -> Vector:
    """Non-negative constants with the least sum of absolute relative errors, drawn towards `prior`.

    Rows of one chip, model and source say much the same: together they count as the root of their number.
    """
    together: dict[Hashable, int] = defaultdict(int)
    for case in rows:
        together[case.chip, case.model, case.row.source] += 1
    weights = np.array([together[case.chip, case.model, case.row.source] ** -0.5 for case in rows])
    relative = np.array([case.terms for case in rows]) / np.array([case.ms for case in rows])[:, None]
    drawn = np.diag(np.sqrt(pull) / prior)
    found = prior.copy()
    for _ in range(_ROUNDS):
        error = np.abs(relative @ found - 1)
        weight = np.sqrt(weights / np.maximum(_LEAST_ERROR, error))
        found = _non_negative(
            np.vstack([relative * weight[:, None], drawn]), np.concatenate([weight, np.full(len(prior), np.sqrt(pull))])
        )
    return found


def _non_negative(matrix: Vector, target: Vector) -> Vector:
    """Least squares with no negative solution, by leaving out what would be negative."""
    active = list(range(matrix.shape[1]))
    solution = np.zeros(matrix.shape[1])
    while active:
        part = np.linalg.lstsq(matrix[:, active], target, rcond=None)[0]
        if (part >= 0).all():
            solution[active] = part
            break
        active = [number for number, value in zip(active, part, strict=True) if value > 0]
    return solution


def _factors(
    cases: Iterable[Case], plain: Fit
) -> tuple[dict[tuple[str, ...], float], dict[tuple[str, ...], int]]:
    left: list[tuple[Case, float]] = [
        (case, float(np.clip(np.log(case.ms) - plain.log_ms(case), -_CLIP, _CLIP))) for case in cases
    ]
    factors: dict[tuple[str, ...], float] = {}
    counts: dict[tuple[str, ...], int] = {}
    for stage, pull in enumerate(_PULLS):
        sorted_in: dict[tuple[str, ...], dict[Hashable, list[float]]] = defaultdict(lambda: defaultdict(list))
        for case, rest in left:
            sorted_in[keys_of(case)[stage]][case.model, case.row.level, case.row.source].append(rest)
        for key, by_source in sorted_in.items():
            values = np.array([np.median(rests) for rests in by_source.values()])
            weights = np.array([min(len(rests), 4) ** 0.5 for rests in by_source.values()])
            factors[key] = _weighted_median(values, weights) * weights.sum() / (weights.sum() + pull)
            counts[key] = sum(map(len, by_source.values()))
        left = [(case, rest - factors[keys_of(case)[stage]]) for case, rest in left]
    return factors, counts


def _weighted_median(values: Vector, weights: Vector) -> float:
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])


@dataclass(frozen=True)
class HeldOut:
    """A case predicted without its own kind: `error` is log(measured / predicted rate), `tier` what was left."""

    case: Case
    error: float
    tier: str


def cross_validate(cases: Sequence[Case], kind: str, key: Callable[[Case], Hashable]) -> list[HeldOut]:
    """Leave out all cases of one key at a time, fit what is left, predict them."""
    whole = fit(cases, kind)
    found = []
    for left_out in sorted({key(case) for case in cases}, key=repr):
        test = [case for case in cases if key(case) == left_out]
        concerned = {case.group for case in test}
        # Constants of groups that lose nothing stay; the pooled ones move too little to matter.
        rest = [case for case in cases if case.group in concerned and key(case) != left_out]
        left = fit(rest, kind, pooled=whole.pooled)
        found += [HeldOut(case, left.log_ms(case) - float(np.log(case.ms)), left.tier(case)) for case in test]
    return found
