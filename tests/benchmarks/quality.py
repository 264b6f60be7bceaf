"""How often kept-aside measurements fall inside the stated range: `python -m tests.benchmarks.quality`.

Cross-validated three ways: whole networks kept aside (all tunings of one network together), whole sources kept
aside, and single rows kept aside. Nothing is fitted to what is kept aside, the width of the ranges included.
"""

from __future__ import annotations

import math
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

from advisor.quality import Basis, facts_of_row
from advisor.quality.divergence import figure
from advisor.quality.estimator import Estimator
from advisor.quality.evidence import Evidence, evidence
from advisor.quality.level_groups import UNQUANTIZED, known_level
from advisor.quality.lineage import lineage
from advisor.quality.tasks import DIVERGENCE, PERPLEXITY, SCORED_TASKS

FOLDS = 8
WAYS: dict[str, Callable[[Evidence], Hashable]] = {
    "networks": lambda row: lineage(row.model),
    "sources": lambda row: row.source,
    "rows": lambda row: row,
}
SLACK = 0.005  # percent; published figures are rounded


@dataclass(frozen=True, slots=True)
class Checked:
    """A kept-aside measurement and its range: percent kept, for divergence the natural logarithm of nats."""

    row: Evidence
    bits: int
    basis: Basis
    value: float
    low: float
    typical: float
    high: float

    @property
    def inside(self) -> bool:
        return self.low - SLACK <= self.value <= self.high + SLACK

    @property
    def width(self) -> float:
        return self.high - self.low


def usable(rows: Iterable[Evidence]) -> list[Evidence]:
    """Measurements of a quantized level that an estimate exists for."""
    return [
        row
        for row in rows
        if (level := known_level(row.level))
        and level.group not in ("", UNQUANTIZED)
        and (row.task in SCORED_TASKS or figure(row) is not None)
    ]


def _folds(keys: Sequence[Hashable]) -> list[int]:
    """A fold for each key, equal keys together, folds about equally full."""
    load, found = [0] * FOLDS, {}
    for key, count in sorted(Counter(keys).items(), key=lambda item: -item[1]):
        fold = load.index(min(load))
        found[key] = fold
        load[fold] += count
    return [found[key] for key in keys]


def cross_validate(way: str) -> list[Checked]:
    """Every usable measurement against the range it gets when its fold is kept aside."""
    rows = usable(evidence())
    fold_of = _folds([WAYS[way](row) for row in rows])
    checked = []
    for fold in range(FOLDS):
        estimator = Estimator(row for row, its in zip(rows, fold_of, strict=True) if its != fold)
        for row in (row for row, its in zip(rows, fold_of, strict=True) if its == fold):
            if found := check(estimator, row):
                checked.append(found)
    return checked


def check(estimator: Estimator, row: Evidence) -> Checked | None:
    level = known_level(row.level)
    if level is None:
        return None
    quality = estimator.estimate(facts_of_row(row), level, row.task)
    if row.task == DIVERGENCE:
        if quality.kld is None:
            return None
        value: float | None = math.log(figure(row) or 1)
        low, typical, high = map(math.log, (quality.kld.low, quality.kld.typical, quality.kld.high))
    elif quality.kept is None:
        return None
    else:
        value = row.retention_percent if row.task in SCORED_TASKS else 100 * math.exp(-(figure(row) or 0))
        low, typical, high = quality.kept.low, quality.kept.typical, quality.kept.high
    return Checked(row, level.bits, quality.basis, value or 0.0, low, typical, high)


def repeated(rows: Iterable[Evidence]) -> list[float]:
    """How far each source lies from the others that scored the very same, in points of percent kept."""
    told: dict[Hashable, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        same = row.model_id or row.model, row.level_id or row.level, row.task, row.benchmark
        told[same][row.source].append(row.retention_percent or 0.0)
    found = []
    for by_source in told.values():
        middles = [statistics.median(scores) for scores in by_source.values()]
        for at, one in enumerate(middles):
            others = middles[:at] + middles[at + 1 :]
            if others:
                found.append(abs(one - statistics.median(others)))
    return found


def coverage(checked: Sequence[Checked]) -> float:
    """Share inside the range."""
    return sum(one.inside for one in checked) / len(checked)


def width(checked: Sequence[Checked]) -> float:
    """Median width of the range."""
    return statistics.median(one.width for one in checked)


def _print(title: str, checked: Iterable[Checked], key: Callable[[Checked], object]) -> None:
    print(f"  by {title}:")
    groups: dict[object, list[Checked]] = defaultdict(list)
    for one in checked:
        groups[key(one)].append(one)
    for name, group in sorted(groups.items(), key=lambda item: str(item[0])):
        error = statistics.median(abs(one.value - one.typical) for one in group)
        found = f"inside {coverage(group):6.1%}  width {width(group):6.2f}  off {error:5.2f}"
        print(f"    {name!s:14} n {len(group):5}  {found}")


def main() -> None:
    for way in WAYS:
        start = time.perf_counter()
        checked = cross_validate(way)
        scored = [one for one in checked if one.row.task in SCORED_TASKS]
        four = [one for one in scored if one.bits == 4]
        print(f"{way} kept aside ({time.perf_counter() - start:.1f} s)")
        print(f"  scores: n {len(scored)}, inside {coverage(scored):.1%}")
        print(f"  scores at 4 bits: n {len(four)}, inside {coverage(four):.1%}, median width {width(four):.2f} points")
        _print("bits", scored, lambda one: one.bits)
        _print("task at 4 bits", four, lambda one: one.row.task)
        _print("task", scored, lambda one: one.row.task)
        _print("basis", scored, lambda one: one.basis)
        for task, unit in ((PERPLEXITY, "percent kept"), (DIVERGENCE, "logarithms")):
            print(f"  {task}, in {unit}:")
            _print("bits", (one for one in checked if one.row.task == task), lambda one: one.bits)
    _print_demands()


def _print_demands() -> None:
    eight = [
        abs(100 - (row.retention_percent or 0))
        for row in usable(evidence())
        if row.task in SCORED_TASKS and (level := known_level(row.level)) and level.bits == 8
    ]
    print(f"single scores at 8 bits (n {len(eight)}) that differ from 16 bit by so many percent or more:")
    for percent in (0.5, 1, 2, 3, 5, 10):
        print(f"  {percent:4}  {sum(off >= percent for off in eight) / len(eight):.0%}")


if __name__ == "__main__":
    main()
