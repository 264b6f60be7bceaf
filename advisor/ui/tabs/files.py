"""Files: what is published, what the model comes to in other formats, and every command for the plan."""

from __future__ import annotations

from advisor.answer.answer import Answer
from advisor.ui.parts import known_files, other_formats, published, run_view
from advisor.ui.parts.fold import fold


def draw(answer: Answer) -> None:
    """Draw the tab."""
    known_files.draw(answer)
    published.draw(answer.entry, answer.model, answer.question.model.imatrix)
    other_formats.draw(answer.model, answer.entry.entry)
    if answer.shown.plan.verdict != "does not fit":
        title = f"Every command for {answer.shown.level}, and how to make the file"
        fold(title, "fold_commands", run_view.draw, answer, answer.shown)
