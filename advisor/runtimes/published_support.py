"""Whether a runtime loads a checkpoint as published: each scheme of its layers, asked of the one table."""

from __future__ import annotations

from advisor.foundation.message import sentence
from advisor.machines.chip import Chip
from advisor.machines.machine import Machine
from advisor.runtimes.support import Format, Support, format_of_level, formats_of_published, never_loads, supports
from advisor.sizing.runtime_id import RuntimeId
from advisor.sources.quantization import WHOLE, Part, Quantization

# AutoRound has loaders of its own for bits that GPTQ's lack.
_OWN_LOADERS = frozenset({"AutoRound"})


def published_support(quantization: Quantization | None, runtime: RuntimeId, hardware: Machine | Chip) -> Support:
    """Whether `runtime`, which may load such files, does so here; what no runtime planned here loads gets no plan."""
    if quantization is None:
        return supports(runtime, formats_of_published(None), hardware)
    # Its parts may be sized like a level of another format: that makes them no files of that format.
    for stored in formats_of_published(quantization.kind):
        if refusal := never_loads(runtime, stored.name):
            return Support(refusal)
    packed = [part for part in quantization.parts if part.name != WHOLE]
    each = [one for part in packed for one in _formats(quantization.kind, part)]
    found = supports(
        runtime, each or formats_of_published(quantization.kind, bits=round(quantization.bits or 0)), hardware
    )
    if not found.refusal and quantization.bits is None:
        kind, loader = quantization.kind, runtime.loader
        return Support(
            sentence(
                "how {kind} packs weights is not known here, so neither is whether {loader} loads them",
                kind=kind,
                loader=loader,
            )
        )
    return found


def _formats(kind: str, part: Part) -> tuple[Format, ...]:
    if part.level is None or kind in _OWN_LOADERS:
        return formats_of_published(kind, part.name, round(part.bits or 0))
    return (format_of_level(part.level),)
