"""What vLLM takes of a GPU beside weights and KV cache: an estimate, as low / typical / high bytes.

vLLM measures these at startup (`v1/worker/gpu_worker.py`, `determine_available_memory`) instead of computing them. The
structure follows what it runs while it measures: one forward pass of the largest batch, then the sampler on the largest
number of requests. Factors are fitted to logged startups: "PyTorch activation peak memory", "non_torch_memory",
"Estimated CUDA graph memory", and what is missing between the budget and "Available KV cache memory".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from advisor.foundation.caches import kept_beside
from advisor.foundation.ranges import Range
from advisor.foundation.units import GIB
from advisor.models.feed_forward import Dense, FeedForward, MixtureOfExperts
from advisor.models.mixers import Attention, CompressedAttention, LatentAttention, LinearAttention, Mixer
from advisor.models.model import Layer, Model
from advisor.models.observed import Observed
from advisor.models.recurrent import GatedDeltaNet, KimiDelta, Mamba2, NgramLookup, ShortConvolution

# Bytes per request and vocabulary entry while sampling: FlashInfer's or the fused kernel keeps scores and
# probabilities; a sort over the vocabulary, as on GPUs without either, took 36 to 39 (gpt-oss-120b: 7.4 GiB).
SAMPLER_BYTES = Range(4, 16, 40)
# Sorted on consumer Blackwell, whose image had no kernel for it: 1,024 requests of Qwen3.8 27B left 556 blocks in BF16,
# 939 in FP8 and, of a file of 24.0 GiB in NVFP4, 1,011 of an RTX PRO 6000 (vllm-project/recipes pulls 831 and 810).
_SORTED_BYTES = Range(16, 50, 54)
_SORTS_FROM = 12.0  # compute capability
# Fusion by torch.compile saves some of the copies of a token's state; attention backends add workspaces.
FORWARD_FACTOR = Range(0.8, 1.1, 2.0)
# Logged: 0.03 to 0.35 GiB on one GPU, 0.25 to 0.8 with NCCL; attention workspaces of newer backends add 0.4.
ALONE_BYTES = Range(0.03 * GIB, 0.3 * GIB, 0.8 * GIB)
TOGETHER_BYTES = Range(0.25 * GIB, 0.6 * GIB, 2.0 * GIB)
# Logged: 0.11 to 0.73 GiB by versions 0.19 to 0.27, 1.12 for a 40-layer model by older ones, 2.4 at worst.
GRAPH_BYTES_PER_LAYER = Range(0.002 * GIB, 0.01 * GIB, 0.03 * GIB)
LARGEST_GRAPH_BATCH = 512


@dataclass(frozen=True, slots=True)
class Batch:
    """The largest batch: tokens of a step (`--max-num-batched-tokens`) and requests (`--max-num-seqs`)."""

    tokens: int
    requests: int


def default_batch(capacity_bytes: int) -> Batch:
    """What `vllm serve` chooses by the GPU's memory (`engine/arg_utils.py`; the A100 counts as a smaller card)."""
    if capacity_bytes >= 160 * GIB:
        return Batch(16384, 1024)
    return Batch(8192, 1024) if capacity_bytes >= 70 * GIB else Batch(2048, 256)


@dataclass(frozen=True, slots=True)
class Step:
    """One pass of the largest batch through the layers of a model that `gpus` GPUs split.

    Only the last stage of a pipeline `samples`. Where replicas share experts, the batches of so many are `gathered`
    before them.
    """

    model: Model
    gpus: int
    batch: Batch
    capability: float | None = None
    samples: bool = True
    gathered: int = 1


def overhead_range(step: Step, enforce_eager: bool) -> Range:
    """Activations, CUDA graphs and memory outside PyTorch, on each GPU."""
    activations = activation_range(step)
    outside = ALONE_BYTES if step.gpus == 1 else TOGETHER_BYTES
    graphs = Range(0, 0, 0)
    if not enforce_eager:
        share = min(1.0, 2 * step.batch.requests / LARGEST_GRAPH_BATCH)
        graphs = GRAPH_BYTES_PER_LAYER.scaled(len(step.model.layers) * max(share, 0.1))
    parts = (activations, outside, graphs)
    return Range(sum(part.low for part in parts), sum(part.typical for part in parts), sum(part.high for part in parts))


def activation_range(step: Step) -> Range:
    """The larger of the forward pass and the sampler; the sampler runs on the last states of all tokens."""
    model, batch, capability = step.model, step.batch, step.capability
    per_word = _SORTED_BYTES if capability is not None and capability >= _SORTS_FROM else SAMPLER_BYTES
    per_token = 2 * (3 * model.width + _widest(model, step.gpus))
    if step.gathered > 1:
        per_token += 2 * 2 * step.gathered * model.width
    forward = FORWARD_FACTOR.scaled(batch.tokens * per_token)
    if not model.causal or not step.samples:
        return forward
    states = 2 * batch.tokens * model.width
    sampler = per_word.scaled(min(batch.requests, batch.tokens) * model.vocabulary)
    return Range(
        max(forward.low, sampler.low + states),
        max(forward.typical, sampler.typical + states),
        max(forward.high, sampler.high + states),
    )


@kept_beside
def _widest(model: Model, gpus: int) -> int:
    """Elements a token needs at the widest place of any layer on one GPU."""
    return max(_layer_elements(layer, model.width, gpus) for layer in dict.fromkeys(model.layers))


def _layer_elements(layer: Layer, width: int, gpus: int) -> int:
    """Elements a token needs at the widest place of a layer on one GPU."""
    return max([_mixing(mixer, gpus) for mixer in layer.mixers] + [_feeding(layer.feed_forward, width, gpus)])


def _mixing(mixer: Mixer, gpus: int) -> int:
    """An estimate of vLLM's own, which expands latent vectors: hence by kind."""
    match mixer:
        case Attention():
            heads = mixer.heads * (mixer.head_size + mixer.value_head_size) * (2 if mixer.gated_query else 1)
            return (heads + mixer.key_width + mixer.value_width) // gpus
        case LatentAttention():
            expanded = mixer.heads * (2 * (mixer.nope_size + mixer.rope_size) + 2 * mixer.value_size)
            return expanded // gpus + mixer.query_rank + mixer.key_width
        case CompressedAttention():
            return 2 * mixer.heads * mixer.head_size // gpus + mixer.query_rank
        case Mamba2():
            return 2 * (2 * mixer.inner + mixer.convolution_width) // gpus
        case GatedDeltaNet():
            return (2 * mixer.convolution_width + 3 * mixer.value_heads * mixer.value_size) // gpus
        case KimiDelta():
            return (2 * mixer.convolution_width + 3 * mixer.inner) // gpus
        case Observed():
            return mixer.rows
        case ShortConvolution() | NgramLookup() | LinearAttention():
            return 0
        case _:
            assert_never(mixer)


def _feeding(block: FeedForward | None, width: int, gpus: int) -> int:
    match block:
        case Dense():
            return 3 * block.inner // gpus
        case MixtureOfExperts():
            hidden = block.latent or width
            routed = block.used * (max(2 * block.inner // gpus, hidden) + block.inner // gpus)
            return routed + 3 * block.shared_inner // gpus
        case None:
            return 0
        case _:
            assert_never(block)
