"""Models for a machine and Machines for a model as Streamlit draws them, without a browser."""

from __future__ import annotations

import csv
import io
import re
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from advisor.answer import machines_for_model, models_for_machine
from advisor.answer.answer import answer
from advisor.answer.machines_for_model import machines_for, machines_tried
from advisor.answer.models_for_machine import models_on, models_tried
from advisor.answer.status import STATUSES
from advisor.foundation.numbers import money, rough
from advisor.machines.catalogue import machines
from advisor.models.catalogue import catalogue
from advisor.question.question import Question
from advisor.ui import machine_rows, model_rows
from advisor.ui.parts.long_table import FIRST
from advisor.ui.parts.text import status_words
from advisor.ui.sweeps import Progress
from advisor.ui.views.machines_for_model import machines_csv
from advisor.ui.views.models_for_machine import models_csv

# Fewer than all: what the pages make of them is the same. Contexts of their own keep them out of other tests' caches.
MODELS = (
    *("llama-3.3-70b-instruct", "qwen3-32b", "qwen3-8b", "gpt-oss-20b", "gemma-3-27b-it", "deepseek-v3"),
    *("llama-3.2-1b-instruct", "qwen2.5-7b-instruct", "bge-m3", "gemma-4-31b-it"),
)
MACHINES = (
    *("rtx-3090", "rtx-4090", "rtx-3060-12gb", "a100-sxm4-80gb", "h100-sxm5-80gb", "rx-7900-xtx"),
    *("apple-m4-max-40c-128gb", "cpu-dual-ddr5-6000", "nvidia-l40s"),
)
ON_A_CARD = "machine=rtx-4090&context=4093"
FOR_A_70B = "model=llama-3.3-70b-instruct&context=4093"


@pytest.fixture(scope="module", autouse=True)
def few() -> Iterator[None]:
    """A small catalogue for whoever tries all of it."""
    models = {name: entry for name, entry in catalogue().items() if name in MODELS}
    some = {name: machine for name, machine in machines().items() if name in MACHINES}
    assert len(models) == len(MODELS)
    assert len(some) == len(MACHINES)
    with pytest.MonkeyPatch.context() as patched:
        for place in (models_for_machine, model_rows):
            patched.setattr(place, "catalogue", lambda: models)
        for where in (machines_for_model, machine_rows):
            patched.setattr(where, "machines", lambda: some)
        yield


def visit(page: str, query: str) -> AppTest:
    """The page as it is first drawn."""

    def script(page: str) -> None:
        import importlib

        from advisor.ui import state
        from advisor.ui.asking import ask

        importlib.import_module(f"advisor.ui.views.{page}").draw(ask(state.read()))

    test = AppTest.from_function(script, default_timeout=120, kwargs={"page": page})
    for key, value in Question.from_query(query).chosen().items():
        test.query_params[key] = str(value)
    return test.run()


def drawn(page: str, query: str) -> AppTest:
    """The page with everything tried."""
    test = visit(page, query)
    until_done(test)
    return test


def until_done(test: AppTest) -> None:
    for _ in range(600):
        assert not test.exception
        if not test.get("progress"):
            return
        time.sleep(0.05)
        test.run()
    raise AssertionError("it was never done")


def parts(test: AppTest, holding: str) -> ET.Element:
    """The piece of HTML that has this in it."""
    found = next(one.proto.body for one in test.get("html") if holding in one.proto.body)
    return ET.fromstring(f"<div>{found}</div>")


def links(test: AppTest, holding: str = "<table>") -> dict[str, str]:
    """Questions by the words of the links in a table."""
    return {
        "".join(link.itertext()): link.attrib["href"].removeprefix("./?")
        for link in parts(test, holding).iter("a")
        if "data-go" in link.attrib
    }


def cells(test: AppTest) -> list[list[str]]:
    return [["".join(cell.itertext()) for cell in row.iter("td")] for row in parts(test, "<table>").iter("tr")][1:]


def told(test: AppTest) -> str:
    return "\n".join(part.value.replace("\\", "") for part in test.markdown)


def counting(calls: list[object], function: Callable[..., Any]) -> Callable[..., Any]:
    def counted(*given: object) -> Any:
        calls.append(given)
        return function(*given)

    return counted


