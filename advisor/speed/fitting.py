"""Fits the speed model to the evidence; `python -m advisor.speed.fit_constants` writes the result to data/.

Stages, each explaining what the one before left over, and each pulled towards "no difference" where there are few
measurements: constants per group (`group_of`), a factor per generation of chips and backend, per chip, per model (and
level) on it. What a host reads is fitted to what the devices' own estimate leaves over.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from advisor.foundation.evidence_words import independent, origin
from advisor.speed.constants import TIERS
from advisor.speed.roofline import TERMS
from advisor.speed.row_terms import Case

Vector = NDArray[np.float64]

# Where all groups together start from, and how many rows' worth of error a constant off by its own size may save: rough
# values that matter where there is little evidence. What serving many costs is measured by few sources, which pull less
# than what is known of it: half the nominal products, some 30 microseconds for each exchange, as many for a request.
_DECODE = {
    "weights": 1.2, "quantized": 0.15, "low_bits": 0.4, "cache": 2.0, "step": 0.3, "layer": 0.8, "moe_layer": 1.0,
    "recurrent": 0.8, "compute": 2.0, "attention": 1.0, "small_batch": 1.0, "batch_compute": 2.0, "batch_moe": 2.0,
    "serve_moe": 0.7,
    "prompts": 1.6, "prompts_attention": 1.5, "requests": 6.0, "exchange": 3.0, "exchange_tokens": 2.0, "hop": 0.2,
    "bfloat": 0.3, "early": 1.0, "early_layer": 0.5,
}  # fmt: skip
_PREFILL = {
    "compute": 1.5, "compute_moe": 1.0, "quantized": 0.3, "bfloat": 0.3, "recurrent": 0.5, "attention": 2.0,
    "cache": 0.5, "weights": 1.0, "pass": 5.0, "pass_moe": 5.0, "pass_experts": 15.0, "bus": 1.0, "early": 1.0,
}  # fmt: skip
_HOST = {"dense": 1.1, "experts": 1.4, "layer": 4.0}
_STARTS = {"decode": _DECODE, "prefill": _PREFILL, "host": _HOST}
# An engine for many records its launches once, so that a layer costs it less.
_SERVED_STARTS = {**_STARTS, "decode": {**_DECODE, "layer": 0.4, "requests": 2.0, "early": 5.0}}
_SERVED_TERMS = ("serve_moe", "prompts", "prompts_attention", "requests", "exchange", "exchange_tokens", "early")
_PULL_START, _PULL_SERVED = 0.2, 2.0
# Nothing reads faster than its nominal bandwidth.
_FLOOR = {
    kind: np.array([float(name in ("dense", "experts") or (kind, name) == ("decode", "weights")) for name in names])
    for kind, names in TERMS.items()
}
_PULL_GROUP = {"decode": 6.0, "prefill": 20.0, "host": 5.0}
SERVED = "vllm"
_LEAST_SHARE = 0.1  # of the starting value: so that a constant the pooled fit leaves out can still come back
_ROUNDS = 12
_LEAST_ERROR = 0.1  # errors below count alike, so that no single row is met exactly
_LEAST_MS = 1e-6
_CLIP = 0.8  # log; a row further off says nothing more
# Rows' worth of pull towards "no difference" for a generation, a chip, a model on it, a level of that.
_PULLS = (16.0, 4.0, 4.0, 2.0)
# Whoever measures an engine for many measures a few loads of one machine, and its client with it.
_PULLS_SERVED = (16.0, 8.0, 8.0, 4.0)


@dataclass(frozen=True)
class Fit:
    """Constants per group, and logarithmic factors on the time, per (generation or chip, backend[, model[, level]])."""

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
        found = base * math.exp(sum(self.factors.get(key, 0.0) for key in case.keys))
        return math.log(case.fixed + max(found, _LEAST_MS))

    def tier(self, case: Case) -> str:
        """How close the evidence is, as `constants.TIERS` names it."""
        known = [key in self.factors for key in case.keys]
        return next((tier for tier, found in zip(TIERS, reversed(known), strict=False) if found), "group")


def family(group: str) -> str:
    """The backend of a group, whose kinds of memory and chips start from what is common to them."""
    return group.split("-")[0]


def fit(cases: Sequence[Case], kind: str, pooled: Vector | None = None) -> Fit:
    """Fit all three stages; `pooled` are the constants of all groups together, where they are known already."""
    served = [case for case in cases if case.group == SERVED]
    if pooled is None:
        pooled = _started([case for case in cases if case.group != SERVED] or cases, kind, _STARTS[kind])
    by_group: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        by_group[case.group].append(case)
    by_family: dict[str, list[Case]] = defaultdict(list)
    for name, rows in by_group.items():
        by_family[family(name)] += rows
    least = _LEAST_SHARE * _in_order(_STARTS[kind], kind)
    prior = np.maximum(pooled, least)
    pull = _PULL_GROUP[kind]
    # An engine for many has terms of its own, and little in common with the others.
    starts = {SERVED: np.maximum(_started(served, kind, _SERVED_STARTS[kind]), least)} if served else {}
    families = {
        name: np.maximum(_constants(rows, starts.get(name, prior), pull, kind), least)
        for name, rows in by_family.items()
    }
    groups = {name: _constants(rows, families[family(name)], pull, kind) for name, rows in by_group.items()}
    plain = Fit(kind, pooled, groups, {name: len(rows) for name, rows in by_group.items()})
    return plain if kind == "host" else replace(plain, **_factors(cases, plain))


def _started(rows: Sequence[Case], kind: str, start: Mapping[str, float]) -> Vector:
    pulls = np.array([_PULL_SERVED if name in _SERVED_TERMS else _PULL_START for name in TERMS[kind]])
    return _constants(rows, _in_order(start, kind), pulls, kind)


def _in_order(values: Mapping[str, float], kind: str) -> Vector:
    return np.array([values[name] for name in TERMS[kind]])


def _constants(rows: Sequence[Case], prior: Vector, pull: float | Vector, kind: str) -> Vector:
    """Constants of at least `_FLOOR` with the least sum of absolute relative errors, drawn towards `prior`.

    Rows of one chip, model and source say much the same: together they count as the root of their number.
    """
    floor = _FLOOR[kind]
    together: dict[Hashable, int] = defaultdict(int)
    for case in rows:
        together[case.chip, case.model, case.row.source] += 1
    weights = np.array([together[case.chip, case.model, case.row.source] ** -0.5 for case in rows])
    times = np.array([case.ms for case in rows])
    relative = np.array([case.terms for case in rows]) / times[:, None]
    wanted = 1 - np.array([case.fixed for case in rows]) / times - relative @ floor
    prior = np.maximum(prior, floor)
    above = prior - floor
    for _ in range(_ROUNDS):
        error = np.abs(relative @ above - wanted)
        weighted = (relative * (weights / np.maximum(_LEAST_ERROR, error))[:, None]).T
        target = weighted @ wanted + pull * (prior - floor) / prior**2
        above = _non_negative(weighted @ relative + np.diag(pull / prior**2), target)
    found: Vector = floor + above
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
    for stage in range(len(_PULLS)):
        sorted_in: dict[tuple[str, ...], dict[Hashable, list[float]]] = defaultdict(lambda: defaultdict(list))
        urls: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for case, rest in left:
            whose = case.model, case.row.measured_level, origin(case.row.source)
            sorted_in[case.keys[stage]][whose].append(rest)
            urls[case.keys[stage]].add(case.row.source)
        for key, by_source in sorted_in.items():
            values = np.array([np.median(rests) for rests in by_source.values()])
            weights = np.array([min(len(rests), 4) ** 0.5 for rests in by_source.values()])
            pull = (_PULLS_SERVED if key[1] == SERVED else _PULLS)[stage]
            factors[key] = _weighted_median(values, weights) * weights.sum() / (weights.sum() + pull)
            counts[key] = sum(map(len, by_source.values()))
            sources[key] = independent(urls[key])
        left = [(case, rest - factors[case.keys[stage]]) for case, rest in left]
    return {"factors": factors, "counts": counts, "sources": sources}


def _weighted_median(values: Vector, weights: Vector) -> float:
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])
