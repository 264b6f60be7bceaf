"""What a release of llama.cpp changes in the memory it needs: `python -m tests.benchmarks.llamacpp_release`.

    python3 -m venv /tmp/next && /tmp/next/bin/pip install xllamacpp
    python -m tests.benchmarks.llamacpp_release 2026-11 /tmp/next/bin/python

asks the planner inside that wheel for seeded draws over all architectures, on one CPU and without weights, and holds
our prediction against it: that of the release named, or of the newest one where that is not known yet. Then it says
what moved against the release before, by architecture. `--write` keeps the answers as rows of `tests/truth/`. With
`--gpus` the planner is shown one to three GPUs that are not there, with `--lending` such as also compute for the host;
both write a table of their own.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from dataclasses import replace
from statistics import median

from advisor.sizing.settings import NEWEST_RELEASE, RELEASES
from tests.support.releases import (
    COLUMNS,
    FILE,
    PLACED_COLUMNS,
    PLACED_FILE,
    Row,
    ask,
    drawn,
    miss_mib,
    placed,
    predicted_mib,
    rows,
)

_SEED = "truth"


def main() -> None:
    """Ask, compare, say and perhaps keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("release", help="year and month, as 2026-10")
    parser.add_argument("python", help="a Python that has this release's xllamacpp")
    parser.add_argument("--draws", type=int, default=300, help="how many questions (default: %(default)s)")
    parser.add_argument("--seed", default=_SEED, help="which (default: those of the table)")
    parser.add_argument("--write", action="store_true", help=f"keep the answers in {FILE.name}")
    parser.add_argument("--gpus", action="store_true", help="with GPUs instead of the CPU alone")
    parser.add_argument("--lending", action="store_true", help="the same with op_offload")
    options = parser.parse_args()
    questions = drawn(options.release, options.seed, options.draws)
    placing = options.gpus or options.lending
    if placing:
        questions = placed(questions, options.seed, options.lending)
    told = ask(options.python, questions)
    print(f"{options.release}: {len(told)} answers to {len(questions)} questions")
    _compare(told)
    if options.seed == _SEED and not placing:
        _say_what_moved(told)
    if options.write:
        _write(options.release, told, options.lending if placing else None)


def _compare(told: list[Row]) -> None:
    misses, lowest, others = [], 0.0, 0
    for row in told:
        known = row.settings.release if row.settings.release in RELEASES else NEWEST_RELEASE
        predicted = predicted_mib(replace(row, settings=replace(row.settings, release=known)))
        weights, cache, compute = map(miss_mib, predicted, row.told)
        percent = 100 * compute / max(1, row.told[2])
        misses.append(abs(percent))
        lowest, others = min(lowest, percent), others + bool(weights or cache)
        if weights or cache or abs(percent) > 0.5:
            where = f"device {row.device} of {row.gpus}, {row.settings}"
            print(f"  {row.model_id} {where}: {weights:+.1f} {cache:+.1f} {compute:+.1f} MiB ({percent:+.1f} %)")
    misses.sort()
    print(
        f"prediction: weights or cache differ in {others}; compute equal in {misses.count(0.0)}, "
        f"{misses[int(0.95 * len(misses))]:.2f} % off at the 95th percentile, at worst {lowest:.2f} % too low"
    )


def _say_what_moved(told: list[Row]) -> None:
    release = told[0].settings.release
    before = max((row.settings.release for row in rows() if row.settings.release < release), default=None)
    if before is None:
        return
    known = {tuple(row.asked.values()): row.told for row in rows() if row.settings.release == before}
    moved: dict[str, list[float]] = defaultdict(list)
    for row in told:
        if earlier := known.get(tuple(row.asked.values())):
            if earlier[:2] != row.told[:2]:
                print(f"  {row.model_id} {row.settings}: weights and cache {earlier[:2]}, now {row.told[:2]} MiB")
            moved[row.model.architecture].append(100 * (row.told[2] / max(1, earlier[2]) - 1))
    print(f"compute since {before}:")
    for architecture, changes in sorted(moved.items()):
        if any(changes):
            print(f"  {architecture}: {min(changes):+.1f} to {max(changes):+.1f} %, median {median(changes):+.1f} %")


def _write(release: str, told: list[Row], lending: bool | None) -> None:
    """`lending` is None for the CPU alone."""
    path, columns = (FILE, COLUMNS) if lending is None else (PLACED_FILE, PLACED_COLUMNS)
    known = rows(path) if path.exists() else ()

    def made_anew(row: Row) -> bool:
        return row.settings.release == release and lending in (None, row.settings.op_offload)

    kept = [row for row in known if not made_anew(row)]
    every = sorted([*kept, *told], key=lambda row: (row.settings.release, row.settings.op_offload))
    with path.open("w", encoding="utf-8", newline="") as written:
        writer = csv.DictWriter(written, columns, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(row.written for row in every)


if __name__ == "__main__":
    main()
