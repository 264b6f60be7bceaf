"""Keys that people need: memory that others use, contexts beyond the trained one, how vLLM is told to share a model."""

from __future__ import annotations

import json

import pytest

from advisor.answer.answer import Answer, answer
from advisor.answer.flips import flips
from advisor.answer.launching import launch_of
from advisor.answer.reasons import reasons
from advisor.answer.run_it import ways_to_run
from advisor.foundation.errors import InputError
from advisor.foundation.message import NOTHING
from advisor.foundation.units import GIB, MIB
from advisor.models.catalogue import catalogue
from advisor.question.question import Question
from advisor.report.compact import answer_document
from advisor.runtimes.commands import commands
from advisor.runtimes.registry import runtime_by
from advisor.runtimes.vllm.serve_options import VllmOptions
from advisor.runtimes.vllm.stages import cuts, stages_of, tensors_of_stage
from advisor.sizing.plan import Plan
from advisor.sizing.runtime_id import RuntimeId
from advisor.words import say, say_all
from tests.support.program_options import arguments

LLAMA = "model=llama-3.1-8b-instruct"
MISTRAL = "model=mistral-small-24b-instruct-2501&machine=rtx-4090&level=Q4_K_M&runtime=llama.cpp"
BIG = "model=llama-3.1-70b-instruct&machine=h100-sxm5-80gb&runtime=vllm&level=BF16-safetensors"
MOE = "model=qwen3-30b-a3b&machine=h100-sxm5-80gb&gpus=4&runtime=vllm&level=BF16-safetensors"


def asked(query: str) -> Answer:
    return answer(Question.from_query(query))


def planned(query: str) -> Plan:
    return asked(query).shown.plan


def told(query: str) -> str:
    found = asked(query)
    return " ".join(arguments(commands(launch_of(found, found.shown))[-1].text))


# --- memory that other programs use


@pytest.mark.parametrize("runtime", ["llama.cpp", "vllm", "sglang"])
def test_what_others_use_is_missing_from_a_card(runtime: str) -> None:
    level = "Q8_0" if runtime == "llama.cpp" else "FP8-dynamic"
    query = f"{LLAMA}&machine=rtx-4090&runtime={runtime}&level={level}"
    plain, used = planned(query), planned(f"{query}&used_mib=4096")
    (device,) = used.devices
    assert device.used_bytes == 4096 * MIB
    assert device.overhead_bytes >= device.used_bytes
    assert used.max_context < plain.max_context
    assert any("4.0 GiB that other programs hold" in note for note in say_all(asked(f"{query}&used_mib=4096").notes))


