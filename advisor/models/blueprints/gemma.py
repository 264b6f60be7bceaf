"""The Gemma family: tied embeddings, sandwich norms, windowed layers, per-layer embeddings."""

from __future__ import annotations

from dataclasses import replace

from advisor.models.blueprints.common import (
    SANDWICH_NORMS,
    blueprint,
    decoder,
    dense,
    grouped_query_attention,
    norms,
    sliding_windows,
    uniform_decoder,
    width_of,
)
from advisor.models.config import Config
from advisor.models.feed_forward import Dense, FeedForward, MixtureOfExperts
from advisor.models.mixers import Attention
from advisor.models.model import Layer, Model
from advisor.models.tensors import Part, Role, matrix, norm
from advisor.models.wiring import ByRelease, GgufWiring, GraphWiring, RepositoryWiring, Wiring


@blueprint("GemmaForCausalLM")
def gemma(config: Config) -> Model:
    return uniform_decoder(
        config, "gemma", attention=grouped_query_attention(config), feed_forward=dense(config), tied_default=True
    )


@blueprint("Gemma2ForCausalLM")
def gemma2(config: Config) -> Model:
    return uniform_decoder(
        config,
        "gemma2",
        attention=grouped_query_attention(config),
        feed_forward=dense(config),
        norm_names=SANDWICH_NORMS,
        windows=sliding_windows(config, config.layers(), 2),
        tied_default=True,
    )


@blueprint("Gemma3ForCausalLM", "Gemma3ForConditionalGeneration", "Gemma3TextModel")
def gemma3(config: Config) -> Model:
    model = uniform_decoder(
        config,
        "gemma-embedding" if config.architecture == "Gemma3TextModel" else "gemma3",
        attention=grouped_query_attention(config, query_key_norm="head"),
        feed_forward=dense(config),
        norm_names=SANDWICH_NORMS,
        windows=sliding_windows(config, config.layers(), config.integer("sliding_window_pattern", default=6)),
        tied_default=True,
        wiring=Wiring(GraphWiring(by_release=ByRelease(scaled_by_rows=True))),
    )
    if config.architecture != "Gemma3TextModel":
        return model
    return replace(model, causal=False)


@blueprint("Gemma3nForConditionalGeneration", "Gemma3nForCausalLM")
def gemma3n(config: Config) -> Model:
    """Per-layer embeddings, alternating updates (AltUp), low-rank residuals (LAuReL), shared KV in the last layers."""
    width, count = width_of(config), config.layers()
    per_layer = config.integer("hidden_size_per_layer_input")
    streams = config.integer("altup_num_inputs", default=4, high=64)
    rank = config.integer("laurel_rank", default=64)
    shared = config.integer("num_kv_shared_layers", default=0, low=0, high=count)
    windows = sliding_windows(config, count, 5)
    extras = (
        *norms(width, (*SANDWICH_NORMS, "altup_router_norm", "laurel_post_norm", "post_norm")),
        matrix("inp_gate", width, per_layer, Role.FFN),
        matrix("proj", per_layer, width, Role.FFN),
        matrix("altup_correct_coef", streams, streams, Role.OTHER),
        Part("altup_correct_scale.weight", (width,), Role.OTHER),
        matrix("altup_predict_coef", streams, streams * streams, Role.OTHER),
        matrix("altup_router", width, streams, Role.OTHER),
        matrix("laurel_l", width, rank, Role.OTHER),
        matrix("laurel_r", rank, width, Role.OTHER),
    )
    layers = [
        Layer((grouped_query_attention(config, query_key_norm="head", window=windows[n]),), dense(config), extras)
        for n in range(count)
    ]
    tables = (
        # The checkpoint has fewer rows; the converter fills up to the vocabulary.
        matrix("per_layer_token_embd", per_layer * count, config.integer("vocab_size"), Role.EMBEDDING),
        matrix("per_layer_model_proj", width, per_layer * count, Role.OTHER),
        *norm("per_layer_proj_norm", per_layer),
        Part("altup_proj.weight", (width, width, streams - 1), Role.OTHER),
        Part("altup_unembd_proj.weight", (width, width, streams - 1), Role.OTHER),
    )
    return decoder(
        config,
        "gemma3n",
        layers,
        tied_default=True,
        extra_globals=tables,
        shared_kv_layers=shared,
        wiring=Wiring(
            GraphWiring(alternating_streams=streams, values_normed=True, by_release=ByRelease(scaled_by_rows=True)),
            gguf=GgufWiring(tied_head_twice=True, tensor_split=False),
            repository=RepositoryWiring(per_layer_rows=262_144),
        ),
    )


