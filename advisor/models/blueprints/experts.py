"""Decoders with a mixture of experts and ordinary grouped-query attention."""

from __future__ import annotations

from advisor.models.blueprints.common import (
    GATE_AND_UP,
    QWEN3_VISION,
    blueprint,
    decoder,
    dense,
    grouped_query_attention,
    norms,
    uniform_decoder,
    width_of,
)
from advisor.models.config import Config
from advisor.models.feed_forward import FeedForward, MixtureOfExperts
from advisor.models.model import Layer, Model
from advisor.models.tensors import Part, Role, matrix, norm
from advisor.models.wiring import USUAL, GgufWiring, GraphWiring, RepositoryWiring, RouterWiring, Wiring


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
        wiring=Wiring(router=RouterWiring(in_mlx="level")),
    )


@blueprint("Qwen3MoeForCausalLM", "Qwen3VLMoeForConditionalGeneration")
def qwen3_moe(config: Config) -> Model:
    vision = "VL" in config.architecture
    return uniform_decoder(
        config,
        "qwen3vlmoe" if vision else "qwen3moe",
        attention=grouped_query_attention(config, query_key_norm="head"),
        feed_forward=dense(config)
        if config.get("num_experts") == 0
        else MixtureOfExperts(
            config.experts("num_experts"),
            config.experts("num_experts_per_tok"),
            config.integer("moe_intermediate_size"),
        ),
        wiring=Wiring(QWEN3_VISION, repository=RepositoryWiring(experts_together=True, merged=(GATE_AND_UP,)))
        if vision
        else USUAL,
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
        wiring=Wiring(
            router=RouterWiring(weights="as they are", in_mlx="level"),
            gguf=GgufWiring(tensor_split=False),
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
        wiring=Wiring(GraphWiring(stream_first_when_fed=True), router=RouterWiring(in_mlx="level")),
    )


@blueprint("Glm4MoeForCausalLM", "SolarOpenForCausalLM")
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
    rest = Layer((attention,), routed, extras)
    lead = Layer((attention,), dense(config), extras) if leading else rest
    drafts = config.integer("num_nextn_predict_layers", default=0, low=0, high=16)
    draft = Layer((attention,), routed, extras + draft_head(width, own_draft_vocabulary(config)))
    return decoder(
        config,
        "glm4moe",
        [lead] * leading + [rest] * (count - leading),
        mtp_layers=[draft] * drafts,
        wiring=Wiring(router=RouterWiring(scaled=True, linear_in_transformers=False, in_mlx="unpacked")),
    )


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
        wiring=Wiring(router=RouterWiring(in_mlx="level")),
    )
