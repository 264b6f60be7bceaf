"""What must hold of every decision, over random questions: models x machines x users x contexts x wishes.

A few run with the suite; `pytest -m sweep` asks 3,000. `SWEEP_SEED` asks the same questions again.
"""

from __future__ import annotations

import os
import sys
from collections import Counter

import pytest

from advisor.machines.catalogue import machine
from advisor.question.question import Question
from tests.support.decision_properties import Tally, examine, examined
from tests.support.decisions import drawn, values_of

# The same questions each time: what one in hundreds shows must not stop a change that has nothing to do with it.
SEED = os.environ.get("SWEEP_SEED") or "2026"
_PARTS, _OF_A_PART = 3, 6  # with the suite, about 1.5 s of CPU a question
_ALL, _BLOCK = 3000, 50
_SHOWN = 20
# One of each kind that the large draw has found.
ONCE_BROKEN = (
    # What lies beside a shared memory's GPU part was called limited, and its figures were good.
    "model=ernie-4.5-21b-a3b-pt&machine=apple-m3-pro-18gb&context=4096&users=8",
    # llama.cpp was shown as better in everything beside vLLM, which was decided for because people run it for so many.
    "model=internlm3-8b-instruct&machine=rtx-pro-2000-blackwell&host_memory_gib=128&context=32768&users=8",
    # A higher wish led from 67 tok/s to a card so full that no speed can be said of it.
    "model=nemotron-3-super-120b-a12b&machine=custom&memory_gib=48&bandwidth_gb_s=1800&context=65536&users=4"
    "&task=knowledge&min_tokens_per_s=20",
    # Any wish kept away from a card so full that no speed is said of it, at whatever loss of quality.
    "model=granite-4.1-8b&machine=custom&memory_gib=48&bandwidth_gb_s=200&context=32768&users=16&min_tokens_per_s=8",
    # Another model was asked for with the vision part that vLLM loads of this one.
    "model=qwen3.5-2b&machine=custom&memory_gib=24&bandwidth_gb_s=900&host_memory_gib=64&context=2048&users=4",
    # A cache of 8 bits was not looked at where one of 16 had room, though it alone was fast enough to be good.
    "model=qwen2.5-32b-instruct&machine=rtx-3070-ti-laptop&gpus=3&context=1024&users=16&goal=quality",
    # Of a card so full that no speed is said of it the status was better than that of whatever has more room.
    "model=gemma-2-27b-it&machine=rtx-5050-laptop&gpus=3&context=1024&users=50&min_quality=97",
    # Cards that differ were filled by their nominal bandwidths, the slower one first.
    "model=apertus-70b-instruct-2509&machine=gtx-1080-ti&other_machine=rtx-4500-ada&host_memory_gib=128&context=8192"
    "&users=2&min_tokens_per_s=3",
    # Half the context led to the engine that people run for eight users, which was worse and slower.
    "model=gemma-3-4b-it&machine=rx-9070-gre-12gb&host_memory_gib=16&context=65536&users=8&task=code",
    # A wish that no engine reaches led to the slower one.
    "model=aya-expanse-32b&machine=radeon-pro-w7800-32gb&gpus=2&host_memory_gib=128&context=4096&users=1"
    "&min_quality=99.5&min_tokens_per_s=8",
    # RAM was bought, and what then kept its margin was visibly worse and half as fast.
    "model=minimax-m3&machine=h20-sxm5-96gb&context=32768&users=1&min_quality=97",
    "model=minimax-m3&machine=h20-sxm5-96gb&context=32768&users=1",
    # One more card led to the engine that people run for eight users, worse and slower: both were fast.
    "model=glm-z1-32b-0414&machine=custom&memory_gib=20&bandwidth_gb_s=3350&context=2048&users=8&task=knowledge"
    "&commercial=on",
    # A third card took a thousandth of the speed, and with it a status: two of them were not looked at.
    "model=gemma-2-27b-it&machine=rtx-a2000-12gb&gpus=2&host_memory_gib=768&context=1024&users=16&min_tokens_per_s=30",
    # The check took it for certain that an engine loads a choice's model, where the decision said it may not.
    "model=apertus-v1.5-70b&machine=gh200-144gb&context=2048&users=16&runtime=vllm",
    # What happened to be left beside weights on the host was taken for room for more users.
    "model=qwen3-30b-a3b-thinking-2507&machine=rx-6650-xt&host_memory_gib=128&context=1024&users=2&goal=many-users",
    # What lies partly on the host was taken to be no faster than all on the cards: a slow one more lowered it.
    "model=mistral-small-3.2-24b-instruct-2506&machine=gtx-1650&other_machine=rtx-5060&host_memory_gib=16&context=8192"
    "&users=8&min_quality=97",
    # Where nothing keeps what is asked for, the engine for eight users led though it was worse and slower.
    "model=moonlight-16b-a3b-instruct&machine=custom&memory_gib=16&bandwidth_gb_s=900&context=4096&users=8&task=math"
    "&min_quality=98.5&max_first_token_s=10",
    # Placements were compared as if the host read experts as fast as other weights: more memory led to a slower one.
    "model=deepseek-v2-lite-chat&machine=custom&memory_gib=4&bandwidth_gb_s=900&host_memory_gib=64&context=8192&users=50",
    # Where speed is the goal, 61 tok/s were held to be as fast as 86.
    "model=deepseek-coder-v2-lite-instruct&machine=radeon-ai-pro-r9700s&gpus=4&context=131072&users=16&task=knowledge"
    "&min_tokens_per_s=15&goal=speed",
    # Nor are 92 tok/s as good as 103 where 200 were wished for.
    "model=starcoder2-15b&machine=custom&memory_gib=141&bandwidth_gb_s=3350&gpus=4&context=2048&users=16&task=math"
    "&min_tokens_per_s=200&commercial=on",
    # One more card, slower than the host beside the fast one, could not be left idle.
    "model=llama-3.3-nemotron-super-49b-v1&machine=gtx-1070&other_machine=rtx-5070&host_memory_gib=768&context=65536"
    "&users=2",
    "model=mistral-small-4-119b-2603&machine=rtx-a2000-12gb&other_machine=rtx-4080-laptop&host_memory_gib=768"
    "&context=1024&users=1&min_quality=99&commercial=on&level=F16",
    # What lived off its margin was refused, and more room led to what keeps it: not a worse answer, though a lower one.
    "model=mistral-7b-instruct-v0.1&machine=rtx-5070-laptop&gpus=2&context=16384&users=16&goal=balanced",
    # What keeps as much and is faster was looked for in the same engine only: a higher wish led to the slower one.
    "model=ministral-8b-instruct-2410&machine=rtx-5000-ada-laptop&gpus=3&host_memory_gib=256&context=32768&users=4"
    "&max_first_token_s=60",
    # Of 59 and 75 tok/s the check called one noticeably slower: nobody notices what is faster than 60.
    "model=granite-3.3-8b-instruct&machine=rtx-5000-ada&gpus=4&host_memory_gib=512&context=8192&users=3",
    # More memory led sixteen users to the engine that people run for so many, which was visibly worse and slower.
    "model=moonlight-16b-a3b-instruct&machine=custom&memory_gib=20&bandwidth_gb_s=900&context=8192&users=16&task=math",
)


