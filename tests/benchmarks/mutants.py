"""Single faults put into a copy of the program, one at a time, and whether the tests named beside them notice.

    python -m tests.benchmarks.mutants [WORDS IN A NAME ...]

Prints a line for each mutant of `mutants.yaml`, killed or SURVIVES, and how many were killed of each group; the exit
status is 1 where one survives. Each runs a few test files until the first failure: some seconds, all of them some
minutes of a core. `python -m tests.benchmarks.drawn_faults` draws others at random.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
_LIST = Path(__file__).with_name("mutants.yaml")
_LONGEST_S = 240


def mutants() -> list[dict[str, Any]]:
    """Name, file, the text that stands there once, what takes its place, and the tests that must notice."""
    found: list[dict[str, Any]] = yaml.safe_load(_LIST.read_text("utf-8"))
    return found


def copied(folder: Path) -> None:
    """The program to break; what is only read is linked."""
    for path in ROOT.iterdir():
        if path.name == "advisor":
            shutil.copytree(path, folder / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif path.name != ".git":
            (folder / path.name).symlink_to(path)


def notices(folder: Path, tests: Sequence[str]) -> bool:
    """Whether one of the tests fails, or never ends."""
    command = [sys.executable, "-m", "pytest", "-n", "0", "-x", "-q", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, timeout=_LONGEST_S, check=False
        )
    except subprocess.TimeoutExpired:
        return True
    if done.returncode not in (0, 1):
        raise SystemExit(done.stdout.decode()[-2000:] + done.stderr.decode()[-2000:])
    return done.returncode == 1


def main(words: Sequence[str]) -> int:
    chosen = [one for one in mutants() if not words or any(word in one["name"] for word in words)]
    found: dict[str, list[bool]] = {}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        copied(folder)
        for one in chosen:
            path = folder / one["file"]
            sound = path.read_text("utf-8")
            if sound.count(one["old"]) != 1:
                raise SystemExit(f"{one['name']}: {one['file']} holds {one['old']!r} {sound.count(one['old'])} times")
            path.write_text(sound.replace(one["old"], one["new"]), "utf-8")
            killed = notices(folder, one["tests"])
            path.write_text(sound, "utf-8")
            found.setdefault(one["name"].partition(":")[0], []).append(killed)
            print(f"{'killed' if killed else 'SURVIVES':9}{one['name']}", flush=True)
    for group, killed_ones in found.items():
        print(f"{group}: {sum(killed_ones)} of {len(killed_ones)} killed")
    return 0 if all(map(all, found.values())) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
