"""The usual decoder, for a config of an unknown class: assumed only where each of its keys is one of that decoder's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from advisor.foundation.message import fact
from advisor.models.blueprints.common import REGISTRY
from advisor.models.config import Config
from advisor.models.model import Model

_NEEDED = {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "rms_norm_eps"}
# What shapes it further, and is read.
_READ = {"num_key_value_heads", "head_dim", "tie_word_embeddings", "max_position_embeddings", "rope_scaling"} | {
    *("rope_parameters", "attention_bias", "mlp_bias", "hidden_act"),
}
# What shapes nothing.
_NEUTRAL = {
    *("architectures", "model_type", "auto_map", "_name_or_path", "torch_dtype", "dtype", "transformers_version"),
    *("bos_token_id", "eos_token_id", "pad_token_id", "initializer_range", "use_cache", "attention_dropout"),
    *("rope_theta", "partial_rotary_factor", "pretraining_tp", "quantization_config", "tokenizer_class", "is_decoder"),
    *("attn_implementation", "_attn_implementation", "id2label", "label2id", "torchscript", "return_dict"),
}
_GATED = ("silu", "swish")


def usual_decoder(raw: Mapping[str, Any]) -> Model | None:
    """Llama's shape with these sizes, which the model says is assumed; None where a key means something else."""
    said = {key for key, value in raw.items() if value is not None}
    if not said >= _NEEDED or said - _NEEDED - _READ - _NEUTRAL or raw.get("hidden_act", "silu") not in _GATED:
        return None
    config = Config(raw)
    model = REGISTRY["LlamaForCausalLM"](config)
    notes = (fact("decoder_assumed", architecture=config.architecture[:60]),)
    # Not called a Llama: what is converted or checked by that name must be one.
    return replace(model, architecture="unknown", wiring=replace(model.wiring, assumed=True), notes=notes)
