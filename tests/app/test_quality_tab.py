"""The tab Quality as Streamlit draws it, without a browser."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from advisor.answer.answer import answer
from advisor.quality.claims import claims
from advisor.question.question import Question
from advisor.words import say


def drawn(query: str) -> AppTest:
    def script(query: str) -> None:
        from advisor.answer.answer import answer
        from advisor.question.question import Question
        from advisor.ui.tabs import quality

        quality.draw(answer(Question.from_query(query)))

    test = AppTest.from_function(script, default_timeout=120, kwargs={"query": query}).run()
    assert not test.exception
    return test


def test_quality_shows_every_task_the_evidence_and_the_claims() -> None:
    query = "model=llama-3.1-8b-instruct&machine=rtx-4090"
    page = drawn(query)
    by_task = next(table.value for table in page.dataframe if "basis" in table.value)
    found = answer(Question.from_query(query))
    assert found.chosen is not None
    assert len(by_task) == 9
    assert by_task["typical"].iloc[0] == found.chosen.quality_at("chat").typical
    evidence = next(table.value for table in page.dataframe if "source" in table.value)
    assert all(url.startswith("https://") for url in evidence["source"])
    words = "\n".join(part.value.replace("\\", "") for part in page.markdown)
    for claim in claims():
        assert say(claim.sentence) in words
    assert page.get("plotly_chart")


def test_a_model_without_scores_says_so() -> None:
    page = drawn("model=bge-m3&machine=rtx-4090")
    assert "embedding" in page.info[0].value
