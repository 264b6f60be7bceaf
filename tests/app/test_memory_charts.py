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
from advisor.ui.parts.text import plain


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
