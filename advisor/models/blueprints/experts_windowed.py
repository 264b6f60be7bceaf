"""Decoders with a mixture of experts of which some layers see a window of the past only."""

from __future__ import annotations

from advisor.models.blueprints.common import (
    GATE_AND_UP,
    blueprint,
    decoder,
    dense,
    grouped_query_attention,
    norms,
    rope_factors,
    sliding_windows,
    uniform_decoder,
    width_of,
)
from advisor.models.config import Config
from advisor.models.feed_forward import Dense, MixtureOfExperts
from advisor.models.mixers import Attention
from advisor.models.model import Layer, Model
from advisor.models.wiring import ByRelease, GraphWiring, RepositoryWiring, RouterWiring, Wiring


@blueprint("GptOssForCausalLM")
def gpt_oss(config: Config) -> Model:
    """Attention sinks and biases everywhere; every other layer sees a short window."""
    return uniform_decoder(
        config,
        "gpt-oss",
        attention=grouped_query_attention(config, qkv_bias=True, output_bias=True, sinks=True),
        feed_forward=MixtureOfExperts(
            config.experts("num_local_experts"),
            config.experts("num_experts_per_tok"),
            config.integer("intermediate_size"),
            bias=True,
        ),
        norm_names=("attn_norm", "post_attention_norm"),
        windows=sliding_windows(config, config.layers(), 2),
        wiring=Wiring(
            GraphWiring(by_release=ByRelease(rows_late=("2026-08", "2026-10"), kept_since="2026-10")),
            router=RouterWiring(weights="softmax", linear_in_transformers=False),
            repository=RepositoryWiring(experts_together=True, merged=(GATE_AND_UP,), native_mxfp4=True),
        ),
    )


@blueprint("Llama4ForConditionalGeneration", "Llama4ForCausalLM")
def llama4(config: Config) -> Model:
    """Three layers of four attend within a chunk, the others see no positions.

    Experts come every `interleave_moe_layer_step` layers.
    """
    width, count = width_of(config), config.layers()
    step = config.integer("interleave_moe_layer_step", default=1)
    inner = config.integer("intermediate_size")
    chunk = config.integer("attention_chunk_size", default=8192)
    routed = MixtureOfExperts(
        config.experts("num_local_experts"), config.experts("num_experts_per_tok"), inner, shared_inner=inner
    )
    plain = Dense(config.integer("intermediate_size_mlp"))
    full = grouped_query_attention(config)
    chunked = grouped_query_attention(config, window=chunk, chunked=True)
    extras = norms(width, ("attn_norm", "ffn_norm"))
    layers = [
        Layer(
            (full if (number + 1) % 4 == 0 else chunked,),
            routed if (number + 1) % step == 0 else plain,
            extras,
        )
        for number in range(count)
    ]
    return decoder(
        config,
        "llama4",
        layers,
        extra_globals=rope_factors(config, full.head_size),
        wiring=Wiring(
            GraphWiring(rotation="in windows", queries_scaled_by_position=True),
            router=RouterWiring(ranks_logits=True, weights="as they are", weighs_input=True, in_mlx="level"),
            repository=RepositoryWiring(experts_together=True, merged=(GATE_AND_UP,)),
        ),
    )


@blueprint("MiMoV2FlashForCausalLM")
def mimo_v2(config: Config) -> Model:
    """Windowed layers with their own head counts and sinks; values narrower than keys."""
    width, count = width_of(config), config.layers()
    full = Attention(
        config.integer("num_attention_heads"),
        config.integer("num_key_value_heads"),
        config.integer("head_dim"),
        config.integer("v_head_dim"),
        sinks=config.flag("add_full_attention_sink_bias"),
    )
    windowed = Attention(
        config.integer("swa_num_attention_heads"),
        config.integer("swa_num_key_value_heads"),
        config.integer("swa_head_dim"),
        config.integer("swa_v_head_dim"),
        window=config.integer("sliding_window"),
        sinks=config.flag("add_swa_attention_sink_bias"),
    )
    routed = MixtureOfExperts(
        config.experts("n_routed_experts"),
        config.experts("num_experts_per_tok"),
        config.integer("moe_intermediate_size"),
        selection_bias=True,
    )
    plain = dense(config)
    extras = norms(width, ("attn_norm", "ffn_norm"))
    pattern = config.sequence("hybrid_layer_pattern", count)
    sparse = config.sequence("moe_layer_freq", count)
    layers = [Layer((windowed if pattern[n] else full,), routed if sparse[n] else plain, extras) for n in range(count)]
    return decoder(
        config,
        "mimo2",
        layers,
        wiring=Wiring(
            GraphWiring(by_release=ByRelease(kept_since="2026-10")),
            router=RouterWiring(linear_in_transformers=False, in_mlx="unpacked"),
        ),
    )
