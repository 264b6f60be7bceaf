"""One KV cache that users share: LM Studio's, and llama-server's where `-np` is left out."""

from __future__ import annotations

import csv
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.answer.answer import Answer, answer
from advisor.answer.launching import launch_of
from advisor.formats.gguf_levels import LEVELS
from advisor.foundation.errors import InputError
from advisor.foundation.units import MIB
from advisor.models.catalogue import catalogue
from advisor.quantize import native
from advisor.quantize.ask import ask_memory, can_ask, compare_with_plan
from advisor.quantize.header_only import metadata_of_config
from advisor.question.question import Question
from advisor.runtimes.commands import Launch, commands
from advisor.runtimes.llama_cpp.cache_terms import layer_terms
from advisor.runtimes.llama_cpp.compute.buffer import compute_buffer_bytes
from advisor.runtimes.llama_cpp.kv_cache import as_kept, layer_cache_bytes
from advisor.runtimes.llama_cpp.runtime import LLAMA_CPP
from advisor.sizing.memory import Memory
from advisor.sizing.placement import HOST, place
from advisor.sizing.request import Levels, PlanRequest
from advisor.sizing.settings import Settings
from advisor.words import say, say_all
from tests.support.decided import chosen_level
from tests.support.reference import TRUTH

MODELS = st.sampled_from(sorted(catalogue()))
SHARED = "model=qwen3-14b&machine=rtx-4070-ti-super&runtime=lm-studio&context=16384"


def asked(query: str) -> Answer:
    return answer(Question.from_query(query))


def rows() -> list[tuple[str, Settings, int, int]]:
    """What llama.cpp told with `--kv-unified`: model, settings, MiB of KV cache and of compute buffers."""
    with (TRUTH / "unified_llamacpp_memory.csv").open(encoding="utf-8") as file:
        return [
            (
                row["model_id"],
                Settings(
                    context=int(row["n_ctx"]),
                    users=int(row["n_parallel"]),
                    micro_batch=int(row["n_ubatch"]),
                    flash_attention=row["flash_attn"] != "off",
                    unified=True,
                ),
                int(row["context_mib"]),
                int(row["compute_mib"]),
            )
            for row in csv.DictReader(file)
        ]


def test_caches_equal_llama_cpp_within_a_mebibyte_and_buffers_follow_it() -> None:
    wrong, ratios = [], []
    for model_id, settings, context_mib, compute_mib in rows():
        model = catalogue()[model_id].model
        cache = sum(layer_cache_bytes(model, settings)) / MIB
        if not context_mib <= cache < context_mib + 1:  # llama.cpp cuts to whole MiB
            wrong.append((model_id, settings.flash_attention, cache, context_mib))
        placement = place(len(model.layers), ())
        ratios.append(compute_mib * MIB / compute_buffer_bytes(model, settings, placement)[HOST])
    assert len(ratios) > 60
    assert not wrong
    # That release sets aside more for the compute of one cache for each user as well (README).
    assert all(0.85 < ratio < 1.3 for ratio in ratios)


@pytest.mark.skipif(not (native.is_installed() and can_ask()), reason="nothing here can ask llama.cpp")
@pytest.mark.parametrize("model_id", ["llama-3.1-8b-instruct", "gemma-3-12b-it"])
def test_llama_cpp_itself_is_asked_for_one_cache(model_id: str) -> None:
    entry, settings = catalogue()[model_id], Settings(8192, users=3, unified=True)
    told = ask_memory(entry.model, LEVELS["Q4_K_M"], settings, metadata_of_config(entry.model, entry.config))
    if len(told.devices) > 1:
        pytest.skip("this machine has a GPU; the plan is for none")
    (plan,) = LLAMA_CPP.plan(PlanRequest(entry.model, Memory((), None), settings, stored=Levels(LEVELS["Q4_K_M"].id)))
    assert {row.figure: row.agrees for row in compare_with_plan(told, plan)}["KV cache"]


@given(model_id=MODELS, context=st.integers(1, 100_000), users=st.integers(1, 16), flash=st.booleans())
def test_one_cache_is_never_larger_than_one_for_each(model_id: str, context: int, users: int, flash: bool) -> None:
    model = catalogue()[model_id].model
    each = Settings(context, users=users, flash_attention=flash)
    shared = replace(each, unified=True)
    one, many = sum(layer_cache_bytes(model, shared)), sum(layer_cache_bytes(model, each))
    alone = sum(layer_cache_bytes(model, replace(each, users=1)))
    assert alone <= one <= many
    if users == 1:
        assert one == many
    if not as_kept(model, shared).unified:
        assert one == many
    kept = layer_cache_bytes(model, shared)
    for layer, size in zip(model.layers, kept, strict=True):
        assert sum(term.bytes for term in layer_terms(layer, model, shared, size)) == size


