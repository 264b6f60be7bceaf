"""Writes data/speed_constants.csv from data/speed_measurements.csv: `python -m advisor.speed.fit`."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from advisor.models.catalogue import catalogue
from advisor.speed.calibrate import all_held_out, ends
from advisor.speed.constants import CONSTANTS, POOLED, ConstantRow
from advisor.speed.evidence import cases
from advisor.speed.fitting import TERMS, Fit, fit
from advisor.speed.measurements import measurements


def constant_rows(kind: str) -> Iterator[dict[str, object]]:
    """The rows of one kind as the file holds them."""
    known = cases(measurements(), kind)
    fitted = fit(known, kind)
    held_out = all_held_out(known, kind)

    def row(constant: str, value: float, n: int, **where: str) -> dict[str, object]:
        blank = dict.fromkeys(("group", "chip", "backend", "model", "level", "tier"), "")
        return {"kind": kind} | blank | where | {"constant": constant, "value": round(value, 4), "n": n}

    by_group: dict[str, list[float]] = defaultdict(list)
    for each in held_out["source"]:
        by_group[each.case.group].append(abs(np.exp(-each.error) - 1))
    for group in (POOLED, *sorted(fitted.groups)):
        values = fitted.groups[group] if group else fitted.pooled
        n = fitted.sizes[group] if group else len(known)
        for name, value in zip(TERMS[kind], values, strict=True):
            yield row(name, float(value), n, group=group)
        if group:
            yield row("error", float(np.median(by_group[group])), n, group=group)
    for (group, tier), (low, high, n) in ends([each for scheme in held_out.values() for each in scheme]).items():
        yield row("low", low, n, group=group, tier=tier)
        yield row("high", high, n, group=group, tier=tier)
    yield from _factor_rows(fitted, row, {case.chip for case in known if case.catalogued})


def _factor_rows(fitted: Fit, row: object, chips: set[str]) -> Iterator[dict[str, object]]:
    assert callable(row)
    for key, value in sorted(fitted.factors.items()):
        chip, backend, model, level = (*key, "", "")[:4]
        if chip in chips and (not model or model in catalogue()):
            yield row(
                "log_factor", value, fitted.counts[key], chip=chip, backend=backend, model=model, level=level
            )


def write(path: Path) -> None:
    """Fit both kinds and write the file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(ConstantRow.model_fields), lineterminator="\n")
        table.writeheader()
        for kind in ("decode", "prefill"):
            table.writerows(constant_rows(kind))


if __name__ == "__main__":
    write(CONSTANTS)
    print(f"{CONSTANTS.name} written from {len(measurements()):,} measurements.")
