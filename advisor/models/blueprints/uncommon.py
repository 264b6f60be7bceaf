"""Dense decoders of which some part is like nobody else's.

Tensors as llama.cpp's loaders ask for them (ggml-org/llama.cpp, src/models/*.cpp, 2026-11).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from advisor.models.blueprints.common import (
    PRE_NORMS,
    blueprint,
    decoder,
    dense,
    grouped_query_attention,
    norms,
    rope_factors,
    uniform_decoder,
    width_of,
)
from advisor.models.config import Config
from advisor.models.feed_forward import Dense, MixtureOfExperts
from advisor.models.mixers import Attention
from advisor.models.mixing import CachedHeads, Past
from advisor.models.model import Layer, Model
from advisor.models.observed import Observed
from advisor.models.tensors import Part, Role, matrix, norm
from advisor.models.wiring import GgufWiring, GraphWiring, Wiring

_ASSUMED = Wiring(assumed=True, gguf=GgufWiring(tensor_split=False))


@blueprint("FalconForCausalLM", "RWForCausalLM")
def falcon(config: Config) -> Model:
    """Attention and feed-forward side by side; the large ones have a norm for each, and groups of heads."""
    heads = config.integer("num_attention_heads", "n_head")
    grouped = config.flag("new_decoder_architecture") or config.has("n_head_kv")
    if grouped:
        cached = config.integer("num_kv_heads", "n_head_kv", default=heads)
    else:
        cached = 1 if config.flag("multi_query", default=True) else heads
    fields = {**config.values, "num_attention_heads": heads, "num_key_value_heads": cached}
    fields["num_hidden_layers"] = config.layers()
    config = Config(fields)
    biased = config.flag("bias")
    return uniform_decoder(
        config,
        "falcon",
        attention=grouped_query_attention(config, fused_qkv=True, qkv_bias=biased, output_bias=biased),
        feed_forward=Dense(config.integer("ffn_hidden_size", default=4 * width_of(config)), gate="none", bias=biased),
        norm_names=("attn_norm", "attn_norm_2") if grouped else ("attn_norm",),
        norm_bias=True,
        tied_default=True,
        wiring=Wiring(GraphWiring(layer_norm=True, beside_attention="after projection")),
    )


@blueprint("BitnetForCausalLM", "BitNetForCausalLM")
def bitnet(config: Config) -> Model:
    """Trained in three values; norms before both output projections."""
    width, block = width_of(config), dense(config)
    extras = (*norms(width, ("attn_norm", "attn_sub_norm", "ffn_norm")), *norm("ffn_sub_norm", block.inner))
    layer = Layer((grouped_query_attention(config),), block, extras)
    return decoder(
        config,
        "bitnet",
        [layer] * config.layers(),
        tied_default=True,
        wiring=Wiring(gguf=GgufWiring(tensor_split=False)),
    )


@blueprint("MiniCPM3ForCausalLM", "PLMForCausalLM")
def unpacked_latent(config: Config) -> Model:
    """Keys and values are projected from a latent vector, but llama.cpp caches them unpacked."""
    width, heads = width_of(config), config.integer("num_attention_heads")
    query_rank, rank = config.integer("q_lora_rank", default=0, low=0), config.integer("kv_lora_rank")
    plain, rotary = config.integer("qk_nope_head_dim"), config.integer("qk_rope_head_dim")
    value = config.integer("v_head_dim", default=width // heads)

    def parts() -> Iterator[Part]:
        attention = Role.ATTENTION
        if query_rank:
            yield from norm("attn_q_a_norm", query_rank)
            yield matrix("attn_q_a", width, query_rank, attention)
        name = "attn_q_b" if query_rank else "attn_q"
        yield matrix(name, query_rank or width, heads * (plain + rotary), attention)
        yield from norm("attn_kv_a_norm", rank)
        yield matrix("attn_kv_a_mqa", width, rank + rotary, attention)
        yield matrix("attn_kv_b", rank, heads * (plain + value), attention)
        yield matrix("attn_output", heads * value, width, attention)

    past = Past(keys=heads * (plain + rotary), values=heads * value)
    mixer = Observed(tuple(parts()), past, heads, CachedHeads(heads, plain + rotary, value))
    ungated = config.architecture.startswith("PLM")
    layer = Layer((mixer,), dense(config, gate="none" if ungated else "separate"), norms(width, PRE_NORMS))
    return decoder(
        config,
        "plm" if ungated else "minicpm3",
        [layer] * config.layers(),
        tied_default=True,
        extra_globals=rope_factors(config, rotary),
        grouped_query_ratio=1,
        wiring=_ASSUMED,
    )


@blueprint("OpenELMForCausalLM")
def openelm(config: Config) -> Model:
    """Heads and feed-forward sizes grow from layer to layer."""
    width, count = config.integer("model_dim"), config.integer("num_transformer_layers", high=2048)
    head, divisor = config.integer("head_dim"), config.integer("ffn_dim_divisor", default=256)
    queries, cached = config.sequence("num_query_heads", count), config.sequence("num_kv_heads", count)
    extras = norms(width, PRE_NORMS)
    layers = []
    for number, multiplier in enumerate(config.sequence("ffn_multipliers", count)):
        attention = Attention(int(queries[number]), int(cached[number]), head, fused_qkv=True, query_key_norm="head")
        layers.append(Layer((attention,), Dense(_divisible(float(multiplier) * width, divisor)), extras))
    fields = {**config.values, "hidden_size": width}
    fields["tie_word_embeddings"] = config.flag("share_input_output_layers", default=True)
    return decoder(
        Config(fields), "openelm", layers, tied_default=True, wiring=Wiring(gguf=GgufWiring(tensor_split=False))
    )


def _divisible(value: float, divisor: int) -> int:
    """The nearest multiple, but at most a tenth smaller."""
    nearest = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * value else nearest


@blueprint("ArcticForCausalLM")
def arctic(config: Config) -> Model:
    """A small dense block beside many experts, each behind a norm of its own."""
    width = width_of(config)
    routed = MixtureOfExperts(
        config.experts("num_local_experts"),
        config.experts("num_experts_per_tok"),
        config.integer("intermediate_size"),
        dense=Dense(width),
    )
    layer = Layer((grouped_query_attention(config),), routed, norms(width, (*PRE_NORMS, "ffn_norm_exps")))
    return decoder(config, "arctic", [layer] * config.layers(), wiring=_ASSUMED)


@blueprint("GPTRefactForCausalLM")
def refact(config: Config) -> Model:
    """One KV head, positions by a slope over distances, a feed-forward block of two thirds of four times the width."""
    width = width_of(config)
    inner = -(-int(2 * 4 * width / 3) // 256) * 256
    heads = config.integer("n_head", "num_attention_heads")
    attention = replace(grouped_query_attention(config), heads=heads, kv_heads=1)
    layer = Layer((attention,), Dense(inner), norms(width, PRE_NORMS))
    return decoder(config, "refact", [layer] * config.layers(), wiring=_ASSUMED)
