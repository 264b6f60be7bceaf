"""What quality is asked for: tasks, and the words for how much of it must be kept."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.foundation.errors import InputError, choose_one_of, nearest, one_line, resembling
from advisor.foundation.message import Message, as_it_is, fact

# Ids in the order they are shown, with the benchmarks that stand for them in the evidence.
TASKS: dict[str, Message] = {
    "chat": fact("benchmarks_overall"),
    "knowledge": as_it_is("MMLU, MMLU-Pro, ARC, TruthfulQA, C-Eval"),
    "reasoning": as_it_is("HellaSwag, WinoGrande, LAMBADA, BoolQ, PIQA, GPQA, BBH, MuSR"),
    "math": as_it_is("GSM8K, MATH, AIME"),
    "code": as_it_is("HumanEval, MBPP, LiveCodeBench"),
    "instruction": as_it_is("IFEval, CS4, tau2"),
    "long_context": fact("benchmarks_long_context"),
    "multilingual": fact("benchmarks_multilingual"),
    "perplexity": fact("benchmarks_perplexity"),
    "divergence": fact("benchmarks_divergence"),
}
DIVERGENCE, PERPLEXITY = "divergence", "perplexity"
SCORED_TASKS = tuple(task for task in TASKS if task not in (DIVERGENCE, PERPLEXITY))

_ALSO_CALLED = {
    "overall": "chat",
    "general": "chat",
    "commonsense": "reasoning",
    "common_sense": "reasoning",
    "coding": "code",
    "instruction_following": "instruction",
    "longcontext": "long_context",
    "languages": "multilingual",
    "kld": DIVERGENCE,
    "ppl": PERPLEXITY,
}


def find_task(name: str) -> str:
    """The id of a task, also for the usual other spellings; raises InputError for an unknown one."""
    wanted = "_".join(name[:80].lower().replace("-", " ").split())
    wanted = _ALSO_CALLED.get(wanted, wanted)
    if wanted not in TASKS:
        close = resembling(name, SCORED_TASKS)
        hint = nearest(name, SCORED_TASKS) or choose_one_of(SCORED_TASKS)
        raise InputError("Unknown task '{name}'; {hint}", close, name=one_line(name), hint=hint)
    return wanted


_NAMES = {
    "chat": fact("task_chat"),
    "knowledge": fact("task_knowledge"),
    "reasoning": fact("task_reasoning"),
    "math": fact("task_math"),
    "code": fact("task_code"),
    "instruction": fact("task_instruction"),
    "long_context": fact("task_long_context"),
    "multilingual": fact("task_multilingual"),
    "perplexity": fact("task_perplexity"),
    "divergence": fact("task_divergence"),
}


def task_name(task: str) -> Message:
    """A task as it is called in a sentence."""
    return _NAMES[task]


@dataclass(frozen=True, slots=True)
class Demand:
    """How much quality must be kept, in words: `percent` of the 16-bit score, compared with the typical value."""

    id: str
    words: Message
    percent: float
    reason: Message


# The words and their numbers. `python -m tests.benchmarks.quality` prints the figures they rest on.
DEMANDS: tuple[Demand, ...] = (
    Demand("lossless", fact("demand_lossless"), 99.0, fact("demand_lossless_reason")),
    Demand("small", fact("demand_small"), 97.0, fact("demand_small_reason")),
    Demand("works", fact("demand_works"), 90.0, fact("demand_works_reason")),
)
