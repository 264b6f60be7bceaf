"""What a decision costs: the search alone, with the choices beside it, and with what would change it.

`python -m tests.benchmarks.decision [QUESTIONS] [SEED]`. Random questions about models that were asked about before
on another machine, so that what is worked out once for a model is there; CPU time, in milliseconds, of one process.
Each question is measured in one way, so that none finds what another has left behind: every other one the search alone.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from advisor.answer.answer import Answer, answer
from advisor.answer.choices import choices
from advisor.answer.decide import decide
from advisor.answer.flips import flips
from advisor.answer.reasons import reasons
from advisor.answer.verdict import verdict
from advisor.foundation.errors import InputError
from advisor.models.lookup import find_model
from advisor.question.question import Question
from advisor.sources.resolved import from_entry
from advisor.ui.collecting import settle
from tests.support.decisions import drawn, query_of
from tests.support.sweep import TODAY

_WITH_FLIPS = 2  # one question in so many of those with choices


def cpu_ms(work: Callable[[], object]) -> float:
    """CPU milliseconds of one call."""
    start = time.process_time()
    work()
    return 1e3 * (time.process_time() - start)


def searched(question: Question) -> None:
    decide(question, from_entry(find_model(question.model.name)), TODAY)


def with_choices(question: Question) -> Answer:
    found = answer(question, today=TODAY)
    verdict(found)
    reasons(found)
    choices(found)
    return found


def measure(count: int, seed: str) -> dict[str, list[float]]:
    """Milliseconds of each stage, question by question; what is refused is left out."""
    times: dict[str, list[float]] = {"search": [], "with choices": [], "flips": []}
    draw = random.Random(seed)
    for number in range(count):
        question = Question.from_query(query_of(drawn(seed, number)))
        elsewhere = question.with_values(machine="rtx-5090", other_machine=None, memory_gib=None, bandwidth_gb_s=None)
        with suppress(InputError):
            searched(elsewhere.with_values(gpus=1, host_memory_gib=64.0))
        with suppress(InputError):
            if number % 2 == 0:
                times["search"].append(cpu_ms(partial(searched, question)))
                continue
            times["with choices"].append(cpu_ms(partial(with_choices, question)))
            if draw.randrange(_WITH_FLIPS) == 0:
                times["flips"].append(cpu_ms(partial(flips, with_choices(question))))
    return times


def told(name: str, times: Sequence[float]) -> str:
    ordered = sorted(times)
    if not ordered:
        return f"{name:14} nothing"
    ninth = ordered[min(len(ordered) - 1, int(0.9 * len(ordered)))]
    median = statistics.median(ordered)
    return f"{name:14} n {len(ordered):4}  median {median:7.1f}  p90 {ninth:7.1f}  max {ordered[-1]:7.1f}"


def main() -> None:
    count, seed = int(sys.argv[1]) if len(sys.argv) > 1 else 200, sys.argv[2] if len(sys.argv) > 2 else "2026"
    with_choices(Question.from_values({}))
    settle()  # as the server does once it has loaded what stays for good
    for name, times in measure(count, seed).items():
        print(told(name, times))
    print(f"{'a plain loop':14} {cpu_ms(_loop):7.1f}  (where it takes longer than alone, so does all above)")


def _loop() -> None:
    total = 0
    for number in range(3_000_000):
        total += number * number


if __name__ == "__main__":
    main()
