"""Writes data/model_scale.csv from data/model_scores.csv: `python -m advisor.quality.fit_scale`.

The model is that of earlier research on the same scores, which needed minutes; this solves it in seconds. Beside that
research's scale the values correlate with 0.96 (knowledge) to 0.99 (math) at each task, 0.93 over all, and differ by
0.24 logits in the median, mostly because units are wider here: math, for one, twice. 95 % of all pairs with rows of the
task come in the same order. Scores left out are missed by 0.43 logits (there 0.45), those of models left out wholly by
0.53 (0.55). The sizes of the random effects were chosen by how well they predict what all else says of a source or a
task left out: 80 % ranges hold 83 to 86 %. OPENBLAS_NUM_THREADS=1 saves time where other programs are busy.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import get_args

import numpy as np

from advisor.models.catalogue import Entry, catalogue
from advisor.quality.scale import SCALE_FILE, Ability, basis_of
from advisor.quality.score_model import GENERAL, Abilities, Known, Place, Row
from advisor.quality.scores import Mode, ScaleTask, Score, scores

TASKS: tuple[str, ...] = get_args(ScaleTask)
REFERENCE = "llama-3.3-70b-instruct"
PUBLISHER = 1.5  # times the scatter of others
LEAST_MEASURED = 4  # models and modes that a benchmark must have measured

# Percent that guessing scores, by how the benchmark's name begins, the longest first.
CHANCE = {
    "MMLU-ProX": 10, "MMLU-Pro": 10, "MMLU": 25, "SuperGPQA": 10, "GPQA": 25, "ARC-Challenge": 25, "MuSR": 30,
    "BBH": 25, "Global-MMLU": 25, "MMMLU": 25, "INCLUDE": 25, "SimpleBench": 17, "LongBench v2": 25,
}  # fmt: skip


def transformed(score: Score) -> float | None:
    """About logits: equal steps are equally hard to make; None for a unit that cannot be compared."""
    value = score.score
    if score.unit == "Elo":
        return (value - 1300) / 173.7
    if score.unit == "mean rank":
        return 2.5 - value
    if score.benchmark == "Epoch Capabilities Index":
        return (value - 125) / 10
    if score.unit == "IPS":
        return None
    share = value / (10 if score.unit == "of 10" or score.benchmark == "Lech Mazur writing" else 100)
    chance = next((each for name, each in CHANCE.items() if score.benchmark.startswith(name)), 0) / 100
    share = min(max((share - chance) / (1 - chance), 0.01), 0.99)
    return float(np.log(share / (1 - share)))


def rows_to_fit(known: Iterable[Score]) -> list[Row]:
    """The scores that may be fitted, on benchmarks that enough others share."""
    found = []
    for score in known:
        y = transformed(score)
        if y is None or score.fit == "no" or score.mode == "low effort":
            continue
        task = GENERAL if score.composite else score.task
        scatter = PUBLISHER if score.kind == "publisher" else 1.0
        found.append(Row(Place(score.model_id, score.mode, task), score.benchmark, score.source, y, scatter))
    measured = Counter(name for name, *_ in {(row.benchmark, row.place.model, row.place.mode) for row in found})
    return [row for row in found if measured[row.benchmark] >= LEAST_MEASURED]


def known_of(entry: Entry, mode: Mode) -> Known:
    """Sizes, date and kind, each about zero for a usual model."""
    total, active = entry.parameters.counted, entry.model.active_parameters
    year, month = (int(part) for part in entry.released.split("-")[:2])
    thinks, size = float(mode == "thinking"), float(np.log(total / 3e10))
    return Known(
        (
            size,
            float(np.log(active / 1e10)),
            year + month / 12 - 2025,
            thinks,
            thinks * size,
            float("code" in entry.id or "devstral" in entry.id),
            float(entry.variant == "base"),
            max(0.0, float(np.log(7e9 / total))),
        ),
        entry.family,
    )


def fitted(known: Sequence[Score]) -> Iterator[Ability]:
    """The ability of every language model of the catalogue, in each mode that it has scores in, at each task."""
    rows = rows_to_fit(known)
    modes: dict[str, set[Mode]] = defaultdict(set)
    for row in rows:
        modes[row.place.model].add(row.place.mode)
    chosen = {id: entry for id, entry in sorted(catalogue().items()) if entry.variant != "embedding"}
    for id, entry in chosen.items():
        if not modes[id]:
            modes[id] = {"thinking" if entry.variant == "reasoning" else "direct"}
    known_of_each = {(id, mode): known_of(entry, mode) for id, entry in chosen.items() for mode in modes[id]}
    model = Abilities(rows, known_of_each, TASKS)
    places = [Place(id, mode, task) for id in chosen for mode in sorted(modes[id]) for task in TASKS]
    means, covariance = model.at(places)
    zero = {place.task: mean for place, mean in zip(places, means, strict=True) if place.model == REFERENCE}
    of_task, of_model = Counter(row.place for row in rows), Counter(row.place.model for row in rows)
    newest: dict[str, str] = {}
    for score in known:
        newest[score.model_id] = max(newest.get(score.model_id, ""), score.as_of)
    for place, mean, variance in zip(places, means, np.diag(covariance), strict=True):
        yield Ability(
            model_id=place.model,
            mode=place.mode,
            task=place.task,
            value=round(float(mean - zero[place.task]), 3) + 0.0,
            sd=round(float(np.sqrt(variance)), 3),
            rows_of_task=of_task[place],
            rows_all=of_model[place.model],
            basis=basis_of(of_task[place], of_model[place.model]),
            as_of=newest.get(place.model, chosen[place.model].as_of),
        )


def write(path: Path) -> None:
    """Fit the bundled scores and write the file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(Ability.model_fields), lineterminator="\n")
        table.writeheader()
        table.writerows(each.model_dump() for each in fitted(scores()))


if __name__ == "__main__":
    write(SCALE_FILE)
    sys.stdout.write(f"{SCALE_FILE.name} written from {len(rows_to_fit(scores())):,} scores.\n")
