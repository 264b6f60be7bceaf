"""A level is a format and a name: two formats may share one, and old links still mean what they meant."""

from __future__ import annotations

from dataclasses import replace

import pytest

from advisor.answer.answer import answer
from advisor.answer.pinned import pinned_query
from advisor.answer.setups import runtimes_of
from advisor.formats.gguf_levels import LEVELS
from advisor.formats.level_id import LevelId
from advisor.formats.levels import find_level, means, written
from advisor.formats.safetensors_levels import SAFETENSORS_LEVELS
from advisor.foundation.errors import InputError
from advisor.question.question import Question
from advisor.sizing.runtime_id import RuntimeId
from advisor.sources.resolve import find_any_model

SHARED = "Q6_K"
LLAMA = find_any_model("llama-3.1-8b-instruct")
MAC = "model=llama-3.1-8b-instruct&machine=apple-m2-ultra-192gb"


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> LevelId:
    """An MLX level that is called like one of GGUF."""
    level = replace(SAFETENSORS_LEVELS["MLX-6bit-g64"], name=SHARED)
    monkeypatch.setitem(SAFETENSORS_LEVELS, SHARED, level)
    return level.id


@pytest.mark.parametrize("name", [*LEVELS, *SAFETENSORS_LEVELS, "GPTQ-W4A16-g32", "MLX-3bit-g32"])
def test_a_bare_name_is_enough_where_no_other_format_has_it(name: str) -> None:
    level = find_level(name).id
    assert written(level) == level.name == name
    assert find_level(str(level)).id == level
    assert Question.from_values({"level": str(level)}).model.level == name


@pytest.mark.parametrize("text", ["Q9", "gptq:Q4_K_M", "GGUF:FP8-dynamic", ":", "GGUF:", "a:b:Q4_K_M"])
def test_what_names_no_level_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="Unknown level"):
        find_level(text)


def test_a_shared_name_is_told_apart_by_its_format(shared: LevelId) -> None:
    gguf = LEVELS[SHARED].id
    assert find_level(SHARED).id == find_level(f"gguf:{SHARED}").id == gguf  # old links meant GGUF's
    assert find_level(f"mlx:{SHARED}").id == shared
    assert (written(gguf), written(shared)) == (SHARED, f"mlx:{SHARED}")
    assert means(SHARED, gguf)
    assert not means(SHARED, shared)


def test_each_of_two_levels_of_one_name_is_answered_for_itself(shared: LevelId) -> None:
    old, mlx = (Question.from_query(f"{MAC}&level={level}") for level in (SHARED, f"mlx:{SHARED}"))
    assert [runtimes_of(one, LLAMA) for one in (old, mlx)] == [(RuntimeId.LLAMA_CPP,), (RuntimeId.MLX,)]
    assert Question.from_query(mlx.to_query()) == mlx
    for question, level in ((old, LEVELS[SHARED].id), (mlx, shared)):
        found = answer(question)
        assert [plan.level_id for plan in found.plans] == [level]
        assert found.decided.plan.level_id == level
        assert {job.level for job in found.search.jobs} == {level}
        again = answer(Question.from_query(pinned_query(found.question, found.entry, found.shown.plan)))
        assert [plan.level_id for plan in again.plans] == [level]
    sizes = {answer(question).plans[0].sized.file_bytes for question in (old, mlx)}
    assert len(sizes) == 2
