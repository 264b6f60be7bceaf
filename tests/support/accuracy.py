"""Holds the engine against what others said; `python -m tests.support.accuracy` writes it to `data/`."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from statistics import median
from typing import Any

import numpy as np

from advisor.answer.accuracy import ACCURACY_FILE, Accuracy
from advisor.formats.gguf_levels import LEVELS
from advisor.formats.gguf_sizes import size_level
from advisor.foundation.evidence_words import independent
from advisor.foundation.units import MIB
from advisor.models.catalogue import catalogue
from advisor.quality.tasks import SCORED_TASKS
from advisor.runtimes.llama_cpp.kv_cache import layer_cache_bytes
from advisor.runtimes.llama_cpp.weights import weight_bytes
from advisor.speed.calibrate import SCHEMES, HeldOut, stretch_for
from advisor.speed.calibrate import cross_validate as speeds_left_out
from advisor.speed.constants import KINDS
from advisor.speed.fit_constants import cases_of
from advisor.speed.row_terms import Case
from tests.benchmarks.quality import coverage, cross_validate, repeated, width
from tests.benchmarks.speed import apart, groups_of, unstated, within
from tests.support.reference import MEMORY_FILES, SIZE_FILES, compute_bytes, memory_rows, size_rows

_COMMAND = "python -m tests.support.accuracy"
_TRUTH = "tests/truth/README.md"


def _line(**figures: Any) -> Accuracy:
    blank = dict.fromkeys(Accuracy.model_fields) | {"left_out": "", "command": _COMMAND}
    rounded = {name: round(value, 3) if isinstance(value, float) else value for name, value in figures.items()}
    return Accuracy(**{**blank, "as_of": f"{datetime.now(UTC):%Y-%m}", **rounded})


def sizes() -> Iterator[Accuracy]:
    """Tensor bytes of every level."""
    rows = [row for file in SIZE_FILES for row in size_rows(file)]
    equal = 0
    for row in rows:
        sized = size_level(catalogue()[row["model_id"]].model, LEVELS[row["level"]], row["imatrix"] == "yes")
        equal += (sized.tensor_bytes, sized.data_bytes) == (int(row["tensor_bytes"]), int(row["data_section_bytes"]))
    models = len({row["model_id"] for row in rows})
    yield _line(kind="sizes", what="tensors", models=models, rows=len(rows), equal=equal, source=_TRUTH)


def memory() -> Iterator[Accuracy]:
    """What each device holds, in the whole MiB that llama.cpp prints."""
    equal: dict[str, int] = defaultdict(int)
    misses: dict[str, list[float]] = defaultdict(list)
    models, count = set(), 0
    for row in (row for file in MEMORY_FILES for row in memory_rows(file)):
        count += 1
        models.add(row.model_id)
        layers = zip(layer_cache_bytes(row.model, row.settings), row.placement.layers, strict=True)
        ours = {
            "weights": weight_bytes(row.model, LEVELS[row.level], row.placement)[row.device],
            "KV cache": sum(size for size, device in layers if device == row.device),
            "compute buffers": compute_bytes(row),
        }
        told = {"weights": row.model_mib, "KV cache": row.context_mib, "compute buffers": row.compute_mib}
        for what, size in ours.items():
            equal[what] += size // MIB == told[what]
            if told[what]:
                misses[what].append(100 * (size // MIB / told[what] - 1))
    for what, found in misses.items():
        yield _line(
            kind="memory", what=what, models=len(models), rows=count, equal=equal[what],
            typical_miss=median(map(abs, found)), lowest=min(found), highest=max(found), source=_TRUTH,
        )  # fmt: skip


def speed(scheme: str, kind: str = "decode") -> Iterator[Accuracy]:
    """Tokens a second of evidence that was kept aside."""
    schemes = _left_out(kind)
    lines, members = defaultdict(list), defaultdict(list)
    for each, low, high in within(schemes, scheme, stretch_for(schemes)):
        miss = float(np.exp(each.error))  # measured / predicted
        for group in groups_of(each.case):
            lines[group].append((100 * (1 / miss - 1), low <= miss <= high, high / low))
            members[group].append(each.case)
    for group, rows in sorted(lines.items()):
        errors, inside, widths = zip(*rows, strict=True)
        told = {} if scheme == "device and model" else _told(members[group])
        yield _line(
            kind="speed", what=f"{kind}: {group}", left_out=scheme, rows=len(rows), inside=sum(inside),
            typical_miss=float(np.median(np.abs(errors))), range_width=float(np.median(widths)),
            source="data/speed_measurements.csv", **told,
        )  # fmt: skip


@cache
def _left_out(kind: str) -> Mapping[str, Sequence[HeldOut]]:
    known = cases_of(kind)
    return {name: speeds_left_out(known, kind, key) for name, key in SCHEMES.items()}


def _told(cases: Sequence[Case]) -> dict[str, Any]:
    """How many sources there are, how far they lie apart, and what they leave out."""
    found = {"sources": independent(case.row.source for case in cases), "unstated": sum(map(unstated, cases))}
    return found | _apart([100 * each for each in apart(cases)])


def _apart(found: Sequence[float]) -> dict[str, Any]:
    half, most = map(float, np.quantile(found, (0.5, 0.9))) if found else (None, None)
    return {"again": len(found), "apart": half, "far_apart": most}


def quality(way: str) -> Iterator[Accuracy]:
    """Benchmark scores kept, of evidence that was kept aside."""
    checked = [one for one in cross_validate(way) if one.row.task in SCORED_TASKS]
    groups = {"all levels": checked}
    groups |= {f"{bits} bits": [one for one in checked if one.bits == bits] for bits in (2, 3, 4, 8)}
    for what, found in groups.items():
        rows = [one.row for one in found]
        told = {"sources": len({row.source for row in rows})} | _apart(repeated(rows)) if way == "sources" else {}
        yield _line(
            kind="quality", what=what, left_out=way.removesuffix("s"), rows=len(found),
            models=len({one.row.model for one in found}), inside=round(coverage(found) * len(found)),
            typical_miss=float(median(abs(one.value - one.typical) for one in found)),
            range_width=float(width(found)), source="data/quality.csv", **told,
        )  # fmt: skip


def computed() -> Iterator[Accuracy]:
    yield from sizes()
    yield from memory()
    for kind in KINDS:
        for scheme in SCHEMES:
            yield from speed(scheme, kind)
    for way in ("sources", "networks"):
        yield from quality(way)


if __name__ == "__main__":
    lines = list(computed())
    with ACCURACY_FILE.open("w", encoding="utf-8", newline="") as written:
        writer = csv.DictWriter(written, list(Accuracy.model_fields), lineterminator="\n")
        writer.writeheader()
        writer.writerows(line.model_dump() for line in lines)
