"""The fitted constants in data/speed_constants.csv, which `python -m advisor.speed.fit_constants` writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from advisor.foundation.compiled import of_the_program
from advisor.foundation.csv_rows import read_rows
from advisor.foundation.errors import DataError
from advisor.foundation.places import data_folder
from advisor.speed.roofline import TERMS

CONSTANTS = data_folder() / "speed_constants.csv"
Kind = Literal["decode", "prefill", "host"]
KINDS: tuple[Kind, ...] = get_args(Kind)
TIERS = ("level", "model", "chip", "generation", "group")  # how close the evidence behind an estimate is, closest first
POOLED = ""  # the group that stands for all of them


class ConstantRow(BaseModel):
    """One number of the fit: a constant of a group, a factor on the time of a chip, or an end of a range.

    Which it is says `constant`: a term of `roofline` (times milliseconds at nominal rates), "log_factor" (logarithm,
    for the chip or the generation of chips, model and level named), "low" or "high" (times the typical rate, for the
    tier named) or "error" (the median absolute error of the group in leave-one-source-out cross-validation). `n` is the
    rows behind it, `sources` how many independent ones they are from (`evidence_words.origin`).
    """

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    kind: Kind
    group: str
    chip: str
    backend: str
    model: str
    level: str
    tier: str
    constant: str = Field(min_length=1)
    value: Annotated[float, Field(ge=-5, le=1000)]
    n: Annotated[int, BeforeValidator(int), Field(ge=0)]
    sources: Annotated[int, BeforeValidator(int), Field(ge=0)]


@dataclass(frozen=True)
class Constants:
    """Everything the estimate needs of one kind, by what it is looked up with."""

    terms: Mapping[str, tuple[float, ...]]
    sizes: Mapping[str, tuple[int, int]]  # measurements and their sources
    factors: Mapping[tuple[str, ...], float]
    counts: Mapping[tuple[str, ...], tuple[int, int]]
    ends: Mapping[tuple[str, str], tuple[float, float]]  # (group, tier): low and high times typical

    def of(self, group: str) -> tuple[float, ...]:
        return self.terms.get(group) or self.terms[POOLED]

    def range_of(self, group: str, tier: str) -> tuple[float, float]:
        return self.ends.get((group, tier)) or self.ends[POOLED, tier]


def read_constants(path: Path) -> Mapping[str, Constants]:
    """Constants by kind; raises DataError naming file, row, column and reason."""
    rows = read_rows(path, ConstantRow)
    try:
        return {kind: _constants(row for row in rows if row.kind == kind) for kind in KINDS}
    except KeyError as error:
        raise DataError(
            "{path}: no row for {error}; run `python -m advisor.speed.fit_constants`.", path=path.name, error=str(error)
        ) from None


def _constants(rows: Iterable[ConstantRow]) -> Constants:
    terms: dict[str, dict[str, float]] = defaultdict(dict)
    ends: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    sizes: dict[str, tuple[int, int]] = {}
    factors: dict[tuple[str, ...], float] = {}
    counts: dict[tuple[str, ...], tuple[int, int]] = {}
    names: tuple[str, ...] = ()
    for row in rows:
        names = TERMS[row.kind]
        if row.constant == "log_factor":
            key = tuple(part for part in (row.chip, row.backend, row.model, row.level) if part)
            factors[key], counts[key] = row.value, (row.n, row.sources)
        elif row.constant in ("low", "high"):
            ends[row.group, row.tier][row.constant] = row.value
        elif row.constant != "error":
            terms[row.group][row.constant], sizes[row.group] = row.value, (row.n, row.sources)
    return Constants(
        terms={group: tuple(values[name] for name in names) for group, values in terms.items()},
        sizes=sizes,
        factors=factors,
        counts=counts,
        ends={key: (pair["low"], pair["high"]) for key, pair in ends.items()},
    )


@cache
def constants() -> Mapping[str, Constants]:
    """The bundled constants, read once."""
    kept = of_the_program("speed-constants", _plain)
    return {kind: Constants(*parts) for kind, parts in kept.items()}


def _plain() -> dict[str, tuple[Mapping[Any, Any], ...]]:
    return {
        kind: (found.terms, found.sizes, found.factors, found.counts, found.ends)
        for kind, found in read_constants(CONSTANTS).items()
    }
