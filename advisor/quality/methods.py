"""What calibration is worth: GPTQ and AWQ beside plain rounding, where one source measured both of one model."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal

from advisor.quality.evidence import Evidence, evidence
from advisor.quality.level_groups import known_level
from advisor.quality.lineage import lineage

Method = Literal["gptq", "awq"]

_PLAIN = "(RTN)"  # as sources call rounding to the nearest value
_ENOUGH = 5  # pairs; fewer say nothing of a method
_SAME_TOKEN = "top1-agreement"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Gain:
    """Points of the 16-bit result that a method keeps above plain rounding to as many bits: the median of `n` pairs of
    `networks` networks, and in which share of them it keeps more.
    """

    bits: int
    points: float
    share_better: float
    n: int
    networks: int


@cache
def gains(method: Method) -> tuple[Gain, ...]:
    """What a method gains at each number of bits that was measured often enough, most bits first."""
    cells: dict[tuple[str, int, str, str], dict[str, list[float]]] = {}
    for row in evidence():
        level, how, kept = known_level(row.level), _how(row), _kept(row)
        if level is not None and how in (method, _PLAIN) and kept is not None:
            key = (row.model, level.bits, row.benchmark, row.source)
            cells.setdefault(key, {}).setdefault(how, []).append(kept)
    pairs: dict[int, list[tuple[str, float]]] = {}
    for (model, bits, *_), cell in cells.items():
        if len(cell) == 2:
            gap = statistics.median(cell[method]) - statistics.median(cell[_PLAIN])
            pairs.setdefault(bits, []).append((lineage(model), gap))
    return tuple(_gain(bits, pairs[bits]) for bits in sorted(pairs, reverse=True) if len(pairs[bits]) >= _ENOUGH)


def _gain(bits: int, pairs: list[tuple[str, float]]) -> Gain:
    points = [gap for _, gap in pairs]
    better = sum(gap > 0 for gap in points) / len(points)
    return Gain(bits, statistics.median(points), better, len(points), len({network for network, _ in pairs}))


def _how(row: Evidence) -> str | None:
    if row.level.endswith(_PLAIN):
        return _PLAIN
    # Other names in brackets are other methods, whose files merely have the layout.
    return row.format if "(" not in row.level else None


def _kept(row: Evidence) -> float | None:
    return 100 / row.ppl_ratio if row.ppl_ratio else row.retention_percent


def same_next_token(level: str) -> tuple[float, ...]:
    """In how many percent of places the most likely next token stays the same, each published figure for a level."""
    return tuple(sorted(_percent(row for row in evidence() if row.benchmark == _SAME_TOKEN and row.level == level)))


def _percent(rows: Iterable[Evidence]) -> Iterable[float]:
    return (row.quantized_value for row in rows if row.quantized_value is not None)
