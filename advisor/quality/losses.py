"""How much of a benchmark's score a level loses: a small model fitted to all published scores.

    loss = limit of the task x (1 - exp(-x / limit)),  x = level x task x (size / 7 B) ^ -slope x model

Each of level, task and slope is one number fitted to the measurements (robust least squares in which a weak prior
stands in where measurements are few); the model's own factor is pulled towards 1, because another source's figures
for the same model and level turn out to say little. What single scores scatter around that sets the range. Sizes
of mixtures of experts count as the geometric mean of total and active parameters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from advisor.quality.evidence import Evidence
from advisor.quality.least_squares import Floats, Ints, solve
from advisor.quality.level_groups import SERIES, UNQUANTIZED, known_level
from advisor.quality.lineage import lineage
from advisor.quality.tasks import SCORED_TASKS

REFERENCE_B = 7.0

# Where measurements are few: percent of MMLU lost at 7 B, about 30 % per nat of measured divergence.
_LEVEL_PRIOR: dict[str, float] = {
    "Q8_0": 0.04, "Q6_K": 0.1, "Q5_1": 0.25, "Q5_K_M": 0.27, "Q5_K_S": 0.31, "Q5_0": 0.33, "Q4_K_M": 0.66,
    "Q4_K_S": 0.78, "IQ4_NL": 0.81, "IQ4_XS": 0.86, "Q4_1": 1.05, "Q4_0": 1.2, "Q3_K_L": 2.0, "Q3_K_M": 2.4,
    "IQ3_M": 2.6, "IQ3_S": 2.7, "IQ3_XS": 3.3, "Q3_K_S": 3.9, "IQ3_XXS": 4.7, "IQ2_M": 7.8, "Q2_K": 8.4,
    "Q2_K_S": 9.9, "IQ2_S": 10.8, "IQ2_XS": 13.0, "IQ2_XXS": 21.6, "IQ1_M": 33.0, "IQ1_S": 54.0,
    "W8": 0.12, "W6": 0.2, "W5": 0.5, "W4 calibrated": 1.0, "W4 rounded": 2.0, "W4 per channel": 2.0, "NVFP4": 1.5,
    "MXFP4 W4A4": 6.0, "W3 calibrated": 5.0, "W3 rounded": 8.0, "W2 tuned": 25.0, "W2 calibrated": 60.0,
    "W2 rounded": 80.0,
}  # fmt: skip
# Loss relative to knowledge's, and the most that can be lost: multiple choice keeps what guessing earns.
_TASK_PRIOR: dict[str, tuple[float, float]] = {
    "chat": (0.8, 60), "knowledge": (1.0, 65), "reasoning": (0.8, 65), "math": (1.8, 100),
    "code": (1.3, 100), "instruction": (1.1, 80), "long_context": (1.8, 100), "multilingual": (1.6, 100),
}  # fmt: skip
_SLOPE_PRIOR, _SLOPE_SPREAD = 0.46, 0.08  # divergence falls with size to this power, see advisor.quality.divergence
_PRIOR_SPREAD = {"gguf": 0.5, "other": 1.0, "task": 0.5, "model": 0.3}  # of logarithms
_RELATIVE_SCATTER = 0.5  # models differ in proportion to the loss itself, on top of the benchmark's noise
_FREE = 0.4  # of what can be lost: while so much is left, that limit does not narrow the scatter
_HUBER = 1.5
_ROUNDS = 12
_LARGEST_STEP = 0.7
_TESTS_TO_TRUST = 8  # as many benchmarks of this model, level and task move the estimate half way to them
_FURTHEST = 4.0  # units of scatter; where two benchmarks lie further off, it is no accident
# One source's many cells are not as many independent experiments.
_SOURCE_DISCOUNT = 0.1

# By how many percent leaving out one more score in a hundred must narrow a range to be worth it, by tier: from 5 bits
# up, 4, 3, 2 bits and less. So nine in ten are inside where whole sources are left out, and the ranges are short.
_WORTH = (8.0, 6.4, 9.0, 12.0)
_LEFT_OUT = np.linspace(0.01, 0.1, 19)  # shares of scores that may be left out at either end
# A cell that this many sources measured counts half, the wider cell it belongs to the other half.
_SOURCES_TO_TRUST = 7
_CAUTION = 1.5
# At 4 bits and less these collapse now and then where other tasks do not (up to 59 % lost in the study of
# long-context tasks that most such rows are from).
_HEAVY_TAILED = {"long_context": 4.0, "multilingual": 4.0}
_COLLAPSE_TELLS = 0.2  # weight of such scores in a model's own factor: a collapse there says little of other tasks
TIERS = {8: 0, 6: 0, 5: 0, 4: 1, 3: 2, 2: 3, 1: 3}
# Before any measurement: a test of 1,000 questions answered at 70 % moves by 2 % of its score, an average by less.
_NOISE, _AVERAGE_NOISE, _LEAST_NOISE, _NOISE_ROWS = 2.0, 0.8, 0.6, 4

GROUPS = tuple(_LEVEL_PRIOR)
_GROUP_NUMBER = {group: number for number, group in enumerate(GROUPS)}
_SERIES_NUMBERS = [[_GROUP_NUMBER[group] for group in series] for series in SERIES.values()]
_ROUNDED = [_GROUP_NUMBER[group] for group in SERIES["weights only, rounded"]]
_TASK_NUMBER = {task: number for number, task in enumerate(SCORED_TASKS)}
_LIMIT: Floats = np.array([_TASK_PRIOR[task][1] for task in SCORED_TASKS], dtype=float)


@dataclass(frozen=True, slots=True)
class Scores:
    """Benchmark scores as columns; `loss` in percent of the 16-bit score, `size` = ln(size / 7 B)."""

    rows: tuple[Evidence, ...]
    group: Ints
    task: Ints
    tier: Ints
    size: Floats
    loss: Floats
    weight: Floats
    model: Ints
    models: tuple[str, ...]
    source: tuple[str, ...]


def effective_b(parameters_b: float, active_b: float | None) -> float:
    """Billions of parameters that a model's robustness goes with."""
    return math.sqrt(parameters_b * active_b) if active_b else parameters_b


