"""Decoders that mix attention with recurrent layers, whose state does not grow with the context."""

from __future__ import annotations

from dataclasses import replace

from advisor.foundation.errors import InputError
from advisor.models.blueprints.common import (
    GATE_AND_UP,
    PRE_NORMS,
    blueprint,
    decoder,
    dense,
    grouped_query_attention,
    norms,
    width_of,
)
from advisor.models.blueprints.experts import draft_head
from advisor.models.config import MAX_LAYERS, Config
from advisor.models.feed_forward import Dense, FeedForward, MixtureOfExperts
from advisor.models.mixers import Attention
from advisor.models.model import Layer, Model
from advisor.models.recurrent import GatedDeltaNet, Mamba2, ShortConvolution
from advisor.models.tensors import Part, Role
from advisor.models.wiring import ByRelease, GgufWiring, GraphWiring, RepositoryWiring, RouterWiring, Wiring

_GRANITE_KINDS = {"linear_attention": "mamba", "full_attention": "attention"}  # as transformers 5 calls them


@blueprint("GraniteMoeHybridForCausalLM")
def granite_hybrid(config: Config) -> Model:
    """State-space layers replace positions; without any the converter calls the model plain "granite" or "granitemoe",
    whose tensors llama.cpp can split."""
    width, count = width_of(config), config.layers()
    kinds: dict[str, Attention | Mamba2] = {"attention": grouped_query_attention(config)}
    types = [_GRANITE_KINDS.get(kind, kind) for kind in config.layer_types(count)]
    hybrid = set(types) != {"attention"}
    if hybrid:
        kinds["mamba"] = _mamba(config, config.integer("mamba_expand") * width)
    experts = config.experts("num_local_experts", default=0)
    block: FeedForward
    if experts:
        block = MixtureOfExperts(
            experts,
            config.experts("num_experts_per_tok"),
            config.integer("intermediate_size"),
            shared_inner=config.integer("shared_intermediate_size"),
        )
    else:
        block = Dense(config.integer("shared_intermediate_size"))
    extras = norms(width, PRE_NORMS)
    return decoder(
        config,
        "granitehybrid",
        [Layer((kinds[kind],), block, extras) for kind in types],
        wiring=Wiring(
            GraphWiring(rotation="nowhere" if hybrid else "everywhere", embeddings_scaled=not hybrid),
            gguf=GgufWiring(tensor_split=not hybrid),
            repository=RepositoryWiring(experts_together=True, merged=_GRANITE_MERGED),
        ),
    )


_GRANITE_MERGED = (
    ("ffn_up", ("ffn_gate", "ffn_up")),
    ("ffn_up_shexp", ("ffn_gate_shexp", "ffn_up_shexp")),
    GATE_AND_UP,
)


def _mamba(config: Config, inner: int, norm: bool = True) -> Mamba2:
    return Mamba2(
        inner=inner,
        state=config.integer("mamba_d_state"),
        groups=config.integer("mamba_n_groups"),
        heads=config.integer("mamba_n_heads"),
        kernel=config.integer("mamba_d_conv"),
        convolution_bias=config.flag("mamba_conv_bias", default=True),
        norm=norm,
    )


@blueprint("BambaForCausalLM")
def bamba(config: Config) -> Model:
    """As Granite's, whose config came later; its attention sees positions."""
    attends = set(config.sequence("attn_layer_indices"))
    types = ["attention" if number in attends else "mamba" for number in range(config.layers())]
    inner = config.integer("intermediate_size")
    model = granite_hybrid(Config({**config.values, "layer_types": types, "shared_intermediate_size": inner}))
    return replace(model, wiring=replace(model.wiring, assumed=True))


@blueprint("FalconH1ForCausalLM")
def falcon_h1(config: Config) -> Model:
    """Attention and a state-space block side by side in every layer."""
    width, count = width_of(config), config.layers()
    inner = config.integer("mamba_d_ssm", default=0, low=0) or config.integer("mamba_expand") * width
    mamba = _mamba(config, inner, norm=config.flag("mamba_rms_norm"))
    # llama.cpp's converter writes this one norm without the usual ".weight".
    extras = (*norms(width, ("attn_norm",)), Part("ffn_norm", (width,), Role.NORM))
    layer = Layer((grouped_query_attention(config), mamba), dense(config), extras)
    wiring = Wiring(GraphWiring(rows="after residual"), gguf=GgufWiring(tensor_split=False))
    return decoder(config, "falcon-h1", [layer] * count, wiring=wiring)


