"""The tab Quality as Streamlit draws it, without a browser."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from advisor.answer.answer import answer
from advisor.quality import SCORED_TASKS
from advisor.quality.claims import claims
from advisor.quality.scale import original_scores
from advisor.quality.tasks import PERPLEXITY
from advisor.question.question import Question
from advisor.words import say
from tests.support.pages import html, sections


def drawn(query: str, *folds: str) -> AppTest:
    def script(query: str) -> None:
        from advisor.answer.answer import answer
        from advisor.question.question import Question
        from advisor.ui.tabs import quality

        quality.draw(answer(Question.from_query(query)))

    test = AppTest.from_function(script, default_timeout=120, kwargs={"query": query})
    for fold in folds:
        test.session_state[f"fold_{fold}"] = True
    test.run()
    assert not test.exception
    return test


def test_quality_shows_every_task_the_evidence_and_the_claims() -> None:
    query = "model=llama-3.1-8b-instruct&machine=rtx-4090"
    page = drawn(query, "evidence", "claims")
    found = answer(Question.from_query(query))
    assert found.chosen is not None
    by_task = next(part for part in sections(html(page), "<table") if ">Measured by<" in part)
    rows = [row for row in sections(by_task, "<tr") if "<td" in row]
    assert len(rows) == 9
    for row, task in zip(rows, (*SCORED_TASKS, PERPLEXITY), strict=True):
        quality = found.chosen.quality_at(task)
        assert quality.low is not None
        assert quality.high is not None
        assert f">{quality.typical:.1f} %<" in row
        assert f">{quality.low:.1f} to {quality.high:.1f} %<" in row
        sign = {"measured": "●", "transferred": "◐", "estimated": "○"}[quality.basis]
        assert sign in row
    evidence = next(part for part in sections(html(page), "<table") if ">Where in it<" in part)
    lines = [row for row in sections(evidence, "<tr") if "<td" in row]
    assert len(lines) == len(found.chosen.quality.evidence) > 0
    assert all('<a href="https://' in line for line in lines)
    published = next(part for part in sections(html(page), "<table") if ">Original<" in part)
    for score in original_scores("llama-3.1-8b-instruct", "chat"):
        assert score.benchmark in published
        assert score.source_url in published
    words = "\n".join(part.value.replace("\\", "") for part in page.markdown)
    for claim in claims():
        assert say(claim.sentence) in words
    assert page.get("plotly_chart")


def test_a_model_without_scores_says_so() -> None:
    page = drawn("model=bge-m3&machine=rtx-4090")
    assert "embedding" in page.info[0].value
