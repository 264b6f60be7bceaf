"""Configs as transformers writes them since its fifth version, put back into the keys of publishers' own.

Whoever saves a model with it, as after fine-tuning, gets these: what a publisher's code called `num_experts` may be
`num_local_experts`, and lists of layers' kinds take the place of patterns and first layers. Read from
`configuration_*.py` of transformers 5.24.0 (2026-11-30), whose `attribute_map` and `__post_init__` name both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from advisor.foundation.errors import InputError

Fields = dict[str, Any]
# By model type: the publisher's key, and transformers' where it is another.
_RENAMED: Mapping[str, Mapping[str, str]] = {
    "step3p5": {
        "num_attention_groups": "num_key_value_heads",
        "moe_num_experts": "n_routed_experts",
        "moe_top_k": "num_experts_per_tok",
    },
}
_ANYWHERE: Mapping[str, str] = {"num_experts": "num_local_experts"}


def as_published(values: Fields) -> Fields:
    """The same fields, with a publisher's keys beside those that transformers renamed."""
    kind = str(values.get("model_type", ""))
    for old, new in {**_ANYWHERE, **_RENAMED.get(kind, {})}.items():
        if values.get(old) is None and values.get(new) is not None:
            values[old] = values[new]
    if (more := _OF_KIND.get(kind)) is not None:
        values |= {key: value for key, value in more(values).items() if values.get(key) is None}
    if values.get("first_k_dense_replace") is None and (leading := _leading_dense(values)) is not None:
        values["first_k_dense_replace"] = leading
    return values


def _kinds(values: Fields, key: str) -> Sequence[Any]:
    found = values.get(key)
    return found if isinstance(found, list) else ()


def _leading_dense(values: Fields) -> int | None:
    """How many of the first layers have no experts; None where that is not told, or others have none either."""
    kinds = _kinds(values, "mlp_layer_types")
    leading = next((number for number, kind in enumerate(kinds) if kind != "dense"), len(kinds))
    return leading if kinds and "dense" not in kinds[leading:] else None


def _kimi_linear(values: Fields) -> Fields:
    kinds = _kinds(values, "layer_types")
    if not kinds or "linear_num_heads" not in values:
        return {}
    linear = {
        "num_heads": values["linear_num_heads"],
        "head_dim": values.get("linear_head_dim"),
        "short_conv_kernel_size": values.get("linear_conv_kernel_dim"),
        "full_attn_layers": [number for number, kind in enumerate(kinds, 1) if kind == "full_attention"],
        "kda_layers": [number for number, kind in enumerate(kinds, 1) if kind == "linear_attention"],
    }
    return {"linear_attn_config": linear}


def _mimo_v2(values: Fields) -> Fields:
    """Layers with a window have twice as many KV heads, and sinks."""
    kinds, inner = _kinds(values, "layer_types"), _kinds(values, "mlp_layer_types")
    cached = values.get("num_key_value_heads")
    if not kinds or not inner or not isinstance(cached, int):
        return {}
    return {
        "hybrid_layer_pattern": [int(kind == "sliding_attention") for kind in kinds],
        "moe_layer_freq": [int(kind == "sparse") for kind in inner],
        "swa_num_attention_heads": values.get("num_attention_heads"),
        "swa_num_key_value_heads": 2 * cached,
        "swa_head_dim": values.get("head_dim"),
        "swa_v_head_dim": values.get("v_head_dim"),
        "add_swa_attention_sink_bias": True,
    }


def _step(values: Fields) -> Fields:
    sparse = (str(number) for number, kind in enumerate(_kinds(values, "mlp_layer_types")) if kind == "sparse")
    heads = values.get("num_sliding_attention_heads") or values.get("num_attention_heads")
    other = {"num_attention_heads": heads, "num_attention_groups": values.get("num_key_value_heads")}
    return {"moe_layers_enum": ",".join(sparse), "attention_other_setting": other}


def _gemma4(values: Fields) -> Fields:
    """Full layers have their own head size and number of KV heads, here told layer by layer."""
    own = values.get("per_layer_config")
    layers = [layer for layer in own.values() if isinstance(layer, dict)] if isinstance(own, dict) else []
    found: Fields = {}
    for old, new in (("global_head_dim", "head_dim"), ("num_global_key_value_heads", "num_key_value_heads")):
        sizes = {layer[new] for layer in layers if isinstance(layer.get(new), int)}
        if len(sizes) > 1:
            raise InputError("config.json: 'per_layer_config' gives layers different sizes of '{name}'.", name=new)
        if sizes:
            found[old] = sizes.pop()
    return found


def _gemma3n(values: Fields) -> Fields:
    """A size for each layer, all of them the same."""
    inner = values.get("intermediate_size")
    if isinstance(inner, list) and inner and all(size == inner[0] for size in inner):
        values["intermediate_size"] = inner[0]
    return {}


def _deepseek_v4(values: Fields) -> Fields:
    kinds, rates = _kinds(values, "layer_types"), values.get("compress_rates")
    if not kinds or not isinstance(rates, dict):
        return {}
    hashed = sum(kind == "hash_moe" for kind in _kinds(values, "mlp_layer_types"))
    return {"compress_ratios": [rates.get(str(kind), 0) for kind in kinds], "num_hash_layers": hashed}


def _minimax_m3(values: Fields) -> Fields:
    if values.get("index_n_heads") is None:
        return {}
    heads, size = values["index_n_heads"], values.get("index_head_dim")
    return {"sparse_attention_config": {"sparse_num_index_heads": heads, "sparse_index_dim": size}}


_OF_KIND: Mapping[str, Callable[[Fields], Fields]] = {
    "kimi_linear": _kimi_linear,
    "mimo_v2_flash": _mimo_v2,
    "step3p5": _step,
    "solar_open": lambda _: {"first_k_dense_replace": 0},
    "bamba": lambda _: {"attn_layer_indices": []},
    "gemma4_text": _gemma4,
    "gemma4_unified_text": _gemma4,
    "gemma3n_text": _gemma3n,
    "deepseek_v4": _deepseek_v4,
    "minimax_m3_vl_text": _minimax_m3,
}
