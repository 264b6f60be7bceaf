"""Where buffers are upper bounds, what is shown says so; where they are laid out as llama.cpp does it, it does not."""

from __future__ import annotations

import pytest

from advisor.answer.answer import answer
from advisor.foundation.message import NOTHING
from advisor.question.question import Question
from advisor.runtimes.registry import runtime_by
from advisor.sizing.plan import Plan
from advisor.words import say, say_all

SPLIT = "machine=rtx-4090&gpus=2&host_memory_gib=768&level=Q4_K_M&context=4096&runtime=llama.cpp"


def planned(query: str) -> Plan:
    return answer(Question.from_query(query)).shown.plan


def lines_of(plan: Plan) -> str:
    lines = runtime_by(plan.runtime).memory_lines(plan, NOTHING, NOTHING)
    return " ".join(f"{say(line.formula)} {say(line.source)}" for line in lines)


@pytest.mark.parametrize(
    "query",
    [
        f"model=deepseek-v4-flash&{SPLIT}&gpu_layers=20&cpu_moe_layers=40",
        f"model=glm-5.3-flash&{SPLIT}&gpu_layers=20&cpu_moe_layers=45",
        f"model=minimax-m3&{SPLIT}&gpu_layers=20&cpu_moe_layers=60",
        f"model=qwen3-32b&{SPLIT}&kv_offload=off",
        f"model=qwen3.8-27b&{SPLIT}&gpu_layers=20&users=4&llama_cpp=2026-08",
    ],
)
def test_a_bound_is_called_one(query: str) -> None:
    plan = planned(query)
    assert sum("at most what stands here" in note for note in say_all(plan.notes)) == 1
    assert "at most: the steps of the network" in lines_of(plan)
    assert "laid out as its allocator does" not in lines_of(plan)


@pytest.mark.parametrize(
    "query",
    [
        f"model=deepseek-v4-flash&{SPLIT}&cpu_moe_layers=43",
        f"model=minimax-m3&{SPLIT}&cpu_moe_layers=60",
        f"model=qwen3-32b&{SPLIT}&gpu_layers=20",
        f"model=qwen3.8-27b&{SPLIT}&gpu_layers=20&users=4",
    ],
)
def test_what_is_laid_out_is_no_bound(query: str) -> None:
    plan = planned(query)
    assert not any("at most what stands here" in note for note in say_all(plan.notes))
    assert "at most: the steps" not in lines_of(plan)
