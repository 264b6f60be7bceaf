"""A claim worked through: "a quantized 70B on a $2,000 workstation can match APIs that cost thousands per month".

The workstation: two used RTX 3090 at 800 dollars and a 400-dollar computer around them. The speed is measured on it:
Llama 3 70B Q4_K_M generates 14.34 to 16.57 tokens a second and reads 338.82 to 393.89, in llama.cpp of May 2024
(github.com/XiongjieDai/GPU-Benchmarks-on-LLM-Inference), one request at a time. Eight at once, for whom its memory has
room, were not measured: of them it generates what this program estimates. The load: as many requests of 1,000 tokens in
and 200 out as it can serve day and night, without any peak. No workload is that even: it is the best case.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from advisor.costs.costs import Costs, cost_of
from advisor.costs.inputs import CostInputs
from advisor.costs.money import converter_of
from advisor.costs.pay_per_token import closed_models
from advisor.costs.workload import Throughput
from advisor.foundation.message import Message, fact
from advisor.foundation.ranges import Range
from advisor.machines.catalogue import machine

MODEL = "llama-3.3-70b-instruct"
MACHINE = "rtx-3090"
DEVICES = 2
SPEED = Throughput(
    decode=Range(14.34, 15.36, 16.57),
    prefill=Range(338.82, 379.52, 393.89),
    at_once=8,
    together=Range(35.4, 83.6, 138),
)
# The keys of a link to it; `gpus`, `model`, `machine` and `level` belong to the rest of the question.
LINK = (
    "model=llama-3.3-70b-instruct&machine=rtx-3090&gpus=2&level=Q4_K_M&requests_per_day=17000&peak_factor=1"
    "&device_price=800&host_price=400"
)
INPUTS = {"requests_per_day": 17000, "peak_factor": 1, "device_price": 800, "host_price": 400}


@dataclass(frozen=True, slots=True)
class Article:
    """The claim's figures: `closed_per_month` is what closed models would cost for the same tokens, cheapest first."""

    costs: Costs
    closed_per_month: tuple[tuple[str, Decimal], ...]
    result: Message


def article(today: date) -> Article:
    """The claim with today's prices, and what is left of it."""
    inputs = CostInputs.from_values(INPUTS)
    costs = cost_of(MODEL, machine(MACHINE), DEVICES, SPEED, inputs, today)
    closed = _closed(inputs, today)
    own, api = costs.own, costs.api
    if own is None or api is None:
        return Article(costs, closed, costs.verdict)
    thousands = [name for name, amount in closed if amount >= 2000]
    most = len(thousands) > len(closed) / 2
    gain = api.monthly.typical - own.monthly.typical
    compared = fact("article_saves", gain=gain) if gain >= 0 else fact("article_costs_more", loss=-gain)
    result = fact(
        "article_claim",
        upfront=own.upfront,
        own=own.monthly.typical,
        median=api.monthly.typical,
        compared=compared,
        cheapest=api.monthly.low,
        closed_low=closed[0][1],
        closed_high=closed[-1][1],
        reaching=len(thousands),
        models=len(closed),
        against=fact("article_against_most") if most else fact("article_against_dearest"),
    )
    return Article(costs, closed, result)


def _closed(inputs: CostInputs, today: date) -> tuple[tuple[str, Decimal], ...]:
    tokens = inputs.load.tokens_per_month
    hosted = closed_models(inputs, converter_of(inputs.billing, today), today)
    return tuple((host.name, host.bill().cost(tokens)) for host in hosted)
