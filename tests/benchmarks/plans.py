"""What planning with llama.cpp costs: CPU time of every level of a question, with the placement searched for.

    python -m tests.benchmarks.plans        # named questions, then random ones; the same each time

The first column is the plans, the second their longest contexts. Every round asks about another context, so that
nothing kept from a round answers the next; what belongs to the model alone is warm, as in a server. CPU time is what
this process used; other work on the machine makes it longer all the same, so of the rounds the least counts.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence

from advisor.answer.plans import rates_of
from advisor.foundation.errors import InputError
from advisor.machines.catalogue import machines
from advisor.models.catalogue import catalogue
from advisor.models.lookup import find_model
from advisor.question.hardware import hardware_of
from advisor.question.question import Question
from advisor.runtimes.llama_cpp.runtime import LLAMA_CPP
from advisor.sizing.request import PlanRequest
from advisor.sizing.runtime_id import RuntimeId

NAMED = {
    "8B whole on a card": "model=qwen3-8b&machine=rtx-4090&host_memory_gib=64",
    "70B partly on the host": "model=llama-3.1-70b-instruct&machine=rtx-4090&host_memory_gib=128",
    "30B-A3B, experts on the host": "model=qwen3-30b-a3b&machine=rtx-3060-12gb&host_memory_gib=64",
    "gpt-oss-120b, 2 cards and host": "model=gpt-oss-120b&machine=rtx-3090&gpus=2&host_memory_gib=128",
    "70B on 2 large cards": "model=llama-3.1-70b-instruct&machine=a100-sxm4-80gb&gpus=2",
    "R1 on 8 cards and host": "model=deepseek-r1&machine=rtx-4090&gpus=8&host_memory_gib=768",
    "Gemma 3 27B, 8 users": "model=gemma-3-27b-it&machine=rtx-4090&host_memory_gib=64&users=8",
    "hybrid 80B, experts on the host": "model=qwen3-next-80b-a3b-instruct&machine=rtx-4090&host_memory_gib=128",
}
RANDOM, SEED, ROUNDS = 60, 20261201, 5


def random_questions(count: int = RANDOM, seed: int = SEED) -> list[str]:
    """Models that exist on cards that exist, most of them with a host to fall back on."""
    draw = random.Random(seed)
    cards = sorted(one.id for one in machines().values() if not (one.unified or one.needs_memory))
    return [
        f"model={draw.choice(sorted(catalogue()))}&machine={draw.choice(cards)}&gpus={draw.choice((1, 1, 1, 2, 4))}"
        f"&host_memory_gib={draw.choice((32, 64, 128, 512))}&users={draw.choice((1, 1, 1, 4))}"
        for _ in range(count)
    ]


def cpu_ms(query: str, context: int) -> tuple[float, float]:
    """CPU milliseconds of the plans, and of their longest contexts."""
    question = Question.from_query(f"{query}&context={context}")
    hardware = hardware_of(question.machine, question.runtime.backend, RuntimeId.LLAMA_CPP)
    model, margin = find_model(question.model.name).model, question.machine.margin_percent / 100
    request = PlanRequest(
        model, hardware.memory, question.settings, margin, search=True, rates=rates_of(hardware, model, 1)
    )
    start = time.process_time()
    plans = LLAMA_CPP.plan(request)
    planned = time.process_time()
    for plan in plans:
        assert plan.max_context >= 0
    return 1000 * (planned - start), 1000 * (time.process_time() - planned)


def row(label: str, times: Sequence[tuple[float, float]], of: Callable[[list[float]], float]) -> str:
    plans, contexts = ([one[column] for one in times] for column in (0, 1))
    return f"{label:34}{of(plans):9.1f}{of(contexts):9.1f}"


def main() -> None:
    print(f"{'CPU ms, every level':34}{'plans':>9}{'contexts':>9}")
    for label, query in NAMED.items():
        cpu_ms(query, 4096)
        print(row(label, [cpu_ms(query, 8192 + 1024 * number) for number in range(ROUNDS)], min), flush=True)
    asked: list[tuple[float, float]] = []
    for query in random_questions():
        try:
            for context in (4096, 5120):
                cpu_ms(query, context)
            asked.append(min(cpu_ms(query, context) for context in (8192, 9216, 10_240)))
        except InputError as error:
            print(query, error)
    print(row(f"{len(asked)} random questions, median", asked, statistics.median))
    plans, contexts = (sorted(one[column] for one in asked)[int(0.9 * len(asked))] for column in (0, 1))
    print(f"{'90 % of them take less than':34}{plans:9.1f}{contexts:9.1f}")


if __name__ == "__main__":
    main()
