"""State-space models of the first kind (Mamba), alone or between attention layers, and RWKV.

What they weigh and keep is exact; of their graphs in llama.cpp only the range that shapes allow is known. Tensors as
llama.cpp's loaders ask for them (ggml-org/llama.cpp, src/models/mamba.cpp, jamba.cpp, rwkv6.cpp; 2026-11).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from advisor.models.blueprints.common import (
    PRE_NORMS,
    blueprint,
    decoder,
    dense,
    grouped_query_attention,
    norms,
    width_of,
)
from advisor.models.config import Config
from advisor.models.feed_forward import FeedForward, MixtureOfExperts
from advisor.models.mixing import Past
from advisor.models.model import Layer, Model
from advisor.models.observed import ObservedState
from advisor.models.recurrent import Mamba2
from advisor.models.tensors import Part, Role, bias, matrix, norm
from advisor.models.wiring import GgufWiring, Wiring

_STATE = Role.RECURRENT
_UNKNOWN_GRAPH = Wiring(assumed=True, gguf=GgufWiring(tensor_split=False))


def mamba(config: Config, width: int, normed: bool) -> ObservedState:
    """One Mamba block; `normed` says that steps and both projections of the state are normed (Jamba)."""
    expand = config.integer("mamba_expand", "expand", default=2)
    inner = config.integer("intermediate_size", default=expand * width) if not normed else expand * width
    state = config.integer("mamba_d_state", "state_size", "d_state", default=16)
    kernel = config.integer("mamba_d_conv", "conv_kernel", "d_conv", default=4)
    rank = config.get("mamba_dt_rank", config.get("time_step_rank", "auto"))
    rank = rank if isinstance(rank, int) else math.ceil(width / 16)

    def parts() -> Iterator[Part]:
        yield matrix("ssm_in", width, 2 * inner, _STATE)
        yield Part("ssm_conv1d.weight", (kernel, inner), _STATE)
        yield bias("ssm_conv1d", inner, _STATE)
        yield matrix("ssm_x", inner, rank + 2 * state, _STATE)
        if normed:
            yield from norm("ssm_dt_norm", rank)
            yield from norm("ssm_b_norm", state)
            yield from norm("ssm_c_norm", state)
        yield matrix("ssm_dt", rank, inner, _STATE)
        yield bias("ssm_dt", inner, _STATE)
        yield Part("ssm_a", (state, inner), _STATE)
        yield Part("ssm_d", (inner,), _STATE)
        yield matrix("ssm_out", inner, width, _STATE)

    return ObservedState(tuple(parts()), Past(convolution=(kernel - 1) * inner, state=state * inner))


@blueprint("MambaForCausalLM", "MambaLMHeadModel", "FalconMambaForCausalLM")
def plain_mamba(config: Config) -> Model:
    """The original configs of Mamba round the vocabulary up to a multiple of 8."""
    width, count = width_of(config), config.layers()
    fields = dict(config.values)
    if config.has("pad_vocab_size_multiple") or config.has("d_model"):
        multiple = config.integer("pad_vocab_size_multiple", default=8)
        fields["vocab_size"] = -(-config.integer("vocab_size") // multiple) * multiple
    layer = Layer((mamba(config, width, normed=False),), None, norms(width, ("attn_norm",)))
    return decoder(Config(fields), "mamba", [layer] * count, tied_default=True, wiring=_UNKNOWN_GRAPH)


@blueprint("Mamba2ForCausalLM")
def plain_mamba2(config: Config) -> Model:
    width = config.integer("hidden_size", "d_model", "dim")
    inner = config.integer("expand", default=2) * width
    head_size = config.integer("head_dim", "headdim", default=64)
    mixer = Mamba2(
        inner=inner,
        state=config.integer("state_size", "d_state", default=128),
        groups=config.integer("n_groups", default=1),
        heads=config.integer("num_heads", default=inner // head_size),
        kernel=config.integer("conv_kernel", "d_conv", default=4),
    )
    layer = Layer((mixer,), None, norms(width, ("attn_norm",)))
    return decoder(
        Config({**config.values, "hidden_size": width}),
        "mamba2",
        [layer] * config.layers(),
        tied_default=True,
        wiring=Wiring(gguf=GgufWiring(tensor_split=False)),
    )


@blueprint("JambaForCausalLM")
def jamba(config: Config) -> Model:
    """Every so many layers one attends, and every so many have experts."""
    width, count = width_of(config), config.layers()
    attention, state = grouped_query_attention(config), mamba(config, width, normed=True)
    plain: FeedForward = dense(config)
    experts = config.experts("num_experts", default=0)
    routed = (
        MixtureOfExperts(experts, config.experts("num_experts_per_tok"), config.integer("intermediate_size"))
        if experts > 1
        else plain
    )
    attends = config.integer("attn_layer_period", default=8), config.integer("attn_layer_offset", default=4, low=0)
    expert = config.integer("expert_layer_period", default=2), config.integer("expert_layer_offset", default=1, low=0)
    extras = norms(width, PRE_NORMS)
    layers = [
        Layer(
            (attention if number % attends[0] == attends[1] else state,),
            routed if number % expert[0] == expert[1] else plain,
            extras,
        )
        for number in range(count)
    ]
    return decoder(config, "jamba", layers, wiring=_UNKNOWN_GRAPH)


@blueprint("Rwkv6ForCausalLM")
def rwkv6(config: Config) -> Model:
    width, count = width_of(config), config.layers()
    head = config.integer("head_size", default=64)
    attended = config.integer("attention_hidden_size", default=width)
    inner = config.integer("intermediate_size", default=int(width * 3.5 // 32 * 32))
    large = width >= 4096
    mixed, decayed = (64, 128) if large else (32, 64)

    def parts() -> Iterator[Part]:
        yield from norm("attn_norm", width, with_bias=True)
        yield from norm("attn_norm_2", width, with_bias=True)
        yield matrix("time_mix_w1", width, 5 * mixed, _STATE)
        yield Part("time_mix_w2.weight", (mixed, width, 5), _STATE)
        yield Part("time_mix_lerp_x.weight", (width,), _STATE)
        yield Part("time_mix_lerp_fused.weight", (width, 1, 1, 5), _STATE)
        yield Part("time_mix_first.weight", (head, attended // head), _STATE)
        yield Part("time_mix_decay.weight", (width,), _STATE)
        yield matrix("time_mix_decay_w1", width, decayed, _STATE)
        yield matrix("time_mix_decay_w2", decayed, attended, _STATE)
        for name in ("key", "value", "receptance", "gate"):
            yield matrix(f"time_mix_{name}", attended, width, _STATE)
        yield from norm("time_mix_ln", width, with_bias=True)
        yield matrix("time_mix_output", width, attended, _STATE)
        yield Part("channel_mix_lerp_k.weight", (width,), Role.FFN)
        yield Part("channel_mix_lerp_r.weight", (width,), Role.FFN)
        yield matrix("channel_mix_key", width, inner, Role.FFN)
        yield matrix("channel_mix_value", inner, width, Role.FFN)
        yield matrix("channel_mix_receptance", width, width, Role.FFN)

    layer = Layer((ObservedState(tuple(parts()), Past(convolution=2 * width, state=head * width)),), None)
    return decoder(
        config,
        "rwkv6",
        [layer] * count,
        norm_bias=True,
        extra_globals=norm("token_embd_norm", width, with_bias=True),
        wiring=_UNKNOWN_GRAPH,
    )


@blueprint("Rwkv7ForCausalLM", "RWKV7ForCausalLM")
def rwkv7(config: Config) -> Model:
    """Four low-rank gates; the converter gives the first layer a value gate as well."""
    width, count = width_of(config), config.layers()
    head = config.integer("head_dim", "head_size", default=64)
    inner = config.integer("intermediate_size", default=4 * width)
    ranks = {
        "w": config.integer("decay_low_rank_dim", default=_rank(width, 1.8)),
        "a": config.integer("a_low_rank_dim", default=_rank(width, 1.8)),
        "v": config.integer("v_low_rank_dim", default=_rank(width, 1.3)),
    }
    gate = config.integer("gate_low_rank_dim", default=_rank(width, 0.6, 0.8))

    def parts(first: bool) -> Iterator[Part]:
        yield from norm("attn_norm", width, with_bias=True)
        yield from norm("attn_norm_2", width, with_bias=True)
        for name, usual in ranks.items():
            rank = ranks["a"] if first and name == "v" else usual  # the first value gate is a copy that nothing reads
            yield Part(f"time_mix_{name}0.weight", (width,), _STATE)
            yield matrix(f"time_mix_{name}1", width, rank, _STATE)
            yield matrix(f"time_mix_{name}2", rank, width, _STATE)
        yield matrix("time_mix_g1", width, gate, _STATE)
        yield matrix("time_mix_g2", gate, width, _STATE)
        yield Part("time_mix_lerp_fused.weight", (width, 1, 1, 6), _STATE)
        for name in ("k_k", "k_a", "r_k"):
            yield Part(f"time_mix_{name}.weight", (width,), _STATE)
        for name in ("key", "value", "receptance", "output"):
            yield matrix(f"time_mix_{name}", width, width, _STATE)
        yield from norm("time_mix_ln", width, with_bias=True)
        yield Part("channel_mix_lerp_k.weight", (width,), Role.FFN)
        yield matrix("channel_mix_key", width, inner, Role.FFN)
        yield matrix("channel_mix_value", inner, width, Role.FFN)

    past = Past(convolution=2 * width, state=head * width)
    first, rest = (Layer((ObservedState(tuple(parts(one)), past),), None) for one in (True, False))
    return decoder(
        config,
        "rwkv7",
        [first, *[rest] * (count - 1)],
        norm_bias=True,
        extra_globals=norm("token_embd_norm", width, with_bias=True),
        wiring=_UNKNOWN_GRAPH,
    )


def _rank(width: int, factor: float, power: float = 0.5) -> int:
    """Ranks of RWKV 7 where a config states none: by the width, in steps of 32."""
    steps: float = factor * math.pow(width, power) / 32
    return max(32, round(steps) * 32)
