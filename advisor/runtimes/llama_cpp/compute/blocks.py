"""Which nodes a mixer or feed-forward block of a given kind stands for."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from advisor.models.feed_forward import Dense, FeedForward, MixtureOfExperts
from advisor.models.mixers import Attention, CompressedAttention, LatentAttention, LinearAttention, Mixer
from advisor.models.observed import Observed
from advisor.models.recurrent import GatedDeltaNet, KimiDelta, Mamba2, NgramLookup, ShortConvolution
from advisor.runtimes.llama_cpp.compute import feed_forward as compute_feed_forward
from advisor.runtimes.llama_cpp.compute import mixers as compute_mixers
from advisor.runtimes.llama_cpp.compute import recurrent as compute_recurrent
from advisor.runtimes.llama_cpp.compute import sparse as compute_sparse
from advisor.runtimes.llama_cpp.compute.frame import Frame


def turned_back(frame: Frame, mixer: Mixer, core: int) -> int:
    """Undo the turning of values, unless a gate already had to."""
    if not isinstance(mixer, Attention) or mixer.gate or mixer.gated_query:
        return core
    return compute_mixers.turned_back(frame, mixer, core)


def output_of(mixer: Mixer) -> str:
    """The name of a mixer's output projection."""
    match mixer:
        case Mamba2() | GatedDeltaNet():
            return "ssm_out"
        case ShortConvolution():
            return "shortconv.out_proj"
        case CompressedAttention():
            return "attn_output_b"
        case _:
            return "attn_output"


def _nothing() -> None:
    pass


def mix(frame: Frame, mixer: Mixer, number: int, source: int, beside: Callable[[], None] = _nothing) -> int:
    """What the output projection of a mixer reads. `beside` adds what llama.cpp has waiting when a mixer is through."""
    match mixer:
        case Mamba2():
            return compute_recurrent.mamba2(frame, mixer, source, beside)
        case ShortConvolution():
            return compute_recurrent.short_convolution(frame, mixer, source, frame.model.width, beside)
        case _:
            result = turned_back(frame, mixer, core(frame, mixer, number, source))
            beside()
            return result


def core(frame: Frame, mixer: Mixer, number: int, source: int) -> int:
    """The same before values are turned back.

    The graph is llama.cpp's business, not that of the blocks: here it is asked of which kind a mixer is.
    """
    match mixer:
        case Attention():
            rotated = frame.model.wiring.graph.rotates(number, mixer.window)
            return compute_mixers.attention_core(frame, mixer, source, rotated)
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
        case Observed() | Mamba2() | ShortConvolution() | NgramLookup():
            # `mix` and `compute_streams.ngram_lookup` add these; of what was observed no graph is known.
            raise ValueError(f"{type(mixer).__name__} is never read by another block.")
        case _:
            assert_never(mixer)


def feed(frame: Frame, block: FeedForward | None, source: int) -> int:
    """The feed-forward block's result; without one, what it would have read."""
    match block:
        case None:
            return source
        case Dense():
            return compute_feed_forward.dense(frame, block, source)
        case MixtureOfExperts():
            return compute_feed_forward.experts(frame, block, source)
        case _:
            assert_never(block)
