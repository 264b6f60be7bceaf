"""From a question to devices and runtimes: what stands there, what does not go together."""

from __future__ import annotations

import re

import pytest

from advisor.answer.answer import answer
from advisor.answer.setups import runtimes_of
from advisor.foundation.errors import InputError
from advisor.foundation.units import GIB
from advisor.models.licences import commercial_use
from advisor.question.hardware import Hardware, hardware_of
from advisor.question.question import Question
from advisor.report.as_json import plan_document
from advisor.report.as_text import plan_table
from advisor.report.from_answer import report_of
from advisor.sizing.runtime_id import RuntimeId
from advisor.sources.resolve import find_any_model
from advisor.words import say, say_all

LLAMA = find_any_model("llama-3.1-8b-instruct")


def hardware(query: str, runtime: str = "llama.cpp") -> Hardware:
    asked = Question.from_query(query)
    return hardware_of(asked.machine, asked.runtime.backend, RuntimeId(runtime))


def test_other_cards_follow_the_first_ones_with_their_own_memory() -> None:
    found = hardware("machine=rtx-3090&gpus=2&other_machine=rtx-3060-12gb&other_gpus=1")
    assert found.name == "2 x GeForce RTX 3090 + GeForce RTX 3060 12GB"
    capacities = [device.capacity_bytes for device in found.memory.devices]
    assert capacities[0] == capacities[1] > capacities[2] > 11 * GIB
    assert [card.id for card in found.cards] == ["rtx-3090", "rtx-3090", "rtx-3060-12gb"]


@pytest.mark.parametrize("name", ["raspberry-pi-5", "iphone-16"])
def test_what_an_unknown_machine_is_told_to_do_leads_to_an_answer(name: str) -> None:
    asked = f"model=llama-3.2-3b-instruct&machine={name}"
    with pytest.raises(InputError, match=f"There is no machine '{name}' .* machine=custom with memory_gib and") as told:
        answer(Question.from_query(asked))
    keys = [word for word in re.findall(r"[a-z_]+=?[a-z]*", str(told.value)) if "_g" in word or "=" in word]
    assert keys == ["machine=custom", "memory_gib", "bandwidth_gb_s", "backend=cpu"]
    query = "model=llama-3.2-3b-instruct&machine=custom&memory_gib=8&bandwidth_gb_s=17&backend=cpu"
    found = answer(Question.from_query(query))
    assert found.shown is not None
    assert found.shown.verdict == "fits"


def test_cards_that_are_not_used_stand_there_all_the_same() -> None:
    whole = hardware("machine=rtx-3090&gpus=2&other_machine=rtx-3060-12gb")
    found = hardware("machine=rtx-3090&gpus=2&other_machine=rtx-3060-12gb&use_gpus=2")
    assert found.installed == whole.cards == whole.installed
    assert found.cards == whole.cards[:2]
    assert found.memory.devices == whole.memory.devices[:2]
    assert found.name == whole.name
    assert found.average_card == whole.average_card


def test_of_cards_that_differ_the_fastest_are_used() -> None:
    found = hardware("machine=gtx-1070&gpus=2&other_machine=rtx-5070&use_gpus=2")
    assert [card.id for card in found.cards] == ["gtx-1070", "rtx-5070"]
    assert [card.id for card in hardware("machine=gtx-1070&other_machine=rtx-5070&use_gpus=1").cards] == ["rtx-5070"]


def test_only_the_vendors_of_used_cards_must_go_together() -> None:
    assert hardware("machine=rtx-4090&other_machine=rx-7900-xtx&use_gpus=1").backend == "cuda"


def test_a_plain_cpu_has_no_cards_and_its_own_memory() -> None:
    found = hardware("machine=cpu-dual-ddr5-6000&memory_gib=64")
    assert found.cards == ()
    assert found.memory.devices == ()
    assert found.memory.host_capacity_bytes == 64 * GIB
    assert found.backend == "cpu"


