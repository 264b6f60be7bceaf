"""How long the engine takes: start-up, one full plan, the whole catalogue on one machine."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace

from advisor.models.catalogue import catalogue, find_model
from advisor.sizing.llama_cpp import plan_levels
from advisor.sizing.plan import Device, Memory
from advisor.sizing.settings import Settings
from advisor.units import GIB

START_UP = "import advisor.advise; from advisor.models.catalogue import catalogue; catalogue()"
MACHINE = Memory((Device("GPU", 80 * GIB, GIB // 2),) * 8, None)


def milliseconds(work: Callable[[int], object], runs: int) -> str:
    times = []
    for run in range(runs):
        start = time.perf_counter()
        work(run)
        times.append((time.perf_counter() - start) * 1000)
    return (
        f"median {statistics.median(times):8.1f} ms   least {min(times):8.1f}   most {max(times):8.1f}   ({runs} runs)"
    )


def start_up(_: int) -> None:
    subprocess.run([sys.executable, "-c", START_UP], check=True)


def full_plan(run: int) -> None:
    """All levels of a 94-layer mixture of experts; another context each time, so that nothing is looked up."""
    model = find_model("qwen3-235b-a22b").model
    for plan in plan_levels(model, MACHINE, Settings(8192 + run), runtime="llama.cpp", margin=0.04):
        assert plan.max_context >= 0


def whole_catalogue(run: int) -> None:
    """Every model at every level, verdicts and bytes, as fresh model objects: nothing kept from an earlier run."""
    for entry in catalogue().values():
        model = replace(entry.model)
        plan_levels(model, MACHINE, Settings(4096 + run), runtime="llama.cpp", margin=0.04)


def main() -> None:
    print("python -c 'import and catalogue' ", milliseconds(start_up, 5))
    full_plan(-1)
    print("full plan, 94-layer MoE, warm     ", milliseconds(full_plan, 20))
    print("every model on one machine        ", milliseconds(whole_catalogue, 3))


if __name__ == "__main__":
    main()
