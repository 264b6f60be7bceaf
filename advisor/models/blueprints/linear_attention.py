"""Decoders around linear attention of the newest kind: Kimi Linear and K3, GLM 5.3 Flash, Qwen4."""

from __future__ import annotations

from advisor.models.blueprints.common import (
    PRE_NORMS,
    blueprint,
    decoder,
    dense,
    grouped_query_attention,
    norms,
    width_of,
)
from advisor.models.blueprints.deepseek import (
    bare_router,
    hyper_connections,
    latent_attention,
    lightning_indexer,
    routed_experts,
)
from advisor.models.blueprints.experts import draft_head
from advisor.models.blueprints.hybrid import delta_net, full_attention_layers, gated_experts
from advisor.models.config import Config, integer_in
from advisor.models.indexer import Indexer
from advisor.models.mixers import LatentAttention, Mixer
from advisor.models.model import Layer, Model
from advisor.models.recurrent import KimiDelta, NgramLookup
from advisor.models.tensors import Part, Role, matrix
from advisor.models.wiring import (
    ByRelease,
    GgufWiring,
    GraphWiring,
    RepositoryWiring,
    RouterWiring,
    StreamWiring,
    Wiring,
)


def _kimi_mixers(config: Config, count: int, first_generation: bool) -> list[KimiDelta | LatentAttention]:
    section = config.section("linear_attn_config")
    delta = KimiDelta(
        integer_in(section, "num_heads"),
        integer_in(section, "head_dim"),
        integer_in(section, "short_conv_kernel_size"),
        full_gate=section.get("use_full_rank_gate") is True,
        decay_as_matrix=first_generation,
    )
    attention = latent_attention(config, gate=config.flag("mla_use_output_gate"))
    full = set(section.get("full_attn_layers") or ())  # numbered from 1
    return [attention if number + 1 in full else delta for number in range(count)]


@blueprint("KimiLinearForCausalLM", "KimiK3ForConditionalGeneration")
def kimi_linear(config: Config) -> Model:
    """Kimi delta attention with some latent-attention layers; K3 adds latent experts and residual scores."""
    width, count = width_of(config), config.layers()
    leading = config.integer("first_k_dense_replace", default=0, low=0, high=count)
    third_generation = config.architecture.startswith("KimiK3")
    residual_scores = config.integer("attn_res_block_size", default=0, low=0)
    extras = norms(width, PRE_NORMS)
    if residual_scores:
        extras += tuple(Part(f"{name}.weight", (width,), Role.OTHER) for name in ("attn_res_score", "ffn_res_score"))
    latent = config.integer("routed_expert_hidden_size", default=0, low=0)
    routed = routed_experts(
        config,
        selection_bias=True,
        latent=latent,
        latent_names=("ffn_routed_down", "ffn_routed_up"),
        latent_norm=config.flag("latent_moe_use_norm"),
    )
    layers = [
        Layer((mixer,), dense(config) if number < leading else routed, extras)
        for number, mixer in enumerate(_kimi_mixers(config, count, not third_generation))
    ]
    score = (Part("output_res_score.weight", (width,), Role.OTHER),) if residual_scores else ()
    return decoder(
        config,
        "kimi-k3" if third_generation else "kimi-linear",
        layers,
        extra_globals=score,
        wiring=Wiring(
            GraphWiring(rotation="nowhere", saturated=third_generation, bank_every=residual_scores),
            router=RouterWiring(scaled=not third_generation, linear_in_transformers=False),
            gguf=GgufWiring(tensor_split=False),
            states_in_32_bit=True,
        ),
    )


@blueprint("Glm5NextForConditionalGeneration")
def glm5_next(config: Config) -> Model:
    """Kimi delta attention, pooled sparse latent attention, hyper-connections."""
    width, count = width_of(config), config.layers()
    delta = KimiDelta(
        config.integer("linear_num_heads"),
        config.integer("linear_head_dim"),
        config.integer("linear_conv_kernel_dim"),
    )
    indexer = lightning_indexer(config, style="pooled", pool=config.integer("index_kpool"))
    attention = latent_attention(config, indexer=indexer)
    routed = routed_experts(config, selection_bias=True)
    kinds = config.sequence("mlp_layer_types", count)
    extras = norms(width, PRE_NORMS)
    streams = config.integer("hc_mult", high=64)
    connections = hyper_connections(width, streams)
    layers = [
        Layer(
            (delta if kind == "linear_attention" else attention,),
            dense(config) if kinds[number] == "dense" else routed,
            extras + connections,
        )
        for number, kind in enumerate(config.layer_types(count))
    ]
    drafts = config.integer("num_nextn_predict_layers", default=0, low=0, high=16)
    draft = Layer((attention,), routed, extras + draft_head(width))
    return decoder(
        config,
        "glm5-next",
        layers,
        mtp_layers=[draft] * drafts,
        wiring=Wiring(
            GraphWiring(rotation="nowhere"),
            StreamWiring(streams),
            bare_router(),
            GgufWiring(
                converted_to_f32=("hc_attn_", "hc_ffn_", "indexer_compressor_"),
                never_quantized=_GLM5_NEXT_NEVER_QUANTIZED,
                at_least_8_bit=("attn_q_a", "attn_q_b", "nextn.eh_proj"),
                tensor_split=False,
            ),
            states_in_32_bit=True,
        ),
    )


