"""What a GGUF file says about a model besides its weights, from the model's `config.json`.

As llama.cpp's converter (conversion/base.py, llama.py, qwen.py; October 2026) writes it for these architectures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
from gguf.constants import PoolingType, RopeScalingType

from advisor.foundation.errors import InputError
from advisor.models.config import Config
from advisor.models.model import Model
from advisor.quantize.gguf_writing import Entry


@dataclass(frozen=True, slots=True)
class _Outline:
    """What an architecture's files state besides the common fields; `more` adds fields of its own."""

    rope_dimensions: bool = False
    head_size: bool = False  # stated even where it follows from the other fields
    window: bool = False
    more: Callable[[gguf.GGUFWriter, Config], None] | None = None


def _gemma2(writer: gguf.GGUFWriter, fields: Config) -> None:
    writer.add_attn_logit_softcapping(float(fields.get("attn_logit_softcapping", 50.0)))
    writer.add_final_logit_softcapping(float(fields.get("final_logit_softcapping", 30.0)))


def _gemma3(writer: gguf.GGUFWriter, fields: Config) -> None:
    local = fields.get("rope_local_base_freq", 10000.0)
    writer.add_float32(f"{writer.arch}.rope.freq_base_swa", float(local))


def _granite(writer: gguf.GGUFWriter, fields: Config) -> None:
    writer.add_attention_scale(float(fields.get("attention_multiplier", 1.0)))
    writer.add_embedding_scale(float(fields.get("embedding_multiplier", 1.0)))
    writer.add_residual_scale(float(fields.get("residual_multiplier", 1.0)))
    writer.add_logit_scale(float(fields.get("logits_scaling", 1.0)))


def _cohere(writer: gguf.GGUFWriter, fields: Config) -> None:
    writer.add_logit_scale(float(fields.get("logit_scale", 0.0625)))
    writer.add_rope_scaling_type(RopeScalingType.NONE)


# llama.cpp's names of the architectures whose metadata is written here.
_OUTLINES: dict[str, _Outline] = {
    "llama": _Outline(rope_dimensions=True),
    "qwen2": _Outline(),
    "qwen3": _Outline(),
    "qwen3moe": _Outline(),
    "smollm3": _Outline(rope_dimensions=True),
    "seed_oss": _Outline(),
    "olmoe": _Outline(),
    "starcoder2": _Outline(),
    "gemma2": _Outline(head_size=True, window=True, more=_gemma2),
    "gemma3": _Outline(head_size=True, window=True, more=_gemma3),
    "granite": _Outline(rope_dimensions=True, more=_granite),
    "command-r": _Outline(more=_cohere),
    "cohere2": _Outline(rope_dimensions=True, head_size=True, window=True, more=_cohere),
    "glm4": _Outline(rope_dimensions=True),
    "minimax-m2": _Outline(rope_dimensions=True),
    "gpt-oss": _Outline(window=True),
}
WRITTEN = tuple(_OUTLINES)
CONVERTED = ("llama", "qwen2", "qwen3", "bert")  # dense: their tensors map one to one
_LAYER_NORMS = ("norm_epsilon", "layer_norm_eps", "layer_norm_epsilon", "norm_eps")


