"""What a KV cache in fewer than 16 bits costs: one small model fitted to all published measurements.

    points = limit x (1 - exp(-x / limit)),  x = typical x family x (1.4 of keys' rounding + 1 of values') / 2.4

`typical` is what 8 bits (q8_0) for both cost, in percentage points of the 16-bit score; the rounding of a type is 1
for q8_0 and grows by the same factor with every bit less. A family of models has a factor of its own, pulled towards 1
unless its measurements say otherwise: there are families that a cache in 8 bits damages.

Divergence counts as in `advisor.quality.divergence`: about 30 points a nat. Rows of one source and model share what is
special about that source, its text above all; scores enter with their noise, which is larger than most of these losses.
"""

from __future__ import annotations

import math
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache

import numpy as np

from advisor.foundation.compiled import of_the_program
from advisor.foundation.errors import InputError, one_line
from advisor.foundation.message import Span, fact
from advisor.foundation.ranges import Range
from advisor.quality.divergence import NATS_PER_PERCENT
from advisor.quality.estimator import KV_CACHE_NOTE, Quality
from advisor.quality.kv_evidence import FP8, KINDS, KLD_MEDIAN, LOSSLESS, KvEvidence, kv_evidence
from advisor.quality.least_squares import Floats
from advisor.quality.losses import relative_loss
from advisor.quality.tasks import DIVERGENCE, PERPLEXITY
from advisor.sizing.settings import CACHE_TYPES

DAMAGE_POINTS = 0.3  # a smaller loss cannot be seen; a larger one is only taken on by who asks for it

_LIMIT = 65.0  # points: multiple choice keeps what guessing earns, as in `advisor.quality.losses`
# Before any measurement, and how far logarithms may stray from it: q8_0 costs a tenth of a point, fp8 twice as much
# (no block has a scale of its own), and a bit less what it costs in weights from Q8_0 to Q4_0.
_TYPICAL_PRIOR, _FP8_PRIOR, _BIT_PRIOR = math.log(0.1), math.log(2.0), 0.8
_PRIOR_SPREADS = (0.3, 0.2, 0.3)  # typical, bit, fp8
_FAMILY_SPREAD, _STUDY_SPREAD, _SCATTER = 0.7, 0.8, 0.35
_MEAN_OF_MEDIAN = 3.1  # of divergence: 0.0486 against 0.0157 nats in llama.cpp's pull request 23572
# Where a source prints no error: percent that one test moves by itself, and the same of perplexity.
_SCORE_NOISE, _PERPLEXITY_NOISE = 4.0, 0.01
_RELATIVE_SCATTER = 0.5
_HUBER, _ROUNDS, _LARGEST_STEP, _NUDGE = 1.5, 25, 0.7, 1e-5
_NINE_IN_TEN = 1.645
_BITS = {kind: 8 * size / block for kind, (block, size) in CACHE_TYPES.items()}
_Q8 = _BITS["q8_0"]
_LONG = "long_context"
_NOTHING = Range(0.0, 0.0, 0.0)


def kv_loss(family: str, kind_k: str | None, kind_v: str | None) -> Range:
    """Percentage points of the 16-bit score that a model of this family loses to its cache's types.

    `family` is that of the catalogue ("Gemma 4") or a GGUF architecture ("gemma4"). The types are llama.cpp's or
    vLLM's words; None is what the model computes with. Nine in ten measurements lie in the range. Raises InputError
    for an unknown type.
    """
    for kind in (kind_k, kind_v):
        if kind is not None and kind not in KINDS:
            raise InputError(
                "Unknown type of KV cache '{kind}'; use one of {kinds}.",
                kind=one_line(kind, 20),
                kinds=", ".join(sorted(KINDS)),
            )
    keys, values = kind_k or "auto", kind_v or "auto"
    return _NOTHING if keys in LOSSLESS and values in LOSSLESS else _loss(_slug(family), keys, values)


def damages(family: str, kind_k: str | None, kind_v: str | None) -> bool:
    """Whether a cache in these types costs so much that it is nothing to choose without being asked."""
    return kv_loss(family, kind_k, kind_v).typical > DAMAGE_POINTS


def task_loss(family: str, kind_k: str | None, kind_v: str | None, task: str) -> Range:
    """Points that a cache in these types costs at a task."""
    lost = kv_loss(family, kind_k, kind_v)
    return lost.scaled(relative_loss(_LONG)) if task == _LONG else lost


