"""What publishers of a scheme leave in 16 bit although its writer would pack it, as seen in published repositories.

In four bits many pack the routed experts only: NVIDIA wherever a block has other feed-forward layers beside them,
llm-compressor's users wherever attention is not plain. Beside a delta net, and in models published in FP4 and FP8, the
others have 8 bits then; of a dense model with a delta net all but the feed-forward layers. FP8 with a scale for each
block was seen with everything packed. `tests/benchmarks/repositories.py` holds these rules against repositories.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from advisor.formats.safetensors_levels import BESIDE_EXPERTS, SafetensorsLevel, Scheme
from advisor.formats.safetensors_sizes import stored_weight
from advisor.foundation.caches import kept_beside
from advisor.models.linear_layers import Kind, Weight, stored_layers
from advisor.models.mixers import Attention
from advisor.models.model import Model
from advisor.models.recurrent import GatedDeltaNet

_WHOLE, _EIGHT_BIT = 2, 1  # bytes of a weight
_INTEGERS = (Scheme.GPTQ, Scheme.AWQ, Scheme.PACKED)
_NEVER = (Scheme.PLAIN, Scheme.MLX, Scheme.NF4, Scheme.LLM_INT8, Scheme.NATIVE_MXFP4, Scheme.NATIVE_FP4, Scheme.BLOCK)
_FOUR_BITS = 4
_ATTENTION, _FEED_FORWARD = "self_attn.", "mlp."
_Weights = list[tuple[int, Weight]]


@dataclass(frozen=True, slots=True)
class KeptBytes:
    """How many bytes more a checkpoint takes than its writer's: as published most often, and at most."""

    usual: int = 0
    most: int = 0


def published_form(model: Model, level: SafetensorsLevel) -> SafetensorsLevel:
    """The level as publishers make it, with what they usually do not pack; see `bytes_beside` for what that takes."""
    if level.kept or level.bits != _FOUR_BITS:
        return level
    if model.experts and _only_experts(model, level):
        return replace(level, kept=BESIDE_EXPERTS)
    if level.scheme is not Scheme.NVFP4 or model.experts:
        return level
    if _has_delta_net(model):
        return replace(level, kept=(_ATTENTION, "linear_attn."))
    return replace(level, kept=(_ATTENTION,)) if model.wiring.repository.attention_kept else level


def bytes_beside(model: Model, level: SafetensorsLevel) -> int:
    """Bytes of a weight that publishers leave out of their four bits."""
    eight = level.scheme is Scheme.NVFP4 and (_has_delta_net(model) or model.wiring.repository.native_fp4)
    return _EIGHT_BIT if eight else _WHOLE


@kept_beside
def kept_bytes(model: Model, level: SafetensorsLevel) -> KeptBytes:
    """What publishers leave in 16 bit, or in 8, of `model` at `level`."""
    if level.scheme in _NEVER or level.kept:
        return KeptBytes()
    linear = [
        (count, weight) for count, weights in stored_layers(model) for weight in weights if weight.kind is Kind.LINEAR
    ]
    form = published_form(model, level)
    usual = _more(linear, form.kept, model, level, bytes_beside(model, level)) if form.kept else 0
    if level.scheme in _INTEGERS:
        most = _more(linear, ("linear_attn.out_proj",), model, level, _WHOLE)
    else:
        most = _more(linear, ("",) if model.experts else ("linear_attn.",), model, level, _WHOLE)
    return KeptBytes(usual, max(usual, most))


def _only_experts(model: Model, level: SafetensorsLevel) -> bool:
    """Whether publishers pack nothing but the routed experts of a mixture."""
    if level.scheme is Scheme.PACKED:
        return not all(isinstance(mixer, Attention) for mixer in model.mixers)
    return level.scheme is Scheme.NVFP4 and any(
        {Kind.EXPERT, Kind.LINEAR} <= {weight.kind for weight in weights if weight.name.startswith(_FEED_FORWARD)}
        for _, weights in stored_layers(model)
    )


def _has_delta_net(model: Model) -> bool:
    return any(isinstance(mixer, GatedDeltaNet) for mixer in model.mixers)


def _more(weights: _Weights, names: tuple[str, ...], model: Model, level: SafetensorsLevel, size: int) -> int:
    """Bytes on top of what the level takes where the `weights` of these names have `size` bytes each."""
    return sum(
        max(0, count * (size * weight.elements - stored_weight(weight, level, model.wiring).size_bytes))
        for count, weight in weights
        if weight.name.startswith(names)
    )
