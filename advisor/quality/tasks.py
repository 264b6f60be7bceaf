"""What quality is asked for: tasks, and the words for how much of it must be kept."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.foundation.errors import InputError, choose_one_of, nearest, one_line, resembling

# Ids in the order they are shown, with the benchmarks that stand for them in the evidence.
TASKS: dict[str, str] = {
    "chat": "overall: averages over several kinds of benchmarks",
    "knowledge": "MMLU, MMLU-Pro, ARC, TruthfulQA, C-Eval",
    "reasoning": "HellaSwag, WinoGrande, LAMBADA, BoolQ, PIQA, GPQA, BBH, MuSR",
    "math": "GSM8K, MATH, AIME",
    "code": "HumanEval, MBPP, LiveCodeBench",
    "instruction": "IFEval, CS4, tau2",
    "long_context": "RULER, OneRuler, NoCha, 8K to 128K tokens",
    "multilingual": "MMMLU, OneRuler outside English",
    "perplexity": "perplexity of running text, as 16-bit perplexity / quantized perplexity",
    "divergence": "mean Kullback-Leibler divergence of the next-token distribution, in nats",
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
        close = resembling(name, TASKS)
        hint = nearest(name, TASKS) or choose_one_of(TASKS)
        raise InputError("Unknown task '{name}'; {hint}", close, name=one_line(name), hint=hint)
    return wanted


@dataclass(frozen=True, slots=True)
class Demand:
    """How much quality must be kept, in words: `percent` of the 16-bit score, compared with the typical value."""

    id: str
    words: str
    percent: float
    reason: str


# The words and their numbers. `python -m tests.benchmarks.quality` prints the figures they rest on.
DEMANDS: tuple[Demand, ...] = (
    Demand(
        "lossless",
        "no visible loss",
        99.0,
        "At 8 bits, where nothing measurable is lost on average, a third of single scores still differ from 16 bit by "
        "1 % or more: a smaller loss than that cannot be seen.",
    ),
    Demand(
        "small",
        "small loss is fine",
        97.0,
        "At 8 bits 87 % of single scores stay within 3 % of 16 bit: a larger loss stands out from the noise.",
    ),
    Demand(
        "works",
        "as long as it works",
        90.0,
        "Below this the spread between models and tasks is larger than the loss itself, and single tasks collapse.",
    ),
)