def writer_for(model: Model, config: Mapping[str, Any]) -> gguf.GGUFWriter:
    """A writer that holds the model's hyper-parameters and no tokenizer; raises InputError where it cannot."""
    outline = _OUTLINES.get(model.architecture)
    if outline is None:
        raise InputError(
            "Architecture '{architecture}' is not written here; set LLAMA_CPP_DIR to a llama.cpp source "
            "tree, or give a GGUF file of the model.",
            architecture=model.architecture,
        )
    fields = Config(config)
    writer = gguf.GGUFWriter(None, model.architecture)
    heads = fields.integer("num_attention_heads")
    head_size = fields.integer("head_dim", default=model.width // heads)
    writer.add_block_count(fields.layers())
    writer.add_context_length(model.context_length or 2048)
    writer.add_embedding_length(model.width)
    writer.add_feed_forward_length(fields.integer("intermediate_size"))
    writer.add_head_count(heads)
    writer.add_head_count_kv(fields.integer("num_key_value_heads", default=heads))
    rope = _rope(fields)
    writer.add_rope_freq_base(float(rope.get("rope_theta") or 10000.0))
    _add_norm(writer, fields)
    if outline.head_size or fields.has("head_dim"):
        writer.add_key_length(head_size)
        writer.add_value_length(head_size)
    if outline.window and fields.has("sliding_window"):
        writer.add_sliding_window(fields.integer("sliding_window"))
    if model.experts > 0:
        writer.add_expert_count(model.experts)
        writer.add_expert_used_count(fields.integer("num_experts_per_tok"))
        if model.architecture in ("gpt-oss", "minimax-m2") or fields.has("moe_intermediate_size"):
            inner = fields.integer("moe_intermediate_size", "intermediate_size")
            writer.add_expert_feed_forward_length(inner)
        if fields.get("scoring_func") == "sigmoid":
            writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
    writer.add_vocab_size(model.vocabulary)
    if outline.rope_dimensions:
        share = float(rope.get("partial_rotary_factor") or fields.get("partial_rotary_factor", 1.0))
        writer.add_rope_dimension_count(fields.integer("rotary_dim", default=int(head_size * share)))
    if outline.more is not None:
        outline.more(writer, fields)
    _add_rope_scaling(writer, rope)
    return writer


def encoder_writer(model: Model, config: Mapping[str, Any], pooling: PoolingType) -> gguf.GGUFWriter:
    """The same for BERT (conversion/bert.py), which makes embeddings; `pooling` is how tokens become one vector."""
    fields = Config(config)
    writer = gguf.GGUFWriter(None, model.architecture)
    writer.add_block_count(fields.layers())
    writer.add_context_length(model.context_length or 512)
    writer.add_embedding_length(model.width)
    writer.add_feed_forward_length(fields.integer("intermediate_size"))
    writer.add_head_count(fields.integer("num_attention_heads"))
    _add_norm(writer, fields)
    writer.add_causal_attention(False)
    writer.add_pooling_type(pooling)
    writer.add_token_type_count(fields.integer("type_vocab_size", default=1))
    return writer


def _add_norm(writer: gguf.GGUFWriter, fields: Config) -> None:
    """Root-mean-square or plain layer norms, by what the config calls its epsilon."""
    plain = next((key for key in _LAYER_NORMS if fields.has(key)), None)
    if plain is not None and not fields.has("rms_norm_eps"):
        writer.add_layer_norm_eps(float(fields.get(plain)))
    else:
        writer.add_layer_norm_rms_eps(float(fields.get("rms_norm_eps", 1e-6)))


def entries(writer: gguf.GGUFWriter) -> list[Entry]:
    """All that was added to a writer, in order."""
    return [Entry(key, found.value, found.type, found.sub_type) for key, found in writer.kv_data[0].items()]


def _rope(fields: Config) -> dict[str, Any]:
    """Rope settings under the names of transformers 5, wherever the config keeps them."""
    found = dict(fields.get("rope_parameters") or fields.get("rope_scaling") or {})
    found.setdefault("rope_theta", fields.get("rope_theta"))
    found.setdefault("rope_type", found.get("type", "default"))
    return found


def _add_rope_scaling(writer: gguf.GGUFWriter, rope: Mapping[str, Any]) -> None:
    kind = rope["rope_type"]
    if kind in ("default", "llama3", None):  # llama3's is a tensor
        return
    if kind not in ("linear", "yarn"):
        raise InputError(
            "Rope scaling '{kind}' is not written here; give a GGUF file of the model.", kind=str(kind)[:40]
        )
    writer.add_rope_scaling_type(RopeScalingType(kind))
    writer.add_rope_scaling_factor(float(rope["factor"]))
    if kind == "yarn":
        if rope.get("original_max_position_embeddings"):
            writer.add_rope_scaling_orig_ctx_len(int(rope["original_max_position_embeddings"]))
        writer.add_rope_scaling_yarn_beta_fast(float(rope.get("beta_fast", 32.0)))
        writer.add_rope_scaling_yarn_beta_slow(float(rope.get("beta_slow", 1.0)))


def rope_factors(config: Mapping[str, Any], model: Model) -> npt.NDArray[np.float32]:
    """Llama 3's frequency factors, one for each pair of a head's dimensions (transformers' `llama3` rope type)."""
    fields = Config(config)
    rope = _rope(fields)
    size = fields.integer("head_dim", default=model.width // fields.integer("num_attention_heads"))
    base, factor = float(rope.get("rope_theta") or 10000.0), float(rope.get("factor", 8.0))
    low, high = float(rope.get("low_freq_factor", 1.0)), float(rope.get("high_freq_factor", 4.0))
    original = float(rope.get("original_max_position_embeddings", 8192))
    factors: list[float] = []
    for frequency in _frequencies(base, size):
        length = 2 * math.pi / frequency
        if length < original / high:
            factors.append(1.0)
        elif length > original / low:
            factors.append(factor)
        else:
            smooth = (original / length - low) / (high - low)
            factors.append(1 / ((1 - smooth) / factor + smooth))
    return np.array(factors, dtype=np.float32)


def _frequencies(base: float, size: int) -> Sequence[float]:
    # In 32 bits, as PyTorch computes them: the thresholds above can depend on it.
    powers = np.arange(0, size, 2, dtype=np.float32) / np.float32(size)
    return [float(value) for value in np.float32(1.0) / np.float32(base) ** powers]
