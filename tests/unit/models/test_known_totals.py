"""Real configs of other classes than the catalogue's: as many weights as are published."""

from __future__ import annotations

from typing import Any

import pytest

from advisor.formats.gguf_levels import LEVELS
from advisor.foundation.errors import InputError
from advisor.foundation.units import MIB
from advisor.models.blueprints import model_from_config
from advisor.models.model import Model
from advisor.runtimes.llama_cpp.compute.assumed import assumed_compute
from advisor.runtimes.llama_cpp.compute.buffer import compute_buffer_bytes
from advisor.runtimes.llama_cpp.kv_cache import layer_cache_bytes
from advisor.runtimes.llama_cpp.weights import level_weights
from advisor.sizing.placement import HOST, place
from tests.support.known_totals import LEVEL, SETTINGS, rows

ROWS = rows()
_SMALL: dict[str, Any] = {
    "model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
    "num_attention_heads": 4, "vocab_size": 100,
}  # fmt: skip


def _model(name: str) -> Model:
    return model_from_config(next(row["config"] for row in ROWS if row["name"] == name))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row["name"]))
def test_a_real_config_has_the_published_number_of_weights(row: dict[str, Any]) -> None:
    assert model_from_config(row["config"]).parameters == row["parameters"]


@pytest.mark.parametrize("row", [row for row in ROWS if "told" in row], ids=lambda row: str(row["name"]))
def test_weights_cache_and_compute_are_those_of_llama_cpp_s_planner(row: dict[str, Any]) -> None:
    model = model_from_config(row["config"])
    placement = place(len(model.layers), ())
    weights, cache, compute = row["told"]
    assert level_weights(model, LEVELS[LEVEL]).on_devices(placement)[HOST] // MIB == weights
    assert sum(layer_cache_bytes(model, SETTINGS)) // MIB == cache
    if model.wiring.assumed:
        span = assumed_compute(model, SETTINGS, placement)[HOST]
        assert span.low / MIB - 1 <= compute <= span.high / MIB
    else:
        assert abs(compute_buffer_bytes(model, SETTINGS, placement)[HOST] / MIB - compute) <= max(1, compute / 100)


def test_parts_beside_the_text_model_are_named_where_they_are_not_counted() -> None:
    assert [note.kind for note in _model("LLaVA-1.5-7B, text part").notes] == ["parts_left_out"]
    pixtral = _model("Pixtral-12B, text part")
    assert pixtral.tower is not None
    assert not pixtral.notes


def test_a_reward_model_does_not_write() -> None:
    assert not _model("Skywork-Reward-Llama-3.1-8B").writes
    assert _model("Pixtral-12B, text part").writes


def test_a_head_of_its_own_is_counted_where_only_the_wrapper_says_that_there_is_one() -> None:
    text = {**_SMALL, "tie_word_embeddings": True}
    apart = {"architectures": ["InternVLChatModel"], "tie_word_embeddings": False, "llm_config": text}
    both = {**apart, "tie_word_embeddings": True}
    assert model_from_config(apart).parameters - model_from_config(both).parameters == 100 * 64


def test_half_of_an_encoder_decoder_is_not_taken_for_a_text_model() -> None:
    half = {**_SMALL, "add_cross_attention": True}
    with pytest.raises(InputError):
        model_from_config({"architectures": ["VisionEncoderDecoderModel"], "decoder": half})


def test_a_wrapper_without_a_text_head_has_none_in_its_text_model() -> None:
    config = {
        "architectures": ["Qwen2VLForConditionalGeneration"],
        "text_config": {**_SMALL, "model_type": "qwen2_vl_text"},
    }
    whole, headless = model_from_config(config), model_from_config({**config, "architectures": ["Qwen2VLModel"]})
    assert whole.parameters - headless.parameters == 100 * 64
    assert whole.writes
    assert not headless.writes


@pytest.mark.parametrize(("kinds", "leading"), [(["dense", "sparse"], 1), (["sparse", "sparse"], 0)])
def test_leading_dense_layers_are_read_from_their_kinds(kinds: list[str], leading: int) -> None:
    config = {
        **_SMALL, "architectures": ["Glm4MoeForCausalLM"], "model_type": "glm4_moe", "num_key_value_heads": 4,
        "n_routed_experts": 4, "n_shared_experts": 1, "num_experts_per_tok": 2, "moe_intermediate_size": 32,
        "mlp_layer_types": kinds, "head_dim": 16,
    }  # fmt: skip
    assert [layer.routed is None for layer in model_from_config(config).layers].count(True) == leading
