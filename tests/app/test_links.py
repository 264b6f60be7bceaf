"""Links people keep: old ones mean what they meant, and any question survives the way through its link."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from streamlit.testing.v1 import AppTest

from advisor.answer.answer import answer
from advisor.foundation.errors import InputError
from advisor.question.configuration import PINNED
from advisor.question.question import FIELDS, Question
from advisor.report.exports import question_from_yaml, question_to_yaml
from advisor.ui.asking import reply_to
from tests.support.pages import opened, read
from tests.support.random_questions import ASKED, GOES_TOGETHER, LOAD, RUN, questions

SCRIPT = Path(__file__).resolve().parents[2] / "advisor" / "ui" / "main.py"

# What a link says without saying it: none of these may ever change.
DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(
        (
            "eur_rate",
            "chf_rate",
            "device_price",
            "host_price",
            "resale_percent",
            "cost_of_capital_percent",
            "electricity_price",
            "pue",
            "co2_g_per_kwh",
            "utilisation_percent",
            "device_load_w",
            "device_idle_w",
            "host_load_w",
            "host_idle_w",
            "power_limit_w",
            "operation_hours",
            "spare_machines",
            "downtime_percent",
            "api_decline_percent",
            "colocation_per_month",
            "admin_hours",
            "admin_rate",
            "support_per_year",
            "instance_price",
            "storage_price",
            "egress_price",
            "api_input_price",
            "api_output_price",
            "api_cached_price",
            "min_quality",
            "min_tokens_per_s",
            "max_first_token_s",
            "max_cost_per_month",
            "memory_gib",
            "bandwidth_gb_s",
            "other_machine",
            "use_gpus",
            "host_memory_gib",
            "host_bandwidth_gb_s",
            "ram_type",
            "ram_channels",
            "context_used",
            "level",
            "gpu_layers",
            "tensor_split",
            "draft",
            "draft_accepted_percent",
            "overhead_mib",
            "used_mib",
            "host_used_mib",
            "max_num_batched_tokens",
            "max_num_seqs",
            "mem_fraction_static",
            "wired_limit_mb",
        )
    ),
    "model": "llama-3.1-70b-instruct",
    "machine": "rtx-4090",
    "gpus": 1,
    "draft_level": "Q8_0",
    "vision": "off",
    "projector": "F16",
    "projector_offload": True,
    "lora_rank": 0,
    "loras": 1,
    "other_gpus": 1,
    "context": 8192,
    "users": 1,
    "prompt_tokens": 1024,
    "cached_tokens": 0,
    "ram_sockets": 1,
    "runtime": "auto",
    "backend": "auto",
    "kv_type_k": "f16",
    "kv_type_v": "f16",
    "ubatch": 512,
    "llama_cpp": "newest",
    "flash_attention": True,
    "cpu_moe_layers": 0,
    "kv_offload": True,
    "mmap": True,
    "op_offload": True,
    "split": "layer",
    "gpu_memory_utilization": 0.92,
    "kv_fp8": False,
    "rope_scaling": "auto",
    "enforce_eager": False,
    "pipeline_parallel": 1,
    "data_parallel": 1,
    "expert_parallel": False,
    "imatrix": False,
    "publisher": "stock",
    "mtp": False,
    "margin_percent": 4,
    "requests_per_day": 1000,
    "tokens_in": 1000,
    "tokens_out": 200,
    "peak_factor": 3,
    "hours_per_month": 730,
    "cached_percent": 0,
    "batch_percent": 0,
    "buyer": "hobby",
    "currency": "USD",
    "vat_percent": 0,
    "years": 3,
    "country": "US",
    "region": "any",
    "market": "any",
    "customer": "business",
    "term": "on-demand",
    "rent_gpu": "same",
    "storage_gb": 0,
    "egress_gb": 0,
    "task": "chat",
    "commercial": False,
    "own_hardware": False,
    "goal": "balanced",
}

# Links of the README and of earlier versions, with what they said; everything else is a default.
OLD_LINKS: dict[str, dict[str, Any]] = {
    "": {},
    "model=llama-3.1-70b-instruct&machine=a100-sxm4-80gb&context=8192&users=1": {"machine": "a100-sxm4-80gb"},
    "model=llama-3.1-70b-instruct&machine=rtx-a6000&context=8192": {"machine": "rtx-a6000"},
    "model=llama-3.1-70b-instruct&machine=a100-sxm4-80gb&gpus=2&users=4": {
        "machine": "a100-sxm4-80gb",
        "gpus": 2,
        "users": 4,
    },
    "model=gpt-oss-20b&machine=apple-m4-max-40c-128gb&context=65536": {
        "model": "gpt-oss-20b",
        "machine": "apple-m4-max-40c-128gb",
        "context": 65536,
    },
    "model=llama-3.1-8b-instruct&machine=cpu-dual-ddr5-6000&memory_gib=64": {
        "model": "llama-3.1-8b-instruct",
        "machine": "cpu-dual-ddr5-6000",
        "memory_gib": 64,
    },
    "model=qwen2.5-7b-instruct&machine=custom&memory_gib=12.5&bandwidth_gb_s=500": {
        "model": "qwen2.5-7b-instruct",
        "machine": "custom",
        "memory_gib": 12.5,
        "bandwidth_gb_s": 500,
    },
    "gpu_layers=all": {"gpu_layers": "all"},
    "gpu_layers=auto": {},
    "model=llama-3.1-70b-instruct&gpu_layers=40&host_memory_gib=64": {"gpu_layers": 40, "host_memory_gib": 64},
    "level=Q2_K&machine=rtx-5090": {"level": "Q2_K", "machine": "rtx-5090"},
    "runtime=llama.cpp&flash_attention=off&kv_type_k=q8_0": {
        "runtime": "llama.cpp",
        "flash_attention": False,
        "kv_type_k": "q8_0",
    },
    "kv_type_k=q8_0&kv_type_v=q4_0&ubatch=1024&imatrix=on": {
        "kv_type_k": "q8_0",
        "kv_type_v": "q4_0",
        "ubatch": 1024,
        "imatrix": True,
    },
    "mtp=on&overhead_mib=100&margin_percent=2.5&cpu_moe_layers=5": {
        "mtp": True,
        "overhead_mib": 100,
        "margin_percent": 2.5,
        "cpu_moe_layers": 5,
    },
    "gpus=2&tensor_split=3,1&split=layer": {"gpus": 2, "tensor_split": (3, 1)},
    "task=code&min_quality=98.5&own_hardware=on&currency=CHF&country=CH": {
        "task": "code",
        "min_quality": 98.5,
        "own_hardware": True,
        "currency": "CHF",
        "country": "CH",
    },
    "runtime=vllm&level=FP8-dynamic&model=llama-3.1-8b-instruct": {
        "runtime": "vllm",
        "level": "FP8-dynamic",
        "model": "llama-3.1-8b-instruct",
    },
}


def test_defaults_are_what_old_links_leave_out() -> None:
    assert {name: field.default for name, field in FIELDS.items()} == DEFAULTS


@pytest.mark.parametrize("query", OLD_LINKS)
def test_an_old_link_means_what_it_meant(query: str) -> None:
    question = Question.from_query(query)
    assert question.values() | {"tensor_split": question.placement.tensor_split} == {
        **DEFAULTS,
        **_switches(DEFAULTS),
        **OLD_LINKS[query],
        **_switches(OLD_LINKS[query]),
    }
    found = answer(question)
    assert found.entry.id == question.model.name
    assert found.plans


def _switches(values: dict[str, Any]) -> dict[str, Any]:
    """Switches as they are written down."""
    return {key: "on" if value else "off" for key, value in values.items() if isinstance(value, bool)}


def test_the_random_questions_use_every_key() -> None:
    strategies: list[Any] = [RUN, ASKED, LOAD]  # what one is made of is not public
    drawn = {key for strategy in strategies for key in strategy.wrapped_strategy.optional}
    assert drawn | set(GOES_TOGETHER) == set(FIELDS)


@settings(max_examples=1000)
@given(questions())
def test_a_thousand_questions_survive_the_way_through_their_link(question: Question) -> None:
    query = question.to_query()
    if len(query) > 4096:  # nobody's link, and refused in a sentence
        with pytest.raises(InputError):
            Question.from_query(query)
        return
    again = Question.from_query(query)
    assert again == question
    assert again.to_query() == query


@settings(max_examples=150)
@given(questions())
def test_a_question_survives_the_way_through_its_file(question: Question) -> None:
    assert question_from_yaml(question_to_yaml(question)) == question


def test_a_report_leaves_to_a_front_end_what_the_link_leaves_to_it() -> None:
    link = "model=llama-3.1-8b-instruct&machine=rtx-4090&level=Q4_K_M&runtime=ollama"
    found = reply_to(Question.from_query(link)).answer
    assert found is not None
    assert found.question.workload.context == 32_768
    chosen = reply_to(Question.from_query(f"{link}&context=8192")).answer
    assert chosen is not None
    assert chosen.question.workload.context == 8192


# At the default a widget says nothing; written, the default pins its axis.
PINS = {
    "kv_type_k": "f16",
    "kv_type_v": "f16",
    "kv_fp8": "off",
    "gpu_layers": "all",
    "cpu_moe_layers": "0",
    "kv_offload": "on",
    "use_gpus": "1",
    "vision": "off",
    "ubatch": "512",
}


def asked_on(page: AppTest) -> Question:
    """The question whose link the page writes."""
    (link,) = {code.value for code in page.code if code.value.startswith("/?")}
    return Question.from_query(link.removeprefix("/?"))


def test_what_nobody_chose_is_searched() -> None:
    page = opened("model=llama-3.1-70b-instruct", tab_open="Sources", more=True, more_group="Engine and file")
    assert set(PINS) == PINNED
    assert {page.selectbox(key=f"in_{key}").value for key in ("kv_type_k", "kv_type_v", "kv_fp8", "vision")} == {None}
    asked = asked_on(page)
    assert not asked.pins
    # Llama 70B on 24 GiB needs the smaller cache that nobody asked for.
    assert answer(asked).runs.workload.kv_type_k == "q8_0"
    assert "KV cache in q8_0" in read(page)


@pytest.mark.parametrize("key", sorted(PINS))
def test_a_default_that_a_link_writes_stays_pinned(key: str) -> None:
    page = opened(f"model=llama-3.2-3b-instruct&{key}={PINS[key]}", tab_open="Sources")
    for _ in range(2):
        assert not page.exception
        assert not page.warning
        assert asked_on(page).pins == {key}
        page.run()
    page.button_group(key="in_usual_context").select(4096).run()
    assert asked_on(page).pins == {key}
    assert asked_on(page).workload.context == 4096


def test_a_pasted_table_becomes_the_machine() -> None:
    page = opened(
        "model=qwen3-8b&machine=rtx-3060-12gb", more=True, more_group="Memory and placement", paste_machine=True
    )
    table = (
        "|   0  NVIDIA GeForce RTX 4090        Off |   00000000:01:00.0 Off |                  Off |\n"
        "|  0%   40C    P8             20W /  450W |    9000MiB /  24564MiB |      3%      Default |\n"
    )
    page.text_area(key="pasted_machine").set_value(table).run()
    assert not page.exception
    assert page.query_params["machine"] in ("rtx-4090", ["rtx-4090"])
    assert "8232" in page.query_params["used_mib"]
    page.text_area(key="pasted_machine").set_value("hello").run()
    assert "Nothing in this text is known" in read(page)
    assert page.query_params["machine"] in ("rtx-4090", ["rtx-4090"])