def check(numbers: range) -> None:
    """Ask these questions, and print how often each property was checked."""
    tally = examined(SEED, numbers)
    counts = f"SWEEP_SEED={SEED}, questions {numbers.start} to {numbers.stop - 1}: {tally}\n"
    sys.stdout.write(counts)
    assert not tally.problems, "\n".join((counts, *tally.problems[:_SHOWN]))


@pytest.mark.parametrize("part", range(_PARTS))
def test_every_property_holds_of_a_few_random_questions(part: int) -> None:
    check(range(part * _OF_A_PART, (part + 1) * _OF_A_PART))


@pytest.mark.sweep
@pytest.mark.parametrize("first", range(0, _ALL, _BLOCK))
def test_every_property_holds_of_3000_random_questions(first: int) -> None:
    check(range(first, first + _BLOCK))


@pytest.mark.parametrize("query", ONCE_BROKEN)
def test_a_question_that_once_broke_a_property_keeps_all_of_them(query: str) -> None:
    tally = Tally()
    examine(values_of(query), tally)
    assert tally.asked - tally.refused == 1
    assert not tally.problems, "\n".join(tally.problems)


def test_random_questions_are_on_every_kind_of_machine_and_wish_for_everything() -> None:
    questions = [drawn(SEED, number) for number in range(400)]
    assert questions == [drawn(SEED, number) for number in range(400)]
    kinds = Counter("custom" if one["machine"] == "custom" else machine(one["machine"]).kind for one in questions)
    assert len(kinds) == 8
    keys = {key for one in questions for key in one}
    assert keys >= {"gpus", "other_machine", "host_memory_gib", "memory_gib", "bandwidth_gb_s", "runtime", "level"}
    assert keys >= {"task", "min_quality", "min_tokens_per_s", "max_first_token_s", "commercial", "kv_type_k"}
    assert {one["gpus"] for one in questions if "gpus" in one} == {"2", "3", "4"}
    for one in questions:
        Question.from_values(one)