def relative_loss(task: str) -> float:
    """What a scored task loses before any measurement, as a multiple of what knowledge loses."""
    return _TASK_PRIOR[task][0]


def scores(rows: Sequence[Evidence]) -> Scores:
    """The rows that are benchmark scores of a level we know."""
    kept, group, tier = [], [], []
    for row in rows:
        level = known_level(row.level)
        if row.task in _TASK_NUMBER and level and level.group in _GROUP_NUMBER and level.group != UNQUANTIZED:
            kept.append(row)
            group.append(_GROUP_NUMBER[level.group])
            tier.append(TIERS[level.bits])
    lineages = [lineage(row.model) for row in kept]
    models = tuple(sorted(set(lineages)))
    number = {name: index for index, name in enumerate(models)}
    source = tuple(row.source for row in kept)
    counts: dict[str, int] = {}
    for name in source:
        counts[name] = counts.get(name, 0) + 1
    weight = np.array([counts[name] ** -_SOURCE_DISCOUNT for name in source], dtype=float)
    size = [math.log(effective_b(row.parameters_b, row.active_parameters_b) / REFERENCE_B) for row in kept]
    return Scores(
        rows=tuple(kept),
        group=np.array(group, dtype=np.int64),
        task=np.array([_TASK_NUMBER[row.task] for row in kept], dtype=np.int64),
        tier=np.array(tier, dtype=np.int64),
        size=np.array(size, dtype=float),
        loss=np.array([100 - (row.retention_percent or 0.0) for row in kept], dtype=float),
        weight=weight / weight.mean(),
        model=np.array([number[name] for name in lineages], dtype=np.int64),
        models=models,
        source=source,
    )


@dataclass(frozen=True, slots=True)
class LossModel:
    """The fitted numbers; logarithms of factors. `bands` [tier, task] are the standardised scatter below and above.

    `pulls` are by lineage how far scores of the same level and task lie from the fit, in units of scatter.
    """

    level: Floats
    task: Floats
    slope: float
    model: Mapping[str, float]
    noise: Floats
    pulls: Mapping[str, Floats]
    bands: Floats

    def loss(self, group: Ints, task: Ints, size: Floats, model: Floats) -> Floats:
        """What the fit says without what pulls at it, in percent."""
        limit = _LIMIT[task]
        found: Floats = limit * -np.expm1(
            -np.exp(self.level[group] + self.task[task] - self.slope * size + model) / limit
        )
        return found

    def spread(self, loss: Floats, task: Ints) -> Floats:
        """One standard unit of scatter around a typical loss."""
        found: Floats = np.hypot(self.noise[task], _RELATIVE_SCATTER * loss * _freedom(loss, task))
        return found

    def table(self, kin: str, size: float) -> tuple[Floats, Floats]:
        """Typical loss and the unit of its scatter by group and task, in percent, of a lineage and ln(size / 7 B)."""
        groups, tasks = len(GROUPS), len(SCORED_TASKS)
        group, task = np.repeat(np.arange(groups), tasks), np.tile(np.arange(tasks), groups)
        plain = self.loss(group, task, np.full(group.size, size), np.full(group.size, self.model.get(kin, 0.0)))
        unit = self.spread(plain, task).reshape(groups, tasks)
        losses: Floats = plain.reshape(groups, tasks)
        if (pull := self.pulls.get(kin)) is not None:
            losses = in_order(np.clip(losses + pull * unit, 0, 100))
        return losses, unit