def test_it_is_a_line_of_its_own_and_part_of_the_sum() -> None:
    seen = planned(f"{LLAMA}&machine=rtx-3090&gpus=2&used_mib=1500,0&host_memory_gib=64&host_used_mib=8192")
    assert [device.used_bytes // MIB for device in seen.devices] == [1500, 0]
    assert seen.host.used_bytes == seen.host.overhead_bytes == 8 * GIB
    lines = runtime_by(seen.runtime).memory_lines(seen, NOTHING, NOTHING)
    others = {line.place: line.bytes for line in lines if line.component == "other programs"}
    assert others == {seen.devices[0].name: 1500 * MIB, "Host": 8 * GIB}
    found = asked(f"{LLAMA}&machine=rtx-3090&gpus=2&used_mib=1500,0")
    first, second, _ = answer_document(found, "")["decision"]["plan"]["memory"]
    assert first["used_bytes"] == 1500 * MIB
    assert "used_bytes" not in second


def test_one_number_counts_for_every_card_and_layers_follow_what_is_free() -> None:
    query = "model=llama-3.1-70b-instruct&machine=rtx-3090&gpus=2&level=Q3_K_M&runtime=llama.cpp&gpu_layers=all"
    both, first = planned(f"{query}&used_mib=1000"), planned(f"{query}&used_mib=6000,0")
    assert [device.used_bytes for device in both.devices] == [1000 * MIB] * 2
    assert first.devices[0].weights_bytes < first.devices[1].weights_bytes


def test_what_others_use_is_named_where_it_is_in_the_way() -> None:
    found = asked(f"{LLAMA}&machine=rtx-4090&level=Q8_0&used_mib=16000&gpu_layers=all")
    assert found.status == "does not fit"
    assert any("15.6 GiB that other programs hold it would fit" in one for one in say_all(reasons(found)))
    alone = asked(f"{LLAMA}&machine=rtx-4090&level=Q8_0&gpu_layers=all")
    assert alone.chosen is not None


def test_vllm_is_told_to_take_what_others_leave() -> None:
    query = f"{LLAMA}&machine=rtx-4090&runtime=vllm&level=FP8-dynamic"
    assert "--gpu-memory-utilization 0.92" in told(query)
    seen = planned(f"{query}&used_mib=6000")
    assert seen.serving is not None
    device = seen.request.memory.devices[0]
    assert seen.serving.share * device.capacity_bytes <= device.capacity_bytes - device.used_bytes
    assert f"--gpu-memory-utilization {seen.serving.share}" in told(f"{query}&used_mib=6000")
    assert any("--gpu-memory-utilization" in note for note in say_all(seen.notes))


# --- contexts beyond the trained one


def test_mistral_small_at_49_152_tokens() -> None:
    """ollama issue 6160: it runs on a card of 24 GB with its cache in 8 bits; it was trained for 32,768."""
    query = f"{MISTRAL}&context=49152&kv_type_k=q8_0&kv_type_v=q8_0"
    found = asked(query)
    assert found.chosen is not None
    assert found.shown.plan.devices[0].kv_cache_bytes == 40 * 2 * 8 * 128 * 49_152 * 34 // 32
    assert any("YaRN stretches its positions by 1.5" in note for note in say_all(found.notes))
    assert "--rope-scaling yarn --rope-scale 1.5 --yarn-orig-ctx 32768" in told(query)
    assert found.shown.plan.max_context >= 49_152


def test_a_cache_beyond_is_as_large_as_its_tokens_say() -> None:
    whole, twice = (planned(f"{MISTRAL}&context={tokens}&kv_type_k=f16&gpu_layers=all") for tokens in (32_768, 65_536))
    assert twice.devices[0].kv_cache_bytes == 2 * whole.devices[0].kv_cache_bytes


@pytest.mark.parametrize(
    ("key", "options", "said"),
    [
        ("linear", "--rope-scaling linear --rope-scale 1.5 --override-kv llama.context_length=int:49152", "linear"),
        ("none", "--override-kv llama.context_length=int:49152", "read as noise"),
        ("yarn", "--rope-scaling yarn", "YaRN"),
    ],
)
def test_how_positions_are_stretched_is_told(key: str, options: str, said: str) -> None:
    query = f"{MISTRAL}&context=49152&rope_scaling={key}"
    assert options in told(query)
    assert any(said in note for note in say_all(asked(query).notes))


def test_vllm_is_told_in_the_words_of_the_config() -> None:
    query = "model=qwen3-14b&machine=rtx-4090&runtime=vllm&level=AWQ-W4A16-g128&context=65536"
    words = told(query).split("--hf-overrides ")[1]
    overrides = json.JSONDecoder().raw_decode(words)[0]
    assert overrides["max_position_embeddings"] == 65_536
    rope = overrides["rope_parameters"]
    assert rope["rope_type"] == "yarn"
    assert rope["rope_theta"] == catalogue()["qwen3-14b"].config["rope_theta"]
    assert rope["factor"] * rope["original_max_position_embeddings"] >= 65_536
    found = asked(f"{query}&rope_scaling=none")
    assert "VLLM_ALLOW_LONG_MAX_MODEL_LEN=1" in commands(launch_of(found, found.shown))[-1].text


def test_ollama_serves_no_more_than_the_trained_context() -> None:
    found = asked(f"{MISTRAL.replace('llama.cpp', 'ollama')}&context=49152&users=1")
    ways = {way.runtime: way for way in ways_to_run(found, found.shown)}
    assert not ways[RuntimeId.OLLAMA].runs
    assert "beyond the trained" in " ".join(say_all(ways[RuntimeId.OLLAMA].said))
    assert ways[RuntimeId.LLAMA_CPP].runs


def test_the_search_never_goes_beyond_by_itself() -> None:
    found = asked(f"{MISTRAL}&context=32768&kv_type_k=q4_0&kv_type_v=q4_0")
    assert found.shown.plan.max_context == 32_768
    assert not any(flip.change == "context" for flip in flips(found))
    assert not any("stretch" in note for note in say_all(found.notes))
    silent = asked("model=tinyllama-1.1b-chat-v1.0&machine=rtx-4090")
    assert silent.shown.plan.settings.context == 2048


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("model=mistral-small-24b-instruct-2501&context=262145", "more than 8 times"),
        ("model=bge-m3&context=8193", "beyond what"),
    ],
)
def test_what_cannot_be_stretched_so_far_is_refused(query: str, part: str) -> None:
    with pytest.raises(InputError, match=part):
        asked(f"{query}&machine=rtx-4090")


