"""Which device each layer lies on, as llama.cpp places it.

Layers are counted from the end: `-ngl N` puts the last N of "all layers plus the output" on the GPUs, in
contiguous runs proportional to each GPU's share. Input embeddings always stay on the host.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

HOST = -1


@dataclass(frozen=True, slots=True)
class Placement:
    """Device number per layer (HOST = -1), of the output head, and how many layers keep their experts on the host."""

    devices: int
    layers: tuple[int, ...]
    output: int
    cpu_moe_layers: int = 0

    @property
    def used(self) -> tuple[int, ...]:
        """Devices that hold anything, in order."""
        return tuple(sorted({*self.layers, self.output} - {HOST}))


def place(
    layer_count: int, shares: tuple[float, ...], gpu_layers: int | None = None, cpu_moe_layers: int = 0
) -> Placement:
    """Place `layer_count` layers on GPUs with the given memory shares (empty: no GPU).

    llama.cpp: `llama_model_base::load_tensors`, splits by free memory unless told otherwise.
    """
    total = layer_count + 1
    active = 0 if not shares else total if gpu_layers is None else min(gpu_layers, total)
    start = total - active
    bounds = [share / sum(shares) for share in accumulate(shares)]

    def device(number: int) -> int:
        if number < start:
            return HOST
        return min(bisect_right(bounds, (number - start) / active), len(shares) - 1)

    return Placement(len(shares), tuple(device(n) for n in range(layer_count)), device(layer_count), cpu_moe_layers)
