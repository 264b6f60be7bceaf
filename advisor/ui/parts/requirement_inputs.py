"""Inputs for the work to be done and what people will not go without."""

from __future__ import annotations

from advisor.foundation.numbers import exact
from advisor.quality.tasks import DEMANDS, SCORED_TASKS
from advisor.ui.parts.fields import choice, number, switch, text
from advisor.words import say

KEYS = (
    *("context", "prompt_tokens", "cached_tokens", "context_used", "task", "min_quality"),
    *("min_tokens_per_s", "max_first_token_s", "max_cost_per_month", "commercial", "own_hardware"),
)
_TASK_NAMES = {task: task.replace("_", " ").capitalize() for task in SCORED_TASKS}


def draw(left_to: str | None) -> None:
    """Draw them; `left_to` says whose default the context is where nobody gives one."""
    number(
        "context",
        "Context per user (tokens)",
        step=1024,
        left_to=left_to,
        help="Prompt and answer together; llama.cpp's `-c` is this × users.",
    )
    number("prompt_tokens", "Prompt (tokens)", step=256, help="For the time to the first token.")
    number(
        "cached_tokens",
        "Of it already cached (tokens)",
        step=256,
        help="The beginning that an earlier request shared, such as a system prompt: it is not read again.",
    )
    number(
        "context_used",
        "Tokens in the context",
        step=1024,
        placeholder="the prompt",
        help="How full the context is when speed is asked for.",
    )
    words = ", ".join(f"`{demand.id}` ({say(demand.words)}, {exact(demand.percent)} %)" for demand in DEMANDS)
    choice(
        "task",
        "Task",
        SCORED_TASKS,
        names=_TASK_NAMES,
        help="Whose quality counts; chat is the average of all.",
    )
    text(
        "min_quality",
        "Least quality",
        placeholder="not asked for",
        help=f"Percent of the 16-bit score to keep, or a word: {words}.",
    )
    number(
        "min_tokens_per_s",
        "Least tokens/s per user",
        step=1.0,
        placeholder="not asked for",
        help="A wish: people read about 5 a second.",
    )
    number("max_first_token_s", "Most seconds to the first token", step=1.0, placeholder="not asked for")
    number(
        "max_cost_per_month",
        "Most money a month",
        step=100.0,
        placeholder="not asked for",
        help="In the chosen currency, for the machine, owned or rented.",
    )
    switch("commercial", "For commercial use", help="Leaves out licences that forbid it.")
    switch("own_hardware", "Data stays on own hardware", help="Renting and APIs do not count.")
