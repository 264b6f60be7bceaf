"""From which load on one way of running a model is no dearer than another."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BreakEven:
    """The fewest tokens a month from which one option costs no more than another; None: never, at any load.

    `low` is the first option's cheap case against the other's dear one.
    """

    low: int | None
    typical: int | None
    high: int | None
