"""Inputs for what the user will not go without."""

from __future__ import annotations

from typing import Any

import streamlit as st

from advisor.foundation.numbers import exact
from advisor.quality.tasks import DEMANDS, SCORED_TASKS
from advisor.ui.parts.bound_inputs import choice, number, picker, switch, text
from advisor.words import say

GOAL_NAMES: dict[str, str] = {
    "balanced": "Balanced",
    "quality": "Best quality",
    "speed": "Fastest",
    "many-users": "Many users",
    "cheapest": "Cheapest",
}
_GOAL_HELP = (
    "What to make best among what runs well. Balanced: the least loss of quality that is not noticeably slow. No goal "
    "recommends what is visibly damaged while something better runs."
)


def draw() -> dict[str, Any]:
    """Draw them; the values by key of the question."""
    words = ", ".join(f"`{demand.id}` ({say(demand.words)}, {exact(demand.percent)} %)" for demand in DEMANDS)
    with st.expander("Requirements"):
        return {
            "goal": picker("goal", "Goal", GOAL_NAMES, help=_GOAL_HELP),
            "task": choice("task", "Task", SCORED_TASKS, help="Whose quality counts; chat is the average of all."),
            "min_quality": text(
                "min_quality",
                "Least quality",
                placeholder="not asked for",
                help=f"Percent of the 16-bit score to keep, or a word: {words}.",
            ),
            "min_tokens_per_s": number(
                "min_tokens_per_s",
                "Least tokens/s per user",
                step=1.0,
                placeholder="not asked for",
                help="People read about 5 a second.",
            ),
            "max_first_token_s": number(
                "max_first_token_s", "Most seconds to the first token", step=1.0, placeholder="not asked for"
            ),
            "max_cost_per_month": number(
                "max_cost_per_month",
                "Most money a month",
                step=100.0,
                placeholder="not asked for",
                help="In the chosen currency, for the machine, owned or rented.",
            ),
            "commercial": switch("commercial", "For commercial use", help="Leaves out licences that forbid it."),
            "own_hardware": switch("own_hardware", "Data stays on own hardware", help="Renting and APIs do not count."),
        }
