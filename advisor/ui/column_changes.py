"""What a picker of a comparison does to its column. Knows no Streamlit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from advisor.foundation.errors import InputError
from advisor.question.question import Question
from advisor.report.columns import Changes, changes_of, question_of_column, written
from advisor.ui.link import changed_link


def with_change(
    base: Question, columns: Sequence[Changes], place: int, changes: Mapping[str, Any]
) -> tuple[Changes, ...]:
    """The columns where the one in this place asks something else; None takes a key back to its default.

    Raises InputError in one sentence where there is no such question.
    """
    if not 0 <= place < len(columns):
        raise InputError("There is no column {number} in the link.", number=place + 1)
    changed = changed_link(written(question_of_column(base, columns[place])), changes)
    return (*columns[:place], changes_of(Question.from_values(changed), base), *columns[place + 1 :])