_GLM5_NEXT_NEVER_QUANTIZED = (
    "hc_",
    "indexer.attn_q_b",
    "indexer.attn_k",
    "indexer.proj",
    "indexer_compressor_gate",
    "indexer_compressor_ape",
    "ssm_f_a.weight",
    "ssm_f_b.weight",
    "ssm_g_a.weight",
    "ssm_g_b.weight",
    "ssm_beta.weight",
    "attn_kv_a_mqa.weight",
    "attn_k_b.weight",
    "attn_v_b.weight",
)


@blueprint("Qwen4ExpForConditionalGeneration")
def qwen4_exp(config: Config) -> Model:
    """Delta net and indexed attention, low-rank hyper-connections instead of norms, one n-gram table."""
    width, count = width_of(config), config.layers()
    streams, rank = config.integer("hc_count", high=64), config.integer("hc_lowrank")
    indexer = Indexer(config.integer("indexer_n_heads"), config.integer("indexer_head_dim"), style="projected")
    attention = grouped_query_attention(config, query_key_norm="head", gated_query=True, indexer=indexer)
    recurrent = delta_net(config, joint_beta_alpha=False)
    connections: list[Part] = []
    for block in ("hc_attn", "hc_ffn"):
        connections += [
            Part(f"{block}_norm.weight", (width * streams,), Role.NORM),
            matrix(f"{block}_down", streams * width, rank, Role.OTHER),
            matrix(f"{block}_up", rank, streams * width, Role.OTHER),
            matrix(f"{block}_inject", streams * width, streams, Role.OTHER),
        ]
    lookup = NgramLookup(
        streams=streams,
        kernel=config.integer("ple_conv_kernel_size", default=1),
        ngram=config.integer("ngram_size", default=1, high=64),
    )
    lookups = {int(number) - 1 for number in config.get("ple_layer_ids", [])}
    layers = []
    for number, full in enumerate(full_attention_layers(config, count)):
        mixers: tuple[Mixer, ...] = (attention if full else recurrent,)
        if number in lookups:
            mixers += (lookup,)
        layers.append(Layer(mixers, gated_experts(config), tuple(connections)))
    tables = [
        Part("output_hc_norm.weight", (width * streams,), Role.NORM),
        matrix("output_hc_down", streams * width, rank, Role.OTHER),
        matrix("output_hc_up", rank, streams * width, Role.OTHER),
    ]
    if lookups:
        tables.append(_ngram_table(config))
    return decoder(
        config,
        "qwen4exp",
        layers,
        final_norm="",
        extra_globals=tables,
        grouped_query_ratio=attention.heads // attention.kv_heads,
        wiring=Wiring(
            GraphWiring(position_axes=4, by_release=ByRelease(kept_since="2026-10")),
            StreamWiring(streams, rank),
            gguf=GgufWiring(tensor_split=False),
            repository=RepositoryWiring(experts_together=True, table_in_8_bit=True),
            states_in_32_bit=True,
        ),
    )


def _ngram_table(config: Config) -> Part:
    """The n-gram table: one hashed range of rows per head; the exact row count depends on primes."""
    heads = config.integer("heads_per_ngram", high=256) * (config.integer("ngram_size", high=64) - 1)
    rows = _ngram_rows(config.integer("ngram_vocab_size_base", high=1 << 30), heads)
    multiple = config.integer("make_ngram_vocab_size_divisible_by", default=1)
    rows = -(-rows // multiple) * multiple
    return matrix("per_layer_token_embd", config.integer("ple_embed_dim") // heads, rows, Role.EMBEDDING)


def _ngram_rows(base: int, heads: int) -> int:
    """Sum of the first `heads` primes above `base`: each head hashes into a range of prime size."""
    rows, candidate = 0, base
    for _ in range(heads):
        candidate += 1
        while not _is_prime(candidate):
            candidate += 1
        rows += candidate
    return rows


def _is_prime(number: int) -> bool:
    if number % 2 == 0:
        return number == 2
    return all(number % divisor for divisor in range(3, int(number**0.5) + 1, 2))
