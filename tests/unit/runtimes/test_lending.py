"""What plans say where a GPU computes prompts for the host, held to llama.cpp's planner of October 2026."""

from __future__ import annotations

import pytest

from advisor.answer.answer import answer
from advisor.formats.gguf_levels import LEVELS
from advisor.foundation.units import MIB
from advisor.models.catalogue import catalogue
from advisor.question.question import Question
from advisor.runtimes.llama_cpp.compute.host_tensors import Tensors, tensors_of
from advisor.runtimes.llama_cpp.growth import Growth
from advisor.runtimes.llama_cpp.lending import settled
from advisor.runtimes.llama_cpp.needs import passing_bytes
from advisor.runtimes.llama_cpp.runtime import LLAMA_CPP
from advisor.runtimes.llama_cpp.weights import level_weights
from advisor.sizing.placement import HOST, place
from advisor.sizing.plan import Plan
from advisor.sizing.settings import Settings

LLAMA = catalogue()["llama-3.1-8b-instruct"].model
Q4 = level_weights(LLAMA, LEVELS["Q4_K_M"])


def plan(query: str) -> Plan:
    return answer(Question.from_query(query)).shown.plan


@pytest.mark.parametrize(("context", "cache", "compute"), [(80_128, 2_225, 1_850), (250_112, 6_707, 2_016)])
def test_copies_of_experts_take_what_llama_cpp_plans(context: int, cache: int, compute: int) -> None:
    """Qwen3.8-Flash-Next with `-cmoe`: people report 11.66 and 18.3 GB at these contexts, more than it plans."""
    seen = plan(
        "model=qwen3.8-flash-next&machine=rtx-4090&host_memory_gib=128&runtime=llama.cpp&level=Q4_K_M&gpu_layers=all"
        f"&cpu_moe_layers=48&context={context}&users=1&llama_cpp=2026-10"
    ).devices[0]
    assert [int(size / MIB) for size in (seen.kv_cache_bytes, seen.compute_bytes)] == [cache, compute]
    assert 0 < seen.passing_bytes < seen.compute_bytes


def test_a_plan_says_what_its_growth_settles_at() -> None:
    placement = place(len(LLAMA.layers), (1.0,), 18)
    growth = Growth(LLAMA, Settings(32_768), placement)
    now = settled(growth, Q4)
    passing = passing_bytes(Q4, placement, now)
    assert int((now.compute[0] + passing) / MIB) == 282
    assert passing <= passing_bytes(Q4, placement, growth.now)
    assert 64 <= now.compute[HOST] / MIB < growth.now.compute[HOST] / MIB


def test_the_host_computes_token_by_token_what_it_does_not_lend() -> None:
    """Scores of one token against a long context are more than what is left of the prompt."""
    placement = place(len(LLAMA.layers), (1.0,), 0)
    wide = settled(Growth(LLAMA, Settings(131_072, users=1, flash_attention=False), placement), Q4)
    assert wide.compute[HOST] >= 4 * 32 * 131_072


def test_the_bound_stays_where_the_cache_is_on_the_host_or_no_weight_is_known() -> None:
    placement = place(len(LLAMA.layers), (1.0,), 18, 0, True)
    growth = Growth(LLAMA, Settings(8_192), placement)
    assert settled(growth, Q4) is growth.now
    model = catalogue()["minimax-m3"].model
    growth = Growth(model, Settings(8_192), place(len(model.layers), (1.0,), 18))
    assert settled(growth, level_weights(model, LEVELS["Q4_K_M"])) is growth.now


def test_layers_of_as_large_tensors_are_alike() -> None:
    found = tensors_of(Q4.find_stored(), len(LLAMA.layers))
    assert isinstance(found, Tensors)
    assert len(set(found.first_alike)) < 5
    assert found.of(0)["output.weight"] > found.of(0)["ffn_down.weight"] > 0


def test_more_weights_on_the_host_never_take_the_plan_out_of_its_own_context() -> None:
    seen = plan("model=llama-3.3-70b-instruct&machine=rtx-4090&host_memory_gib=128&context=8192&users=1&level=Q4_K_M")
    assert seen.by is LLAMA_CPP
    assert seen.max_context >= 8_192
