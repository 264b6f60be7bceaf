"""The search for a placement: what it finds fits, and nothing simple is faster."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.formats.gguf_levels import LEVELS
from advisor.foundation.units import GIB
from advisor.models.catalogue import catalogue
from advisor.models.lookup import find_model
from advisor.runtimes.llama_cpp.needs import place_as_told, shortage
from advisor.runtimes.llama_cpp.placement_search import Found, Search, best_placement
from advisor.runtimes.llama_cpp.runtime import LLAMA_CPP
from advisor.runtimes.llama_cpp.weights import level_weights
from advisor.sizing.memory import Device, Memory
from advisor.sizing.placement import HOST
from advisor.sizing.plan import Plan
from advisor.sizing.rates import Rates
from advisor.sizing.request import Levels, PlanRequest
from advisor.sizing.settings import Settings
from advisor.words import say

SMALL = st.sampled_from(
    ("llama-3.2-1b-instruct", "olmoe-1b-7b-0125-instruct", "gpt-oss-20b", "lfm2-8b-a1b", "gemma-3-4b-it", "qwen3-8b")
)
LEVEL = st.sampled_from(("Q8_0", "Q4_K_M", "Q2_K"))
MEMORIES = st.builds(
    lambda sizes, host: Memory(tuple(Device(f"{s:.1f}", int(s * GIB), GIB // 4) for s in sizes), host, GIB),
    st.lists(st.floats(0.5, 20), min_size=1, max_size=3),
    st.none() | st.integers(2, 64).map(lambda gib: gib * GIB),
)
MARGIN = 0.04


def search(model_id: str, level: str, memory: Memory, wanted: Settings, rates: Rates) -> Found | None:
    return best_placement(find_model(model_id).model, LEVELS[level], memory, wanted, MARGIN, rates)


def plan(model_id: str, level: str, memory: Memory, wanted: Settings = Settings(8192), **more: Any) -> Plan:  # noqa: B008
    model = find_model(model_id).model
    return LLAMA_CPP.plan(
        PlanRequest(model, memory, wanted, margin=MARGIN, search=True, stored=Levels(LEVELS[level].id), **more)
    )[0]


@given(
    model_id=st.sampled_from(sorted(catalogue())),
    level=LEVEL,
    memory=MEMORIES,
    context=st.sampled_from((512, 8192, 30_000)),
    fast=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_what_is_found_fits_with_margin(model_id: str, level: str, memory: Memory, context: int, fast: bool) -> None:
    rates = Rates((1e12, 3e11, 5e11)) if fast else Rates()
    found = search(model_id, level, memory, Settings(context), rates)
    if found is None:
        return
    model = find_model(model_id).model
    told = LLAMA_CPP.plan(
        PlanRequest(model, memory, found.settings, margin=MARGIN, rates=rates, stored=Levels(LEVELS[level].id))
    )[0]
    assert told.placement == found.placement
    assert told.verdict in ("fits", "fits with offload")
    assert told.seconds_per_token == found.seconds_per_token
    assert told.verdict == ("fits with offload" if found.placement.offloads else "fits")
    if memory.host_capacity_bytes is None:
        assert not found.placement.offloads


@given(model_id=SMALL, level=LEVEL, memory=MEMORIES, fast=st.booleans())
@settings(max_examples=25, deadline=None)
def test_nothing_simple_is_faster(model_id: str, level: str, memory: Memory, fast: bool) -> None:
    model, wanted = find_model(model_id).model, Settings(8192)
    rates = Rates((1e12, 3e11, 5e11)) if fast else Rates()
    found = search(model_id, level, memory, wanted, rates)
    weights, searcher = level_weights(model, LEVELS[level]), Search(model, memory, wanted, MARGIN, rates)
    count = len(model.layers)
    experts = range(count + 1) if model.experts else (0,)
    for layers, moe, kv_on_host in product(range(count + 2), experts, (False, True)):
        tried = replace(wanted, gpu_layers=layers, cpu_moe_layers=moe, kv_on_host=kv_on_host)
        placement = place_as_told(model, memory, tried)
        if placement.offloads and memory.host_capacity_bytes is None:
            continue
        seconds = searcher.reading.seconds(weights, placement, rates)
        if found is not None and seconds >= found.seconds_per_token * (1 - 1e-9):
            continue
        assert shortage(memory, searcher.needed(weights, placement), MARGIN) > 0, tried


@given(model_id=SMALL, level=LEVEL, memory=MEMORIES, more=st.floats(0.1, 10), which=st.integers(0, 2))
@settings(max_examples=40, deadline=None)
def test_more_memory_is_never_worse(model_id: str, level: str, memory: Memory, more: float, which: int) -> None:
    devices = list(memory.devices)
    place = which % len(devices)
    devices[place] = replace(devices[place], capacity_bytes=devices[place].capacity_bytes + int(more * GIB))
    larger = replace(memory, devices=tuple(devices))
    before, after = (plan(model_id, level, m) for m in (memory, larger))
    order = ["does not fit", "tight", "fits with offload", "fits"]
    assert order.index(after.verdict) >= order.index(before.verdict)
    if before.fits:
        assert before.seconds_per_token is not None
        assert after.seconds_per_token is not None
        assert after.seconds_per_token <= before.seconds_per_token * (1 + 1e-9)


def cards(*gib: float, host: float | None = None) -> Memory:
    devices = tuple(Device(f"{size:g} GiB card", int(size * GIB), GIB // 2) for size in gib)
    return Memory(devices, None if host is None else int(host * GIB), 2 * GIB)


def test_a_dense_model_leaves_first_layers_to_the_host() -> None:
    found = plan("llama-3.1-70b-instruct", "Q4_K_M", cards(24, host=64))
    assert found.verdict == "fits with offload"
    assert found.settings.gpu_layers is not None
    assert 35 < found.settings.gpu_layers < 50
    assert not found.settings.kv_on_host
    assert found.ways_out == ()


def test_a_mixture_of_experts_leaves_experts_to_the_host() -> None:
    found = plan("glm-4.5-air", "Q4_K_M", cards(24, host=96))
    assert found.verdict == "fits with offload"
    assert found.settings.gpu_layers is None
    assert 10 < found.settings.cpu_moe_layers < len(find_model("glm-4.5-air").model.layers)
    assert HOST not in found.placement.layers


def test_uneven_cards_are_filled_where_the_default_split_does_not_fit() -> None:
    memory = cards(20, 12)
    by_default = LLAMA_CPP.plan(
        PlanRequest(
            find_model("qwen3-32b").model, memory, Settings(16_384), margin=MARGIN, stored=Levels(LEVELS["Q6_K"].id)
        )
    )[0]
    found = plan("qwen3-32b", "Q6_K", memory, Settings(16_384))
    assert by_default.verdict != "fits"
    assert found.verdict == "fits"
    assert found.settings.tensor_split is not None
    assert sum(found.settings.tensor_split) == len(found.placement.layers) + 1


def test_a_faster_card_is_filled_first() -> None:
    found = plan("qwen3-8b", "Q4_K_M", cards(24, 24), rates=Rates((3e11, 1e12)))
    assert found.placement.used == (1,)


def test_all_on_the_host_when_no_card_can_help() -> None:
    found = plan("qwen3-8b", "Q4_K_M", cards(0.9, host=32))
    assert found.verdict == "fits with offload"
    assert found.settings.gpu_layers == 0
    assert not found.settings.op_offload
    assert found.devices[0].needed_bytes == GIB // 2


def test_an_unknown_host_is_promised_nothing_but_told_what_it_takes() -> None:
    unknown = plan("llama-3.1-70b-instruct", "Q4_K_M", cards(24))
    assert unknown.verdict == "does not fit"
    needed = unknown.offload_needs_host_bytes
    assert needed is not None
    assert 20 * GIB < needed < 40 * GIB
    exactly = replace(cards(24), host_capacity_bytes=needed)
    assert plan("llama-3.1-70b-instruct", "Q4_K_M", exactly).verdict == "fits with offload"
    assert plan("llama-3.1-70b-instruct", "Q2_K", cards(80)).offload_needs_host_bytes is None


def test_every_way_out_of_a_plan_that_does_not_fit_does_fit() -> None:
    memory = cards(24)
    lost = plan("llama-3.1-70b-instruct", "IQ2_XS", memory, Settings(12_288))
    assert lost.verdict in ("does not fit", "tight")
    ways = {way.kind: way for way in lost.ways_out}
    assert set(ways) == {"lower level", "shorter context", "smaller KV cache", "more devices", "host memory"}
    for way in lost.ways_out:
        assert say(way.message).endswith(".")
    lower = ways["lower level"].value
    assert isinstance(lower, str)
    assert plan("llama-3.1-70b-instruct", lower, memory, Settings(12_288)).fits
    shorter = ways["shorter context"].value
    assert isinstance(shorter, int)
    assert plan("llama-3.1-70b-instruct", "IQ2_XS", memory, Settings(shorter)).fits
    more = ways["more devices"].value
    assert isinstance(more, int)
    assert plan("llama-3.1-70b-instruct", "IQ2_XS", cards(*[24] * (1 + more)), Settings(12_288)).verdict == "fits"
    assert ways["smaller KV cache"].value == "q8_0"


@pytest.mark.parametrize("model_id", ["llama-3.1-405b-instruct", "deepseek-v3"])
def test_ways_out_of_the_hopeless_are_few(model_id: str) -> None:
    lost = plan(model_id, "Q8_0", cards(8), Settings(4096))
    assert {way.kind for way in lost.ways_out} <= {"more devices", "host memory"}


@given(model_id=SMALL, level=LEVEL, memory=MEMORIES, context=st.sampled_from((512, 8192, 30_000)))
@settings(max_examples=60, deadline=None)
def test_nothing_that_fits_leaves_less_to_the_host(model_id: str, level: str, memory: Memory, context: int) -> None:
    model = find_model(model_id).model
    request = PlanRequest(model, memory, Settings(context), margin=MARGIN, search=True, stored=Levels())
    least = LLAMA_CPP.least_on_host(request, LEVELS[level].id)
    made = plan(model_id, level, memory, Settings(context))
    if made.verdict == "does not fit" or least is None:
        return
    assert made.placement.offloads
    held = made.host.weights_bytes + sum(device.weights_bytes for device in made.devices)
    assert least <= made.host.weights_bytes / held


def test_what_no_memory_has_room_for_is_known_before_it_is_planned() -> None:
    memory = Memory((Device("card", 16 * GIB, GIB),), 32 * GIB, GIB)
    request = PlanRequest(
        find_model("llama-3.3-70b-instruct").model,
        memory,
        Settings(8192),
        margin=MARGIN,
        search=True,
        stored=Levels(),
    )
    assert LLAMA_CPP.least_seconds(request, LEVELS["Q8_0"].id) == float("inf")
    assert (LLAMA_CPP.least_seconds(request, LEVELS["Q2_K"].id) or 0) < 10


@pytest.mark.parametrize("model_id", ["llama-3.2-1b-instruct", "gpt-oss-20b", "gemma-3-4b-it"])
@pytest.mark.parametrize("sizes", [(24.0,), (3.0,), (4.0, 2.0)])
@pytest.mark.parametrize("rates", [Rates(), Rates((1e12, 3e11))], ids=["alike", "uneven"])
def test_a_cache_that_is_asked_for_on_the_host_lies_there(
    model_id: str, sizes: tuple[float, ...], rates: Rates
) -> None:
    devices = tuple(Device(f"{size}", int(size * GIB), GIB // 4) for size in sizes)
    wanted = Settings(8192, kv_on_host=True)
    found = search(model_id, "Q4_K_M", Memory(devices, 64 * GIB, GIB), wanted, rates)
    assert found is not None
    assert found.placement.kv_on_host
    assert found.settings.kv_on_host
    assert search(model_id, "Q4_K_M", Memory(devices, None, GIB), wanted, rates) is None


def test_a_cache_on_the_host_comes_as_fast_as_the_slower_of_host_and_link() -> None:
    """All weights lie on the device: what differs is how long the cache takes."""

    def seconds(host: float, link: float) -> float:
        memory = Memory((Device("card", 80 * GIB, GIB // 4),), 64 * GIB, GIB)
        wanted = Settings(8192, kv_on_host=True)
        found = search("qwen3-8b", "Q4_K_M", memory, wanted, Rates((1e12,), host, link))
        assert found is not None
        assert not found.placement.offloads or found.placement.kv_on_host
        return found.seconds_per_token

    slow_link, fast_link = seconds(50e9, 10e9), seconds(50e9, 50e9)
    assert slow_link > fast_link
    assert seconds(50e9, 500e9) == pytest.approx(fast_link)  # the host cannot give more
    assert seconds(10e9, 500e9) == pytest.approx(slow_link, rel=0.05)


@pytest.mark.parametrize(("link", "host"), [(2e9, 400e9), (400e9, 20e9), (25e9, 60e9)])
@pytest.mark.parametrize("size", [3.0, 5.0, 7.0, 9.0])
def test_where_the_cache_lies_is_decided_by_host_and_link(link: float, host: float, size: float) -> None:
    """The search is as fast as the better of both ways, each asked for by itself."""
    memory = Memory((Device("card", int(size * GIB), GIB // 4),), 64 * GIB, GIB)
    rates = Rates((1e12,), host, link)
    found = search("qwen3-8b", "Q4_K_M", memory, Settings(40_000), rates)
    on_host = search("qwen3-8b", "Q4_K_M", memory, Settings(40_000, kv_on_host=True), rates)
    assert found is not None
    assert on_host is not None
    assert found.seconds_per_token <= on_host.seconds_per_token * (1 + 1e-9)
    if found.placement.kv_on_host:
        assert found.seconds_per_token == pytest.approx(on_host.seconds_per_token)


@pytest.mark.parametrize("size", [3.0, 5.0, 8.0])
def test_what_the_host_reads_slowly_weighs_as_much(size: float) -> None:
    """The slower it reads experts and begins layers, the longer a token takes and the less of either lies there."""
    memory = Memory((Device("card", int(size * GIB), GIB // 4),), 64 * GIB, GIB)
    usual, slow_experts, slow_layers = (
        search("gpt-oss-20b", "Q4_K_M", memory, Settings(8192), Rates((1e12,), 90e9, 25e9, experts, layer))
        for experts, layer in ((1.0, 0.0), (4.0, 0.0), (1.0, 0.001))
    )
    assert usual is not None
    assert slow_experts is not None
    assert slow_layers is not None
    assert slow_experts.seconds_per_token > 1.1 * usual.seconds_per_token
    assert slow_layers.seconds_per_token > 1.1 * usual.seconds_per_token
    begun = [max(one.placement.cpu_moe_layers, one.placement.layers.count(HOST)) for one in (usual, slow_layers)]
    assert begun[1] <= begun[0]


@pytest.mark.parametrize("model_id", ["qwen3-8b", "gpt-oss-20b"])
def test_what_the_system_keeps_of_the_host_is_no_room(model_id: str) -> None:
    """A gigabyte more for the system is a gigabyte less for the model: the same as so much less memory."""
    fits = []
    for overhead in (0, 2 * GIB):
        sizes = [
            step
            for step in range(2 * GIB, 24 * GIB, GIB // 8)
            if search(
                model_id,
                "Q4_K_M",
                Memory((Device("card", 3 * GIB, GIB // 4),), step, overhead),
                Settings(8192),
                Rates(),
            )
            is not None
        ]
        fits.append(min(sizes))
    assert fits[1] - fits[0] == pytest.approx(2 * GIB / (1 - MARGIN), abs=GIB // 8 + 1)


@pytest.mark.parametrize(
    ("model_id", "context", "cards", "host_gib"),
    [("gpt-oss-20b", 30_000, (4, 2), 14), ("olmoe-1b-7b-0125-instruct", 8192, (3,), 5)],
)
def test_what_the_system_keeps_and_what_is_not_there_lead_to_the_same(
    model_id: str, context: int, cards: tuple[int, ...], host_gib: int
) -> None:
    devices = tuple(Device(f"card {number}", gib * GIB, GIB // 4) for number, gib in enumerate(cards))
    kept = Memory(devices, host_gib * GIB, 2 * GIB)
    less = Memory(devices, host_gib * GIB - round(2 * GIB / (1 - MARGIN)), 0)
    found = search(model_id, "Q4_K_M", kept, Settings(context), Rates())
    assert found is not None
    assert found == search(model_id, "Q4_K_M", less, Settings(context), Rates())


def test_there_is_no_room_in_what_the_system_keeps() -> None:
    model = find_model("qwen3-8b").model
    weights = level_weights(model, LEVELS["Q4_K_M"])
    device = Device("card", 3 * GIB, GIB // 4)

    def least_gib(overhead: int) -> int:
        sizes = range(1, 24)
        ground = (Search(model, Memory((device,), gib * GIB, overhead), Settings(8192), 0.0, Rates()) for gib in sizes)
        return next(gib for gib, one in zip(sizes, ground, strict=True) if one.has_room(weights))

    assert least_gib(2 * GIB) == least_gib(0) + 2


def test_nothing_is_chosen_that_only_fits_without_what_the_system_keeps() -> None:
    """Near the least host that does, whatever is found has room for the system beside it."""
    for step in range(8 * GIB, 14 * GIB, GIB // 4):
        for context in (512, 30_000):
            memory = Memory((Device("card", 3 * GIB, GIB // 4),), step, 2 * GIB)
            found = plan("gpt-oss-20b", "Q4_K_M", memory, Settings(context))
            if found.verdict == "fits with offload":
                assert found.host.needed_bytes <= step * (1 - MARGIN)
