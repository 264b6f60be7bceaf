"""Reports in German and French: the same on paper and on the page, in the signs of the country and without English."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from advisor.answer.answer import answer
from advisor.question.question import Question
from advisor.report.document import ReportDocument
from advisor.report.from_answer import report_of
from advisor.words import speaking
from tests.support.one_source import paper_and_page

ASKED = (
    "model=llama-3.3-70b-instruct&machine=rtx-3090&gpus=2",
    "model=gpt-oss-120b&machine=rtx-4090&host_memory_gib=96&currency=EUR&country=DE",
    "model=qwen3-235b-a22b&machine=a100-sxm4-80gb&gpus=4&requests_per_day=50&currency=CHF&country=CH",
    "model=qwen3-32b&machine=h100-sxm5-80gb&users=50&requests_per_day=5000&buyer=data-centre",
)
ENGLISH = re.compile(
    r"\b(the|of|and|with|for|each|average|marketplace|used|limit|hour|business|household|month)\b", re.I
)
UNGROUPED = re.compile(r"(?<!RTX )(?<![\w.,'/-])(?!20[0-4]\d\b)\d{4,}(?![\w/-])")


def told_in(document: ReportDocument) -> Iterator[str]:
    """What it says, without calculations, commands and the names of sources."""
    brief, appendix = document.brief, document.appendix
    assert brief is not None
    assert brief.ways is not None
    yield from (brief.decision, brief.beside, brief.load, brief.look_again, *brief.sure, *brief.changes)
    yield from (text for one in (*brief.money, *brief.gets) for text in (one.label, one.between, one.words, one.as_of))
    yield from (cell for row in brief.ways.rows for cell in row)
    yield from (row.what for row in appendix.sources)
    yield from (f"{one.label} {one.value}" for one in appendix.assumptions)
    yield from (text for one in (*document.model, *document.machine) for text in (one.label, one.value, one.note))
    yield from (*document.risks, *document.next_steps, *document.not_included, *document.why)


@pytest.mark.parametrize("language", ["de-CH", "fr-CH"])
@pytest.mark.parametrize("query", ASKED)
def test_no_english_and_no_number_without_its_signs_is_left(query: str, language: str) -> None:
    with speaking(language):
        document = report_of(answer(Question.from_query(query)))
    said = list(told_in(document))
    assert len(said) > 60
    assert [text for text in said if ENGLISH.search(text)] == []
    assert [text for text in said if UNGROUPED.search(text)] == []
    if language.startswith("de"):
        assert [text for text in said if "ß" in text or re.search(r"\d,\d", text)] == []
    else:
        assert [text for text in said if re.search(r"\w[:;!?] ", text) and "://" not in text] == []


@pytest.mark.parametrize("language", ["de-CH", "fr-CH"])
def test_paper_and_page_say_the_same(language: str) -> None:
    with speaking(language):
        assert list(paper_and_page(report_of(answer(Question.from_query(ASKED[0]))))) == []