def test_lm_studio_recommends_what_fits_with_one_cache() -> None:
    """Four default slots of 16,384 tokens were counted as four caches: Q4_K_M "did not fit", IQ1_M was recommended."""
    found, alone = asked(SHARED), asked(SHARED.replace("lm-studio", "llama.cpp"))
    assert found.question.workload.users == 4
    assert chosen_level(found) == chosen_level(alone) == "Q6_K"
    for ours, one in zip(found.plans, alone.plans, strict=True):
        assert ours.devices[0].kv_cache_bytes == one.devices[0].kv_cache_bytes == 16_384 * 160 * 1024
    assert any("4 requests at once share one KV cache of 16,384 tokens" in note for note in say_all(found.notes))
    assert found.chosen is not None
    load = next(one for one in commands(launch_of(found, found.chosen)) if say(one.title) == "Load")
    assert "--context-length 16384" in load.text.replace(" \\\n ", "")
    assert "Max Concurrent Predictions 4, Unified KV Cache on" in " ".join(say_all(load.notes))


def test_a_larger_window_model_keeps_a_window_for_each_request() -> None:
    """Gemma 4 31B at its whole context: 22.3 GiB of cache with one request, not four times that with four."""
    query = "model=gemma-4-31b-it&machine=apple-m1-max-64gb&runtime=lm-studio&context=262144&level=Q8_0&vision=off"
    four, one = (asked(f"{query}{users}").plans[0].devices[0].kv_cache_bytes for users in ("", "&users=1"))
    assert one < four < 1.2 * one


def test_a_model_that_shares_no_cache_is_said_to() -> None:
    query = "model=deepseek-v4-flash&machine=h200-sxm-141gb&gpus=4&context=8192&level=Q4_K_M&runtime="
    found, each = asked(f"{query}lm-studio"), asked(f"{query}llama.cpp&users=4")
    assert [one.kv_cache_bytes for one in found.plans[0].devices] == [
        one.kv_cache_bytes for one in each.plans[0].devices
    ]
    assert any("share no KV cache of this model" in note for note in say_all(found.notes))


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("users=1", ""),
        ("users=2", "for 16,384 tokens each, choose a context of 32,768."),
        ("users=3", "which one alone may fill."),  # 49,152 tokens are more than the model knows
    ],
)
def test_what_sharing_means_is_said(query: str, said: str) -> None:
    notes = [note for note in say_all(asked(f"{SHARED}&{query}&level=Q6_K").notes) if "share" in note]
    assert [note.endswith(said) for note in notes] == ([True] if said else [])


def test_users_of_one_cache_read_no_more_than_it_holds() -> None:
    deep = asked(f"{SHARED}&level=Q6_K&context_used=16384").candidates[0].tokens_per_s
    quarter = asked(f"{SHARED}&level=Q6_K&context_used=4096").candidates[0].tokens_per_s
    assert deep == quarter


def test_a_draft_model_shares_its_cache_as_well() -> None:
    plan = asked(f"{SHARED}&level=Q4_K_M&draft=qwen3-0.6b").plans[0]
    assert plan.draft is not None
    assert plan.draft.settings.unified
    assert plan.draft.devices[0].kv_cache_bytes == 16_384 * 112 * 1024


def test_llama_server_is_told_each_users_own_cache() -> None:
    launch = Launch(
        model_name="M", level="Q4_K_M", runtime="llama.cpp", settings=Settings(8192, users=4), file="m.gguf"
    )
    server = commands(launch)[0]
    words = server.text.replace(" \\\n ", "")
    assert "-c 32768" in words
    assert "-np 4" in words
    assert "--kv-unified" not in words
    shared = replace(launch, settings=Settings(8192, users=4, unified=True))
    words = commands(shared)[0].text.replace(" \\\n ", "")
    assert "-c 8192" in words
    assert "--kv-unified" in words


@pytest.mark.parametrize("runtime", ["llama.cpp", "ollama", "lm-studio"])
def test_more_users_than_llama_cpp_has_sequences_are_refused_by_its_name(runtime: str) -> None:
    with pytest.raises(InputError, match=r"users=257: one llama\.cpp process serves at most 256"):
        asked(f"runtime={runtime}&users=257&context=512")


def test_vllm_serves_more_users_than_llama_cpp_can() -> None:
    query = "model=llama-3.1-8b-instruct&machine=h100-sxm5-80gb&runtime=vllm&context=1024&level=FP8-dynamic&users="
    found, fewer = asked(f"{query}400"), asked(f"{query}256")
    assert found.plans[0].verdict == "fits"
    assert found.plans[0].settings.users == 400
    assert found.candidates[0].speed is not None
    assert fewer.candidates[0].speed is not None
    total, before = (one.total_decode_tokens_per_s for one in (found.candidates[0].speed, fewer.candidates[0].speed))
    assert total is not None
    assert before is not None
    assert total.typical >= before.typical
