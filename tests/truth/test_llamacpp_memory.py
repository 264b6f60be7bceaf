"""Weights and KV cache per device against llama-fit-params, full and partial offload, one and two GPUs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.formats.gguf_levels import LEVELS
from advisor.foundation.units import MIB
from advisor.models.catalogue import catalogue
from advisor.runtimes.llama_cpp.kv_cache import layer_cache_bytes
from advisor.runtimes.llama_cpp.weights import weight_bytes
from advisor.sizing.placement import HOST, place
from advisor.sizing.settings import CACHE_TYPES, Settings
from tests.support.reference import MEMORY_FILES, memory_rows

MODELS = st.sampled_from(sorted(catalogue()))
SETTINGS = st.builds(
    Settings,
    context=st.integers(1, 200_000),
    users=st.integers(1, 64),
    micro_batch=st.sampled_from((128, 512, 2048)),
    cache_type_k=st.sampled_from(sorted(CACHE_TYPES)),
    cache_type_v=st.sampled_from(sorted(CACHE_TYPES)),
)


@pytest.mark.parametrize("file", MEMORY_FILES)
def test_model_and_context_columns_equal_llamacpp_within_a_mebibyte(file: str) -> None:
    wrong, count = [], 0
    for row in memory_rows(file):
        count += 1
        placement = row.placement
        weights = weight_bytes(row.model, LEVELS[row.level], placement)[row.device]
        cache = sum(
            size
            for size, device in zip(layer_cache_bytes(row.model, row.settings), placement.layers, strict=True)
            if device == row.device
        )
        # llama.cpp cuts to whole MiB.
        if not (
            row.model_mib <= weights / MIB < row.model_mib + 1 and row.context_mib <= cache / MIB < row.context_mib + 1
        ):
            wrong.append((row, weights / MIB, cache / MIB))
    assert count > 1000
    assert not wrong[:3]


@given(model_id=MODELS, settings=SETTINGS, more=st.integers(1, 100_000))
def test_more_context_or_users_never_need_less(model_id: str, settings: Settings, more: int) -> None:
    model = catalogue()[model_id].model
    now = layer_cache_bytes(model, settings)
    longer = layer_cache_bytes(model, replace(settings, context=settings.context + more))
    busier = layer_cache_bytes(model, replace(settings, users=settings.users + more % 8))
    assert all(a <= b for a, b in zip(now, longer, strict=True))
    assert all(a <= b for a, b in zip(now, busier, strict=True))


@given(model_id=MODELS, gpus=st.integers(1, 8), gpu_layers=st.none() | st.integers(0, 200), experts=st.integers(0, 200))
def test_nothing_is_lost_by_placing_it(model_id: str, gpus: int, gpu_layers: int | None, experts: int) -> None:
    model = catalogue()[model_id].model
    level = LEVELS["Q4_K_M"]
    whole = sum(weight_bytes(model, level, place(len(model.layers), ())).values())
    placement = place(len(model.layers), (1.0,) * gpus, gpu_layers, experts)
    placed = weight_bytes(model, level, placement)
    assert sum(placed.values()) >= whole  # tied embeddings and rope tables may be repeated
    assert placed[HOST] > 0
    assert list(placement.layers) == sorted(placement.layers)
