"""A safetensors repository whose architecture has no blueprint: what its headers and its config say all the same.

Its tensors are given the names that GGUF has for such, by patterns that most publishers follow; what no pattern knows
keeps its own and weighs as much. From there on it is read as a GGUF file of an unknown architecture is.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from advisor.formats.ggml_types import Type
from advisor.foundation.message import fact
from advisor.models.blueprints import names_of
from advisor.models.model import Model
from advisor.models.wrappers import text_section
from advisor.sources.gguf_file import GgufHeader, StoredTensor
from advisor.sources.unknown_architecture import observed_model

Shape = tuple[int, ...]

_LAYER = re.compile(r"(?:^|\.)(?:layers|layer|h|blocks|block)\.(\d{1,4})\.(.+)$")
_EXPERT = re.compile(r"experts\.(\d{1,5})\.")
# The first that is found in what follows the layer's number.
_IN_LAYER = (
    (r"(?<![a-z])(q_proj|wq|query)\b", "attn_q"),
    (r"(?<![a-z])(k_proj|wk|key)\b", "attn_k"),
    (r"(?<![a-z])(v_proj|wv|value)\b", "attn_v"),
    (r"(qkv_proj|qkv|query_key_value|W_pack|Wqkv|c_attn)\b", "attn_qkv"),
    (r"kv_a_proj_with_mqa", "attn_kv_a_mqa"),
    (r"(o_proj|wo|attention\.dense|attn\.c_proj|attn\.out_proj)\b", "attn_output"),
    (r"conv1d", "ssm_conv1d"),
    (r"(^|\.)(gate|router|router\.layer|router\.classifier)\.weight$", "ffn_gate_inp"),
    (r"e_score_correction_bias|expert_bias$", "exp_probs_b"),
)
_FEEDING = (
    (r"gate_up_proj\b", "ffn_gate_up"),
    (r"(gate_proj|w1)\b", "ffn_gate"),
    (r"(up_proj|w3)\b", "ffn_up"),
    (r"(down_proj|w2)\b", "ffn_down"),
)
_OUTSIDE = (
    (r"(embed_tokens|wte|word_embeddings|tok_embeddings|embed_in|(?<![a-z_])embeddings)\.weight$", "token_embd"),
    (r"(lm_head|embed_out|output_layer|output)\.weight$", "output"),
    (r"(^|\.)(norm|ln_f|final_layernorm|final_layer_norm|norm_f)\.weight$", "output_norm"),
)
# llama.cpp's keys by those of configs.
_KEYS = {
    "attention.head_count": ("num_attention_heads", "n_head", "n_heads", "num_heads"),
    "attention.head_count_kv": ("num_key_value_heads", "num_kv_heads", "multi_query_group_num", "n_head_kv"),
    "attention.key_length": ("head_dim", "kv_channels", "d_kv"),
    "attention.kv_lora_rank": ("kv_lora_rank",),
    "rope.dimension_count": ("qk_rope_head_dim",),
    "attention.key_length_mla": ("qk_nope_head_dim",),
    "context_length": ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length"),
    "expert_used_count": ("num_experts_per_tok", "moe_topk", "moe_top_k", "top_k"),
    "attention.sliding_window": ("sliding_window", "sliding_window_size"),
}


def observed_checkpoint(
    tensors: Iterable[tuple[str, int, Shape | None]], config: Mapping[str, Any], architecture: str
) -> Model | None:
    """The text model of a checkpoint, given as name, number of weights and shape; None where no layers are found.

    Of what is not known (which layers have windows) the larger is taken.
    """
    stored = tuple(StoredTensor(name, shape, Type.F16, 0) for name, shape in _gathered(tensors).items())
    fields = {**config, **(text_section(config) or {})}
    metadata: dict[str, Any] = {"general.architecture": "unknown"}
    for key, names in _KEYS.items():
        value = next((fields[name] for name in names if isinstance(fields.get(name), int)), None)
        if value is not None and not isinstance(value, bool):
            metadata[f"unknown.{key}"] = value
    metadata |= _state_of(fields)
    if isinstance(kinds := fields.get("layer_types"), list):
        metadata["unknown.attention.sliding_window_pattern"] = tuple("sliding" in str(kind) for kind in kinds)
    header = GgufHeader("checkpoint", 3, metadata, {}, stored, 32, 0)
    model = observed_model(header)
    if model is None:
        return None
    notes = (fact("architecture_assumed_of_repository", architecture=architecture[:60]),)
    return replace(model, architecture="unknown", notes=notes, names=names_of(config))


# Size of a state, and factors of how many there are.
_STATES = (
    ("linear_key_head_dim", ("linear_num_value_heads", "linear_value_head_dim")),
    ("ssm_state_size", ("mamba_num_heads", "mamba_head_dim")),
    ("mamba_d_state", ("mamba_d_ssm",)),
    ("mamba_d_state", ("mamba_n_heads", "mamba_d_head")),
    ("mamba_d_state", ("mamba_expand", "hidden_size")),
    ("state_size", ("num_heads", "head_dim")),
    ("state_size", ("expand", "hidden_size")),
)


def _state_of(fields: Mapping[str, Any]) -> dict[str, int]:
    for size, factors in _STATES:
        numbers = [fields.get(key) for key in (size, *factors)]
        if all(isinstance(number, int) and number > 0 for number in numbers):
            state, *others = (int(number or 0) for number in numbers)
            return {"unknown.ssm.state_size": state, "unknown.ssm.inner_size": math.prod(others)}
    return {}


def _gathered(tensors: Iterable[tuple[str, int, Shape | None]]) -> dict[str, Shape]:
    """Shapes in GGUF's order by name, experts of a layer as one tensor."""
    held: dict[str, list[tuple[str, Shape]]] = defaultdict(list)
    for name, count, shape in tensors:
        held[_renamed(name)].append((name, (count,) if shape is None else tuple(reversed(shape)) or (1,)))
    width = next((shapes[0][1][0] for name, shapes in held.items() if name == "token_embd.weight"), 0)
    found: dict[str, Shape] = {}
    for ours, pieces in held.items():
        shapes = {shape for _, shape in pieces}
        if len(pieces) == 1:
            found[ours] = _turned(ours, pieces[0][1], width)
        elif "_exps." in ours and len(shapes) == 1:
            found[ours] = (*pieces[0][1], len(pieces))
        else:  # the pattern is wrong about some of them
            found |= {name if _LAYER.search(name) is None else _own(name): shape for name, shape in pieces}
    return found


