"""Decoders with latent attention (MLA): DeepSeek V2/V3/V3.2/V4, Kimi K2, GLM 4.7 Flash and 5, Mistral 4."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from advisor.models.blueprints.common import blueprint, decoder, dense, norms, width_of
from advisor.models.blueprints.experts import draft_head, own_draft_vocabulary
from advisor.models.config import Config
from advisor.models.feed_forward import MixtureOfExperts
from advisor.models.indexer import Indexer
from advisor.models.mixers import CompressedAttention, LatentAttention
from advisor.models.model import Layer, Model
from advisor.models.tensors import Part, Role, matrix
from advisor.models.wiring import (
    USUAL,
    ByRelease,
    GgufWiring,
    GraphWiring,
    RepositoryWiring,
    RouterWiring,
    StreamWiring,
    Wiring,
)


def latent_attention(config: Config, **options: object) -> LatentAttention:
    return LatentAttention(
        heads=config.integer("num_attention_heads"),
        query_rank=config.integer("q_lora_rank", default=0, low=0),
        kv_rank=config.integer("kv_lora_rank"),
        nope_size=config.integer("qk_nope_head_dim"),
        rope_size=config.integer("qk_rope_head_dim", low=0),
        value_size=config.integer("v_head_dim"),
        **options,  # type: ignore[arg-type]
    )


def routed_experts(config: Config, **options: object) -> MixtureOfExperts:
    inner = config.integer("moe_intermediate_size")
    return MixtureOfExperts(
        experts=config.experts("n_routed_experts", "num_experts"),
        used=config.experts("num_experts_per_tok", "num_experts_per_token"),
        inner=inner,
        shared_inner=inner * config.experts("n_shared_experts", "num_shared_experts", default=0),
        **options,  # type: ignore[arg-type]
    )


def lightning_indexer(config: Config, **options: object) -> Indexer:
    return Indexer(config.integer("index_n_heads"), config.integer("index_head_dim"), **options)  # type: ignore[arg-type]


_V3_EXPERTS = 256  # of DeepSeek V3 and its descendants, in 8 groups of 32


def bare_router(**options: object) -> RouterWiring:
    """DeepSeek's router: a parameter instead of a Linear layer, and weights that are scaled."""
    return RouterWiring(scaled=True, linear_in_transformers=False, in_mlx="unpacked", **options)  # type: ignore[arg-type]


# Classes of transformers that always have the bias, and whose configs never say so.
_BIASED = ("DeepseekV3ForCausalLM", "DeepseekV32ForCausalLM", "Glm4MoeLiteForCausalLM", "GlmMoeDsaForCausalLM")


def _selection_bias(config: Config) -> bool:
    """Whether experts are balanced by a bias, as from V3 on."""
    return config.text("topk_method", "noaux_tc" if config.architecture in _BIASED else "") == "noaux_tc"


def _latent_decoder(
    config: Config,
    architecture: str,
    attention: LatentAttention,
    *,
    draft_vocabulary: int,
    router: RouterWiring,
    repository: RepositoryWiring = USUAL.repository,
    indexed: Sequence[bool] | None = None,
    fused_gate_up: bool = False,
    **options: object,
) -> Model:
    """`indexed` says which layers carry the attention's indexer; None: all of them."""
    width, count = width_of(config), config.layers()
    leading = config.integer("first_k_dense_replace", default=0, low=0, high=count)
    routed = routed_experts(config, selection_bias=_selection_bias(config), fused_gate_up=fused_gate_up)
    extras = norms(width, ("attn_norm", "ffn_norm"))
    plain = replace(attention, indexer=None)
    layers = []
    for number in range(count):
        mixer = attention if indexed is None or indexed[number] else plain
        layers.append(Layer((mixer,), dense(config) if number < leading else routed, extras))
    drafts = config.integer("num_nextn_predict_layers", default=0, low=0, high=16)
    draft = Layer((attention,), routed, extras + draft_head(width, draft_vocabulary))
    return decoder(
        config,
        architecture,
        layers,
        mtp_layers=[draft] * drafts,
        wiring=Wiring(router=router, gguf=GgufWiring(tensor_split=False), repository=repository),
        **options,  # type: ignore[arg-type]
    )


@blueprint(
    "DeepseekV2ForCausalLM", "DeepseekV3ForCausalLM", "KimiK25ForConditionalGeneration", "Glm4MoeLiteForCausalLM"
)
def deepseek_v2(config: Config) -> Model:
    """V2 takes the weights of its experts as they are; V3 and its descendants choose groups of experts first."""
    grouped = config.experts("n_routed_experts", "num_experts") == _V3_EXPERTS
    return _latent_decoder(
        config,
        "deepseek2",
        latent_attention(config),
        draft_vocabulary=own_draft_vocabulary(config),
        router=bare_router(grouped=grouped, weights="sum to one" if _selection_bias(config) else "as they are"),
    )