def _freedom(loss: Floats, task: Ints) -> Floats:
    """By how much less a loss scatters that comes near what can be lost."""
    found: Floats = np.clip((1 - loss / _LIMIT[task]) / _FREE, 0, 1)
    return found


def _noise(data: Scores) -> Floats:
    """Scatter of single scores where nothing is lost (8 bits), by task, in percent; a few count for little."""
    found = []
    for number, task in enumerate(SCORED_TASKS):
        losses = np.abs(data.loss[(data.tier == 0) & (data.task == number)])
        seen = float(np.quantile(losses, 0.68)) if losses.size else 0.0
        prior = _AVERAGE_NOISE if task == "chat" else _NOISE
        found.append(max(_LEAST_NOISE, (seen * losses.size + prior * _NOISE_ROWS) / (losses.size + _NOISE_ROWS)))
    return np.array(found)


def fit(data: Scores) -> LossModel:
    """Fit the model to the scores; deterministic."""
    fitted = _fit(data)
    return replace(fitted, bands=_bands(fitted, data))


def _fit(data: Scores) -> LossModel:
    """Robust least squares with priors, but for the bands."""
    groups, tasks = len(GROUPS), len(SCORED_TASKS)
    prior = np.concatenate(
        [np.log(list(_LEVEL_PRIOR.values())), np.log([_TASK_PRIOR[task][0] for task in SCORED_TASKS]), [_SLOPE_PRIOR]]
    )
    spread = np.array(
        [_PRIOR_SPREAD["other" if group[0] in "WNM" else "gguf"] for group in GROUPS]
        + [0.1 if task == "knowledge" else _PRIOR_SPREAD["task"] for task in SCORED_TASKS]
        + [_SLOPE_SPREAD]
    )
    noise, limit = _noise(data), _LIMIT[data.task]
    known, factor = prior.copy(), np.zeros(len(data.models))
    telling = np.array([_COLLAPSE_TELLS if task in _HEAVY_TAILED else 1.0 for task in SCORED_TASKS])[data.task]
    columns = np.stack([data.group, groups + data.task, np.full(data.loss.size, groups + tasks)])
    for _ in range(_ROUNDS):
        x = np.exp(known[data.group] + known[groups + data.task] - known[-1] * data.size + factor[data.model])
        loss = limit * -np.expm1(-x / limit)
        slope = x * np.exp(-x / limit)
        unit = np.hypot(noise[data.task], _RELATIVE_SCATTER * loss)
        residual = (data.loss - loss) / unit
        trust = data.weight * _HUBER / np.maximum(np.abs(residual), _HUBER)
        gradient = slope / unit
        entries = np.stack([gradient, gradient, -data.size * gradient])
        step = solve(columns, entries, trust, residual, spread**-2.0, prior - known)
        known = known + np.clip(step, -_LARGEST_STEP, _LARGEST_STEP)
        pull = _PRIOR_SPREAD["model"] ** -2.0
        steady = trust * telling
        curvature = np.bincount(data.model, steady * gradient**2, len(factor)) + pull
        lean = np.bincount(data.model, steady * gradient * residual, len(factor)) - pull * factor
        factor = factor + np.clip(lean / curvature, -_LARGEST_STEP, _LARGEST_STEP) / 2
    fitted = LossModel(
        level=in_order(known[:groups]),
        task=known[groups:-1],
        slope=float(known[-1]),
        model=dict(zip(data.models, factor.tolist(), strict=True)),
        noise=noise,
        pulls={},
        bands=np.zeros(0),
    )
    return replace(fitted, pulls=_pulls(fitted, data, factor))