@blueprint("Gemma4ForConditionalGeneration", "Gemma4ForCausalLM", "Gemma4UnifiedForConditionalGeneration")
def gemma4(config: Config) -> Model:
    """Global layers have wider heads and may reuse keys as values; the small ones have per-layer embeddings."""
    width, count = width_of(config), config.layers()
    per_layer = config.integer("hidden_size_per_layer_input", default=0, low=0)
    shared = config.integer("num_kv_shared_layers", default=0, low=0, high=count)
    windows = sliding_windows(config, count, 6)
    heads, head_size = config.integer("num_attention_heads"), config.integer("head_dim")
    global_size = config.integer("global_head_dim", default=head_size)
    kv_heads = config.integer("num_key_value_heads")
    global_kv = config.integer("num_global_key_value_heads", default=kv_heads)
    keys_as_values = config.flag("attention_k_eq_v")
    inner = config.integer("intermediate_size")
    names = (*SANDWICH_NORMS, "post_norm") if per_layer else SANDWICH_NORMS
    layers = []
    for number in range(count):
        own_kv = number < count - shared
        if windows[number]:
            attention = Attention(
                heads, kv_heads, head_size, window=windows[number], query_key_norm="head", own_kv=own_kv
            )
        else:
            attention = Attention(
                heads,
                global_kv if keys_as_values else kv_heads,
                global_size,
                query_key_norm="head",
                own_kv=own_kv,
                value_projection=not keys_as_values,
            )
        wide = config.flag("use_double_wide_mlp") and not own_kv
        block: FeedForward = Dense(inner * 2 if wide else inner)
        extras = (*norms(width, names), Part("layer_output_scale.weight", (1,), Role.OTHER))
        if config.flag("enable_moe_block"):
            extras += norms(width, ("pre_ffw_norm_2", "post_ffw_norm_1", "post_ffw_norm_2"))
            block = MixtureOfExperts(
                config.experts("num_experts"),
                config.experts("top_k_experts"),
                config.integer("moe_intermediate_size", "expert_intermediate_size"),
                fused_gate_up=True,
                expert_scale=True,
                dense=Dense(inner),
            )
        if per_layer:
            extras += (
                matrix("inp_gate", width, per_layer, Role.FFN),
                matrix("proj", per_layer, width, Role.FFN),
            )
        layers.append(Layer((attention,), block, extras))
    tables: tuple[Part, ...] = (Part("rope_freqs.weight", (global_size // 2,), Role.OTHER),)
    if per_layer:
        rows = config.integer("vocab_size_per_layer_input", "vocab_size")
        tables += (
            matrix("per_layer_token_embd", per_layer * count, rows, Role.EMBEDDING),
            matrix("per_layer_model_proj", width, per_layer * count, Role.OTHER),
            *norm("per_layer_proj_norm", per_layer),
        )
    return decoder(
        config,
        "gemma4",
        layers,
        tied_default=True,
        extra_globals=tables,
        shared_kv_layers=shared,
        wiring=Wiring(
            GraphWiring(
                values_normed=True,
                rows="before norm",
                plain_windows=True,
                by_release=ByRelease(rows_late=("2026-08", "2026-10"), scaled_by_rows=True),
            ),
            gguf=GgufWiring(tied_head_twice=True),
            repository=RepositoryWiring(experts_together=True, attention_kept=True),
        ),
    )
