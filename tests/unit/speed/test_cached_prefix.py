"""A prompt whose beginning is in the cache already: only the rest is read, as deep as it lies."""

from __future__ import annotations

import pytest

from advisor.answer.answer import answer
from advisor.foundation.ranges import Range
from advisor.models.catalogue import catalogue
from advisor.question.question import Question
from advisor.speed.explain import explanation
from advisor.speed.shape import shape_of
from advisor.words import say

ASKED = "model=qwen3-8b&machine=rtx-3090&level=Q8_0&runtime=llama.cpp&context=16384"


def _wait(query: str) -> Range:
    speed = answer(Question.from_query(f"{ASKED}&{query}")).shown.speed
    assert speed
    assert speed.time_to_first_token_s
    return speed.time_to_first_token_s


def test_a_cached_beginning_is_not_read_again() -> None:
    whole = _wait("prompt_tokens=8000")
    rest = _wait("prompt_tokens=8000&cached_tokens=7000")
    alone = _wait("prompt_tokens=1000")
    assert alone.typical < rest.typical < whole.typical / 4  # what is read attends to what is cached
    assert _wait("prompt_tokens=8000&cached_tokens=0") == whole


def test_the_last_token_is_always_read() -> None:
    assert _wait("prompt_tokens=100&cached_tokens=100").typical > 0
    assert _wait("prompt_tokens=100&cached_tokens=5000") == _wait("prompt_tokens=100&cached_tokens=99")


def test_writing_is_as_deep_as_the_whole_prompt() -> None:
    def written(query: str) -> float:
        found = answer(Question.from_query(f"{ASKED}&{query}")).shown.tokens_per_s
        assert found
        return found.typical

    assert written("prompt_tokens=8000&cached_tokens=7000") == pytest.approx(written("prompt_tokens=8000"))


def test_it_is_said_what_is_read() -> None:
    speed = answer(Question.from_query(f"{ASKED}&prompt_tokens=8000&cached_tokens=7000")).shown.speed
    assert speed
    assert any("1,000 prompt tokens after the 7,000 that are cached" in say(one) for one in explanation(speed))


def test_gemmas_with_rows_for_every_layer_compute_what_a_token_needs() -> None:
    """E4B has 7.5 billion weights, of which 2.8 billion are rows to look up."""
    model = catalogue()["gemma-4-e4b-it"].model
    assert shape_of(model).active_parameters < 0.7 * model.parameters
    dense = catalogue()["qwen3-8b"].model
    assert shape_of(dense).active_parameters == dense.active_parameters
