"""The JSON of a plan is a contract: its keys, its units, and that it says what the engine says."""

from __future__ import annotations

import json
from datetime import date

import pytest

from advisor.answer.answer import answer
from advisor.quality import SCORED_TASKS
from advisor.question.question import Question
from advisor.report.as_json import plan_document

TODAY = date(2026, 11, 25)
QUERIES = (
    "model=llama-3.1-70b-instruct&machine=a100-sxm4-80gb&gpus=2&context_used=4096&users=2",
    "model=llama-3.1-8b-instruct&machine=rtx-4090&runtime=vllm",
    "model=llama-3.1-8b-instruct&machine=apple-m4-max-40c-128gb&runtime=mlx",
    "model=llama-3.1-8b-instruct&machine=cpu-dual-ddr5-6000&memory_gib=64",
    "model=deepseek-v3&machine=rtx-4090",
)


@pytest.mark.parametrize("query", QUERIES)
def test_every_plan_says_what_it_keeps_how_fast_it_is_and_what_it_costs(query: str) -> None:
    found = answer(Question.from_query(query), today=TODAY)
    document = json.loads(json.dumps(plan_document(found)))
    assert [plan["level"] for plan in document["plans"]] == [candidate.level for candidate in found.candidates]
    for plan, candidate in zip(document["plans"], found.candidates, strict=True):
        assert set(plan["quality"]) == set(SCORED_TASKS)
        for kept in plan["quality"].values():
            assert kept["basis"] in ("measured", "transferred", "estimated", "unknown")
            assert (kept["typical"] is None) == (kept["basis"] == "unknown")
        speed = plan["speed"]
        assert candidate.tokens_per_s is not None
        assert speed["decode_tokens_per_s"]["typical"] == candidate.tokens_per_s.typical
        assert set(speed) >= {"prefill_tokens_per_s", "time_to_first_token_s", "basis", "n"}
        for key in ("decode_tokens_per_s", "total_decode_tokens_per_s"):
            assert 0 < speed[key]["low"] <= speed[key]["typical"] <= speed[key]["high"]
        cost = plan["cost"]
        assert cost is None or set(cost) >= {"own", "rent", "api", "break_even_tokens_per_month", "currency"}
        holders = [*plan["devices"], plan["host"]]
        assert all(value >= 0 for holder in holders for key, value in holder.items() if key.endswith("s_bytes"))


def test_the_same_question_gives_the_same_answer() -> None:
    question = Question.from_query(QUERIES[0])
    first = json.dumps(plan_document(answer(question, today=TODAY)))
    assert json.dumps(plan_document(answer(question.with_values(), today=TODAY))) == first


def test_more_depth_and_more_users_never_make_an_answer_faster() -> None:
    def typical(query: str) -> float:
        found = answer(Question.from_query(f"model=llama-3.1-8b-instruct&machine=rtx-4090&level=Q4_K_M&{query}"))
        assert found.candidates[0].tokens_per_s is not None
        return found.candidates[0].tokens_per_s.typical

    assert typical("context=16384&context_used=0") > typical("context=16384&context_used=16000")
    assert typical("users=1") > typical("users=8")
