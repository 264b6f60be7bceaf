"""Types of the KV cache in the speed: what they gain far into a context, and the cliff where there is no kernel."""

from __future__ import annotations

import pytest

from advisor.answer.answer import answer
from advisor.question.question import Question
from advisor.speed.cache_types import CacheTypes, has_kernel
from advisor.speed.estimate import Speed
from advisor.words import say_all

SMALL = "model=qwen3-1.7b&machine=rtx-5060-ti-16gb&level=Q4_K_M&runtime=llama.cpp&context=40960&prompt_tokens=4096"


def _speed(query: str, kinds: tuple[str, str] = ("f16", "f16")) -> Speed:
    found = answer(Question.from_query(f"{query}&kv_type_k={kinds[0]}&kv_type_v={kinds[1]}")).shown.speed
    assert found
    assert found.decode_tokens_per_s
    assert found.prefill_tokens_per_s
    return found


def _written(query: str, *kinds: str) -> float:
    found = _speed(query, (kinds[0], kinds[-1])).decode_tokens_per_s
    assert found
    return found.typical


@pytest.mark.parametrize(("depth", "gained"), [(4096, 1.07), (16384, 1.25), (32768, 1.42)])
def test_eight_bits_gain_what_was_measured_far_into_a_context(depth: int, gained: float) -> None:
    """RTX 5060 Ti, Qwen3 1.7B, flash attention on (data/README.md names the page)."""
    query = f"{SMALL}&context_used={depth}"
    assert _written(query, "q8_0") / _written(query, "f16") == pytest.approx(gained, abs=0.15)


def test_reading_a_prompt_takes_a_little_longer() -> None:
    whole, eight = _speed(SMALL).prefill_tokens_per_s, _speed(SMALL, ("q8_0", "q8_0")).prefill_tokens_per_s
    assert whole
    assert eight
    assert 0.94 <= eight.typical / whole.typical <= 0.97


def test_a_mix_without_a_kernel_is_a_cliff_as_it_was_measured() -> None:
    """183 to 16.0 tokens/s writing and 12,061 to 132 reading."""
    mixed = _speed(f"{SMALL}&context_used=4096", ("q8_0", "q4_0"))
    assert mixed.decode_tokens_per_s
    assert mixed.prefill_tokens_per_s
    assert mixed.decode_tokens_per_s.low <= 16.0 <= mixed.decode_tokens_per_s.high
    assert mixed.prefill_tokens_per_s.low <= 132 <= mixed.prefill_tokens_per_s.high
    assert _written(f"{SMALL}&context_used=4096", "f16") > 8 * mixed.decode_tokens_per_s.typical


def test_who_asks_for_such_a_mix_is_told_what_to_take_instead() -> None:
    def notes(query: str) -> str:
        return " ".join(say_all(answer(Question.from_query(query)).notes))

    told = notes(f"{SMALL}&kv_type_k=q8_0&kv_type_v=q4_0")
    assert "has no kernel" in told
    assert "q8_0, q4_0), or build it with GGML_CUDA_FA_ALL_QUANTS" in told
    assert "has no kernel" in notes(f"{SMALL}&kv_type_k=q5_1&kv_type_v=q5_1")
    assert "has no kernel" not in notes(f"{SMALL}&kv_type_k=q8_0&kv_type_v=q8_0")
    on_mac = "model=qwen3-8b&machine=apple-m4-max-40c-128gb&runtime=llama.cpp&kv_type_k=f16&kv_type_v=q8_0"
    assert "has no kernel" in notes(on_mac)
    assert "GGML_CUDA" not in notes(on_mac)


def test_which_types_have_kernels() -> None:
    for one in ("f16", "q4_1"):
        assert all(has_kernel("cpu", CacheTypes(one, other)) for other in ("q8_0", "iq4_nl"))
    assert has_kernel("cuda", CacheTypes("q8_0", "f16", flash_attention=False))
    assert not has_kernel("cuda", CacheTypes("q8_0", "f16"))
    assert not has_kernel("metal", CacheTypes("iq4_nl", "iq4_nl"))
    assert has_kernel("vulkan", CacheTypes("q5_1", "q5_1"))