def test_host_bandwidth_is_assumed_until_it_is_given() -> None:
    assert hardware("machine=rtx-4090").host_bandwidth_assumed
    given = hardware("machine=rtx-4090&host_bandwidth_gb_s=200")
    assert given.host_bandwidth == 200e9
    assert not given.host_bandwidth_assumed
    assert not hardware("machine=apple-m4-max-40c-128gb").host_bandwidth_assumed


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("machine=rtx-4090&other_machine=rx-7900-xtx", "does not drive cards of AMD and NVIDIA together"),
        ("machine=apple-m4-max-40c-128gb&gpus=2", "is one device"),
        ("machine=apple-m4-max-40c-128gb&other_machine=rtx-4090", "no graphics card that stands beside others"),
        ("machine=apple-m4-max-40c-128gb&host_memory_gib=64", "shares one memory"),
        ("machine=rtx-4090&other_machine=rtx-4091", "did you mean"),
        ("machine=rtx-4090&gpus=2&use_gpus=3", "has 2 cards; use at most 2."),
        ("machine=rtx-4090&other_machine=rtx-3090&use_gpus=3", "this machine has 2 cards; use at most 2."),
        ("machine=apple-m4-max-40c-128gb&use_gpus=2", "is one device; use at most 1."),
        ("machine=cpu-dual-ddr5-6000&memory_gib=64&use_gpus=1", "has no graphics cards; leave use_gpus out."),
    ],
)
def test_what_does_not_go_together_is_one_sentence(query: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        hardware(query)


def test_two_vendors_go_together_with_vulkan() -> None:
    assert len(hardware("machine=rtx-4090&other_machine=rx-7900-xtx&backend=vulkan").cards) == 2


@pytest.mark.parametrize(
    ("query", "runtime"),
    [
        ("", "llama.cpp vllm mlx"),  # searched for
        ("level=Q4_K_M", "llama.cpp"),
        ("level=AWQ-W4A16-g128", "vllm mlx"),  # whichever runs there
        ("level=MLX-4bit-g64", "mlx"),
        ("runtime=ollama&level=Q4_K_M", "ollama"),
        ("runtime=vllm", "vllm"),
        ("gpu_layers=20", "llama.cpp"),  # a setting that only one runtime has
        ("kv_fp8=on", "vllm"),
    ],
)
def test_the_runtimes_looked_at_follow_from_level_and_settings_unless_one_is_asked_for(
    query: str, runtime: str
) -> None:
    assert set(runtimes_of(Question.from_query(query), LLAMA)) == set(runtime.split())


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("runtime=ollama&level=AWQ-W4A16-g128", "is not for ollama: choose runtime=vllm"),
        ("runtime=vllm&level=Q4_K_M", "is not for vllm: choose runtime=llama.cpp"),
    ],
)
def test_a_level_of_another_runtime_is_refused(query: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        runtimes_of(Question.from_query(query), LLAMA)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("runtime=vllm&machine=cpu-dual-ddr5-6000&memory_gib=64", "has none: use llama.cpp"),
        ("runtime=vllm&machine=rtx-3090&other_machine=rtx-4090", "all cards must be of one kind"),
        ("runtime=mlx&machine=rtx-4090", "choose a Mac"),
        ("context=8192&context_used=9000", "more than the context"),
        ("tensor_split=1,1&machine=rtx-4090", "2 shares for 1 device"),
    ],
)
def test_a_runtime_that_cannot_run_there_says_why(query: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        answer(Question.from_query(query))


@pytest.mark.parametrize(
    ("query", "levels"),
    [
        ("model=llama-3.1-8b-instruct&machine=rtx-4090&runtime=vllm", {"FP8-dynamic", "AWQ-W4A16-g128", "NF4"}),
        ("model=llama-3.1-8b-instruct&machine=apple-m4-max-40c-128gb&runtime=mlx", {"MLX-4bit-g64", "MLX-8bit-g64"}),
        ("model=llama-3.1-8b-instruct&machine=rtx-4090&level=AWQ-W4A16-g128", {"AWQ-W4A16-g128"}),
    ],
)
def test_other_runtimes_have_plans_of_their_own_levels(query: str, levels: set[str]) -> None:
    found = answer(Question.from_query(query))
    assert levels <= {plan.level for plan in found.plans}
    assert found.chosen is not None
    assert found.chosen.tokens_per_s is not None
    assert found.chosen.plan.devices[0].weights_bytes > 4 * GIB


def test_host_memory_lets_a_model_fit_that_is_too_large_for_the_card() -> None:
    without = answer(Question.from_query("model=qwen3-235b-a22b&machine=rtx-5090"))
    assert without.chosen is None
    found = answer(Question.from_query("model=qwen3-235b-a22b&machine=rtx-5090&host_memory_gib=192"))
    assert found.chosen is not None
    assert found.chosen.plan.verdict == "fits with offload"
    assert found.chosen.plan.settings.cpu_moe_layers > 0


@pytest.mark.parametrize(
    ("licence", "use"),
    [
        ("apache-2.0", "allowed"),
        ("MIT", "allowed"),
        ("llama3.1", "with conditions"),
        ("cc-by-nc-4.0", "not allowed"),
        ("", "unknown"),
        ("some-new-licence", "unknown"),
    ],
)
def test_licences_are_told_by_name_and_never_guessed(licence: str, use: str) -> None:
    found = commercial_use(licence)
    assert found.use == use
    assert found.possible == (use in ("allowed", "with conditions"))
    assert say(found.message).endswith(".")


def test_different_cards_are_priced_at_their_mean() -> None:
    both = hardware("machine=rtx-3090&other_machine=rtx-3060-12gb")
    first, second = both.cards
    (first_price,), (second_price,), (mean,) = first.prices, second.prices, both.average_card.prices
    assert (mean.market, mean.typical) == ("used", (first_price.typical + second_price.typical) / 2)
    assert mean.seen == second_price.seen  # the older of the two
    # One is sold new only, the other used only: each at what it can be had for.
    (either,) = hardware("machine=rtx-3090&other_machine=rtx-6000-ada").average_card.prices
    assert either.typical == (1207 + 8600) / 2
    assert both.average_card.tdp_w is not None
    alike = hardware("machine=rtx-3090&gpus=2")
    assert alike.average_card == alike.machine


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("gpus=0", "gpus=0 is not possible"),
        ("gpus=1000", "gpus=1000 is not possible"),
        ("gpus=64", "64 devices are more than one llama.cpp process can use"),
        ("gpus=8&other_machine=rtx-3090&other_gpus=8", "16 devices are more than one llama.cpp process can use"),
        ("machine=custom&memory_gib=24&bandwidth_gb_s=-5", "bandwidth_gb_s=-5 is not possible"),
        ("host_bandwidth_gb_s=inf", "host_bandwidth_gb_s=inf is not possible"),
        ("machine=custom&memory_gib=0", "memory_gib=0 is not possible"),
        ("machine=cpu-dual-ddr5-5600", "give its RAM in GiB"),
    ],
)
def test_hardware_that_cannot_be_is_one_sentence(query: str, sentence: str) -> None:
    with pytest.raises(InputError, match=re.escape(sentence)):
        answer(Question.from_query(f"level=Q4_K_M&{query}"))


def test_an_assumed_host_bandwidth_is_said_where_it_matters() -> None:
    link = "level=Q4_K_M&machine=rtx-4090&host_memory_gib=64"

    def notes(query: str) -> str:
        return " ".join(say_all(answer(Question.from_query(query)).notes))

    assert "assumes memory rated at 89.6 GB/s" in notes(link)
    assert "89.6" not in notes(f"{link}&host_bandwidth_gb_s=200")
    assert "89.6" not in notes("level=Q4_K_M&machine=rtx-4090&model=llama-3.1-8b-instruct&host_memory_gib=64")
    found = plan_document(answer(Question.from_query(link)))
    assert found["machine"]["host_bandwidth_assumed"] is True
    assert found["machine"]["host_bandwidth_bytes_per_s"] == 89.6e9
    assert any("89.6 GB/s" in note for note in found["notes"])
    assert "89.6 GB/s" in plan_table(answer(Question.from_query(link)))
    assert any(
        "89.6 GB/s" in note and "_gb_s" not in note for note in report_of(answer(Question.from_query(link))).notes
    )
