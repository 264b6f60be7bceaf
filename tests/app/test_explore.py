"""The pages for reverse questions, quality and comparison as Streamlit draws them, without a browser."""

from __future__ import annotations

from typing import Any

from streamlit.testing.v1 import AppTest

from advisor.answer.answer import answer
from advisor.answer.machines_for_model import machines_for
from advisor.answer.models_for_machine import models_on
from advisor.answer.status import STATUSES
from advisor.answer.verdict import leading
from advisor.quality.claims import claims
from advisor.question.question import Question
from advisor.report.comparison import compare, question_of_link
from advisor.ui.parts.text import status_words
from advisor.words import say


def drawn(page: str, values: dict[str, Any], **state: str) -> AppTest:
    """One page drawn for what the inputs hold."""

    def script(page: str, values: dict[str, object]) -> None:
        import importlib

        from advisor.ui.asking import ask

        importlib.import_module(f"advisor.ui.views.{page}").draw(ask(values, {}))

    test = AppTest.from_function(script, default_timeout=120, kwargs={"page": page, "values": values})
    for key, value in state.items():
        test.session_state[key] = value
    test.run()
    assert not test.exception
    return test


def told(test: AppTest) -> str:
    return "\n".join(part.value.replace("\\", "") for part in test.markdown)


def test_what_runs_here_shows_the_engines_answer() -> None:
    values = {"model": "llama-3.1-8b-instruct", "machine": "rtx-3060-12gb", "context": 4096}
    page = drawn("explore", values)
    rows = [row for row in models_on(Question.from_values(values)) if row.chosen is not None]
    table = page.dataframe[0].value
    assert list(table["model"]) == [row.entry.name for row in rows]
    assert list(table["level"]) == [row.chosen.level for row in rows if row.chosen is not None]
    assert list(table["status"]) == [status_words(row.status) for row in rows]
    statuses = [row.status for row in rows]
    assert statuses == sorted(statuses, key=STATUSES.index)
    assert f"{len(rows)} of " in told(page)
    assert f"; {statuses.count('good')} of them run well." in told(page)
    assert not page.error
    page.text_input(key="explore_filter").set_value("qwen2.5 7b").run()
    filtered = list(page.dataframe[0].value["model"])
    assert "Qwen2.5 7B Instruct" in filtered
    assert all("7B" in name and "Qwen2.5" in name for name in filtered)
    page.text_input(key="explore_filter").set_value("no such model").run()
    assert page.info[-1].value.startswith("No model")


def test_what_to_buy_marks_the_cheapest() -> None:
    values = {"model": "llama-3.1-8b-instruct", "min_quality": "small", "min_tokens_per_s": 20}
    page = drawn("machines", values)
    found = machines_for(Question.from_values(values))
    assert found.cheapest is not None
    table = page.dataframe[0].value
    assert len(table) == len(found.machines)
    assert [name for name in table["machine"] if name.startswith("★")] == [f"★ {found.cheapest.name}"]
    statuses = [row.option.status for row in found.machines]
    assert statuses == sorted(statuses, key=STATUSES.index)
    assert list(table["status"]) == [status_words(status) for status in statuses]
    assert page.header[0].value.replace("\\", "").startswith(f"{found.cheapest.name}: ")
    assert page.header[0].value.endswith(":green[✔ good]")


def test_what_to_buy_is_the_cheapest_of_what_runs_it_well() -> None:
    """A card that is too small for it, with a part in RAM, is cheaper and no bargain."""
    found = machines_for(Question.of(model="llama-3.1-70b-instruct", host_memory_gib=128))
    best = found.cheapest
    assert best is not None
    assert best.option.status == "good"
    assert best.chosen.is_whole
    alike = [row for row in found.machines if row.option.status == "good" and row.chosen.is_whole and row.monthly]
    assert best.monthly == min(row.monthly or 0 for row in alike)
    assert any((row.monthly or 1e9) < (best.monthly or 0) for row in found.machines)
    page = drawn("machines", {"model": "llama-3.1-70b-instruct", "host_memory_gib": 128})
    assert best.name in page.header[0].value.replace("\\", "")


