"""How right the engine is, in a few lines for the appendix: counted in `data/accuracy.csv`."""

from __future__ import annotations

from advisor.answer.accuracy import Accuracy, accuracy
from advisor.words import told

_OF_SOURCE = "source"  # what was kept aside each time: everything that one source has measured


def how_right() -> tuple[str, ...]:
    """What is exact, and how often the ranges hold where the measurement was kept aside."""
    found = {(line.kind, line.what, line.left_out): line for line in accuracy()}
    said = []
    if (sizes := found.get(("sizes", "tensors", ""))) is not None:
        said.append(
            told(
                "File sizes: {equal:,} of {rows:,}, of {models:,} models, are those of llama.cpp to the byte.",
                equal=sizes.equal or 0,
                rows=sizes.rows,
                models=sizes.models or 0,
            )
        )
    memory = [line for line in accuracy() if line.kind == "memory"]
    if memory:
        said.append(
            told(
                "Memory: {equal:,} of {rows:,} figures of weights, KV cache and buffers are what llama.cpp prints.",
                equal=sum(line.equal or 0 for line in memory),
                rows=sum(line.rows for line in memory),
            )
        )
    if (speed := found.get(("speed", "decode: llama.cpp, over all", _OF_SOURCE))) is not None:
        said.append(
            told(
                "Speed: of {rows:,} published measurements {inside:,} lie in the range that was made without their "
                "source; the typical value misses by {miss:approx} % in the median.",
                **_held(speed),
            )
        )
    if (quality := found.get(("quality", "all levels", _OF_SOURCE))) is not None:
        said.append(
            told(
                "Quality: of {rows:,} published scores {inside:,} lie in the range that was made without their "
                "source; the typical value misses by {miss:approx} points in the median.",
                **_held(quality),
            )
        )
    return tuple(said)


def _held(line: Accuracy) -> dict[str, float]:
    return {"rows": line.rows, "inside": line.inside or 0, "miss": line.typical_miss or 0.0}
