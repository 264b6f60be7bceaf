"""How often published files lie in the range stated for their level: `python -m tests.benchmarks.published`.

Whole publishers are left out in turn: the tolerance is the smallest with which the range holds 95 of 100 files of the
others. The causes themselves (which tensors publishers store otherwise) were found by looking at all of them, so what
is measured is how well a rule with these causes carries over, not whether another publisher has a new one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import median

from tests.support.published import Held, held_files

TOLERANCES = (0.0025, 0.005, 0.0075, 0.01, 0.0125, 0.015, 0.02, 0.03)
WANTED = 0.95


def main() -> None:
    by_tolerance = {tolerance: list(held_files(tolerance)) for tolerance in TOLERANCES}
    publishers: dict[str, list[int]] = defaultdict(list)
    for place, file in enumerate(by_tolerance[TOLERANCES[0]]):
        publishers[file.publisher].append(place)
    print(f"{'left out':22} {'files':>5} {'tolerance':>9} {'inside':>7} {'median width':>12}")
    left_out: list[Held] = []
    for publisher, places in sorted(publishers.items(), key=lambda one: -len(one[1])):
        tolerance = _fitted(by_tolerance, set(places))
        held = [by_tolerance[tolerance][place] for place in places]
        left_out += held
        _print(publisher, held, f"{tolerance:.2%}")
    _print("all, each left out once", left_out, "")
    _print("all, as released", list(held_files()), "")
    narrow = [file for file in left_out if file.bytes >= 10**9]
    _print("  of these 1 GB or more", narrow, "")
    print("\nOutside, as released (below or above the range, %):")
    for file in held_files():
        if not file.inside:
            off = (file.bytes - (file.low if file.bytes < file.low else file.high)) / file.bytes
            print(f"  {file.publisher:20} {file.shape:32} {file.level:10} {off:+.1%}")


def _fitted(by_tolerance: dict[float, list[Held]], left_out: set[int]) -> float:
    for tolerance, files in by_tolerance.items():
        others = [file.inside for place, file in enumerate(files) if place not in left_out]
        if sum(others) >= WANTED * len(others):
            return tolerance
    return TOLERANCES[-1]


def _print(name: str, files: Sequence[Held], tolerance: str) -> None:
    inside = sum(file.inside for file in files) / len(files)
    width = median(file.width for file in files)
    print(f"{name:22} {len(files):5} {tolerance:>9} {inside:7.1%} {width:12.1%}")


if __name__ == "__main__":
    main()
