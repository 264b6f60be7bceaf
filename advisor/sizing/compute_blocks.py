"""Which nodes a mixer or feed-forward block of a given kind stands for."""

from __future__ import annotations

from advisor.models.feed_forward import Dense, FeedForward, MixtureOfExperts
from advisor.models.mixers import Attention, CompressedAttention, LatentAttention, LinearAttention, Mixer
from advisor.models.model import Model
from advisor.models.recurrent import GatedDeltaNet, KimiDelta
from advisor.sizing import compute_feed_forward, compute_mixers, compute_recurrent, compute_sparse
from advisor.sizing.compute_frame import Frame


def rotates(model: Model, number: int, attention: Attention) -> bool:
    """Whether a layer rotates queries and keys by position."""
    match model.architecture:
        case "nemotron_h" | "nemotron_h_moe" | "bert":
            return False
        case "granitehybrid":  # models with state-space layers leave positions to them
            return all(isinstance(m, Attention) for layer in model.layers for m in layer.mixers)
        case "smollm3":
            return (number + 1) % 4 != 0
        case "cohere2" | "exaone4" | "llama4" | "muse-glimmer":  # full layers among windowed ones see no positions
            return attention.window > 0 or not any(
                isinstance(m, Attention) and m.window for layer in model.layers for m in layer.mixers
            )
    return True


def turned_back(frame: Frame, mixer: Mixer, core: int) -> int:
    if not isinstance(mixer, Attention) or mixer.gate or mixer.gated_query:
        return core
    return compute_mixers.turned_back(frame, mixer, core)


def mix(frame: Frame, mixer: Mixer, number: int, source: int) -> int:
    match mixer:
        case Attention():
            return compute_mixers.attention_core(frame, mixer, source, rotates(frame.model, number, mixer))
        case LatentAttention():
            return compute_mixers.latent_attention(frame, mixer, source)
        case GatedDeltaNet():
            return compute_recurrent.gated_delta_net(frame, mixer, source)
        case CompressedAttention():
            return compute_sparse.compressed_attention(frame, mixer, source)
        case KimiDelta():
            return compute_recurrent.kimi_delta(frame, mixer, source)
        case LinearAttention():
            return source
    raise NotImplementedError(type(mixer).__name__)


def feed(frame: Frame, block: FeedForward | None, source: int) -> int:
    """The feed-forward block's result; without one, what it would have read."""
    match block:
        case Dense():
            return compute_feed_forward.dense(frame, block, source)
        case MixtureOfExperts():
            return compute_feed_forward.experts(frame, block, source)
    return source
