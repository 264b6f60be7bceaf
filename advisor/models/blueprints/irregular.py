"""Dense decoders whose layers are of different kinds: for images, or chosen one by one."""

from __future__ import annotations

from advisor.foundation.message import fact
from advisor.models.blueprints.common import (
    PRE_NORMS,
    blueprint,
    decoder,
    dense,
    grouped_query_attention,
    norms,
    rope_factors,
    width_of,
)
from advisor.models.blueprints.dense import known_by_size
from advisor.models.config import Config
from advisor.models.feed_forward import Dense
from advisor.models.mixers import Attention, LinearAttention
from advisor.models.model import Layer, Model
from advisor.models.tensors import Part, Role
from advisor.models.wiring import GgufWiring, Wiring


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
        runtime_note=fact("no_loader_for_llama_vision"),
    )


@blueprint("DeciLMForCausalLM")
def nemotron_nas(config: Config) -> Model:
    """Each layer was chosen by search: attention or feed-forward may be absent or replaced by one matrix."""
    width = width_of(config)
    heads = config.integer("num_attention_heads")
    if config.has("num_key_value_heads_per_layer"):
        return _heads_by_layer(config, width, heads)
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
        wiring=Wiring(gguf=GgufWiring(extra_value_bits=known_by_size(config, "deci"))),
    )


def _heads_by_layer(config: Config, width: int, heads: int) -> Model:
    """DeciLM-7B: layers differ in their KV heads only."""
    extras, block = norms(width, PRE_NORMS), dense(config)
    each = config.sequence("num_key_value_heads_per_layer", config.layers())
    layers = [Layer((Attention(heads, int(cached), width // heads),), block, extras) for cached in each]
    return decoder(config, "deci", layers, extra_globals=rope_factors(config, width // heads))


def _multiple_of_256(multiplier: float, width: int) -> int:
    """Feed-forward size of Nemotron-NAS: two thirds of the nominal size, rounded up to 256."""
    inner = int(2 * multiplier * width / 3)
    return -(-inner // 256) * 256
