"""The rules of thumb next to real files."""

from __future__ import annotations

import pytest

from advisor.answer.rules_of_thumb import EXAMPLE_7B, EXAMPLE_70B, Comparison, applied_to, article_7b, article_70b
from advisor.formats.gguf_levels import LEVELS
from advisor.formats.gguf_sizes import size_level
from advisor.models.lookup import find_model
from advisor.words import say


def test_the_articles_figures_are_quoted_as_they_are() -> None:
    assert [row.rule_bytes / 1e9 for row in article_7b()] == [28, 14, 7, 3.5, 3.5, 1.75]
    assert [row.rule_bytes / 1e9 for row in article_70b()] == [140, 40, 20]


@pytest.mark.parametrize(("model_id", "rows"), [(EXAMPLE_7B, article_7b()), (EXAMPLE_70B, article_70b())])
def test_files_are_the_engines_and_a_run_takes_more(model_id: str, rows: tuple[Comparison, ...]) -> None:
    model = find_model(model_id).model
    for row in rows:
        assert row.file_bytes == size_level(model, LEVELS[row.level]).file_bytes
        assert row.running_bytes > row.file_bytes * 0.999
        assert row.error == row.rule_bytes / row.file_bytes - 1


def test_small_levels_are_the_ones_the_rules_get_wrong() -> None:
    by_level = {row.level: row for row in article_70b()}
    assert abs(by_level["F16"].error) < 0.01
    assert by_level["Q4_K_M"].error == pytest.approx(-0.059, abs=0.001)
    assert by_level["Q2_K"].error == pytest.approx(-0.242, abs=0.001)


def test_every_difference_has_a_reason() -> None:
    for row in article_7b() + article_70b():
        assert say(row.reason).endswith(".")
        assert "parameters, not" in say(row.reason)
    assert "not 4.57" in {row.level: say(row.reason) for row in article_70b()}["Q4_K_M"]


def test_the_rules_apply_to_any_model() -> None:
    small = find_model("all-minilm-l6-v2").model  # 512 tokens at most
    for row in applied_to(small):
        assert row.context == 512
        assert row.file_bytes > 0
        assert "parameters, not" not in say(row.reason)