def with_cache(
    quality: Quality, family: str, kind_k: str | None, kind_v: str | None, task: str = "knowledge"
) -> Quality:
    """The quality of the same file with its cache in these types; of a task's percent only, as divergence is of files.

    What is looked for in a long text suffers first: 1.8 times as much as knowledge. Both errors are independent, so
    that they add as squares.
    """
    lost = task_loss(family, kind_k, kind_v, task)
    if not lost.typical or quality.kept is None:
        return quality
    kept = quality.kept
    typical = max(0.0, kept.typical - lost.typical)
    below = math.hypot(kept.typical - kept.low, lost.high - lost.typical)
    above = math.hypot(kept.high - kept.typical, lost.typical - lost.low)
    keys, values = kind_k or "auto", kind_v or "auto"
    points, ends = _told(lost.typical), Span(_told(lost.low), _told(lost.high))
    if keys == values:
        remark = fact("kv_cache_loss", kind=keys, points=points, range=ends)
    else:
        remark = fact("kv_cache_loss_of_two", keys=keys, values=values, points=points, range=ends)
    return replace(
        quality,
        kept=Range(max(0.0, typical - below), typical, typical + above),
        notes=tuple(note for note in quality.notes if note != KV_CACHE_NOTE),
        remarks=(*quality.remarks, remark),
    )


def _told(points: float) -> float:
    """As exact as such a figure is: "0.1", "4.4"."""
    return float(f"{points:.{1 if points < 1 else 2}g}")


class _Rounding:
    """Pairs of types as the fit sees them: bits below q8_0, whether fp8, and whether anything is rounded at all."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        # e5m2 has a bit less for the fraction than e4m3
        self.bits: Floats = np.array(
            [[_Q8 - _BITS.get(kind, _Q8) + (kind == FP8[-1]) for kind in pair] for pair in pairs]
        )
        self.fp8: Floats = np.array([[float(kind in FP8) for kind in pair] for pair in pairs])
        self.rounded: Floats = np.array([[float(kind not in LOSSLESS) for kind in pair] for pair in pairs])

    def amount(self, known: Floats, keys: float) -> Floats:
        """ln of how much each pair rounds, as a multiple of q8_0 for both."""
        each = self.rounded * np.exp(known[1] * self.bits + known[2] * self.fp8)
        found: Floats = np.log(each @ np.array([keys, 1.0]) / (keys + 1))
        return found


@dataclass(frozen=True, slots=True)
class _Fit:
    """The fitted numbers, all logarithms: `known` = typical, a bit, fp8, then families; `keys` is a plain factor."""

    known: Floats
    covariance: Floats
    keys: float
    families: dict[str, int]

    def at(self, family: str, kind_k: str, kind_v: str) -> tuple[float, float]:
        """ln of the points before the limit, and its standard deviation for another study of the family."""
        rounding, place = _Rounding([(kind_k, kind_v)]), self.families.get(family)

        def value(known: Floats) -> Floats:
            effect = 0.0 if place is None else float(known[place])
            found: Floats = rounding.amount(known, self.keys) + (float(known[0]) + effect)
            return found

        slope = _slopes(value, self.known)[0]
        variance = float(slope @ self.covariance @ slope) + _STUDY_SPREAD**2
        return float(value(self.known)[0]), math.sqrt(variance + (_FAMILY_SPREAD**2 if place is None else 0.0))


@lru_cache(1024)
def _loss(family: str, kind_k: str, kind_v: str) -> Range:
    middle, spread = _fitted().at(family, kind_k, kind_v)
    low, typical, high = (float(_points(middle + step * spread)) for step in (-_NINE_IN_TEN, 0, _NINE_IN_TEN))
    return Range(low, typical, high)


def _points(logarithm: Floats | float) -> Floats:
    found: Floats = -_LIMIT * np.expm1(-np.exp(logarithm) / _LIMIT)
    return found


@cache
def _fitted() -> _Fit:
    def made() -> tuple[list[float], list[list[float]], float, dict[str, int]]:
        found = _fit(kv_evidence())
        return found.known.tolist(), found.covariance.tolist(), float(found.keys), found.families

    known, covariance, keys, families = of_the_program("kv-quality", made)
    return _Fit(np.array(known), np.array(covariance), keys, families)


def _slug(family: str) -> str:
    """The same for a family of the catalogue and llama.cpp's name of its architecture: `gemma4`, `qwen35`."""
    return re.sub(r"[^a-z0-9]|moe$", "", family.lower())


def _study(row: KvEvidence) -> tuple[str, str]:
    return row.source_url, row.model


