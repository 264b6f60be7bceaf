"""The page for doubters: a tab is worked out when it is open, and says what the data says."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime, timedelta

import pytest
from streamlit.testing.v1 import AppTest

from advisor.answer.accuracy import AIMS, Accuracy, Aim, accuracy
from advisor.answer.data_ages import TABLES, data_ages
from advisor.answer.rules_of_thumb import article_7b
from advisor.foundation.places import data_folder
from advisor.ui.parts.ages_view import HOLDS
from advisor.ui.views import how_we_know
from tests.support.html_tables import html_tables

TABS = how_we_know.TABS


def opened(tab: str, **question: str) -> AppTest:
    page = AppTest.from_string(
        "from advisor.ui import state\n"
        "from advisor.ui.asking import ask\n"
        "from advisor.ui.views import how_we_know\n"
        "how_we_know.draw(ask(state.read(), ()))\n",
        default_timeout=60,
    )
    for key, value in {"tab": tab, **question}.items():
        page.query_params[key] = value
    page.run()
    assert not page.exception
    return page


def said(page: AppTest) -> str:
    return "\n".join(str(part.value) for part in [*page.markdown, *page.warning]).replace("\\", "")


@pytest.mark.parametrize("tab", TABS)
def test_only_the_open_tab_is_drawn(tab: str) -> None:
    page = opened(tab)
    assert [one.label for one in page.tabs] == list(TABS)
    assert [bool(one.children) for one in page.tabs] == [name == tab for name in TABS]


def test_rules_of_thumb_stand_next_to_real_files() -> None:
    page = opened(how_we_know.RULES, model="gpt-oss-20b")
    assert [header.value.replace("\\", "") for header in page.header] == [
        "A 7B model",
        "Llama 3.1 70B Instruct",
        "Your model: gpt-oss 20B",
    ]
    seven, seventy, _ = html_tables(page)
    assert list(seven["Rule (GB)"]) == [28, 14, 7, 3.5, 3.5, 1.75]
    assert list(seven["Real file (GB)"]) == [round(row.file_bytes / 1e9, 2) for row in article_7b()]
    assert list(seventy["Rule (GB)"]) == [140, 40, 20]


def test_accuracy_is_that_of_the_data_file() -> None:
    page = opened(how_we_know.ACCURACY)
    exact, writing, reading, quality, aims = html_tables(page)
    lines = {(line.kind, line.what, line.left_out): line for line in accuracy()}
    assert list(exact["Compared"]) == [line.rows for line in accuracy() if line.kind in ("sizes", "memory")]
    together = lines["speed", "decode: llama.cpp, over all", "source"]
    row = writing.set_index("What").loc["llama.cpp, all together"]
    assert row["Measured"] == together.rows
    assert row["Inside, source aside"] == f"{inside(together):.0f} %"
    assert len(reading) >= 5
    four = lines["quality", "4 bits", "network"]
    assert quality.set_index("What").loc["4 bits", "Inside, model aside"] == f"{inside(four):.0f} %"
    worst = min((line for line in accuracy() if line.what.startswith("decode: ")), key=inside)
    name = worst.what.split(": ")[1].replace("not in the machine catalogue", "Machines that the catalogue lacks")
    assert f"{name}, {inside(worst):.0f} % of {worst.rows}" in said(page)
    assert "`python -m tests.support.accuracy`" in said(page)
    by_aim = {(line.what, line.left_out): line for line in accuracy()}
    assert list(aims["Inside (aim)"]) == [
        f"{inside(by_aim[name]):.0f} % ({aim.inside:.0f})" for name, aim in AIMS.items()
    ]
    missed = [aim.missed(by_aim[name]) for name, aim in AIMS.items()]
    assert [told != "reached" for told in aims["What is missing"]] == missed
    assert f"{missed.count(False)} of {len(AIMS)} aims" in said(page)
    prompts = by_aim["prefill: llama.cpp, over all", "source"]
    (told,) = (told for told in aims["What is missing"] if "how much was read at once" in told)
    assert f"{prompts.again} measured the very thing" in told
    assert f"{100 * (prompts.unstated or 0) / prompts.rows:.0f} % of the figures" in told
    assert any(f"{by_aim['8 bits', 'source'].range_width:.1f} points wide" in told for told in aims["What is missing"])


def test_an_aim_is_missed_by_what_is_shown() -> None:
    aim = Aim(12, 90, 2.5)
    (any_line, *_) = accuracy()
    near = any_line.model_copy(update={"rows": 1000, "inside": 895, "typical_miss": 12.4, "range_width": 2.54})
    assert not aim.missed(near)
    for figure, value in {"inside": 894, "typical_miss": 12.6, "range_width": 2.56}.items():
        assert aim.missed(near.model_copy(update={figure: value}))


def inside(line: Accuracy) -> float:
    """Percent."""
    return 100 * (line.inside or 0) / line.rows


def test_every_table_has_its_age_and_old_prices_are_flagged() -> None:
    page = opened(how_we_know.AGES)
    (shown,) = html_tables(page)
    assert list(shown["File"]) == [f"data/{table.file}" for table in TABLES]
    assert set(HOLDS) == {table.file for table in TABLES}
    tables = {path.relative_to(data_folder()).as_posix() for path in data_folder().glob("**/*.csv")}
    assert {table.file for table in TABLES if table.file.endswith(".csv")} == {
        name for name in tables if not name.startswith(("fonts/", "tinylm/"))
    }
    with (data_folder() / "prices" / "cloud.csv").open(encoding="utf-8", newline="") as file:
        seen = [date.fromisoformat(row["as_of"]) for row in csv.DictReader(file)]
    last = max(seen)
    (rents,) = [age for age in data_ages(last) if age.table.file == "prices/cloud.csv"]
    assert (rents.rows, rents.source) == (len(seen), (min(seen).isoformat(), last.isoformat()))
    assert rents.old == sum(day < last - timedelta(days=90) for day in seen)
    years_later = {age.table.file: age for age in data_ages(last + timedelta(days=2000))}
    assert all(age.old == age.rows for age in years_later.values() if age.table.limit_days)
    assert any(age.old for age in data_ages(datetime.now(UTC).date())) == bool(page.warning)
