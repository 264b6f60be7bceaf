"""Compare as Streamlit draws it, without a browser: its columns live in the address."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from urllib.parse import parse_qs, urlencode, urlsplit

from streamlit.testing.v1 import AppTest

from advisor.answer.answer import answer
from advisor.machines.catalogue import machine
from advisor.question.question import Question
from advisor.report.columns import COLUMNS_KEY, question_of_column, read_columns
from advisor.report.comparison import compare
from advisor.ui.picking import Asked, offer_for

BASE = "model=llama-3.1-8b-instruct&machine=rtx-4090"
TWO = "model~gpt-oss-20b~machine~rtx-4090~~machine~rtx-3060-12gb"


def opened(columns: str = "", query: str = BASE) -> AppTest:
    def script() -> None:
        from advisor.ui import state
        from advisor.ui.asking import ask
        from advisor.ui.views import compare

        compare.draw(ask(state.read()))

    test = AppTest.from_function(script, default_timeout=120)
    for key, values in parse_qs(query).items():
        test.query_params[key] = values[0]
    if columns:
        test.query_params[COLUMNS_KEY] = columns
    return test.run()


def in_address(test: AppTest) -> str:
    assert not test.exception
    return "".join(test.query_params.get(COLUMNS_KEY, ""))


def asked(test: AppTest) -> list[str]:
    """The questions that the columns in the address ask."""
    base = Question.from_query(BASE)
    return [question_of_column(base, changes).to_query() for changes in read_columns(in_address(test))]


def pick(test: AppTest, column: int, key: str, typed: str) -> None:
    """Take the best match for what is typed into a picker of a column, as its link does."""
    link = urlencode({key: "".join(values) for key, values in test.query_params.items()})
    offer = offer_for(typed, Asked(link, key, column))
    assert offer.best is not None
    test.query_params.clear()
    for name, values in parse_qs(offer.choices[offer.best].query).items():
        test.query_params[name] = values[0]
    test.run()


def shown_in_pickers(test: AppTest) -> list[str]:
    bodies = [one.proto.body for one in test.get("html") if "data-column" in one.proto.body]
    return [re.search(r'value="([^"]*)"', body)[1] for body in bodies]  # type: ignore[index]


def html(test: AppTest, holding: str) -> ET.Element:
    found = next(one.proto.body for one in test.get("html") if holding in one.proto.body)
    return ET.fromstring(f"<div>{found}</div>")


def rows(test: AppTest) -> dict[str, list[str]]:
    """Cells of the table by the name of their row."""
    found = {}
    for row in html(test, "<table>").iter("tr"):
        name, *cells = ["".join(cell.itertext()) for cell in row]
        if cells:
            found[name] = cells
    return found


def told(test: AppTest) -> list[str]:
    return [one.value.replace("\\", "") for one in test.warning]


def test_the_address_is_the_comparison() -> None:
    page = opened(TWO)
    shown = rows(page)
    found = [answer(Question.from_query(query)) for query in (BASE, *asked(page))]
    assert [cell.partition(": ")[0] for cell in shown["What"]] == ["A", "B", "C"]
    for row in compare(found):
        for place, (text, cell) in enumerate(zip(row.values, shown[row.name], strict=True)):
            assert text in cell
            assert (f"★ {row.mark}" in cell) == (place in row.best)
    machines = ["GeForce RTX 4090", machine("rtx-3060-12gb").name]
    assert shown_in_pickers(page) == ["gpt-oss 20B", machines[0], "Llama 3.1 8B Instruct", machines[1]]
    links = [link.attrib["href"] for link in html(page, "<table>").iter("a")]
    assert links == [f"./?{one.question.to_query()}" for one in found]
    copied = html(page, "Hand it on").findtext(".//pre") or ""
    assert parse_qs(urlsplit(copied).query)[COLUMNS_KEY] == [TWO]
    assert urlsplit(copied).path == "/compare"


def test_a_picker_changes_its_column_in_the_address_and_no_other() -> None:
    page = opened(TWO)
    pick(page, 0, "machine", "5090")
    assert asked(page) == [
        "model=gpt-oss-20b&machine=rtx-5090",
        "model=llama-3.1-8b-instruct&machine=rtx-3060-12gb",
    ]
    pick(page, 1, "model", "qwen3 14b")
    page.selectbox(key="compare_1_level").set_value("Q4_K_M").run()
    page.selectbox(key="compare_1_gpus").set_value(2).run()
    assert asked(page) == [
        "model=gpt-oss-20b&machine=rtx-5090",
        "model=qwen3-14b&machine=rtx-3060-12gb&gpus=2&level=Q4_K_M",
    ]
    assert rows(page)["Model"] == ["Llama 3.1 8B Instruct", "gpt-oss 20B", "Qwen3 14B"]
    assert rows(page)["Level"][2] == "Q4_K_M"
    page.selectbox(key="compare_1_level").set_value("").run()
    assert asked(page)[1] == "model=qwen3-14b&machine=rtx-3060-12gb&gpus=2"


def test_the_question_is_added_as_it_is_and_stays_when_the_bar_changes() -> None:
    page = opened()
    assert len(rows(page)["Model"]) == 1
    page.button(key="compare_add").click().run()
    assert asked(page) == [BASE]
    page.query_params["model"] = "qwen3-14b"
    page.query_params["context"] = "4096"
    page.run()
    assert rows(page)["Model"] == ["Qwen3 14B", "Llama 3.1 8B Instruct"]
    assert rows(page)["Context per user"] == ["4,096 tokens", "4,096 tokens"]
    page.button(key="compare_0_remove").click().run()
    assert not in_address(page)
    assert len(rows(page)["Model"]) == 1
    again = html(page, "What you compared last").find(".//a")
    assert again is not None
    assert "columns=" in again.attrib["href"]


def test_a_link_is_added_with_all_that_is_different_in_it() -> None:
    page = opened()
    page.text_input(key="compare_link").set_value("https://a.org/?model=gpt-oss-20b&machine=rtx-5090&users=3").run()
    assert asked(page) == ["model=gpt-oss-20b&machine=rtx-5090&users=3"]
    assert rows(page)["Users"] == ["1", "3"]
    page.text_input(key="compare_link").set_value("nonsense").run()
    assert told(page)[0].startswith("The query is not of the form")
    assert len(asked(page)) == 1
    page.run()
    assert not told(page)


def test_choices_of_the_decision_are_offered_as_columns() -> None:
    page = opened(query="model=llama-3.3-70b-instruct&machine=rtx-3090&gpus=2")
    links = [link.attrib["href"] for link in html(page, "Beside it").iter("a")]
    assert links
    for link in links:
        (text,) = parse_qs(urlsplit(link).query)[COLUMNS_KEY]
        assert read_columns(text)


def test_four_fit_and_no_more() -> None:
    three = "~~".join(f"machine~rtx-4090~users~{count}" for count in (2, 3, 4))
    page = opened(three)
    assert rows(page)["Users"] == ["1", "2", "3", "4"]
    assert not [one for one in page.button if one.key == "compare_add"]
    page = opened(f"{three}~~users~5")
    assert told(page) == [
        "The link compares 5 questions; at most 4 fit side by side. Only the question above is shown."
    ]
    assert rows(page)["Users"] == ["1"]


def test_a_column_that_cannot_be_answered_says_so_and_the_others_stand() -> None:
    page = opened("machine~rtx-409~~machine~apple-m4-max-40c-128gb~gpus~2~~model~gpt-oss-20b")
    assert [cell.partition(": ")[0] for cell in rows(page)["What"]] == ["A", "D"]
    assert any(part.value.replace("\\", "").startswith("There is no machine 'rtx-409'") for part in page.markdown)
    assert any(one.startswith("C: ") and "one device" in one for one in told(page))


def test_what_runs_badly_is_shown_as_such_with_what_to_run_instead() -> None:
    page = opened("model~llama-3.3-70b-instruct~machine~rtx-4060-ti-8gb")
    shown = rows(page)
    assert shown["Status"][0].startswith("✔ good")
    assert shown["Status"][1] == "✖ does not fit"
    assert shown["Run instead"][0] == "–"
    assert " as " in shown["Run instead"][1]
    page.toggle(key="compare_differences").set_value(True).run()
    assert "Users" not in rows(page)
    assert "Model" in rows(page)
