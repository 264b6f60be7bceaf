"""The article's claims as Streamlit draws them, without a browser."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from advisor.answer.case import Case, Worked
from advisor.answer.worked_cases import CASES, worked
from advisor.ui.parts.html import question_href
from advisor.ui.parts.text import plain
from advisor.ui.views import article
from advisor.ui.views.article import is_same, verdict
from advisor.words import say
from tests.support.html_tables import html_tables

_SURVEYED = [case for case in CASES if len(worked(case).asked) > 4]


def drawn(**held: bool) -> AppTest:
    """The tab where these inputs hold that."""

    def script() -> None:
        from advisor.ui.views.article import draw

        draw()

    page = AppTest.from_function(script, default_timeout=60)
    for key, value in held.items():
        page.session_state[key] = value
    page.run()
    assert not page.exception
    return page


def links(page: AppTest) -> str:
    return "".join(one.proto.body for one in page.get("html")).replace("&amp;", "&")


def test_nothing_is_asked_before_a_claim_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Case] = []

    def noted(case: Case) -> Worked:
        asked.append(case)
        return worked(case)

    monkeypatch.setattr(article, "worked", noted)
    page = drawn()
    assert [one.label for one in page.expander] == [plain(say(case.says, "page")) for case in CASES]
    assert asked == []
    page = drawn(**{f"claim_{CASES[1].id}": True})
    assert asked == [CASES[1]]
    assert f"[{verdict(worked(CASES[1]))}]**" in "\n".join(part.value for part in page.markdown)


def test_opened_claims_show_their_verdicts_and_their_questions() -> None:
    page = drawn(all_claims=True, **{f"claim_{case.id}": True for case in CASES})
    told = "\n".join(part.value for part in page.markdown)
    overview, *answers = html_tables(page)
    assert list(overview["Verdict"]) == [verdict(worked(case)) for case in CASES]
    for case in CASES:
        found = worked(case)
        assert f"[{verdict(found)}]**" in told
        assert found.outcome in verdict(found)
        assert all(plain(say(one, "page")) in told for one in found.facts)
        shown = [one for one in found.asked if f'href="{question_href(one.query)}"' in links(page)]
        assert len(shown) == len(found.asked)
        assert case not in _SURVEYED or any(is_same(one.query, case.query) for one in shown)
    assert len(answers) == len(_SURVEYED)
    for table, case in zip(answers, _SURVEYED, strict=True):
        assert list(table["Machine"]) == [one.machine for one in worked(case).asked]
    pictures = [chart.proto for chart in page.get("plotly_chart")]
    assert len(pictures) == 3
    assert all(len(picture.alt) > 40 for picture in pictures)
