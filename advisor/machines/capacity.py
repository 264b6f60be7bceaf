"""How much of a device's memory a runtime can use, and how much of that is gone before a model is loaded.

"Fits" is a promise, so whatever is not known is taken on the safe side: never more than what is sold, the lowest share
that similar devices report, the smaller of two operating systems' budgets.
"""

from collections.abc import Iterable
from typing import NamedTuple

from advisor.foundation.message import NOTHING, Message, fact
from advisor.foundation.units import GIB, MIB

# A CUDA process pays twice before its first tensor. (1) It can allocate less than nvidia-smi's total, by what the
# driver reserves; totals in llama.cpp and PyTorch logs are lower by 8 GB cards 190-490, 3060 399, T4 451, 3090 452,
# L4 475, 4090 484, 5090 501, H100 520, L40S 613, H200 616, PRO 6000 640, B200 729, A100 768 MiB (ggml-org/llama.cpp
# issues 17482, 17536, 23679 and pull 23604). (2) The context grows with the number of cores: 107 MiB bare on a 4060 Ti
# and 555 on a PRO 6000 (pull 23604); "unaccounted" 451-456 MiB in use on a 4090 (pull 15860), 753 on a PRO 6000.
# The line is drawn to cover both at each of these cards.
_CUDA_LEAST_BYTES = 640 * MIB
_CUDA_SHARE = 64
_CUDA_MOST_BYTES = 1536 * MIB
# Of the driver's total llama.cpp logs show less missing with ROCm (164 MiB on a 9070 XT, 202 on a 6700 XT, 242 in use
# on a 7900 XT; PyTorch about 300 on an MI300X) and SYCL (254 MiB on an Arc Pro B70, 288 on a B50).
_OTHER_CARD_BYTES = 512 * MIB
# Desktop and browser on the card that drives the screen: about 0.3 GiB on a Linux desktop, 1.6 GiB on a Windows one
# (nibor1896/Crow issue 105). Laptops and workstations mostly leave the screen to another GPU or have none.
_SCREEN_BYTES = 512 * MIB
# Metal's budget is enforced as it stands: llama.cpp's memory breakdown shows 0 MiB unaccounted on Apple M5 and M4 Pro.
_METAL_BYTES = 256 * MIB
# The share left to the operating system already covers it; what remains is the runtime's own context.
_SHARED_BYTES = 512 * MIB
# Metal's largest buffer is three quarters of its default budget: 8.88 GiB of 16 GB, 18.72 of 32, 21.06 of 36, 28.08 of
# 48, 38.88 of 64, 80.64 of 128 and 156 of 256 (mlx's device_info in public logs); a raised budget did not raise it.
_METAL_BUFFER_SHARE = 0.75
# Where the GPU may take nearly all memory, the system's own use comes out of the same pool: 118548 of 122570 MiB are
# free on an idle DGX Spark.
_WHOLE_POOL_SHARE = 0.9
_WHOLE_POOL_BYTES = 4 * GIB
# A server or desktop without much else running.
_HOST_SYSTEM_BYTES = 2 * GIB

CPU_KIND = "cpu-platform"
UNIFIED_KINDS = frozenset({"apple-silicon", "unified-memory-pc"})
_CONSUMER_KIND = "consumer-gpu"


class Amount(NamedTuple):
    """A number of bytes, and where it comes from."""

    bytes: int
    basis: Message


class ReportedShare(NamedTuple):
    """What one card's driver reports, as a share of the memory it is sold with."""

    vendor: str
    kind: str
    memory_type: str
    share: float


def reported_capacity(reported_mib: int, note: str | None = None) -> Amount:
    """Return the capacity of a card whose driver's total is known."""
    return Amount(reported_mib * MIB, fact("capacity_reported", mib=reported_mib, note=_in_brackets(note)))


