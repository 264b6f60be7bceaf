"""What one placement takes where the first GPU computes prompts for the host (`op_offload`), weights known."""

from __future__ import annotations

from dataclasses import replace

from advisor.foundation.message import Message, fact
from advisor.runtimes.llama_cpp.compute.buffer import compute_buffer_bytes, lent_buffer_bytes
from advisor.runtimes.llama_cpp.compute.frame import reserved_tokens
from advisor.runtimes.llama_cpp.compute.recurrent import steps_of
from advisor.runtimes.llama_cpp.growth import Grown, Growth
from advisor.runtimes.llama_cpp.weights import Weights, tensors_in
from advisor.sizing.placement import HOST
from advisor.sizing.plan import Plan

_RESULT = 4  # bytes of a number of an intermediate result
_AT_MOST = ("lending_at_most", "cache_on_host_at_most", "steps_at_most")


def at_most(growth: Growth, now: Grown) -> tuple[Message, ...]:
    """That buffers of `now`, as `settled`, are upper bounds, and why; nothing where they are laid out."""
    placement, model = growth.placement, growth.model.trunk or growth.model
    if placement.kv_on_host and placement.devices:
        return (fact("cache_on_host_at_most"),)
    if not now.lent:
        return ()
    if now.passing is None:
        return (fact("lending_at_most", architecture=model.architecture),)
    placement = replace(placement, layers=placement.layers[: len(model.layers)])
    if steps_of(model, growth.settings, placement):
        return (fact("steps_at_most", release=growth.settings.release),)
    return ()


def is_at_most(plan: Plan) -> bool:
    """Whether a plan's notes say that its buffers are upper bounds."""
    return any(note.kind in _AT_MOST for note in plan.notes)


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
        return _bounded(growth, weights)
    singly = replace(settings, micro_batch=settings.users)
    lent[HOST] = max(lent[HOST], compute_buffer_bytes(model, singly, placement)[HOST])
    plain = now.compute[0] - now.drafting.get(0, 0)
    passing = max(0, lent[0] - plain)
    lent[0] -= passing
    compute = {device: size + now.drafting.get(device, 0) for device, size in lent.items()}
    return replace(now, compute=compute, passing=passing)


def _bounded(growth: Growth, weights: Weights) -> Grown:
    """`growth.now` where nobody knows which weight each operation reads.

    Of layers that lie whole on the host the place of one copy may be too small for the next: of experts two were seen
    side by side where several GPUs have layers; other GPUs may wait for one more result.
    """
    now, placement = growth.now, growth.placement
    layers, experts = placement.host_layers, placement.cpu_moe_layers
    several = placement.devices > 1 and experts > layers
    second = weights.widest_experts[experts] if several else 2 * weights.widest_layers[layers]
    second = 0 if weights.hybrid else second  # of which `Weights.passing_through` counts two already
    streams = growth.model.wiring.streams.count if growth.model.wiring.streams else 1
    result = _RESULT * growth.model.width * streams * reserved_tokens(growth.settings)
    compute = {device: size + (result if device > 0 and size else 0) for device, size in now.compute.items()}
    return replace(now, lent=now.lent + second, compute=compute)
