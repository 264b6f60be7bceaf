"""Decoders with a mixture of experts of which some layers see a window of the past only."""

from __future__ import annotations

from dataclasses import replace

from advisor.models.blueprints.common import (
    GATE_AND_UP,
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
from advisor.models.config import Config, integer_in
from advisor.models.feed_forward import Dense, MixtureOfExperts
from advisor.models.mixers import Attention
from advisor.models.model import Layer, Model
from advisor.models.tensors import Part, Role, matrix
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


def _full_every(config: Config, every: str, default: int) -> tuple[bool, ...]:
    """Which layers see all of the past."""
    count = config.layers()
    if config.has("layer_types"):
        return tuple(kind == "full_attention" for kind in config.layer_types(count))
    interval = config.integer(every, default=default)
    return tuple((number + 1) % interval == 0 for number in range(count))


def _routed_after(
    config: Config,
    attention: Attention,
    blocks: tuple[Dense, MixtureOfExperts],
    leading: int,
    extras: tuple[Part, ...],
    full: tuple[bool, ...],
) -> list[Layer]:
    """Layers whose feed-forward is the first of `blocks` in so many leading ones and then the second; those that are
    not `full` see a window."""
    window = 0 if all(full) else config.integer("sliding_window")
    windowed, (plain, routed) = replace(attention, window=window), blocks
    return [
        Layer((attention if all_of_it else windowed,), plain if number < leading else routed, extras)
        for number, all_of_it in enumerate(full)
    ]


@blueprint("AfmoeForCausalLM")
def afmoe(config: Config) -> Model:
    """Trinity: gated attention between norms on both sides; only layers with a window see positions."""
    width, leading = width_of(config), config.integer("num_dense_layers", default=0, low=0)
    attention = grouped_query_attention(config, query_key_norm="head", gate=True)
    inner = config.integer("moe_intermediate_size")
    routed = MixtureOfExperts(
        config.experts("num_experts"),
        config.experts("num_experts_per_tok"),
        inner,
        selection_bias=True,
        shared_inner=inner * config.experts("num_shared_experts", default=0),
    )
    plain, extras = dense(config), norms(width, SANDWICH_NORMS)
    full = _full_every(config, "global_attn_every_n_layers", 4)
    layers = _routed_after(config, attention, (plain, routed), leading, extras, full)
    return decoder(
        config, "afmoe", layers, wiring=Wiring(GraphWiring(rotation="in windows"), router=RouterWiring(scaled=True))
    )


@blueprint("Cohere2MoeForCausalLM")
def cohere2_moe(config: Config) -> Model:
    """Cohere2 with experts after dense layers: attention and feed-forward side by side, windows see positions."""
    width, leading = width_of(config), config.integer("first_k_dense_replace", default=0, low=0)
    attention = grouped_query_attention(config)
    inner = config.integer("intermediate_size")
    routed = MixtureOfExperts(
        config.experts("num_experts"),
        config.experts("num_experts_per_tok"),
        inner,
        shared_inner=inner * config.experts("num_shared_experts", default=0),
    )
    plain = Dense(config.integer("prefix_dense_intermediate_size", "intermediate_size"))
    extras = norms(width, ("attn_norm",))
    full = _full_every(config, "sliding_window_pattern", 4)
    layers = _routed_after(config, attention, (plain, routed), leading, extras, full)
    summed = config.flag("norm_topk_prob", default=True)
    return decoder(
        config,
        "cohere2moe",
        layers,
        tied_default=True,
        wiring=Wiring(
            GraphWiring(
                layer_norm=not config.has("rms_norm_eps"),
                beside_attention="before projection",
                rotation="in windows",
            ),
            router=RouterWiring(weights="sum to one" if summed else "as they are", linear_in_transformers=False),
            repository=RepositoryWiring(experts_together=True, merged=(GATE_AND_UP,)),
        ),
    )


@blueprint("ExaoneMoEForCausalLM", "ExaoneMoeForCausalLM")
def exaone_moe(config: Config) -> Model:
    """K-EXAONE: only layers with a window see positions."""
    width, leading = width_of(config), config.integer("first_k_dense_replace", default=1, low=0)
    attention = grouped_query_attention(config, query_key_norm="head")
    inner = config.integer("moe_intermediate_size")
    routed = MixtureOfExperts(
        config.experts("num_experts"),
        config.experts("num_experts_per_tok"),
        inner,
        selection_bias=True,
        shared_inner=inner * config.experts("num_shared_experts", default=0),
    )
    plain, extras = dense(config), norms(width, PRE_NORMS)
    full = _full_every(config, "sliding_window_pattern", 4)
    layers = _routed_after(config, attention, (plain, routed), leading, extras, full)
    return decoder(
        config,
        "exaone-moe",
        layers,
        extra_globals=rope_factors(config, attention.head_size),
        wiring=Wiring(GraphWiring(rotation="in windows"), router=RouterWiring(scaled=True)),
    )


@blueprint("SmallThinkerForCausalLM")
def smallthinker(config: Config) -> Model:
    """The router sees a layer's input, before attention."""
    width, count = width_of(config), config.layers()
    attention = grouped_query_attention(config)
    windowed = replace(attention, window=config.integer("sliding_window_size", "sliding_window", default=4096))
    routed = MixtureOfExperts(
        config.experts("moe_num_primary_experts"),
        config.experts("moe_num_active_primary_experts"),
        config.integer("moe_ffn_hidden_size"),
    )
    layout = config.get("sliding_window_layout") or [0] * count
    extras = norms(width, PRE_NORMS)
    layers = [Layer((windowed if layout[number] else attention,), routed, extras) for number in range(count)]
    return decoder(config, "smallthinker", layers, tied_default=True, wiring=Wiring(assumed=True))


@blueprint("Step3p5ForCausalLM")
def step35(config: Config) -> Model:
    """Layers with a window have more heads; a gate for each head."""
    width, count = width_of(config), config.layers()
    head, cached = config.integer("head_dim"), config.integer("num_attention_groups")
    other = config.section("attention_other_setting")
    sparse = {int(part) for part in str(config.get("moe_layers_enum", "")).split(",") if part.strip()}
    shared = config.integer("share_expert_dim", "share_expert_dims", default=0, low=0)
    routed = MixtureOfExperts(
        config.experts("moe_num_experts"),
        config.experts("moe_top_k"),
        config.integer("moe_intermediate_size"),
        selection_bias=True,
        shared_inner=shared,
    )
    kinds, plain = config.layer_types(count), dense(config)
    window = config.integer("sliding_window") if "sliding_attention" in kinds else 0
    layers = []
    for number, kind in enumerate(kinds):
        sliding = kind == "sliding_attention"
        heads = integer_in(other, "num_attention_heads") if sliding else config.integer("num_attention_heads")
        groups = integer_in(other, "num_attention_groups") if sliding else cached
        attention = Attention(heads, groups, head, window=window if sliding else 0, query_key_norm="head")
        gate = (matrix("attn_gate", width, heads, Role.ATTENTION),)
        extras = (*norms(width, PRE_NORMS), *gate)
        layers.append(Layer((attention,), routed if number in sparse else plain, extras))
    return decoder(config, "step35", layers, wiring=Wiring(router=RouterWiring(scaled=True)))


@blueprint("MellumForCausalLM")
def mellum(config: Config) -> Model:
    """Qwen3's experts, with windows in most layers."""
    width = width_of(config)
    attention = grouped_query_attention(config, query_key_norm="head")
    routed = MixtureOfExperts(
        config.experts("num_experts"), config.experts("num_experts_per_tok"), config.integer("moe_intermediate_size")
    )
    windows = sliding_windows(config, config.layers(), 4)
    layers = [Layer((replace(attention, window=window),), routed, norms(width, PRE_NORMS)) for window in windows]
    return decoder(config, "mellum", layers)
