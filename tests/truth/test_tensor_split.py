"""What each device holds where llama.cpp splits the tensors themselves, against what it allocates."""

from __future__ import annotations

import csv

import pytest
from hypothesis import given
from hypothesis import settings as runs
from hypothesis import strategies as st

from advisor.answer.answer import answer
from advisor.answer.launching import launch_of
from advisor.formats.gguf_levels import LEVELS
from advisor.foundation.errors import InputError
from advisor.foundation.units import GIB
from advisor.models.catalogue import catalogue
from advisor.question.question import Question
from advisor.runtimes.commands import commands
from advisor.runtimes.llama_cpp.memory_lines import memory_lines
from advisor.runtimes.llama_cpp.runtime import LLAMA_CPP
from advisor.sizing.memory import Device, Memory
from advisor.sizing.plan import Plan
from advisor.sizing.request import Levels, PlanRequest
from advisor.sizing.settings import Settings
from advisor.words import say
from tests.support.reference import TRUTH

LINK = "model=llama-3.1-70b-instruct&machine=rtx-3090&gpus=2&level=Q4_K_M"


def plan_of(model_id: str, level: str, devices: int, settings: Settings) -> Plan:
    memory = Memory((Device("GPU", 80 * GIB, 0),) * devices, 512 * GIB)
    model = catalogue()[model_id].model
    return LLAMA_CPP.plan(PlanRequest(model, memory, settings, stored=Levels(LEVELS[level].id)))[0]


def test_weights_and_cache_equal_what_llamacpp_allocates_to_the_byte() -> None:
    wrong, count, plans = [], 0, {}
    with (TRUTH / "tensor_split_llamacpp_memory.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            count += 1
            users = int(row["n_parallel"])
            settings = Settings(
                context=int(row["n_ctx"]) // users,
                users=users,
                micro_batch=int(row["n_ubatch"]),
                gpu_layers=None if row["gpu_layers"] == "all" else int(row["gpu_layers"]),
                split="tensor",
                tensor_split=tuple(map(float, row["tensor_split"].split(":"))) if row["tensor_split"] else None,
            )
            key = (row["model_id"], row["level"], int(row["n_gpus"]), settings)
            if key not in plans:
                plans[key] = plan_of(*key)
            held = plans[key].devices[int(row["device"])]
            if (held.weights_bytes, held.kv_cache_bytes) != (int(row["model_bytes"]), int(row["context_bytes"])):
                wrong.append((row, held))
    assert count > 50
    assert not wrong


@given(
    model_id=st.sampled_from(
        ("llama-3.1-70b-instruct", "qwen3-30b-a3b", "gpt-oss-120b", "qwen3.5-9b", "gemma-3-27b-it")
    ),
    shares=st.lists(st.integers(1, 9), min_size=2, max_size=8),
)
@runs(max_examples=25, deadline=None)
def test_split_parts_add_up_to_one_device_that_holds_everything(model_id: str, shares: list[int]) -> None:
    split = plan_of(model_id, "Q4_K_M", len(shares), Settings(4096, split="tensor", tensor_split=tuple(shares)))
    alone = plan_of(model_id, "Q4_K_M", 1, Settings(4096)).devices[0]
    mirrored = split.devices[0].mirrored_bytes
    assert sum(d.weights_bytes - mirrored for d in split.devices) + mirrored == pytest.approx(
        alone.weights_bytes, abs=8
    )
    assert sum(d.kv_cache_bytes for d in split.devices) == pytest.approx(alone.kv_cache_bytes, abs=8)
    assert all(d.compute_bytes > alone.compute_bytes for d in split.devices)
    lines = memory_lines(split, catalogue()[model_id].model)
    for device in split.devices:
        assert sum(line.bytes for line in lines if line.place == device.name) == device.needed_bytes


def test_a_split_by_tensors_has_a_verdict_a_speed_and_a_command() -> None:
    found = answer(Question.from_query(f"{LINK}&split=tensor"))
    by_layers = answer(Question.from_query(LINK))
    plan = found.plans[0]
    assert plan.verdict == "fits"
    assert plan.max_context > 8192
    assert plan.devices[0].weights_bytes == pytest.approx(plan.devices[1].weights_bytes, rel=0.01)
    speed, other = found.candidates[0].tokens_per_s, by_layers.candidates[0].tokens_per_s
    assert speed is not None
    assert other is not None
    assert 1.2 < speed.typical / other.typical < 2  # both devices read at once
    server = next(one for one in commands(launch_of(found, found.shown)) if say(one.title) == "llama-server")
    assert "-sm tensor" in " ".join(server.text.split())


def test_ways_out_are_planned_with_tensors_split_too() -> None:
    plan = answer(Question.from_query(f"{LINK}&split=tensor&context=65536")).plans[0]
    assert plan.verdict == "does not fit"
    ways = {way.kind: way.value for way in plan.ways_out}
    assert ways["shorter context"] == plan.max_context
    assert ways["more devices"] in (1, 2)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("split=tensor&flash_attention=off", "only with flash attention"),
        ("split=tensor&model=deepseek-v3.1", "cannot split the tensors of deepseek2 models"),
        ("split=tensor&model=deepseek-v4-flash", "is not worked out"),
        ("split=row", "SYCL backend only"),
    ],
)
def test_what_cannot_be_split_is_one_sentence(query: str, sentence: str) -> None:
    link = "machine=rtx-3090&gpus=2&level=Q4_K_M&"
    with pytest.raises(InputError, match=sentence):
        answer(Question.from_query(link + query))
