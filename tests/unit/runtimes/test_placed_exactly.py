"""A placement is searched for by bounds; the plan that is shown keeps what llama.cpp really lays out."""

from __future__ import annotations

import pytest

from advisor.answer.answer import answer
from advisor.question.question import Question


@pytest.mark.parametrize(
    "model", ["gemma-3-27b-it", "muse-glimmer-30b", "llama-3.2-3b-instruct", "internlm2.5-20b-chat"]
)
def test_with_room_on_the_host_no_card_is_filled_beyond_its_margin(model: str) -> None:
    query = f"model={model}&machine=custom&host_memory_gib=512&level=Q4_K_S&context=2048&users=8&runtime=llama.cpp"
    for step in range(60, 120):
        plan = answer(Question.from_query(f"{query}&memory_gib={step / 20}&bandwidth_gb_s=400")).shown.plan
        assert plan.verdict in ("fits", "fits with offload"), (step, plan.missing_bytes)
