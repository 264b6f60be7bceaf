"""Decoders with one kind of attention and a dense feed-forward part in every layer."""

from __future__ import annotations

from advisor.foundation.message import fact
from advisor.models.blueprints.common import (
    QWEN3_VISION,
    REGISTRY,
    SANDWICH_NORMS,
    blueprint,
    dense,
    grouped_query_attention,
    uniform_decoder,
)
from advisor.models.config import Config
from advisor.models.model import Model
from advisor.models.wiring import GgufWiring, GraphWiring, RepositoryWiring, Wiring


def known_by_size(config: Config, architecture: str) -> bool:
    """Whether llama.cpp's quantizer takes a model for the 70B of its family (`GgufWiring.extra_value_bits`)."""
    if config.layers() != 80:
        return False
    if architecture != "llama":
        return True
    grouped = config.integer("num_key_value_heads", default=1) != config.integer("num_attention_heads")
    return grouped and config.experts("num_local_experts", default=0) != 8


@blueprint(
    "LlamaForCausalLM",
    "LLaMAForCausalLM",
    "MistralForCausalLM",
    "InternLM3ForCausalLM",
    "InternLMForCausalLM",
    "llama",
    "mistral",
)
def llama(config: Config) -> Model:
    """The reference shape. Window settings of early Mistral configs are not applied by llama.cpp."""
    return uniform_decoder(
        config,
        "llama",
        attention=grouped_query_attention(
            config,
            qkv_bias=config.flag("attention_bias", "qkv_bias"),
            output_bias=config.flag("attention_bias") or config.flag("bias"),
        ),
        feed_forward=dense(config, bias=config.flag("mlp_bias")),
        wiring=Wiring(gguf=GgufWiring(extra_value_bits=known_by_size(config, "llama"))),
    )


@blueprint("Mistral3ForConditionalGeneration", "Ministral3ForCausalLM")
def mistral3(config: Config) -> Model:
    """The class around Mistral's text models that see; which of them is within, its section says."""
    if config.text("model_type") == "mistral4":
        return REGISTRY["Mistral4ForCausalLM"](config)
    return uniform_decoder(config, "mistral3", attention=grouped_query_attention(config), feed_forward=dense(config))


@blueprint("SmolLM3ForCausalLM")
def smollm3(config: Config) -> Model:
    """Every fourth layer sees no positions."""
    return uniform_decoder(
        config,
        "smollm3",
        attention=grouped_query_attention(config),
        feed_forward=dense(config),
        tied_default=True,
        wiring=Wiring(GraphWiring(unrotated_every=4)),
    )


@blueprint("GraniteForCausalLM")
def granite(config: Config) -> Model:
    return uniform_decoder(
        config,
        "granite",
        attention=grouped_query_attention(config),
        feed_forward=dense(config, bias=config.flag("mlp_bias")),
        wiring=Wiring(
            GraphWiring(embeddings_scaled=True),
            repository=RepositoryWiring(mlx_8_bit=("self_attn.o_proj", "mlp.down_proj", "lm_head")),
        ),
    )


# Qwen pads its 72B models with zeros before it packs them: 29,568 are 231 groups of 128, which no two GPUs share alike.
_PADDED = (29568, 29696)


@blueprint(
    "Qwen2ForCausalLM", "Qwen2_5_VLForConditionalGeneration", "Qwen2VLForConditionalGeneration", "KORMoForCausalLM"
)
def qwen2(config: Config) -> Model:
    """KORMo, which is converted as one of these, has Llama's projections without biases."""
    vision = "VL" in config.architecture
    biased = not config.architecture.startswith("KORMo")
    padded = _PADDED if config.integer("intermediate_size") == _PADDED[0] else None
    return uniform_decoder(
        config,
        "qwen2vl" if vision else "qwen2",
        attention=grouped_query_attention(config, qkv_bias=biased),
        feed_forward=dense(config),
        wiring=Wiring(
            GraphWiring(position_axes=4 if vision else 1),
            gguf=GgufWiring(
                extra_value_bits=not vision and known_by_size(config, "qwen2"), tied_head_copied=not vision
            ),
            repository=RepositoryWiring(padded_for_groups=padded),
        ),
    )


