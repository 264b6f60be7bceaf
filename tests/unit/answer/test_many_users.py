"""More users at once than llama.cpp serves: vLLM's to answer, and llama.cpp's own sentence."""

from __future__ import annotations

from contextlib import suppress
from itertools import product

import pytest

from advisor.answer.answer import answer
from advisor.answer.choices import choices
from advisor.answer.flips import flips
from advisor.answer.reasons import reasons
from advisor.formats.safetensors_levels import SAFETENSORS_LEVELS
from advisor.foundation.errors import InputError
from advisor.question.question import Question
from advisor.sizing.runtime_id import RuntimeId

LLAMA = "model=llama-3.1-8b-instruct&machine=rtx-4090&context=2048"
ASKED = "model=qwen3-8b&machine=h100-sxm5-80gb&context=2048&users=512"


@pytest.mark.parametrize("more", ["", "&runtime=vllm", "&level=FP8-dynamic"])
def test_vllm_serves_more_than_256(more: str) -> None:
    found = answer(Question.from_query(ASKED + more))
    assert found.runtime is RuntimeId.VLLM
    assert found.shown.plan.settings.users == 512
    assert found.shown.tokens_per_s is not None
    assert any(flip.change == "users" and flip.at > 512 for flip in flips(found))


@pytest.mark.parametrize("more", ["&runtime=llama.cpp", "&runtime=ollama", "&level=Q4_K_M"])
def test_llama_cpp_says_what_it_serves(more: str) -> None:
    with pytest.raises(InputError, match=r"^users=512: one llama.cpp process serves at most 256 at a time"):
        answer(Question.from_query(ASKED + more))


@pytest.mark.parametrize(
    "query",
    [
        "model=gpt-oss-120b&machine=ryzen-ai-max-395-128gb&users=4",
        "model=qwen3-30b-a3b-instruct-2507&machine=ryzen-ai-max-395-128gb&users=6&context=8192",
    ],
)
def test_a_desk_for_a_few_gets_the_engine_for_few(query: str) -> None:
    """As large and faster: with the GPU in the host's memory an engine made for many needs more users."""
    found = answer(Question.from_query(query))
    assert found.runtime is RuntimeId.LLAMA_CPP
    assert found.status == "good"


def test_what_llama_cpp_does_not_serve_another_engine_does() -> None:
    query = "model=minimax-m3&machine=h200-sxm-141gb&gpus=8&users=64&context=65536"
    assert answer(Question.from_query(query)).runtime is RuntimeId.VLLM
    assert answer(Question.from_query(f"{query}&runtime=vllm")).chosen is not None
    with pytest.raises(InputError, match=r"^users=64: llama.cpp aborts on .* models with 16 users or more"):
        answer(Question.from_query(f"{query}&runtime=llama.cpp"))


def test_what_a_runtime_chose_for_itself_is_asked_of_no_other_question() -> None:
    found = answer(Question.from_query("model=gemma-3-27b-it&machine=h100-sxm5-80gb&users=16&runtime=vllm"))
    assert [one.key for one in found.taken] == ["vision"]
    changes = flips(found)
    assert changes
    assert not any("vision" in one.question.given for one in changes)


def test_nobody_is_offered_an_engine_for_few_beside_one_for_many() -> None:
    """With 8 users llama.cpp is a choice beside vLLM, with 64 it is none: its totals there are a guess."""

    def engines(users: int) -> set[RuntimeId]:
        found = answer(Question.from_query(f"{LLAMA}&users={users}"))
        return {choice.option.setup.runtime.engine for choice in choices(found)}

    assert RuntimeId.LLAMA_CPP in engines(8)
    assert engines(64) == {RuntimeId.VLLM}


@pytest.mark.parametrize(
    "query",
    [
        "model=glm-5.1&machine=b200-sxm-180gb&gpus=8&users=64&context=65536",
        "model=glm-5.1&machine=b200-sxm-180gb&gpus=8&users=48&context=98304",
        "model=qwen3-32b&machine=rtx-5090&users=16&context=9472",
    ],
)
def test_how_few_an_engine_for_many_would_hold_is_true(query: str) -> None:
    """Asked of each of its levels and caches: none runs, the best of them holds as many as is said."""
    question = Question.from_query(query)
    found = answer(question)
    assert found.runtime is RuntimeId.LLAMA_CPP
    (said,) = [dict(one.figures) for one in reasons(found) if one.kind == "server_holds_few"]
    held: dict[str, float] = {}
    for level, kv_fp8 in product(SAFETENSORS_LEVELS, (False, True)):
        with suppress(InputError):  # not every level is loaded here
            asked = answer(question.with_values(runtime="vllm", level=level, kv_fp8=kv_fp8))
            assert not asked.shown.plan.fits, (level, kv_fp8)
            held[level] = max(held.get(level, 0), asked.shown.plan.at_once or 0)
    assert int(max(held.values())) == said["n"]
    assert int(held[str(said["level"])]) == said["n"]


def test_how_many_a_plan_that_does_not_fit_would_hold_is_what_it_holds() -> None:
    question = Question.from_query("model=gpt-oss-120b&machine=h100-sxm5-80gb&users=64&context=16384")
    found = answer(question)
    (said,) = [dict(one.figures) for one in reasons(found) if one.kind == "would_hold_few"]
    held = int(str(said["n"]))
    assert 1 <= held < 32
    fewer = answer(question.with_values(users=held, runtime="vllm", level=said["level"]))
    assert fewer.shown.plan.fits
    assert (fewer.shown.plan.at_once or 0) >= held
