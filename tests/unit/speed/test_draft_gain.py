"""What drafting brings: fitted to published runs, told with its range and what it rests on."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from advisor.answer.answer import answer
from advisor.foundation.ranges import Range
from advisor.models.catalogue import catalogue
from advisor.question.question import Question
from advisor.speed.draft_evidence import draft_evidence
from advisor.speed.draft_gain import MOST, Drafting, fit, gain
from advisor.words import say_all

MODEL = "model=qwen3.8-27b&level=Q4_K_M"


def _speed(query: str) -> Range:
    found = answer(Question.from_query(query)).shown.tokens_per_s
    assert found
    return found


def _notes(query: str) -> str:
    return " ".join(say_all(answer(Question.from_query(query)).notes))


def test_less_is_accepted_of_more_tokens_and_of_prose() -> None:
    found = fit(draft_evidence())
    shares = [found.accepted[drafted] for drafted in sorted(found.accepted)]
    assert all(more <= fewer for fewer, more in pairwise(shares))
    # Means of published runs with one to six drafted tokens: 0.885, 0.786, 0.728, 0.648, 0.567, 0.494.
    for drafted, share in ((1, 0.885), (2, 0.786), (3, 0.728), (4, 0.648), (5, 0.567), (6, 0.494)):
        assert found.accepted[drafted] == pytest.approx(share, abs=0.09)
    assert found.text["code"] > 1 > found.text["prose"]


def test_what_a_step_costs_differs_by_backend() -> None:
    by_backend = {one: gain(Drafting(3), one, 1, 1.0, None).times for one in ("cuda", "vulkan", "metal", "mlx")}
    assert by_backend["cuda"].typical > 1.6
    assert by_backend["vulkan"].typical > 1.8
    assert 0.7 <= by_backend["metal"].typical <= 1.06  # Apple's gain nothing
    assert by_backend["mlx"] == by_backend["metal"]
    assert gain(Drafting(3), "cuda", 1, 2.5, None).times.typical < by_backend["cuda"].typical  # more experts are read


def test_with_four_users_llama_cpp_gains_nothing_and_vllm_with_32() -> None:
    assert gain(Drafting(3), "cuda", 2, 1.0, None).times.typical < 1.2
    assert gain(Drafting(3), "cuda", 4, 1.0, None).times.typical == 1
    assert gain(Drafting(2), "vllm", 32, 2.2, "qwen3.5-397b-a17b").times.typical == pytest.approx(1.5, abs=0.15)
    busy = gain(Drafting(3), "vllm", 200, 1.0, None).times
    assert busy.low < 1 < busy.high


def test_runs_of_a_device_that_was_left_out_lie_inside() -> None:
    evidence = draft_evidence()
    inside = []
    for device in {row.device for row in fit(evidence).rows}:
        rest = fit(row for row in evidence if row.device != device)
        for row in fit(evidence).rows:
            if row.device == device and row.speed_up:
                low, high = rest.ends.get(row.backend, rest.ends[""])
                expected = rest.gain(Drafting(row.drafted), row.backend, 1.0)
                inside.append(expected * low <= row.speed_up <= expected * high)
    assert len(inside) > 100
    assert sum(inside) / len(inside) >= 0.85


def test_the_speed_holds_the_gain_with_its_range() -> None:
    plain, drafting = _speed(f"{MODEL}&machine=rtx-4090"), _speed(f"{MODEL}&machine=rtx-4090&mtp=on")
    assert 1.6 * plain.typical < drafting.typical < 2.4 * plain.typical
    assert math.log(drafting.high / drafting.low) > math.log(plain.high / plain.low)
    four = f"{MODEL}&machine=rtx-4090&runtime=llama.cpp&users=4&kv_type_k=q8_0&kv_type_v=q8_0"
    assert _speed(f"{four}&mtp=on").typical == pytest.approx(_speed(four).typical)
    assert _speed(f"{MODEL}&machine=rtx-4090&mtp=on&task=code").typical > drafting.typical


def test_what_it_rests_on_is_said() -> None:
    assert "of this model or of its very shape. Speeds hold it." in _notes(f"{MODEL}&machine=rtx-4090&mtp=on")
    other = _notes("model=glm-4.5-air&machine=rtx-pro-6000-blackwell-max-q&level=Q4_K_M&mtp=on")
    assert "of other models, as none of this one is published" in other
    assert "Drafting with its own layers brings nothing here" in _notes(f"{MODEL}&machine=apple-m3-max-40c-64gb&mtp=on")


def test_no_gain_is_beyond_what_is_drafted() -> None:
    for backend in ("cuda", "vulkan", "rocm", "metal", "vllm", "cpu"):
        for drafted in range(1, 9):
            times = gain(Drafting(drafted, "code"), backend, 1, 1.0, None).times
            assert 0 < times.low <= times.typical <= min(MOST, drafted + 1)


def test_measured_models_are_of_the_catalogue() -> None:
    assert {row.model_id for row in draft_evidence()} - {""} <= set(catalogue())
