"""Links people keep: old ones mean what they meant, and any scenario survives the way through its link."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from advisor.advise import answer
from advisor.costs.price_tables import electricity_prices
from advisor.errors import InputError
from advisor.formats.gguf_levels import LEVELS
from advisor.formats.safetensors_levels import SAFETENSORS_LEVELS
from advisor.machines.catalogue import machines
from advisor.models.catalogue import catalogue
from advisor.quality.tasks import DEMANDS, SCORED_TASKS
from advisor.report.exports import scenario_from_yaml, scenario_to_yaml
from advisor.scenario import BACKENDS, RUNTIMES, Scenario
from advisor.sizing.settings import CACHE_TYPES

SCRIPT = Path(__file__).resolve().parents[1] / "advisor" / "ui" / "main.py"

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
            "host_memory_gib",
            "host_bandwidth_gb_s",
            "context_used",
            "level",
            "gpu_layers",
            "tensor_split",
            "draft",
            "draft_accepted_percent",
            "overhead_mib",
        )
    ),
    "model": "llama-3.1-70b-instruct",
    "machine": "rtx-4090",
    "gpus": 1,
    "draft_level": "Q8_0",
    "other_gpus": 1,
    "context": 8192,
    "users": 1,
    "prompt_tokens": 1024,
    "runtime": "auto",
    "backend": "auto",
    "kv_type_k": "f16",
    "kv_type_v": "f16",
    "ubatch": 512,
    "flash_attention": True,
    "cpu_moe_layers": 0,
    "kv_offload": True,
    "mmap": True,
    "split": "layer",
    "gpu_memory_utilization": 0.92,
    "kv_fp8": False,
    "imatrix": False,
    "mtp": False,
    "margin_percent": 4,
    "requests_per_day": 1000,
    "tokens_in": 1000,
    "tokens_out": 200,
    "peak_factor": 3,
    "hours_per_month": 730,
    "cached_percent": 0,
    "currency": "USD",
    "vat_percent": 0,
    "years": 3,
    "country": "US",
    "region": "any",
    "term": "on-demand",
    "rent_gpu": "same",
    "storage_gb": 0,
    "egress_gb": 0,
    "task": "chat",
    "commercial": False,
    "own_hardware": False,
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
    assert {name: field.default for name, field in Scenario.model_fields.items()} == DEFAULTS


@pytest.mark.parametrize("query", OLD_LINKS)
def test_an_old_link_means_what_it_meant(query: str) -> None:
    scenario = Scenario.from_query(query)
    assert scenario.model_dump(mode="python") | {"tensor_split": scenario.tensor_split} == {
        **DEFAULTS,
        **_switches(DEFAULTS),
        **OLD_LINKS[query],
        **_switches(OLD_LINKS[query]),
    }
    found = answer(scenario)
    assert found.entry.id == scenario.model
    assert found.plans


def _switches(values: dict[str, Any]) -> dict[str, Any]:
    """Switches as they are written down."""
    return {key: "on" if value else "off" for key, value in values.items() if isinstance(value, bool)}


def amounts(most: float = 1e6, least: float = 0.01) -> st.SearchStrategy[float]:
    return st.floats(least, most) | st.integers(1, int(most)).map(float)


MAYBE_PRICE = st.none() | amounts()
MAYBE_PERCENT = st.none() | st.floats(0, 100)
MAYBE_WATTS = st.none() | st.floats(0, 10_000)
TOKENS = st.integers(1, 100_000)
LOAD = st.fixed_dictionaries(
    {},
    optional={
        "requests_per_day": st.floats(1, 1e6),
        "tokens_in": TOKENS,
        "tokens_out": TOKENS,
        "peak_factor": st.floats(1, 1000),
        "hours_per_month": st.floats(0.1, 730),
        "cached_percent": st.floats(0, 100),
        "currency": st.sampled_from(["USD", "EUR", "CHF"]),
        "years": st.integers(1, 5),
        "country": st.sampled_from(sorted({country for country, _ in electricity_prices()})),
        "region": st.sampled_from(["ch", "eu", "us", "any"]),
        "term": st.sampled_from(["on-demand", "spot", "1-year"]),
        "rent_gpu": st.sampled_from(["same", "any"]),
        "vat_percent": st.floats(0, 100),
        "device_price": MAYBE_PRICE,
        "host_price": MAYBE_PRICE,
        "resale_percent": MAYBE_PERCENT,
        "cost_of_capital_percent": MAYBE_PERCENT,
        "electricity_price": st.none() | amounts(100),
        "pue": st.none() | st.floats(1, 5),
        "co2_g_per_kwh": st.none() | st.floats(0, 5000),
        "utilisation_percent": MAYBE_PERCENT,
        "device_load_w": MAYBE_WATTS,
        "device_idle_w": MAYBE_WATTS,
        "host_load_w": MAYBE_WATTS,
        "host_idle_w": MAYBE_WATTS,
        "colocation_per_month": MAYBE_PRICE,
        "admin_hours": st.none() | st.floats(0, 1000),
        "support_per_year": MAYBE_PRICE,
        "instance_price": MAYBE_PRICE,
        "storage_gb": st.floats(0, 1e6),
        "egress_gb": st.floats(0, 1e6),
        "eur_rate": st.none() | st.floats(0.01, 100),
        "chf_rate": st.none() | st.floats(0.01, 100),
        "api_cached_price": MAYBE_PRICE,
    },
)
GOES_TOGETHER = {
    "admin_rate": amounts(1000),
    "storage_price": amounts(10),
    "egress_price": amounts(10),
    "api_input_price": amounts(100),
    "api_output_price": amounts(100),
}
ASKED = st.fixed_dictionaries(
    {},
    optional={
        "task": st.sampled_from(SCORED_TASKS),
        "min_quality": st.none() | st.floats(0, 100) | st.sampled_from([demand.id for demand in DEMANDS]),
        "min_tokens_per_s": st.none() | amounts(1e5),
        "max_first_token_s": st.none() | amounts(1e5),
        "max_cost_per_month": st.none() | amounts(1e6),
        "commercial": st.booleans(),
        "own_hardware": st.booleans(),
    },
)
RUN = st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from(sorted(catalogue())) | st.text(min_size=1, max_size=60),
        "machine": st.sampled_from(sorted(machines())),
        "gpus": st.integers(1, 64),
        "memory_gib": st.none() | amounts(1e5),
        "bandwidth_gb_s": st.none() | amounts(1e6, 1),
        "other_machine": st.none() | st.sampled_from(sorted(machines())),
        "other_gpus": st.integers(1, 64),
        "host_memory_gib": st.none() | amounts(1e5),
        "host_bandwidth_gb_s": st.none() | amounts(1e6, 1),
        "context": st.integers(1, 1 << 27),
        "users": st.integers(1, 256),
        "context_used": st.none() | st.integers(0, 1 << 27),
        "prompt_tokens": st.integers(1, 1 << 27),
        "runtime": st.sampled_from(RUNTIMES),
        "backend": st.sampled_from(BACKENDS),
        "level": st.none() | st.sampled_from([*LEVELS, *SAFETENSORS_LEVELS]),
        "kv_type_k": st.sampled_from(sorted(CACHE_TYPES)),
        "kv_type_v": st.sampled_from(sorted(CACHE_TYPES)),
        "ubatch": st.integers(1, 65536),
        "gpu_layers": st.none() | st.just("all") | st.integers(0, 4096),
        "cpu_moe_layers": st.integers(0, 4096),
        "kv_offload": st.booleans(),
        "mmap": st.booleans(),
        "split": st.sampled_from(["layer", "row", "tensor"]),
        "tensor_split": st.none() | st.lists(st.floats(0, 1e6), min_size=1, max_size=8).map(tuple),
        "gpu_memory_utilization": st.floats(0.01, 1),
        "kv_fp8": st.booleans(),
        "imatrix": st.booleans(),
        "mtp": st.booleans(),
        "draft": st.none() | st.sampled_from(sorted(catalogue())),
        "draft_level": st.sampled_from(sorted(LEVELS)),
        "draft_accepted_percent": st.none() | st.floats(0, 100),
        "overhead_mib": st.none() | st.floats(0, 1e6),
        "margin_percent": st.floats(0, 50),
        "flash_attention": st.just(True),
    },
)


@st.composite
def scenarios(draw: st.DrawFn, run: st.SearchStrategy[dict[str, Any]] = RUN) -> Scenario:
    values = draw(run) | draw(ASKED) | draw(LOAD)
    together = draw(st.fixed_dictionaries(GOES_TOGETHER))
    values |= {key: together[key] for key in ("admin_rate", "storage_price", "egress_price")}
    if draw(st.booleans()) or values.get("api_cached_price") is not None:
        values |= {key: together[key] for key in ("api_input_price", "api_output_price")}
    return Scenario.model_validate(values)


def test_the_random_scenarios_use_every_key() -> None:
    drawn = {key for strategy in (RUN, ASKED, LOAD) for key in strategy.wrapped_strategy.optional}  # type: ignore[attr-defined]
    assert drawn | set(GOES_TOGETHER) == set(Scenario.model_fields)


@settings(max_examples=1000)
@given(scenarios())
def test_a_thousand_scenarios_survive_the_way_through_their_link(scenario: Scenario) -> None:
    query = scenario.to_query()
    if len(query) > 4096:  # nobody's link, and refused in a sentence
        with pytest.raises(InputError):
            Scenario.from_query(query)
        return
    again = Scenario.from_query(query)
    assert again == scenario
    assert again.to_query() == query


@settings(max_examples=200)
@given(scenarios())
def test_a_scenario_survives_the_way_through_its_file(scenario: Scenario) -> None:
    assert scenario_from_yaml(scenario_to_yaml(scenario)) == scenario


# What one graphics card takes; the other machines' own inputs are in test_ui_pages.
ON_A_CARD = st.fixed_dictionaries(
    {"model": st.sampled_from(["llama-3.1-8b-instruct", "gpt-oss-20b", "qwen2.5-7b-instruct"])},
    optional={
        "machine": st.sampled_from(["rtx-4090", "rtx-5090", "rtx-a6000", "a100-sxm4-80gb"]),
        "gpus": st.integers(1, 4),
        "context": st.integers(2048, 16384),
        "prompt_tokens": st.integers(1, 2048),
        "users": st.integers(1, 8),
        "host_memory_gib": st.none() | amounts(512, 8),
        "level": st.none() | st.sampled_from(["Q4_K_M", "Q8_0", "IQ3_S"]),
        "kv_type_k": st.sampled_from(["f16", "q8_0"]),
        "ubatch": st.integers(1, 2048),
        "overhead_mib": st.none() | st.floats(0, 2000),
        "margin_percent": st.floats(0, 50),
        "gpu_layers": st.none() | st.just("all") | st.integers(0, 200),
        "mmap": st.booleans(),
        "imatrix": st.booleans(),
    },
)


@settings(max_examples=6, derandomize=True, phases=[Phase.generate])  # shrinking would take minutes
@given(scenarios(ON_A_CARD))
def test_a_scenario_survives_the_way_through_the_page(scenario: Scenario) -> None:
    page = AppTest.from_file(str(SCRIPT), default_timeout=120)
    for key, value in parse_qsl(scenario.to_query()):
        page.query_params[key] = value
    page.run()
    assert not page.exception
    assert not page.warning
    held = page.session_state["held"]
    assert Scenario.from_values({key: value for key, value in held.items() if value is not None}) == scenario
