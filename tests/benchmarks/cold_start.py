"""What one question costs from a cold start, in CPU time beside `import pandas`: `-m tests.benchmarks.cold_start`.

Fifteen of each in turn; told is the median, since others may use the machine too. "New" is a question that nobody has
asked, where others have been asked before: the tables are kept in the cache folder (a fresh one, for this alone),
Python's compiled files lie beside the sources. "Again" is what an earlier process has answered, "first" the very first
question of an installation.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

_QUESTIONS = {
    "8 B on 24 GB": "model=llama-3.1-8b-instruct&machine=rtx-4090",
    "70 B on 2 x 24 GB": "model=llama-3.3-70b-instruct&machine=rtx-3090&gpus=2",
    "MoE, host memory": "model=gpt-oss-120b&machine=rtx-4090&host_memory_gib=128",
    "H100, 50 users": "model=llama-3.3-70b-instruct&machine=h100-sxm5-80gb&users=50",
    "Mac": "model=qwen3-32b&machine=apple-m4-max-40c-128gb",
}
_PLAN = {name: ["plan", query] for name, query in _QUESTIONS.items()}
_SIZES = ["sizes", "llama-3.1-8b-instruct"]
_RUNS = 15


def cost(arguments: list[str], cache: Path) -> tuple[float, int]:
    """Seconds of CPU time of one process, and the bytes it prints."""
    environment = os.environ | {"LLM_FIT_ADVISOR_CACHE": str(cache)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # pandas brings its compiled files with it
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, len(done.stdout)


def forget_answers(cache: Path) -> None:
    """What was asked before is new again."""
    for kept in (*cache.glob("compiled/plan-*"), *cache.glob("compiled/sizes-*")):
        kept.unlink()


def forget_all(cache: Path) -> None:
    """As after installing."""
    shutil.rmtree(cache)


def commands() -> dict[str, tuple[list[str], Callable[[Path], None] | None]]:
    """What is measured: the arguments, and what is forgotten before."""
    found: dict[str, tuple[list[str], Callable[[Path], None] | None]] = {
        "import pandas": (["-c", "import pandas"], None)
    }
    asked = {"sizes": _SIZES} | {f"plan, {name}": arguments for name, arguments in _PLAN.items()}
    for name, arguments in asked.items():
        found[f"new {name}"] = (["-m", "advisor", *arguments, "--format", "json"], forget_answers)
    for name in ("sizes", *list(asked)[-1:]):
        found[f"again {name}"] = (["-m", "advisor", *asked[name], "--format", "json"], None)
    for words in (["models", "qwen"], ["machines", "3090"]):
        found[" ".join(words)] = (["-m", "advisor", *words, "--format", "json"], None)
    first = list(asked)[1]
    found[f"first {first}"] = (["-m", "advisor", *asked[first], "--format", "json"], forget_all)
    return found


def main() -> None:
    """Print what each costs."""
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        known = commands()
        for arguments, _ in known.values():
            cost(arguments, cache)
        found: dict[str, list[tuple[float, int]]] = {name: [] for name in known}
        for _ in range(_RUNS):
            for name, (arguments, forget) in known.items():
                if forget is not None and cache.is_dir():
                    forget(cache)
                if name.startswith("again"):
                    cost(arguments, cache)
                found[name].append(cost(arguments, cache))
    middle = {name: (median(seconds for seconds, _ in runs), runs[0][1]) for name, runs in found.items()}
    scale = middle["import pandas"][0]
    for name, (seconds, size) in middle.items():
        print(f"{name:32} {seconds:6.3f} s of CPU  {seconds / scale:5.2f} x import pandas  {size:7,} bytes")


if __name__ == "__main__":
    main()
