"""Bills and throughputs that practitioners published lie within the ranges that the same questions get."""

from __future__ import annotations

from datetime import date
from functools import cache

import pytest

from advisor.answer.answer import answer
from advisor.answer.candidate import Candidate
from advisor.costs.costs import Costs
from advisor.question.question import Question

TODAY = date(2026, 11, 30)
# sageseek.net/local-inference-breakeven-part1 and -part2, January 2026: a card of 8,500 dollars written off in three
# years, busy day and night at 300 W, and 150 W for whatever computer stands around it.
AT_HOME = (
    "machine=rtx-pro-6000-blackwell-max-q&runtime=vllm&peak_factor=1&tokens_in=0&tokens_out=1000&device_price=8500"
    "&host_price=0&resale_percent=0&device_load_w=300&host_load_w=150"
)
# caleta.io/blog/100x-cheaper-than-gpt4o, 2026: 1.61 dollars an hour.
SPOT = "model=qwen2.5-coder-32b-instruct&machine=h100-nvl-94gb&runtime=vllm&level=FP8-dynamic&context=2048"
# clune.org/posts/per-token-energy-costs-again, May 2025: prompts of 2,035 tokens, answers of 300.
NODE = (
    "model=llama-3.3-70b-instruct&machine=h100-sxm5-80gb&gpus=4&runtime=vllm&level=BF16-safetensors&context=4096"
    "&context_used=2335&prompt_tokens=2035"
)
# steipete.me, July 2025: eight H200 for 13.698 EUR an hour; 500 million tokens a day, 94 % of them cached.
CODER = (
    "model=qwen3-coder-480b-a35b-instruct&machine=h200-sxm-141gb&gpus=8&runtime=vllm&region=eu&cached_percent=94"
    "&tokens_in=100000&tokens_out=1000&requests_per_day=4950&peak_factor=1&currency=EUR"
)


@cache
def shown(query: str) -> Candidate:
    return answer(Question.from_query(query), today=TODAY).shown


def costs(query: str) -> Costs:
    found = shown(query).costs
    assert found is not None
    return found


def cheapest(query: str) -> str:
    best = costs(query).best()
    assert best is not None
    return best.name


@pytest.mark.parametrize(
    ("model", "tokens_per_s", "dollars"),
    [("gemma-3-27b-it", 65, 1.66), ("qwen3-vl-30b-a3b-instruct", 505, 0.21)],
)
def test_what_a_million_tokens_cost_at_home_lies_in_the_range(model: str, tokens_per_s: float, dollars: float) -> None:
    own = costs(f"model={model}&{AT_HOME}&requests_per_day={tokens_per_s * 86.4}").own
    assert own is not None
    assert float(own.per_million_tokens.low) <= dollars <= float(own.per_million_tokens.high)


def test_the_api_was_cheaper_for_one_model_and_owning_for_the_other() -> None:
    assert cheapest(f"model=gemma-3-27b-it&{AT_HOME}&requests_per_day={65 * 86.4}") == "api"
    listed = "api_input_price=0.51&api_output_price=0.51"
    assert cheapest(f"model=qwen3-vl-30b-a3b-instruct&{AT_HOME}&requests_per_day={505 * 86.4}&{listed}") == "own"


@pytest.mark.parametrize(("users", "dollars"), [(1, 9.71), (8, 0.75), (32, 0.34), (128, 0.095)])
def test_what_a_rented_card_makes_of_an_hour_lies_in_the_range(users: int, dollars: float) -> None:
    speed = shown(f"{SPOT}&users={users}").speed
    assert speed is not None
    total = speed.total_decode_tokens_per_s
    assert total is not None
    assert 1.61e6 / 3600 / total.high <= dollars <= 1.61e6 / 3600 / total.low


@pytest.mark.parametrize(("users", "tokens_per_s"), [(1, 53.9), (2, 102.9), (4, 182.5), (8, 319.8)])
def test_what_four_modules_write_lies_in_the_range(users: int, tokens_per_s: float) -> None:
    speed = shown(f"{NODE}&users={users}").speed
    assert speed is not None
    total = speed.total_decode_tokens_per_s
    assert total is not None
    assert total.low <= tokens_per_s <= total.high
    assert total.typical == pytest.approx(tokens_per_s, rel=0.35)


def test_what_one_card_writes_for_many_lies_in_the_range() -> None:
    """github.com/vllm-project/vllm/issues/17788: 654 tokens/s."""
    query = "model=qwen3-32b&machine=h100-nvl-94gb&runtime=vllm&level=BF16-safetensors&users=32&context=1024"
    speed = shown(query).speed
    assert speed is not None
    total = speed.total_decode_tokens_per_s
    assert total is not None
    assert total.low <= 654 <= total.high


@pytest.mark.parametrize("rented", ["", "&instance_price=13.698"])
def test_prompts_that_come_again_are_cheaper_at_an_api(rented: str) -> None:
    assert cheapest(f"{CODER}{rented}") == "api"


def test_a_month_of_the_rented_machine_is_what_was_paid() -> None:
    rent = costs(f"{CODER}&instance_price=13.698").rent
    assert rent is not None
    assert float(rent.monthly.typical) == pytest.approx(10_000, rel=0.01)


def test_energy_has_a_range_where_the_cheapest_case_draws_most() -> None:
    """What is cheaper need not draw less: the ends came in the wrong order, and no page was drawn."""
    query = "model=deepseek-r1-distill-qwen-14b&machine=dgx-spark-128gb&tokens_out=4000&buyer=data-centre"
    costs = answer(Question.from_query(query)).shown.costs
    assert costs is not None
    assert costs.energy_kwh_per_month is not None
