"""Sources: where the numbers come from, and the same question elsewhere."""

from __future__ import annotations

from advisor.answer.answer import Answer
from advisor.ui.parts import sources


def draw(answer: Answer) -> None:
    """Draw the tab."""
    sources.draw(answer)
