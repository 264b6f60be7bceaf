"""The page of the article's cases as Streamlit draws it, without a browser."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from advisor.answer.worked_cases import CASES, worked
from advisor.ui.parts.text import plain
from advisor.ui.views.article import is_same, verdict
from advisor.words import say


@pytest.fixture(scope="module")
def page() -> AppTest:
    def script() -> None:
        from advisor.ui.views.article import draw

        draw()

    test = AppTest.from_function(script, default_timeout=240)
    test.run()
    assert not test.exception
    return test


def test_the_page_shows_every_case_with_its_verdict_and_its_question(page: AppTest) -> None:
    assert page.title[0].value == "The article's cases"
    assert [one.value for one in page.header] == [plain(say(case.says, "page")) for case in CASES]
    told = "\n".join(part.value for part in page.markdown)
    links = [link.proto.url for link in page.get("link_button")]
    overview = page.dataframe[0].value
    assert list(overview["verdict"]) == [verdict(worked(case)) for case in CASES]
    for case in CASES:
        found = worked(case)
        assert f"[{verdict(found)}]**" in told
        assert found.outcome in verdict(found)
        assert all(plain(say(one, "page")) in told for one in found.facts)
        if len(found.asked) <= 4:
            assert all(f"./?{one.query}" in links for one in found.asked)
        else:
            assert any(is_same(link.removeprefix("./?"), case.query) for link in links)


def test_every_question_of_a_survey_can_be_opened(page: AppTest) -> None:
    tables = [table.value for table in page.dataframe[1:]]
    surveys = [worked(case) for case in CASES if len(worked(case).asked) > 4]
    assert len(tables) == len(surveys)
    for table, found in zip(tables, surveys, strict=True):
        assert list(table["machine"]) == [one.machine for one in found.asked]
        assert all(link.endswith(one.query) for link, one in zip(table["ask"], found.asked, strict=True))


def test_each_method_has_a_picture_with_a_description(page: AppTest) -> None:
    pictures = [chart.proto for chart in page.get("plotly_chart")]
    assert len(pictures) == 3
    assert all(len(picture.alt) > 40 for picture in pictures)
