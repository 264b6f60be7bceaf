"""MLX plans: measured peaks, caches by layer kind, what must hold for every model; and llama.cpp's frontends."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from advisor.formats.safetensors_levels import SAFETENSORS_LEVELS, Scheme
from advisor.formats.safetensors_sizes import size_safetensors_level
from advisor.foundation.errors import InputError
from advisor.foundation.units import GB, GIB
from advisor.models.catalogue import catalogue
from advisor.models.model import Model
from advisor.runtimes.architectures import loading_of
from advisor.runtimes.mlx.cache_and_step import MlxOptions, mlx_cache_bytes, mlx_temporary_bytes
from advisor.runtimes.mlx.runtime import MLX
from advisor.runtimes.registry import RUNTIMES, find_runtime
from advisor.sizing.memory import Device, Memory
from advisor.sizing.plan import Plan
from advisor.sizing.request import Levels, PlanRequest
from advisor.sizing.runtime_id import RuntimeId
from advisor.sizing.settings import Settings
from advisor.words import say, say_all

PEAKS = Path(__file__).resolve().parents[2] / "truth" / "mlx_peaks.csv"
WRITING = {name: entry.model for name, entry in catalogue().items() if entry.model.causal}
MODELS = st.sampled_from(sorted(WRITING))
LOADED = st.sampled_from(sorted(name for name in WRITING if loading_of(RuntimeId.MLX, WRITING[name]).loads != "no"))
FOUR_BIT = SAFETENSORS_LEVELS["MLX-4bit-g64"]
MAC = Memory((Device("M4 Max", 96 * GIB, GIB // 4),), 128 * GIB, 0, pooled=True)


def model_of(model_id: str) -> Model:
    return catalogue()[model_id].model


def plan_of(model_id: str, context: int = 4096, users: int = 1, memory: Memory = MAC, **options: int) -> Plan:
    return MLX.plan(
        PlanRequest(
            model_of(model_id),
            memory,
            Settings(context=context, users=users),
            stored=Levels(FOUR_BIT.id),
            margin=0.05,
            options=MlxOptions(**options),  # type: ignore[arg-type]
        )
    )[0]


def test_measured_peaks_lie_in_the_range_and_near_its_middle() -> None:
    errors = []
    with PEAKS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            model, options = model_of(row["model_id"]), MlxOptions(prefill_step=int(row["prefill_step"]))
            fixed = size_safetensors_level(model, SAFETENSORS_LEVELS[row["level"]]).tensor_bytes
            fixed += mlx_cache_bytes(model, int(row["context"]), int(row["users"]), options)
            rest = mlx_temporary_bytes(model, int(row["context"]), int(row["users"]), options)
            peak = float(row["peak_gb"]) * GB
            assert fixed + rest.low <= peak <= fixed + rest.high, row
            assert row["source"].startswith("https://")
            errors.append(abs((fixed + rest.typical) / peak - 1))
    assert len(errors) >= 12
    assert median(errors) < 0.01
    assert max(errors) < 0.08


@given(
    model_id=MODELS,
    context=st.integers(1, 200_000),
    more=st.integers(1, 50_000),
    users=st.integers(1, 40),
    step=st.sampled_from((256, 2048)),
)
@settings(deadline=None)
def test_more_context_and_more_users_never_need_less(
    model_id: str, context: int, more: int, users: int, step: int
) -> None:
    model, options = model_of(model_id), MlxOptions(prefill_step=step)
    now = mlx_cache_bytes(model, context, users, options)
    rest = mlx_temporary_bytes(model, context, users, options)
    assert now <= mlx_cache_bytes(model, context + more, users, options)
    assert now <= mlx_cache_bytes(model, context, users + 1, options)
    assert rest.typical <= mlx_temporary_bytes(model, context + more, users, options).typical
    assert rest.typical <= mlx_temporary_bytes(model, context, users + 1, options).typical


@given(model_id=LOADED, context=st.integers(1, 100_000), users=st.integers(1, 8))
@settings(deadline=None, max_examples=50)
def test_sums_agree_and_the_longest_context_fits(model_id: str, context: int, users: int) -> None:
    plan = plan_of(model_id, context, users)
    device = plan.devices[0]
    assert plan.rules.startswith("mlx-lm ")
    assert device.capacity_bytes is not None
    assert device.free_bytes == device.capacity_bytes - device.needed_bytes
    assert (plan.missing_bytes == 0) == (plan.verdict == "fits")
    assert (plan.max_context >= context) or plan.verdict != "fits" or context > (model_of(model_id).context_length or 0)
    assume(plan.max_context > 0)
    assert plan_of(model_id, plan.max_context, users).verdict == "fits"


def test_the_cache_grows_in_steps_of_256_tokens() -> None:
    model = model_of("llama-3.1-8b-instruct")
    assert mlx_cache_bytes(model, 1, 1) == mlx_cache_bytes(model, 256, 1) == 32 * 256 * 2 * 1024 * 2
    assert mlx_cache_bytes(model, 257, 1) == 2 * mlx_cache_bytes(model, 256, 1)


def test_a_quantized_cache_holds_scale_and_bias_per_64_values_and_serves_one_at_a_time() -> None:
    model = model_of("llama-3.1-8b-instruct")
    half, eight = mlx_cache_bytes(model, 1024, 1), mlx_cache_bytes(model, 1024, 1, MlxOptions(kv_bits=8))
    assert eight / half == pytest.approx((8 + 32 / 64) / 16)
    assert mlx_cache_bytes(model, 1024, 5, MlxOptions(kv_bits=8)) == eight
    notes = say_all(plan_of("llama-3.1-8b-instruct", users=5, kv_bits=8).notes)
    assert any("one request at a time" in note for note in notes)


def test_sliding_layers_stop_growing_at_the_window_and_one_step() -> None:
    model = model_of("gemma-3-27b-it")
    grown = mlx_cache_bytes(model, 65_536 + 256, 1) - mlx_cache_bytes(model, 65_536, 1)
    full_layers = sum(not mixer.window for layer in model.layers for mixer in layer.mixers)  # type: ignore[union-attr]
    assert grown == full_layers * 256 * 2 * 16 * 128 * 2


def test_only_its_own_levels_are_offered() -> None:
    plans = MLX.plan(PlanRequest(model_of("qwen3-30b-a3b"), MAC, Settings(context=4096), margin=0.05))
    assert {plan.level for plan in plans} == {
        level.name for level in SAFETENSORS_LEVELS.values() if level.scheme is Scheme.MLX
    }
    assert all(plan.runtime == "mlx" for plan in plans)


def test_what_cannot_be_is_said_in_one_sentence() -> None:
    card = Memory((Device("RTX 4090", 24 * GIB, GIB),), 64 * GIB)
    with pytest.raises(InputError, match="Apple silicon"):
        plan_of("llama-3.1-8b-instruct", memory=card)
    with pytest.raises(InputError, match="sliding-window"):
        plan_of("gemma-3-27b-it", kv_bits=8)
    with pytest.raises(InputError, match="not 7"):
        MlxOptions(kv_bits=7)
    with pytest.raises(InputError, match="prefill step"):
        MlxOptions(prefill_step=0)
    with pytest.raises(InputError, match="at least 1"):
        plan_of("llama-3.1-8b-instruct", context=0)
    with pytest.raises(InputError, match="no encoders"):
        plan_of("bge-m3")
    with pytest.raises(InputError, match="does not load"):
        MLX.plan(
            PlanRequest(
                model_of("llama-3.1-8b-instruct"),
                MAC,
                Settings(context=4096),
                margin=0.05,
                stored=Levels(SAFETENSORS_LEVELS["AWQ-W4A16-g128"].id),
            )
        )


@pytest.mark.parametrize(
    ("gib", "context"), [(8, 4096), (22.9, 4096), (23, 32_768), (46, 32_768), (47, 131_072), (96, 131_072)]
)
def test_ollama_chooses_the_context_by_memory(gib: float, context: int) -> None:
    assert chosen("ollama", int(gib * GIB), 131_072) == {"context": context, "users": 1}


def test_lm_studio_serves_four_at_once_with_4096_tokens() -> None:
    assert chosen("lm-studio", 24 * GIB, 131_072) == {"context": 4096, "users": 4}
    assert chosen("lm-studio", 24 * GIB, 2048)["context"] == 2048


def chosen(frontend: str, gpu_bytes: int, model_context: int) -> dict[str, int]:
    model = replace(catalogue()["llama-3.1-8b-instruct"].model, context_length=model_context)
    taken = find_runtime(frontend).defaults(gpu_bytes, model)
    assert all(f"{each.value:,}" in say(each.said) or say(each.said) == "one request at a time" for each in taken)
    return {each.key: int(each.value) for each in taken}


def test_every_default_names_its_source() -> None:
    frontends = [one.frontend for one in RUNTIMES if one.frontend is not None]
    assert len(frontends) == 2
    for frontend in frontends:
        assert frontend.as_of
        assert all(default.source.startswith("https://") for default in frontend.defaults.values())
