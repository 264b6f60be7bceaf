"""LoRA adapters: each lies where the weights do that it changes (`llama_adapter_lora_init_impl`)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from advisor.models.adapters import adapted_edges
from advisor.models.model import Model
from advisor.runtimes.llama_cpp.weights import Weights
from advisor.sizing.placement import HOST, Placement
from advisor.sizing.request import Adapters

_BYTES = 4  # convert_lora_to_gguf.py writes 32 bit unless told otherwise


def adapter_layers(model: Model, adapters: Adapters | None) -> NDArray[np.int64]:
    """Bytes of all adapters by layer."""
    edges = np.array(adapted_edges(model), dtype=np.int64)
    return edges * (0 if adapters is None else adapters.rank * adapters.count * _BYTES)


def with_adapters(weights: Weights, model: Model, adapters: Adapters | None) -> Weights:
    """The weights with what adapters add to each layer."""
    return weights if adapters is None else replace(weights, layers=weights.layers + adapter_layers(model, adapters))


def adapters_on_devices(model: Model, adapters: Adapters | None, placement: Placement) -> dict[int, int]:
    """Bytes of all adapters per device number (HOST = -1)."""
    held = dict.fromkeys((HOST, *range(placement.devices)), 0)
    if adapters is not None:
        for size, home in zip(adapter_layers(model, adapters).tolist(), placement.layers, strict=True):
            held[home] += size
    return held