def _keys_factor(rows: Sequence[KvEvidence]) -> float:
    """How many times more keys cost than values, where one study rounded either alone."""
    alone: dict[tuple[str, ...], dict[bool, float]] = defaultdict(dict)
    for row in rows:
        if row.task == DIVERGENCE and (row.kind_k in LOSSLESS) != (row.kind_v in LOSSLESS):
            keys = row.kind_v in LOSSLESS
            alone[*_study(row), row.kind_k if keys else row.kind_v][keys] = row.value - row.baseline
    ratios = [found[True] / found[False] for found in alone.values() if len(found) == 2]
    return statistics.geometric_mean(ratios) if ratios else 1.0


def _fit(rows: Sequence[KvEvidence]) -> _Fit:
    """Gauss-Newton with priors; deterministic."""
    keys, rounding = _keys_factor(rows), _Rounding([(row.kind_k, row.kind_v) for row in rows])
    families = {name: 3 + index for index, name in enumerate(sorted({_slug(row.family) for row in rows}))}
    first = 3 + len(families)
    studies = {name: first + index for index, name in enumerate(sorted({_study(row) for row in rows}))}
    family = np.array([families[_slug(row.family)] for row in rows])
    study = np.array([studies[_study(row)] for row in rows])
    divergent = np.array([row.task == DIVERGENCE for row in rows])
    measured, noise = (np.array(column) for column in zip(*map(_measured, rows), strict=True))
    same = Counter((_study(row), row.kind_k, row.kind_v, row.task) for row in rows)
    # Several figures for the same thing are one experiment.
    weight = np.array([1 / same[_study(row), row.kind_k, row.kind_v, row.task] for row in rows])

    def residuals(known: Floats) -> Floats:
        """How far each row lies from the model, in units of its scatter."""
        expected = known[0] + known[family] + rounding.amount(known, keys)
        points = _points(expected)
        off: Floats = np.where(
            divergent,
            (measured - expected - known[study]) / _SCATTER,
            (measured - points) / np.hypot(noise, _RELATIVE_SCATTER * points),
        )
        return off

    prior = np.zeros(first + len(studies))
    prior[:3] = _TYPICAL_PRIOR, _BIT_PRIOR, _FP8_PRIOR
    spread = np.array([*_PRIOR_SPREADS, *[_FAMILY_SPREAD] * len(families), *[_STUDY_SPREAD] * len(studies)])
    known, matrix = prior, np.diag(spread**-2.0)
    for _ in range(_ROUNDS):
        off, slope = residuals(known), _slopes(residuals, known)
        trust = weight * _HUBER / np.maximum(np.abs(off), _HUBER)
        # A family that stands out is an exception: the further it does, the less it says about the others.
        strays = np.maximum(np.abs(known - prior) / spread, _HUBER)
        pull = spread**-2.0 * np.where(np.arange(prior.size) < 3, 1.0, _HUBER / strays)
        matrix = slope.T @ (slope * trust[:, None]) + np.diag(pull)
        step = np.linalg.solve(matrix, pull * (prior - known) - slope.T @ (trust * off))
        known = known + np.clip(step, -_LARGEST_STEP, _LARGEST_STEP)
    covariance: Floats = np.asarray(np.linalg.inv(matrix), dtype=np.float64)[:first, :first]
    return _Fit(known[:first], covariance, keys, families)


def _slopes(function: Callable[[Floats], Floats], known: Floats) -> Floats:
    """Derivatives of each value of a function after each of its numbers."""
    here = function(known)
    steps = np.eye(known.size) * _NUDGE
    return np.stack([(function(known + step) - here) / _NUDGE for step in steps], axis=1)


def _measured(row: KvEvidence) -> tuple[float, float]:
    """What a row says was lost, and its noise: ln points (scatter is that of all) of divergence, else points."""
    if row.task == DIVERGENCE:
        nats = (row.value - row.baseline) * (_MEAN_OF_MEDIAN if row.benchmark == KLD_MEDIAN else 1.0)
        return math.log(nats / NATS_PER_PERCENT), 1.0
    if row.task == PERPLEXITY:
        noise = row.error / row.baseline if row.error else _PERPLEXITY_NOISE
        return math.log(row.value / row.baseline) / NATS_PER_PERCENT, noise / NATS_PER_PERCENT
    share = relative_loss(row.task)
    noise = 100 * row.error / row.baseline if row.error else _SCORE_NOISE
    return 100 * (1 - row.value / row.baseline) / share, noise / share
