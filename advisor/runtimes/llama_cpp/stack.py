"""What is loaded beside the model: a draft model, the projector of its vision part, LoRA adapters.

A draft model and a projector take the same wherever the model's layers lie, so what they take is set aside before the
model is planned; adapters lie beside the layers that they change, see `advisor.runtimes.llama_cpp.adapters`.
"""

from __future__ import annotations

from dataclasses import replace

from advisor.runtimes.llama_cpp.adapters import adapter_layers
from advisor.runtimes.llama_cpp.draft import plan_draft
from advisor.sizing.memory import Beside, Device, Memory
from advisor.sizing.placement import HOST
from advisor.sizing.plan import Plan, Planner
from advisor.sizing.request import PlanRequest


def with_stack(by: Planner, request: PlanRequest, largest_image: bool = False) -> tuple[PlanRequest, Plan | None]:
    """The request for what is left for the model itself, and the plan of the draft model that is asked for.

    `largest_image` says that the runtime makes room for the largest image rather than the usual one.
    """
    bare = replace(request, memory=_unreserved(request.memory))
    draft = plan_draft(by, bare)
    taken = {HOST: Beside(), **{number: Beside() for number in range(len(request.memory.devices))}}
    if draft is not None:
        for number, holder in [*enumerate(draft.devices), (HOST, draft.host)]:
            taken[number] = replace(taken[number], draft=holder.needed_bytes)
    if (size := projector_bytes(request, largest_image)) and request.vision is not None:
        home = HOST if request.vision.on_host or not request.memory.devices else 0
        taken[home] = replace(taken[home], projector=size)
    if request.settings.split == "tensor" and len(request.memory.devices) > 1:
        for number in range(len(request.memory.devices)):  # not split: each device may need them whole
            whole = int(adapter_layers(request.model, request.adapters).sum())
            taken[number] = replace(taken[number], adapters=whole)
    if not any(one.total for one in taken.values()) and bare.memory == request.memory:
        return request, draft
    return replace(request, memory=_reserved(bare.memory, taken)), draft


def projector_bytes(request: PlanRequest, largest_image: bool = False) -> int:
    """What the vision part takes where it lies: its file, and the encoding of an image."""
    tower, vision = request.model.tower, request.vision
    if tower is None or vision is None:
        return 0
    flash = request.settings.flash_attention
    return tower.file_bytes(vision.projector) + tower.compute_bytes(flash, largest_image)


def _unreserved(memory: Memory) -> Memory:
    """The memory with nothing beside the model: what is planned once may be planned again."""
    if not memory.host_beside.total and not any(device.beside.total for device in memory.devices):
        return memory
    nothing = Beside()
    return replace(
        memory,
        devices=tuple(
            replace(one, overhead_bytes=one.overhead_bytes - one.beside.total, beside=nothing) for one in memory.devices
        ),
        host_overhead_bytes=memory.host_overhead_bytes - memory.host_beside.total,
        host_beside=nothing,
    )


def _reserved(memory: Memory, taken: dict[int, Beside]) -> Memory:
    def device(one: Device, beside: Beside) -> Device:
        return replace(one, overhead_bytes=one.overhead_bytes + beside.total, beside=beside)

    return replace(
        memory,
        devices=tuple(device(one, taken[number]) for number, one in enumerate(memory.devices)),
        host_overhead_bytes=memory.host_overhead_bytes + taken[HOST].total,
        host_beside=taken[HOST],
    )
