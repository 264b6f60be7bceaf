"""Speed of the plan, with its formula and published measurements."""

from __future__ import annotations

from advisor.answer.answer import Answer
from advisor.ui.parts import speed_view


def draw(answer: Answer) -> None:
    """Draw the tab."""
    speed_view.draw(answer.shown)