def _pulls(fitted: LossModel, data: Scores, factor: Floats) -> Mapping[str, Floats]:
    typical = fitted.loss(data.group, data.task, data.size, factor[data.model])
    off = (data.loss - typical) / fitted.spread(typical, data.task)
    cells = len(GROUPS) * len(SCORED_TASKS)
    cell = data.model * cells + data.group * len(SCORED_TASKS) + data.task
    size = len(data.models) * cells
    count = np.bincount(cell, minlength=size)
    mean = np.bincount(cell, off, size) / np.maximum(count, 1)
    _, first = np.unique([f"{place} {row.benchmark}" for place, row in zip(cell, data.rows, strict=True)], True)
    tests = np.bincount(cell[first], minlength=size)
    # What scatter explains moves the estimate a little; what it does not is as it was measured.
    total = np.where((np.abs(mean) > _FURTHEST) & (tests > 1), mean, mean * tests / (tests + _TESTS_TO_TRUST))
    by_model = total.reshape(len(data.models), len(GROUPS), len(SCORED_TASKS))
    return dict(zip(data.models, by_model, strict=True))


def in_order(losses: Floats) -> Floats:
    """Losses by group, with neighbours of a series pooled until none with more bits loses more.

    Pool-adjacent-violators along the first axis; any other axes are independent.
    """
    ordered = losses.copy()
    for series in _SERIES_NUMBERS:
        for number, group in enumerate(series[1:], start=1):
            if np.any(ordered[group] > ordered[series[number - 1]]):
                ordered[list(series)] = _pooled(ordered[list(series)])
                break
    ordered[_ROUNDED] = np.maximum(ordered[_ROUNDED], ordered[_GROUP_NUMBER["W8"]])
    return ordered


def _pooled(falling: Floats) -> Floats:
    """The closest sequence that never rises along the first axis: max over ends of min over starts of means."""
    length = len(falling)
    sums = np.concatenate([np.zeros_like(falling[:1]), np.cumsum(falling, axis=0)])
    found = np.empty_like(falling)
    for here in range(length):
        starts = []
        for start in range(here + 1):
            means = [(sums[end + 1] - sums[start]) / (end + 1 - start) for end in range(here, length)]
            starts.append(np.max(means, axis=0))
        found[here] = np.min(starts, axis=0)
    return found


def _shortest(values: Floats, weights: Floats, worth: float) -> Floats:
    """The ends of the interval from which nothing can be cut that is worth its width: leaving out one in a hundred more
    must narrow it by `worth` percent.
    """
    order = np.argsort(values, kind="stable")
    values, reached = values[order], np.cumsum(weights[order]) / weights.sum()
    below, above = np.meshgrid(_LEFT_OUT, _LEFT_OUT)
    low = values[np.minimum(np.searchsorted(reached, below), values.size - 1)]
    high = values[np.minimum(np.searchsorted(reached, 1 - above), values.size - 1)]
    cost = np.log(np.maximum(high - low, 1e-3)) + worth * (below + above)
    best = np.unravel_index(np.argmin(cost), cost.shape)
    return np.array([low[best], high[best]])


def _bands(model: LossModel, data: Scores) -> Floats:
    """Where about nine in ten single scores lie, in standard units, for a model never seen before.

    A cell of tier and task that few sources measured borrows from its task, and that from all.
    """
    typical = model.loss(data.group, data.task, data.size, np.zeros(data.loss.size))
    residual = (data.loss - typical) / model.spread(typical, data.task)
    sources = np.array(data.source)

    def ends(where: NDArray[np.bool_], worth: float, fallback: Floats) -> Floats:
        if where.sum() < 3:
            return fallback
        own = _shortest(residual[where], data.weight[where], worth)
        seen = len(set(sources[where]))
        found: Floats = (seen * own + _SOURCES_TO_TRUST * fallback) / (seen + _SOURCES_TO_TRUST)
        return found

    everywhere = np.ones(data.loss.size, dtype=bool)
    bands = np.zeros((len(_WORTH), len(SCORED_TASKS), 2))
    for tier, worth in enumerate(_WORTH):
        overall = ends(everywhere, worth, np.array([-2.0, 2.0])) * _CAUTION
        for number, task in enumerate(SCORED_TASKS):
            of_task = ends(data.task == number, worth, overall * (_HEAVY_TAILED.get(task, 1.0) if tier else 1.0))
            bands[tier, number] = ends((data.task == number) & (data.tier == tier), worth, of_task)
    bands[..., 0], bands[..., 1] = np.minimum(bands[..., 0], 0), np.maximum(bands[..., 1], 0)
    # More bits are never the less certain choice, or the worst case would advise fewer.
    bands[..., 1] = np.minimum.accumulate(bands[::-1, :, 1])[::-1]
    return bands
