"""The reverse questions agree with the plain one, and more memory never runs fewer models."""

from __future__ import annotations

from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.answer.answer import Answer, answer
from advisor.answer.level_map import levels_of
from advisor.answer.machines_for_model import FittingMachine, Shopping, cheapest_of, machines_for
from advisor.answer.models_for_machine import RunnableModel, models_on
from advisor.answer.status import STATUSES
from advisor.costs.price_tables import measured_power
from advisor.foundation.errors import InputError
from advisor.foundation.units import GIB
from advisor.machines.catalogue import machines
from advisor.models.catalogue import catalogue
from advisor.quality.scale import ability
from advisor.question.question import Question
from advisor.words import say_all
from tests.support.decided import chosen_level

MODELS = st.sampled_from(sorted(catalogue()))
# Several tests look at the same machines: each search takes seconds.
OWNED = "model=llama-3.1-8b-instruct&own_hardware=on"
WORKS = "model=llama-3.1-8b-instruct&min_quality=works"


@cache
def on(query: str) -> dict[str, RunnableModel]:
    return {row.entry.id: row for row in models_on(Question.from_query(query))}


@cache
def buy(query: str) -> Shopping:
    return machines_for(Question.from_query(query))


def level_of(row: RunnableModel) -> str | None:
    return row.chosen.level if row.chosen is not None else None


@pytest.mark.parametrize(
    "query",
    [
        "machine=rtx-3090&gpus=2&users=2",
        "machine=apple-m4-max-32c-36gb&context=16384",
        "machine=rtx-4090&min_quality=small&min_tokens_per_s=30&commercial=on",
        "machine=rtx-5090&runtime=vllm",
        "machine=cpu-dual-ddr5-6000&memory_gib=64",
        "machine=rtx-4090",  # last: the next test finds it where users share it
    ],
)
def test_every_model_has_the_level_that_its_own_answer_recommends(query: str) -> None:
    rows = on(query)
    assert set(rows) == set(catalogue())
    for row in list(rows.values())[::9]:
        try:
            found = answer(row.question)
        except InputError as error:
            assert row.reason == error.message
            continue
        assert level_of(row) == chosen_level(found), row.entry.id
        if row.chosen is not None and found.chosen is not None:
            assert row.chosen.verdict == found.chosen.verdict
            assert row.chosen.plan.needed_bytes == found.chosen.plan.needed_bytes
        else:
            assert row.reason


def test_users_share_what_runs_here() -> None:
    one = models_on(Question.from_query("machine=rtx-4090&model=gpt-oss-20b&level=MXFP4"))
    assert models_on(Question.from_query("machine=rtx-4090")) is one


@given(model=MODELS)
@settings(max_examples=25)
def test_every_level_has_the_verdict_and_the_bytes_of_its_plan(model: str) -> None:
    row = on("machine=rtx-3090&gpus=2&users=2")[model]
    try:
        plans = {plan.level: plan for plan in answer(row.question).plans}
    except InputError:
        assert not levels_of(row)
        return
    assert [one.level for one in levels_of(row)] == list(plans)
    for one in levels_of(row):
        plan = plans[one.level]
        assert one.on_machine.verdict == plan.verdict
        assert one.on_machine.file_bytes == plan.sized.file_bytes
        if not plan.settings.tensor_split:
            assert one.on_machine.needed_bytes == plan.needed_bytes


def test_more_memory_never_runs_fewer_models_nor_lower_levels() -> None:
    sizes = [12, 24, 48, 96]
    runs = [
        {name for name, row in on(f"machine=custom&memory_gib={size}&bandwidth_gb_s=1000").items() if row.chosen}
        for size in sizes
    ]
    for smaller, larger in pairwise(runs):
        assert smaller < larger
    for name in runs[0]:
        kept = [
            row.chosen.kept.typical
            for size in sizes
            if (row := on(f"machine=custom&memory_gib={size}&bandwidth_gb_s=1000")[name]).chosen and row.chosen.kept
        ]
        assert kept == sorted(kept)


def test_the_good_ones_come_first_and_of_them_the_most_able() -> None:
    rows = list(on("machine=rtx-4090").values())
    statuses = [STATUSES.index(row.status) for row in rows]
    assert statuses == sorted(statuses)
    for status in set(statuses):
        able = [ability(row.entry.id, "chat") for row, its in zip(rows, statuses, strict=True) if its == status]
        known = [one.value for one in able if one is not None]
        assert known == sorted(known, reverse=True)
        assert None not in able[: len(known)]  # those without any score after them


def test_a_machine_that_cannot_be_built_is_refused_in_one_sentence() -> None:
    with pytest.raises(InputError, match="is one device"):
        models_on(Question.from_query("machine=apple-m4-max-40c-128gb&gpus=2"))


def rank(found: Answer) -> float:
    """0 where it is good, and as fast as is wished: who buys a machine means it."""
    wish, speed = found.question.requirements.min_tokens_per_s, found.shown.tokens_per_s
    fast = wish is None or (speed is not None and speed.typical >= wish)
    return float("inf") if found.chosen is None else STATUSES.index(found.status) + (not fast)


def smaller(row: FittingMachine) -> list[Question]:
    return [row.question.with_values(gpus=count) for count in (1, 2, 4) if count < row.gpus]


