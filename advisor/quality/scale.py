"""How able a model is at a task, on one scale for all models, and how surely one is better than another.

>>> from advisor.quality.scale import ability, better, compared
>>> ability("qwen3-32b", "code"), better("qwen3-32b", "llama-3.3-70b-instruct", "code")
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import NormalDist
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from advisor.foundation.compiled import of_the_program
from advisor.foundation.csv_rows import Filled, read_rows
from advisor.foundation.kept_rows import Lazily, kept_rows
from advisor.foundation.places import data_folder
from advisor.models.catalogue import Entry, catalogue
from advisor.quality.scores import DATE, Mode, ScaleTask, Score, scores

SCALE_FILE = data_folder() / "model_scale.csv"
SCALE_KEY = ("model_id", "mode", "task")

Basis = Literal["rows", "few rows", "other tasks", "no rows"]
Comparison = Literal["better", "comparable", "worse", "unknown"]

ENOUGH_ROWS = 3  # of the task, for "rows"
LIKELY = 0.8  # how probable it must be that one is better before it is said

# Hybrids of these families think only when asked to: https://ai.google.dev/gemma/docs/capabilities/thinking
_THINK_WHEN_ASKED = frozenset(["Gemma 4"])

_Count = Annotated[int, BeforeValidator(int), Field(ge=0)]


class Ability(BaseModel):
    """Where a model stands at a task in a mode, as fitted to published scores by `advisor.quality.fit_scale`.

    `value` is in logits above Llama 3.3 70B Instruct at the same task: the odds of solving what both solve in half of
    the cases are exp(value) times as good. Values of different tasks cannot be compared. `sd` is the standard deviation
    of the model's own ability, in logits. `rows_of_task` counts the scores of this model, mode and task behind it,
    `rows_all` those of the model; `basis` says the same in words: "rows" (three of the task or more), "few rows" (one
    or two), "other tasks" (none of the task) and "no rows" (only family, size, date and kind are known).
    """

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    model_id: Filled
    mode: Mode
    task: ScaleTask
    value: Annotated[float, Field(gt=-15, lt=15)]
    sd: Annotated[float, Field(gt=0, lt=5)]
    rows_of_task: _Count
    rows_all: _Count
    basis: Basis
    as_of: Annotated[str, Field(pattern=DATE)]

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if self.rows_of_task > self.rows_all:
            raise ValueError("rows_of_task must not exceed rows_all")
        if self.basis != (said := basis_of(self.rows_of_task, self.rows_all)):
            raise ValueError(f"the basis must be '{said}' with {self.rows_of_task} of {self.rows_all} rows")
        return self


def basis_of(rows_of_task: int, rows_all: int) -> Basis:
    """The words for what an ability rests on."""
    if rows_of_task >= ENOUGH_ROWS:
        return "rows"
    return "few rows" if rows_of_task else "other tasks" if rows_all else "no rows"


def read_scale(path: Path) -> tuple[Ability, ...]:
    """Every row of the file; raises DataError naming file, row (the header is row 1), column and reason."""
    return read_rows(path, Ability, SCALE_KEY)


def usual_mode(entry: Entry, modes: Collection[Mode]) -> Mode:
    """How a model answers unless told otherwise, of the modes that it has.

    One that has both answers directly where the catalogue calls it an instruct model or its family thinks only when
    asked, and thinks otherwise.
    """
    if len(modes) == 1:
        return next(iter(modes))
    return "direct" if entry.variant == "instruct" or entry.family in _THINK_WHEN_ASKED else "thinking"


@cache
def _abilities() -> Mapping[tuple[str, str], Ability]:
    """By model and task, in the mode that the model usually answers in."""
    rows = kept_rows(SCALE_FILE, Ability, SCALE_KEY)

    def usual() -> dict[tuple[str, str], int]:
        modes: dict[str, set[Mode]] = defaultdict(set)
        for row in rows:
            modes[row.model_id].add(row.mode)
        chosen = {model: usual_mode(catalogue()[model], found) for model, found in modes.items()}
        return {(row.model_id, row.task): place for place, row in enumerate(rows) if row.mode == chosen[row.model_id]}

    places: Mapping[tuple[str, str], int] = of_the_program("abilities", usual)
    return Lazily(places, rows.__getitem__)


def ability(model_id: str, task: str) -> Ability | None:
    """A model of the catalogue at a task, in the mode that it usually answers in (`usual_mode`).

    The scale has every task that quality can be asked for as scores (`tasks.SCORED_TASKS`), and "agent". None for other
    tasks (perplexity, divergence), embedding models and models that the catalogue does not have.
    """
    return _abilities().get((model_id, task))


def better(a: str, b: str, task: str) -> float | None:
    """The probability that model `a` is better than `b` at a task in their usual modes; None where either is unknown.

    The difference is taken as normal, with the root of the summed variances as its standard deviation. What errs in
    both alike (the weights of size and date, the family of kin) is then counted although it cancels: against the exact
    covariance the deviation is 5 % too wide for half of all pairs, 31 % for one in a hundred (kin), and too narrow by
    3 % at most, so that probabilities lie too near to a half rather than too far from it.
    """
    one, other = ability(a, task), ability(b, task)
    if one is None or other is None:
        return None
    if a == b:
        return 0.5
    return NormalDist().cdf((one.value - other.value) / (one.sd**2 + other.sd**2) ** 0.5)


def compared(a: str, b: str, task: str) -> Comparison:
    """What may be said of `a` beside `b` at a task.

    "better" or "worse" only where that is at least 80 % likely (`LIKELY`), and nothing where either has no score at
    this task in its usual mode: then the scale knows it from other tasks, its size and its date only.
    """
    one, other, likely = ability(a, task), ability(b, task), better(a, b, task)
    if likely is None or not one or not other or not one.rows_of_task or not other.rows_of_task:
        return "unknown"
    return "better" if likely >= LIKELY else "worse" if likely <= 1 - LIKELY else "comparable"


@dataclass(frozen=True, slots=True)
class Beside:
    """Scores of two models at one benchmark; `better` says which the benchmark puts first, None: neither."""

    one: Score
    other: Score

    @property
    def better(self) -> Literal["one", "other"] | None:
        if self.one.score == self.other.score:
            return None
        return "one" if (self.one.score > self.other.score) != self.one.lower_is_better else "other"


def measured_beside(a: str, b: str, task: str) -> Beside | None:
    """The scores of two models that show best how they stand at a task, next to each other; None: they share none.

    Of the rows that may be fitted and are no index over several tasks, in each model's usual mode: first measured by
    one and the same, then by somebody independent, then on the benchmark that most models of the catalogue were
    measured on, then the newest.
    """
    others: dict[str, list[Score]] = defaultdict(list)
    for row in _rows(b, task):
        others[row.benchmark].append(row)
    pairs = ((row, other) for row in _rows(a, task) for other in others[row.benchmark])
    best = max(pairs, key=lambda pair: (pair[0].source == pair[1].source, *map(_telling, pair)), default=None)
    return None if best is None else Beside(*best)


def original_scores(model_id: str, task: str, most: int = 3) -> tuple[Score, ...]:
    """Published scores of a model at a task, before anything is quantized: those that most others can be held against.

    One of each benchmark, in the mode that the model usually answers in; none for a model without any.
    """
    found: dict[str, Score] = {}
    for row in sorted(_rows(model_id, task), key=_telling, reverse=True):
        found.setdefault(row.benchmark, row)
    return tuple(sorted(found.values(), key=lambda row: -_models_on(row.benchmark))[:most])


def _rows(model_id: str, task: str) -> list[Score]:
    found = ability(model_id, task)
    if found is None:
        return []
    return [row for row in scores().only(_index()[0].get((model_id, task), ())) if row.mode == found.mode]


def _telling(row: Score) -> tuple[bool, int, str, int, str]:
    # Of boards that measured the same models the one with the shortest name is the whole, the others are its parts.
    return row.kind != "publisher", _models_on(row.benchmark), row.as_of, -len(row.benchmark), row.benchmark


@cache
def _index() -> tuple[Mapping[tuple[str, str], list[int]], Mapping[str, int]]:
    """Places of the rows that may be fitted and are no index over several tasks, by model and task; how many models
    each benchmark has measured.
    """

    def made() -> tuple[dict[tuple[str, str], list[int]], dict[str, int]]:
        found: dict[tuple[str, str], list[int]] = defaultdict(list)
        for place, row in enumerate(scores()):
            if row.fit == "yes" and not row.composite:
                found[row.model_id, row.task].append(place)
        measured = Counter(benchmark for benchmark, _ in {(row.benchmark, row.model_id) for row in scores()})
        return dict(found), dict(measured)

    kept: tuple[Mapping[tuple[str, str], list[int]], Mapping[str, int]] = of_the_program("scores", made)
    return kept


def _models_on(benchmark: str) -> int:
    return _index()[1].get(benchmark, 0)
