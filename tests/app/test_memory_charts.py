"""What tables and charts are made of."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from advisor.answer.answer import Answer, answer
from advisor.question.question import Question
from advisor.report.from_answer import report_of
from advisor.ui.charts.memory_bars import Bar, bars, fullest_device
from advisor.ui.charts.report import memory_figure
from advisor.ui.legend import COMPONENTS
from advisor.ui.parts.memory_view import _placement_sentence
from advisor.ui.parts.text import plain
from advisor.ui.tabs.levels import _cells
from tests.support.pages import html, opened


def found(query: str = "") -> Answer:
    return answer(Question.from_query(query))


@pytest.mark.parametrize("query", ["", "gpus=3", "machine=cpu-dual-ddr5-6000&memory_gib=64", "gpu_layers=20"])
def test_parts_of_a_bar_add_up_to_what_the_fullest_device_needs(query: str) -> None:
    for plan in found(query).plans:
        place = fullest_device(plan)
        parts = sum(getattr(place, attribute) for attribute in COMPONENTS.values()) + place.other_bytes
        assert place.needed_bytes == parts
        assert place.free_bytes == plan.free_bytes
        drawn = bars([Bar(plan.level, place, "")], 0.04, "Memory")
        widths = [float(width) for width in re.findall(r'<i class="." style="width:([\d.]+)%', drawn)]
        longest = max(place.needed_bytes, place.capacity_bytes or 0)
        assert sum(widths) == pytest.approx(100 * place.needed_bytes / longest, abs=0.01)


def test_chart_stacks_in_order_marks_the_recommended_and_shows_the_capacity() -> None:
    one = found()
    document = report_of(one)
    assert document.memory is not None
    chart = memory_figure(document.memory)
    assert [trace.name for trace in chart.data[:4]] == list(COMPONENTS)
    assert f"<b>★ {one.shown.level}</b>" in chart.data[0].y
    assert len({trace.marker.color for trace in chart.data[:4]}) == 4
    assert any("Capacity 24.0 GiB" in note.text for note in chart.layout.annotations)


def test_chart_of_an_unknown_capacity_has_no_line() -> None:
    document = report_of(found())
    assert document.memory is not None
    chart = memory_figure(replace(document.memory, capacity_gib=None))
    assert not chart.layout.shapes


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a_b*c*", r"a\_b\*c\*"),
        ("[x](y)\n# z", r"\[x\]\(y\) \# z"),
        ("<b>", r"\<b\>"),
        (":red[x] $y$", r"\:red\[x\] \$y\$"),
        ("www.a.b", "www\u2060\\.a\\.b"),
        ("\u202eabc\x00", "abc"),
    ],
)
def test_text_is_shown_letter_by_letter(text: str, shown: str) -> None:
    assert plain(text) == shown


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("model=llama-3.1-8b-instruct&machine=nvidia-l40s&users=20&runtime=vllm", "Everything is on the GPU. Between"),
        ("model=qwen3-32b&machine=rtx-4090", "Everything is on the GPU but the input embeddings. Between"),
        (
            "model=llama-3.3-70b-instruct&machine=rtx-3090&gpus=2",
            "Everything is on the GPUs but the input embeddings. Between 43.8 GiB and 45.4 GiB there together",
        ),
    ],
)
def test_what_lies_where_is_said_of_the_runtime_that_runs_it(query: str, said: str) -> None:
    shown = answer(Question.from_query(query)).shown
    assert _placement_sentence(shown.plan).startswith(said)
    assert bool(shown.plan.host.weights_bytes) == ("input embeddings" in said)


def test_the_range_of_what_is_needed_is_of_the_devices_alone() -> None:
    plan = answer(Question.from_query("model=gpt-oss-120b&machine=rtx-4090&host_memory_gib=64")).shown.plan
    low, high = re.findall(r"([\d.]+) GiB", _placement_sentence(plan))
    assert float(low) <= plan.needed_bytes / 2**30 <= float(high) < plan.host.needed_bytes / 2**30
    assert "the rest is on the GPU. Between" in _placement_sentence(plan)


def test_a_level_that_does_not_fit_has_no_speed() -> None:
    found = answer(Question.from_query("model=gpt-oss-120b&machine=rtx-4090&host_memory_gib=64"))
    rows = [(one.plan.verdict, [cell.html for cell in _cells(found, one)]) for one in found.candidates]
    assert {verdict for verdict, _ in rows} >= {"does not fit", "fits with offload"}
    assert all((cells[3] == "–") == (verdict == "does not fit") for verdict, cells in rows)


def test_where_each_figure_comes_from_is_worked_out_once_it_is_opened() -> None:
    bill = "Every part of the memory with its size"
    assert bill not in html(opened())
    assert bill in html(opened(fold_bill=True))
