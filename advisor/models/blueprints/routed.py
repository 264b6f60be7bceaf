"""Decoders with experts and ordinary attention that differ by a few switches only: a table, a row an architecture.

Tensors as llama.cpp's loaders ask for them (ggml-org/llama.cpp, src/models/*.cpp, 2026-11).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from advisor.models.blueprints.common import (
    PRE_NORMS,
    blueprint,
    decoder,
    dense,
    grouped_query_attention,
    norms,
    rope_factors,
    width_of,
)
from advisor.models.blueprints.experts import draft_head
from advisor.models.config import MAX_DIMENSION, Config
from advisor.models.feed_forward import MixtureOfExperts
from advisor.models.model import Layer, Model
from advisor.models.wiring import USUAL, GgufWiring, GraphWiring, RouterWiring, Wiring

_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
_USED = ("num_experts_per_tok", "moe_topk", "moe_top_k", "num_experts_per_token", "num_selected_experts")
_INNER = ("moe_intermediate_size", "expert_intermediate_size", "intermediate_size")
_SHARED = ("n_shared_experts", "num_shared_experts", "num_shared_expert")
_SHARED_INNER = ("shared_expert_intermediate_size", "shared_intermediate_size", "moe_shared_expert_intermediate_size")


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """What is not usual about an architecture.

    `shared` says where the size of the experts that always run stands: in all ("whole") or of each of so many
    ("each"). `biased` are keys that say that the router is balanced by a bias, or True. `known`: llama.cpp's graph is
    the usual one, which its planner has confirmed.
    """

    classes: tuple[str, ...]
    name: str
    norms: tuple[str, ...] = PRE_NORMS
    layer_norm: bool = False
    fused_qkv: bool = False
    qkv_bias: bool | tuple[str, ...] = False
    query_key_norm: str = ""
    shared: str = ""
    shared_gate: bool = False
    biased: bool | tuple[str, ...] = False
    tied: bool = False
    causal: bool = True
    known: bool = True
    router: RouterWiring = USUAL.router
    tensor_split: bool = True

    def model(self, config: Config) -> Model:
        """The model that a config describes."""
        config = Config({**config.values, **_flat(config)})
        width, count = width_of(config), config.layers()
        leading = config.integer("first_k_dense_replace", "moe_layer_start_index", default=0, low=0, high=count)
        attention = grouped_query_attention(
            config, fused_qkv=self.fused_qkv, qkv_bias=_on(config, self.qkv_bias), query_key_norm=self.query_key_norm
        )
        routed, extras = self._experts(config), norms(width, self.norms, self.layer_norm and _biased(config))
        plain = dense(config) if leading else routed
        layers = [Layer((attention,), plain if number < leading else routed, extras) for number in range(count)]
        drafts = config.integer("num_nextn_predict_layers", default=0, low=0, high=16)
        model = decoder(
            config,
            self.name,
            layers,
            tied_default=self.tied,
            norm_bias=self.layer_norm and _biased(config),
            extra_globals=rope_factors(config, attention.head_size),
            mtp_layers=[Layer((attention,), routed, extras + draft_head(width))] * drafts,
            wiring=Wiring(
                GraphWiring(layer_norm=self.layer_norm),
                router=self.router,
                assumed=not self.known,
                gguf=GgufWiring(tensor_split=self.tensor_split),
            ),
        )
        return model if self.causal else replace(model, causal=False)

    def _experts(self, config: Config) -> MixtureOfExperts:
        inner, shared = config.integer(*_INNER), 0
        if self.shared == "whole":
            shared = config.integer(*_SHARED_INNER, default=0, low=0)
        elif self.shared == "each":
            each = config.integer("moe_shared_expert_intermediate_size", default=inner)
            shared = each * config.experts(*_SHARED, default=0)
        return MixtureOfExperts(
            config.experts(*_EXPERTS),
            config.experts(*_USED),
            inner,
            selection_bias=_on(config, self.biased),
            shared_inner=min(shared, MAX_DIMENSION),
            shared_gate=self.shared_gate,
        )


def _on(config: Config, switch: bool | tuple[str, ...]) -> bool:
    return switch if isinstance(switch, bool) else any(config.get(key) is True for key in switch)


def _biased(config: Config) -> bool:
    return config.get("no_bias") is not True


def _flat(config: Config) -> Mapping[str, Any]:
    """Fields that stand once a layer, or a level down, as one number each."""
    found: dict[str, Any] = {}
    for key in (*_USED, *_INNER, *_SHARED):
        value = config.get(key)
        if isinstance(value, list) and value and len(set(map(str, value))) == 1:
            found[key] = value[0]
    attention, feeding = config.get("attn_config"), config.get("ffn_config")
    if isinstance(attention, Mapping) and isinstance(feeding, Mapping):  # DBRX
        found |= {
            "num_key_value_heads": attention.get("kv_n_heads"), "num_attention_heads": config.get("n_heads"),
            "moe_num_experts": feeding.get("moe_num_experts"), "moe_top_k": feeding.get("moe_top_k"),
            "moe_intermediate_size": feeding.get("ffn_hidden_size"), "no_bias": True,
        }  # fmt: skip
    return found


_AS_THEY_ARE = RouterWiring(weights="as they are")
_ROWS = (
    Routed(
        classes=("Qwen2MoeForCausalLM",),
        name="qwen2moe",
        qkv_bias=True,
        shared="whole",
        shared_gate=True,
        router=_AS_THEY_ARE,
    ),
    Routed(
        classes=("BailingMoeForCausalLM",),
        name="bailingmoe",
        qkv_bias=("use_qkv_bias",),
        shared="each",
    ),
    Routed(
        classes=("BailingMoeV2ForCausalLM", "SarvamMoEForCausalLM"),
        name="bailingmoe2",
        fused_qkv=True,
        query_key_norm="head",
        shared="each",
        biased=("moe_router_enable_expert_bias",),
    ),
    Routed(classes=("Dots1ForCausalLM",), name="dots1", query_key_norm="head", shared="each", biased=True),
    Routed(classes=("DeepseekForCausalLM",), name="deepseek", shared="each", router=_AS_THEY_ARE),
    Routed(
        classes=("GraniteMoeForCausalLM", "GraniteMoeSharedForCausalLM"), name="granitemoe", shared="whole", tied=True
    ),
    Routed(classes=("HunYuanMoEV1ForCausalLM",), name="hunyuan-moe", query_key_norm="head", shared="each", tied=True),
    Routed(
        classes=("DbrxForCausalLM",),
        name="dbrx",
        norms=("attn_norm", "attn_output_norm"),
        layer_norm=True,
        fused_qkv=True,
    ),
    Routed(
        classes=("Grok1ForCausalLM", "GrokForCausalLM"),
        name="grok",
        tied=True,
        known=False,
        norms=("attn_norm", "attn_output_norm", "ffn_norm", "layer_output_norm"),
    ),
    Routed(
        classes=("LLaDAMoEModelLM", "LLaDAMoEModel"), name="llada-moe", query_key_norm="head", causal=False, known=False
    ),
    Routed(classes=("RND1",), name="rnd1", query_key_norm="head", causal=False, known=False),
)

for _row in _ROWS:
    blueprint(*_row.classes)(_row.model)
