"""The numbers of the decision: what a plan is worth, in points of quality (percent of the 16-bit score kept).

They were tuned on questions with an expert's answer written beforehand; each has its reason beside it. Most may be
varied by a quarter without another answer; `tests/unit/answer/test_expert_questions.py` says which.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from advisor.question.requirements import Goal

READING_TOKENS_PER_S = 5.0  # silent reading is about 240 words a minute (Brysbaert 2019), 1.3 tokens a word

# Borders of a status. Below 97 % a loss stands out from the noise of benchmarks (`quality.tasks.DEMANDS`); held-out
# scores of 2-bit files lie inside their estimate's range in half of all cases only; 8 tokens/s is 1.5 times reading.
GOOD_PERCENT = 97.0
GOOD_BITS, LEAST_BITS = 4.0, 3.0
GOOD_TOKENS_PER_S, LEAST_TOKENS_PER_S = 8.0, 1.5

ALL_KEPT, NEARLY_ALL_KEPT = 100.0, 99.95  # percent; the second is shown as 100 as well
VISIBLE_POINTS = 0.3  # a smaller loss cannot be seen
NOTICEABLE = 1.1  # of whatever can be counted: a tenth more
# Another engine's speed that speaks for it: half of what is noticed, since the other half is what a cache as the model
# computes it can cost that engine.
FASTER_ELSEWHERE = math.sqrt(NOTICEABLE)
ENOUGH_TOKENS_PER_S = 60.0  # nobody notices what is faster


@dataclass(frozen=True, slots=True)
class Weights:
    """What one goal makes of speed, users and money; all in points.

    Below `target` tokens/s for each user a plan loses `slower` x the square of its halvings (the step from 8 to 6
    annoys everybody, that from 20 to 16 nobody), from the second on as much for each as there; above it gains `faster`
    for each of at most `doublings`. A wish below the target is enough, unless `always_faster`. `users` is for each
    doubling of those that fit, `money` for each doubling of what a million tokens cost.
    """

    target: float = 15.0  # three times reading
    slower: float = 2.0
    faster: float = 0.15
    doublings: float = 2.0
    users: float = 0.0
    money: float = 0.0
    always_faster: bool = False
    faster_for_many: float = 0.3  # in place of `faster` from so many users on that throughput is money


WEIGHTS: dict[Goal, Weights] = {
    "balanced": Weights(),
    "quality": Weights(target=10, slower=1, faster=0.02, faster_for_many=0.05),
    "speed": Weights(target=30, faster=0.8, doublings=4, always_faster=True),
    "many-users": Weights(users=1),
    "cheapest": Weights(money=1),
}
MANY_USERS = 8  # from so many on throughput is money
DOUBLINGS_FOR_MANY = 3.0
LINEAR_FROM = 1.5  # halvings below the target from which each counts the same
SHORT_OF_WISH = 1.0  # for each halving below the speed that is wished for: it buys Q4_K_M for Q6_K, never 3 bits for 4

PARTLY_ON_HOST, ALL_ON_HOST = 0.3, 1.0  # prompts are slow, and ranges wide; the second by the share of weights there
RARE_LEVEL = 0.1  # few publish it
CODEBOOK_ELSEWHERE = 0.3  # i-quants decode slower on CPUs and outside CUDA and ROCm, which no evidence here shows
THREE_BITS = 0.5
# What a server computes with as it is stored, from VLLM_FROM_USERS on: few bits that every batch must turn into 16 lose
# throughput that no estimate of reading them tells.
COMPUTED_AS_STORED = 0.5
UNDER_THE_FLOOR = 3.0  # below GOOD_PERCENT: what no gain in speed that is merely wished for is worth
OTHERS_WAIT = 2.0  # by the share of full contexts that a paged cache does not hold
IDLE_CARDS = 0.05  # an equal plan on all cards leaves more room
USUAL_FOR_FEW, USUAL_FOR_MANY = 0.5, 1.5  # the engine that people run for so many users
VLLM_FROM_USERS = 8  # counted in full; on a desk, where GPU and host share one memory, from FEW_AT_MOST on
FEW_AT_MOST = 16  # users; for more an engine made for few neither stands beside one made for many nor replaces it
LOSS_WITHOUT_EVIDENCE = 3.0  # points, of 4 bits and more that nobody has measured
LOSS_OF_FEW_BITS = 10.0  # of less
