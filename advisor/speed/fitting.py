"""Fits the speed model to the evidence; `python -m advisor.speed.fit_constants` writes the result to data/.

Three stages, each explaining what the one before left over, and each pulled towards "no difference" where there are few
measurements: constants per group (`group_of`), a factor per chip and backend, a factor per model (and level) on it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from advisor.foundation.evidence_words import independent
from advisor.speed.roofline import DECODE_TERMS, PREFILL_TERMS
from advisor.speed.row_terms import Case

Vector = NDArray[np.float64]

TERMS = {"decode": DECODE_TERMS, "prefill": PREFILL_TERMS}
# Where all groups together start from: rough values that only matter where there is no evidence at all.
_START = {
    "decode": np.array([1.3, 0.4, 2.0, 0.5, 0.8, 1.0, 2.0, 2.0]),
    "prefill": np.array([2.0, 1.0, 2.0, 1.0, 5.0]),
}
_PULL_START, _PULL_GROUP = 0.2, 0.2  # how many rows' worth of error a constant off by its own size may save
_LEAST_SHARE = 0.1  # of the starting value: so that a constant the pooled fit leaves out can still come back
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
    sources: Mapping[tuple[str, ...], int] = field(default_factory=dict)  # independent ones behind a factor

    def constants(self, group: str) -> Vector:
        return self.groups.get(group, self.pooled)

    def log_ms(self, case: Case) -> float:
        """The logarithm of the predicted milliseconds."""
        base = float(np.dot(case.terms, self.constants(case.group)))
        return float(np.log(base)) + sum(self.factors.get(key, 0.0) for key in case.keys)

    def tier(self, case: Case) -> str:
        """How close the evidence is: "level", "model", "chip" or "group"."""
        known = [key in self.factors for key in case.keys]
        return "level" if known[2] else "model" if known[1] else "chip" if known[0] else "group"


def fit(cases: Sequence[Case], kind: str, pooled: Vector | None = None) -> Fit:
    """Fit all three stages; `pooled` are the constants of all groups together, where they are known already."""
    if pooled is None:
        pooled = _constants(cases, _START[kind], _PULL_START)
    by_group: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        by_group[case.group].append(case)
    prior = np.maximum(pooled, _LEAST_SHARE * _START[kind])
    groups = {name: _constants(rows, prior, _PULL_GROUP) for name, rows in by_group.items()}
    plain = Fit(kind, pooled, groups, {name: len(rows) for name, rows in by_group.items()})
    return replace(plain, **_factors(cases, plain))


def _constants(rows: Sequence[Case], prior: Vector, pull: float) -> Vector:
    """Non-negative constants with the least sum of absolute relative errors, drawn towards `prior`.

    Rows of one chip, model and source say much the same: together they count as the root of their number.
    """
    together: dict[Hashable, int] = defaultdict(int)
    for case in rows:
        together[case.chip, case.model, case.row.source] += 1
    weights = np.array([together[case.chip, case.model, case.row.source] ** -0.5 for case in rows])
    relative = np.array([case.terms for case in rows]) / np.array([case.ms for case in rows])[:, None]
    found = prior.copy()
    for _ in range(_ROUNDS):
        error = np.abs(relative @ found - 1)
        weighted = (relative * (weights / np.maximum(_LEAST_ERROR, error))[:, None]).T
        found = _non_negative(weighted @ relative + np.diag(pull / prior**2), weighted.sum(axis=1) + pull / prior)
    return found


def _non_negative(products: Vector, target: Vector) -> Vector:
    """The solution of the normal equations without negative values, by leaving out what would be negative."""
    active = np.arange(len(target))
    solution = np.zeros(len(target))
    while len(active):
        part = np.linalg.solve(products[np.ix_(active, active)], target[active])
        if (part >= 0).all():
            solution[active] = part
            break
        active = active[part > 0]
    return solution


def _factors(cases: Iterable[Case], plain: Fit) -> dict[str, Any]:
    """The factors of a fit, with the measurements and sources behind each."""
    left: list[tuple[Case, float]] = [
        (case, float(np.clip(np.log(case.ms) - plain.log_ms(case), -_CLIP, _CLIP))) for case in cases
    ]
    factors: dict[tuple[str, ...], float] = {}
    counts: dict[tuple[str, ...], int] = {}
    sources: dict[tuple[str, ...], int] = {}
    for stage, pull in enumerate(_PULLS):
        sorted_in: dict[tuple[str, ...], dict[Hashable, list[float]]] = defaultdict(lambda: defaultdict(list))
        urls: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for case, rest in left:
            sorted_in[case.keys[stage]][case.model, case.row.measured_level, case.row.source].append(rest)
            urls[case.keys[stage]].add(case.row.source)
        for key, by_source in sorted_in.items():
            values = np.array([np.median(rests) for rests in by_source.values()])
            weights = np.array([min(len(rests), 4) ** 0.5 for rests in by_source.values()])
            factors[key] = _weighted_median(values, weights) * weights.sum() / (weights.sum() + pull)
            counts[key] = sum(map(len, by_source.values()))
            sources[key] = independent(urls[key])
        left = [(case, rest - factors[case.keys[stage]]) for case, rest in left]
    return {"factors": factors, "counts": counts, "sources": sources}


def _weighted_median(values: Vector, weights: Vector) -> float:
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])
