"""Tiny checkpoints by the tools of publishers, and what their configs alone say of them.

    python3 -m venv tool && tool/bin/pip install transformers llmcompressor
    python -m tests.benchmarks.made_checkpoints tool/bin/python llmcompressor

has a tool make anew what `tests/truth/made_checkpoints.jsonl.gz` holds of it; on a CPU, a minute or two for each tool.
Without arguments it says how far what a config tells is from the files, by tool and scheme.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from tests.support import made_checkpoints_process
from tests.support.made_checkpoints import FILE, Made, made_checkpoints

NEAR = 0.02


def main(arguments: list[str]) -> None:
    if arguments:
        python, tool = arguments
        _keep(_made(python, [made.name for made in made_checkpoints() if made.tool == tool]))
        made_checkpoints.cache_clear()
    groups: dict[tuple[str, str, str], list[Made]] = defaultdict(list)
    for made in made_checkpoints():
        groups[made.tool, made.by, made.scheme].append(made)
    for (tool, by, scheme), group in sorted(groups.items()):
        offs = [told / made.bytes - 1 for made in group if (told := made.told()) is not None]
        near = sum(abs(off) <= NEAR for off in offs)
        worst = f"{max(offs, key=abs):+.3%}" if offs else "not told"
        print(f"{tool:14} {scheme:34} {len(group):3} {near:3} within {NEAR:.0%}, worst {worst:9} {by}")


def _made(python: str, names: list[str]) -> list[dict[str, Any]]:
    program = str(Path(made_checkpoints_process.__file__))
    done = subprocess.run([python, program, *names], capture_output=True, text=True, timeout=3600, check=True)
    for line in done.stdout.splitlines():
        if line.startswith("! "):
            print(line)
    return [json.loads(line[1:]) for line in done.stdout.splitlines() if line.startswith("@")]


def _keep(rows: list[dict[str, Any]]) -> None:
    with gzip.open(FILE, "rt", encoding="utf-8") as file:
        kept = {row["name"]: row for row in map(json.loads, file)}
    kept |= {row["name"]: row for row in rows}
    lines = "".join(json.dumps(kept[name], separators=(",", ":")) + "\n" for name in sorted(kept))
    FILE.write_bytes(gzip.compress(lines.encode(), 9, mtime=0))


if __name__ == "__main__":
    main(sys.argv[1:])
