"""Files: what is published, what the model comes to in other formats, and every command for the plan."""

from __future__ import annotations

from advisor.answer.answer import Answer
from advisor.ui.parts import known_files, other_formats, published, run_view


def draw(answer: Answer) -> None:
    """Draw the tab."""
    if answer.shown.plan.verdict != "does not fit":
        run_view.draw(answer, answer.shown)
    known_files.draw(answer)
    published.draw(answer.entry, answer.model, answer.question.model.imatrix)
    other_formats.draw(answer.model)
