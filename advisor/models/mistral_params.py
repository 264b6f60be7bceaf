"""Mistral's own `params.json`, which says the same as a `config.json` under other names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NAMES = {
    "dim": "hidden_size",
    "n_layers": "num_hidden_layers",
    "head_dim": "head_dim",
    "hidden_dim": "intermediate_size",
    "n_heads": "num_attention_heads",
    "n_kv_heads": "num_key_value_heads",
    "vocab_size": "vocab_size",
    "tied_embeddings": "tie_word_embeddings",
    "max_seq_len": "max_position_embeddings",
    "max_position_embeddings": "max_position_embeddings",
}
_NEEDED = {"dim", "n_layers", "hidden_dim", "n_heads", "vocab_size"}
_NEUTRAL = {"norm_eps", "rope_theta", "use_biases", "causal", "model_type", "sliding_window", "yarn", "moe"}
_BESIDE = {"vision_encoder": "vision_config", "multimodal": "audio_config", "vision_config": "vision_config"}


def config_of_params(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """The `config.json` that a `params.json` corresponds to; anything else as it is, one with other parts too."""
    said = {key for key, value in raw.items() if value is not None}
    if "architectures" in said or not said >= _NEEDED or said - set(_NAMES) - _NEUTRAL - set(_BESIDE):
        return raw
    text: dict[str, Any] = {name: raw[key] for key, name in _NAMES.items() if key in said}
    text["architectures"] = ["MistralForCausalLM"]
    moe = raw.get("moe")
    if isinstance(moe, Mapping):
        text |= {
            "architectures": ["MixtralForCausalLM"],
            "num_local_experts": moe.get("num_experts"),
            "num_experts_per_tok": moe.get("num_experts_per_tok"),
        }
    beside = {name: {"model_type": key} for key, name in _BESIDE.items() if key in said}
    return {"architectures": ["MistralParams"], "text_config": text, **beside} if beside else text
