"""Cards so full that a driver may move a part to the host's memory, silently: no speed is said of a plan there.

NVIDIA's driver for Windows does so unless told otherwise ("CUDA - Sysmem Fallback Policy", nvidia.custhelp.com answer
5490, 2023-10), and other programs on the screen take turns at the same memory.
"""

from __future__ import annotations

from advisor.foundation.message import Message, fact
from advisor.question.hardware import Hardware
from advisor.runtimes.registry import runtime_by
from advisor.sizing.plan import DeviceMemory, Plan
from advisor.sizing.runtime_id import RuntimeId

_LEAST_FREE = 0.02  # of a card; a screen, a browser or a new context takes as much


def fullest_card(plan: Plan, hardware: Hardware) -> DeviceMemory | None:
    """The card that may spill; None where none may. vLLM takes its share of a card at the start and no more."""
    own = runtime_by(plan.runtime).engine is RuntimeId.LLAMA_CPP and plan.verdict == "tight"
    if not own or plan.placement.offloads or not hardware.cards or hardware.cards[0].unified:
        return None
    full = [
        card
        for card in plan.devices
        if card.capacity_bytes and card.free_bytes is not None and card.free_bytes < _LEAST_FREE * card.capacity_bytes
    ]
    return min(full, key=lambda card: card.free_bytes or 0, default=None)


def spill_note(plan: Plan, hardware: Hardware) -> Message | None:
    """Why no speed is said."""
    card = fullest_card(plan, hardware)
    if card is None:
        return None
    return fact("may_spill", device=card.name, free=max(0, card.free_bytes or 0))
