"""KV cache and compute buffers of devices that share every tensor, as a function of the context."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from advisor.models.model import Model
from advisor.runtimes.llama_cpp.compute.frame import reserved_tokens
from advisor.runtimes.llama_cpp.growth import Grown, Growth, layer_caches
from advisor.runtimes.llama_cpp.needs import beyond_limit, compute_of
from advisor.runtimes.llama_cpp.tensor_split import split_tensors
from advisor.runtimes.llama_cpp.weights import Weights
from advisor.sizing.memory import Memory
from advisor.sizing.placement import HOST, Placement
from advisor.sizing.settings import Settings


class SplitGrowth(Growth):
    """As `Growth`, for `-sm tensor` over so many devices; `placement` takes them for one."""

    def __init__(self, model: Model, settings: Settings, placement: Placement, weights: Weights, devices: int):
        super().__init__(model, settings, placement)
        self.devices, self.weights = devices, weights
        whole = weights.on_devices(placement)
        self.parts = split_tensors(model, weights.find_stored(), whole[0], placement, settings.tensor_split, devices)
        self.on_host = whole[HOST]

    def at(self, context: int) -> Grown:
        """Each device sets aside the compute buffer of one that holds everything: tensors are laid out whole
        (`ggml_backend_meta_buffer_type_alloc_buffer`); beside it lie the buffers for adding up."""
        alone = super().at(context)
        settings = replace(self.settings, context=context)
        caches = np.array(layer_caches(self.model, settings), dtype=np.float64)
        caches[[home == HOST for home in self.placement.caches]] = 0
        shared = np.rint(caches @ self.parts.caches).astype(int).tolist()
        compute = alone.compute[0] + reduce_bytes(self.model, reserved_tokens(settings), self.devices)
        numbers = range(self.devices)
        return Grown(
            {HOST: alone.cache[HOST], **dict(zip(numbers, shared, strict=True))},
            {HOST: alone.compute[HOST], **dict.fromkeys(numbers, compute)},
            0,
            {HOST: alone.drafting.get(HOST, 0), **dict.fromkeys(numbers, alone.drafting.get(0, 0))},
        )

    def least_at(self, context: int) -> Grown:
        return self.at(context)

    def needed(self, memory: Memory, grown: Grown) -> dict[int, int]:
        """Bytes on each device and the host, all included."""
        needed = {HOST: self.on_host + grown.cache[HOST] + grown.compute[HOST] + memory.host_overhead_bytes}
        for number, device in enumerate(memory.devices):
            held = self.parts.weights[number] + grown.cache[number] + grown.compute[number] + device.overhead_bytes
            needed[number] = beyond_limit(device, held, compute_of(grown, number))
        return needed


def reduce_bytes(model: Model, tokens: int, devices: int) -> int:
    """Buffers in which a device receives the others' partial sums: one for each halving of the devices.

    As `ggml_backend_meta_graph_compute` allocates them (ggml-backend-meta.cpp): for the largest partial sum, which with
    experts is that of each expert a token uses.
    """
    used = max((layer.routed.used for layer in model.layers if layer.routed is not None), default=1)
    return math.ceil(math.log2(devices)) * used * model.width * tokens * 4
