"""How long the reverse questions take: every model on one machine, every machine for one model."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from advisor.answer.machines_for_model import machines_for
from advisor.answer.models_for_machine import models_on
from advisor.formats.gguf_levels import LEVELS
from advisor.models.catalogue import catalogue
from advisor.quality.claims import claims
from advisor.question.question import Question
from advisor.runtimes.llama_cpp.weights import level_weights

MACHINES = ("machine=rtx-4090", "machine=a100-sxm4-80gb&gpus=2", "machine=apple-m4-max-40c-128gb")
WITH_HOST = "machine=rtx-4090&host_memory_gib=64"
ASKED = (
    "model=llama-3.1-70b-instruct",
    "model=qwen3-235b-a22b&min_quality=works",
    "model=llama-3.1-8b-instruct&users=8",
)


def seconds(work: Callable[[], object]) -> str:
    """Processor time of this process: what a machine without other work would take at most."""
    start = time.process_time()
    work()
    return f"{time.process_time() - start:6.2f} s of processor time"


def load() -> None:
    """What a running server holds: models, the bytes of each of their levels, quality and speed evidence."""
    for entry in catalogue().values():
        for level in LEVELS.values():
            if level.offered_for(entry.model):
                level_weights(entry.model, level)
    models_on(Question.of())
    claims()


def yardstick() -> None:
    """Ten million additions: about half a second on a processor of 2023 that does nothing else."""
    total = 0
    for number in range(10_000_000):
        total += number


def main() -> None:
    print("ten million additions, to compare with  ", seconds(yardstick))
    print("loading all models and levels, once     ", seconds(load))
    # A context of their own each, so that nothing was laid out before.
    for number, query in enumerate((*MACHINES, WITH_HOST)):
        asked = Question.from_query(f"{query}&context={8000 + 300 * number}")
        print(f"every model, {query:42}", seconds(partial(models_on, asked)))
        print(f"  the same asked again{'':33}", seconds(partial(models_on, asked)))
    for number, query in enumerate(ASKED):
        asked = Question.from_query(f"{query}&context={8000 + 300 * number}")
        print(f"every machine, {query:40}", seconds(partial(machines_for, asked)))


if __name__ == "__main__":
    main()
