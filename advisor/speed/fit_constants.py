"""Writes data/speed_constants.csv from data/speed_measurements.csv: `python -m advisor.speed.fit_constants`."""

from __future__ import annotations

import csv
import math
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from advisor.foundation.evidence_words import independent
from advisor.models.catalogue import catalogue
from advisor.speed.calibrate import SCHEMES, cross_validate, ends, stretch_for
from advisor.speed.constants import CONSTANTS, KINDS, POOLED, ConstantRow
from advisor.speed.fitting import Fit, fit
from advisor.speed.measurements import measurements
from advisor.speed.roofline import TERMS
from advisor.speed.row_terms import Case, cases, host_cases

Row = dict[str, str | float]


def cases_of(kind: str) -> list[Case]:
    """The bundled evidence of a kind."""
    if kind != "host":
        return cases(measurements(), kind)
    devices = fit(cases(measurements(), "decode"), "decode")
    return host_cases(measurements(), lambda case: math.exp(devices.log_ms(case)))


def fitted_rows(known: Sequence[Case], kind: str) -> Iterator[Row]:
    """Constants of groups and factors of chips, as the file holds them."""
    fitted = fit(known, kind)
    for group in (POOLED, *sorted(fitted.groups)):
        values = fitted.groups[group] if group else fitted.pooled
        n = fitted.sizes[group] if group else len(known)
        sources = independent(case.row.source for case in known if not group or case.group == group)
        for name, value in zip(TERMS[kind], values, strict=True):
            yield _row(kind, name, float(value), n, sources, group=group)
    yield from _factor_rows(
        fitted, {name for case in known if case.catalogued for name in (case.chip, case.generation)}
    )


def _factor_rows(fitted: Fit, chips: set[str]) -> Iterator[Row]:
    for key, value in sorted(fitted.factors.items()):
        chip, backend, model, level = (*key, "", "")[:4]
        if chip in chips and (not model or model in catalogue()):
            where = {"chip": chip, "backend": backend, "model": model, "level": level}
            yield _row(fitted.kind, "log_factor", value, fitted.counts[key], fitted.sources[key], **where)


def range_rows(known: Sequence[Case], kind: str) -> Iterator[Row]:
    """Errors and ends of ranges, with a source, a model on a device or a device left out at a time; takes a minute."""
    left_out = {name: cross_validate(known, kind, key) for name, key in SCHEMES.items()}
    held_out = left_out["source"]
    by_group: dict[str, list[float]] = defaultdict(list)
    urls: dict[str, set[str]] = defaultdict(set)
    for each in held_out:
        by_group[each.case.group].append(abs(np.exp(-each.error) - 1))
        urls[each.case.group].add(each.case.row.source)
    for group, errors in sorted(by_group.items()):
        yield _row(kind, "error", float(np.median(errors)), len(errors), independent(urls[group]), group=group)
    every = independent(each.case.row.source for each in held_out)
    for (group, tier), (low, high, n) in ends(held_out, stretch_for(left_out)).items():
        yield _row(kind, "low", low, n, every, group=group, tier=tier)
        yield _row(kind, "high", high, n, every, group=group, tier=tier)


def _row(kind: str, constant: str, value: float, n: int, sources: int, **where: str) -> Row:
    blank = dict.fromkeys(("group", "chip", "backend", "model", "level", "tier"), "")
    return {"kind": kind, **blank, **where, "constant": constant, "value": round(value, 4), "n": n, "sources": sources}


def write(path: Path) -> None:
    """Fit all kinds and write the file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(ConstantRow.model_fields), lineterminator="\n")
        table.writeheader()
        for kind in KINDS:
            known = cases_of(kind)
            table.writerows(fitted_rows(known, kind))
            table.writerows(range_rows(known, kind))


if __name__ == "__main__":
    write(CONSTANTS)
    sys.stdout.write(f"{CONSTANTS.name} written from {len(measurements()):,} measurements.\n")
