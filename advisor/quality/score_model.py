"""What scores say about abilities: a linear model with random effects, and slopes that take turns with it.

A score y of model m in a mode, on benchmark b of task t, is explained by

    y = slope_b x ability(m, mode, t) + offset_b + source(m) + noise_b
    ability = traits x (weights + weights_t) + family + model + mode + model-by-task

What is common to all models (weights, families, offsets) is solved for; model, mode, model-by-task and source are
random effects, independent from model to model, so that each model's rows have one small covariance matrix. Then each
benchmark's slope and scatter follow from what is left, with priors; a row that lies far off counts less (a
t-distribution of 4 degrees). All in logits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from advisor.quality.scores import Mode

Floats = NDArray[np.float64]

GENERAL = ""  # the task of composite indices: they measure ability without the parts of a task
# Standard deviations of the random effects, and of the priors of what is common to all.
MODEL, MODE, MODEL_TASK, SOURCE = 0.23, 0.17, 0.35, 0.15
TRAIT, TRAIT_TASK, FAMILY, OFFSET = 1.0, 0.2, 0.42, 5.0
SLOPE = 0.3  # about 1
NOISE, NOISE_ROWS = 0.35, 4.0  # a benchmark's scatter before its rows are seen, and the rows which that is worth
DEGREES = 4.0
ROUNDS = 20


@dataclass(frozen=True)
class Place:
    """What has an ability: a model in a mode, at a task (or GENERAL)."""

    model: str
    mode: Mode
    task: str


@dataclass(frozen=True)
class Row:
    """A transformed score; `scatter` is how many times the benchmark's its own is."""

    place: Place
    benchmark: str
    source: str
    y: float
    scatter: float


@dataclass(frozen=True)
class Known:
    """What is known of a model in a mode without any score."""

    traits: tuple[float, ...]
    family: str


class Abilities:
    """The fitted model; `known` by (model, mode) must cover every place that is asked about."""

    def __init__(self, rows: Sequence[Row], known: Mapping[tuple[str, Mode], Known], tasks: Sequence[str]) -> None:
        self._rows, self._known, self._tasks = rows, known, tasks
        self._families = sorted({each.family for each in known.values()})
        self._benchmarks = sorted({row.benchmark for row in rows})
        self._benchmark = np.array([self._benchmarks.index(row.benchmark) for row in rows])
        of_task = {row.benchmark: row.place.task for row in rows}
        self._of_task = [[i for i, each in enumerate(self._benchmarks) if of_task[each] == task] for task in tasks]
        self._y = np.array([row.y for row in rows])
        self._scatter = np.array([row.scatter for row in rows])
        self._design = self._common([row.place for row in rows])
        self._groups = [_Group(rows, np.array(found)) for found in _by_model(rows).values()]
        self.slopes = np.ones(len(self._benchmarks))
        self.noise = np.full(len(self._benchmarks), NOISE)
        self._trust = np.ones(len(rows))
        for _ in range(ROUNDS):
            self._solve()
            self._turn()
        self._solve()

    def _common(self, places: Sequence[Place]) -> Floats:
        """The design of abilities in what is common to all models: traits, traits by task, families."""
        n = len(next(iter(self._known.values())).traits)
        found = np.zeros((len(places), n * (1 + len(self._tasks)) + len(self._families)))
        for row, place in zip(found, places, strict=True):
            known = self._known[place.model, place.mode]
            row[:n] = known.traits
            if place.task != GENERAL:
                first = n * (1 + self._tasks.index(place.task))
                row[first : first + n] = known.traits
            row[self._families.index(known.family) - len(self._families)] = 1.0
        return found

    def _pull(self) -> Floats:
        n = len(next(iter(self._known.values())).traits)
        deviations = [TRAIT] * n + [TRAIT_TASK] * n * len(self._tasks) + [FAMILY] * len(self._families)
        return np.array(deviations + [OFFSET] * len(self._benchmarks)) ** -2.0

    def _solve(self) -> None:
        """What is common to all, given slopes and scatters."""
        slope, benchmarks = self.slopes[self._benchmark], np.eye(len(self._benchmarks))[self._benchmark]
        self._full = np.hstack([slope[:, None] * self._design, benchmarks])
        variance = (self.noise[self._benchmark] * self._scatter) ** 2 / self._trust
        matrix, right = np.diag(self._pull()), np.zeros(self._full.shape[1])
        for group in self._groups:
            group.observe(slope[group.rows], variance[group.rows])
            design = self._full[group.rows]
            weighed = group.precision @ design
            matrix += design.T @ weighed
            right += weighed.T @ self._y[group.rows]
        self._matrix, self._right = matrix, right
        self._covariance = np.linalg.inv(matrix)
        self._common_values = self._covariance @ right

    def _turn(self) -> None:
        """Slopes, scatters and the trust in each row, given what is common."""
        n = len(self._rows)
        ability, source = np.zeros(n), np.zeros(n)
        spread, width, shared = np.zeros(n), np.zeros(n), np.zeros(n)
        values = self._common_values[: self._design.shape[1]]
        for group in self._groups:
            rows = group.rows
            left = group.precision @ (self._y[rows] - self._full[rows] @ self._common_values)
            of_ability: Floats = np.asarray(group.abilities * group.slope, dtype=np.float64)
            of_source = group.sources
            ability[rows] = self._design[rows] @ values + of_ability @ left
            source[rows] = of_source @ left
            spread[rows] = np.diag(group.abilities) - _diagonal(of_ability, group.precision, of_ability)
            width[rows] = np.diag(group.sources) - _diagonal(of_source, group.precision, of_source)
            shared[rows] = -_diagonal(of_ability, group.precision, of_source)
        offset = self._common_values[self._design.shape[1] :][self._benchmark]
        target = self._y - source - offset
        weight = self._trust / (self.noise[self._benchmark] * self._scatter) ** 2
        # Slopes turn about the mean of who was measured, or they would drag the offsets along.
        mean = (self._sum(weight * ability) / self._sum(weight))[self._benchmark]
        old = self.slopes[self._benchmark]
        across = weight * ((ability - mean) * (target - old * mean) - shared)
        along = weight * ((ability - mean) ** 2 + spread)
        self.slopes = (self._sum(across) + SLOPE**-2) / (self._sum(along) + SLOPE**-2)
        # A scale twice as wide with slopes half as steep would say the same: they are 1 on average at each task.
        for alike in self._of_task:
            self.slopes[alike] /= self.slopes[alike].mean()
        slope = self.slopes[self._benchmark]
        missed = (target - old * mean - slope * (ability - mean)) ** 2
        missed = (missed + slope**2 * spread + width + 2 * slope * shared) / self._scatter**2
        total = self._sum(self._trust * missed) + NOISE_ROWS * NOISE**2
        self.noise = np.sqrt(total / (self._sum(np.ones(n)) + NOISE_ROWS))
        self._trust = (DEGREES + 1) / (DEGREES + missed / self.noise[self._benchmark] ** 2)

    def _sum(self, values: Floats) -> Floats:
        return np.asarray(np.bincount(self._benchmark, values, len(self._benchmarks)), dtype=np.float64)

    def at(self, places: Sequence[Place]) -> tuple[Floats, Floats]:
        """Means of the abilities at these places of any models, and their covariance."""
        design = np.zeros((len(places), self._full.shape[1]))
        design[:, : self._design.shape[1]] = self._common(places)
        means, own = design @ self._common_values, _effects(places, places)
        for group in self._groups:
            here = [i for i, place in enumerate(places) if place.model == group.places[0].model]
            if here:
                seen = _effects([places[i] for i in here], group.places) * group.slope
                gain = seen @ group.precision
                left = self._y[group.rows] - self._full[group.rows] @ self._common_values
                means[here] += gain @ left
                own[np.ix_(here, here)] -= gain @ seen.T
                design[here] -= gain @ self._full[group.rows]
        return means, own + design @ self._covariance @ design.T

    def held_out(self) -> tuple[Floats, Floats, Floats]:
        """Every row's y, as predicted without that row and without any row of its model (at today's slopes)."""
        without_row, without_model = self._y.copy(), self._y.copy()
        for group in self._groups:
            rows, design = group.rows, self._full[group.rows]
            left = self._y[rows] - design @ self._common_values
            exact = group.precision - group.precision @ design @ self._covariance @ design.T @ group.precision
            without_row[rows] -= (group.precision @ left) / np.diag(exact)
            weighed = group.precision @ design
            rest = np.linalg.solve(self._matrix - design.T @ weighed, self._right - weighed.T @ self._y[rows])
            without_model[rows] = design @ rest
        return self._y, without_row, without_model