def test_a_scaling_that_is_not_needed_is_named() -> None:
    assert any(
        "rope_scaling changes nothing here" in note for note in say_all(asked(f"{MISTRAL}&rope_scaling=yarn").notes)
    )


# --- how vLLM shares a model


def test_stages_hold_all_layers_once() -> None:
    assert list(cuts(80, 4)) == [(0, 20), (20, 40), (40, 60), (60, 80)]
    assert [end - first for first, end in cuts(30, 4)] == [7, 8, 8, 7]
    model = catalogue()["llama-3.1-70b-instruct"].model
    stages = stages_of(model, 3)
    assert sum(len(stage.layers) for stage in stages) == len(model.layers)
    assert sum(stage.parameters for stage in stages) == model.parameters
    named = [("model.embed_tokens.weight", 5), ("model.layers.0.mlp.up_proj.weight", 7), ("lm_head.weight", 11)]
    named += [("model.layers.79.mlp.up_proj.weight", 13), ("model.norm.weight", 1)]
    held = [tensors_of_stage(named, model, place, 3) for place in range(3)]
    assert [sum(size for _, size in one) for one in held] == [12, 0, 25]


def test_pipeline_stages_share_layers_and_cache() -> None:
    flat, staged = planned(f"{BIG}&gpus=4"), planned(f"{BIG}&gpus=4&pipeline_parallel=2")
    whole, parts = (sum(device.weights_bytes for device in one.devices) for one in (flat, staged))
    assert parts == pytest.approx(whole, rel=0.01)
    assert staged.devices[0].weights_bytes == pytest.approx(staged.devices[2].weights_bytes, rel=0.02)
    assert staged.devices[0].kv_cache_bytes == pytest.approx(flat.devices[0].kv_cache_bytes, rel=0.01)
    assert "--tensor-parallel-size 2 --pipeline-parallel-size 2" in told(f"{BIG}&gpus=4&pipeline_parallel=2")


def test_heads_that_do_not_divide_over_cards_may_in_stages() -> None:
    with pytest.raises(InputError, match="attention heads"):
        asked(f"{BIG}&gpus=6&use_gpus=6")
    assert planned(f"{BIG}&gpus=6&pipeline_parallel=3").fits


def test_replicas_share_experts_and_nothing_else() -> None:
    flat, two = planned(MOE), planned(f"{MOE}&data_parallel=2&users=8")
    dense = planned(f"{BIG}&gpus=8&data_parallel=2"), planned(f"{BIG}&gpus=4&use_gpus=4")
    assert flat.devices[0].weights_bytes < two.devices[0].weights_bytes < 1.2 * flat.devices[0].weights_bytes
    assert dense[0].devices[0].weights_bytes == dense[1].devices[0].weights_bytes
    assert two.serving is not None
    assert (two.serving.requests, two.serving.together, two.serving.replicas) == (4, 2, 2)
    assert two.kv_tokens is not None
    assert "--max-num-seqs 4 --tensor-parallel-size 2 --data-parallel-size 2" in told(f"{MOE}&data_parallel=2&users=8")
    assert "--enable-expert-parallel" in told(f"{MOE}&data_parallel=2&expert_parallel=on")


