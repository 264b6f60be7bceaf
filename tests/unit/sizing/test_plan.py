"""Plans: they add up, they are monotonic, and the longest context they promise really fits."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.formats.gguf_levels import LEVELS
from advisor.foundation.units import GB, GIB
from advisor.models.catalogue import catalogue
from advisor.models.lookup import find_model
from advisor.runtimes.llama_cpp.plans import GRAIN
from advisor.runtimes.llama_cpp.runtime import LLAMA_CPP
from advisor.sizing.memory import Device, Memory
from advisor.sizing.plan import Plan
from advisor.sizing.request import Levels, PlanRequest
from advisor.sizing.settings import Settings

MODELS = st.sampled_from(sorted(catalogue()))
LEVEL = st.sampled_from(("Q8_0", "Q5_K_M", "Q4_K_M", "Q2_K"))


def gpu(gib: float, count: int = 1) -> Memory:
    return Memory((Device("GPU", int(gib * GIB), GIB // 2),) * count, None)


def one(model_id: str, memory: Memory, wanted: Settings, level: str, margin: float = 0.04) -> Plan:
    return LLAMA_CPP.plan(
        PlanRequest(find_model(model_id).model, memory, wanted, margin=margin, stored=Levels(LEVELS[level].id))
    )[0]


@given(model_id=MODELS, level=LEVEL, context=st.integers(1, 100_000), more=st.integers(1, 30_000))
@settings(max_examples=60)
def test_more_context_or_users_never_need_less(model_id: str, level: str, context: int, more: int) -> None:
    base = one(model_id, gpu(80), Settings(context), level)
    longer = one(model_id, gpu(80), Settings(context + more), level)
    busier = one(model_id, gpu(80), Settings(context, users=1 + more % 7), level)
    # llama.cpp's own compute buffer may shrink a little as the context grows, where it lays out its steps anew.
    assert longer.needed_bytes >= base.needed_bytes - 0.15 * base.devices[0].compute_bytes
    assert longer.devices[0].kv_cache_bytes >= base.devices[0].kv_cache_bytes
    assert busier.devices[0].kv_cache_bytes >= base.devices[0].kv_cache_bytes


@given(model_id=MODELS, level=LEVEL, gib=st.floats(2, 200), users=st.sampled_from((1, 1, 3)))
@settings(max_examples=60)
def test_the_longest_context_fits_and_much_more_does_not(model_id: str, level: str, gib: float, users: int) -> None:
    model = find_model(model_id).model
    wanted = Settings(1, users=users)
    plan = one(model_id, gpu(gib), wanted, level)
    limit = model.context_length or 1 << 20
    if plan.max_context:
        assert one(model_id, gpu(gib), replace(wanted, context=plan.max_context), level).verdict == "fits"
        assert plan.max_context <= max(limit, GRAIN)
    beyond = int(plan.max_context * 1.05) + 4 * GRAIN
    if beyond <= limit and model.causal:
        assert one(model_id, gpu(gib), replace(wanted, context=beyond), level).verdict != "fits"


@given(model_id=MODELS, gib=st.floats(1, 400))
@settings(max_examples=40)
def test_verdict_follows_from_the_bytes(model_id: str, gib: float) -> None:
    for plan in LLAMA_CPP.plan(PlanRequest(find_model(model_id).model, gpu(gib), Settings(2048), margin=0.04)):
        free = plan.free_bytes
        assert free is not None
        assert (plan.verdict == "does not fit") == (free < 0)
        if plan.verdict == "fits":
            assert free >= 0.04 * gib * GIB - 1
            assert plan.missing_bytes == 0
        else:
            assert plan.missing_bytes > 0


def test_pooled_memory_counts_device_and_host_together() -> None:
    shared = Memory((Device("Mac", 48 * GIB, 0),), 64 * GIB, pooled=True)
    plan = one("llama-3.1-70b-instruct", shared, Settings(8192), "Q4_K_M")
    assert plan.verdict == "fits"
    small = replace(shared, host_capacity_bytes=44 * GIB)
    assert one("llama-3.1-70b-instruct", small, Settings(8192), "Q4_K_M").verdict != "fits"


def test_partial_offload_moves_bytes_to_the_host() -> None:
    full = one("llama-3.1-70b-instruct", gpu(24), Settings(8192), "Q4_K_M")
    beside = replace(gpu(24), host_capacity_bytes=64 * GIB)
    part = one("llama-3.1-70b-instruct", beside, Settings(8192, gpu_layers=35), "Q4_K_M")
    assert full.verdict == "does not fit"
    assert part.verdict == "fits with offload"
    assert part.host.weights_bytes > 20 * GB
    assert part.host.kv_cache_bytes > 0


def test_nothing_is_promised_of_a_host_that_nobody_knows() -> None:
    part = one("llama-3.1-70b-instruct", gpu(24), Settings(8192, gpu_layers=35), "Q4_K_M")
    assert part.verdict == "tight"
    assert part.offload_needs_host_bytes is not None


def test_draft_layers_weigh_but_are_neither_cached_nor_computed() -> None:
    model = find_model("qwen3.5-27b").model
    plain, drafting = (
        LLAMA_CPP.plan(PlanRequest(m, gpu(80), Settings(8192), margin=0.04, stored=Levels(LEVELS["Q4_K_M"].id)))[0]
        for m in (model, model.with_mtp())
    )
    assert drafting.devices[0].weights_bytes > plain.devices[0].weights_bytes + model.mtp_parameters / 2
    assert drafting.devices[0].kv_cache_bytes == plain.devices[0].kv_cache_bytes
    assert drafting.devices[0].compute_bytes == plain.devices[0].compute_bytes