@blueprint("NemotronHForCausalLM")
def nemotron_h(config: Config) -> Model:
    """Each layer is one of state space (M), attention (*), dense (-) or experts (E)."""
    width = width_of(config)
    pattern = _nemotron_pattern(config)
    heads = config.integer("mamba_num_heads")
    mamba = Mamba2(
        inner=heads * config.integer("mamba_head_dim"),
        state=config.integer("ssm_state_size"),
        groups=config.integer("n_groups"),
        heads=heads,
        kernel=config.integer("conv_kernel"),
        convolution_bias=config.flag("use_conv_bias", default=True),
    )
    attention = grouped_query_attention(config)
    experts = config.experts("n_routed_experts", default=0)
    block: FeedForward = (
        MixtureOfExperts(
            experts,
            config.experts("num_experts_per_tok"),
            config.integer("moe_intermediate_size"),
            gate=False,
            selection_bias=True,
            shared_inner=config.integer("moe_shared_expert_intermediate_size"),
            latent=config.integer("moe_latent_size", default=0, low=0),
        )
        if experts
        else Dense(config.integer("intermediate_size"), gate="none")
    )
    plain = Dense(config.integer("intermediate_size"), gate="none")
    extras = norms(width, ("attn_norm",))
    kinds = {
        "M": Layer((mamba,), None, extras),
        "*": Layer((attention,), None, extras),
        "-": Layer((), plain, extras),
        "E": Layer((), block, extras),
    }
    drafts = config.integer("num_nextn_predict_layers", default=0, low=0, high=16)
    draft = Layer((attention,), block, norms(width, ("attn_norm", "post_attention_norm")) + draft_head(width))
    return decoder(
        config,
        "nemotron_h_moe" if experts else "nemotron_h",
        [kinds[kind] for kind in pattern],
        mtp_layers=[draft] * drafts,
        wiring=Wiring(
            GraphWiring(rotation="nowhere", by_release=ByRelease(rows_late=("2026-09", "2026-10"))),
            router=RouterWiring(scaled=True, linear_in_transformers=False, in_mlx="unpacked"),
            gguf=GgufWiring(tensor_split=False),
            states_in_32_bit=True,
        ),
    )


def _nemotron_pattern(config: Config) -> str:
    """One letter a layer, from the pattern string or, in newer configs, from the list of block types."""
    if config.has("layers_block_type"):
        letters = {
            "mamba": "M",
            "linear_attention": "M",
            "attention": "*",
            "full_attention": "*",
            "mlp": "-",
            "moe": "E",
        }
        pattern = "".join(letters.get(str(kind), "?") for kind in config.sequence("layers_block_type"))
    else:
        pattern = config.text("hybrid_override_pattern")
    count = config.integer("num_hidden_layers", default=len(pattern), high=MAX_LAYERS)
    if not pattern or len(pattern) != count or not set(pattern) <= set("M*-E"):
        raise InputError(
            "config.json: the layer pattern must name mamba, attention, mlp or moe for each of the {count} layers.",
            count=count,
        )
    return pattern


def delta_net(config: Config, joint_beta_alpha: bool) -> GatedDeltaNet:
    return GatedDeltaNet(
        key_heads=config.integer("linear_num_key_heads"),
        value_heads=config.integer("linear_num_value_heads"),
        key_size=config.integer("linear_key_head_dim"),
        value_size=config.integer("linear_value_head_dim"),
        kernel=config.integer("linear_conv_kernel_dim"),
        joint_beta_alpha=joint_beta_alpha,
    )


def full_attention_layers(config: Config, count: int) -> list[bool]:
    if config.has("layer_types"):
        return [kind == "full_attention" for kind in config.layer_types(count)]
    interval = config.integer("full_attention_interval", default=4)
    return [(number + 1) % interval == 0 for number in range(count)]