def assumed_capacity(
    memory_bytes: int, vendor: str, kind: str, memory_type: str, reported: Iterable[ReportedShare]
) -> Amount:
    """Return a cautious capacity for a card whose driver's total is not known.

    It is the lowest share among the nearest cards that do report, as soon as two of them do: same vendor, kind and
    memory type; same vendor and kind; same vendor; any.
    """
    known = list(reported)
    of_vendor = [row for row in known if row.vendor == vendor]
    of_kind = [row for row in of_vendor if row.kind == kind]
    of_type = [row for row in of_kind if row.memory_type == memory_type]
    groups = (
        (fact("cards_of_type", vendor=vendor, kind=kind, memory=memory_type), of_type),
        (fact("cards_of_kind", vendor=vendor, kind=kind), of_kind),
        (fact("cards_of_vendor", vendor=vendor), of_vendor),
        (fact("cards_of_any"), known),
    )
    for what, rows in groups:
        if len(rows) >= 2:
            share = min(1.0, *(row.share for row in rows))
            basis = fact("capacity_of_alike", share=share, size=memory_bytes, what=what)
            return Amount(int(memory_bytes * share), basis)
    return Amount(memory_bytes, fact("capacity_as_sold"))


def unified_capacity(memory_bytes: int, share: float, older_share: float | None, note: str | None = None) -> Amount:
    """Return what the operating system lets the GPU use of memory that it shares with the CPU.

    `older_share` is what its older releases allow, where the machine can run one.
    """
    lower = share if older_share is None else min(share, older_share)
    said = _in_brackets(note)
    basis = fact("capacity_let", share=lower, size=memory_bytes, note=said)
    if lower < share:
        basis = fact("capacity_let_by_older", share=lower, size=memory_bytes, current=share, note=said)
    return Amount(int(memory_bytes * lower), basis)


def largest_buffer(memory_bytes: int, vendor: str, share: float | None) -> int | None:
    """Return the most that one buffer may take, where the system limits it; `share` is the GPU's default budget."""
    return int(memory_bytes * share * _METAL_BUFFER_SHARE) if vendor == "Apple" and share is not None else None


def card_overhead(vendor: str, kind: str, memory_bytes: int) -> Amount:
    """Return what a discrete card spends before the first tensor."""
    if vendor == "NVIDIA":
        size = min(_CUDA_LEAST_BYTES + memory_bytes // _CUDA_SHARE, _CUDA_MOST_BYTES)
        context = fact("cuda_context")
    else:
        size, context = _OTHER_CARD_BYTES, fact("runtime_context")
    if kind == _CONSUMER_KIND:
        basis = fact("overhead_with_screen", size=size, context=context, screen=_SCREEN_BYTES)
        return Amount(size + _SCREEN_BYTES, basis)
    return Amount(size, fact("overhead_of_card", size=size, context=context))


def unified_overhead(kind: str, share: float) -> Amount:
    """Return what is spent before the first tensor where GPU and system share the memory."""
    if kind == "apple-silicon":
        return Amount(_METAL_BYTES, fact("overhead_beside_budget", size=_METAL_BYTES))
    if share > _WHOLE_POOL_SHARE:
        return Amount(_WHOLE_POOL_BYTES, fact("overhead_of_pool", size=_WHOLE_POOL_BYTES))
    return Amount(_SHARED_BYTES, fact("overhead_beside_share", size=_SHARED_BYTES))


def shared_memory(memory_bytes: int, overhead_bytes: int) -> int:
    """What is left for GPU and CPU together beside the system, where they share the memory.

    Where the GPU may take nearly all of it, the system's part is in the GPU's overhead already.
    """
    return memory_bytes if overhead_bytes >= _WHOLE_POOL_BYTES else memory_bytes - _HOST_SYSTEM_BYTES


def host_overhead() -> Amount:
    """Return what the operating system keeps of the host memory."""
    return Amount(_HOST_SYSTEM_BYTES, fact("overhead_of_system", size=_HOST_SYSTEM_BYTES))


def _in_brackets(note: str | None) -> Message:
    return fact("in_brackets", text=note) if note else NOTHING
