"""What publishers of a scheme leave in 16 bit although its writer would pack it.

In floating point (NVFP4, FP8) many pack only the experts of a mixture, and leave linear attention alone. In integers
(AWQ, GPTQ) hybrid models were seen with everything packed, and with about as much more as the output projections of
their linear attention take.
"""

from __future__ import annotations

from advisor.formats.safetensors_levels import SafetensorsLevel, Scheme
from advisor.foundation.caches import kept_beside
from advisor.models.linear_layers import Kind, stored_layers
from advisor.models.model import Model

_WHOLE = 2  # bytes of a weight in 16 bit
_INTEGERS = (Scheme.GPTQ, Scheme.AWQ, Scheme.PACKED)
_NEVER = (Scheme.PLAIN, Scheme.MLX, Scheme.NF4, Scheme.LLM_INT8, Scheme.NATIVE_MXFP4, Scheme.NATIVE_FP4)


@kept_beside
def kept_bytes(model: Model, level: SafetensorsLevel) -> int:
    """How many bytes more it takes where they do."""
    if level.scheme in _NEVER or level.kept:
        return 0
    layers = [(count, weight) for count, weights in stored_layers(model) for weight in weights]
    whole = level.scheme not in _INTEGERS and any(weight.kind is Kind.EXPERT for _, weight in layers)
    names = "linear_attn.out_proj" if level.scheme in _INTEGERS else "linear_attn."
    left = sum(
        count * weight.elements
        for count, weight in layers
        if weight.kind is Kind.LINEAR and (whole or weight.name.startswith(names))
    )
    return round(left * (_WHOLE - level.bits / 8))
