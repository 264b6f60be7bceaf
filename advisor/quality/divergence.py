"""Divergence and perplexity: straight lines in logarithms.

    ln figure = level - slope x ln(size / 7 B) + model

A model never seen takes what its family shares: GLM's lose 2.5 times as much as others of their size.
The figure is the mean Kullback-Leibler divergence in nats, or the logarithm of quantized / 16-bit perplexity. Within
a model the distances between levels are nearly constant, so that one measured level places all others.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from advisor.quality.evidence import Evidence
from advisor.quality.least_squares import Floats, solve
from advisor.quality.level_groups import UNQUANTIZED, known_level
from advisor.quality.lineage import lineage
from advisor.quality.losses import GROUPS, REFERENCE_B, effective_b, in_order
from advisor.quality.tasks import DIVERGENCE

Bands = tuple[tuple[float, float], tuple[float, float]]  # below 6 bits, from 6 bits up

LEAST = 1e-4  # below this, both figures are rounding noise
_LEVEL_SPREAD, _MODEL_SPREAD = 0.8, 0.6
_SLOPE_PRIOR, _SLOPE_SPREAD = 0.46, 0.1
_SCATTER, _HUBER, _ROUNDS = 0.35, 1.5, 8
NATS_PER_PERCENT = 1 / 30  # where no level of its kind has a divergence: from the loss in knowledge
_OWN_TO_SHARED = 1.0  # how many times more of a model's effect is its own than its family's, in variance
_TAIL = 0.06
# Residuals of fitted rows are smaller than those of new ones will be, and other sources use other texts.
_UNSEEN, _IN_SAMPLE = 1.1, 1.8
_LEAST_NEW = (-0.8, 1.0)  # however alike the few models are that were measured


@dataclass(frozen=True, slots=True)
class Line:
    """The fitted line; `level` by group, `band` (below, above) in logarithms for a new model and for a known one."""

    level: Floats
    measured: frozenset[int]
    slope: float
    model: Mapping[str, float]
    family: Mapping[str, float]
    rows: Mapping[str, int]
    new: Bands
    known: Bands

    def at(self, group: int, size: float, model: float) -> float:
        """The typical figure; `size` is ln(size / 7 B)."""
        return math.exp(float(self.level[group]) - self.slope * size + model)


def figure(row: Evidence) -> float | None:
    """What the line is fitted to, None for a row that has no such figure."""
    if row.task == DIVERGENCE:
        return max(LEAST, row.quantized_value) if row.benchmark == "kld-mean" and row.quantized_value else None
    return max(LEAST, math.log(row.ppl_ratio)) if row.ppl_ratio else None


def fit_line(rows: Sequence[Evidence], losses: Floats) -> Line:
    """Fit to rows of one task; `losses` by group stand in for levels without a figure. Deterministic."""
    number = {group: index for index, group in enumerate(GROUPS)}
    found: list[tuple[int, float, str, float, bool]] = []
    kin: dict[str, str] = {}
    for row in rows:
        kind, seen = known_level(row.level), figure(row)
        if seen is not None and kind and kind.group in number and kind.group != UNQUANTIZED:
            place = math.log(effective_b(row.parameters_b, row.active_parameters_b) / REFERENCE_B)
            found.append((number[kind.group], place, lineage(row.model), math.log(seen), kind.bits >= 6))
            kin[lineage(row.model)] = family_of(row.family)
    models = sorted({model for _, _, model, _, _ in found})
    index = {model: place for place, model in enumerate(models)}
    group = np.array([entry[0] for entry in found], dtype=np.int64)
    size = np.array([entry[1] for entry in found], dtype=float)
    model = np.array([index[entry[2]] for entry in found], dtype=np.int64)
    value = np.array([entry[3] for entry in found], dtype=float)
    prior = np.concatenate([np.log(losses * NATS_PER_PERCENT), [_SLOPE_PRIOR], np.zeros(len(models))])
    spread = np.array([_LEVEL_SPREAD] * len(GROUPS) + [_SLOPE_SPREAD] + [_MODEL_SPREAD] * len(models))
    columns = np.stack([group, np.full(group.size, len(GROUPS)), len(GROUPS) + 1 + model])
    entries = np.stack([np.ones(group.size), -size, np.ones(group.size)])
    known = prior
    for _ in range(_ROUNDS):
        within = value - (known[columns] * entries).sum(axis=0)
        trust = _HUBER / np.maximum(np.abs(within / _SCATTER), _HUBER) / _SCATTER**2
        known = solve(columns, entries, trust, value, spread**-2.0, prior)
    within = value - (known[columns] * entries).sum(axis=0)
    effects = known[len(GROUPS) + 1 :]
    families: dict[str, list[float]] = defaultdict(list)
    for name, effect in zip(models, effects.tolist(), strict=True):
        families[kin[name]].append(effect)
    # What a model would have been said to be from the others of its family alone.
    alone = np.array([
        effect - _shared(sum(families[kin[name]]) - effect, len(families[kin[name]]) - 1)
        for name, effect in zip(models, effects.tolist(), strict=True)
    ])  # fmt: skip
    across = within + (alone[model] if alone.size else 0.0)
    counts = np.bincount(model, minlength=len(models))
    fine = np.array([entry[4] for entry in found], dtype=bool)

    def band(residuals: Floats, factor: float) -> tuple[float, float]:
        low, high = np.quantile(residuals, [_TAIL, 1 - _TAIL]) * factor if residuals.size else (-2.0, 2.0)
        return min(float(low), -0.1), max(float(high), 0.1)

    same = band(within[~fine], _IN_SAMPLE), band(within[fine], _IN_SAMPLE)
    new = (
        _hull(_hull(band(across[~fine], _UNSEEN), same[0]), _LEAST_NEW),
        _hull(_hull(band(across[fine], _UNSEEN), same[1]), _LEAST_NEW),
    )
    return Line(
        level=in_order(known[: len(GROUPS)]),
        measured=frozenset(group.tolist()),
        slope=float(known[len(GROUPS)]),
        model=dict(zip(models, effects.tolist(), strict=True)),
        family={name: _shared(sum(own), len(own)) for name, own in families.items()},
        rows=dict(zip(models, counts.tolist(), strict=True)),
        new=new,
        known=same,
    )


def family_of(name: str) -> str:
    """The same for a family of the catalogue and as the evidence spells it: `llama31`."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _shared(total: float, models: int) -> float:
    """What so many models of a family, whose effects add up to `total`, let expect of another."""
    return total / (models + _OWN_TO_SHARED)


def _hull(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return min(one[0], other[0]), max(one[1], other[1])
