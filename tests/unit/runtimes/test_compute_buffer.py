"""Compute buffers against the llama.cpp binaries, and what must hold for any model."""

from __future__ import annotations

from functools import lru_cache
from statistics import median

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from advisor.foundation.units import MIB
from advisor.models.catalogue import catalogue
from advisor.runtimes.llama_cpp.compute.buffer import compute_buffer_bytes
from advisor.sizing.placement import HOST, place
from advisor.sizing.settings import NEWEST_RELEASE, Settings
from tests.support.reference import MEMORY_FILES, MemoryRow, compute_bytes, memory_rows

_MODELS = ("llama-3.1-8b-instruct", "gemma-3-12b-it", "gpt-oss-20b", "deepseek-v3.2", "qwen3-next-80b-a3b-instruct")


_SIBLINGS = 2


@lru_cache(maxsize=4)
def _rows(name: str) -> tuple[MemoryRow, ...]:
    """The first models of every architecture: their siblings say the same again."""
    models: dict[str, list[str]] = {}
    chosen = []
    for row in memory_rows(name):
        known = models.setdefault(row.model.architecture, [])
        if row.model_id not in known and len(known) < _SIBLINGS:
            known.append(row.model_id)
        if row.model_id in known:
            chosen.append(row)
    return tuple(chosen)


def _error_mib(row: MemoryRow) -> float:
    """How much higher than measured; the measured size is rounded down to whole MiB."""
    got = compute_bytes(row) / MIB
    return 0.0 if 0 <= got - row.compute_mib < 1 else got - row.compute_mib


def _describe(row: MemoryRow, error: float) -> str:
    return f"{row.model_id} device {row.device}: {error:+.1f} of {row.compute_mib} MiB, {row.settings}, {row.gpus} GPUs"


@pytest.mark.parametrize("name", MEMORY_FILES)
def test_matches_llama_cpp(name: str) -> None:
    errors = [(row, _error_mib(row)) for row in _rows(name)]

    wrong = [
        _describe(row, error)
        for row, error in errors
        if not max(-0.05 * row.compute_mib, -32) - 1 <= error <= max(0.15 * row.compute_mib, 32)
    ]

    assert not wrong
    assert median(abs(error) / max(row.compute_mib, 1) for row, error in errors) <= 0.03


def _settings(
    context: int = 8192, micro_batch: int = 512, gpu_layers: int | None = None, release: str = NEWEST_RELEASE
) -> Settings:
    return Settings(context=context, users=1, micro_batch=micro_batch, gpu_layers=gpu_layers, release=release)


@pytest.mark.parametrize("model_id", _MODELS)
def test_every_device_has_an_entry(model_id: str) -> None:
    model = catalogue()[model_id].model

    buffers = compute_buffer_bytes(model, _settings(), place(len(model.layers), (1.0, 1.0), None, 0))

    assert set(buffers) == {HOST, 0, 1}
    assert all(size > 0 for size in buffers.values())


@pytest.mark.parametrize("model_id", _MODELS)
def test_device_without_layers_needs_nothing(model_id: str) -> None:
    model = catalogue()[model_id].model

    without_layers = compute_buffer_bytes(model, _settings(gpu_layers=0), place(len(model.layers), (1.0,), 0, 0))
    without_gpu = compute_buffer_bytes(model, _settings(), place(len(model.layers), (), None, 0))

    assert without_layers[0] == 0
    assert set(without_gpu) == {HOST}
    assert without_layers[HOST] == without_gpu[HOST]


@hypothesis_settings(max_examples=15, deadline=None)
@given(model_id=st.sampled_from(_MODELS), step=st.integers(1, 32), gpus=st.integers(0, 2))
def test_twice_the_micro_batch_never_needs_less(model_id: str, step: int, gpus: int) -> None:
    model = catalogue()[model_id].model
    placement = place(len(model.layers), (1.0,) * gpus, None, 0)

    once = compute_buffer_bytes(model, _settings(micro_batch=32 * step), placement)
    twice = compute_buffer_bytes(model, _settings(micro_batch=64 * step), placement)

    assert all(twice[device] >= once[device] for device in once)


@hypothesis_settings(max_examples=15, deadline=None)
@given(model_id=st.sampled_from(_MODELS), step=st.integers(1, 32), gpus=st.integers(0, 2))
def test_four_times_the_context_never_needs_noticeably_less(model_id: str, step: int, gpus: int) -> None:
    """Gaps in llama.cpp's own layout make the buffer shrink a little here and there."""
    model = catalogue()[model_id].model
    placement = place(len(model.layers), (1.0,) * gpus, None, 0)

    once = compute_buffer_bytes(model, _settings(context=1024 * step), placement)
    longer = compute_buffer_bytes(model, _settings(context=4096 * step), placement)

    assert all(longer[device] >= 0.85 * once[device] for device in once)


def test_draft_layers_in_the_file_change_nothing() -> None:
    model = next(entry.model for entry in catalogue().values() if entry.model.mtp_layers)
    larger = model.with_mtp()

    alone = compute_buffer_bytes(model, _settings(), place(len(model.layers), (1.0,), None, 0))
    along = compute_buffer_bytes(larger, _settings(), place(len(larger.layers), (1.0,), None, 0))

    assert along == alone


def test_logits_decide_the_buffer_of_a_fully_offloaded_model_until_embeddings_join_them() -> None:
    model = catalogue()["llama-3.1-8b-instruct"].model
    whole = place(len(model.layers), (1.0,), None, 0)

    before = compute_buffer_bytes(model, _settings(release="2026-09"), whole)[0]
    now = compute_buffer_bytes(model, _settings(release="2026-10"), whole)[0]

    result = 512 * model.width * 4
    assert before == pytest.approx(512 * model.vocabulary * 4 + result, rel=0.01)
    # The joined embeddings stay, behind the mask and the tokens' own: 24 MiB and 1 KiB a token of the context.
    assert now - before == pytest.approx(3 * result + 512 * 8192 * 2, rel=0.1)
