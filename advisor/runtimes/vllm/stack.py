"""What vLLM loads beside the language model, on each GPU: the vision part, LoRA adapters, what drafts tokens.

Rules of vLLM 0.33.0. It loads a vision part unless told `--language-model-only`, and at the start encodes the largest
image, or the longest video where `--limit-mm-per-prompt` does not forbid it (`v1/worker/gpu_model_runner.py`,
`profile_run`); that memory stays set aside. Adapters have places of the largest rank for every linear weight, filled or
not (`lora/layers`); experts have them too. A draft model and multi-token-prediction layers share the pool of the cache.
"""

from __future__ import annotations

from dataclasses import replace

from advisor.foundation.caches import kept_beside
from advisor.models.linear_layers import Kind, stored_block
from advisor.models.model import Model
from advisor.runtimes.vllm.weights import blocks_of, shard_of
from advisor.sizing.memory import Beside
from advisor.sizing.request import DraftModel, PlanRequest

DRAFTED = 3  # tokens at a time, as the commands say
RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # --max-lora-rank
_HALF, _SINGLE = 2, 4  # bytes
_SHARED = 0.65  # of what one GPU would hold to encode, where tensors are split: 0.64 logged on two, 0.73 on four
_VIDEO_SHARE = 0.945  # of the context that the longest video takes
_UNKNOWN_ENCODING = 2_000_000_000  # where shapes are not known: as the largest image of the Qwen family takes
ENCODING_SPREAD = 0.25  # of the estimate, either way


def beside_on_gpu(request: PlanRequest, gpus: int, batch_tokens: int, activations: float) -> Beside:
    """Bytes on each of `gpus` GPUs. `activations` are what the language model's own largest batch takes, which memory
    serves encoding too.
    """
    model = request.model
    adapters = 0
    if request.adapters is not None:
        places = request.adapters.count * adapter_rank(request.adapters.rank)
        adapters = places * _adapted(model.trunk or model, gpus) * _HALF
    encoding = max(0, encoding_bytes(request, gpus, batch_tokens) - round(activations))
    projector = vision_bytes(request, gpus) + encoding + _encoded_bytes(request, batch_tokens)
    return Beside(_draft_bytes(request.draft, gpus), projector, adapters, _mtp_bytes(request, gpus))


def adapter_rank(rank: int) -> int:
    """The smallest rank that vLLM makes places of."""
    return next(one for one in RANKS if one >= rank)


def vision_bytes(request: PlanRequest, gpus: int) -> int:
    """Weights of the vision part on each GPU, in 16 bit and split as the language model's are."""
    if request.model.tower is None or request.vision is None:
        return 0
    return _HALF * request.model.tower.parameters // gpus


def _encoded_tokens(request: PlanRequest, batch_tokens: int) -> int:
    """Tokens of the largest input that is encoded at once, or of as many small ones as a batch holds; 0: none is."""
    tower, vision = request.model.tower, request.vision
    if tower is None or vision is None:
        return 0
    video = int(_VIDEO_SHARE * request.settings.context) if vision.video and tower.video else 0
    return max(tower.image_tokens, batch_tokens, video)


def _encoded_bytes(request: PlanRequest, batch_tokens: int) -> int:
    """What such an input is encoded to, kept in 16 bit."""
    return _HALF * _encoded_tokens(request, batch_tokens) * request.model.width


def encoding_bytes(request: PlanRequest, gpus: int, batch_tokens: int) -> int:
    """What encoding it takes."""
    tower, tokens = request.model.tower, _encoded_tokens(request, batch_tokens)
    if tower is None or not tokens:
        return 0
    if not tower.held:
        return _UNKNOWN_ENCODING
    share = 1 if gpus == 1 else _SHARED
    return round(share * _HALF * tokens * tower.per_token * tower.held) + tower.fixed_compute


@kept_beside
def _adapted(model: Model, gpus: int) -> int:
    """Inputs and outputs of all linear weights and experts on one GPU, added up."""
    return sum(
        count * (shard.rows + shard.columns) * shard.copies
        for layer, count, weights in blocks_of(model)
        for shard in (shard_of(one, layer, gpus, expert_parallel=False) for one in weights)
        if shard.kind in (Kind.LINEAR, Kind.EXPERT)
    )


def _draft_bytes(draft: DraftModel | None, gpus: int) -> int:
    """Weights of a draft model as published, in 16 bit."""
    return 0 if draft is None else _HALF * draft.model.parameters // gpus


def _mtp_bytes(request: PlanRequest, gpus: int) -> int:
    """Multi-token-prediction layers, which recipes leave in 16 bit; a recurrent state more for each drafted token."""
    model = request.model
    if model.trunk is None or not request.settings.mtp:
        return 0
    weights = _HALF * sum(
        weight.rows * weight.columns * weight.copies
        for layer in model.layers[len(model.trunk.layers) :]
        for weight in stored_block(model, layer)
        if weight.shape
    )
    states = (
        _SINGLE
        * DRAFTED
        * request.settings.users
        * sum(
            past.convolution + past.state
            for layer in model.trunk.layers
            for past in (mixer.kept(model.width) for mixer in layer.mixers)
        )
    )
    return (weights + states) // gpus


def cached_model(request: PlanRequest) -> Model:
    """The model whose layers share the pool: with those that draft."""
    model = request.model
    if not request.settings.mtp:
        model = model.trunk or model
    return model if request.draft is None else _with_layers(model, request.draft.model)


@kept_beside
def _with_layers(model: Model, draft: Model) -> Model:
    return replace(model, layers=model.layers + draft.layers, trunk=None)
