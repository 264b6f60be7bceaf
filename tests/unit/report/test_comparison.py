"""Questions side by side: what differs, and which is best."""

from __future__ import annotations

import io
from functools import cache

import pytest
from pypdf import PdfReader

from advisor.answer.answer import Answer, answer
from advisor.answer.verdict import leading
from advisor.foundation.errors import InputError
from advisor.foundation.numbers import money
from advisor.quality.scale import compared
from advisor.question.question import Question
from advisor.report.comparison import GROUPS, Cell, Row, compare, question_of_link
from advisor.report.comparison_pdf import comparison_pdf

QUERIES = (
    "model=llama-3.3-70b-instruct&machine=rtx-3090&gpus=2",
    "model=qwen3-32b&machine=rtx-4090",
    "model=llama-3.3-70b-instruct&machine=rtx-4060-ti-8gb",
)


@cache
def asked() -> tuple[Answer, ...]:
    return tuple(answer(Question.from_query(query)) for query in QUERIES)


def by_name() -> dict[str, Row]:
    return {row.name: row for row in compare(asked())}


def test_rows_stand_in_groups_and_say_what_the_answers_say() -> None:
    rows = compare(asked())
    groups = [row.group for row in rows]
    assert groups == sorted(groups, key=GROUPS.index)
    found = by_name()
    assert found["Model"].values == tuple(one.entry.name for one in asked())
    assert found["Status"].values == tuple(one.status for one in asked())
    other = leading(asked()[2])
    assert other is not None
    assert found["Run instead"].values == ("–", "–", f"{other.entry.name} as {other.found.shown.level}")
    for row in rows:
        if row.group in GROUPS[3:]:
            assert row.values[2] == "–", row.name  # nothing of what does not run


def test_the_best_of_a_row_is_the_best_by_its_figures() -> None:
    found, shown = by_name(), [one.shown for one in asked()]
    assert found["Status"].best == {0, 1}
    speeds = [shown[place].tokens_per_s for place in (0, 1)]
    assert speeds[0] is not None
    assert speeds[1] is not None
    assert speeds[1].typical > 1.1 * speeds[0].typical
    assert found["Tokens/s for each user"].best == {1}
    assert found["File"].best == {1}
    assert not found["Quality kept"].best  # within what can be seen
    prices = [one.own_monthly for one in shown[:2]]
    assert prices[0] is not None
    assert prices[1] is not None
    assert found["Own, a month"].best == {0 if prices[0] < prices[1] else 1}
    assert found["Own, a month"].values[0].startswith(f"{money(prices[0])} USD")
    assert not found["Model"].best


def test_which_model_is_more_able_is_said_where_scores_say_it() -> None:
    row = next(row for name, row in by_name().items() if name.startswith("The model itself"))
    assert compared("qwen3-32b", "llama-3.3-70b-instruct", "chat") == "better"
    assert row.values == ("weaker than B", "better than A and C", "weaker than B")
    assert row.best == {1}


def test_figures_that_nobody_tells_apart_share_the_mark() -> None:
    def best(alike: str, *worth: float | None) -> set[int]:
        cells = tuple(Cell(str(one), one) for one in worth)
        return set(Row("Speed", "x", cells, "best", alike).best)  # type: ignore[arg-type]

    assert best("equal", 3, 3, 2) == {0, 1}
    assert best("points", 99.9, 99.7, 99.0) == {0, 1}
    assert best("tenth", 100, 92, 80) == {0, 1}
    assert best("tenth", -100, -108, -120) == {0, 1}  # costs
    assert best("equal", 1, None) == set()  # nothing to compare with
    assert best("points", 99.9, 99.7) == set()  # all alike


def test_money_of_two_currencies_is_not_ranked() -> None:
    found = answer(Question.from_query(f"{QUERIES[1]}&currency=EUR"))
    row = {row.name: row for row in compare([asked()[0], found])}["Own, a month"]
    assert row.values[0].split()[1] == "USD"
    assert row.values[1].split()[1] == "EUR"
    assert not row.best


def test_a_comparison_knows_links_of_any_host_and_marks_equals_as_equal() -> None:
    one = question_of_link("http://127.0.0.1:8501/compare?model=gpt-oss-20b&users=2")
    assert one == Question.of(model="gpt-oss-20b", users=2)
    rows = compare([answer(one), answer(one)])
    assert not any(row.differs or row.best for row in rows)


@pytest.mark.parametrize("text", ["nonsense", "https://example.org/", "http://[", "model=no=1&x"])
def test_what_is_no_link_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(InputError):
        question_of_link(text)


def test_more_than_four_are_refused() -> None:
    with pytest.raises(InputError, match="at most 4"):
        compare([asked()[0]] * 5)


def test_the_pdf_holds_every_row_its_marks_and_its_link() -> None:
    link = f"https://example.org/compare?{QUERIES[0]}&columns=model~qwen3-32b"
    made = comparison_pdf(asked(), "ABD", link)
    assert made == comparison_pdf(asked(), "ABD", link)  # no clock of its own
    read = PdfReader(io.BytesIO(made))
    text = " ".join(" ".join(page.extract_text() for page in read.pages).split())
    assert read.metadata is not None
    assert read.metadata.title == "3 ways compared"
    for row in compare(asked(), "ABD"):
        assert row.name in text
    assert "✓ fastest" in text
    assert "D: Llama 3.3 70B Instruct on GeForce RTX 4060 Ti 8GB" in text
    assert link in "".join(text.split())