@blueprint("YoutuForCausalLM")
def youtu(config: Config) -> Model:
    """Latent attention without experts."""
    layer = Layer((latent_attention(config),), dense(config), norms(width_of(config), ("attn_norm", "ffn_norm")))
    wiring = Wiring(assumed=True, gguf=GgufWiring(tensor_split=False))
    return decoder(config, "deepseek2", [layer] * config.layers(), tied_default=True, wiring=wiring)


@blueprint("Mistral4ForCausalLM")
def mistral4(config: Config) -> Model:
    return _latent_decoder(
        config,
        "mistral4",
        latent_attention(config),
        draft_vocabulary=0,
        fused_gate_up=True,
        router=RouterWiring(scaled=True, in_mlx="level"),
        repository=RepositoryWiring(experts_together=True),
    )


@blueprint("DeepseekV32ForCausalLM")
def deepseek_v32(config: Config) -> Model:
    attention = latent_attention(config, indexer=lightning_indexer(config))
    grouped = config.experts("n_routed_experts", "num_experts") == _V3_EXPERTS
    return _latent_decoder(
        config,
        "deepseek32",
        attention,
        draft_vocabulary=own_draft_vocabulary(config),
        router=bare_router(grouped=grouped),
    )


@blueprint("GlmMoeDsaForCausalLM")
def glm_dsa(config: Config) -> Model:
    """From GLM 5.2 on, most layers reuse the token selection of an earlier one and carry no indexer."""
    attention = latent_attention(config, indexer=lightning_indexer(config))
    indexed = None
    if config.has("indexer_types"):
        indexed = [kind == "full" for kind in config.sequence("indexer_types", config.layers())]
    return _latent_decoder(config, "glm-dsa", attention, draft_vocabulary=0, indexed=indexed, router=bare_router())


@blueprint("DeepseekV4ForCausalLM")
def deepseek_v4(config: Config) -> Model:
    """Compressed attention, hyper-connections, and first layers that route by token instead of by score."""
    width, count = width_of(config), config.layers()
    streams = config.integer("hc_mult", high=64)
    connections = hyper_connections(width, streams)
    hashed = config.integer("num_hash_layers", default=0, low=0, high=count)
    ratios = config.sequence("compress_ratios", count)
    layers = []
    for number in range(count):
        attention = CompressedAttention(
            heads=config.integer("num_attention_heads"),
            head_size=config.integer("head_dim"),
            query_rank=config.integer("q_lora_rank"),
            output_groups=config.integer("o_groups"),
            output_rank=config.integer("o_lora_rank"),
            window=config.integer("sliding_window"),
            ratio=int(ratios[number]),
            pool_indexer=lightning_indexer(config),
        )
        by_token = number < hashed
        routed = routed_experts(
            config,
            selection_bias=not by_token,
            hashed_router=config.integer("vocab_size") if by_token else 0,
        )
        layers.append(Layer((attention,), routed, norms(width, ("attn_norm", "ffn_norm")) + connections))
    head = (
        matrix("output_hc_fn", streams * width, streams, Role.OTHER),
        Part("output_hc_base.weight", (streams,), Role.OTHER),
        Part("output_hc_scale.weight", (1,), Role.OTHER),
    )
    return decoder(
        config,
        "deepseek4",
        layers,
        extra_globals=head,
        grouped_query_ratio=config.integer("num_attention_heads"),
        wiring=Wiring(
            GraphWiring(by_release=ByRelease(kept_since="2026-10", mixes_embeddings=False)),
            streams=StreamWiring(streams, weighted_end=True, weights_first=True, pinned=True),
            router=bare_router(),
            gguf=GgufWiring(converted_to_f32=("hc_", "_compressor_ape")),
            repository=RepositoryWiring(native_fp4=config.text("expert_dtype") == "fp4"),
        ),
    )


def hyper_connections(width: int, streams: int) -> tuple[Part, ...]:
    """Mixing weights between the parallel residual streams around attention and feed-forward."""
    mix = (2 + streams) * streams
    parts = []
    for block in ("hc_attn", "hc_ffn"):
        parts += [
            matrix(f"{block}_fn", streams * width, mix, Role.OTHER),
            Part(f"{block}_base.weight", (mix,), Role.OTHER),
            Part(f"{block}_scale.weight", (3,), Role.OTHER),
        ]
    return tuple(parts)
