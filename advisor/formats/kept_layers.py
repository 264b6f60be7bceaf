"""What publishers of a scheme leave in 16 bit although its writer would pack it, as seen in published repositories.

In four bits many pack the routed experts only: NVIDIA wherever a block has other feed-forward layers beside them,
llm-compressor's users wherever attention is not plain. Beside a delta net, and in models published in FP4 and FP8, the
others have 8 bits then; of a dense model with a delta net all but the feed-forward layers. Of mixtures with Mamba
layers NVIDIA leaves attention and projections into a narrower space in 16 bit, and has the others in 8
(https://github.com/NVIDIA/Model-Optimizer, `tools/recipe_backfill/published_checkpoints.json` of November 2026, which
lists the format of every module of what it published). FP8 with a scale for each block was seen with everything packed.
`tests/benchmarks/repositories.py` holds these rules against repositories.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from advisor.formats.safetensors_levels import BESIDE_EXPERTS, SafetensorsLevel, Scheme, find_safetensors_level
from advisor.formats.safetensors_sizes import size_safetensors_level, stored_weight
from advisor.foundation.caches import kept_beside
from advisor.models.linear_layers import Kind, stored_layers
from advisor.models.mixers import Attention
from advisor.models.model import Model
from advisor.models.recurrent import GatedDeltaNet, Mamba2

_WHOLE = 2  # bytes of a weight
_INTEGERS = (Scheme.GPTQ, Scheme.AWQ, Scheme.PACKED)
_NEVER = (Scheme.PLAIN, Scheme.MLX, Scheme.LLM_INT8, Scheme.NATIVE_MXFP4, Scheme.NATIVE_FP4, Scheme.BLOCK)
_FOUR_BITS = 4
_ATTENTION, _FEED_FORWARD, _NARROWER = "self_attn.", "mlp.", "mlp.latent_"
_EIGHT_BITS = find_safetensors_level("FP8-static")
# AutoAWQ never learned recurrent layers: what is published of them as AWQ is by llm-compressor.
_GROUPS_OF_32 = find_safetensors_level("W4A16-asym-g32")


@dataclass(frozen=True, slots=True)
class KeptBytes:
    """How many bytes more a checkpoint takes than its writer's: as published most often, and at most."""

    usual: int = 0
    most: int = 0


@kept_beside
def published_form(model: Model, level: SafetensorsLevel) -> SafetensorsLevel:
    """The level as publishers make it, with what they usually leave in 16 bit, or in 8."""
    if level.kept or level.bits != _FOUR_BITS:
        return level
    if level.scheme is Scheme.AWQ and _is_hybrid(model):
        level = replace(_GROUPS_OF_32, name=level.name, format=level.format)
    kept = _kept(model, level)
    if not kept:
        return level
    if level.scheme is Scheme.NVFP4 and _is_mamba_mixture(model):
        eight_bits = replace(_EIGHT_BITS, kept=(_ATTENTION, _NARROWER))
        return replace(level, kept=(*kept, _NARROWER), kept_as=eight_bits)
    return replace(level, kept=kept, kept_as=_EIGHT_BITS if draft_in_eight_bits(model, level) else None)


def draft_in_eight_bits(model: Model, level: SafetensorsLevel) -> bool:
    """Whether publishers pack layers that draft in 8 bits."""
    return level.scheme is Scheme.NVFP4 and (_has_delta_net(model) or model.wiring.repository.native_fp4)


@kept_beside
def kept_bytes(model: Model, level: SafetensorsLevel) -> KeptBytes:
    """What publishers leave in 16 bit, or in 8, of `model` at `level`."""
    if level.scheme is Scheme.NF4:  # Unsloth leaves some layers of a delta net as they are
        return KeptBytes(0, _in_16_bit(model, level, ("linear_attn.",)))
    if level.scheme in _NEVER or level.kept:
        return KeptBytes()
    form = published_form(model, level)
    usual = size_safetensors_level(model, form).tensor_bytes - size_safetensors_level(model, level).tensor_bytes
    if level.scheme in _INTEGERS:
        return KeptBytes(usual, usual + _in_16_bit(model, form, ("linear_attn.",)))
    return KeptBytes(usual, usual + _in_16_bit(model, form, ("",) if model.experts else ("linear_attn.",)))


def _kept(model: Model, level: SafetensorsLevel) -> tuple[str, ...]:
    """Beginnings of the names of what publishers leave out of their four bits."""
    if model.experts:
        return BESIDE_EXPERTS if _only_experts(model, level) else ()
    if level.scheme is not Scheme.NVFP4:
        return ()
    if _has_delta_net(model):
        return (_ATTENTION, "linear_attn.")
    return (_ATTENTION,) if model.wiring.repository.attention_kept else ()


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


def _is_mamba_mixture(model: Model) -> bool:
    return model.experts > 0 and any(isinstance(mixer, Mamba2) for mixer in model.mixers)


def _is_hybrid(model: Model) -> bool:
    return any(mixer.kept(model.width).state for mixer in model.mixers)


def _in_16_bit(model: Model, level: SafetensorsLevel, names: tuple[str, ...]) -> int:
    """How many bytes more it takes to leave Linear layers of these names, but the experts, in 16 bit."""
    return sum(
        max(0, count * (_WHOLE * weight.elements - stored_weight(weight, level, model.wiring).size_bytes))
        for count, weights in stored_layers(model)
        for weight in weights
        if weight.kind is Kind.LINEAR and weight.name.startswith(names)
    )
