"""What every answer needs, loaded at once."""

from __future__ import annotations


def load_all() -> None:
    """Load code and tables before the first visitor comes; raises what a broken data file raises."""
    import pandas  # noqa: F401
    import plotly.graph_objects  # noqa: F401

    from advisor.answer.answer import answer
    from advisor.answer.data_check import check_data
    from advisor.question.question import Question
    from advisor.report.from_answer import report_of

    check_data()
    report_of(answer(Question.from_values({})))