def test_what_no_machine_can_do_is_said() -> None:
    page = drawn("machines", {"model": "llama-3.1-8b-instruct", "context": 131_072, "users": 65_536})
    assert page.warning[0].value.startswith("No machine of the catalogue")
    assert not page.dataframe


def test_quality_shows_every_task_the_evidence_and_the_claims() -> None:
    page = drawn("quality", {"model": "llama-3.1-8b-instruct", "machine": "rtx-4090"})
    by_task = next(table.value for table in page.dataframe if "basis" in table.value)
    found = answer(Question.of(model="llama-3.1-8b-instruct", machine="rtx-4090"))
    assert found.chosen is not None
    assert len(by_task) == 9
    assert by_task["typical"].iloc[0] == found.chosen.quality_at("chat").typical
    evidence = next(table.value for table in page.dataframe if "source" in table.value)
    assert all(url.startswith("https://") for url in evidence["source"])
    words = told(page)
    for claim in claims():
        assert say(claim.sentence) in words
    assert page.get("plotly_chart")


def test_a_model_without_scores_says_so() -> None:
    page = drawn("quality", {"model": "bge-m3", "machine": "rtx-4090"})
    assert "embedding" in page.info[0].value


def test_questions_side_by_side_with_differences_marked() -> None:
    lines = "model=gpt-oss-20b&machine=rtx-4090\nhttps://example.org/?model=llama-3.1-8b-instruct&machine=rtx-4090"
    page = drawn("compare", {"model": "llama-3.1-8b-instruct", "machine": "rtx-4090"}, compare_lines=lines)
    table = page.dataframe[0].value
    assert list(table.columns) == ["What", "This scenario", "Scenario 2"]  # the second line is the first again
    by_name = table.set_index("What")
    assert by_name.loc["≠ Model", "This scenario"] == "Llama 3.1 8B Instruct"
    assert by_name.loc["Machine", "Scenario 2"] == "GeForce RTX 4090"
    assert by_name.loc["≠ Recommended level", "Scenario 2"] == "MXFP4"
    assert by_name.loc["Status", "Scenario 2"] == "good"


def test_a_comparison_shows_what_runs_badly_as_such_and_pins_as_another_scenario() -> None:
    lines = (
        "model=llama-3.1-70b-instruct&machine=rtx-4090&level=Q2_K\n"
        "model=llama-3.1-70b-instruct&machine=rtx-4060-ti-8gb\n"
        "model=llama-3.1-8b-instruct&machine=rtx-4090&kv_type_k=f16"
    )
    page = drawn("compare", {"model": "llama-3.1-8b-instruct", "machine": "rtx-4090"}, compare_lines=lines)
    by_name = page.dataframe[0].value.set_index("What")
    assert len(by_name.columns) == 4
    assert list(by_name.loc["≠ Status"])[:3] == ["good", "does not fit", "does not fit"]
    assert by_name.loc["≠ Run instead", "This scenario"] == "–"
    for scenario, line in zip(("Scenario 2", "Scenario 3"), lines.splitlines(), strict=False):
        other = leading(answer(question_of_link(line)))
        assert other is not None
        assert str(by_name.loc["≠ Run instead", scenario]).startswith(other.entry.name)


def test_a_bad_line_and_one_too_many_are_said() -> None:
    lines = "nonsense\n" + "\n".join(f"model=gpt-oss-20b&context={size}" for size in (1000, 2000, 3000, 4000))
    page = drawn("compare", {"model": "gpt-oss-20b"}, compare_lines=lines)
    said = [one.value.replace("\\", "") for one in page.warning]
    assert said[0].startswith("Line 1: ")
    assert said[1].startswith("At most 4 scenarios")
    assert len(page.dataframe[0].value.columns) == 5


def test_the_current_question_is_added_once() -> None:
    page = drawn("compare", {"model": "gpt-oss-20b"})
    for _ in range(2):
        page.button[0].click().run()
    assert page.session_state["compare_lines"] == "model=gpt-oss-20b&machine=rtx-4090"


def test_a_comparison_knows_links_of_any_host_and_marks_equals_as_equal() -> None:
    one = question_of_link("http://127.0.0.1:8501/compare?model=gpt-oss-20b&users=2")
    assert one == Question.of(model="gpt-oss-20b", users=2)
    assert not any(row.differs for row in compare([answer(one), answer(one)]))
