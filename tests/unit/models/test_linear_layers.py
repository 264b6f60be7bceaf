"""The weights of a repository, derived from the blocks: the same parameters, in the repository's own matrices."""

from __future__ import annotations

import pytest

from advisor.models.catalogue import catalogue
from advisor.models.linear_layers import Kind, Weight, stored_globals, stored_layers, stored_parameters
from advisor.models.lookup import find_model


@pytest.mark.parametrize("model_id", sorted(catalogue()))
def test_no_parameter_is_lost_or_counted_twice(model_id: str) -> None:
    """Gemma 3n differs by the 256 rows that the converter adds to its per-layer embedding."""
    model = catalogue()[model_id].model
    padding = {"gemma-3n-e2b-it": 256 * 256 * 30, "gemma-3n-e4b-it": 256 * 256 * 35}.get(model_id, 0)
    assert stored_parameters(model) == model.parameters - padding
    assert sum(count for count, _ in stored_layers(model)) == len(model.layers)


@pytest.mark.parametrize("model_id", sorted(catalogue()))
def test_names_are_unique_and_every_expert_has_one(model_id: str) -> None:
    model = catalogue()[model_id].model
    for weights in (stored_globals(model), *(weights for _, weights in stored_layers(model))):
        names = [weight.name for weight in weights]
        assert len(set(names)) == len(names)
        assert all(("{}" in weight.name) == (weight.copies > 1) for weight in weights if weight.kind is Kind.EXPERT)
        assert all(len(weight.shape) == 2 for weight in weights if weight.kind is not Kind.KEPT)


def block(model_id: str, number: int) -> dict[str, Weight]:
    _, weights = stored_layers(find_model(model_id).model)[number]
    return {weight.name: weight for weight in weights}


def test_matrices_are_those_of_the_repository_and_not_of_the_gguf_file() -> None:
    latent = block("deepseek-v3", 1)
    assert latent["self_attn.kv_b_proj"].shape == (128 * (128 + 128), 512)
    assert not {"self_attn.k_b_proj", "self_attn.v_b_proj"} & set(latent)
    assert (latent["mlp.experts.{}.gate_proj"].shape, latent["mlp.experts.{}.gate_proj"].copies) == ((2048, 7168), 256)
    assert block("phi-4", 0)["self_attn.qkv_proj"].shape == ((40 + 2 * 10) * 128, 5120)
    assert block("phi-4", 0)["mlp.up_proj"].shape == (2 * 17_920, 5120)
    assert block("internlm2.5-7b-chat", 0)["self_attn.qkv_proj"].shape == ((32 + 2 * 8) * 128, 4096)
    assert block("gpt-oss-20b", 0)["mlp.experts.{}.gate_up_proj"].shape == (2 * 2880, 2880)
    assert block("gpt-oss-20b", 0)["mlp.experts.{}.gate_up_proj"].together
    assert block("qwen3-next-80b-a3b-instruct", 0)["linear_attn.in_proj_qkv"].shape == (12_288, 2048)
    outside = [weight.name for weight in stored_globals(find_model("llama-3.1-8b-instruct").model)]
    assert outside == ["model.embed_tokens", "model.norm.weight", "lm_head"]


def test_mlx_takes_the_halves_of_latent_attention() -> None:
    _, weights = stored_layers(find_model("deepseek-v3").model, split_latent=True)[1]
    shapes = {weight.name: weight.shape for weight in weights if weight.name.endswith(("k_b_proj", "v_b_proj"))}
    assert shapes == {"self_attn.k_b_proj": (128, 512, 128), "self_attn.v_b_proj": (128, 128, 512)}
