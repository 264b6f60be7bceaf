"""Decoders with a mixture of experts and ordinary grouped-query attention."""

from __future__ import annotations

from advisor.models.blueprints.common import (
    NATIVE_MXFP4,
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
from advisor.models.config import Config, integer_in
from advisor.models.feed_forward import Dense, FeedForward, MixtureOfExperts
from advisor.models.mixers import Attention, Indexer
from advisor.models.model import Layer, Model
from advisor.models.tensors import Part, Role, matrix, norm


def draft_head(width: int, own_vocabulary: int = 0) -> tuple[Part, ...]:
    """What a multi-token-prediction layer holds besides an ordinary block.

    `own_vocabulary`: rows of its own copies of embedding and output head, 0 when it shares the model's.
    """
    parts = [
        matrix("nextn.eh_proj", 2 * width, width, Role.OTHER),
        *norm("nextn.enorm", width),
        *norm("nextn.hnorm", width),
        *norm("nextn.shared_head_norm", width),
    ]
    if own_vocabulary:
        parts.append(matrix("nextn.embed_tokens", width, own_vocabulary, Role.EMBEDDING))
        parts.append(matrix("nextn.shared_head_head", width, own_vocabulary, Role.OUTPUT))
    return tuple(parts)


def own_draft_vocabulary(config: Config) -> int:
    """DeepSeek V3 and GLM 4.5 checkpoints repeat embedding and head for the draft layer unless they say otherwise."""
    return config.integer("vocab_size") if config.flag("mtp_use_dedicated_embeddings", default=True) else 0


@blueprint("MixtralForCausalLM")
def mixtral(config: Config) -> Model:
    return uniform_decoder(
        config,
        "llama",
        attention=grouped_query_attention(config),
        feed_forward=MixtureOfExperts(
            config.experts("num_local_experts"),
            config.experts("num_experts_per_tok"),
            config.integer("intermediate_size"),
        ),
    )


@blueprint("Qwen3MoeForCausalLM", "Qwen3VLMoeForConditionalGeneration")
def qwen3_moe(config: Config) -> Model:
    return uniform_decoder(
        config,
        "qwen3vlmoe" if "VL" in config.architecture else "qwen3moe",
        attention=grouped_query_attention(config, query_key_norm="head"),
        feed_forward=dense(config)
        if config.get("num_experts") == 0
        else MixtureOfExperts(
            config.experts("num_experts"),
            config.experts("num_experts_per_tok"),
            config.integer("moe_intermediate_size"),
        ),
    )


@blueprint("OlmoeForCausalLM")
def olmoe(config: Config) -> Model:
    return uniform_decoder(
        config,
        "olmoe",
        attention=grouped_query_attention(config, query_key_norm="full"),
        feed_forward=MixtureOfExperts(
            config.experts("num_experts"),
            config.experts("num_experts_per_tok"),
            config.integer("intermediate_size"),
        ),
    )


@blueprint("PhiMoEForCausalLM", "PhimoeForCausalLM")
def phimoe(config: Config) -> Model:
    biased = config.flag("attention_bias", default=True)
    return uniform_decoder(
        config,
        "phimoe",
        attention=grouped_query_attention(config, qkv_bias=biased, output_bias=biased),
        feed_forward=MixtureOfExperts(
            config.experts("num_local_experts"),
            config.experts("num_experts_per_tok"),
            config.integer("intermediate_size"),
        ),
        norm_bias=True,
        output_bias=config.flag("lm_head_bias", default=True),
    )


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
    return decoder(config, "minimax-m3", [lead] * leading + [rest] * (count - leading))


@blueprint("Glm4MoeForCausalLM")
def glm4_moe(config: Config) -> Model:
    width, count = width_of(config), config.layers()
    leading = config.integer("first_k_dense_replace", low=0, high=count)
    attention = grouped_query_attention(
        config,
        qkv_bias=config.flag("attention_bias"),
        query_key_norm="head" if config.flag("use_qk_norm") else "",
    )
    inner = config.integer("moe_intermediate_size")
    routed = MixtureOfExperts(
        config.experts("n_routed_experts"),
        config.experts("num_experts_per_tok"),
        inner,
        selection_bias=True,
        shared_inner=inner * config.experts("n_shared_experts", default=0),
    )
    extras = norms(width, ("attn_norm", "post_attention_norm"))
    lead, rest = Layer((attention,), dense(config), extras), Layer((attention,), routed, extras)
    drafts = config.integer("num_nextn_predict_layers", default=0, low=0, high=16)
    draft = Layer((attention,), routed, extras + draft_head(width, own_draft_vocabulary(config)))
    return decoder(config, "glm4moe", [lead] * leading + [rest] * (count - leading), mtp_layers=[draft] * drafts)


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
        traits=(NATIVE_MXFP4,),
    )


@blueprint("Llama4ForConditionalGeneration", "Llama4ForCausalLM")
def llama4(config: Config) -> Model:
    """Three layers of four attend within a chunk; experts every `interleave_moe_layer_step` layers."""
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
    return decoder(config, "llama4", layers, extra_globals=rope_factors(config, full.head_size))


@blueprint("Ernie4_5_MoeForCausalLM", "Ernie4_5_MoEForCausalLM")
def ernie_moe(config: Config) -> Model:
    start = config.integer("moe_layer_start_index", default=0, low=0)
    plain = dense(config)

    def experts() -> MixtureOfExperts:
        inner = config.integer("moe_intermediate_size")
        return MixtureOfExperts(
            config.experts("moe_num_experts"),
            config.experts("moe_k", "num_experts_per_tok"),
            inner,
            selection_bias=True,
            shared_inner=inner * config.experts("moe_num_shared_experts", default=0),
        )

    routed = plain if config.get("moe_num_experts") == 0 else experts()

    def feed_forward(number: int) -> FeedForward:
        return plain if number < start else routed

    return uniform_decoder(
        config,
        "ernie4_5-moe",
        attention=grouped_query_attention(config),
        feed_forward=feed_forward,
        tied_default=True,
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
    return decoder(config, "mimo2", layers)