def test_a_replica_is_as_fast_as_its_own_cards() -> None:
    alone = asked(f"{BIG}&gpus=4&use_gpus=4&users=8").shown
    both = asked(f"{BIG}&gpus=8&data_parallel=2&users=16").shown
    assert alone.speed is not None
    assert both.speed is not None
    assert both.tokens_per_s == alone.tokens_per_s
    assert alone.speed.total_decode_tokens_per_s is not None
    assert both.speed.total_decode_tokens_per_s == alone.speed.total_decode_tokens_per_s.scaled(2)


def test_eager_mode_frees_the_graphs_and_says_what_it_costs() -> None:
    query = f"{LLAMA}&machine=rtx-4090&runtime=vllm"
    plain, eager = planned(query), planned(f"{query}&enforce_eager=on")
    assert eager.devices[0].compute_bytes < plain.devices[0].compute_bytes
    assert any("writes slower" in note for note in say_all(eager.notes))
    assert "--enforce-eager" in told(f"{query}&enforce_eager=on")


def test_fewer_requests_than_users_wait() -> None:
    seen = planned(f"{LLAMA}&machine=h100-sxm5-80gb&runtime=vllm&users=16&max_num_seqs=4")
    assert seen.at_once == 4
    assert seen.served_share == 0.25
    assert any("serves 4 of 16 users" in note for note in say_all(seen.notes))
    assert "--max-num-seqs 4" in told(f"{LLAMA}&machine=h100-sxm5-80gb&runtime=vllm&users=16&max_num_seqs=4")


def test_more_requests_than_tokens_of_a_usual_step_are_told_with_more() -> None:
    query = f"{LLAMA}&machine=rtx-4090&runtime=vllm&level=AWQ-W4A16-g128&context=256&users="
    assert "--max-num-batched-tokens 8192" in told(f"{query}3000")
    assert "--max-num-batched-tokens" not in told(f"{query}2000")


def test_larger_steps_take_more_room() -> None:
    query = f"{LLAMA}&machine=rtx-4090&runtime=vllm&level=FP8-dynamic"
    small, large = planned(query), planned(f"{query}&max_num_batched_tokens=16384")
    assert large.devices[0].compute_bytes > small.devices[0].compute_bytes
    assert "--max-num-batched-tokens 16384" in told(f"{query}&max_num_batched_tokens=16384")
    assert VllmOptions(max_batched_tokens=64).max_requests is None


@pytest.mark.parametrize(
    ("query", "part"),
    [
        (f"{BIG}&gpus=4&pipeline_parallel=3", "that 3 divides"),
        (f"{BIG}&gpus=2&data_parallel=4", "that 4 divides"),
        ("model=gemma-3n-e4b-it&machine=h100-sxm5-80gb&gpus=2&runtime=vllm&pipeline_parallel=2", "cache of others"),
        (f"{BIG}&gpus=4&max_num_batched_tokens=8&max_num_seqs=9", "at least as many"),
        (f"{BIG}&gpus=4&max_num_batched_tokens=8&users=9", "at least as many"),
    ],
)
def test_what_vllm_would_not_start_is_refused(query: str, part: str) -> None:
    with pytest.raises(InputError, match=part):
        asked(query)


def test_the_sentences_are_whole() -> None:
    found = asked(f"{MISTRAL}&context=49152&used_mib=1000")
    assert all(say(note).endswith(".") for note in found.notes)


def test_what_others_use_of_one_of_several_cards_can_be_asked_for() -> None:
    found = asked(f"{LLAMA}&machine=rtx-3090&gpus=2&used_mib=20000,0")
    assert found.chosen is not None
    assert "used_mib=20000%2C0" in answer_document(found, "")["decision"]["plan"]["query"]
