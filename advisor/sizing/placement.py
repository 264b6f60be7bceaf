"""Which device each layer lies on, as llama.cpp places it.

Layers are counted from the end: `-ngl N` puts the last N of "all layers plus the output" on the GPUs, in
contiguous runs proportional to each GPU's share. Input embeddings always stay on the host.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

HOST = -1


@dataclass(frozen=True, slots=True)
class Placement:
    """Device number per layer (HOST = -1), of the output head, and how many layers keep their experts on the host.

    `kv_on_host` says that all of the KV cache and recurrent state lies on the host, `lends` that the first device
    computes prompts for what lies on the host.
    """

    devices: int
    layers: tuple[int, ...]
    output: int
    cpu_moe_layers: int = 0
    kv_on_host: bool = False
    lends: bool = True

    @property
    def used(self) -> tuple[int, ...]:
        """Devices that hold anything, in order."""
        return tuple(sorted({*self.layers, self.output} - {HOST}))

    @property
    def host_layers(self) -> int:
        """How many of the layers lie on the host; the first ones."""
        return self.layers.count(HOST)

    @property
    def caches(self) -> tuple[int, ...]:
        """Device number of what each layer keeps of the past."""
        return (HOST,) * len(self.layers) if self.kv_on_host else self.layers

    @property
    def offloads(self) -> bool:
        """Whether a machine with devices leaves part of the model, beyond the input embeddings, to the host."""
        return self.devices > 0 and (
            self.output == HOST or HOST in self.layers or self.cpu_moe_layers > 0 or self.kv_on_host
        )


def place(
    layer_count: int,
    shares: Sequence[float],
    gpu_layers: int | None = None,
    cpu_moe_layers: int = 0,
    kv_on_host: bool = False,
    lends: bool = True,
) -> Placement:
    """Place `layer_count` layers on GPUs with the given shares (empty: no GPU; they need not add up to anything).

    llama.cpp: `llama_model_base::load_tensors`, in single precision as there. Shares are what `-ts` is given,
    without it the free bytes of each GPU.
    """
    total = layer_count + 1
    active = 0 if not shares else total if gpu_layers is None else min(gpu_layers, total)
    start = total - active
    single = np.cumsum(np.asarray(shares, dtype=np.float32), dtype=np.float32)
    homes: tuple[int, ...] = (HOST,) * start
    if active:
        fractions = np.arange(active, dtype=np.float32) / np.float32(active)
        found = np.searchsorted(single / single[-1], fractions, side="right")
        homes += tuple(np.minimum(found, len(shares) - 1).tolist())
    return Placement(len(shares), homes[:layer_count], homes[layer_count], cpu_moe_layers, kv_on_host, lends)