def _turned(name: str, shape: Shape, width: int) -> Shape:
    """Experts that are kept as one tensor may have their rows and columns the other way round."""
    if "_exps." not in name or len(shape) != 3:
        return shape
    inputs = shape[1] if "down" in name else shape[0]
    return shape if inputs == width else (shape[1], shape[0], shape[2])


def _own(name: str) -> str:
    found = _LAYER.search(name)
    return f"blk.{int(found[1])}.{found[2]}" if found else name


def _renamed(name: str) -> str:
    """GGUF's name, or the publisher's own where no pattern knows it."""
    ending = "bias" if name.endswith("bias") else "weight"
    found = _LAYER.search(name)
    if found is None:
        ours = next((ours for pattern, ours in _OUTSIDE if re.search(pattern, name)), None)
        return f"{ours}.{ending}" if ours else name
    rest = found[2]
    several = "_exps" if _EXPERT.search(rest) or ".experts." in f".{rest}" else ""
    kind = "_shexp" if "shared" in rest else several
    patterns = _FEEDING if kind else (*_FEEDING, *_IN_LAYER)
    ours = next((f"{ours}{kind}" for pattern, ours in patterns if re.search(pattern, rest)), None)
    if ours is None:
        return _own(name)
    return f"blk.{int(found[1])}.{ours}.{'bias' if ours == 'exp_probs_b' else ending}"
