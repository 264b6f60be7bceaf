"""How long the engine takes: start-up, one full plan, the whole catalogue on one machine, searching placements."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace

from advisor.formats.gguf_levels import LEVELS
from advisor.foundation.units import GIB
from advisor.models.catalogue import catalogue
from advisor.models.lookup import find_model
from advisor.runtimes.llama_cpp.placement_search import best_placement
from advisor.runtimes.llama_cpp.runtime import LLAMA_CPP
from advisor.sizing.memory import Device, Memory
from advisor.sizing.request import PlanRequest
from advisor.sizing.settings import Settings

START_UP = "import advisor.answer.answer; from advisor.models.catalogue import catalogue; catalogue()"
SERVER = Memory((Device("GPU", 24 * GIB, GIB // 2),) * 7 + (Device("Small GPU", 12 * GIB, GIB // 2),), 1024 * GIB)
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
    for plan in LLAMA_CPP.plan(PlanRequest(model, MACHINE, Settings(8192 + run), margin=0.04)):
        assert plan.max_context >= 0


def whole_catalogue(run: int) -> None:
    """Every model at every level, verdicts and bytes, as fresh model objects: nothing kept from an earlier run."""
    for entry in catalogue().values():
        model = replace(entry.model)
        LLAMA_CPP.plan(PlanRequest(model, MACHINE, Settings(4096 + run), margin=0.04))


def one_placement(run: int) -> None:
    """126 layers on eight GPUs of two sizes, the rest on the host; nothing kept from an earlier run but the sizes."""
    model = find_model("llama-3.1-405b-instruct").model
    assert best_placement(model, LEVELS["Q4_K_M"], SERVER, Settings(4096 + 256 * run), 0.04) is not None


def all_placements(run: int) -> None:
    """The same for every level."""
    model = find_model("llama-3.1-405b-instruct").model
    LLAMA_CPP.plan(PlanRequest(model, SERVER, Settings(20_480 + 256 * run), margin=0.04, search=True))


def main() -> None:
    print("python -c 'import and catalogue' ", milliseconds(start_up, 5))
    full_plan(-1)
    print("full plan, 94-layer MoE, warm     ", milliseconds(full_plan, 20))
    one_placement(-1)
    print("placement, 126 layers on 8 GPUs   ", milliseconds(one_placement, 20))
    print("placement, the same, every level  ", milliseconds(all_placements, 10))
    print("every model on one machine        ", milliseconds(whole_catalogue, 3))


if __name__ == "__main__":
    main()
