"""What is fitted to the measurements, as plain values that `foundation/compiled.py` keeps, and back."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from advisor.quality.divergence import Line
from advisor.quality.estimator import Fitted
from advisor.quality.losses import LossModel


def plain(found: Fitted) -> dict[str, Any]:
    """The same in lists and dictionaries."""
    parts = {part.name: getattr(found, part.name) for part in fields(found)}
    loss = {part.name: getattr(found.loss, part.name) for part in fields(found.loss)}
    arrays = {name: loss[name].tolist() for name in _ARRAYS}
    loss |= arrays | {"pulls": {kin: pull.tolist() for kin, pull in found.loss.pulls.items()}}
    lines = {
        task: {part.name: getattr(line, part.name) for part in fields(line)} | {"level": line.level.tolist()}
        for task, line in found.lines.items()
    }
    return parts | {"loss": loss, "lines": lines}


def thawed(kept: dict[str, Any]) -> Fitted:
    """What `plain` was made of."""
    loss = kept["loss"]
    arrays = {name: np.array(loss[name], dtype=float) for name in _ARRAYS}
    pulls = {kin: np.array(pull, dtype=float) for kin, pull in loss["pulls"].items()}
    lines = {
        task: Line(**(line | {"level": np.array(line["level"], dtype=float)})) for task, line in kept["lines"].items()
    }
    return Fitted(**(kept | {"loss": LossModel(**(loss | arrays | {"pulls": pulls})), "lines": lines}))


_ARRAYS = ("level", "task", "noise", "bands")
