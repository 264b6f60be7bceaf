"""How many requests a machine works on at once follows from the load, not from the users that memory is planned for."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from advisor.answer.answer import answer
from advisor.answer.candidate import Candidate
from advisor.answer.policy import READING_TOKENS_PER_S
from advisor.costs.workload import tokens_per_machine
from advisor.question.question import Question

TODAY = date(2026, 11, 30)
WORKSTATION = "model=llama-3.3-70b-instruct&machine=rtx-3090&gpus=2&level=Q4_K_M"


def shown(query: str) -> Candidate:
    return answer(Question.from_query(query), today=TODAY).shown


@pytest.mark.parametrize(
    "query",
    [
        "model=llama-3.1-8b-instruct&machine=rtx-4090&level=Q4_K_M&requests_per_day=20000",
        "model=qwen3-32b&machine=h100-sxm5-80gb&level=FP8-dynamic&runtime=vllm&requests_per_day=50000",
        "model=qwen3-30b-a3b&machine=apple-m4-max-40c-128gb&level=Q4_K_M&requests_per_day=30000&buyer=data-centre",
        "model=gpt-oss-20b&machine=dgx-spark-128gb&level=MXFP4&kv_fp8=off&requests_per_day=90000&cached_percent=50",
    ],
)
def test_users_never_change_the_bill_of_the_same_plan(query: str) -> None:
    plans = [shown(f"{query}&context=2048&users={users}") for users in (1, 2, 4, 8, 16)]
    assert all(one.plan.fits and one.plan.placement == plans[0].plan.placement for one in plans)
    bills = [[option.bill for option in one.costs.options] for one in plans if one.costs is not None]
    assert len(bills) == len(plans)
    assert all(bill == bills[0] for bill in bills)


def test_the_workstation_serves_eight_short_requests_or_one_long_one() -> None:
    short = shown(WORKSTATION)
    assert short.throughput is not None
    assert short.throughput.at_once == 8
    assert short.costs is not None
    assert short.costs.own is not None
    at_full = short.costs.own.typical.unit_tokens
    assert at_full is not None
    # Without the peak some 770 million tokens a month: two cards of builds of 2024 read and write 640 million, and
    # today's builds read prompts faster.
    assert 3 * float(at_full) == pytest.approx(770e6, rel=0.1)
    room = shown(f"{WORKSTATION}&tokens_in=10000").throughput
    assert room is not None
    assert room.at_once == 1


def test_a_server_works_on_no_more_at_once_than_it_is_told() -> None:
    query = "model=qwen3-32b&machine=h100-sxm5-80gb&level=FP8-dynamic&runtime=vllm"
    free, told = shown(query).throughput, shown(f"{query}&max_num_seqs=8").throughput
    assert free is not None
    assert told is not None
    assert told.at_once == 8 < free.at_once


def test_as_many_at_once_as_are_each_written_as_fast_as_wished() -> None:
    fast = shown(f"{WORKSTATION}&min_tokens_per_s=12").throughput
    usual = shown(WORKSTATION).throughput
    assert fast is not None
    assert usual is not None
    assert 1 < fast.at_once < usual.at_once
    for one, least in ((fast, 12), (usual, READING_TOKENS_PER_S)):
        assert one.together is not None
        assert one.together.typical / one.at_once >= least


def test_a_wish_for_the_first_token_leaves_less_than_its_prompt_takes() -> None:
    wished = shown(f"{WORKSTATION}&max_first_token_s=5")
    assert wished.throughput is not None
    assert wished.speed is not None
    assert wished.speed.time_to_first_token_s is not None
    assert wished.throughput.wait_s == pytest.approx(5 - wished.speed.time_to_first_token_s.typical, abs=0.01)


def test_two_replicas_serve_twice_as_much() -> None:
    query = "model=llama-3.1-70b-instruct&machine=h100-sxm5-80gb&runtime=vllm&level=FP8-dynamic&requests_per_day=500000"
    one, two = shown(f"{query}&gpus=4&use_gpus=4"), shown(f"{query}&gpus=8&data_parallel=2")
    assert one.throughput is not None
    assert two.throughput is not None
    assert two.throughput.at_once == 2 * one.throughput.at_once
    assert two.throughput.decode == one.throughput.decode  # a request alone has but one of them
    load = one.pricing.inputs.load
    alone, both = (tokens_per_machine(case.throughput, load, "typical") for case in (one, two) if case.throughput)
    assert alone is not None
    assert both is not None
    assert float(both / alone) == pytest.approx(2, rel=0.001)
    # Such modules are bought as boards of eight, which hold the plan of four twice: they serve the same.
    boards = [case.costs.own.typical.unit_tokens for case in (one, two) if case.costs and case.costs.own]
    assert boards[0] == pytest.approx(boards[1], rel=Decimal("0.001"))


def test_each_replica_may_be_told_how_much_it_works_on() -> None:
    query = "model=llama-3.1-70b-instruct&machine=h100-sxm5-80gb&runtime=vllm&level=FP8-dynamic&gpus=8&data_parallel=4"
    told = shown(f"{query}&max_num_seqs=8").throughput
    assert told is not None
    assert told.at_once == 32