@blueprint("Qwen3ForCausalLM", "Qwen3VLForConditionalGeneration")
def qwen3(config: Config) -> Model:
    vision = "VL" in config.architecture
    return uniform_decoder(
        config,
        "qwen3vl" if vision else "qwen3",
        attention=grouped_query_attention(config, query_key_norm="head", qkv_bias=config.flag("attention_bias")),
        feed_forward=dense(config),
        wiring=Wiring(QWEN3_VISION) if vision else Wiring(gguf=GgufWiring(tied_head_copied=True)),
    )


@blueprint("SeedOssForCausalLM")
def seed_oss(config: Config) -> Model:
    return uniform_decoder(
        config,
        "seed_oss",
        attention=grouped_query_attention(
            config,
            qkv_bias=config.flag("attention_bias", default=True),
            output_bias=config.flag("attention_out_bias"),
        ),
        feed_forward=dense(config),
        norm_names=("attn_norm", "post_attention_norm"),
    )


@blueprint("Phi3ForCausalLM")
def phi3(config: Config) -> Model:
    """Query, key and value in one matrix, gate and up in another. llama.cpp ignores the window of Phi-3."""
    return uniform_decoder(
        config,
        "phi3",
        attention=grouped_query_attention(config, fused_qkv=True),
        feed_forward=dense(config, gate="fused"),
        wiring=Wiring(GraphWiring(stream_first_when_fed=True)),
    )


@blueprint("PhiForCausalLM")
def phi2(config: Config) -> Model:
    """Attention and feed-forward run in parallel behind one norm."""
    return uniform_decoder(
        config,
        "phi2",
        attention=grouped_query_attention(config, qkv_bias=True, output_bias=True),
        feed_forward=dense(config, gate="none", bias=True),
        norm_names=("attn_norm",),
        norm_bias=True,
        output_bias=True,
        wiring=Wiring(GraphWiring(layer_norm=True, beside_attention="after projection")),
    )


@blueprint("CohereForCausalLM")
def command_r(config: Config) -> Model:
    return uniform_decoder(
        config,
        "command-r",
        attention=grouped_query_attention(config, query_key_norm="per_head" if config.flag("use_qk_norm") else ""),
        feed_forward=dense(config),
        norm_names=("attn_norm",),
        tied_default=True,
        wiring=Wiring(GraphWiring(layer_norm=True, beside_attention="before projection")),
    )


@blueprint("Glm4ForCausalLM")
def glm4(config: Config) -> Model:
    return uniform_decoder(
        config,
        "glm4",
        attention=grouped_query_attention(config, qkv_bias=config.flag("attention_bias")),
        feed_forward=dense(config, gate="fused"),
        norm_names=SANDWICH_NORMS,
    )


@blueprint("Starcoder2ForCausalLM")
def starcoder2(config: Config) -> Model:
    biased = config.flag("use_bias", default=True)
    return uniform_decoder(
        config,
        "starcoder2",
        attention=grouped_query_attention(config, qkv_bias=biased, output_bias=biased),
        feed_forward=dense(config, gate="none", bias=biased),
        norm_bias=True,
        tied_default=True,
        wiring=Wiring(GraphWiring(layer_norm=True)),
    )


@blueprint("ApertusForCausalLM")
def apertus(config: Config) -> Model:
    return uniform_decoder(
        config,
        "apertus",
        attention=grouped_query_attention(config, query_key_norm="head"),
        feed_forward=dense(config, gate="none"),
    )


@blueprint("Apertus1p5ForConditionalGeneration")
def apertus_multimodal(config: Config) -> Model:
    """Image and audio codes share the input embedding; the output head covers text only."""
    return uniform_decoder(
        config,
        "apertus",
        attention=grouped_query_attention(config, query_key_norm="head"),
        feed_forward=dense(config, gate="none"),
        output_rows=config.integer("output_vocab_size"),
        runtime_note=fact("no_loader_for_apertus"),
    )


@blueprint("ExaoneForCausalLM")
def exaone(config: Config) -> Model:
    return uniform_decoder(config, "exaone", attention=grouped_query_attention(config), feed_forward=dense(config))


@blueprint("InternLM2ForCausalLM")
def internlm2(config: Config) -> Model:
    return uniform_decoder(
        config,
        "internlm2",
        attention=grouped_query_attention(config),
        feed_forward=dense(config),
        wiring=Wiring(repository=RepositoryWiring(merged=(("attn_qkv", ("attn_q", "attn_k", "attn_v")),))),
    )
