"""What a GGUF file says about a model besides its weights, from the model's `config.json`.

As llama.cpp's converter (conversion/base.py, llama.py, qwen.py; October 2026) writes it for these architectures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
from gguf.constants import RopeScalingType

from advisor.errors import InputError
from advisor.models.config import Config
from advisor.models.model import Model
from advisor.quantize.gguf_writing import Entry

# Architectures (llama.cpp's names) whose metadata is written here, and whether rope dimensions are stated.
_STATES_ROPE_DIMENSIONS = {"llama": True, "qwen2": False, "qwen3": False, "qwen3moe": False}
WRITTEN = tuple(_STATES_ROPE_DIMENSIONS)
CONVERTED = ("llama", "qwen2", "qwen3")  # dense: their tensors map one to one


def writer_for(model: Model, config: Mapping[str, Any]) -> gguf.GGUFWriter:
    """A writer that holds the model's hyper-parameters and no tokenizer; raises InputError where it cannot."""
    if model.architecture not in _STATES_ROPE_DIMENSIONS:
        raise InputError(
            f"Architecture '{model.architecture}' is not written here; set LLAMA_CPP_DIR to a llama.cpp source tree, "
            "or give a GGUF file of the model."
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
    writer.add_layer_norm_rms_eps(float(fields.get("rms_norm_eps", 1e-6)))
    if fields.has("head_dim"):
        writer.add_key_length(head_size)
        writer.add_value_length(head_size)
    if (experts := model.experts) > 0:
        writer.add_expert_count(experts)
        writer.add_expert_used_count(fields.integer("num_experts_per_tok"))
        if fields.has("moe_intermediate_size"):
            writer.add_expert_feed_forward_length(fields.integer("moe_intermediate_size"))
    writer.add_vocab_size(model.vocabulary)
    if _STATES_ROPE_DIMENSIONS[model.architecture]:
        writer.add_rope_dimension_count(head_size)
    _add_rope_scaling(writer, rope)
    return writer


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
        raise InputError(f"Rope scaling '{str(kind)[:40]}' is not written here; give a GGUF file of the model.")
    writer.add_rope_scaling_type(RopeScalingType(kind))
    writer.add_rope_scaling_factor(float(rope["factor"]))
    if kind == "yarn" and rope.get("original_max_position_embeddings"):
        writer.add_rope_scaling_orig_ctx_len(int(rope["original_max_position_embeddings"]))


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
