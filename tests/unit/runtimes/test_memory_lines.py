"""The memory bill: its lines add up to the plan, and the numbers in its sentences multiply to what they claim."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.formats.gguf_levels import LEVELS
from advisor.foundation.message import as_it_is
from advisor.foundation.units import GIB
from advisor.models.catalogue import catalogue
from advisor.models.lookup import find_model
from advisor.runtimes.llama_cpp.checks import cache_type_refusal
from advisor.runtimes.llama_cpp.growth import layer_caches
from advisor.runtimes.llama_cpp.memory_lines import cache_terms, memory_lines
from advisor.runtimes.llama_cpp.runtime import LLAMA_CPP
from advisor.sizing.memory import Device, Memory
from advisor.sizing.memory_line import MemoryLine
from advisor.sizing.placement import HOST, place
from advisor.sizing.plan import Plan
from advisor.sizing.request import Levels, PlanRequest
from advisor.sizing.settings import Settings
from advisor.words import say

MODELS = sorted(catalogue())


def plan(model_id: str, wanted: Settings, gpus: int = 2) -> tuple[Plan, tuple[MemoryLine, ...]]:
    model = catalogue()[model_id].model
    memory = Memory((Device("GPU", 80 * GIB, GIB // 2),) * gpus, 256 * GIB, 2 * GIB)
    found = LLAMA_CPP.plan(PlanRequest(model, memory, wanted, margin=0.04, stored=Levels(LEVELS["Q4_K_M"].id)))[0]
    return found, memory_lines(found, model, as_it_is("0.5 GiB for the driver."), as_it_is("2.0 GiB, assumed."))


def product(sentence: str) -> Fraction:
    """Multiply and add the numbers of a KV sentence as a reader would, brackets left out."""
    total = Fraction(0)
    for term in re.sub(r"\([^)]*\)", "", sentence.split(" = ")[0]).split(" + "):
        value = Fraction(1)
        for factor in term.split(" x "):
            value *= Fraction(re.match(r"[\d,/]+", factor.strip())[0].replace(",", ""))  # type: ignore[index]
        total += value
    return total


@pytest.mark.parametrize("mtp", [False, True])
@pytest.mark.parametrize(
    ("wanted", "kv_on_host"),
    [
        (Settings(8192), False),
        (Settings(3000, users=3), False),
        (Settings(40_000, cache_type_k="q8_0", cache_type_v="q4_0"), False),
        (Settings(5000, flash_attention=False), True),
    ],
)
def test_the_numbers_in_every_model_s_sentence_multiply_to_the_cache(
    wanted: Settings, kv_on_host: bool, mtp: bool
) -> None:
    for model_id in MODELS:
        model = catalogue()[model_id].model
        model = model.with_mtp() if mtp else model
        if cache_type_refusal(model, wanted):
            continue
        count = len(model.layers)
        placement = place(count, (2.0, 1.0), count - 3, 0, kv_on_host)
        for device in (HOST, 0, 1):
            kept = sum(
                size for size, home in zip(layer_caches(model, wanted), placement.caches, strict=True) if home == device
            )
            terms = cache_terms(model, wanted, placement, device)
            assert sum(term.bytes for term in terms) == kept, model_id
            if terms:
                assert product(" + ".join(say(term.message) for term in terms)) == kept, terms


@given(
    model_id=st.sampled_from(MODELS),
    context=st.integers(1, 100_000),
    gpus=st.integers(0, 4),
    gpu_layers=st.none() | st.integers(0, 60),
    experts=st.integers(0, 40),
    kv_on_host=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_lines_add_up_to_each_place(
    model_id: str, context: int, gpus: int, gpu_layers: int | None, experts: int, kv_on_host: bool
) -> None:
    wanted = Settings(context, gpu_layers=gpu_layers, cpu_moe_layers=experts, kv_on_host=kv_on_host)
    found, lines = plan(model_id, wanted, gpus)
    for holder in (*found.devices, found.host):
        assert sum(line.bytes for line in lines if line.place == holder.name) == holder.needed_bytes
        assert holder.needed_range.low <= holder.needed_bytes <= holder.needed_range.high
    for line in lines:
        assert line.bytes > 0
        assert say(line.formula).endswith(".")
        assert say(line.source)


def test_the_words_of_a_well_known_plan() -> None:
    lines = {
        (line.component, line.place): line
        for line in plan("llama-3.1-70b-instruct", Settings(8192, gpu_layers=41), gpus=1)[1]
    }
    cache = lines["KV cache", "GPU"]
    assert cache.word == "exact"
    assert say(cache.formula) == (
        "40 layers x 8 KV heads x 128 x 2 (K and V) x 2 bytes x 8,192 tokens x 1 user = 1.2 GiB."
    )
    weights = lines["weights", "Host"]
    assert weights.word == "exact"
    assert say(weights.formula).startswith("Holds input embeddings and layers 0 to 39 of 80: ")
    assert "441 Q4_K" in say(weights.formula)
    compute = lines["compute", "GPU"]
    assert compute.word == "modelled"
    assert "512 tokens x 128,256 words x 4 bytes = 250.5 MiB" in say(compute.formula)
    assert lines["overhead", "GPU"].word == "assumed"
    assert lines["overhead", "GPU"].formula == as_it_is("0.5 GiB for the driver.")


def test_weights_of_the_host_pass_through_the_gpu() -> None:
    lines = plan("glm-4.5-air", Settings(8192, cpu_moe_layers=40), gpus=1)[1]
    passing = next(line for line in lines if line.component == "passing weights")
    assert passing.word == "modelled"
    assert passing.bytes > 500 * 1024**2


def test_lines_of_an_encoder_have_no_cache() -> None:
    model_id = next(name for name in MODELS if not find_model(name).model.causal)
    assert all(line.component != "KV cache" for line in plan(model_id, Settings(512))[1])
