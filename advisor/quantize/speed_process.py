"""Measures speed and memory of one file and prints them as JSON: a process of its own, see steps.py."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from advisor.errors import AdvisorError
from advisor.quantize.speed import measure_speed


def main(path: str) -> int:
    try:
        speed, memory = measure_speed(Path(path))
    except AdvisorError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps({"speed": asdict(speed), "peak_memory_bytes": memory}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
