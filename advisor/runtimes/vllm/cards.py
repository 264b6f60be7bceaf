"""How many of a machine's cards may be worth using: vLLM splits heads evenly, over cards of one kind."""

from __future__ import annotations

from advisor.foundation.errors import InputError
from advisor.models.model import Model
from advisor.runtimes.vllm.weights import check_split
from advisor.sizing.memory import Memory

_POWERS_OF_TWO = (8, 4, 2, 1)


def card_counts(memory: Memory, model: Model) -> tuple[int, ...]:
    """See `Runtime.card_counts`: all cards, and the largest power of two below, of those that are of one kind."""
    devices, trunk = memory.devices, model.trunk or model
    alike = next((n for n, one in enumerate(devices) if one.name != devices[0].name), len(devices))
    fewer = [n for n in _POWERS_OF_TWO if n < len(devices) and n <= alike and _splits(trunk, n)][:1]
    return (*([alike] if alike == len(devices) and _splits(trunk, alike) else []), *fewer)


def _splits(model: Model, gpus: int) -> bool:
    try:
        check_split(model, gpus)
    except InputError:
        return False
    return True
