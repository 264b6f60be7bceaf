"""What a machine computes with, as runtimes tell hardware apart: a vendor and a generation of its chips."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.foundation.message import Message, as_it_is, sentence
from advisor.machines.capacity import CPU_KIND
from advisor.machines.machine import Machine

CPU = "CPU"
GAUDI = "Gaudi"  # Intel's, which runs nothing that is made for Intel's GPUs


@dataclass(frozen=True, slots=True)
class Chip:
    """What runs it: a vendor, "CPU" or "Gaudi", and its generation, such as "8.9" or "gfx942" (None: not known)."""

    vendor: str
    generation: str | None = None

    @property
    def capability(self) -> float | None:
        """NVIDIA's compute capability."""
        return float(self.generation) if self.vendor == "NVIDIA" and self.generation is not None else None

    @property
    def message(self) -> Message:
        """As it is called: "AMD gfx942", "NVIDIA compute capability 8.9"."""
        if self.vendor == "NVIDIA" and self.generation is not None:
            return sentence("{vendor} compute capability {generation}", vendor=self.vendor, generation=self.generation)
        return as_it_is(self.vendor if self.generation is None else f"{self.vendor} {self.generation}")


def chip_of(machine: Machine) -> Chip:
    """What a machine of the catalogue computes with."""
    kind = CPU if machine.kind == CPU_KIND else GAUDI if machine.architecture == GAUDI else machine.vendor
    return Chip(kind, machine.compute_capability)
