"""What one placement takes where the first GPU computes prompts for the host (`op_offload`), weights known."""

from __future__ import annotations

from dataclasses import replace

from advisor.runtimes.llama_cpp.compute.buffer import compute_buffer_bytes, lent_buffer_bytes
from advisor.runtimes.llama_cpp.growth import Grown, Growth
from advisor.runtimes.llama_cpp.weights import Weights, tensors_in
from advisor.sizing.placement import HOST


def settled(growth: Growth, weights: Weights) -> Grown:
    """`growth.now`, with compute buffers as llama.cpp lays them out around copies of these weights.

    Prompts are computed so; tokens one by one are not, and the host needs what either takes. Where that cannot be laid
    out, the upper bound stays: for a cache on the host, and where nobody knows which weight each operation reads.
    """
    now, placement, settings = growth.now, growth.placement, growth.settings
    if not now.lent or placement.kv_on_host:
        return now
    model = growth.model.trunk or growth.model
    placement = replace(placement, layers=placement.layers[: len(model.layers)])
    lent = lent_buffer_bytes(model, settings, placement, tensors_in(weights))
    if lent is None:
        return now
    singly = replace(settings, micro_batch=settings.users)
    lent[HOST] = max(lent[HOST], compute_buffer_bytes(model, singly, placement)[HOST])
    plain = now.compute[0] - now.drafting.get(0, 0)
    passing = max(0, lent[0] - plain)
    lent[0] -= passing
    compute = {device: size + now.drafting.get(device, 0) for device, size in lent.items()}
    return replace(now, compute=compute, passing=passing)
