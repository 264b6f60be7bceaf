"""What each memory has to hold under one placement, and what it lacks."""

from __future__ import annotations

from collections.abc import Mapping

from advisor.models.model import Model
from advisor.runtimes.llama_cpp.growth import Grown
from advisor.runtimes.llama_cpp.weights import Weights
from advisor.sizing.memory import Device, Memory
from advisor.sizing.placement import HOST, Placement, place
from advisor.sizing.settings import Settings


def default_shares(memory: Memory) -> tuple[float, ...]:
    """How llama.cpp splits by default: by the free bytes of each device."""
    free = (device.capacity_bytes - device.overhead_bytes + device.beside.total for device in memory.devices)
    return tuple(float(max(size, 1)) for size in free)  # all else is loaded after


def place_as_told(model: Model, memory: Memory, settings: Settings) -> Placement:
    """The placement that these settings mean on this machine."""
    shares = settings.tensor_split or default_shares(memory)
    shares = (*shares, *[0.0] * len(memory.devices))[: len(memory.devices)]
    kv_on_host = settings.kv_on_host and bool(memory.devices)
    moe = _layers_with_experts(model, settings) if memory.devices else 0
    return place(len(model.layers), shares, settings.gpu_layers, moe, kv_on_host, settings.op_offload)


def place_as_one(model: Model, settings: Settings) -> Placement:
    """The placement that these settings mean on several devices that llama.cpp takes for one (`-sm tensor`)."""
    moe = _layers_with_experts(model, settings)
    # ggml-backend-meta.cpp has no `offload_op`: nothing is computed for the host.
    return place(len(model.layers), (1.0,), settings.gpu_layers, moe, settings.kv_on_host, lends=False)


def _layers_with_experts(model: Model, settings: Settings) -> int:
    """Of how many first layers the experts are kept on the host: of none where these layers have no experts."""
    told = min(settings.cpu_moe_layers, len(model.layers))
    return told if any(layer.routed for layer in model.layers[:told]) else 0


def needed_bytes(
    weights: Weights, memory: Memory, placement: Placement, grown: Grown, held: Mapping[int, int] | None = None
) -> dict[int, int]:
    """Bytes on each device and the host, overheads and passing copies of weights included.

    `held` is `weights.on_devices(placement)`, where it is known.
    """
    needed = dict(held or weights.on_devices(placement))
    for number in needed:
        needed[number] += grown.cache[number] + grown.compute[number]
    for number, device in enumerate(memory.devices):
        needed[number] += device.overhead_bytes
    needed[HOST] += memory.host_overhead_bytes
    if memory.devices:
        needed[0] += passing_bytes(weights, placement, grown)
    for number, device in enumerate(memory.devices):
        needed[number] = beyond_limit(device, needed[number], compute_of(grown, number))
    return needed


def compute_of(grown: Grown, number: int) -> int:
    """The one compute buffer of a device that the main model has."""
    return grown.compute[number] - grown.drafting.get(number, 0)


def beyond_limit(device: Device, needed: int, buffer: int) -> int:
    """What a device needs; more than it has where one buffer is larger than may be, however much is free."""
    excess = 0 if device.buffer_limit is None else device.buffer_limit.excess(buffer)
    return max(needed, device.capacity_bytes) + excess if excess else needed


def passing_bytes(weights: Weights, placement: Placement, grown: Grown) -> int:
    """How much more the first GPU sets aside because weights of the host pass through it, one tensor at a time."""
    if grown.passing is not None:
        return grown.passing
    layers, kv_on_host = placement.host_layers, placement.kv_on_host
    experts = max(layers, placement.cpu_moe_layers)
    return passing_beside(grown, weights.passing_through(layers, experts, kv_on_host, placement.output == HOST))


def passing_beside(grown: Grown, largest: int) -> int:
    """The same, given what the weights take that pass through."""
    return max(0, grown.lent + largest - grown.compute[0] + grown.drafting.get(0, 0)) if grown.lent else 0


def shortage(memory: Memory, needed: Mapping[int, float], margin: float) -> float:
    """Bytes the tightest memory lacks to keep `margin` free, given all that it has to hold.

    Zero or less when everything fits.
    """
    short = [needed[number] - device.capacity_bytes * (1 - margin) for number, device in enumerate(memory.devices)]
    if memory.host_capacity_bytes is not None:
        on_host = needed[HOST]
        if memory.pooled:
            on_host += sum(needed[number] for number in range(len(memory.devices)))
        short.append(on_host - memory.host_capacity_bytes * (1 - margin))
    return max(short, default=0)