def gated_experts(config: Config) -> MixtureOfExperts:
    return MixtureOfExperts(
        config.experts("num_experts"),
        config.experts("num_experts_per_tok"),
        config.integer("moe_intermediate_size"),
        shared_inner=config.integer("shared_expert_intermediate_size"),
        shared_gate=True,
    )


@blueprint(
    "Qwen3NextForCausalLM",
    "Qwen3_5ForConditionalGeneration",
    "Qwen3_5MoeForConditionalGeneration",
    "Qwen3_5ForCausalLM",
)
def qwen3_next(config: Config) -> Model:
    """Three delta-net layers for one of gated attention."""
    width, count = width_of(config), config.layers()
    first_generation = config.architecture.startswith("Qwen3Next")
    experts = config.experts("num_experts", default=0)
    names = {(True, True): "qwen3next", (False, True): "qwen35moe", (False, False): "qwen35"}
    attention = grouped_query_attention(config, query_key_norm="head", gated_query=True)
    recurrent = delta_net(config, joint_beta_alpha=first_generation)
    block: FeedForward = gated_experts(config) if experts else dense(config)
    extras = norms(width, ("attn_norm", "post_attention_norm"))
    layers = [
        Layer((attention if full else recurrent,), block, extras) for full in full_attention_layers(config, count)
    ]
    drafts = config.integer("mtp_num_hidden_layers", "num_nextn_predict_layers", default=0, low=0, high=16)
    draft = Layer((attention,), block, extras + draft_head(width))
    together = bool(experts) and not first_generation
    merged = (("attn_qkv", ("attn_qkv", "attn_gate")),) if first_generation else (GATE_AND_UP,) if experts else ()
    return decoder(
        config,
        names[(first_generation, bool(experts))],
        layers,
        grouped_query_ratio=attention.heads // attention.kv_heads,
        mtp_layers=[draft] * drafts,
        wiring=Wiring(
            GraphWiring(
                position_axes=1 if first_generation else 4,
                by_release=ByRelease(
                    rows_late=("2026-09" if first_generation else "2026-08", "2026-10"),
                    gate_reshaped_before="2026-09" if first_generation else "",
                ),
            ),
            repository=RepositoryWiring(experts_together=together, merged=merged, decay_in_32_bit=not first_generation),
            states_in_32_bit=not first_generation,
        ),
    )


@blueprint("Lfm2ForCausalLM", "Lfm2MoeForCausalLM")
def lfm2(config: Config) -> Model:
    """Short convolutions with a few attention layers."""
    width, count = width_of(config), config.layers()
    attention = grouped_query_attention(config, query_key_norm="head")
    convolution = ShortConvolution(config.integer("conv_L_cache"))
    inner = config.integer("intermediate_size", "block_ff_dim")
    if config.flag("block_auto_adjust_ff_dim"):
        inner = int(2 * inner / 3)
        multiple = config.integer("block_multiple_of", default=256)
        inner = -(-int(inner * float(config.get("block_ffn_dim_multiplier", 1.0))) // multiple) * multiple
    plain = Dense(inner)
    experts = config.experts("num_experts", default=0)
    leading = config.integer("num_dense_layers", default=0, low=0, high=count) if experts else count
    routed = (
        MixtureOfExperts(
            experts,
            config.experts("num_experts_per_tok"),
            config.integer("moe_intermediate_size"),
            selection_bias=True,
        )
        if experts
        else None
    )
    extras = norms(width, PRE_NORMS)
    if config.has("layer_types"):
        types = config.layer_types(count)
    else:
        full = set(config.sequence("full_attn_idxs"))
        types = ["full_attention" if number in full else "conv" for number in range(count)]
    layers = [
        Layer(
            (attention if kind == "full_attention" else convolution,),
            plain if number < leading else routed,
            extras,
        )
        for number, kind in enumerate(types)
    ]
    return decoder(
        config,
        "lfm2moe" if experts else "lfm2",
        layers,
        tied_default=True,
        final_norm="token_embd_norm",
        wiring=Wiring(GraphWiring(stream_first=True, stream_first_when_fed=True)),
    )
