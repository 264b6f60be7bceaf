"""How able models are: known orders, and what must hold for every pair."""

from __future__ import annotations

import itertools
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.models.catalogue import catalogue
from advisor.quality.scale import (
    LIKELY,
    Beside,
    ability,
    better,
    compared,
    measured_beside,
    original_scores,
    usual_mode,
)
from advisor.quality.scores import scores
from advisor.quality.tasks import DIVERGENCE, PERPLEXITY, SCORED_TASKS

models = st.sampled_from(sorted(id for id, entry in catalogue().items() if entry.variant != "embedding"))
tasks = st.sampled_from(SCORED_TASKS)


@pytest.mark.parametrize(
    ("a", "b", "task"),
    [
        ("llama-3.1-70b-instruct", "mistral-7b-instruct-v0.1", "knowledge"),  # a 70B of 2024, a 7B of 2023
        ("llama-3.3-70b-instruct", "llama-2-7b", "math"),
        ("qwen3-32b", "llama-3.3-70b-instruct", "math"),  # a newer half, thinking
        ("gemma-4-31b-it", "qwen2.5-72b-instruct", "code"),
        ("mistral-small-3.2-24b-instruct-2506", "mixtral-8x22b-instruct-v0.1", "math"),
        ("qwen3-8b", "qwen3-0.6b", "reasoning"),
    ],
)
def test_known_orders(a: str, b: str, task: str) -> None:
    assert compared(a, b, task) == "better"
    assert compared(b, a, task) == "worse"


@pytest.mark.parametrize(
    ("a", "b", "task"),
    [
        ("gpt-oss-20b", "llama-3.3-70b-instruct", "chat"),  # level in the arena
        ("gemma-3-27b-it", "llama-3.3-70b-instruct", "chat"),
        ("phi-4", "gemma-2-27b-it", "chat"),
    ],
)
def test_within_the_scatter_nobody_is_called_better(a: str, b: str, task: str) -> None:
    assert compared(a, b, task) == compared(b, a, task) == "comparable"


@pytest.mark.parametrize("task", ["chat", "knowledge", "reasoning", "math", "code"])
@pytest.mark.parametrize(
    "sizes",
    [
        ("llama-3.2-1b-instruct", "llama-3.1-8b-instruct", "llama-3.1-70b-instruct"),
        ("qwen2.5-0.5b-instruct", "qwen2.5-7b-instruct", "qwen2.5-72b-instruct"),
        ("gemma-3-1b-it", "gemma-3-4b-it", "gemma-3-27b-it"),
        ("qwen3-0.6b", "qwen3-4b", "qwen3-32b"),
    ],
)
def test_larger_ones_of_a_family_are_abler(sizes: tuple[str, ...], task: str) -> None:
    values = [found.value for id in sizes if (found := ability(id, task))]
    assert len(values) == len(sizes)
    assert values == sorted(values)


@given(a=models, b=models, task=tasks)
def test_the_two_sides_of_a_comparison_agree(a: str, b: str, task: str) -> None:
    one, other = better(a, b, task), better(b, a, task)
    assert one is not None
    assert other is not None
    assert one + other == pytest.approx(1)
    opposite = {"better": "worse", "worse": "better"}
    said = compared(a, b, task)
    assert compared(b, a, task) == opposite.get(said, said)
    if said == "better":
        assert one >= LIKELY


@given(a=models, b=models, task=tasks)
def test_better_is_only_said_of_models_with_rows_of_the_task(a: str, b: str, task: str) -> None:
    one, other = ability(a, task), ability(b, task)
    assert one is not None
    assert other is not None
    assert (compared(a, b, task) == "unknown") == (one.rows_of_task == 0 or other.rows_of_task == 0)


def test_the_surer_one_is_of_two_the_more_it_is_above() -> None:
    ladder = ["llama-3.2-1b-instruct", "llama-3.2-3b-instruct", "llama-3.1-8b-instruct", "llama-3.1-70b-instruct"]
    likely = [better("qwen3-32b", id, "math") for id in ladder]
    assert likely == sorted(likely, key=lambda each: -(each or 0))
    for a, b in itertools.pairwise(reversed(ladder)):
        assert (better(a, b, "code") or 0) > 0.5


