"""vLLM plans: what must hold for every model, and clear sentences for what cannot be."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from advisor.formats.safetensors_levels import SAFETENSORS_LEVELS, Scheme
from advisor.formats.safetensors_sizes import size_safetensors_level
from advisor.foundation.errors import InputError
from advisor.foundation.message import NOTHING
from advisor.foundation.units import GIB, MIB
from advisor.machines.chip import Chip
from advisor.models.catalogue import catalogue
from advisor.models.linear_layers import stored_block, stored_globals
from advisor.models.model import Model
from advisor.runtimes import vllm as rules
from advisor.runtimes.vllm.every_level import rotary_table_bytes
from advisor.runtimes.vllm.kernels import support
from advisor.runtimes.vllm.kv_cache import paged_cache
from advisor.runtimes.vllm.plans import refusals
from advisor.runtimes.vllm.published_weights import published_weights_per_gpu
from advisor.runtimes.vllm.runtime import VLLM
from advisor.runtimes.vllm.serve_options import VllmOptions
from advisor.runtimes.vllm.weights import weights_per_gpu
from advisor.sizing.memory import Device, Memory
from advisor.sizing.plan import Plan
from advisor.sizing.request import Checkpoint, Levels, PlanRequest
from advisor.sizing.settings import Settings
from advisor.words import say, say_all

MODELS = st.sampled_from(sorted(catalogue()))
LEVELS = st.sampled_from([level for level in SAFETENSORS_LEVELS.values() if level.scheme is not Scheme.MLX])
BF16 = SAFETENSORS_LEVELS["BF16-safetensors"]
FP8 = SAFETENSORS_LEVELS["FP8-dynamic"]
H100 = Device("H100", 81_559 * MIB, 1_536 * MIB)
LLAMA = "llama-3.1-8b-instruct"


def gpus(count: int, device: Device = H100) -> Memory:
    return Memory((device,) * count, 256 * GIB)


def model_of(model_id: str) -> Model:
    return catalogue()[model_id].model


def plan_of(model_id: str, count: int = 1, context: int = 4096, users: int = 1, **options: object) -> Plan:
    told = VllmOptions(**options)  # type: ignore[arg-type]
    return planned(model_of(model_id), gpus(count), Settings(context, users), chip=Chip("NVIDIA", "9.0"), options=told)


def planned(model: Model, memory: Memory, settings: Settings, **more: object) -> Plan:
    request = PlanRequest(model, memory, settings, margin=0.05, stored=Levels(BF16.id), **more)  # type: ignore[arg-type]
    return VLLM.plan(request)[0]


@given(model_id=MODELS, level=LEVELS, count=st.sampled_from((2, 4, 8)))
@settings(deadline=None)
def test_more_gpus_never_hold_more_each_nor_less_in_all(model_id: str, level: object, count: int) -> None:
    model = model_of(model_id)
    assert isinstance(level, type(BF16))
    assume(level.offered_for(model))
    try:
        more = weights_per_gpu(model, level, count)
        one, fewer = weights_per_gpu(model, level, 1), weights_per_gpu(model, level, count // 2)
    except InputError:
        assume(False)
    assert more <= fewer <= one
    assert more * count >= one


@given(
    model_id=MODELS,
    count=st.sampled_from((1, 2, 4, 8)),
    dtype=st.sampled_from(("auto", "fp8")),
    context=st.integers(1, 200_000),
    users=st.integers(1, 64),
    more=st.integers(1, 50_000),
    batch=st.sampled_from((512, 2048, 8192)),
)
@settings(deadline=None)
def test_more_context_and_more_users_never_need_less_cache(
    model_id: str, count: int, dtype: str, context: int, users: int, more: int, batch: int
) -> None:
    cache = paged_cache(model_of(model_id), count, dtype)
    assume(cache is not None)
    assert cache is not None
    now = cache.request_bytes(context, users, batch)
    assert now <= cache.request_bytes(context + more, users, batch)
    assert now < cache.request_bytes(context, users + 1, batch)
    assert cache.at_once(now, context, batch) >= users * (1 - 1e-12)
    assert cache.at_once(now, context, batch) >= cache.concurrency(now, context, batch)
    assert cache.tokens(now, context, batch) <= cache.tokens(now + more * MIB, context, batch)


@given(
    model_id=MODELS,
    count=st.sampled_from((1, 2, 4)),
    context=st.integers(1, 4096),
    users=st.integers(1, 8),
    low=st.floats(0.3, 0.94),
    step=st.floats(0.01, 0.05),
)
@settings(deadline=None, max_examples=60)
def test_sums_agree_and_a_larger_share_never_holds_fewer_tokens(
    model_id: str, count: int, context: int, users: int, low: float, step: float
) -> None:
    model = model_of(model_id)
    assume(model.context_length is None or context <= model.context_length)
    try:
        small = plan_of(model_id, count, context, users, utilisation=low)
        large = plan_of(model_id, count, context, users, utilisation=low + step)
    except InputError:
        assume(False)
    for plan in (small, large):
        assert plan.rules.startswith("vLLM ")
        assert (plan.missing_bytes == 0) == (plan.verdict == "fits")
        assert len(plan.devices) == count
        for device in plan.devices:
            assert device.free_bytes is not None
            assert device.capacity_bytes == device.needed_bytes + device.free_bytes
            assert (device.free_bytes >= 0) == (plan.verdict != "does not fit")
    assert (small.kv_tokens is None) == (not model.causal)
    if small.kv_tokens is not None and large.kv_tokens is not None:
        assert small.kv_tokens <= large.kv_tokens
        assert small.max_context <= large.max_context
    if small.verdict == "fits":
        assert large.verdict == "fits"


@pytest.mark.parametrize(
    ("model_id", "count"), [(LLAMA, 1), ("qwen3-30b-a3b", 2), ("gemma-3-27b-it", 2), ("qwen3.8-27b", 1)]
)
def test_the_longest_context_fits_and_one_token_more_does_not(model_id: str, count: int) -> None:
    longest = plan_of(model_id, count, users=6).max_context
    assert plan_of(model_id, count, longest, users=6).verdict == "fits"
    limit = model_of(model_id).context_length
    assert limit is not None
    if longest < limit:
        assert plan_of(model_id, count, longest + 1, users=6).verdict != "fits"


def test_eight_bit_cache_holds_twice_as_many_tokens() -> None:
    half, full = plan_of(LLAMA), plan_of(LLAMA, kv_dtype="fp8")
    assert half.kv_tokens
    assert full.kv_tokens
    assert full.kv_tokens == pytest.approx(2 * half.kv_tokens, rel=1e-3)


def test_without_cuda_graphs_more_is_left() -> None:
    with_graphs, eager = plan_of(LLAMA), plan_of(LLAMA, enforce_eager=True)
    assert eager.devices[0].compute_bytes < with_graphs.devices[0].compute_bytes
    assert eager.kv_tokens
    assert with_graphs.kv_tokens
    assert eager.kv_tokens > with_graphs.kv_tokens


def test_kv_heads_are_repeated_where_there_are_more_gpus() -> None:
    """Qwen3 235B has 4 KV heads: on 8 GPUs each keeps one, so that a token costs as much as on 4."""
    four, eight = (paged_cache(model_of("qwen3-235b-a22b"), count) for count in (4, 8))
    assert four is not None
    assert four == eight


def test_latent_cache_is_whole_on_every_gpu() -> None:
    one, eight = (paged_cache(model_of("deepseek-v3"), count) for count in (1, 8))
    assert one is not None
    assert one == eight
    assert one.block_bytes == 61 * 576 * 2 * 16


def test_windows_keep_the_window_and_two_batches() -> None:
    """gpt-oss: window of 128 tokens; asynchronous scheduling frees it one batch late."""
    cache = paged_cache(model_of("gpt-oss-20b"), 1)
    assert cache is not None
    window, full = cache.groups
    assert (window.layers, full.layers) == (12, 12)
    assert window.blocks(131_072, 2 * 2048) == -(-(127 + 4096) // 16) + 1
    assert full.blocks(131_072, 2 * 2048) == 131_072 // 16


def test_layers_are_padded_to_whole_groups() -> None:
    """Gemma 3 27B: 52 sliding layers in groups of the 10 full ones are 6 groups, the last of them padded."""
    cache = paged_cache(model_of("gemma-3-27b-it"), 1)
    assert cache is not None
    assert [group.layers for group in cache.groups] == [10] * 7


@pytest.mark.parametrize(("model_id", "level"), [(LLAMA, "BF16-safetensors"), ("qwen3-30b-a3b", "FP8-dynamic")])
@pytest.mark.parametrize("count", [1, 2, 4])
def test_published_tensors_are_split_like_computed_ones(model_id: str, level: str, count: int) -> None:
    model, chosen = model_of(model_id), SAFETENSORS_LEVELS[level]
    published = published_weights_per_gpu(model, _tensors(model, level), count)
    assert published == pytest.approx(weights_per_gpu(model, chosen, count), rel=0.005)
    sized = size_safetensors_level(model, chosen)
    stored = Checkpoint(sized, tuple(_tensors(model, level)))
    (plan,) = VLLM.plan(PlanRequest(model, gpus(count), Settings(context=2048), margin=0.05, stored=stored))
    assert plan.devices[0].weights_bytes == published + rotary_table_bytes(model)


def _tensors(model: Model, level: str) -> list[tuple[str, int]]:
    from advisor.formats.safetensors_sizes import stored_weight

    found = []
    for prefix, weights in [("", stored_globals(model))] + [
        (f"model.layers.{number}.", stored_block(model, layer)) for number, layer in enumerate(model.layers)
    ]:
        for weight in weights:
            stored = stored_weight(weight, SAFETENSORS_LEVELS[level], model.wiring)
            for copy in range(stored.copies):
                name = prefix + weight.name.replace("{}", str(copy))
                found += [(f"{name}.{tensor.suffix}", tensor.size_bytes) for tensor in stored.tensors]
    return found


def test_every_offered_level_is_planned_or_refused_with_a_sentence() -> None:
    for model_id, count, capability in (("qwen3-235b-a22b", 8, "8.0"), (LLAMA, 1, "7.0"), ("gpt-oss-20b", 2, "12.0")):
        model = model_of(model_id)
        request = PlanRequest(model, gpus(count), Settings(context=1024), margin=0.05, chip=Chip("NVIDIA", capability))
        plans, refused = VLLM.plan(request), refusals(VLLM, request)
        offered = {level.name for level in SAFETENSORS_LEVELS.values() if level.offered_for(model)}
        assert {plan.level for plan in plans} | set(refused) == offered
        assert not {plan.level for plan in plans} & set(refused)
        assert all(said.endswith(".") and len(said) < 300 for said in map(say, refused.values()))


def test_what_hardware_can_do() -> None:
    assert "Marlin" in " ".join(say_all(support(FP8, compute_capability=8.6).notes))
    assert not support(FP8, compute_capability=8.9).notes
    assert "compute capability 7.5" in say(support(BF16, compute_capability=7.0).refusal or NOTHING)
    assert "Apple silicon" in say(support(SAFETENSORS_LEVELS["MLX-4bit-g64"]).refusal or NOTHING)
    assert "AMD" in say(support(SAFETENSORS_LEVELS["NVFP4"], vendor="AMD").refusal or NOTHING)
    assert "plugin" in say(support(BF16, vendor="Apple").refusal or NOTHING)
    assert support(SAFETENSORS_LEVELS["GPTQ-W3A16-g128"]).refusal
    assert not support(SAFETENSORS_LEVELS["AWQ-W4A16-g128"], compute_capability=7.5).refusal


@given(
    model_id=MODELS,
    count=st.sampled_from((1, 2, 4)),
    context=st.integers(1, 131_072),
    users=st.integers(1, 200),
    utilisation=st.floats(0.1, 1),
)
@settings(deadline=None, max_examples=60)
def test_a_plan_fits_when_the_pool_holds_half_of_what_the_users_need(
    model_id: str, count: int, context: int, users: int, utilisation: float
) -> None:
    model = model_of(model_id)
    assume(model.context_length is None or context <= model.context_length)
    try:
        plan = plan_of(model_id, count, context, users, utilisation=utilisation)
    except InputError:
        assume(False)
    cache = paged_cache(model, count)
    if cache is None:
        assert plan.served_share is None
        return
    held, batch = plan.devices[0], 8192
    whole = cache.request_bytes(context, users, batch)
    assert plan.served_share is not None
    assert held.kv_cache_bytes <= whole
    waits = any("at once" in note for note in say_all(plan.notes))
    if plan.verdict == "does not fit":
        assert not waits
        assert held.kv_cache_bytes >= cache.request_bytes(context, 1, batch)
        return
    assert plan.at_once is not None
    assert plan.at_once >= max(1, users / 2)
    assert plan.served_share == min(1, plan.at_once / users)
    assert waits == (plan.at_once < users)
    if plan.served_share < 1:
        assert held.free_bytes == 0
    elif held.free_bytes:
        assert held.kv_cache_bytes == whole


def test_who_waits_is_said() -> None:
    fits_whole = plan_of(LLAMA, context=8192, users=50)
    assert fits_whole.served_share == 1
    plan = plan_of(LLAMA, context=16_384, users=40)
    assert plan.at_once is not None
    assert plan.at_once == plan.max_concurrency  # no layer has a window
    assert plan.fits
    assert plan.max_context >= 16_384
    served = int(plan.at_once)
    assert f"When every context is full it serves {served} of 40 users at once, the others wait." in say_all(plan.notes)


def test_tokens_in_flight_are_of_all_users_together() -> None:
    """A layer with a window keeps the window of each user, and one batch: vLLM logs a batch for each of them."""
    cache = paged_cache(model_of("gpt-oss-120b"), 1, "fp8")
    assert cache is not None
    context, batch = 16_384, 8192
    one, many = (cache.request_bytes(context, users, batch) for users in (1, 32))
    window_of_128 = 18 * 2 * 8 * 64 * (128 + 16)  # bytes, in 8 bits: half of the layers
    whole = 18 * 2 * 8 * 64 * context
    assert many - one == pytest.approx(31 * (whole + window_of_128) - 18 * 2 * 8 * 64 * (context - 128), rel=0.05)
    room = cache.at_once(many, context, batch)
    assert room == pytest.approx(32, rel=1e-3)
    assert cache.concurrency(many, context, batch) < 20


def test_one_user_needs_the_whole_context() -> None:
    longest = plan_of(LLAMA, utilisation=0.3).max_context
    assert plan_of(LLAMA, context=longest, utilisation=0.3).served_share == 1
    beyond = plan_of(LLAMA, context=longest + 16, utilisation=0.3)
    assert not beyond.fits
    assert beyond.missing_bytes > 0


def test_the_room_for_sampling_is_of_as_many_requests_as_the_command_allows() -> None:
    few, many = plan_of(LLAMA, users=2), plan_of(LLAMA, users=2, max_requests=1024)
    assert few.devices[0].compute_bytes < many.devices[0].compute_bytes
    assert few == plan_of(LLAMA, users=2, max_requests=2)


@pytest.mark.parametrize(
    ("devices", "model_id", "counts"),
    [
        (("H100",), LLAMA, (1,)),
        (("H100",) * 2, LLAMA, (2, 1)),
        (("H100",) * 3, LLAMA, (2,)),
        (("H100",) * 6, LLAMA, (4,)),
        (("H100",) * 8, LLAMA, (8, 4)),
        (("H100",) * 3, "smollm2-135m-instruct", (3, 1)),
        (("H100", "H100", "L4"), LLAMA, (2,)),
        (("L4", "H100", "H100"), LLAMA, (1,)),
        ((), LLAMA, ()),
    ],
)
def test_how_many_cards_may_be_worth_using(devices: tuple[str, ...], model_id: str, counts: tuple[int, ...]) -> None:
    memory = Memory(tuple(replace(H100, name=name) for name in devices), None)
    assert VLLM.card_counts(memory, model_of(model_id)) == counts
    for count in counts:
        used = Memory(memory.devices[:count], None)
        assert VLLM.plan(PlanRequest(model_of(model_id), used, Settings(context=1024)))


def test_recurrent_models_say_how_many_requests_their_states_allow() -> None:
    plan = plan_of("qwen3.8-27b", 1, max_requests=1024)
    assert any("--max-num-seqs" in note for note in say_all(plan.notes))


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"count": 3}, "32 attention heads over 3 GPUs"),
        ({"max_batched_tokens": 64, "max_requests": 65}, "at least as many tokens as requests"),
        ({"count": 4, "pipeline_parallel": 3}, "a number of cards that 3 divides"),
        ({"count": 40, "pipeline_parallel": 40}, "the model has 32 layers"),
        ({"context": 0}, "at least 1"),
        ({"users": 0}, "at least 1"),
        ({"utilisation": 1.5}, "share between 0 and 1"),
        ({"tensor_parallel": 2}, "the machine has 1"),
        ({"tensor_parallel": -1}, "at least 1 GPU"),
        ({"kv_dtype": "int3"}, "is not known here"),
        ({"max_batched_tokens": 0}, "between 1 and"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(change: dict[str, object], part: str) -> None:
    with pytest.raises(InputError, match=part):
        plan_of(LLAMA, **change)  # type: ignore[arg-type]


def test_a_machine_without_gpu_is_told_what_to_choose() -> None:
    with pytest.raises(InputError, match=r"llama\.cpp"):
        planned(model_of(LLAMA), Memory((), 64 * GIB), Settings(context=1024))


def test_the_smallest_card_decides() -> None:
    small = replace(H100, capacity_bytes=H100.capacity_bytes // 2)
    mixed = Memory((H100, small), None)
    chosen = VllmOptions(max_batched_tokens=2048, max_requests=256)
    both = [
        planned(model_of(LLAMA), memory, Settings(context=1024), options=chosen) for memory in (mixed, gpus(2, small))
    ]
    assert both[0].kv_tokens == both[1].kv_tokens


def test_refusals_are_true_of_a_runtime_that_shares_these_rules() -> None:
    """Its name comes from the plan's runtime, so no sentence has one written into it."""
    said = [
        ast.unparse(node)
        for path in Path(rules.__path__[0]).glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "InputError"
    ]
    assert len(said) > 10
    assert [one for one in said if "vLLM" in one] == []
