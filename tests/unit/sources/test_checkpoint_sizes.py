"""Whole repositories by their model's config: what people saw of published ones lies where it is said to."""

from __future__ import annotations

import pytest

from advisor.formats.safetensors_levels import find_safetensors_level
from advisor.formats.safetensors_sizes import SizedSafetensors, size_safetensors_level, stored_weights
from advisor.foundation.errors import InputError
from advisor.foundation.units import GB, GIB
from advisor.models.catalogue import catalogue
from advisor.runtimes.vllm.weights import weights_per_gpu
from advisor.sources.checkpoint_sizes import checkpoint_range
from advisor.sources.published_sizes import PublishedRange
from tests.support.repositories import held_bytes, held_elements


def sized(model: str, level: str) -> SizedSafetensors:
    return size_safetensors_level(catalogue()[model].model, find_safetensors_level(level))


def ranged(model: str, level: str) -> PublishedRange:
    entry = catalogue()[model]
    return checkpoint_range(entry, entry.model, sized(model, level))


# Checkpoint sizes that vLLM logged or that people weighed: github.com/vllm-project/vllm/issues/40778 and 40821,
# vllm-project/recipes/pull/779, mitchross/talos-argocd-proxmox/pull/1993.
@pytest.mark.parametrize(
    ("model", "level", "seen"),
    [
        ("deepseek-v4-flash", "FP4-FP8-native", 148.66 * GIB),
        ("deepseek-v4-pro", "FP4-FP8-native", 865 * GB),
        ("qwen3.8-27b", "FP8-block128", 29 * GIB),
    ],
)
def test_a_native_checkpoint_is_right_within_two_percent(model: str, level: str, seen: float) -> None:
    assert ranged(model, level).typical == pytest.approx(seen, rel=0.02)


# vllm-project/recipes/pull/971 and 779, noonghunna/club-3090/issues/142.
@pytest.mark.parametrize(
    ("model", "level", "seen"),
    [
        ("qwen3.8-27b", "AWQ-W4A16-g128", 21.0 * GB),
        ("qwen3.6-27b", "W4A16-g128", 17.69 * GIB),
        ("deepseek-v4-pro", "NVFP4", 913.09 * GB),
    ],
)
def test_what_others_packed_lies_between_the_text_alone_and_less_packed(model: str, level: str, seen: float) -> None:
    found = ranged(model, level)
    assert found.low <= seen <= found.high


def test_what_repositories_measure_follows_from_the_config_and_the_scheme() -> None:
    """One in ten is a mix that only its own config tells: `tests/benchmarks/repositories.py` names them."""
    held = list(held_bytes())
    assert sum(abs(one.error) <= 0.025 for one in held) >= 0.85 * len(held)
    assert all(one.inside for one in held)
    off = [abs(off) for _, off in held_elements()]
    assert sum(one <= 1e-5 for one in off) >= 0.85 * len(off)
    assert sum(one <= 0.025 for one in off) >= 0.95 * len(off)


@pytest.mark.parametrize("model", ["kimi-k2-thinking", "kimi-k2.5", "kimi-k2.6"])
def test_moonshots_int4_packs_the_experts_and_nothing_else(model: str) -> None:
    """The totals that the Hub shows count the scales, and with them the vision part of those that have one."""
    entry = catalogue()[model]
    (own,) = entry.own_files
    level = find_safetensors_level(own.level)
    total = sum(
        (blocks or 1) * stored.copies * tensor.elements * (8 if tensor.suffix == "weight_packed" else 1)
        for blocks, stored in stored_weights(entry.model, level)
        for tensor in stored.tensors
        if tensor.suffix != "weight_shape"
    )
    assert total == pytest.approx(entry.parameters.published, rel=5e-4)
    packed = find_safetensors_level("W4A16-g32")
    assert weights_per_gpu(entry.model, level, 8) > 1.02 * weights_per_gpu(entry.model, packed, 8)


def test_kimi_k3s_own_file_has_its_experts_in_mxfp4() -> None:
    """github.com/686f6c61/radar-huggingface-dataset: 1,561.02 GB with the tokenizer."""
    assert ranged("kimi-k3", "MXFP4-experts").typical == pytest.approx(1561.02 * GB, rel=0.002)


def test_metas_own_fp8_keeps_attention_and_both_ends_in_16_bit() -> None:
    """Case 41: 57.75 GiB on each of eight cards, of the first release, whose 16 KV heads take 8.5 GB more."""
    model, level = catalogue()["llama-3.1-405b-instruct"].model, find_safetensors_level("FP8-fbgemm")
    early = 2 * 8 * 128 * 16384 * 126 * 2
    assert weights_per_gpu(model, level, 8) + early / 8 == pytest.approx(57.75 * GIB, rel=0.003)
    assert sized("llama-3.1-405b-instruct", "FP8-dynamic").tensor_bytes < 0.85 * 487.2 * GB


def test_a_level_of_one_publisher_is_no_level_of_other_models() -> None:
    assert find_safetensors_level("FP4-FP8-native").offered_for(catalogue()["deepseek-v4-pro"].model)
    assert not find_safetensors_level("FP4-FP8-native").offered_for(catalogue()["deepseek-v3"].model)


def test_text_models_without_other_parts_are_as_the_writer_makes_them() -> None:
    found, size = (
        ranged("llama-3.1-70b-instruct", "GPTQ-W4A16-g128"),
        sized("llama-3.1-70b-instruct", "GPTQ-W4A16-g128"),
    )
    assert found.typical == size.tensor_bytes
    assert (found.high - found.low) / found.typical == pytest.approx(0.02, abs=0.001)


def test_qwens_72b_is_padded_before_it_is_packed_so_that_it_splits() -> None:
    model = catalogue()["qwen2.5-72b-instruct"].model
    awq = find_safetensors_level("AWQ-W4A16-g128")
    whole, quarter = weights_per_gpu(model, awq, 1), weights_per_gpu(model, awq, 4)
    assert 4 * quarter == pytest.approx(whole, rel=0.01)
    layer = size_safetensors_level(model, awq)
    extra = 3 * 8192 * (29696 - 29568) * 80
    assert layer.tensor_bytes > size_safetensors_level(model, find_safetensors_level("W4A16-asym-g128")).tensor_bytes
    assert layer.elements == model.parameters
    assert extra * 0.5 < layer.tensor_bytes - 0.5 * model.parameters
    with pytest.raises(InputError, match="whole number of what shares a scale"):
        weights_per_gpu(model, find_safetensors_level("W4A16-g128"), 4)
