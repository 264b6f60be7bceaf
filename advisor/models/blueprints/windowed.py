"""Dense decoders of which some layers see a window of the past only."""

from __future__ import annotations

from advisor.models.blueprints.common import (
    SANDWICH_NORMS,
    blueprint,
    dense,
    grouped_query_attention,
    rotation_in_windows,
    sliding_windows,
    uniform_decoder,
)
from advisor.models.config import Config
from advisor.models.model import Model
from advisor.models.wiring import GgufWiring, GraphWiring, Wiring


@blueprint("Cohere2ForCausalLM")
def cohere2(config: Config) -> Model:
    """Attention and feed-forward side by side; full layers see no positions."""
    windows = sliding_windows(config, config.layers(), config.integer("sliding_window_pattern", default=4))
    return uniform_decoder(
        config,
        "cohere2",
        attention=grouped_query_attention(config),
        feed_forward=dense(config),
        norm_names=("attn_norm",),
        windows=windows,
        tied_default=True,
        wiring=Wiring(
            GraphWiring(layer_norm=True, beside_attention="before projection", rotation=rotation_in_windows(windows))
        ),
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
        wiring=Wiring(gguf=GgufWiring(tensor_split=False)),
    )


@blueprint("Exaone4ForCausalLM")
def exaone4(config: Config) -> Model:
    """Norms after the blocks; the 32B mixes windowed layers with full ones, which see no positions."""
    windows = sliding_windows(config, config.layers(), 4)
    return uniform_decoder(
        config,
        "exaone4",
        attention=grouped_query_attention(config, query_key_norm="head"),
        feed_forward=dense(config),
        norm_names=("post_attention_norm", "post_ffw_norm"),
        windows=windows,
        wiring=Wiring(GraphWiring(rotation=rotation_in_windows(windows))),
    )


@blueprint("MuseGlimmerForConditionalGeneration")
def muse_glimmer(config: Config) -> Model:
    windows = sliding_windows(config, config.layers(), 4)
    return uniform_decoder(
        config,
        "muse-glimmer",
        attention=grouped_query_attention(config, query_key_norm="head", gate=True),
        feed_forward=dense(config),
        norm_names=SANDWICH_NORMS,
        windows=windows,
        wiring=Wiring(GraphWiring(rotation=rotation_in_windows(windows))),
    )
