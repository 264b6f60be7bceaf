"""SGLang: weights and tokens as it logs them, what is left to computing, and the command that starts the plan."""

from __future__ import annotations

import pytest

from advisor.answer.answer import Answer, answer
from advisor.answer.launching import launch_of
from advisor.answer.run_it import ways_to_run
from advisor.foundation.errors import InputError
from advisor.foundation.units import GIB
from advisor.models.catalogue import catalogue
from advisor.question.question import Question
from advisor.runtimes.commands import commands
from advisor.runtimes.sglang.pool import TokenPool, token_pool
from advisor.sizing.plan import Plan
from advisor.sizing.runtime_id import RuntimeId
from advisor.speed.measurements import measurements
from advisor.words import say, say_all
from tests.support.program_options import arguments, check_options

LLAMA = "model=llama-3.1-8b-instruct&runtime=sglang"
MOE = "model=qwen3-30b-a3b&runtime=sglang&level=BF16-safetensors"


def asked(query: str) -> Answer:
    return answer(Question.from_query(query))


def planned(query: str) -> Plan:
    return asked(query).shown.plan


def told(query: str) -> list[str]:
    found = asked(query)
    command = commands(launch_of(found, found.shown))[-1]
    check_options(command)
    return arguments(command.text)


def test_weights_and_tokens_of_qwen_on_an_mi325x() -> None:
    """sgl-project/sglang pull 18263: 56.98 GiB of weights, 98,304 bytes for a token."""
    seen = planned(f"{MOE}&machine=mi325x&context=32768")
    assert seen.devices[0].weights_bytes / GIB == pytest.approx(56.98, rel=0.005)
    assert seen.devices[0].kv_cache_bytes == 32_768 * 98_304
    assert seen.rules.startswith("SGLang ")
    assert seen.fits


def test_the_share_is_of_what_is_free_at_the_start() -> None:
    whole, half = (planned(f"{LLAMA}&machine=h100-sxm5-80gb&mem_fraction_static={share}") for share in (0.8, 0.4))
    assert whole.kv_tokens is not None
    assert half.kv_tokens is not None
    device = whole.request.memory.devices[0]
    free = device.capacity_bytes - device.overhead_bytes
    per_token = whole.devices[0].kv_cache_bytes / 8192
    assert (whole.kv_tokens - half.kv_tokens) * per_token == pytest.approx(0.4 * free, rel=1e-3)
    used = planned(f"{LLAMA}&machine=h100-sxm5-80gb&mem_fraction_static=0.8&used_mib=10240")
    assert used.kv_tokens is not None
    assert (whole.kv_tokens - used.kv_tokens) * per_token == pytest.approx(0.8 * 10 * GIB, rel=1e-3)


def test_a_share_that_leaves_too_little_to_computing_does_not_run() -> None:
    seen = asked(f"{LLAMA}&machine=rtx-4090&mem_fraction_static=0.99&level=FP8-dynamic")
    assert seen.shown.plan.verdict == "does not fit"
    assert seen.shown.plan.limit is not None
    assert "smaller share" in say(seen.shown.plan.limit)
    assert planned(f"{LLAMA}&machine=rtx-4090&mem_fraction_static=0.8&level=FP8-dynamic").fits


def test_what_a_pool_holds_is_what_it_takes() -> None:
    for pool in (TokenPool(98_304), TokenPool(65_536, 150_000_000)):
        size = pool.bytes_for(8 * 8192, 8)
        assert pool.at_once(size, 8192) == pytest.approx(8, rel=0.13)
        assert pool.at_once(2 * size, 8192) > pool.at_once(size, 8192)


def test_windows_and_states_have_pools_of_their_own() -> None:
    gemma, qwen = (token_pool(catalogue()[name].model, 1, "auto") for name in ("gemma-3-12b-it", "qwen3.8-27b"))
    whole = 2 * 2 * 8 * 256 * len(catalogue()["gemma-3-12b-it"].model.layers)
    assert gemma is not None
    assert 0.8 * whole < gemma.token_bytes < whole
    assert qwen is not None
    assert qwen.state_bytes > 0
    assert any(
        "recurrent states" in note
        for note in say_all(planned("model=qwen3.8-27b&machine=h200-sxm-141gb&runtime=sglang").notes)
    )
    assert token_pool(catalogue()["all-minilm-l6-v2"].model, 1, "auto") is None


