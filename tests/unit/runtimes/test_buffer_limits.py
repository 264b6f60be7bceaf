"""Limits that are not totals: the largest single allocation, and a Mac's budget that was raised."""

from __future__ import annotations

from dataclasses import replace

import pytest

from advisor.answer.answer import Answer, answer
from advisor.answer.launching import launch_of
from advisor.answer.reasons import reasons
from advisor.foundation.errors import InputError
from advisor.foundation.units import GIB
from advisor.machines.catalogue import machine
from advisor.question.question import Question
from advisor.runtimes.commands import commands
from advisor.runtimes.mlx.cache_and_step import MlxOptions, mlx_largest_buffer_bytes
from advisor.speed import estimate_speed
from advisor.words import say_all

MLX = "model=qwen3.5-9b&machine=apple-m1-max-32gb&runtime=mlx&level=MLX-4bit-g64"


def asked(query: str) -> Answer:
    return answer(Question.from_query(query))


@pytest.mark.parametrize(
    ("machine_id", "largest"),
    [
        # max_buffer_length of mlx's device_info, and what its errors say
        ("apple-m1-max-32gb", 20.10e9),
        ("apple-m4-pro-48gb", 30_150_672_384),
        ("apple-m4-max-40c-128gb", 86_586_540_032),
    ],
)
def test_metals_largest_buffer(machine_id: str, largest: float) -> None:
    assert machine(machine_id).largest_buffer_bytes == pytest.approx(largest, rel=0.002)


def test_a_long_prompt_is_read_in_steps_whose_buffers_metal_gives() -> None:
    """Case 49, 0xSero/local-ai-registry pull 43: 64,022 tokens pass, 128,022 fail with 22.01 GB of 20.10 in one buffer,
    at mlx-lm's own 2,048 tokens a step.
    """
    short, long = (asked(f"{MLX}&context={n}&prompt_tokens={n}") for n in (64_022, 128_022))
    assert short.shown.plan.verdict == long.shown.plan.verdict == "fits"
    assert mlx_largest_buffer_bytes(long.model, 128_022, 1) == pytest.approx(22.01e9, rel=0.02)
    assert [steps(one) for one in (short, long)] == [None, 1024]
    assert any("--prefill-step-size 1024), as 2,048 do not fit" in note for note in say_all(long.shown.plan.notes))
    smaller = MlxOptions(prefill_step=1024)
    assert mlx_largest_buffer_bytes(long.model, 128_022, 1, smaller) < 20.10e9
    reach = long.shown.plan.max_context
    assert asked(f"{MLX}&context={reach}&prompt_tokens={reach}").shown.plan.verdict == "fits"


def test_the_largest_step_that_fits_is_taken_and_small_ones_are_slower() -> None:
    query = "model=deepseek-v3&machine=apple-m3-ultra-80c-512gb&runtime=mlx&level=MLX-4bit-g64"
    near = asked(f"{query}&context=4096")
    reach = near.shown.plan.max_context
    far, beyond = (asked(f"{query}&context={n}&prompt_tokens={n}") for n in (reach, reach + 4096))
    assert [steps(one) for one in (near, far)] == [None, 128]
    assert [one.shown.plan.verdict == "fits" for one in (near, far, beyond)] == [True, True, False]
    speed = far.shown.speed
    assert speed is not None
    assert speed.prefill_tokens_per_s is not None
    usual = estimate_speed(replace(speed.load, micro_batch=512), speed.devices, speed.backend)
    assert usual is not None
    assert usual.prefill_tokens_per_s is not None
    assert speed.prefill_tokens_per_s.typical < usual.prefill_tokens_per_s.typical


def steps(found: Answer) -> int | None:
    """What the command says of the prefill step."""
    text = " ".join(one.text for one in commands(launch_of(found, found.shown)))
    return int(text.split("--prefill-step-size")[1].split()[0]) if "--prefill-step-size" in text else None


VULKAN = (
    "model=qwen3-32b&machine=rtx-4090&gpus=2&runtime=llama.cpp&level=Q4_K_M&context=16384&flash_attention=off"
    "&gpu_layers=all"
)


def test_vulkan_gives_no_compute_buffer_of_more_than_4_gib() -> None:
    cuda, vulkan = asked(VULKAN), asked(f"{VULKAN}&backend=vulkan&ubatch=1024")
    assert cuda.shown.plan.limit is None
    plan = vulkan.shown.plan
    assert max(device.compute_bytes for device in plan.devices) > 4 * GIB
    assert plan.verdict == "does not fit"
    assert any("Vulkan allocates at most 4.0 GiB at once" in reason for reason in say_all(reasons(vulkan)))
    (way,) = [way for way in plan.ways_out if way.kind == "smaller batch"]
    smaller = asked(f"{VULKAN}&backend=vulkan&ubatch={way.value}").shown.plan
    assert smaller.verdict == "fits"
    assert max(device.compute_bytes for device in smaller.devices) <= 4 * GIB
    reach = plan.max_context
    assert asked(f"{VULKAN.replace('16384', str(reach))}&backend=vulkan&ubatch=1024").shown.plan.verdict == "fits"


def test_intels_limit_is_lifted_by_a_setting_that_the_command_has() -> None:
    """Case 6, intel/ipex-llm issue 13130: memory is free, but one buffer is larger than 4 GiB."""
    found = asked("model=qwen3-30b-a3b&machine=arc-a770-16gb&gpus=3&context=23552&runtime=llama.cpp&level=Q4_K_M")
    assert found.shown.plan.fits
    assert [round(device.kv_cache_bytes / 2**20) for device in found.shown.plan.devices] == [782, 736, 690]
    assert any("UR_L0_ENABLE_RELAXED_ALLOCATION_LIMITS=1" in note for note in say_all(found.shown.plan.notes))
    server = next(one for one in commands(launch_of(found, found.shown)) if "llama-server" in one.text)
    assert server.text.startswith("UR_L0_ENABLE_RELAXED_ALLOCATION_LIMITS=1 llama-server")
    small = asked("model=qwen3-0.6b&machine=arc-a770-16gb&context=4096&runtime=llama.cpp&level=Q8_0")
    assert not small.shown.plan.notes


def test_a_raised_budget_counts_and_is_offered_where_it_would_do() -> None:
    """Case 50, mlx-lm issue 1047: 418 GiB of Kimi K2.5 in 3 bit on a Mac of 512 GB, whose default budget is smaller."""
    query = "model=kimi-k2.5&machine=apple-m3-ultra-80c-512gb&runtime=mlx&level=MLX-3bit-g64&context=4096"
    usual = asked(query)
    assert usual.shown.plan.sized.file_bytes / GIB == pytest.approx(418.456, rel=0.001)
    assert usual.shown.plan.verdict == "does not fit"
    said = next(reason for reason in say_all(reasons(usual)) if "wired_limit_mb=" in reason)
    raised = asked(f"{query}&{said.split(': ')[-1].rstrip('.')}")
    assert raised.shown.plan.verdict == "fits"
    first = commands(launch_of(raised, raised.shown))[0]
    assert first.text.startswith("sudo sysctl iogpu.wired_limit_mb=")
    assert raised.hardware.machine.largest_buffer_bytes == usual.hardware.machine.largest_buffer_bytes


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("machine=rtx-4090&wired_limit_mb=20000", "Apple silicon"),
        ("machine=apple-m1-max-32gb&wired_limit_mb=40000", "more than the memory"),
    ],
)
def test_a_budget_that_cannot_be_is_one_sentence(query: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        asked(f"model=qwen3-8b&{query}")
