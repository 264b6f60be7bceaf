"""Cards that a plan leaves idle: it is the plan of a machine without them, and costs what all cards cost."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.answer.answer import Answer, answer
from advisor.answer.launching import launch_of
from advisor.answer.pinned import pinned_query
from advisor.answer.verdict import verdict
from advisor.foundation.errors import InputError
from advisor.question.question import Question
from advisor.report.as_json import plan_document
from advisor.report.compact import answer_document
from advisor.words import say, say_all
from tests.support.decided import identity

CARDS = ("rtx-3090", "rtx-4090", "rtx-3060-12gb", "tesla-p40", "h100-sxm5-80gb", "mi300x")
MODELS = ("llama-3.1-8b-instruct", "llama-3.1-70b-instruct", "qwen3-30b-a3b", "gpt-oss-20b", "qwen2.5-14b-instruct")


def asked(query: str) -> Answer:
    return answer(Question.from_query(query))


@given(
    model=st.sampled_from(MODELS),
    machine=st.sampled_from(CARDS),
    used=st.integers(1, 4),
    idle=st.integers(1, 4),
    runtime=st.sampled_from(("llama.cpp", "ollama", "vllm")),
    more=st.sampled_from(("", "&host_memory_gib=64", "&users=4&context=16384", "&split=tensor", "&gpu_layers=20")),
)
@settings(deadline=None, max_examples=25)
def test_a_plan_with_idle_cards_is_the_plan_of_a_machine_without_them(
    model: str, machine: str, used: int, idle: int, runtime: str, more: str
) -> None:
    query = f"model={model}&machine={machine}&runtime={runtime}{more}"
    try:
        fewer = asked(f"{query}&gpus={used}&use_gpus={used}")
    except InputError as refusal:
        with pytest.raises(InputError) as same:
            asked(f"{query}&gpus={used + idle}&use_gpus={used}")
        assert str(same.value).replace(f"{used + idle} x ", "") == str(refusal).replace(f"{used} x ", "")
        return
    found = asked(f"{query}&gpus={used + idle}&use_gpus={used}")
    assert found.plans == fewer.plans
    assert [one.speed for one in found.candidates] == [one.speed for one in fewer.candidates]
    assert identity(found)[:3] == identity(fewer)[:3]


def test_idle_cards_are_paid_for_and_named() -> None:
    query = "model=llama-3.1-8b-instruct&machine=rtx-3090&gpus=3"
    whole, found = asked(query), asked(f"{query}&use_gpus=1")
    one = asked("model=llama-3.1-8b-instruct&machine=rtx-3090")
    assert found.machine_name == whole.machine_name == "3 x GeForce RTX 3090"

    def owned(of: Answer) -> object:
        assert of.shown.costs is not None
        assert of.shown.costs.own is not None
        return of.shown.costs.own.upfront

    assert owned(found) == owned(whole)
    assert owned(found) != owned(one)
    document = answer_document(found, query)
    assert document["machine"]["devices"] == ["GeForce RTX 3090"] * 3
    assert [place["place"] for place in document["decision"]["plan"]["memory"]] == ["GPU 0", "host"]
    assert plan_document(found)["machine"]["devices"] == 3
    assert plan_document(found)["machine"]["devices_used"] == 1
    assert "It uses 1 of the 3 cards; the others stay idle and are paid for all the same." in say_all(found.notes)
    assert not any("idle" in note for note in say_all((*whole.notes, *one.notes)))
    assert (launch_of(found, found.shown).gpus, launch_of(found, found.shown).idle_gpus) == (1, 2)


@pytest.mark.parametrize("used", [1, 2])
def test_the_pinned_query_says_how_many_cards(used: int) -> None:
    found = asked(f"model=llama-3.1-8b-instruct&machine=rtx-3090&other_machine=rtx-3060-12gb&use_gpus={used}")
    query = pinned_query(found.question, found.entry, found.shown.plan)
    assert parse_qs(query)["use_gpus"] == [str(used)]
    assert asked(query).shown.plan == found.shown.plan
    alone = asked("model=llama-3.1-8b-instruct&machine=rtx-3090")
    assert "use_gpus" not in pinned_query(alone.question, alone.entry, alone.shown.plan)


def test_all_cards_are_used_until_somebody_says_otherwise() -> None:
    found = asked("model=llama-3.1-8b-instruct&machine=rtx-3090&gpus=2")
    query = pinned_query(found.question, found.entry, found.shown.plan)
    assert parse_qs(query)["use_gpus"] == ["2"]
    assert len(found.hardware.cards) == 2


def test_one_kind_of_card_is_enough_for_vllm() -> None:
    mixed = "model=llama-3.1-8b-instruct&machine=rtx-3090&gpus=2&other_machine=rtx-3060-12gb&runtime=vllm"
    with pytest.raises(InputError, match="of one kind"):
        asked(mixed)
    assert len(asked(f"{mixed}&use_gpus=2").shown.plan.devices) == 2


@pytest.mark.parametrize(
    ("machine", "named"),
    [
        ("machine=rtx-4090&gpus=3&use_gpus=2", "2 of 3 x GeForce RTX 4090"),
        ("machine=rtx-4090&gpus=3", "3 x GeForce RTX 4090"),
        ("machine=rtx-4090&gpus=2&other_machine=rtx-3060-12gb&use_gpus=2", "2 x GeForce RTX 4090"),
        ("machine=rtx-4090&other_machine=rtx-3060-12gb&use_gpus=2", "GeForce RTX 4090 + GeForce RTX 3060 12GB"),
    ],
)
def test_the_sentence_names_the_cards_that_are_used(machine: str, named: str) -> None:
    found = asked(f"model=gemma-3-27b-it&{machine}&level=Q4_K_M")
    assert f"on {named}: it keeps" in say(verdict(found))
