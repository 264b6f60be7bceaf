"""What tables and charts are made of."""

from __future__ import annotations

import pytest

from advisor.answer.answer import Answer, answer
from advisor.question.question import Question
from advisor.ui.charts.memory import memory_chart
from advisor.ui.legend import COMPONENTS
from advisor.ui.parts.tables import common_plans, fullest_device, levels_table, memory_by_level
from advisor.ui.parts.text import plain


def found(query: str = "") -> Answer:
    return answer(Question.from_query(query))


@pytest.mark.parametrize("query", ["", "gpus=3", "machine=cpu-dual-ddr5-6000&memory_gib=64", "gpu_layers=20"])
def test_components_add_up_to_what_the_fullest_device_needs(query: str) -> None:
    plans = found(query).plans
    table = memory_by_level(plans)
    for plan, (_, row) in zip(plans, table.iterrows(), strict=True):
        assert row["total"] == pytest.approx(sum(row[name] for name in COMPONENTS))
        assert fullest_device(plan).free_bytes == plan.free_bytes
        assert row["capacity"] - row["total"] == pytest.approx((plan.free_bytes or 0) / 2**30)


def test_the_short_list_keeps_what_was_recommended_and_drops_what_is_far_too_large() -> None:
    everything = found("machine=rtx-4060-ti-16gb")
    levels = [plan.level for plan in common_plans(everything.plans, ["TQ1_0"])]
    assert "TQ1_0" in levels
    assert "Q8_0" not in levels
    assert "Q4_K_M" in levels
    assert levels == [plan.level for plan in everything.plans if plan.level in levels]
    assert len(common_plans(found("model=deepseek-v3").plans, [])) > 10


def test_a_level_without_room_has_no_longest_context() -> None:
    table = levels_table(found().candidates, "IQ2_XXS").set_index("level")
    assert table["max_context"].isna()["F16"]
    assert table["rule_error_percent"]["Q2_K"] < -20
    assert table["note"]["IQ2_XS"] == "Needs an importance matrix."


def test_chart_stacks_in_order_marks_the_recommended_and_shows_the_capacity() -> None:
    one = found()
    chart = memory_chart(memory_by_level(one.plans), "IQ2_XXS", 4, "on the GPU")
    assert [trace.name for trace in chart.data[:4]] == list(COMPONENTS)
    assert "<b>★ IQ2_XXS</b>" in chart.data[0].y
    assert len({trace.marker.color for trace in chart.data[:4]}) == 4
    assert any("Capacity 24.0 GiB" in note.text for note in chart.layout.annotations)


def test_chart_of_an_unknown_capacity_has_no_line() -> None:
    one = found("gpu_layers=20")
    chart = memory_chart(memory_by_level(one.plans, host=True), None, 4, "on the host")
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