def test_its_commands_say_what_was_planned() -> None:
    plain = told(f"{LLAMA}&machine=rtx-4090&users=4")
    assert plain[:3] == ["python", "-m", "sglang.launch_server"]
    assert plain[plain.index("--max-running-requests") + 1] == "4"
    share = planned(f"{LLAMA}&machine=rtx-4090&users=4").serving
    assert share is not None
    assert float(plain[plain.index("--mem-fraction-static") + 1]) == share.share
    dense = told(
        "model=llama-3.1-70b-instruct&runtime=sglang&machine=h100-sxm5-80gb&gpus=8&data_parallel=2&pipeline_parallel=2"
    )
    assert " ".join(dense).count("--tp-size 2 --pp-size 2 --dp-size 2") == 1
    mixture = told(f"{MOE}&machine=h100-sxm5-80gb&gpus=4&data_parallel=2&expert_parallel=on&kv_fp8=on")
    assert "--tp-size 4 --attn-dp-size 2 --ep-size 4" in " ".join(mixture)
    assert "--kv-cache-dtype fp8_e4m3" in " ".join(mixture)
    assert "--language-model-only" in told("model=gemma-3-12b-it&runtime=sglang&machine=h100-sxm5-80gb&vision=off")


def test_it_is_planned_where_it_is_asked_for_and_only_there() -> None:
    auto = asked("model=llama-3.1-8b-instruct&machine=rtx-4090&users=32")
    assert RuntimeId.SGLANG not in auto.search.engines
    (way,) = [one for one in ways_to_run(auto, auto.shown) if one.runtime is RuntimeId.SGLANG]
    assert "runtime=sglang" in " ".join(say_all(way.said))
    pinned = asked(f"{LLAMA}&machine=rtx-4090")
    ways = {one.runtime: one for one in ways_to_run(pinned, pinned.shown)}
    assert ways[RuntimeId.SGLANG].runs
    assert "asks for SGLang" in " ".join(say_all(ways[RuntimeId.VLLM].said))
    assert asked("model=llama-3.1-8b-instruct&machine=rtx-4090&mem_fraction_static=0.7").shown.plan.runtime == "sglang"


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("machine=rx-7900-xtx", "gfx942"),
        ("machine=apple-m4-max-40c-128gb", "MLX inside"),
        ("machine=rtx-3090&other_machine=rtx-3060-12gb", "one kind"),
        ("machine=rtx-4090&draft=llama-3.2-1b-instruct", "not for sglang"),
        ("machine=rtx-4090&lora_rank=8", "not for sglang"),
        ("machine=rtx-4090&level=Q4_K_M", "not for sglang"),
        ("machine=mi300x&level=W4A16-g128", "for NVIDIA GPUs"),
    ],
)
def test_what_it_does_not_run_is_said(query: str, part: str) -> None:
    with pytest.raises(InputError, match=part):
        asked(f"{LLAMA}&{query}")


def test_published_speeds_lie_in_the_range_that_is_stated() -> None:
    """Estimated by what was measured with vLLM, from lower on; of SGLang 20 measurements of one user are known."""
    levels = {"BF16": "BF16-safetensors", "FP8": "FP8-block128", "GPTQ-Int8": "W8A16-channel"}
    levels |= {"AWQ-INT4": "AWQ-W4A16-g128", "GPTQ-INT4": "W4A16-g128"}
    inside = []
    for row in measurements():
        if row.runtime != "sglang" or row.kind != "decode" or not row.model_id:
            continue
        query = f"model={row.model_id}&machine={row.machine}&runtime=sglang&level={levels[row.quant]}&context=4096"
        if row.devices > 1:
            query += f"&gpus={row.devices}&use_gpus={row.devices}"
        estimate = asked(f"{query}&prompt_tokens=1&context_used={row.depth}").shown.tokens_per_s
        assert estimate is not None
        inside.append(estimate.low <= row.tokens_per_s <= estimate.high)
    assert len(inside) >= 20
    assert sum(inside) >= 0.9 * len(inside)


def test_attention_lies_on_every_gpu_where_requests_are_shared_out() -> None:
    """Case 46, eight H200: 125.65 GiB a GPU were measured, which an eighth of the file is far below."""
    query = "model=deepseek-v4-pro&machine=h200-sxm-141gb&gpus=8&runtime=sglang"
    shared = planned(f"{query}&data_parallel=8&expert_parallel=on")
    assert shared.devices[0].weights_bytes == pytest.approx(125.65 * GIB, rel=0.03)
    assert planned(query).devices[0].weights_bytes < 103 * GIB
