"""How many requests a machine takes at once follows from the requests, not from the context that it is told."""

from __future__ import annotations

import pytest

from advisor.answer.answer import answer
from advisor.question.question import Question


@pytest.mark.parametrize(
    "query",
    [
        "model=gemma-3-27b-it&machine=rtx-4090&runtime=vllm&level=W4A16-g128&vision=off",
        "model=gemma-3-27b-it&machine=h100-sxm5-80gb&runtime=sglang&level=FP8-dynamic",
        "model=gemma-3-27b-it&machine=rtx-4090&runtime=llama.cpp&level=Q4_K_M",
        "model=gemma-3-27b-it&machine=apple-m4-max-40c-128gb&runtime=mlx&level=MLX-4bit-g64",
        "model=qwen3-next-80b-a3b-instruct&machine=h100-sxm5-80gb&gpus=2&runtime=vllm&level=FP8-dynamic",
        "model=deepseek-v4-pro&machine=h200-sxm-141gb&gpus=8&runtime=vllm",
    ],
)
def test_a_longer_context_changes_no_bill_of_the_same_load(query: str) -> None:
    bills = []
    for context in (1280, 16384):
        found = answer(Question.from_query(f"{query}&requests_per_day=20000&context={context}"))
        costs = found.shown.costs
        assert costs is not None
        bills.append((costs.peak, None if costs.own is None else costs.own.monthly))
    assert bills[0] == bills[1]
