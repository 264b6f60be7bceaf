"""What a release of llama.cpp changes in the memory it needs: `python -m tests.benchmarks.llamacpp_release`.

    python3 -m venv /tmp/next && /tmp/next/bin/pip install xllamacpp
    python -m tests.benchmarks.llamacpp_release 2026-11 /tmp/next/bin/python

asks the planner inside that wheel for seeded draws over all architectures, on one CPU and without weights, and holds
our prediction against it: that of the release named, or of the newest one where that is not known yet. Then it says
what moved against the release before, by architecture. `--write` keeps the answers as rows of `tests/truth/`.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from dataclasses import replace
from statistics import median

from advisor.sizing.settings import NEWEST_RELEASE, RELEASES
from tests.support.releases import COLUMNS, FILE, Row, ask, drawn, miss_mib, predicted_mib, rows

_SEED = "truth"


def main() -> None:
    """Ask, compare, say and perhaps keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("release", help="year and month, as 2026-10")
    parser.add_argument("python", help="a Python that has this release's xllamacpp")
    parser.add_argument("--draws", type=int, default=300, help="how many questions (default: %(default)s)")
    parser.add_argument("--seed", default=_SEED, help="which (default: those of the table)")
    parser.add_argument("--write", action="store_true", help=f"keep the answers in {FILE.name}")
    options = parser.parse_args()
    questions = drawn(options.release, options.seed, options.draws)
    answers = zip(questions, ask(options.python, questions), strict=True)
    told = [replace(row, told=answer) for row, answer in answers if answer]
    print(f"{options.release}: {len(told)} of {len(questions)} questions answered")
    _compare(told)
    if options.seed == _SEED:
        _say_what_moved(told)
    if options.write:
        _write(options.release, told)


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
            print(f"  {row.model_id} {row.settings}: {weights:+.1f} {cache:+.1f} {compute:+.1f} MiB ({percent:+.1f} %)")
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


def _write(release: str, told: list[Row]) -> None:
    kept = [row for row in rows() if row.settings.release != release] if FILE.exists() else []
    with FILE.open("w", encoding="utf-8", newline="") as written:
        writer = csv.DictWriter(written, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(row.written for row in sorted([*kept, *told], key=lambda row: row.settings.release))


if __name__ == "__main__":
    main()
