"""Faults drawn at random from a room's code, one at a time, and whether its tests notice.

    python -m tests.benchmarks.drawn_faults ROOM [NUMBER] [--seed N] [--lines FILE]

ROOM is a folder of advisor/ (costs, sources, store, answer). A fault turns a comparison, a sum, a product, a minimum, a
condition or a number into its neighbour. What survives is printed with its line: some of it no test can notice, since
the program then does the same (a bound that is never met, a number of threads).

First all tests of the room run once, which tells the lines that each runs (`touched_lines.py`); FILE keeps it. For a
fault the quickest tests of its line run, and where they notice nothing, all of the room: some seconds of a core each.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.mutants import ROOT, copied, notices

_TESTS = {
    "costs": ("tests/unit/costs", "tests/unit/answer/test_published_bills.py"),
    "sources": ("tests/unit/sources",),
    "store": ("tests/unit/store", "tests/unit/sources/test_local_measurements.py"),
    "answer": ("tests/unit/answer", "tests/app/test_links.py"),
}
_COMPARED: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.Is: ("is", "is not"), ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"), ast.NotIn: ("not in", "in"),
}  # fmt: skip
_COMPUTED: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*"), ast.FloorDiv: ("//", "/"),
}  # fmt: skip
_FIRST_S = 10.0
_CALLED = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True)
class Fault:
    """`old` at a place of a file becomes `new`."""

    path: Path
    line: int
    start: int
    old: str
    new: str

    def put_into(self, text: str) -> str:
        return text[: self.start] + self.new + text[self.start + len(self.old) :]


def faults(path: Path) -> Iterator[Fault]:
    """All that can be put into one file."""
    text = path.read_text("utf-8")
    lines = text.splitlines(keepends=True)
    begins = [0]
    for line in lines:
        begins.append(begins[-1] + len(line))

    def place(row: int, column: int) -> int:
        return begins[row - 1] + len(lines[row - 1].encode()[:column].decode())

    def between(left: ast.expr, right: ast.expr, swap: tuple[str, str]) -> Iterator[Fault]:
        start = place(left.end_lineno or 0, left.end_col_offset or 0)
        at = text.find(swap[0], start, place(right.lineno, right.col_offset))
        if at >= 0:
            yield Fault(path, text.count("\n", 0, at) + 1, at, *swap)

    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Compare(left=left, ops=[operator], comparators=[right]) if type(operator) in _COMPARED:
                yield from between(left, right, _COMPARED[type(operator)])
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _COMPUTED:
                if not any(isinstance(side, ast.Constant) and isinstance(side.value, str) for side in (left, right)):
                    yield from between(left, right, _COMPUTED[type(operator)])
            case ast.BoolOp(op=operator, values=[left, right, *_]):
                yield from between(left, right, ("and", "or") if isinstance(operator, ast.And) else ("or", "and"))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                start = place(node.lineno, node.col_offset)
                yield (
                    Fault(path, node.lineno, start, "not ", "")
                    if text.startswith("not ", start)
                    else Fault(path, operand.lineno, start, "not", "bool")
                )
            case ast.Call(func=ast.Name(id=name, lineno=row, col_offset=column)) if name in _CALLED:
                yield Fault(path, row, place(row, column), name, _CALLED[name])
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                start = place(node.lineno, node.col_offset)
                old = ast.get_source_segment(text, node) or ""
                yield Fault(path, node.lineno, start, old, f"({old} + 1)")


def lines_of(room: str, to: Path) -> dict[str, Any]:
    """Which tests run which lines of a room, from a file, or from running them, which makes the file."""
    if not to.exists():
        command = [sys.executable, "-m", "pytest", "-n", "0", "-q", "-p", "no:cacheprovider"]
        told = {"TOUCHED_UNDER": f"advisor/{room}", "TOUCHED_TO": str(to), "PYTHONPATH": str(ROOT)}
        subprocess.run(
            [*command, "-p", "tests.benchmarks.touched_lines", *_TESTS[room]],
            cwd=ROOT,
            env=os.environ | told,
            stdout=subprocess.DEVNULL,
            check=True,
        )
    found: dict[str, Any] = json.loads(to.read_text("utf-8"))
    return found


def tests_of(fault: Fault, known: dict[str, Any]) -> list[str]:
    """Those that run a fault's statement, the quickest first; outside of functions, those of the file."""
    first, last = statement(fault)
    name = fault.path.relative_to(ROOT)
    places = [f"{name}:{line}" for line in range(first, last + 1)]
    if first == 0:
        places = [place for place in known["touched"] if place.startswith(f"{name}:")]
    found = {test for place in places for test in known["touched"].get(place, ())}
    return sorted(found, key=lambda test: (known["took"][test], test))


def statement(fault: Fault) -> tuple[int, int]:
    """The first and last line of the innermost statement of a function that holds it; (0, 0) outside of functions."""
    found = (0, 0)
    for function in ast.walk(ast.parse(fault.path.read_text("utf-8"))):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in (node for part in function.body for node in ast.walk(part) if isinstance(node, ast.stmt)):
            inner = getattr(node, "body", None) or getattr(node, "cases", None)
            last = node.end_lineno or 0
            if inner and not isinstance(inner[0], ast.match_case):
                last = inner[0].lineno - 1
            last = max(last, node.lineno)
            if node.lineno <= fault.line <= last and (found == (0, 0) or last - node.lineno < found[1] - found[0]):
                found = (node.lineno, last)
    return found


def noticed(folder: Path, fault: Fault, known: dict[str, Any], room: str) -> bool:
    """Whether the quickest tests of its line fail, or any of the room: what is kept hides who else needs a line."""
    quick: list[str] = []
    spent = 0.0
    for test in tests_of(fault, known):
        spent += known["took"][test]
        if quick and spent > _FIRST_S:
            break
        quick.append(test)
    return (bool(quick) and notices(folder, quick)) or notices(folder, _TESTS[room])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("room", choices=_TESTS)
    parser.add_argument("number", type=int, nargs="?", default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lines", type=Path, help="which tests run which lines; made where it is missing")
    options = parser.parse_args()
    all_faults = [fault for path in sorted((ROOT / "advisor" / options.room).rglob("*.py")) for fault in faults(path)]
    chosen = random.Random(options.seed).sample(all_faults, min(options.number, len(all_faults)))
    survived = 0
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        copied(folder)
        known = lines_of(options.room, (options.lines or folder / "lines.json").resolve())
        for fault in chosen:
            name = fault.path.relative_to(ROOT)
            sound = fault.path.read_text("utf-8")
            (folder / name).write_text(fault.put_into(sound), "utf-8")
            killed = noticed(folder, fault, known, options.room)
            (folder / name).write_text(sound, "utf-8")
            survived += not killed
            said = f"{name}:{fault.line} {fault.old!r} becomes {fault.new!r}"
            print(f"{'killed' if killed else 'SURVIVES':9}{said}", flush=True)
    print(f"{options.room}: {len(chosen) - survived} of {len(chosen)} killed, of {len(all_faults)} that can be drawn")
    return 0


if __name__ == "__main__":
    sys.exit(main())