class _Group:
    """The rows of one model: how its random effects tie them together."""

    def __init__(self, rows: Sequence[Row], found: NDArray[np.intp]) -> None:
        self.rows = found
        self.places = [rows[i].place for i in found]
        self.abilities = _effects(self.places, self.places)
        names = [rows[i].source for i in found]
        self.sources: Floats = np.asarray(SOURCE**2 * _same(names, names), dtype=np.float64)
        self.slope: Floats = np.ones(len(found))
        self.precision: Floats = np.eye(len(found))

    def observe(self, slope: Floats, variance: Floats) -> None:
        self.slope = slope
        covariance = np.outer(slope, slope) * self.abilities + self.sources + np.diag(variance)
        self.precision = np.asarray(np.linalg.inv(covariance), dtype=np.float64)


def _effects(left: Sequence[Place], right: Sequence[Place]) -> Floats:
    """The covariance of the random effects on abilities."""
    model = _same([place.model for place in left], [place.model for place in right])
    mode = _same([place.mode for place in left], [place.mode for place in right])
    task = _same([place.task for place in left], [place.task for place in right])
    task = task * np.array([[place.task != GENERAL] for place in left])
    return np.asarray(model * (MODEL**2 + MODE**2 * mode + MODEL_TASK**2 * task), dtype=np.float64)


def _same(left: Sequence[Hashable], right: Sequence[Hashable]) -> Floats:
    """1 where two are equal."""
    numbers: dict[Hashable, int] = {}
    one, two = ([numbers.setdefault(each, len(numbers)) for each in side] for side in (left, right))
    return np.equal.outer(one, two).astype(np.float64)


def _diagonal(left: Floats, middle: Floats, right: Floats) -> Floats:
    return np.asarray(np.einsum("ij,ij->i", left @ middle, right), dtype=np.float64)


def _by_model(rows: Sequence[Row]) -> Mapping[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        found[row.place.model].append(number)
    return found