def test_models_for_a_machine_shows_progress_and_then_the_engines_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(model_rows, "models_tried", counting(asked, models_tried))
    first = visit("models_for_machine", ON_A_CARD)
    assert first.get("progress")
    assert not any("<table>" in one.proto.body for one in first.get("html"))
    page = drawn("models_for_machine", ON_A_CARD)
    everything = models_on(Question.from_query(ON_A_CARD))
    rows = [row for row in everything if row.chosen is not None]
    assert list(links(page)) == [row.entry.name for row in rows]
    for row, shown in zip(rows, cells(page), strict=True):
        chosen = row.chosen
        assert chosen is not None
        assert shown[1] == status_words(row.status)
        assert shown[2].startswith(chosen.level)
        if chosen.tokens_per_s is not None:
            assert shown[4].startswith(rough(chosen.tokens_per_s.typical))
    statuses = [row.status for row in rows]
    assert statuses == sorted(statuses, key=STATUSES.index)
    assert f"{len(rows)} of {len(everything)} models run on GeForce RTX 4090" in told(page)
    assert f"{statuses.count('good')} run well" in told(page)
    assert len(asked) == 1  # by both visitors together

    page.text_input(key="models_words").set_value("qwen3 32b").run()
    assert list(links(page)) == ["Qwen3 32B"]
    page.text_input(key="models_words").set_value("no such model").run()
    assert page.info[-1].value.startswith("No model")
    page.text_input(key="models_words").set_value("").run()
    assert len(links(page)) == len(rows)
    assert len(asked) == 1  # a filter asks nothing


def test_a_row_opens_the_question_that_has_its_figures() -> None:
    page = drawn("models_for_machine", ON_A_CARD)
    for name, query in list(links(page).items())[:3]:
        found = answer(Question.from_query(query))
        shown = next(row for row in cells(page) if row[0].startswith(name))
        assert found.entry.name == name
        assert shown[1] == status_words(found.status)
        assert shown[2].startswith(found.shown.level)


def test_a_wish_for_speed_comes_first_among_the_good_ones_and_who_misses_it_is_told() -> None:
    page = drawn("models_for_machine", f"{ON_A_CARD}&min_tokens_per_s=60")
    good = [row for row in cells(page) if row[1] == status_words("good")]
    short = ["short of 60" in row[4] for row in good]
    assert any(short)
    assert not all(short)
    assert short == sorted(short)
    assert f"{short.count(False)} of these with the 60 tokens/s asked for" in told(page)


def test_the_map_and_what_does_not_run_are_worked_out_when_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    page = drawn("models_for_machine", ON_A_CARD)
    monkeypatch.setattr(model_rows, "models_tried", counting(asked, models_tried))
    assert not page.get("plotly_chart")
    page.session_state["models_map_open"] = True
    page.session_state["models_others_open"] = True
    page.run()
    assert page.get("progress")
    until_done(page)
    assert page.get("plotly_chart")
    assert len(asked) == 1
    running = [row for row in models_on(Question.from_query(ON_A_CARD)) if row.chosen is not None]
    assert list(page.dataframe[0].value.index) == [row.entry.name for row in running]
    others = parts(page, "models that do not run")
    assert "DeepSeek V3" in "".join(others.itertext())


def test_the_whole_table_is_a_file() -> None:
    question = Question.from_query(ON_A_CARD)
    drawn("models_for_machine", ON_A_CARD)
    rows = model_rows.ROWS.look(model_rows.key_of(question, answer(question).today))
    assert not isinstance(rows, Progress)
    read = list(csv.DictReader(io.StringIO(models_csv(rows))))
    assert [line["model"] for line in read] == [row.id for row in rows]
    assert {line["model"] for line in read} == set(MODELS)
    for line in read:
        if line["level"]:
            assert int(line["memory_bytes"]) > 0
        else:
            assert line["reason"]


@pytest.mark.parametrize("page", ["models_for_machine", "machines_for_model", "compare"])
def test_where_there_is_no_answer_one_sentence_says_so(page: str) -> None:
    def script(page: str) -> None:
        import importlib

        from advisor.ui.asking import Reply

        importlib.import_module(f"advisor.ui.views.{page}").draw(Reply(None, "There is no such machine.", ()))

    test = AppTest.from_function(script, kwargs={"page": page}).run()
    assert [one.value.replace("\\", "") for one in test.error] == ["There is no such machine."]
    assert not any("<table>" in one.proto.body for one in test.get("html"))


def test_pills_leave_what_they_say_and_a_task_is_asked_anew() -> None:
    page = drawn("models_for_machine", ON_A_CARD)
    by_name = {entry.name: entry for entry in catalogue().values()}
    every = list(links(page))
    page.button_group(key="models_use").set_value(["allowed"]).run()
    free = list(links(page))
    assert 0 < len(free) < len(every)
    assert {by_name[name].license for name in free} <= {"apache-2.0", "mit"}
    page.button_group(key="models_use").set_value([])
    page.button_group(key="models_year").set_value([2025]).run()
    assert list(links(page)) == [name for name in every if by_name[name].released.startswith("2025")]
    page.button_group(key="models_year").set_value([])
    page.button_group(key="models_speed").set_value(60).run()
    fast = [row for row in models_on(Question.from_query(ON_A_CARD)) if row.chosen and row.chosen.as_fast_as(60)]
    assert list(links(page)) == [row.entry.name for row in fast]
    page.button_group(key="models_speed").set_value(None)
    page.button_group(key="models_task").set_value("code").run()
    assert "".join(page.query_params["task"]) == "code"
    until_done(page)
    assert "most able at code" in told(page)


