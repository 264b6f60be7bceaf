"""What one question costs from a cold start, in CPU time beside `import pandas`: `-m tests.benchmarks.cold_start`.

Three of each in turn, the least counts. What was asked before, by an earlier process, is answered from what that kept;
"anew" is a question that nobody has asked, with everything else in Python's own caches.
"""

from __future__ import annotations

import os
import subprocess
import sys

_QUERY = "model=llama-3.1-8b-instruct&machine=rtx-4090"
_PLAN = ["-m", "advisor", "plan", _QUERY, "--format", "json"]
_SIZES = ["-m", "advisor", "sizes", "llama-3.1-8b-instruct", "--format", "json"]
_COMMANDS = {
    "import pandas": (["-c", "import pandas"], False),
    "plan, anew": (_PLAN, True),
    "plan, again": (_PLAN, False),
    "sizes, anew": (_SIZES, True),
    "sizes, again": (_SIZES, False),
}
_RUNS = 3


def cost(arguments: list[str], anew: bool) -> tuple[float, int]:
    """Seconds of CPU time of one process and its children, and the bytes it prints."""
    environment = os.environ | ({"LLM_FIT_ADVISOR_CACHE": ""} if anew else {})
    before = os.times()
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, check=True)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return spent, len(done.stdout)


def main() -> None:
    """Print what each costs."""
    for command in _COMMANDS.values():
        cost(*command)
    found = {name: min(cost(*command) for _ in range(_RUNS)) for name, command in _COMMANDS.items()}
    scale = found["import pandas"][0]
    for name, (seconds, size) in found.items():
        print(f"{name:14} {seconds:6.3f} s of CPU  {seconds / scale:5.2f} x import pandas  {size:7,} bytes")


if __name__ == "__main__":
    main()
