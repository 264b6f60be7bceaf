"""What is loaded beside the model, held to what people measured on their own machines."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import combinations

import pytest

from advisor.answer.answer import Answer, answer
from advisor.answer.launching import launch_of
from advisor.answer.run_it import ways_to_run
from advisor.foundation.errors import InputError
from advisor.foundation.message import NOTHING
from advisor.foundation.units import GIB, MIB
from advisor.models.catalogue import catalogue
from advisor.models.linear_layers import Kind, stored_block
from advisor.question.question import Question
from advisor.report.compact import answer_document
from advisor.runtimes.commands import commands
from advisor.runtimes.vllm.every_level import frame_of
from advisor.runtimes.vllm.runtime import VLLM
from advisor.runtimes.vllm.serve_options import VllmOptions
from advisor.sizing.memory import Beside
from advisor.sizing.plan import Plan
from advisor.words import say_all


@cache
def found(query: str) -> Answer:
    return answer(Question.from_query(query))


def plan(query: str) -> Plan:
    return found(query).shown.plan


def told(query: str) -> str:
    """All commands in one line."""
    lines = [command.text for command in commands(launch_of(found(query), found(query).shown))]
    return " ".join(" ".join(lines).replace("\\", " ").split())


def mib(size: float) -> float:
    return size / MIB


# --- vision with llama.cpp and what stands around it


LLAVA = "model=qwen3-vl-8b-instruct&machine=rtx-4090&level=Q8_0&context=16384&kv_type_k=q8_0&kv_type_v=q8_0"


def test_the_projector_of_qwen3_vl_in_lm_studio() -> None:
    """Case 7, lmstudio-bug-tracker issue 1176: KV 1224 MiB; llama.cpp estimates the projector as 1502.33 MiB."""
    seen = plan(f"{LLAVA}&runtime=lm-studio&users=1")
    assert mib(seen.devices[0].kv_cache_bytes) == pytest.approx(1224, abs=1)
    assert mib(seen.devices[0].beside.projector) == pytest.approx(1502.33, rel=0.01)


def test_front_ends_and_vllm_see_by_themselves_and_llama_cpp_when_told() -> None:
    for runtime, sees in (("llama.cpp", False), ("ollama", True), ("lm-studio", True), ("vllm", True)):
        silent = plan(f"model=qwen3-vl-8b-instruct&machine=rtx-4090&runtime={runtime}&context=8192")
        assert (silent.devices[0].beside.projector > 0) == sees, runtime
        assert (
            not plan(f"model=qwen3-vl-8b-instruct&machine=rtx-4090&runtime={runtime}&context=8192&vision=off")
            .devices[0]
            .beside.projector
        )
    assert not plan("model=qwen3-8b&machine=rtx-4090&runtime=ollama").devices[0].beside.projector


def test_what_is_left_out_and_what_is_counted_is_said() -> None:
    assert any("Text only: the vision part" in note for note in say_all(found(f"{LLAVA}&runtime=llama.cpp").notes))
    seen = found(f"{LLAVA}&runtime=llama.cpp&vision=on")
    assert any("a file of its own (mmproj)" in note for note in say_all(seen.notes))
    assert any(
        "LM Studio's defaults" in note and "vision" in note
        for note in say_all(found(f"{LLAVA}&runtime=lm-studio").notes)
    )


def test_a_projector_can_be_left_to_the_host_and_stored_in_eight_bits() -> None:
    on_gpu, on_host, small = (
        plan(f"{LLAVA}&runtime=llama.cpp&vision=on{more}") for more in ("", "&projector_offload=off", "&projector=Q8_0")
    )
    assert on_gpu.devices[0].beside.projector == on_host.host.beside.projector > 0
    assert not on_host.devices[0].beside.projector
    assert on_gpu.devices[0].beside.projector - small.devices[0].beside.projector == pytest.approx(391 * MIB, rel=0.03)
    assert "--mmproj mmproj-Qwen3-VL-8B-Instruct-F16.gguf" in told(f"{LLAVA}&runtime=llama.cpp&vision=on")
    assert "--no-mmproj-offload" in told(f"{LLAVA}&runtime=llama.cpp&vision=on&projector_offload=off")


MISTRAL = "model=mistral-small-3.1-24b-instruct-2503&machine=rtx-4090&runtime=ollama&context=4096&level=Q4_K_M"


def test_mistral_small_in_ollama_as_it_was_without_flash_attention() -> None:
    """Case 24, ollama issue 10417: weights of 13.9 GiB with the projector, 24.4 GiB in all, not all on the card."""
    before = plan(f"{MISTRAL}&flash_attention=off")
    tower = before.request.model.tower
    assert tower is not None
    assert (before.devices[0].weights_bytes + tower.file_bytes("F16")) / GIB == pytest.approx(13.9, rel=0.05)
    assert before.devices[0].needed_bytes / GIB == pytest.approx(24.4, rel=0.06)
    assert before.verdict == "does not fit"
    today = plan(MISTRAL)
    assert today.verdict == "fits"
    # ollama pull 13333: 882 MB with flash attention, of a smaller sister with the same eyes
    assert today.devices[0].beside.projector - tower.file_bytes("F16") == pytest.approx(882e6, rel=0.2)


def test_qwen_27b_with_projector_and_mtp_in_ollama() -> None:
    """Case 32, ollama issue 17482: model 15,364 MiB, projector 1,136 to 1,161, MTP context 582."""
    seen = plan("model=qwen3.6-27b&machine=rtx-3090&runtime=ollama&context=4096&level=Q4_K_M&mtp=on").devices[0]
    assert mib(seen.weights_bytes) == pytest.approx(15_364, rel=0.005)
    assert 1_130 < mib(seen.beside.projector) < 1_161
    states = 3 * 149.6
    assert mib(seen.beside.mtp) - states == pytest.approx(582, rel=0.15)


def test_who_starts_a_plan_of_text_in_ollama_is_told_what_that_loads_besides() -> None:
    query = "model=qwen3.6-27b&machine=rtx-3090&runtime=llama.cpp&level=Q4_K_M&context=8192"
    shown = found(query)
    (ollama,) = [way for way in ways_to_run(shown, shown.shown) if way.runtime == "ollama"]
    said = " ".join(say_all(ollama.said))
    assert "loads the vision part as well, which takes 1.1 GiB more" in said
    tight = f"{query.replace('8192', str(plan(query).max_context))}&users=1"
    full = found(tight)
    (ollama,) = [way for way in ways_to_run(full, full.shown) if way.runtime == "ollama"]
    assert not ollama.runs
    assert "does not fit then" in " ".join(say_all(ollama.said))


# --- drafting with the model's own layers


def test_mtp_layers_count_where_layers_are_counted() -> None:
    """GLM-4.5-Air with 43 layers on the GPU leaves 7,580 MiB of weights and cache to the host, 5,839 without them."""
    query = (
        "model=glm-4.5-air&machine=rtx-pro-6000-blackwell-max-q&host_memory_gib=64&level=Q4_K_M&gpu_layers=43"
        "&context=32768"
    )
    for more, told_mib in (("", 5_839), ("&mtp=on", 7_580)):
        host = plan(f"{query}&runtime=llama.cpp{more}").host
        assert mib(host.weights_bytes + host.kv_cache_bytes) == pytest.approx(told_mib, abs=2)
    assert "--no-mtp" in told(f"{query}&runtime=llama.cpp")
    assert "--no-mtp" not in told(f"{query}&runtime=llama.cpp&mtp=on")


@pytest.mark.parametrize(
    ("context", "micro_batch", "estimate"),
    [(8_192, 2_048, 552.06), (32_768, 2_048, 648.06), (262_144, 512, 1_512.0)],
)
def test_the_mtp_context_is_as_large_as_llama_cpp_says(context: int, micro_batch: int, estimate: float) -> None:
    """ "[spec] estimated memory usage of MTP context" of Qwen3.8 27B in summer, without the states that are kept."""
    seen = plan(
        f"model=qwen3.8-27b&machine=h100-sxm5-80gb&runtime=llama.cpp&level=Q4_K_M&context={context}"
        f"&ubatch={micro_batch}&mtp=on&llama_cpp=2026-08"
    )
    states = 3 * 149.6
    assert mib(seen.devices[0].beside.mtp) - states == pytest.approx(estimate, rel=0.05)


def test_mtp_of_qwen_27b_on_a_3090() -> None:
    """Case 15, club-3090 issue 1380: a peak of 23,264 MiB with KV q8_0 for 215,040 tokens, driver and CUDA included.

    The file is Unsloth's, which issue 1123 there gives 13.27 GiB: 1.1 GiB less than llama-quantize makes of the level.
    """
    query = "model=qwen3.8-27b&machine=rtx-3090&runtime=llama.cpp&context=215040&mtp=on&kv_type_k=q8_0&kv_type_v=q8_0"
    theirs, stock = plan(f"{query}&publisher=unsloth&level=UD-IQ4_XS"), plan(f"{query}&level=IQ4_XS")
    assert theirs.sized.file_bytes / GIB == pytest.approx(13.27, abs=0.01)
    card = theirs.devices[0]
    assert 22_900 < mib(card.needed_bytes - card.overhead_bytes) < 23_264
    assert (theirs.verdict, stock.verdict) == ("tight", "does not fit")
    assert stock.devices[0].weights_bytes - card.weights_bytes > GIB


def test_mtp_of_a_model_without_such_layers_is_said_to_change_nothing() -> None:
    query = "machine=rtx-4090&mtp=on&model="
    said = "has no layers for multi-token prediction"
    assert any(said in note for note in say_all(answer(Question.from_query(f"{query}qwen3-8b")).notes))
    assert not any(said in note for note in say_all(answer(Question.from_query(f"{query}qwen3.5-9b")).notes))


def test_a_drafting_cache_is_never_quantized() -> None:
    query = "model=qwen3.8-27b&machine=h100-sxm5-80gb&runtime=llama.cpp&level=Q4_K_M&context=65536&mtp=on"
    whole, small = plan(f"{query}&kv_type_k=f16&kv_type_v=f16"), plan(f"{query}&kv_type_k=q4_0&kv_type_v=q4_0")
    assert small.devices[0].beside.mtp == whole.devices[0].beside.mtp
    assert small.devices[0].kv_cache_bytes < whole.devices[0].kv_cache_bytes


# --- a draft model


def test_another_draft_model_costs_what_its_cache_takes() -> None:
    """Case 29, llama.cpp issue 11200: from Qwen2.5 0.5B to Qwen3 0.6B costs gigabytes, as the cache of a draft model is
    never quantized: 28 layers of 8 heads of 128 in 16 bit are 1,792 MiB at 16,384 tokens, however the other's is kept.
    """
    query = "machine=rtx-3090&runtime=llama.cpp&level=Q4_K_M&context=16384&kv_type_k=q8_0&kv_type_v=q8_0"
    small = plan(f"model=qwen2.5-14b-instruct&draft=qwen2.5-0.5b-instruct&{query}").draft
    large = plan(f"model=qwen3-14b&draft=qwen3-0.6b&{query}").draft
    assert small is not None
    assert large is not None
    assert mib(large.devices[0].kv_cache_bytes) == 1792
    taken = [mib(each.devices[0].needed_bytes - each.devices[0].overhead_bytes) for each in (small, large)]
    assert taken == [pytest.approx(991, rel=0.06), pytest.approx(2_695, rel=0.06)]


# --- adapters


def test_adapters_take_what_their_shapes_say() -> None:
    """Rank 16 beside every linear weight of Llama 3.1 8B are 41.9 M weights (PEFT's own count of "all-linear")."""
    model = catalogue()["llama-3.1-8b-instruct"].model
    edges = sum(
        sum(weight.shape)
        for layer in model.layers
        for weight in stored_block(model, layer)
        if weight.kind is Kind.LINEAR
    )
    assert 16 * edges == 41_943_040
    query = "model=llama-3.1-8b-instruct&machine=rtx-4090&level=Q4_K_M&runtime=llama.cpp"
    plain, adapted = plan(query), plan(f"{query}&lora_rank=16&loras=4")
    assert adapted.devices[0].beside.adapters == 4 * 41_943_040 * 4
    assert adapted.devices[0].needed_bytes == plain.devices[0].needed_bytes + adapted.devices[0].beside.adapters
    assert adapted.devices[0].weights_bytes == plain.devices[0].weights_bytes
    assert told(f"{query}&lora_rank=16&loras=2").count("--lora lora-") == 4  # the server and the program


def test_adapters_go_with_their_layers() -> None:
    seen = plan(
        "model=llama-3.1-8b-instruct&machine=rtx-4090&host_memory_gib=64&level=Q4_K_M&runtime=llama.cpp&gpu_layers=17"
        "&lora_rank=16"
    )
    assert seen.host.beside.adapters == seen.devices[0].beside.adapters == 41_943_040 * 2


def test_vllm_makes_places_of_the_next_rank_for_every_adapter() -> None:
    """Case 47: adapters take what the cache would have (vLLM issues 14450 and 15039)."""
    query = "model=llama-3.1-8b-instruct&machine=a100-sxm4-80gb&runtime=vllm&level=BF16-safetensors"
    seen = plan(f"{query}&lora_rank=100&loras=3").devices[0]
    assert seen.beside.adapters == 3 * 128 * 41_943_040 // 16 * 2
    assert "--enable-lora --max-loras 3 --max-lora-rank 128" in told(f"{query}&lora_rank=100&loras=3")
    plain, adapted = plan(query), plan(f"{query}&lora_rank=100&loras=3")
    assert plain.kv_tokens is not None
    assert adapted.kv_tokens is not None
    assert adapted.kv_tokens < plain.kv_tokens


# --- vLLM's encoder


def blocks(query: str, options: VllmOptions | None = None) -> int:
    """Blocks of the pool."""
    seen = plan(query)
    request = seen.request if options is None else replace(seen.request, options=options)
    again = VLLM.plan_level(request, seen.level_id)
    assert again is not None
    assert again.kv_tokens is not None
    return round(again.kv_tokens / 262_144 * 335)


@pytest.mark.parametrize(
    ("level", "utilisation", "measured"), [("BF16-safetensors", 0.95, 556), ("FP8-block128", 0.92, 939)]
)
def test_qwen_27b_on_an_rtx_pro_6000(level: str, utilisation: float, measured: int) -> None:
    """Case 33, vllm-project/recipes pull 831: blocks that are left at the default of 1,024 sequences."""
    query = (
        "model=qwen3.8-27b&machine=rtx-pro-6000-blackwell-max-q&runtime=vllm&context=262144"
        f"&level={level}&gpu_memory_utilization={utilisation}"
    )
    seen = plan(f"{query}&max_num_seqs=1024")
    assert seen.verdict == "does not fit"
    assert seen.limit is not None
    assert dict(seen.limit.figures)["blocks"] == pytest.approx(measured, rel=0.035)
    (note,) = [note for note in say_all(seen.notes) if "--max-num-seqs" in note]
    advised = int(note.split("--max-num-seqs ")[1].split()[0].strip(".,").replace(",", ""))
    assert 0.85 * measured < advised <= measured
    assert plan(f"{query}&max_num_seqs={advised}").fits
    assert plan(f"{query}&max_num_seqs=1024&enforce_eager=on").fits
    assert f"--max-num-seqs {advised}" in told(f"{query}&users=1024")


def test_qwen_27b_in_nvfp4_on_an_rtx_pro_6000() -> None:
    """Case 33: 1,011 blocks, of a file whose weights are 24.04 GiB (12.02 on each of two, recipes pull 810); others
    leave less in 16 bit, and what is advised holds for all.
    """
    query = (
        "model=qwen3.8-27b&machine=rtx-pro-6000-blackwell-max-q&runtime=vllm&context=262144&level=NVFP4"
        "&gpu_memory_utilization=0.92&max_num_seqs=1024"
    )
    seen = plan(query)
    assert seen.verdict == "tight"
    (note,) = [note for note in say_all(seen.notes) if "--max-num-seqs" in note]
    advised = int(note.split("--max-num-seqs ")[1].split()[0].strip(".,").replace(",", ""))
    assert 0.85 * 1011 < advised <= 1011
    frame, tower = frame_of(seen.request), seen.request.model.tower
    (stage,) = frame.stages
    assert tower is not None
    assert stage.cache is not None
    text = round(24.04 * GIB) - 2 * tower.parameters
    assert frame.pool(stage, text - stage.fixed_bytes) // stage.cache.block_bytes == pytest.approx(1011, rel=0.045)


def test_weights_of_qwen_27b_on_two_cards() -> None:
    """vllm-project/recipes pull 810: 14.28 GiB in FP8 on each, vision included."""
    seen = plan("model=qwen3.8-27b&machine=rtx-5090&gpus=2&runtime=vllm&context=262144&level=FP8-block128")
    tower = seen.request.model.tower
    assert tower is not None
    assert (seen.devices[0].weights_bytes + tower.parameters) / GIB == pytest.approx(14.28, rel=0.003)


def test_qwen_27b_on_two_3090() -> None:
    """Case 34, mitchross/talos-argocd-proxmox pull 1995: 302,921 tokens, 2.31 times 131,072."""
    seen = plan(
        "model=qwen3.8-27b&machine=rtx-3090&gpus=2&runtime=vllm&context=131072&users=2&kv_fp8=on&level=FP8-block128"
    )
    assert seen.kv_tokens == pytest.approx(302_921, rel=0.02)
    assert seen.max_concurrency == pytest.approx(2.31, rel=0.02)


def test_the_same_with_larger_steps() -> None:
    """As measured there, with 8,192 tokens a step: the encoder's memory serves the layers too."""
    seen = plan(
        "model=qwen3.8-27b&machine=rtx-3090&gpus=2&runtime=vllm&context=131072&users=2&kv_fp8=on&level=FP8-block128"
        "&max_num_batched_tokens=8192"
    )
    assert seen.kv_tokens == pytest.approx(302_921, rel=0.02)


def test_steps_of_64_000_tokens_leave_kimi_linear_little() -> None:
    """Case 43, vllm issue 28228: 2.30 GiB of cache on each of two 3090, which a usual step leaves thrice as much.

    Its file is one of llm-compressor's, with nothing but the experts packed, in groups of 32.
    """
    query = (
        "model=kimi-linear-48b-a3b-instruct&machine=rtx-3090&gpus=2&runtime=vllm&level=AWQ-W4A16-g128&context=120000"
        "&gpu_memory_utilization=0.95&max_num_seqs=8"
    )

    def left(seen: Plan, compute: float) -> float:
        device = seen.devices[0]
        return (device.capacity_bytes - device.overhead_bytes - device.weights_bytes - compute) / GIB  # type: ignore[operator]

    usual, large = plan(query), plan(f"{query}&max_num_batched_tokens=64000")
    assert usual.compute_range is not None
    assert large.compute_range is not None
    assert left(usual, usual.compute_range.typical) > 6
    assert left(large, large.compute_range.typical) == pytest.approx(2.30, abs=0.8)
    assert left(large, large.compute_range.high) < 2.30 < left(large, large.compute_range.low)
    assert large.verdict == "tight"


def test_qwen_vl_72b_does_not_fit_on_four_a100() -> None:
    """Case 37, vllm issue 16570: 34.43 GiB of weights on each, and 0.04 to 0.13 GiB left for the cache."""
    query = (
        "model=qwen2.5-vl-72b-instruct&machine=a100-sxm4-40gb&gpus=4&runtime=vllm&context=8192"
        "&gpu_memory_utilization=0.95&level=BF16-safetensors"
    )
    seen = plan(query)
    assert seen.verdict == "does not fit"
    tower = seen.request.model.tower
    assert tower is not None
    assert (seen.devices[0].weights_bytes + tower.parameters // 2) / GIB == pytest.approx(34.43, rel=0.01)
    assert seen.kv_tokens is not None
    assert seen.kv_tokens < 8192
    assert plan(f"{query}&vision=off").verdict in ("fits", "tight")


@pytest.mark.parametrize(("vision", "left_gib"), [("on", 25.05), ("video", 5.26)])
def test_a_video_is_the_large_part_of_what_vllm_sets_aside(vision: str, left_gib: float) -> None:
    """vllm pull 25631: what is left for the cache of Qwen2.5-VL 3B on an A100 of 40 GB."""
    seen = plan(
        "model=qwen2.5-vl-3b-instruct&machine=a100-sxm4-40gb&runtime=vllm&context=128000&gpu_memory_utilization=0.9"
        f"&level=BF16-safetensors&vision={vision}"
    )
    assert seen.kv_tokens is not None
    assert seen.kv_tokens * 36_864 / GIB == pytest.approx(left_gib, abs=0.7)


def test_vllm_is_told_what_it_need_not_load() -> None:
    query = "model=qwen2.5-vl-3b-instruct&machine=a100-sxm4-40gb&runtime=vllm&level=BF16-safetensors"
    assert "--language-model-only" in told(f"{query}&vision=off")
    assert """--limit-mm-per-prompt '{"video": 0}'""" in told(query)
    assert "mm-per-prompt" not in told(f"{query}&vision=video")
    assert "--language-model-only" not in told("model=qwen3-8b&machine=a100-sxm4-40gb&runtime=vllm")


def test_a_draft_model_and_mtp_layers_in_vllm() -> None:
    query = "model=qwen3-32b&machine=a100-sxm4-80gb&runtime=vllm&level=FP8-dynamic"
    plain, drafting = plan(query), plan(f"{query}&draft=qwen3-0.6b")
    assert drafting.devices[0].beside.draft == 2 * catalogue()["qwen3-0.6b"].model.parameters
    assert drafting.kv_tokens is not None
    assert plain.kv_tokens is not None
    assert drafting.kv_tokens < plain.kv_tokens * 64 / 92 * 1.02  # 28 layers more share the pool
    assert '"model": "Qwen/Qwen3-0.6B"' in told(f"{query}&draft=qwen3-0.6b")
    own = plan("model=qwen3.8-27b&machine=a100-sxm4-80gb&runtime=vllm&level=FP8-dynamic&mtp=on")
    assert own.devices[0].beside.mtp > 0
    assert '"method": "mtp"' in told("model=qwen3.8-27b&machine=a100-sxm4-80gb&runtime=vllm&level=FP8-dynamic&mtp=on")


# --- all of it together


WHOLE = (
    "model=qwen3.8-27b&machine=rtx-3090&gpus=2&runtime=llama.cpp&level=Q4_K_M&context=16384&mtp=on&vision=on&lora_rank=32"
    "&loras=2"
)


def test_every_part_is_in_the_sum_once_and_on_the_bill() -> None:
    seen = found(WHOLE).shown.plan
    lines = seen.by.memory_lines(seen, NOTHING, NOTHING)  # type: ignore[attr-defined]
    for holder in (*seen.devices, seen.host):
        assert sum(line.bytes for line in lines if line.place == holder.name) == holder.needed_bytes
    assert {line.component for line in lines} >= {"projector", "adapters", "MTP drafting"}
    for place in answer_document(found(WHOLE), WHOLE)["decision"]["plan"]["memory"]:
        parts = ("weights", "kv_cache", "compute", "passing", "overhead", "other")
        assert sum(place[f"{part}_bytes"] for part in parts) == place["needed_bytes"]
    assert (
        sum(place["other_bytes"] for place in answer_document(found(WHOLE), WHOLE)["decision"]["plan"]["memory"]) > GIB
    )


SWITCHES = {"vision": "&vision=on", "mtp": "&mtp=on", "adapters": "&lora_rank=32&loras=2"}
OTHERS = ("", "&projector_offload=off", "&kv_offload=off", "&flash_attention=off", "&op_offload=off")


def beside(seen: Plan) -> Beside:
    """What lies beside the model, wherever it does."""
    every = [holder.beside for holder in (*seen.devices, seen.host)]
    return Beside(*(sum(getattr(one, part) for one in every) for part in ("draft", "projector", "adapters", "mtp")))


@pytest.mark.parametrize("runtime", ["llama.cpp", "vllm", "sglang"])
def test_nothing_listed_is_left_out_or_counted_twice_whatever_is_switched(runtime: str) -> None:
    """Each part takes as much beside the others as alone, and what a place needs is the sum of what is listed there."""
    query = f"model=qwen3.5-9b&machine=a100-sxm4-80gb&gpus=2&runtime={runtime}&context=8192&vision=off"
    query += "&gpu_layers=all&level=Q4_K_M" if runtime == "llama.cpp" else "&level=BF16-safetensors"
    names = tuple(SWITCHES) if runtime != "sglang" else ("vision",)
    for other in OTHERS if runtime == "llama.cpp" else ("",):
        seen = {
            chosen: plan(query.replace("&vision=off", "&vision=off" * ("vision" not in chosen)) + other + "".join(more))
            for size in range(len(names) + 1)
            for chosen in combinations(names, size)
            for more in ([SWITCHES[name] for name in chosen],)
        }
        alone = {name: beside(seen[name,]) for name in names}
        for chosen, one in seen.items():
            for holder in (*one.devices, one.host):
                own = holder.weights_bytes + holder.kv_cache_bytes + holder.compute_bytes + holder.passing_bytes
                assert holder.needed_bytes == own + holder.overhead_bytes + holder.beside.total
            together = beside(one)
            assert together.projector == (alone["vision"].projector if "vision" in chosen else 0)
            assert together.mtp == (alone["mtp"].mtp if "mtp" in chosen else 0)
            assert together.adapters > 0 if "adapters" in chosen else together.adapters == 0
            assert not together.draft
            if "mtp" not in chosen:
                plain = seen[()]
                assert [d.weights_bytes for d in one.devices] == [d.weights_bytes for d in plain.devices]
                assert together.adapters == (alone["adapters"].adapters if "adapters" in chosen else 0)


def test_a_plan_is_restored_with_all_its_parts() -> None:
    pinned = answer_document(found(WHOLE), WHOLE)["decision"]["plan"]["query"]
    again = plan(pinned)
    assert [holder.needed_bytes for holder in again.devices] == [holder.needed_bytes for holder in plan(WHOLE).devices]
    silent = "model=qwen3-vl-8b-instruct&machine=rtx-4090&runtime=vllm"
    assert "vision=on" in answer_document(found(silent), silent)["decision"]["plan"]["query"]


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("model=qwen3-8b&vision=on", "reads text only"),
        ("model=gemma-3n-e2b-it&vision=on", "not known"),
        ("model=qwen3.5-9b&machine=apple-m4-max-40c-128gb&runtime=mlx&vision=on", "not for mlx"),
        ("model=qwen3-8b&runtime=lm-studio&lora_rank=16", "not for lm-studio"),
        ("model=qwen3-8b&lora_rank=4096", "lora_rank"),
        ("model=qwen3.5-9b&vision=maybe", "value of vision"),
    ],
)
def test_a_part_that_cannot_be_is_one_sentence(query: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        answer(Question.from_query(query))


def test_an_encoder_is_served_for_its_vectors_and_no_text_is_asked_of_it() -> None:
    found = answer(Question.from_query("model=bge-m3&machine=rtx-3090&runtime=llama.cpp"))
    programs = [one.text for one in commands(launch_of(found, found.shown))]
    assert any("llama-server" in text and "--embeddings" in text for text in programs)
    assert not any("llama-cli" in text for text in programs)
    writes = answer(Question.from_query("model=qwen3-8b&machine=rtx-3090&runtime=llama.cpp"))
    assert not any("--embeddings" in one.text for one in commands(launch_of(writes, writes.shown)))