def test_machines_for_a_model_shows_the_cheapest_of_each_way() -> None:
    page = drawn("machines_for_model", FOR_A_70B)
    found = machines_for(Question.from_query(FOR_A_70B))
    assert list(links(page)) == [row.name for row in found.machines[:FIRST]]
    well = [row for row in found.machines if row.rank == 0 and row.is_whole]
    owned = min((row for row in well if row.chosen.own_monthly), key=lambda row: row.chosen.own_monthly or 0)
    rented = min((row for row in well if row.chosen.rent_monthly), key=lambda row: row.chosen.rent_monthly or 0)
    buy, rent, api = ("".join(card.itertext()) for card in parts(page, 'class="ways"').iter("section"))
    assert owned.name in buy
    assert f"{money(owned.chosen.own_monthly or 0)} USD a month" in buy
    assert rented.name in rent
    assert f"{money(rented.chosen.rent_monthly or 0)} USD a month" in rent
    assert found.api is not None
    assert f"{money(found.api.monthly.typical)} USD a month" in api
    for row, shown in zip(found.machines, cells(page), strict=False):
        assert shown[2].startswith(row.chosen.level)
        costs = row.chosen.costs
        if costs is not None and costs.own is not None:
            assert shown[6].startswith(money(costs.own.upfront))
            assert shown[7].startswith(money(costs.own.monthly.typical))
        else:
            assert shown[6] == "–"
    # A card for servers is bought with its server: nothing is left out of the price.
    server = next(row for row in cells(page) if "A100" in row[0])
    assert server[10] == ""


def test_a_machines_row_opens_the_question_that_has_its_figures() -> None:
    page = drawn("machines_for_model", FOR_A_70B)
    for name, query in list(links(page).items())[:3]:
        found = answer(Question.from_query(query))
        shown = next(row for row in cells(page) if row[0].startswith(name))
        assert shown[1] == status_words(found.status)
        assert shown[2].startswith(found.shown.level)
        assert found.shown.tokens_per_s is not None
        assert shown[4].startswith(rough(found.shown.tokens_per_s.typical))


def test_a_budget_hides_machines_and_changes_the_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    page = drawn("machines_for_model", FOR_A_70B)
    monkeypatch.setattr(machine_rows, "machines_tried", counting(asked, machines_tried))
    every = links(page)
    page.number_input(key="machines_budget").set_value(3000.0).run()
    assert 0 < len(links(page)) < len(every)
    for row in cells(page):
        amount = re.match(r"[\d,]+", row[6])
        assert amount is not None
        assert float(amount[0].replace(",", "")) <= 3000
        assert re.search(r"(price of |^|\D)\w+ 2026$|no date$", row[6])  # the month of the price, a link to its source
    page.number_input(key="machines_budget").set_value(1.0).run()
    assert page.info[0].value.startswith("No machine is like that")
    assert "There is no machine to show." in "".join(parts(page, 'class="ways"').itertext())
    page.number_input(key="machines_budget").set_value(None).run()
    page.text_input(key="machines_words").set_value("rtx 4090").run()
    assert [name for name in links(page) if "RTX 4090" not in name] == []
    assert not asked


def test_what_no_machine_can_do_is_said_beside_the_api() -> None:
    page = drawn("machines_for_model", "model=llama-3.3-70b-instruct&context=131072&users=65536")
    assert page.warning[0].value.startswith("No machine of the catalogue")
    assert not any("<table>" in one.proto.body for one in page.get("html"))
    assert "USD a month" in "".join(parts(page, 'class="ways"').itertext())


def test_data_that_must_stay_makes_the_others_a_comparison_only() -> None:
    page = drawn("machines_for_model", f"{FOR_A_70B}&own_hardware=on")
    buy, rent, api = ("".join(card.itertext()) for card in parts(page, 'class="ways"').iter("section"))
    assert "comparison only" not in buy
    assert "comparison only" in rent
    assert "comparison only" in api


def test_the_machines_are_a_file() -> None:
    question = Question.from_query(FOR_A_70B)
    drawn("machines_for_model", FOR_A_70B)
    found = machine_rows.MACHINES.look(machine_rows.key_of(question, answer(question).today))
    assert not isinstance(found, Progress)
    read = list(csv.DictReader(io.StringIO(machines_csv(found.rows))))
    assert [line["machine"] for line in read] == [row.id for row in found.rows]
    assert all(line["level"] and line["users_that_fit"] for line in read)
