"""MiniMax: experts behind grouped-query attention, which in M3 picks blocks of past tokens."""

from __future__ import annotations

from advisor.models.blueprints.common import (
    blueprint,
    decoder,
    grouped_query_attention,
    norms,
    uniform_decoder,
    width_of,
)
from advisor.models.config import Config, integer_in
from advisor.models.feed_forward import Dense, MixtureOfExperts
from advisor.models.indexer import Indexer
from advisor.models.model import Layer, Model
from advisor.models.wiring import GgufWiring, Wiring


@blueprint("MiniMaxM2ForCausalLM")
def minimax_m2(config: Config) -> Model:
    return uniform_decoder(
        config,
        "minimax-m2",
        attention=grouped_query_attention(config, query_key_norm="full"),
        feed_forward=MixtureOfExperts(
            config.experts("num_local_experts"),
            config.experts("num_experts_per_tok"),
            config.integer("intermediate_size"),
            selection_bias=True,
        ),
        wiring=Wiring(gguf=GgufWiring(tensor_split=False)),
    )


@blueprint("MiniMaxM3ForCausalLM")
def minimax_m3(config: Config) -> Model:
    """Leading dense layers with full attention; the others pick blocks of past tokens with an indexer."""
    width, count = width_of(config), config.layers()
    leading = config.integer("first_k_dense_replace", low=0, high=count)
    sparse = config.section("sparse_attention_config")
    indexer = Indexer(
        integer_in(sparse, "sparse_num_index_heads"),
        integer_in(sparse, "sparse_index_dim"),
        style="projected",
        keeps_values=True,
        by_block=True,
    )
    inner = config.integer("moe_intermediate_size")
    routed = MixtureOfExperts(
        config.experts("num_local_experts"),
        config.experts("num_experts_per_tok"),
        inner,
        selection_bias=True,
        shared_inner=inner * config.experts("n_shared_experts", default=0),
    )
    full = grouped_query_attention(config, query_key_norm="head")
    sparse_attention = grouped_query_attention(config, query_key_norm="head", indexer=indexer)
    lead = Layer((full,), Dense(config.integer("dense_intermediate_size")), norms(width, ("attn_norm", "ffn_norm")))
    rest = Layer((sparse_attention,), routed, lead.extras)
    return decoder(
        config,
        "minimax-m3",
        [lead] * leading + [rest] * (count - leading),
        wiring=Wiring(gguf=GgufWiring(converted_to_f32=(".indexer.",), tensor_split=False)),
    )