@pytest.mark.parametrize(
    "query",
    [
        "model=llama-3.1-70b-instruct&min_quality=lossless&min_tokens_per_s=10",
        "model=qwen3-30b-a3b&users=4&max_cost_per_month=100",
        "model=llama-3.3-70b-instruct&min_tokens_per_s=20",
        OWNED,
    ],
)
def test_every_machine_is_the_smallest_number_that_does_it_as_well(query: str) -> None:
    found = buy(query)
    assert found.machines
    several = [row for row in found.machines if row.rank and row.machine.id == "arc-b570"]
    for row in (*found.machines[::11], *several):
        asked = answer(row.question)
        assert chosen_level(asked) == row.chosen.level, row.name
        assert asked.status == row.option.status
        assert rank(asked) == row.rank
        for less in smaller(row):
            assert rank(answer(less)) > row.rank, row.name


def test_users_share_what_to_buy() -> None:
    first = machines_for(Question.from_query(f"{OWNED}&machine=rtx-4090"))
    assert machines_for(Question.from_query(f"{OWNED}&machine=rtx-5090&gpus=2")) is first


def test_the_cheapest_comes_first_and_machines_without_a_price_last() -> None:
    found = buy(OWNED)
    prices = [row.monthly for row in found.machines]
    assert None in prices
    for rank in {row.rank for row in found.machines}:  # the good ones before the slow ones, whatever they cost
        of_rank = [row.monthly for row in found.machines if row.rank == rank]
        known = [price for price in of_rank if price is not None]
        assert known == sorted(known)
        assert all(price is None for price in of_rank[len(known) :])
    assert found.cheapest is found.machines[0]
    assert len(found.machines) + found.too_small == len(machines())


def test_what_to_buy_holds_everything_on_its_gpu_and_leaves_the_system_its_memory() -> None:
    found = buy("model=llama-3.1-70b-instruct")
    assert found.cheapest is not None
    assert found.cheapest.chosen.verdict == "fits"
    best = min(row.rank for row in found.machines if row.monthly is not None)
    whole = [row.monthly for row in found.machines if row.rank == best and row.chosen.verdict == "fits"]
    assert found.cheapest.monthly == min(price for price in whole if price is not None)
    pooled = [row for row in found.machines if row.machine.unified and row.chosen.verdict == "fits with offload"]
    assert pooled
    for row in pooled:
        plan = row.chosen.plan
        assert plan.needed_bytes + plan.host.needed_bytes <= row.machine.memory_bytes - 2 * GIB, row.name


def test_the_cheapest_of_each_way_is_one_of_those_that_run_it_best() -> None:
    """A card that is too small for it, with a part in RAM, is cheaper and no bargain."""
    found = buy("model=llama-3.1-70b-instruct")

    def owned(row: FittingMachine) -> float | None:
        return row.chosen.own_monthly

    def rented(row: FittingMachine) -> float | None:
        return row.chosen.rent_monthly

    for price in (owned, rented):
        best = cheapest_of(found.machines, price)
        assert best is not None
        assert best.rank == 0
        assert best.is_whole
        alike = [price(row) for row in found.machines if row.rank == 0 and row.is_whole]
        assert price(best) == min(one for one in alike if one is not None)
    assert cheapest_of(found.machines, lambda row: None) is None


def test_the_price_by_the_token_is_that_of_any_machines_answer() -> None:
    found = buy("model=llama-3.1-70b-instruct")
    costs = found.machines[0].chosen.costs
    assert costs is not None
    assert costs.api is not None
    assert found.api is not None
    assert found.api.monthly == costs.api.monthly
    assert found.no_api is None


def test_a_machine_draws_what_its_devices_and_the_computer_around_them_do() -> None:
    for row in buy(OWNED).machines:
        watts, card = row.chosen.pricing.load_watts, row.machine
        if card.tdp_w is None:
            assert watts is None
        elif card.kind in ("apple-silicon", "unified-memory-pc", "laptop-gpu"):
            measured = [one.load_w for one in measured_power() if fnmatchcase(card.id, one.machines)]
            assert watts == float((measured or [Decimal(str(card.tdp_w * row.gpus))])[0])
        else:  # a card that writes is not at its limit
            assert watts is not None
            assert watts > 0.76 * card.tdp_w * row.gpus


def test_those_as_fast_as_is_wished_come_first_of_one_status() -> None:
    rows = models_on(Question.from_query("machine=rtx-4090&min_tokens_per_s=40"))
    for status in STATUSES[:2]:
        fast = [row.as_fast_as_asked for row in rows if row.status == status]
        assert fast == sorted(fast, reverse=True)
    good = [row for row in rows if row.status == "good"]
    for row in good[::9]:
        speed = answer(row.question).shown.tokens_per_s
        assert row.as_fast_as_asked == (speed is not None and speed.typical >= 40)


def test_what_is_looked_at_is_said() -> None:
    words = " ".join(say_all(buy("model=gpt-oss-20b").assumed))
    assert "64, 128 or 256 GiB of RAM" in words
    assert "one, two, four or eight in one host" in words


def test_asking_for_more_never_finds_more_machines() -> None:
    def names(query: str) -> set[str]:
        return {row.machine.id for row in buy(query).machines}

    base = "model=llama-3.1-8b-instruct&min_quality=works"
    assert names(f"{base}&max_cost_per_month=30") < names(base)
    slow, fast = (
        {row.machine.id for row in buy(f"{base}&min_tokens_per_s={wish}").machines if row.as_fast_as_asked}
        for wish in (10, 60)
    )
    assert fast < slow
