"""What holds for every runtime: it is found by its word, its plans are plain values, and its levels exist."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from itertools import pairwise

import pytest

from advisor.foundation.errors import InputError
from advisor.foundation.units import GIB
from advisor.machines.chip import Chip
from advisor.models.lookup import find_model
from advisor.runtimes.registry import ENGINES, RUNTIMES, find_runtime, runtime_by
from advisor.runtimes.runtime import Runtime
from advisor.sizing.memory import Device, Memory
from advisor.sizing.plan import Plan
from advisor.sizing.request import DraftModel, PlanRequest
from advisor.sizing.runtime_id import RuntimeId
from advisor.sizing.settings import Settings

NAMES = [one.id for one in RUNTIMES]
MODEL = find_model("llama-3.1-8b-instruct").model
SMALL = find_model("llama-3.2-1b-instruct")
MAC = Memory((Device("Mac", 12 * GIB, GIB),), 16 * GIB, GIB, pooled=True)
CARDS = Memory((Device("Card", 12 * GIB, GIB),) * 2, 32 * GIB)


def plans_of(runtime: Runtime, *, draft: bool = False) -> tuple[Plan, ...]:
    """Of levels that fit and levels that do not, with figures that are searched for only when asked."""
    mac = runtime.id is RuntimeId.MLX
    wish = DraftModel(SMALL.model, SMALL.name, "Q8_0") if draft else None
    chip = Chip("Apple") if mac else Chip("NVIDIA", "8.9")
    request = PlanRequest(MODEL, MAC if mac else CARDS, Settings(16_384), margin=0.04, chip=chip, draft=wish)
    return runtime.plan(request)


@pytest.mark.parametrize("word", NAMES)
def test_a_runtime_is_found_by_its_word_and_by_its_id(word: RuntimeId) -> None:
    assert find_runtime(str(word)) is runtime_by(word)
    assert runtime_by(word).id is word
    assert runtime_by(runtime_by(word).engine) in ENGINES


def test_another_word_is_refused_in_one_sentence() -> None:
    with pytest.raises(InputError, match=r"no runtime 'olama'; did you mean 'ollama'"):
        find_runtime("olama")


@pytest.mark.parametrize("word", NAMES)
def test_plans_are_plain_values(word: RuntimeId) -> None:
    runtime = runtime_by(word)
    plans = plans_of(runtime, draft=runtime.drafts)
    searched = [(plan.max_context, plan.offload_needs_host_bytes, plan.ways_out) for plan in plans]
    for again in (pickle.loads(pickle.dumps(plans)), copy.deepcopy(plans)):
        assert again == plans
        assert all(plan.by is runtime for plan in again)
        assert [(one.max_context, one.offload_needs_host_bytes, one.ways_out) for one in again] == searched


def test_a_copy_that_was_never_asked_searches_for_itself() -> None:
    """What is found lies in the plan once it was asked: only a copy made before that proves that it can be found."""
    for runtime in ENGINES:
        for plan, again in zip(plans_of(runtime), pickle.loads(pickle.dumps(plans_of(runtime))), strict=True):
            assert "max_context" not in again.__dict__
            assert (again.max_context, again.ways_out) == (plan.max_context, plan.ways_out)
            assert again.offload_needs_host_bytes == plan.offload_needs_host_bytes


@pytest.mark.parametrize("word", [one.id for one in ENGINES])
def test_what_may_be_recommended_can_be_planned(word: RuntimeId) -> None:
    """Each level of some model: those that a model was published in are of no other."""
    runtime, request = runtime_by(word), plans_of(runtime_by(word))[0].request
    published = [replace(request, model=find_model(name).model) for name in ("gpt-oss-20b", "deepseek-v4-flash")]
    ladder = runtime.ladder
    for level in {*ladder.usual, *ladder.whole, *ladder.reads}:
        plans = (runtime.plan_level(one, level) for one in (request, *published))
        assert any(plan is not None and plan.level_id == level for plan in plans), level
    assert ladder.common <= {*ladder.usual, *ladder.whole, *ladder.reads}
    assert len({*ladder.usual}) == len(ladder.usual)


def test_plans_differ_where_a_figure_does() -> None:
    plans = plans_of(runtime_by(RuntimeId.LLAMA_CPP))
    assert len({plan.sized.file_bytes for plan in plans}) > 10
    assert all(one != other for one, other in pairwise(plans))


@pytest.mark.parametrize("word", NAMES)
def test_card_counts_are_some_of_the_cards_that_are_there(word: RuntimeId) -> None:
    runtime = runtime_by(word)
    for there in range(20):
        counts = runtime.card_counts(Memory(CARDS.devices[:1] * there, None), MODEL)
        assert len(set(counts)) == len(counts) <= 2
        assert all(1 <= count <= there for count in counts)
        assert bool(counts) == bool(there)
        if runtime.limits.devices is not None:
            assert max(counts, default=0) == min(there, runtime.limits.devices)
    assert runtime.card_counts(CARDS, MODEL) == ((1,) if word is RuntimeId.MLX else (2, 1))
