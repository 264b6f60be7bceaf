"""What one question costs from a cold start, in CPU time beside `import pandas`: `-m tests.benchmarks.cold_start`.

Three of each in turn, the least counts; a first run before them fills the user's cache folder and Python's own.
"""

from __future__ import annotations

import os
import subprocess
import sys

_QUERY = "model=llama-3.1-8b-instruct&machine=rtx-4090"
_COMMANDS = {
    "import pandas": ["-c", "import pandas"],
    "plan": ["-m", "advisor", "plan", _QUERY, "--format", "json"],
    "sizes": ["-m", "advisor", "sizes", "llama-3.1-8b-instruct", "--format", "json"],
}
_RUNS = 3


def cost(arguments: list[str]) -> tuple[float, int]:
    """Seconds of CPU time of one process and its children, and the bytes it prints."""
    before = os.times()
    done = subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return spent, len(done.stdout)


def main() -> None:
    """Print what each costs."""
    for arguments in _COMMANDS.values():
        cost(arguments)
    found = {name: min(cost(arguments) for _ in range(_RUNS)) for name, arguments in _COMMANDS.items()}
    scale = found["import pandas"][0]
    for name, (seconds, size) in found.items():
        print(f"{name:14} {seconds:6.3f} s of CPU  {seconds / scale:5.2f} x import pandas  {size:7,} bytes")


if __name__ == "__main__":
    main()