def test_a_probability_is_that_of_the_difference_of_two_normals() -> None:
    one, other = ability("qwen2.5-72b-instruct", "code"), ability("llama-3.3-70b-instruct", "code")
    assert one is not None
    assert other is not None
    assert other.value == 0
    width = (one.sd**2 + other.sd**2) ** 0.5
    assert better(one.model_id, other.model_id, "code") == pytest.approx(NormalDist(0, width).cdf(one.value))
    assert better(one.model_id, one.model_id, "code") == 0.5


def test_what_the_scale_does_not_have_is_unknown() -> None:
    for model, task in (
        ("qwen3-32b", PERPLEXITY),
        ("qwen3-32b", DIVERGENCE),
        ("bge-m3", "chat"),
        ("llama-99", "chat"),
    ):
        assert ability(model, task) is None
        assert better(model, "llama-3.3-70b-instruct", task) is None
        assert compared(model, "llama-3.3-70b-instruct", task) == "unknown"
        assert measured_beside(model, "llama-3.3-70b-instruct", task) is None


def test_a_model_stands_in_the_mode_it_usually_answers_in() -> None:
    usual = {
        id: found.mode
        for id in (
            "qwen3-32b",
            "deepseek-v3.1",
            "gemma-4-31b-it",
            "qwen3.6-27b",
            "gpt-oss-20b",
            "qwen2.5-7b-instruct",
            "smollm3-3b",
        )
        if (found := ability(id, "code"))
    }
    assert usual == {
        "qwen3-32b": "thinking",
        "deepseek-v3.1": "direct",
        "gemma-4-31b-it": "direct",
        "qwen3.6-27b": "thinking",
        "gpt-oss-20b": "thinking",
        "qwen2.5-7b-instruct": "direct",
        "smollm3-3b": "direct",  # no score of it thinking
    }
    assert usual_mode(catalogue()["qwen3-32b"], {"direct"}) == "direct"


def test_scores_of_two_models_are_shown_of_a_board_that_measured_both() -> None:
    found = measured_beside("qwen2.5-coder-7b-instruct", "qwen2.5-coder-32b-instruct", "code")
    assert found is not None
    for row in (found.one, found.other):
        assert (row.task, row.mode, row.fit) == ("code", "direct", "yes")
        assert row.kind != "publisher"
        assert row.source_url.startswith("https://")
        assert row.as_of
    assert found.one.source == found.other.source
    assert found.better == "other"


def test_of_ranks_the_lower_is_better() -> None:
    ranks = [row for row in scores() if row.unit == "mean rank"]
    first, last = min(ranks, key=lambda row: row.score), max(ranks, key=lambda row: row.score)
    assert (Beside(first, last).better, Beside(last, first).better, Beside(first, first).better) == (
        "one",
        "other",
        None,
    )


@given(a=models, b=models, task=tasks)
def test_rows_shown_beside_each_other_are_of_one_benchmark(a: str, b: str, task: str) -> None:
    found, back = measured_beside(a, b, task), measured_beside(b, a, task)
    assert (found is None) == (back is None)
    if found is None or back is None:
        return
    assert found.one.benchmark == found.other.benchmark == back.one.benchmark
    for model, row in ((a, found.one), (b, found.other)):
        able = ability(model, task)
        assert able is not None
        assert (row.model_id, row.task, row.mode) == (model, task, able.mode)
        assert not row.composite


def test_scores_of_an_original_are_one_a_benchmark_and_shared_with_others() -> None:
    found = original_scores("qwen3-32b", "code")
    assert 1 <= len(found) <= 3
    assert len({row.benchmark for row in found}) == len(found)
    assert {row.model_id for row in found} == {"qwen3-32b"}
    assert {row.task for row in found} == {"code"}
    assert original_scores("no-such-model", "code") == ()
