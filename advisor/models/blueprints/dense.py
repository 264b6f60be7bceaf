"""Decoders with a dense feed-forward part in every layer."""

from __future__ import annotations

from advisor.models.blueprints.common import (
    EXTRA_VALUE_BITS,
    PRE_NORMS,
    SANDWICH_NORMS,
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
from advisor.models.feed_forward import Dense
from advisor.models.mixers import Attention, LinearAttention
from advisor.models.model import Layer, Model
from advisor.models.tensors import Part, Role


def _size_traits(config: Config, architecture: str) -> tuple[str, ...]:
    if config.layers() != 80:
        return ()
    if architecture == "llama":
        grouped = config.integer("num_key_value_heads", default=1) != config.integer("num_attention_heads")
        return (EXTRA_VALUE_BITS,) if grouped and config.experts("num_local_experts", default=0) != 8 else ()
    return (EXTRA_VALUE_BITS,)


@blueprint("LlamaForCausalLM", "LLaMAForCausalLM", "MistralForCausalLM", "InternLM3ForCausalLM", "llama", "mistral")
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
        traits=_size_traits(config, "llama"),
    )


@blueprint("Mistral3ForConditionalGeneration", "Ministral3ForCausalLM")
def mistral3(config: Config) -> Model:
    return uniform_decoder(config, "mistral3", attention=grouped_query_attention(config), feed_forward=dense(config))


@blueprint("SmolLM3ForCausalLM")
def smollm3(config: Config) -> Model:
    return uniform_decoder(
        config, "smollm3", attention=grouped_query_attention(config), feed_forward=dense(config), tied_default=True
    )


@blueprint("GraniteForCausalLM")
def granite(config: Config) -> Model:
    return uniform_decoder(
        config,
        "granite",
        attention=grouped_query_attention(config),
        feed_forward=dense(config, bias=config.flag("mlp_bias")),
    )


@blueprint("Qwen2ForCausalLM", "Qwen2_5_VLForConditionalGeneration", "Qwen2VLForConditionalGeneration")
def qwen2(config: Config) -> Model:
    vision = "VL" in config.architecture
    return uniform_decoder(
        config,
        "qwen2vl" if vision else "qwen2",
        attention=grouped_query_attention(config, qkv_bias=True),
        feed_forward=dense(config),
        traits=() if vision else _size_traits(config, "qwen2"),
    )


@blueprint("Qwen3ForCausalLM", "Qwen3VLForConditionalGeneration")
def qwen3(config: Config) -> Model:
    return uniform_decoder(
        config,
        "qwen3vl" if "VL" in config.architecture else "qwen3",
        attention=grouped_query_attention(config, query_key_norm="head", qkv_bias=config.flag("attention_bias")),
        feed_forward=dense(config),
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
    )


@blueprint("Cohere2ForCausalLM")
def cohere2(config: Config) -> Model:
    pattern = config.integer("sliding_window_pattern", default=4)
    return uniform_decoder(
        config,
        "cohere2",
        attention=grouped_query_attention(config),
        feed_forward=dense(config),
        norm_names=("attn_norm",),
        windows=sliding_windows(config, config.layers(), pattern),
        tied_default=True,
    )


@blueprint("Olmo2ForCausalLM", "Olmo3ForCausalLM")
def olmo2(config: Config) -> Model:
    """Norms after the blocks, and query/key norms over all heads."""
    return uniform_decoder(
        config,
        "olmo2",
        attention=grouped_query_attention(config, query_key_norm="full"),
        feed_forward=dense(config),
        norm_names=("post_attention_norm", "post_ffw_norm"),
        windows=sliding_windows(config, config.layers(), 4),
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
        runtime_note="llama.cpp has no loader for Apertus 1.5, whose input and output vocabularies differ.",
    )


@blueprint("ExaoneForCausalLM")
def exaone(config: Config) -> Model:
    return uniform_decoder(config, "exaone", attention=grouped_query_attention(config), feed_forward=dense(config))


@blueprint("Exaone4ForCausalLM")
def exaone4(config: Config) -> Model:
    """Norms after the blocks; the 32B mixes windowed and full layers."""
    return uniform_decoder(
        config,
        "exaone4",
        attention=grouped_query_attention(config, query_key_norm="head"),
        feed_forward=dense(config),
        norm_names=("post_attention_norm", "post_ffw_norm"),
        windows=sliding_windows(config, config.layers(), 4),
    )


@blueprint("InternLM2ForCausalLM")
def internlm2(config: Config) -> Model:
    return uniform_decoder(config, "internlm2", attention=grouped_query_attention(config), feed_forward=dense(config))


@blueprint("MuseGlimmerForConditionalGeneration")
def muse_glimmer(config: Config) -> Model:
    return uniform_decoder(
        config,
        "muse-glimmer",
        attention=grouped_query_attention(config, query_key_norm="head", gate=True),
        feed_forward=dense(config),
        norm_names=SANDWICH_NORMS,
        windows=sliding_windows(config, config.layers(), 4),
    )


@blueprint("MllamaForConditionalGeneration")
def llama_vision(config: Config) -> Model:
    """Llama 3.2 Vision: extra layers attend to the image instead of the text; 8 more embedding rows than outputs."""
    width, count = width_of(config), config.layers()
    crossing = set(config.sequence("cross_attention_layers"))
    extras = norms(width, PRE_NORMS)
    gates = tuple(Part(f"cross_attn_{name}_gate.weight", (1,), Role.OTHER) for name in ("attn", "mlp"))
    plain = grouped_query_attention(config)
    image = grouped_query_attention(config, query_key_norm="head")
    layers = [
        Layer((image if n in crossing else plain,), dense(config), extras + (gates if n in crossing else ()))
        for n in range(count)
    ]
    special = Part("image_token_embd.weight", (width, 8), Role.EMBEDDING)
    return decoder(
        config,
        "mllama",
        layers,
        extra_globals=(special, *rope_factors(config, plain.head_size)),
        runtime_note="llama.cpp has no loader for Llama 3.2 Vision (cross-attention layers).",
    )


@blueprint("DeciLMForCausalLM")
def nemotron_nas(config: Config) -> Model:
    """Each layer was chosen by search: attention or feed-forward may be absent or replaced by one matrix."""
    width = width_of(config)
    heads = config.integer("num_attention_heads")
    layers = []
    for block in config.sequence("block_configs", config.layers()):
        attention, feed_forward = block["attention"], block["ffn"]
        mixers: tuple[Attention | LinearAttention, ...] = ()
        extras: tuple[str, ...] = ()
        if not attention.get("no_op"):
            extras += ("attn_norm",)
            if attention.get("replace_with_linear"):
                mixers = (LinearAttention(),)
            else:
                mixers = (Attention(heads, heads // attention["n_heads_in_group"], width // heads),)
        inner = 0 if feed_forward.get("no_op") else _multiple_of_256(feed_forward["ffn_mult"], width)
        if inner:
            extras += ("ffn_norm",)
        layers.append(Layer(mixers, Dense(inner) if inner else None, norms(width, extras)))
    return decoder(
        config,
        "deci",
        layers,
        extra_globals=rope_factors(config, width // heads),
        traits=_size_traits(config, "deci"),
    )


def _multiple_of_256(multiplier: float, width: int) -> int:
    """Feed-forward size of Nemotron-NAS: two thirds of the nominal size, rounded up to 256."""
    inner = int(2 * multiplier * width / 3)
    return -(-inner // 256) * 256
